//! The URLs of requests.

use std::sync::OnceLock;

use http::Uri;
use http::uri::Authority;
use url::{ParseError, Url};

/// Makes URLs of the addresses that `object_store` asks for.
///
/// Nearly all have the origin of the first one, which is not parsed again: that takes longer than all the rest of a URL.
#[derive(Debug, Default)]
pub(crate) struct RequestUrls(OnceLock<(Uri, Url)>);

impl RequestUrls {
    /// Returns the URL of a request.
    pub(crate) fn read(&self, uri: &Uri) -> Result<Url, ParseError> {
        if let Some((first, origin)) = self.0.get()
            && has_same_origin(first, uri)
        {
            let mut url = origin.clone();
            url.set_path(uri.path());
            url.set_query(uri.query());
            return Ok(url);
        }
        let url = uri.to_string().parse::<Url>()?;
        let mut origin = url.clone();
        origin.set_path("");
        origin.set_query(None);
        // Of two requests at once, the other one may have been first.
        let _ = self.0.set((uri.clone(), origin));
        Ok(url)
    }
}

/// Whether both write their origins and logins in the same way.
fn has_same_origin(one: &Uri, other: &Uri) -> bool {
    // `Authority` compares without regard to case, and logins have one.
    one.scheme() == other.scheme()
        && one.authority().map(Authority::as_str) == other.authority().map(Authority::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_the_same_whichever_was_first() {
        let uris = [
            "http://127.0.0.1:8080/d/f",
            "http://127.0.0.1:8080/d/g?q=1&r=%20",
            "http://127.0.0.1:8080",
            "http://127.0.0.1:8080//evil.example.org/f",
            "http://127.0.0.1:8080/\\evil.example.org/f",
            "http://127.0.0.1:8080/a/../b/./c/%2e%2e/d",
            "http://127.0.0.1:8080/{a}|b\"c^d",
            "http://127.0.0.1:8080/a?b|{c}'d",
            "http://127.0.0.1:8080/?",
            "http://127.0.0.1:8080/C:/d;v=1",
            "http://127.0.0.1:8081/d/f",
            "http://me:secret@127.0.0.1:8080/d/f",
            "http://Me:secret@127.0.0.1:8080/d/f",
            "http://[::1]:8080/d/f",
            "https://Data.Example.org/d/f",
            "https://data.example.org:443/d/f",
            "https://data.example.org/d/f",
        ];
        for first in uris {
            let reader = RequestUrls::default();
            for text in [first].into_iter().chain(uris) {
                let uri: Uri = text.parse().unwrap();
                assert_eq!(
                    reader.read(&uri).unwrap().as_str(),
                    Url::parse(text).unwrap().as_str(),
                    "after {first}"
                );
            }
        }
    }
}
