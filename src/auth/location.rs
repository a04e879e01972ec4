//! Where a redirect leads: the pure part of the redirect loop.

use http::header::LOCATION;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use super::in_url;
use super::redirect::CleartextRedirects;
use crate::error::RedirectProblem;
use crate::redact::SafeUrl;

/// What a redirect asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NextHop {
    pub(crate) url: Url,
    pub(crate) method: Method,
    pub(crate) body: BodyFate,
}

/// What becomes of the request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyFate {
    Kept,
    /// The method became GET: the body goes, and the headers that described it.
    Dropped,
}

/// Reads a redirect (RFC 9110 section 15.4); `None` when the answer is none, or has no `Location`.
///
/// A `POST` becomes a `GET` after 301 and 302, and everything but `HEAD` does after 303; other methods stay what they
/// are, because a `DELETE` that silently turns into a `GET` reports a success that was none.
pub(crate) fn next_hop(
    status: StatusCode,
    headers: &HeaderMap,
    method: &Method,
    current: &Url,
    cleartext: CleartextRedirects,
) -> Result<Option<NextHop>, RedirectProblem> {
    let changes_to_get = match status.as_u16() {
        301 | 302 => *method == Method::POST,
        303 => !matches!(*method, Method::GET | Method::HEAD),
        307 | 308 => false,
        _ => return Ok(None),
    };
    let Some(location) = headers.get(LOCATION) else { return Ok(None) };
    let url = resolve(location.as_bytes(), current)?;
    if cleartext == CleartextRedirects::Refuse && carries_credential_in_clear(&url, current) {
        return Err(RedirectProblem::CredentialInClear { next: SafeUrl::new(&url).to_string() });
    }
    Ok(Some(if changes_to_get {
        NextHop { url, method: Method::GET, body: BodyFate::Dropped }
    } else {
        NextHop { url, method: method.clone(), body: BodyFate::Kept }
    }))
}

/// Joins a `Location` to the current URL. XRootD writes raw blanks and raw UTF-8 there.
fn resolve(location: &[u8], current: &Url) -> Result<Url, RedirectProblem> {
    let text = match std::str::from_utf8(location) {
        Ok(text) => text.to_owned(),
        // Bytes of no known encoding mean themselves.
        Err(_) => percent_encoding::percent_encode(location, percent_encoding::CONTROLS).to_string(),
    };
    if text.trim().is_empty() {
        return Err(RedirectProblem::NoUrl);
    }
    // What the user put into the first URL is for the first server; what is there after the join, the server put there.
    let mut base = current.clone();
    let _ = base.set_username("");
    let _ = base.set_password(None);
    let mut url = base.join(&text).map_err(|_| RedirectProblem::NoUrl)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(RedirectProblem::Scheme(url.scheme().to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(RedirectProblem::UserInfo);
    }
    if url.fragment().is_none() {
        url.set_fragment(current.fragment());
    }
    Ok(url)
}

/// A credential that would be readable on the way: plain `http` anywhere but on this machine, and always where the chain
/// came from `https`, because whoever set that up meant it to be protected.
fn carries_credential_in_clear(next: &Url, current: &Url) -> bool {
    let trustworthy = crate::origin::Origin::try_from(next).is_ok_and(|origin| origin.is_trustworthy());
    next.scheme() == "http" && in_url::has_credential(next) && (current.scheme() == "https" || !trustworthy)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn follow(status: u16, method: &Method, location: &[u8]) -> Result<Option<NextHop>, RedirectProblem> {
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, HeaderValue::from_bytes(location).unwrap());
        let current = Url::parse("https://a.example:8443/dir/f?q=1#frag").unwrap();
        let status = StatusCode::from_u16(status).unwrap();
        next_hop(status, &headers, method, &current, CleartextRedirects::Refuse)
    }

    fn url(location: &str) -> Result<String, RedirectProblem> {
        follow(302, &Method::GET, location.as_bytes()).map(|hop| hop.unwrap().url.to_string())
    }

    #[test]
    fn the_method_changes_as_the_rfc_says() {
        let (get, head, post, put) = (Method::GET, Method::HEAD, Method::POST, Method::PUT);
        for (status, method, expected) in [
            (301, &get, &get),
            (301, &post, &get),
            (301, &put, &put),
            (302, &head, &head),
            (302, &post, &get),
            (302, &Method::DELETE, &Method::DELETE),
            (303, &post, &get),
            (303, &put, &get),
            (303, &head, &head),
            (307, &post, &post),
            (307, &put, &put),
            (308, &post, &post),
        ] {
            let hop = follow(status, method, b"/x").unwrap().unwrap();
            assert_eq!(hop.method, *expected, "{status} {method}");
            assert_eq!(hop.body == BodyFate::Dropped, method != expected, "{status} {method}");
        }
        for status in [200, 300, 304, 305, 306, 401] {
            assert_eq!(follow(status, &get, b"/x"), Ok(None), "{status}");
        }
    }

    #[test]
    fn a_location_is_joined_to_the_current_url() {
        for (location, expected) in [
            ("/x", "https://a.example:8443/x#frag"),
            ("x", "https://a.example:8443/dir/x#frag"),
            ("?p=2", "https://a.example:8443/dir/f?p=2#frag"),
            ("#other", "https://a.example:8443/dir/f?q=1#other"),
            ("//b.example/x", "https://b.example/x#frag"),
            ("\\\\b.example\\x", "https://b.example/x#frag"),
            ("http://b.example/x", "http://b.example/x#frag"),
            ("/sp ace+é.txt", "https://a.example:8443/sp%20ace+%C3%A9.txt#frag"),
        ] {
            assert_eq!(url(location).as_deref(), Ok(expected), "{location}");
        }
        let hop = follow(302, &Method::GET, b"/caf\xe9").unwrap().unwrap();
        assert_eq!(hop.url.path(), "/caf%E9");
    }

    #[test]
    fn what_must_not_be_followed_is_refused() {
        for location in ["", "  ", "https://", "https://[::1"] {
            assert_eq!(url(location), Err(RedirectProblem::NoUrl), "{location:?}");
        }
        assert_eq!(url("file:///etc/passwd"), Err(RedirectProblem::Scheme("file".into())));
        assert_eq!(url("ftp://h/x"), Err(RedirectProblem::Scheme("ftp".into())));
        for location in ["https://me@b/x", "https://me:pw@b/x", "//me@b/x", "\\\\me@b\\x", "/\t/me:pw@b/"] {
            assert_eq!(url(location), Err(RedirectProblem::UserInfo), "{location}");
        }
    }

    #[test]
    fn a_credential_without_tls_is_refused_with_the_url_but_not_the_credential() {
        for host in ["127.0.0.1:8446", "b.example"] {
            let problem = url(&format!("http://{host}/f?authz=Bearer%20secret")).unwrap_err();
            assert!(matches!(problem, RedirectProblem::CredentialInClear { .. }));
            assert!(problem.to_string().contains(host) && !problem.to_string().contains("secret"));
        }
        assert!(url("https://b/f?authz=x").is_ok());
        assert!(url("http://b/f").is_ok());
    }
}
