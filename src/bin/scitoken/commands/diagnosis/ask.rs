//! Finds the facts out: names, connections, TLS, and one request.

use std::time::{Duration, SystemTime};

use http::header::{
    CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE, HeaderName, RANGE, SERVER, WWW_AUTHENTICATE,
};
use http::{Extensions, HeaderMap, HeaderValue};
use reqwest::tls::TlsInfo;
use reqwest::{Request, Response};
use reqwest_middleware::ClientWithMiddleware;
use reqwest_scitokens::sys::{Clock as _, Env, SystemClock};
use reqwest_scitokens::{AccessToken, Attempt, AuthTrace, Outcome, ResponseExt as _, SafeUrl, check_token};
use tokio::time::Instant;
use url::Url;

use super::certificate::Certificate;
use super::story::{Answer, Compared, Step, Story, TokenFacts};
use super::trouble::Trouble;
use super::words::fit;
use super::{handshake, network, proxy};
use crate::commands::operation::Operation;
use crate::commands::time;
use crate::connect::Connector;
use crate::exit::Exit;
use crate::failure::Failure;

/// How long a resolver and a handshake may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long an address may take to accept a connection.
const SHORT: Duration = Duration::from_secs(3);

/// A question.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) url: &'a Url,
    pub(crate) operation: Operation,
    pub(crate) connector: &'a Connector,
    pub(crate) env: &'a Env,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) story: Story,
    /// The tokens that were sent, so that nothing that is printed shows one.
    pub(crate) tokens: Vec<AccessToken>,
    /// For more questions to the same server.
    pub(crate) client: ClientWithMiddleware,
}

/// Looks at everything on the way to the answer.
pub(crate) async fn ask(asked: &Asked<'_>) -> Result<Told, Failure> {
    let (url, operation) = (asked.url, asked.operation);
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(Failure::new(
            Exit::Usage,
            format!("`{}` is no address of a web server", SafeUrl::new(url)),
        )
        .with_hint("write `https://host/path`"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Failure::new(Exit::Usage, "a user name in a URL is not sent to anybody")
            .with_hint("leave it out; tokens come from `--token-file` or are found by themselves"));
    }
    let client = asked.connector.observing_client()?;
    let mut story = Story {
        url: SafeUrl::new(url).to_string(),
        operation,
        request: described(operation),
        token: None,
        proxy: proxy::of(url, asked.env),
        names: None,
        connections: Vec::new(),
        tls: None,
        steps: Vec::new(),
        not_repeated: None,
        answer: None,
        failure: None,
        checks: Vec::new(),
        causes: Vec::new(),
        next: Vec::new(),
    };
    // A proxy resolves and connects by itself.
    if story.proxy.is_none() {
        look_at_network(asked, &mut story).await;
    }
    let mut extensions = Extensions::new();
    let begun = Instant::now();
    let answered = client.execute_with_extensions(request(url, operation), &mut extensions).await;
    let milliseconds = begun.elapsed().as_millis();
    let now = SystemClock.now();
    let trace = match &answered {
        Ok(response) => response.auth_trace(),
        Err(_) => extensions.get(),
    };
    let tokens = trace.map(|trace| take_trace(trace, asked, &mut story, now)).unwrap_or_default();
    match answered {
        Ok(response) => story.answer = Some(Answer { milliseconds, ..answer(&response, now) }),
        Err(error) => story.failure = Some(Trouble::of(&error, &story)),
    }
    Ok(Told { story, tokens, client })
}

fn described(operation: Operation) -> String {
    match operation {
        Operation::Read => "GET of the first byte".to_owned(),
        Operation::List => "PROPFIND of the directory itself".to_owned(),
        Operation::Write | Operation::Delete => {
            format!("HEAD instead of {}: nothing is changed at the server", operation.method())
        }
    }
}

fn request(url: &Url, operation: Operation) -> Request {
    let mut request = Request::new(operation.harmless_method(), url.clone());
    let headers = request.headers_mut();
    match operation {
        Operation::Read => headers.insert(RANGE, HeaderValue::from_static("bytes=0-0")),
        Operation::List => headers.insert(HeaderName::from_static("depth"), HeaderValue::from_static("0")),
        Operation::Write | Operation::Delete => None,
    };
    request
}

async fn look_at_network(asked: &Asked<'_>, story: &mut Story) {
    let (Some(host), Some(port)) = (asked.url.host_str(), asked.url.port_or_known_default()) else { return };
    let names = network::resolve(host, port, PATIENCE).await;
    let wanted = names.addresses.iter().copied().filter(|address| asked.connector.uses(*address));
    story.connections = network::reach(wanted, port, SHORT).await;
    let open = story.connections.iter().find(|reached| reached.error.is_none());
    if let (Some(open), "https") = (open, asked.url.scheme()) {
        let now = SystemClock.now();
        story.tls = Some(handshake::shake(open.address, &names.host, now, PATIENCE).await);
    }
    story.names = Some(names);
}

/// Takes over what happened to tokens; returns those that were sent.
fn take_trace(trace: &AuthTrace, asked: &Asked<'_>, story: &mut Story, now: SystemTime) -> Vec<AccessToken> {
    story.steps = trace.attempts().iter().map(step).collect();
    if let Outcome::Refused(why) = trace.outcome() {
        story.not_repeated = Some(why.to_string());
    }
    let tokens: Vec<_> = trace.attempts().iter().filter_map(Attempt::token).cloned().collect();
    let token = tokens.last();
    story.token = token.map(|token| facts(token, now));
    let explanation = trace.explain();
    story.checks = match (&explanation, token) {
        // It knows what the server asked for.
        (Some(explanation), _) if !asked.operation.is_change() => {
            explanation.checks().iter().map(Compared::from).collect()
        }
        (_, Some(token)) => {
            let checks = check_token(token, &asked.operation.method(), asked.url, now);
            checks.iter().map(Compared::from).collect()
        }
        _ => Vec::new(),
    };
    if let Some(explanation) = explanation {
        story.causes = explanation.causes().to_vec();
        story.next = explanation.next_steps().to_vec();
    }
    tokens
}

fn step(attempt: &Attempt) -> Step {
    let place = |token: &AccessToken| token.found_in().unwrap_or("the source").to_owned();
    Step {
        method: attempt.method().to_string(),
        url: attempt.url().to_string(),
        token_of: attempt.token().map(place),
        without_token: attempt.not_attached().map(ToString::to_string),
        status: attempt.status().map(|status| status.as_u16()),
        challenge: attempt.challenge().map(ToString::to_string),
    }
}

fn facts(token: &AccessToken, now: SystemTime) -> TokenFacts {
    let claims = token.claims();
    let ends = token.expires_at();
    TokenFacts {
        found_in: token.found_in().unwrap_or("the source").to_owned(),
        kind: if claims.is_some() { "JWT" } else { "opaque" },
        issuer: claims.and_then(|claims| claims.issuer()).map(fit),
        audience: claims
            .map(|claims| claims.audiences().iter().map(|a| fit(a.as_str())).collect())
            .unwrap_or_default(),
        ends: ends.map(|end| format!("{}, {}", time::show(end), time::relative(end, now))),
        length: token.expose_secret().len(),
    }
}

fn answer(response: &Response, now: SystemTime) -> Answer {
    let headers = response.headers();
    let certificate = response.extensions().get::<TlsInfo>().and_then(TlsInfo::peer_certificate);
    Answer {
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
        asks_for: headers.get_all(WWW_AUTHENTICATE).iter().filter_map(scheme).collect(),
        certificate: certificate.and_then(|der| Certificate::read(der, now)),
        milliseconds: 0,
    }
}

pub(super) fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).map(|value| fit(&String::from_utf8_lossy(value.as_bytes())))
}

/// The name of the first scheme of a challenge.
fn scheme(value: &HeaderValue) -> Option<String> {
    value.to_str().ok()?.split([' ', ',']).find(|word| !word.is_empty()).map(fit)
}

/// How far a server's `Date` is ahead of this machine's clock; negative where it is behind.
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
    fn the_clocks_are_compared_in_both_directions() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        assert_eq!(seconds_ahead("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(0));
        assert_eq!(seconds_ahead("Sun, 06 Nov 1994 08:50:37 GMT", now), Some(60));
        assert_eq!(seconds_ahead("Sun, 06 Nov 1994 08:39:37 GMT", now), Some(-600));
        assert_eq!(seconds_ahead("soon", now), None);
    }

    #[test]
    fn a_question_about_writing_says_that_it_changes_nothing() {
        assert_eq!(described(Operation::Write), "HEAD instead of PUT: nothing is changed at the server");
        let url = "https://h/d/".parse().unwrap();
        assert_eq!(request(&url, Operation::List).headers()["depth"], "0");
        assert_eq!(request(&url, Operation::Read).headers()["range"], "bytes=0-0");
        assert!(request(&url, Operation::Delete).headers().is_empty());
    }
}
