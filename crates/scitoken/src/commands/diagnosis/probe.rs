//! Collects the facts: names, connections, TLS, and one request.

use std::time::{Duration, SystemTime};

use http::header::{CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, HeaderName, RANGE, SERVER};
use http::{Extensions, HeaderMap, HeaderValue};
use reqwest::tls::TlsInfo;
use reqwest::{Request, Response};
use reqwest_scitokens::ResponseExt as _;
use reqwest_scitokens::auth::{Attempt, AuthOptions, AuthOutcome, AuthTrace, challenge_schemes, check_token};
use reqwest_scitokens::client::{ProxyChoice, ProxyRules};
use scitoken_types::sys::{Clock as _, SystemClock};
use scitoken_types::{AccessToken, SafeUrl, Scope};
use tokio::time::Instant;
use url::Url;

use super::certificate::Certificate;
use super::error::ProbeError;
use super::report::{
    ProxyUse, RefusedWithoutToken, Report, ReportedAttempt, ReportedCheck, ResponseFacts, TokenFacts,
};
use super::{handshake, network};
use crate::args::Operation;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::hints::worded;
use crate::sanitize::excerpt;
use crate::sessions::SessionFactory;
use crate::time;
use crate::transfer_error::{exit_without_token, without_token};

/// How long name resolution and a handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an address may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// What to probe.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProbeRequest<'a> {
    pub(crate) url: &'a Url,
    pub(crate) operation: Operation,
    pub(crate) sessions: &'a SessionFactory,
    /// The scopes of which the token has one, where it was chosen by them; below the path of a namespace they have other paths.
    pub(crate) accepted: Option<&'a [Scope]>,
}

/// Probes names, addresses and TLS, and sends one request.
pub(crate) async fn probe(request: &ProbeRequest<'_>) -> Result<Report, Failure> {
    let (url, operation) = (request.url, request.operation);
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(Failure::new(
            Exit::Usage,
            format!("`{}` is not an http or https URL", SafeUrl::new(url)),
        )
        .with_hint("write `https://host/path`"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Failure::new(Exit::Usage, "a password in a URL is never sent")
            .with_hint("remove it; use `--netrc` for passwords and `--token-file` for tokens"));
    }
    let client = request.sessions.observing_client()?;
    let (proxy, no_proxy) = route(request.sessions.proxies(), url);
    let mut report = Report {
        url: SafeUrl::new(url).to_string(),
        operation,
        request: described(operation),
        token: None,
        proxy,
        no_proxy,
        names: None,
        connections: Vec::new(),
        tls: None,
        attempts: Vec::new(),
        not_repeated: None,
        answer: None,
        refused_without_token: None,
        failure: None,
        checks: Vec::new(),
        causes: Vec::new(),
        next: Vec::new(),
    };
    // A proxy resolves the name and connects itself.
    if report.proxy.is_none() {
        probe_network(request, &mut report).await;
    }
    let mut extensions = Extensions::new();
    // The token that the operation itself would be sent with.
    let options = AuthOptions::new().for_method(operation.method());
    extensions.insert(if request.accepted.is_some() { options.named_by_server() } else { options });
    let started = Instant::now();
    let answered = client.execute_with_extensions(probe_request(url, operation), &mut extensions).await;
    let milliseconds = started.elapsed().as_millis();
    let now = SystemClock.now();
    let trace = match &answered {
        Ok(response) => response.auth_trace(),
        Err(_) => extensions.get(),
    };
    if let Some(trace) = trace {
        take_trace(trace, request, &mut report, now);
    }
    match answered {
        Ok(response) => report.answer = Some(ResponseFacts { milliseconds, ..answer(&response, now) }),
        Err(error) => report.failure = Some(ProbeError::classify(&error, &report)),
    }
    Ok(report)
}

/// Returns the proxy for a URL, else why none of those that are set is used.
fn route(proxies: &ProxyRules, url: &Url) -> (Option<ProxyUse>, Option<String>) {
    match proxies.choose(url) {
        ProxyChoice::Through { proxy, named_by } | ProxyChoice::Unsupported { proxy, named_by } => {
            let address = SafeUrl::new(&proxy).to_string().trim_end_matches('/').to_owned();
            (Some(ProxyUse { variable: named_by, address }), None)
        }
        choice => (None, (!proxies.is_empty()).then(|| choice.to_string())),
    }
}

fn described(operation: Operation) -> String {
    match operation {
        Operation::Read => "GET of the first byte".to_owned(),
        Operation::List => "PROPFIND of the directory itself".to_owned(),
        Operation::Write | Operation::Delete => {
            format!("HEAD instead of {}: changes nothing at the server", operation.method())
        }
    }
}

fn probe_request(url: &Url, operation: Operation) -> Request {
    let mut request = Request::new(operation.harmless_method(), url.clone());
    let headers = request.headers_mut();
    match operation {
        Operation::Read => headers.insert(RANGE, HeaderValue::from_static("bytes=0-0")),
        Operation::List => headers.insert(HeaderName::from_static("depth"), HeaderValue::from_static("0")),
        Operation::Write | Operation::Delete => None,
    };
    request
}

async fn probe_network(request: &ProbeRequest<'_>, report: &mut Report) {
    let (Some(host), Some(port)) = (request.url.host_str(), request.url.port_or_known_default()) else {
        return;
    };
    let resolved = network::resolve(host, port, HANDSHAKE_TIMEOUT).await;
    let addresses = resolved.addresses.iter().copied().filter(|address| request.sessions.uses(*address));
    report.connections = network::connect_all(addresses, port, CONNECT_TIMEOUT).await;
    let open = report.connections.iter().find(|reached| reached.error.is_none());
    if let (Some(open), "https") = (open, request.url.scheme()) {
        let now = SystemClock.now();
        report.tls = Some(handshake::perform(open.address, &resolved.host, now, HANDSHAKE_TIMEOUT).await);
    }
    report.names = Some(resolved);
}

/// Copies what happened to tokens into the report.
fn take_trace(
    trace: &AuthTrace,
    request: &ProbeRequest<'_>,
    report: &mut Report,
    now: SystemTime,
) -> Vec<AccessToken> {
    report.attempts = trace.attempts().iter().map(attempt).collect();
    if let AuthOutcome::Refused(why) = trace.outcome() {
        report.not_repeated = Some(why.to_string());
    }
    let tokens: Vec<_> = trace.attempts().iter().filter_map(Attempt::token).cloned().collect();
    let token = tokens.last();
    report.token = token.map(|token| facts(token, now));
    let explanation = trace.explain();
    report.checks = match (&explanation, token) {
        // The explanation includes what the server's challenge requires.
        (Some(explanation), _) if !request.operation.is_change() => {
            explanation.checks().iter().map(ReportedCheck::from).collect()
        }
        (_, Some(token)) => {
            let checks = check_token(token, &request.operation.method(), request.url, now);
            checks.iter().map(ReportedCheck::from).collect()
        }
        _ => Vec::new(),
    };
    if let Some(accepted) = request.accepted {
        report.checks.iter_mut().for_each(|check| check.accept(accepted));
    }
    if let Some(explanation) = explanation {
        report.refused_without_token = explanation
            .not_attached()
            .map(|why| RefusedWithoutToken { exit: exit_without_token(why), reason: without_token(why) });
        report.causes = explanation.causes().to_vec();
        report.next = explanation.next_steps().iter().map(worded).collect();
    }
    tokens
}

fn attempt(attempt: &Attempt) -> ReportedAttempt {
    let place = |token: &AccessToken| token.origin_label().unwrap_or("the source").to_owned();
    ReportedAttempt {
        method: attempt.method().to_string(),
        url: attempt.url().to_string(),
        token_origin: attempt.token().map(place),
        without_token: attempt.not_attached().map(ToString::to_string),
        status: attempt.status().map(|status| status.as_u16()),
        challenge: attempt.challenge().map(ToString::to_string),
    }
}

fn facts(token: &AccessToken, now: SystemTime) -> TokenFacts {
    let claims = token.claims();
    let ends = token.expires_at();
    TokenFacts {
        origin: token.origin_label().unwrap_or("the source").to_owned(),
        kind: if claims.is_some() { "JWT" } else { "opaque" },
        issuer: claims.and_then(|claims| claims.issuer()).map(excerpt),
        audience: claims
            .map(|claims| claims.audiences().iter().map(|a| excerpt(a.as_str())).collect())
            .unwrap_or_default(),
        expires: ends
            .map(|end| format!("{}, {}", time::show(end), time::relative(end, now)))
            .or_else(|| token.unusable_expiry().map(|unusable| unusable.to_string())),
        length: token.expose_secret().len(),
    }
}

fn answer(response: &Response, now: SystemTime) -> ResponseFacts {
    let headers = response.headers();
    let certificate = response.extensions().get::<TlsInfo>().and_then(TlsInfo::peer_certificate);
    ResponseFacts {
        status: response.status().as_u16(),
        reason: response.status().canonical_reason().unwrap_or("(no name)"),
        version: format!("{:?}", response.version()),
        from: response.remote_addr(),
        server: text(headers, &SERVER),
        date: text(headers, &DATE),
        clock_ahead_seconds: text(headers, &DATE).and_then(|date| seconds_ahead(&date, now)),
        content_type: text(headers, &CONTENT_TYPE),
        content_length: text(headers, &CONTENT_LENGTH).and_then(|length| length.parse().ok()),
        content_range: text(headers, &CONTENT_RANGE),
        asks_for: challenge_schemes(headers),
        certificate: certificate.and_then(|der| Certificate::read(der, now)),
        milliseconds: 0,
    }
}

pub(super) fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).map(|value| excerpt(&String::from_utf8_lossy(value.as_bytes())))
}

/// Returns how far a server's `Date` is ahead of this machine's clock; negative where it is behind.
fn seconds_ahead(date: &str, now: SystemTime) -> Option<i64> {
    let server = httpdate::parse_http_date(date).ok()?;
    match server.duration_since(now) {
        Ok(ahead) => i64::try_from(ahead.as_secs()).ok(),
        Err(behind) => i64::try_from(behind.duration().as_secs()).ok().map(|seconds| -seconds),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_compared_in_both_directions() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        assert_eq!(seconds_ahead("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(0));
        assert_eq!(seconds_ahead("Sun, 06 Nov 1994 08:50:37 GMT", now), Some(60));
        assert_eq!(seconds_ahead("Sun, 06 Nov 1994 08:39:37 GMT", now), Some(-600));
        assert_eq!(seconds_ahead("soon", now), None);
    }

    #[test]
    fn probing_a_write_changes_nothing_at_the_server() {
        assert_eq!(described(Operation::Write), "HEAD instead of PUT: changes nothing at the server");
        let url = "https://h/d/".parse().unwrap();
        assert_eq!(probe_request(&url, Operation::List).headers()["depth"], "0");
        assert_eq!(probe_request(&url, Operation::Read).headers()["range"], "bytes=0-0");
        assert!(probe_request(&url, Operation::Delete).headers().is_empty());
    }
}
