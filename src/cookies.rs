//! The cookies of a run: in memory only, and each for the origin that set it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use cookie_store::{Cookie, CookieStore};
use http::header::{COOKIE, SET_COOKIE};
use http::{Extensions, HeaderMap, HeaderValue};
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next};
use url::Url;

use scitoken_types::Origin;

/// The longest `Set-Cookie` that is kept, in bytes. Browsers keep 4 KiB (RFC 6265 section 6.1).
const LONGEST: usize = 8 * 1024;
/// The most cookies of one origin (RFC 6265 section 6.1).
const MOST: usize = 50;

/// The cookies that servers set during a run.
///
/// Names, paths, expiry and `Secure` follow RFC 6265. Stricter than that, a cookie returns only to the origin that set it:
/// same scheme, host and port, whatever its `Domain`. Nothing is written to disk, and no text shows a value.
///
/// Clones share the cookies. Each [`Session`](crate::Session) has a jar of its own, unless
/// [`SessionBuilder::cookies`](crate::SessionBuilder::cookies) gives several the same one.
///
/// ```
/// use reqwest_scitokens::Session;
/// use reqwest_scitokens::client::CookieJar;
///
/// # fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let jar = CookieJar::new();
/// let one = Session::builder().cookies(jar.clone()).build()?;
/// let other = Session::builder().cookies(jar).build()?;
/// # let _ = (one, other);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct CookieJar(Arc<RwLock<HashMap<Origin, CookieStore>>>);

impl CookieJar {
    /// Returns an empty jar.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the `Cookie` header for a URL: longer paths first (RFC 6265 section 5.4).
    fn header(&self, url: &Url) -> Option<HeaderValue> {
        let jar = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if jar.is_empty() {
            return None;
        }
        let mut cookies = jar.get(&Origin::try_from(url).ok()?)?.matches(url);
        cookies.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs: Vec<_> =
            cookies.iter().map(|cookie| format!("{}={}", cookie.name(), cookie.value())).collect();
        let mut header = HeaderValue::try_from(pairs.join("; ")).ok().filter(|header| !header.is_empty())?;
        header.set_sensitive(true);
        Some(header)
    }

    /// Keeps what an answer sets, and drops what it expires.
    fn keep(&self, url: &Url, headers: &HeaderMap) {
        let mut lines = headers.get_all(SET_COOKIE).iter().peekable();
        if lines.peek().is_none() {
            return;
        }
        let Ok(origin) = Origin::try_from(url) else { return };
        let mut jar = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let store = jar.entry(origin).or_default();
        for line in lines.filter(|line| line.len() <= LONGEST) {
            let text = String::from_utf8_lossy(line.as_bytes());
            let Ok(cookie) = Cookie::parse(text.into_owned(), url) else { continue };
            let is_known = store.iter_any().any(|known| known.name() == cookie.name());
            if is_known || store.iter_unexpired().count() < MOST {
                // A cookie for another domain is an error, which means: ignored.
                let _ignored = store.insert(cookie, url);
            }
        }
    }
}

impl fmt::Debug for CookieJar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CookieJar")
    }
}

/// Sends the cookies of a [`CookieJar`] and keeps those of answers; a `Cookie` header of the caller's own is left alone.
///
/// It stands below the [`RedirectMiddleware`](crate::RedirectMiddleware), so that each step of a redirect sends and sets
/// cookies. A [`Session`](crate::Session) has it already.
///
/// ```
/// use reqwest_middleware::ClientBuilder;
/// use reqwest_scitokens::client::{CookieJar, CookieMiddleware};
/// use reqwest_scitokens::RedirectMiddleware;
///
/// # fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
/// let client = ClientBuilder::new(http)
///     .with(RedirectMiddleware::new())
///     .with(CookieMiddleware::new(CookieJar::new()))
///     .build();
/// # let _ = client;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct CookieMiddleware(CookieJar);

impl CookieMiddleware {
    /// Returns a middleware over this jar.
    pub fn new(jar: CookieJar) -> Self {
        Self(jar)
    }
}

#[async_trait]
impl Middleware for CookieMiddleware {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        if !request.headers().contains_key(COOKIE)
            && let Some(header) = self.0.header(request.url())
        {
            request.headers_mut().insert(COOKIE, header);
        }
        let response = next.run(request, extensions).await?;
        self.0.keep(response.url(), response.headers());
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    fn set(jar: &CookieJar, from: &str, lines: &[&str]) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(SET_COOKIE, HeaderValue::from_str(line).unwrap());
        }
        jar.keep(&url(from), &headers);
    }

    fn sent(jar: &CookieJar, to: &str) -> String {
        jar.header(&url(to)).map_or(String::new(), |header| header.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_cookie_returns_to_the_origin_that_set_it_and_to_no_other() {
        let jar = CookieJar::new();
        set(&jar, "https://data.example.org/login", &["s=1; Path=/", "d=2; Domain=example.org; Path=/"]);
        assert_eq!(sent(&jar, "https://data.example.org/f").split("; ").count(), 2);
        for other in [
            "http://data.example.org/f",
            "https://data.example.org:8443/f",
            "https://example.org/f",
            "https://x.data.example.org/f",
            "https://other.example.org/f",
            "https://data.example.org.evil/f",
        ] {
            assert_eq!(sent(&jar, other), "", "{other}");
        }
    }

    #[test]
    fn paths_expiry_and_secure_are_those_of_the_specification() {
        let jar = CookieJar::new();
        set(
            &jar,
            "https://h/a/b",
            &["deep=1", "top=2; Path=/", "gone=3; Path=/; Max-Age=0", "bad=4; Domain=x.org"],
        );
        assert_eq!(sent(&jar, "https://h/a/c"), "deep=1; top=2");
        assert_eq!(sent(&jar, "https://h/ab"), "top=2");
        set(&jar, "https://h/", &["top=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT"]);
        assert_eq!(sent(&jar, "https://h/ab"), "");
        set(&jar, "https://h/", &["deep=5; Path=/a"]);
        assert_eq!(sent(&jar, "https://h/a/c"), "deep=5");
        set(&jar, "http://h/", &["plain=6; Secure", "open=7"]);
        assert_eq!(sent(&jar, "http://h/"), "open=7");
    }

    #[test]
    fn one_server_cannot_fill_the_memory() {
        let jar = CookieJar::new();
        let lines: Vec<_> = (0..1000).map(|n| format!("c{n}=v; Path=/")).collect();
        set(&jar, "https://h/", &lines.iter().map(String::as_str).collect::<Vec<_>>());
        set(&jar, "https://h/", &[&format!("long={}", "v".repeat(LONGEST)), "c7=new; Path=/"]);
        let header = sent(&jar, "https://h/");
        assert_eq!(header.split("; ").count(), MOST);
        assert!(header.contains("c7=new") && !header.contains("long="), "{header}");
    }

    #[test]
    fn what_is_no_cookie_is_ignored_and_no_text_shows_a_value() {
        let jar = CookieJar::new();
        set(&jar, "https://h/", &["", "=", ";", "novalue", "s3cret=abc"]);
        assert_eq!(sent(&jar, "https://h/"), "s3cret=abc");
        assert!(!format!("{jar:?} {:?}", jar.header(&url("https://h/"))).contains("abc"));
    }
}
