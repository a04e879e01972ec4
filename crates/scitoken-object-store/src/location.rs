//! Locations of objects as URLs, and back.

use object_store::path::Path;
use scitoken_types::SafeUrl;
use url::Url;

use crate::error::{OpenError, unexpected};

/// Returns the URL of a directory: `https` for `davs`, with a `/` at its end, without query and fragment.
pub(crate) fn base(url: &Url) -> Result<Url, OpenError> {
    let scheme = match url.scheme() {
        "http" | "dav" => "http",
        "https" | "davs" => "https",
        _ => return Err(OpenError::scheme(url)),
    };
    // A URL's scheme cannot be changed between special and other ones.
    let rest = url.as_str().split_once(':').map_or("", |(_, rest)| rest);
    let mut base =
        Url::parse(&format!("{scheme}:{rest}")).map_err(|source| OpenError::not_url(rest, source))?;
    base.set_query(None);
    base.set_fragment(None);
    if !base.path().ends_with('/') {
        base.set_path(&format!("{}/", base.path()));
    }
    Ok(base)
}

/// Returns the URL of an object.
pub(crate) fn url_of(base: &Url, location: &Path) -> Url {
    let mut url = base.clone();
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().extend(location.parts());
    }
    url
}

/// Returns the URL of a directory, with a `/` at its end (RFC 4918 section 5.2).
pub(crate) fn directory(base: &Url, prefix: &Path) -> Url {
    let mut url = url_of(base, prefix);
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop_if_empty().push("");
    }
    url
}

/// Returns the location of an object below the base.
pub(crate) fn of_url(base: &Url, url: &Url) -> object_store::Result<Path> {
    let below = url.path().strip_prefix(base.path());
    let below =
        below.ok_or_else(|| unexpected(format!("`{}` is outside of the store", SafeUrl::new(url))))?;
    if below.to_ascii_lowercase().contains("%2f") {
        // The path would have one more segment, and name another object.
        let name = SafeUrl::new(url);
        return Err(unexpected(format!("`{name}` has a name with a `/`, which no location can have")));
    }
    Ok(Path::from_url_path(below)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(text: &str) -> Url {
        base(&text.parse().unwrap()).unwrap()
    }

    #[test]
    fn a_store_is_a_directory_on_a_server() {
        for (text, expected) in [
            ("https://h", "https://h/"),
            ("https://h/d", "https://h/d/"),
            ("davs://h:8443/d/?a=b#c", "https://h:8443/d/"),
            ("dav://127.0.0.1:80/d%20e", "http://127.0.0.1/d%20e/"),
        ] {
            assert_eq!(store(text).as_str(), expected, "{text}");
        }
        for text in ["s3://bucket/d", "file:///d", "root://h//d"] {
            assert!(matches!(base(&text.parse().unwrap()), Err(OpenError::Scheme { .. })), "{text}");
        }
    }

    #[test]
    fn a_location_survives_the_way_to_a_url_and_back() {
        let base = store("https://h/d%20e");
        for location in
            ["a", "a/b", "a b/c%20", "\u{1f640}/x", "a%2Fb/c", "%48%45", "%Q.parquet", "$x@~", "a?b#c"]
        {
            let location = Path::parse(location).unwrap();
            let url = url_of(&base, &location);
            assert!(url.as_str().starts_with("https://h/d%20e/"), "{url}");
            assert_eq!(of_url(&base, &url).unwrap(), location, "{url}");
            assert_eq!(of_url(&base, &directory(&base, &location)).unwrap(), location);
        }
        assert_eq!(directory(&base, &Path::default()).as_str(), base.as_str());
        assert!(of_url(&base, &"https://h/other".parse().unwrap()).is_err());
        assert!(of_url(&base, &"https://h/d%20e/a%2fb".parse().unwrap()).is_err());
    }
}
