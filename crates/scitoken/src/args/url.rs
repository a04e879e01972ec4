//! URLs on the command line.

use scitoken_transfer::federation::{FederationUrl, InvalidFederationUrl};
use scitoken_types::{SafeUrl, names_host};
use url::Url;

use crate::exit::Exit;
use crate::failure::Failure;

/// Parses an http or https URL; `davs://` and `dav://` mean `https://` and `http://`.
///
/// Refuses text that a URL parser would drop or change, because the request would then be for another file: a fragment, a
/// backslash, and control characters.
pub(crate) fn parse_url(text: &str) -> Result<Url, Failure> {
    const FORM: &str = "write `https://host/path`";

    let invalid = |problem: String, hint: &str| {
        let shown: String = SafeUrl::unparsed(text).chars().take(100).collect();
        Failure::new(Exit::Usage, format!("invalid URL `{shown}`: {problem}")).with_hint(hint)
    };
    if let Some(character) = text.chars().find(|c| c.is_control()) {
        let code = format!("`%{:02X}`", u32::from(character));
        let hint = match text.trim_matches(|c: char| c.is_control() || c.is_whitespace()) {
            inner if inner.chars().any(char::is_control) => format!("in a path, write {code}"),
            _ => format!("leave it out; in a path, write {code}"),
        };
        return Err(invalid("it contains a control character".to_owned(), &hint));
    }
    if text != text.trim() {
        return Err(invalid(
            "it begins or ends with a blank".to_owned(),
            "leave the blank out; in a path, write `%20`",
        ));
    }
    if text.split('?').next().is_some_and(|path| path.contains('\\')) {
        return Err(invalid("it contains a backslash".to_owned(), "in a path, write `%5C`"));
    }
    if !names_host(text) {
        return Err(invalid("it names no host".to_owned(), FORM));
    }
    let plain = match text.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("davs") => format!("https://{rest}"),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("dav") => format!("http://{rest}"),
        _ => text.to_owned(),
    };
    let url: Url = plain.parse().map_err(|error: url::ParseError| match error {
        url::ParseError::RelativeUrlWithoutBase if looks_like_a_host(text) => {
            let typed: String = SafeUrl::unparsed(text).chars().take(100).collect();
            invalid("it has no scheme".to_owned(), &format!("write `https://{typed}`"))
        }
        url::ParseError::RelativeUrlWithoutBase => invalid("it has no scheme".to_owned(), FORM),
        _ => invalid(error.to_string(), FORM),
    })?;
    if has_encoded_dots(&plain) {
        return Err(invalid(
            "it has `.` or `..` in an encoded form".to_owned(),
            "write the path without `%2e` and `..`",
        ));
    }
    if !matches!(url.scheme(), "http" | "https") && has_port(text) {
        let typed: String = SafeUrl::unparsed(text).chars().take(100).collect();
        return Err(invalid("it has no scheme".to_owned(), &format!("write `https://{typed}`")));
    }
    if !matches!(url.scheme(), "http" | "https") {
        let hint = other_scheme(&url).unwrap_or_else(|| FORM.to_owned());
        return Err(invalid(format!("the scheme `{}` is not supported", url.scheme()), &hint));
    }
    if url.fragment().is_some() {
        return Err(invalid(
            "it has a fragment (`#`), which is not sent".to_owned(),
            "in a path, write `%23`",
        ));
    }
    Ok(url)
}

/// Whether a text without a scheme begins like the name of a server.
fn looks_like_a_host(text: &str) -> bool {
    let host = text.split(['/', ':']).next().unwrap_or_default();
    let is_name = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c));
    is_name && (host == "localhost" || host.trim_matches('.').contains('.'))
}

/// Whether a text begins with a name and the number of a port, which a parser takes for a scheme and a path.
fn has_port(text: &str) -> bool {
    let port = text.split_once(':').map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default());
    !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a part of the path is `.` or `..` with an escape, which a URL parser resolves and a server may not.
fn has_encoded_dots(text: &str) -> bool {
    let path = text.split(['?', '#']).next().unwrap_or_default();
    path.split('/').any(|part| {
        let plain = part.to_ascii_lowercase().replace("%2e", ".");
        plain.len() < part.len() && matches!(plain.as_str(), "." | "..")
    })
}

/// Returns what helps with a scheme that is not HTTP.
fn other_scheme(url: &Url) -> Option<String> {
    match url.scheme() {
        "root" | "roots" | "xroot" | "xroots" => {
            let host = url.host_str().filter(|host| !host.is_empty())?;
            let port = url.port().unwrap_or(1094);
            // `root://host//path`: the second slash begins the path.
            let path = url.path().trim_start_matches('/');
            let https = SafeUrl::unparsed(&format!("https://{host}:{port}/{path}"));
            Some(format!(
                "this program uses HTTP, which most XRootD servers have at the same port: try `{https}`, or the port that the \
                 site names for HTTP or WebDAV"
            ))
        }
        "osdf" | "stash" | "pelican" => Some(
            "`scitoken explain NAME` resolves a name and shows its servers: pass the URL of one".to_owned(),
        ),
        "gsiftp" | "srm" | "ftp" => Some(format!(
            "this program uses HTTP: ask the site for its WebDAV address, `https://{}/…`",
            url.host_str()?
        )),
        "file" => Some("write the path of a file of this machine without `file://`".to_owned()),
        "s3" | "gs" | "swift" | "az" | "abfs" => Some(
            "this program uses HTTP: ask for the `https://` URL of the object, which may have to be signed"
                .to_owned(),
        ),
        _ => None,
    }
}

/// Parses an http or https URL, or the name of an object in a federation.
pub(crate) fn parse_location(text: &str) -> Result<Url, Failure> {
    if !FederationUrl::has_scheme(text) {
        return parse_url(text);
    }
    let invalid = |problem: String, hint: &str| {
        let shown: String = SafeUrl::unparsed(text).chars().take(100).collect();
        Failure::new(Exit::Usage, format!("invalid URL `{shown}`: {problem}")).with_hint(hint)
    };
    let name: FederationUrl = text.parse().map_err(|error: InvalidFederationUrl| {
        invalid(error.to_string(), "write `osdf:///path` or `pelican://host/path`")
    })?;
    if name.shared_token().is_some() {
        return Err(invalid(
            "it has a token".to_owned(),
            "write the token to a file and pass `--token-file`",
        ));
    }
    Ok(name.to_url())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn webdav_schemes_mean_http() {
        for (text, url) in [
            ("davs://h/f", "https://h/f"),
            ("DAV://h:80/f", "http://h/f"),
            ("https://h/a%23b", "https://h/a%23b"),
            ("https://h/f?x=%5C", "https://h/f?x=%5C"),
        ] {
            assert_eq!(parse_url(text).unwrap().as_str(), url, "{text}");
        }
    }

    #[test]
    fn a_host_with_a_port_is_told_to_lack_its_scheme() {
        for text in ["localhost:19301/d/a", "host:1094/path", "data.example.org:8443"] {
            let failure = parse_url(text).unwrap_err();
            assert_eq!(failure.hint(), Some(&*format!("write `https://{text}`")), "{failure:?}");
        }
    }

    #[test]
    fn a_url_that_would_be_changed_is_refused() {
        for (text, problem) in [
            ("https://h/run#2.root", "%23"),
            ("https://h/#", "%23"),
            ("https://h\\f", "%5C"),
            ("https://h/a\tb", "%09"),
            ("https://h/a\rb", "%0D"),
            ("https://h/f\n", "%0A"),
            (" https://h/f", "leave the blank out"),
            ("\thttps://h/f", "leave it out"),
            ("https://h/a/%2e%2E/f", "without `%2e`"),
            ("https://h/a/.%2e", "without `%2e`"),
            ("www.example.org/f", "`https://www.example.org/f`"),
            ("127.0.0.1:8080/f", "`https://127.0.0.1:8080/f`"),
            ("file", "https://host/path"),
            ("root://h//f", "`https://h:1094/f`"),
            ("xroot://h:1095//a/b?x=y", "`https://h:1095/a/b`"),
            ("roots://user@h/f", "`https://h:1094/f`"),
            ("osdf:///ns/f", "scitoken explain"),
            ("gsiftp://h/f", "https://h/"),
            ("root:///f", "https://host/path"),
            ("s3://bucket/f", "may have to be signed"),
            ("file:///tmp/f", "without `file://`"),
            ("xyz://h/f", "https://host/path"),
            ("mailto:x@y", "https://host/path"),
            ("h/f", "https://host/path"),
            ("./f", "https://host/path"),
        ] {
            let failure = parse_url(text).unwrap_err();
            assert_eq!(failure.exit(), Exit::Usage, "{text}");
            assert!(failure.hint().is_some_and(|hint| hint.contains(problem)), "{text}: {failure:?}");
        }
    }
}
