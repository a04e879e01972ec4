//! The lines of `-v` and `-vv`.

use std::time::SystemTime;

use http::header::{
    AUTHORIZATION, CONTENT_LOCATION, COOKIE, HeaderName, LINK, LOCATION, PROXY_AUTHORIZATION, REFERER,
    SET_COOKIE, WWW_AUTHENTICATE,
};
use http::{Extensions, HeaderMap};
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next};
use reqwest_scitokens::ResponseExt as _;
use reqwest_scitokens::auth::{Attempt, AuthTrace};
use reqwest_scitokens::client::ProxyRules;
use scitoken_types::sys::{Clock as _, SystemClock};
use scitoken_types::{SafeUrl, redact};

use crate::{output, sanitize};

/// Logs one line for each attempt of a request: method, URL, status, time, and the token or why there is none; outermost.
#[derive(Debug)]
pub(crate) struct RequestLog(pub(crate) ProxyRules);

#[async_trait::async_trait]
impl Middleware for RequestLog {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let summary = format!("{} {}", request.method(), SafeUrl::new(request.url()));
        let answered = next.run(request, extensions).await;
        let now = SystemClock.now();
        let trace = match &answered {
            Ok(response) => response.auth_trace(),
            Err(_) => extensions.get::<AuthTrace>(),
        };
        let attempts = trace.map(AuthTrace::attempts).unwrap_or_default();
        for (n, attempt) in attempts.iter().enumerate() {
            let end = attempts.get(n + 1).map_or(now, Attempt::sent_at);
            output::note(&format!("{}{}", line(attempt, end), route(&self.0, &attempt.url().to_string())));
        }
        if attempts.is_empty() {
            output::note(&format!("* {summary}: not sent"));
        }
        answered
    }
}

/// Returns how the proxies lead to a URL, if any proxy is set.
fn route(proxies: &ProxyRules, url: &str) -> String {
    match url.parse() {
        Ok(url) if !proxies.is_empty() => format!(", {}", proxies.choose(&url)),
        _ => String::new(),
    }
}

fn line(attempt: &Attempt, end: SystemTime) -> String {
    let token = match (attempt.token(), attempt.not_attached()) {
        (Some(token), _) => format!("token from {}", token.origin_label().unwrap_or("the source")),
        (None, Some(why)) => format!("no token: {why}"),
        (None, None) => "no token".to_owned(),
    };
    let status = attempt.status().map_or("no response".to_owned(), |status| status.to_string());
    let time = end.duration_since(attempt.sent_at()).unwrap_or_default();
    format!("* {} {}: {status}, {} ms, {token}", attempt.method(), attempt.url(), time.as_millis())
}

/// Logs the headers of each request and response, with credentials masked; innermost.
#[derive(Debug)]
pub(crate) struct HeaderLog;

#[async_trait::async_trait]
impl Middleware for HeaderLog {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        output::note(&format!("> {} {}", request.method(), SafeUrl::new(request.url())));
        log_headers('>', request.headers());
        let response = next.run(request, extensions).await?;
        output::note(&format!("< {:?} {}", response.version(), response.status()));
        log_headers('<', response.headers());
        Ok(response)
    }
}

fn log_headers(direction: char, headers: &HeaderMap) {
    for (name, value) in headers {
        output::note(&format!("{direction} {name}: {}", shown(name, value.as_bytes())));
    }
}

fn shown(name: &HeaderName, value: &[u8]) -> String {
    const SECRET: [HeaderName; 4] = [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE, SET_COOKIE];
    let value = String::from_utf8_lossy(value);
    if SECRET.contains(name) || may_be_secret(name.as_str()) {
        let scheme = value.split_once(' ').map_or("", |(scheme, _)| scheme);
        return format!("{} …", if scheme.contains('=') { "" } else { scheme }).trim_start().to_owned();
    }
    if redact::is_secret_name(name.as_str()) && *name != WWW_AUTHENTICATE {
        return "…".to_owned();
    }
    // A URL carries its credentials in the query.
    match value.parse() {
        Ok(url) if value.contains("://") => SafeUrl::new(&url).to_string(),
        _ if [LOCATION, CONTENT_LOCATION, REFERER, LINK].contains(name) => SafeUrl::unparsed(&value),
        _ if *name == WWW_AUTHENTICATE => sanitize::excerpt(&value),
        _ => sanitize::excerpt(&redact::parameters(&value)),
    }
}

/// Whether a header of this name often has a credential, such as `X-Api-Key` or `PRIVATE-TOKEN`.
fn may_be_secret(name: &str) -> bool {
    const PARTS: [&str; 9] =
        ["auth", "cookie", "credential", "key", "password", "secret", "session", "signature", "token"];
    // A challenge has no secret, and says what is wrong.
    !name.ends_with("-authenticate")
        && name
            .split('-')
            .any(|word| PARTS.iter().any(|part| word == *part || (word.len() > 6 && word.contains(part))))
}

#[cfg(test)]
mod tests {
    use scitoken_types::sys::Env;

    use super::*;

    #[test]
    fn a_line_says_how_the_proxies_lead_to_the_server() {
        let env = Env::given([("https_proxy", "http://me:pw@p:3128"), ("no_proxy", "*.site.org")]);
        let rules = ProxyRules::from_env(&env);
        for (url, expected) in [
            ("https://h/f", ", through `http://…@p:3128/` (`https_proxy`)"),
            ("https://a.site.org/f", ", without a proxy (`no_proxy` has `*.site.org`)"),
            ("https://127.0.0.1/f", ", without a proxy (this machine)"),
        ] {
            assert_eq!(route(&rules, url), expected, "{url}");
        }
        assert_eq!(route(&ProxyRules::default(), "https://h/f"), "");
    }

    #[test]
    fn a_header_with_a_credential_is_masked() {
        assert_eq!(shown(&AUTHORIZATION, b"Bearer c2VjcmV0"), "Bearer …");
        assert_eq!(shown(&COOKIE, b"session=secret; b=c"), "…");
        assert_eq!(shown(&SET_COOKIE, b"session=secret; Path=/"), "…");
        for name in ["x-api-key", "private-token", "x-auth-token", "x-amz-security-token", "x-authtoken"] {
            assert_eq!(shown(&HeaderName::from_static(name), b"s3cret"), "…", "{name}");
        }
        for name in ["www-authenticate", "x-request-id", "keep-alive", "x-monkey"] {
            assert_eq!(shown(&HeaderName::from_static(name), b"shown"), "shown", "{name}");
        }
        let location = HeaderName::from_static("location");
        assert_eq!(shown(&location, b"https://h/f?authz=secret"), "https://h/f?authz=…");
        assert_eq!(shown(&location, b"/f?authz=secret"), "/f?…");
        assert_eq!(shown(&HeaderName::from_static("x-subject-token"), b"abc"), "…");
        assert_eq!(shown(&HeaderName::from_static("server"), b"XrootD/v5.5.3"), "XrootD/v5.5.3");
    }
}
