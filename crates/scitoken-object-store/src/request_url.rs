//! The URLs of requests.

use std::fmt;
use std::sync::OnceLock;

use http::Uri;
use http::uri::{Authority, Scheme};
use url::{ParseError, Url};

/// Makes URLs of the addresses that `object_store` asks for.
///
/// Nearly all have the origin of the first one, which is not parsed again: that takes longer than all the rest of a URL.
#[derive(Default)]
pub(crate) struct RequestUrls(OnceLock<First>);

/// The first address: its scheme and authority, and the URL of its root.
struct First {
    scheme: Option<Scheme>,
    authority: Option<Authority>,
    root: Url,
}

impl RequestUrls {
    /// Returns the URL of a request.
    pub(crate) fn read(&self, uri: &Uri) -> Result<Url, ParseError> {
        if let Some(first) = self.0.get()
            && first.is_of(uri)
        {
            let mut url = first.root.clone();
            url.set_path(uri.path());
            url.set_query(uri.query());
            return Ok(url);
        }
        let url = uri.to_string().parse::<Url>()?;
        let mut root = url.clone();
        root.set_path("");
        root.set_query(None);
        // Of two requests at once, the other one may have been first.
        let _ =
            self.0.set(First { scheme: uri.scheme().cloned(), authority: uri.authority().cloned(), root });
        Ok(url)
    }
}

impl First {
    /// Whether an address has the same origin and login, written in the same way: `Authority` compares without regard to case,
    /// which logins have.
    fn is_of(&self, uri: &Uri) -> bool {
        self.scheme.as_ref() == uri.scheme()
            && self.authority.as_ref().map(Authority::as_str) == uri.authority().map(Authority::as_str)
    }
}

/// The address may have a login.
impl fmt::Debug for RequestUrls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestUrls").finish_non_exhaustive()
    }
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
            assert_eq!(format!("{reader:?}"), "RequestUrls { .. }");
        }
    }
}
