//! Where a redirect leads: the pure part of the redirect loop.

use http::header::LOCATION;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use super::super::url_credentials;
use crate::error::RedirectProblem;
use scitoken_types::redact::{self, Redactor};
use scitoken_types::{Origin, SafeUrl, names_host};

/// What to do with a `Location` that carries a token in its query and leads to plain `http`, as XRootD's manager sends
/// it without `http.desthttps yes`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CleartextRedirects {
    /// Fails with [`RedirectProblem::CredentialInClear`]. The default: the data would arrive, but the token would be
    /// readable on the way.
    #[default]
    Refuse,
    /// Follows.
    Allow,
}

/// An extension of a request that follows no redirect to a collection with another path, as of a `DELETE`: that would remove
/// the collection with all its members (RFC 4918 section 9.6.1).
///
/// ```
/// # fn run(client: reqwest_middleware::ClientWithMiddleware) {
/// use reqwest_scitokens::auth::RefuseCollections;
///
/// let request = client.delete("https://data.example.org/vo/old.root").with_extension(RefuseCollections);
/// # let _ = request;
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefuseCollections;

/// What a redirect asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RedirectTarget {
    pub(super) url: Url,
    pub(super) method: Method,
    /// Whether the method became `GET`: the body is dropped, and the headers that describe it.
    pub(super) drops_body: bool,
}

/// The rules for a redirect, besides the answer itself.
#[derive(Clone, Debug)]
pub(super) struct RedirectRules<'a> {
    pub(super) cleartext: CleartextRedirects,
    /// Knows the credentials that the request was sent with.
    pub(super) redactor: &'a Redactor,
    /// Whether an earlier step went from `https` to `http`.
    pub(super) downgraded: bool,
    /// Whether a redirect to another collection is refused.
    pub(super) refuses_collections: bool,
}

impl RedirectRules<'_> {
    /// Returns whether a credential would be readable on the way: over plain `http` to any host but this machine, and
    /// to this machine too where a step of the redirect came over `https`.
    fn exposes(&self, next: &Url, current: &Url) -> bool {
        let protected = current.scheme() == "https" || self.downgraded;
        let trustworthy = Origin::try_from(next).is_ok_and(|origin| origin.is_trustworthy());
        let in_clear = next.scheme() == "http"
            && (protected || !trustworthy)
            && url_credentials::must_not_travel_in_clear(next, self.redactor);
        // The name of a host goes to DNS in clear, whatever the scheme.
        in_clear || next.host_str().is_some_and(|host| self.redactor.is_in_host(host))
    }

    /// Returns a URL without its credentials.
    pub(super) fn shown(&self, url: &Url) -> String {
        self.redactor.redact(&SafeUrl::new(url).to_string()).into_owned()
    }
}

/// Reads a redirect (RFC 9110 section 15.4); `None` when the answer is none or has no `Location`.
///
/// A `POST` becomes a `GET` after 301 and 302, and everything but `HEAD` does after 303; other methods stay what they
/// are, because a `DELETE` that silently turns into a `GET` reports a success that was none.
pub(super) fn redirect_target(
    status: StatusCode,
    headers: &HeaderMap,
    method: &Method,
    current: &Url,
    rules: &RedirectRules<'_>,
) -> Result<Option<RedirectTarget>, RedirectProblem> {
    let changes_to_get = match status.as_u16() {
        301 | 302 => *method == Method::POST,
        303 => !matches!(*method, Method::GET | Method::HEAD),
        307 | 308 => false,
        _ => return Ok(None),
    };
    let Some(location) = headers.get(LOCATION) else { return Ok(None) };
    let url = resolve(location.as_bytes(), current).map_err(|problem| match problem {
        RedirectProblem::Scheme(scheme) => {
            RedirectProblem::Scheme(rules.redactor.redact(&redact::text(&scheme)).into_owned())
        }
        other => other,
    })?;
    if rules.cleartext == CleartextRedirects::Refuse && rules.exposes(&url, current) {
        return Err(RedirectProblem::CredentialInClear { next: rules.shown(&url) });
    }
    let is_elsewhere = url.path() != current.path();
    if rules.refuses_collections && !changes_to_get && url.path().ends_with('/') && is_elsewhere {
        return Err(RedirectProblem::ToCollection { next: rules.shown(&url) });
    }
    Ok(Some(if changes_to_get {
        RedirectTarget { url, method: Method::GET, drops_body: true }
    } else {
        RedirectTarget { url, method: method.clone(), drops_body: false }
    }))
}

/// Joins a `Location` to the current URL. XRootD writes raw blanks and raw UTF-8 there.
fn resolve(location: &[u8], current: &Url) -> Result<Url, RedirectProblem> {
    let text = match std::str::from_utf8(location) {
        Ok(text) => text.to_owned(),
        // Bytes of no known encoding mean themselves.
        Err(_) => percent_encoding::percent_encode(location, percent_encoding::CONTROLS).to_string(),
    };
    if text.trim().is_empty() || !names_host(&text) || text.trim_start().starts_with("///") {
        return Err(RedirectProblem::NoUrl);
    }
    let text = kept(&text);
    // Credentials in the first URL are for the first server; any in the joined URL come from the redirect.
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

/// Encodes what the parser of the crate `url` would drop or take for another character: the URL would name another file.
fn kept(location: &str) -> String {
    let location = location.trim();
    let (path, query) = location.split_at(location.find('?').unwrap_or(location.len()));
    let plain = |text: &str| text.replace('\t', "%09");
    plain(&path.replace('\\', "%5C")) + &plain(query)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn follow(
        status: u16,
        method: &Method,
        location: &[u8],
    ) -> Result<Option<RedirectTarget>, RedirectProblem> {
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, HeaderValue::from_bytes(location).unwrap());
        let current = Url::parse("https://a.example:8443/dir/f?q=1#frag").unwrap();
        let status = StatusCode::from_u16(status).unwrap();
        let redactor = Redactor::new();
        let cleartext = CleartextRedirects::Refuse;
        let rules =
            RedirectRules { cleartext, redactor: &redactor, downgraded: false, refuses_collections: false };
        redirect_target(status, &headers, method, &current, &rules)
    }

    fn url(location: &str) -> Result<String, RedirectProblem> {
        follow(302, &Method::GET, location.as_bytes()).map(|target| target.unwrap().url.to_string())
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
            let target = follow(status, method, b"/x").unwrap().unwrap();
            assert_eq!(target.method, *expected, "{status} {method}");
            assert_eq!(target.drops_body, method != expected, "{status} {method}");
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
            ("http://b.example/x", "http://b.example/x#frag"),
            ("/sp ace+é.txt", "https://a.example:8443/sp%20ace+%C3%A9.txt#frag"),
        ] {
            assert_eq!(url(location).as_deref(), Ok(expected), "{location}");
        }
        let target = follow(302, &Method::GET, b"/caf\xe9").unwrap().unwrap();
        assert_eq!(target.url.path(), "/caf%E9");
    }

    #[test]
    fn what_must_not_be_followed_is_refused() {
        for location in
            ["", "  ", "https://", "https://[::1", "https:///b/x", "http:/b/x", "https:b", "///b/x"]
        {
            assert_eq!(url(location), Err(RedirectProblem::NoUrl), "{location:?}");
        }
        assert_eq!(url("file:///etc/passwd"), Err(RedirectProblem::Scheme("file".into())));
        assert_eq!(url("ftp://h/x"), Err(RedirectProblem::Scheme("ftp".into())));
        for location in ["https://me@b/x", "https://me:pw@b/x", "//me@b/x"] {
            assert_eq!(url(location), Err(RedirectProblem::UserInfo), "{location}");
        }
    }

    #[test]
    fn characters_that_a_parser_drops_or_changes_stay_in_the_path() {
        for (location, path) in [
            ("/a\\b", "/a%5Cb"),
            ("/a\tb", "/a%09b"),
            ("/d\\..\\a", "/d%5C..%5Ca"),
            ("\\\\me@b\\x", "/dir/%5C%5Cme@b%5Cx"),
            ("/\t/me:pw@b/", "/%09/me:pw@b/"),
        ] {
            let expected = format!("https://a.example:8443{path}#frag");
            assert_eq!(url(location).unwrap(), expected, "{location:?}");
        }
        assert_eq!(url("/f?x=\\").unwrap(), "https://a.example:8443/f?x=\\#frag");
    }

    #[test]
    fn a_credential_in_the_name_of_a_host_is_refused_with_tls_too() {
        let redactor = Redactor::new();
        redactor.add("AgK8mQz0o7pX2EdYx1b9WwRtPq3");
        let cleartext = CleartextRedirects::Refuse;
        let rules =
            RedirectRules { cleartext, redactor: &redactor, downgraded: false, refuses_collections: false };
        let current = Url::parse("https://a.example/f").unwrap();
        for (host, expected) in [
            ("agk8mqz0o7px2edyx1b9wwrtpq3.b.example", true),
            ("x-mqz0o7px2edyx1b9.b.example", true),
            ("agk8.b.example", false),
        ] {
            let next = Url::parse(&format!("https://{host}/f")).unwrap();
            assert_eq!(rules.exposes(&next, &current), expected, "{host}");
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
