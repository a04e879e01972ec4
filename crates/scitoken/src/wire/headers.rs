//! `-H NAME:VALUE`.

use std::str::FromStr;

use http::Extensions;
use http::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue, PROXY_AUTHORIZATION};
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next};
use scitoken_types::{Origin, redact};

use crate::output;

/// Headers on which the reading of the answer depends.
const SET_BY_THE_PROGRAM: [&str; 19] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "depth",
    "destination",
    "expect",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "overwrite",
    "range",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// A header that the user adds to requests; never a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExtraHeader {
    name: HeaderName,
    value: HeaderValue,
}

impl ExtraHeader {
    /// Masks the value in every further output if the name says that it is a secret.
    pub(crate) fn hide(&self) {
        let name = self.name.as_str();
        if redact::is_secret_name(name) || name.contains("key") || name.contains("auth") {
            output::hide_secret(&String::from_utf8_lossy(self.value.as_bytes()));
        }
    }

    /// Returns name and value.
    pub(crate) fn parts(&self) -> (HeaderName, HeaderValue) {
        (self.name.clone(), self.value.clone())
    }
}

impl FromStr for ExtraHeader {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once(':').ok_or("write NAME:VALUE")?;
        let name: HeaderName = name.trim().parse().map_err(|_| "invalid header name".to_owned())?;
        if [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE].contains(&name) {
            return Err(
                "a credential: pass a token with `--token-file FILE` or `BEARER_TOKEN_FILE`, a password \
                        with `--netrc-file FILE`"
                    .to_owned(),
            );
        }
        if SET_BY_THE_PROGRAM.contains(&name.as_str()) {
            return Err(format!("`{name}` is set by the program"));
        }
        let value = value.trim().parse().map_err(|_| "invalid header value".to_owned())?;
        Ok(Self { name, value })
    }
}

/// The origin that the user named, before any redirect.
#[derive(Clone, Debug)]
struct NamedOrigin(Origin);

/// Remembers the origin of the first request, for [`HeaderMiddleware`]; outermost.
#[derive(Debug)]
pub(crate) struct NamedOriginMiddleware;

#[async_trait::async_trait]
impl Middleware for NamedOriginMiddleware {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        if let Ok(origin) = Origin::try_from(request.url()) {
            extensions.insert(NamedOrigin(origin));
        }
        next.run(request, extensions).await
    }
}

/// Adds headers to requests for the origin that the user named, and to no other; innermost.
#[derive(Debug)]
pub(crate) struct HeaderMiddleware(pub(crate) Vec<ExtraHeader>);

#[async_trait::async_trait]
impl Middleware for HeaderMiddleware {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let origin = Origin::try_from(request.url()).ok();
        if extensions.get::<NamedOrigin>().map(|named| &named.0) == origin.as_ref() {
            for ExtraHeader { name, value } in &self.0 {
                request.headers_mut().insert(name.clone(), value.clone());
            }
        }
        next.run(request, extensions).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_no_extra_header() {
        for text in
            ["Authorization: Bearer x", "authorization:x", "Cookie: a=b", "Proxy-Authorization: Basic x"]
        {
            assert!(text.parse::<ExtraHeader>().unwrap_err().contains("--token-file"), "{text}");
        }
        for text in ["Host: h", "content-length: 5", "nocolon", ": x", "a b: c", "X: \u{7f}"] {
            assert!(text.parse::<ExtraHeader>().is_err(), "{text}");
        }
        let header: ExtraHeader = "X-Trace : run 1 ".parse().unwrap();
        assert_eq!((header.name.as_str(), header.value.to_str().unwrap()), ("x-trace", "run 1"));
    }
}
