//! Tokens from `oidc-agent`'s socket.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use secrecy::zeroize::Zeroizing;
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::{SourceError, TokenRequest, TokenSource};
use scitoken_types::redact;
use scitoken_types::sys::Env;
use scitoken_types::{AccessToken, Audience, LenientObject, Scope, TokenJson, decoded_json};

/// No answer of an agent is larger, in bytes.
const LARGEST: u64 = 256 * 1024;
/// A lifetime that no token has: the agent gets a new one.
const A_NEW_ONE: Duration = Duration::from_secs(365 * 86_400);

/// A token from a running `oidc-agent`, of an account or an issuer.
///
/// The agent is found by `OIDC_SOCK`. Where that is not set, the source has no token; where it
/// is set and no agent answers, that is an error.
///
/// It asks for a token that is valid for as long as the request needs ([`TokenRequest::min_validity`]); after a refusal,
/// for a new one. An agent that was started without `--no-autoreauthenticate` never answers once its refresh token is
/// no longer valid; the source waits ten seconds.
///
/// ```
/// use reqwest_scitokens::source::AgentSource;
///
/// let source = AgentSource::account("wlcg").with_audience("https://storage.example.org");
/// # let _ = source;
/// ```
#[derive(Clone)]
pub struct AgentSource {
    which: Which,
    scopes: Vec<Scope>,
    audience: Option<Audience>,
    env: Env,
    time_limit: Duration,
}

#[derive(Clone)]
enum Which {
    Account(String),
    Issuer(String),
}

/// A request in the agent's protocol.
#[derive(Serialize)]
struct Question<'a> {
    request: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    issuer: Option<&'a str>,
    min_valid_period: u64,
    application_hint: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audience: Option<&'a str>,
}

impl AgentSource {
    /// Asks for tokens of an account, by its short name.
    pub fn account(name: impl Into<String>) -> Self {
        Self::new(Which::Account(name.into()))
    }

    /// Asks for tokens of an issuer, by its URL; a `/` at the end makes no difference.
    pub fn issuer(url: impl Into<String>) -> Self {
        Self::new(Which::Issuer(url.into()))
    }

    fn new(which: Which) -> Self {
        Self {
            which,
            scopes: Vec::new(),
            audience: None,
            env: Env::process(),
            time_limit: Duration::from_secs(10),
        }
    }

    /// Asks for these scopes unless the request names its own.
    pub fn with_scopes(mut self, scopes: impl IntoIterator<Item = Scope>) -> Self {
        self.scopes = scopes.into_iter().collect();
        self
    }

    /// Asks for this audience unless the request names its own.
    pub fn with_audience(mut self, audience: impl Into<Audience>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Looks for `OIDC_SOCK` in another environment.
    pub fn with_env(mut self, env: Env) -> Self {
        self.env = env;
        self
    }

    /// Waits this long for the agent, instead of ten seconds.
    pub fn with_time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    fn question(&self, request: &TokenRequest<'_>) -> Zeroizing<String> {
        let scopes = if request.scopes().is_empty() { &self.scopes } else { request.scopes() };
        let scope = scopes.iter().map(Scope::as_str).collect::<Vec<_>>().join(" ");
        let period = if request.rejected().is_some() { A_NEW_ONE } else { request.min_validity() };
        let question = Question {
            request: "access_token",
            account: match &self.which {
                Which::Account(name) => Some(name),
                Which::Issuer(_) => None,
            },
            issuer: match &self.which {
                Which::Issuer(url) => Some(url),
                Which::Account(_) => None,
            },
            min_valid_period: period.as_secs(),
            application_hint: "reqwest-scitokens",
            scope: Some(scope).filter(|scope| !scope.is_empty()),
            audience: request.audience().or(self.audience.as_ref()).map(Audience::as_str),
        };
        Zeroizing::new(serde_json::to_string(&question).expect("texts and a number are JSON"))
    }

    async fn ask(&self, socket: &Path, question: &str) -> Result<Zeroizing<Vec<u8>>, SourceError> {
        let place = socket.display();
        match tokio::time::timeout(self.time_limit, talk(socket, question)).await {
            Ok(Ok(answer)) if answer.len() as u64 > LARGEST => {
                Err(SourceError::new(format!("oidc-agent at `{place}` answered more than {LARGEST} bytes")))
            }
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => {
                Err(SourceError::caused_by(format!("oidc-agent at `{place}` does not answer"), error)
                    .with_hint("start it with ``eval `oidc-agent` `` and load the account with `oidc-add`"))
            }
            Err(_) => {
                let limit = self.time_limit.as_secs_f32();
                Err(SourceError::new(format!("oidc-agent at `{place}` did not answer within {limit} s")).with_hint(
                    "it may be waiting for an interactive login: start it with `--no-autoreauthenticate`, and \
                     log in with `oidc-gen --reauthenticate`",
                ))
            }
        }
    }

    fn read(&self, answer: &[u8], now: SystemTime) -> Result<AccessToken, SourceError> {
        let refused =
            |problem: String| SourceError::new(format!("oidc-agent has no token for {self}: {problem}"));
        let answer = parse(answer).map_err(|unreadable| {
            let error = refused(unreadable.to_string());
            match unreadable.hint() {
                Some(hint) => error.with_hint(hint),
                None => error,
            }
        })?;
        // Any other status beside a token has no meaning.
        let is_failure = answer.text("status").is_some_and(|status| status.eq_ignore_ascii_case("failure"));
        let is_refusal = is_failure || answer.object().has("error");
        let Some(token) = answer.access_token().filter(|_| !is_refusal) else {
            let problem = problem_of(&answer);
            let said =
                answer.text("info").map(|info| redact::text(&info)).filter(|info| !info.trim().is_empty());
            let hint = said.unwrap_or_else(|| self.hint(&problem));
            return Err(refused(problem).with_hint(hint));
        };
        for note in answer.notes() {
            tracing::debug!("in the answer of oidc-agent, {note}");
        }
        if let Some(status) = answer.object().get("status").filter(|status| *status != "\"success\"") {
            tracing::debug!("in the answer of oidc-agent, the status is `{}`", redact::text(status));
        }
        let token = AccessToken::new(token.as_str()).map_err(|error| {
            SourceError::caused_by(
                format!("the answer of oidc-agent for {self} is not a bearer token"),
                error,
            )
        })?;
        let token = token.with_origin_label(format!("oidc-agent, {self}"));
        let token = match answer.expires_at(Some(now)) {
            Some(end) => token.with_expiry(end),
            None => token,
        };
        if token.is_expired_at(now) {
            return Err(SourceError::expired(&token, now));
        }
        Ok(token)
    }

    fn hint(&self, problem: &str) -> String {
        match (&self.which, problem.contains("short name")) {
            (Which::Account(_), true) => "`oidc-add --list` shows the accounts".to_owned(),
            (Which::Account(name), false) => format!("try `oidc-add {name}`", name = redact::text(name)),
            (Which::Issuer(_), _) => "load an account of this issuer with `oidc-add`".to_owned(),
        }
    }
}

impl TokenSource for AgentSource {
    async fn token(&self, request: &TokenRequest<'_>) -> Result<Option<AccessToken>, SourceError> {
        let Some(socket) = self.env.get_non_empty("OIDC_SOCK") else {
            request.note(|| "oidc-agent: `OIDC_SOCK` is not set");
            return Ok(None);
        };
        let answer = self.ask(&PathBuf::from(socket), &self.question(request)).await?;
        self.read(&answer, request.now()).map(Some)
    }
}

/// Says why an answer has no token: the agent's error, which may be an object, or what stands in the place of the token.
fn problem_of(answer: &TokenJson) -> String {
    let object = answer.object();
    let nested = object.get("error").and_then(|json| LenientObject::parse(json.as_bytes()));
    let nested = nested.as_ref().and_then(|error| {
        ["error_description", "message", "description", "code", "error"]
            .iter()
            .find_map(|name| error.text(name).ok().flatten())
    });
    if let Some(error) = answer.error().or(nested) {
        return redact::text(&error);
    }
    if object.has("error") {
        return "it answered with an error of an unknown form".to_owned();
    }
    match object.get("access_token") {
        Some(json) if !json.starts_with('"') => "`access_token` is not a string".to_owned(),
        Some(_) if answer.access_token().is_none() => "`access_token` is empty".to_owned(),
        Some(_) => "it reports a failure without a reason".to_owned(),
        None if !object.is_complete() => "its answer was cut off".to_owned(),
        None => "the answer has neither a token nor an error".to_owned(),
    }
}

/// An answer that is not the agent's JSON.
#[derive(Debug, thiserror::Error)]
enum UnreadableAnswer {
    #[error("its answer is empty")]
    Empty,
    #[error("its answer is encrypted, which is only understood by oidc-agent's own programs")]
    Encrypted,
    #[error("its answer is not a JSON object")]
    NotAnObject,
}

impl UnreadableAnswer {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Empty => {
                Some("look at the agent's log; it closes the connection when it refuses a program")
            }
            Self::Encrypted => Some("run `oidc-token` as a token command instead"),
            Self::NotAnObject => None,
        }
    }
}

fn parse(answer: &[u8]) -> Result<TokenJson, UnreadableAnswer> {
    // A byte of another encoding costs the member that it is in, not the answer.
    let answer = decoded_json(answer);
    let text = String::from_utf8_lossy(&answer);
    let text = text.trim_end_matches('\0').trim();
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | ':' | '\n');
    match TokenJson::parse(text) {
        Some(json) => Ok(json),
        None if text.is_empty() => Err(UnreadableAnswer::Empty),
        None if text.chars().all(is_base64) => Err(UnreadableAnswer::Encrypted),
        None => Err(UnreadableAnswer::NotAnObject),
    }
}

/// Sends one request over one connection, without framing: the agent answers and closes. Where the connection is forwarded, it may
/// stay open after the answer, so a complete JSON object ends it as well.
async fn talk(socket: &Path, question: &str) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut stream = UnixStream::connect(socket).await?;
    stream.write_all(question.as_bytes()).await?;
    let mut answer = Zeroizing::new(Vec::with_capacity(4096));
    let mut stream = stream.take(LARGEST + 1);
    while stream.read_buf(&mut *answer).await? > 0 {
        if is_complete(&answer) {
            break;
        }
    }
    Ok(answer)
}

/// Returns whether an answer is a whole JSON object.
fn is_complete(answer: &[u8]) -> bool {
    let end = answer.iter().rposition(|byte| !byte.is_ascii_whitespace() && *byte != 0);
    let Some(end) = end.filter(|end| answer[*end] == b'}') else { return false };
    LenientObject::parse(&answer[..=end]).is_some_and(|object| object.is_complete())
}

impl fmt::Display for AgentSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.which {
            Which::Account(name) => write!(f, "account `{}`", redact::text(name)),
            Which::Issuer(url) => write!(f, "issuer `{}`", redact::text(url)),
        }
    }
}

impl fmt::Debug for AgentSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AgentSource({self})")
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixListener;

    use super::*;

    /// An agent that gives one answer; what it was asked comes back when it is done.
    fn agent(
        directory: &Path,
        answer: &'static [u8],
    ) -> (AgentSource, tokio::task::JoinHandle<serde_json::Value>) {
        let socket = directory.join("agent.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut question = vec![0; 4096];
            let length = stream.read(&mut question).await.unwrap();
            stream.write_all(answer).await.unwrap();
            serde_json::from_slice(&question[..length]).unwrap()
        });
        let source = AgentSource::account("lab").with_env(Env::given([("OIDC_SOCK", socket)]));
        (source, asked)
    }

    async fn token(source: &AgentSource) -> Result<Option<AccessToken>, SourceError> {
        let url = "https://h/f".parse().unwrap();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        source.token(&TokenRequest::new(&url).unwrap().at(now)).await
    }

    #[tokio::test]
    async fn a_request_has_the_form_of_the_agents_protocol() {
        let directory = tempfile::tempdir().unwrap();
        let answer = br#"{"status":"success","access_token":"AT","issuer":"https://i/","expires_at":2000}"#;
        let (source, asked) = agent(directory.path(), answer);
        let source =
            source.with_scopes(["a".parse().unwrap(), "b".parse().unwrap()]).with_audience("https://h");
        let token = token(&source).await.unwrap().unwrap();
        assert_eq!(token.expires_at(), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(2_000)));
        assert_eq!(token.origin_label(), Some("oidc-agent, account `lab`"));
        assert_eq!(
            asked.await.unwrap(),
            serde_json::json!({"request": "access_token", "account": "lab", "min_valid_period": 60,
                "application_hint": "reqwest-scitokens", "scope": "a b", "audience": "https://h"})
        );
    }

    #[tokio::test]
    async fn after_a_refusal_a_new_token_is_asked_for_and_the_requests_options_come_first() {
        let directory = tempfile::tempdir().unwrap();
        let (source, asked) = agent(directory.path(), br#"{"status":"success","access_token":"AT2"}"#);
        let source =
            AgentSource { which: Which::Issuer("https://i".to_owned()), ..source }.with_audience("no");
        let (url, audience) = ("https://h/f".parse().unwrap(), Audience::from("yes"));
        let (rejected, scopes) = (AccessToken::new("AT").unwrap(), ["c".parse().unwrap()]);
        let request = TokenRequest::new(&url).unwrap().with_rejected(&rejected);
        source.token(&request.with_audience(&audience).with_scopes(&scopes)).await.unwrap().unwrap();
        let asked = asked.await.unwrap();
        assert!(asked["min_valid_period"].as_u64().unwrap() > 100_000);
        assert_eq!(
            (&asked["issuer"], &asked["audience"], &asked["scope"]),
            (&"https://i".into(), &"yes".into(), &"c".into())
        );
    }

    #[tokio::test]
    async fn a_status_that_is_no_failure_does_not_cost_the_token() {
        for answer in [
            &br#"{"status":"Success","access_token":"AT"}"#[..],
            br#"{"status":0,"access_token":"AT"}"#,
            br#"{"status":["ok"],"access_token":"AT"}"#,
            br#"{"access_token":"AT"}"#,
            b"\xff\xfe{\0\"\0a\0c\0c\0e\0s\0s\0_\0t\0o\0k\0e\0n\0\"\0:\0\"\0A\0T\0\"\0}\0",
        ] {
            let directory = tempfile::tempdir().unwrap();
            let (source, _asked) = agent(directory.path(), answer);
            assert_eq!(token(&source).await.unwrap().unwrap().expose_secret(), "AT");
        }
    }

    #[tokio::test]
    async fn errors_and_hints_of_the_agent_are_passed_on() {
        for (answer, error, hint) in [
            (
                &br#"{"status":"failure","error":"account not loaded"}"#[..],
                "account not loaded",
                "try `oidc-add lab`",
            ),
            (
                br#"{"status":"failure","error":"No account configured with that short name"}"#,
                "No account configured",
                "oidc-add --list",
            ),
            (
                br#"{"status":"failure","error":"invalid_grant: x","info":"just run:\n\t$ oidc-gen lab"}"#,
                "invalid_grant: x",
                "oidc-gen lab",
            ),
            (b"KgYxBypbzON0gRpAc3YHadTZKKHSW6UlvfaCq/424CA=", "is encrypted", "oidc-token"),
            (b"", "is empty", "log"),
            (b"<html>", "not a JSON object", ""),
            (br#"{"status":"success","access_token":5}"#, "`access_token` is not a string", ""),
            (br#"{"access_token":["AT"]}"#, "`access_token` is not a string", ""),
            (br#"{"status":"success","access_to"#, "was cut off", ""),
            (br#"{"error":{"code":"account_not_loaded"}}"#, "account_not_loaded", ""),
            (br#"{"access_token":"AT","error":{"code":5}}"#, "5", ""),
            (br#"{"status":"Failure","access_token":"AT"}"#, "a failure without a reason", ""),
            (br#"{"status":"success"}"#, "neither a token nor an error", "oidc-add lab"),
            (br#"{"status":"failure","access_token":"AT","error":"locked"}"#, "locked", "oidc-add lab"),
            (br#"{"status":"success","access_token":"AT","expires_at":999}"#, "expired 1 s ago", ""),
            (
                br#"{"status":"success","access_token":"two words"}"#,
                "oidc-agent for account `lab` is not a bearer token",
                "",
            ),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let (source, _asked) = agent(directory.path(), answer);
            let found = token(&source).await.unwrap_err();
            assert!(found.to_string().contains(error), "{found}");
            assert!(
                found.hint().map_or(hint.is_empty(), |found| found.to_string().contains(hint)),
                "{found:?}"
            );
        }
    }

    #[tokio::test]
    async fn an_expiry_may_be_a_text_and_costs_no_token_if_it_cannot_be_read() {
        for (answer, expiry) in [
            (&br#"{"status":"success","access_token":"AT","expires_at":"2000"}"#[..], Some(2_000)),
            (br#"{"access_token":"AT","expires_at":2000.5}"#, Some(2_000)),
            (br#"{"status":"success","access_token":"AT","expires_at":0}"#, None),
            (br#"{"status":"success","access_token":"AT","expires_at":"soon","x":[]}"#, None),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let (source, _asked) = agent(directory.path(), answer);
            let token = token(&source).await.unwrap().unwrap();
            let seconds = token.expires_at().map(scitoken_types::sys::epoch_seconds);
            assert_eq!((token.expose_secret(), seconds), ("AT", expiry));
        }
    }

    #[tokio::test]
    async fn a_complete_answer_is_taken_also_when_the_connection_stays_open() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("agent.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let (done, is_done) = tokio::sync::oneshot::channel::<()>();
        let agent = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut question = vec![0; 4096];
            let _ = stream.read(&mut question).await.unwrap();
            for part in [r#"{"status":"success","x":{"a":"}"}"#, r#","access_token":"AT"}"#, "\n"] {
                stream.write_all(part.as_bytes()).await.unwrap();
            }
            // The connection is open until the test has its token.
            let _ = is_done.await;
        });
        // An hour, so that only the answer can end the question.
        let source = AgentSource::account("lab")
            .with_env(Env::given([("OIDC_SOCK", socket)]))
            .with_time_limit(Duration::from_secs(3_600));
        assert_eq!(token(&source).await.unwrap().unwrap().expose_secret(), "AT");
        drop(done);
        agent.await.unwrap();
    }

    #[tokio::test]
    async fn a_byte_of_another_encoding_costs_only_its_member() {
        let directory = tempfile::tempdir().unwrap();
        let answer = b"{\"status\":\"success\",\"name\":\"J\xfcrgen\",\"access_token\":\"AT\"}\0";
        let (source, _asked) = agent(directory.path(), answer);
        assert_eq!(token(&source).await.unwrap().unwrap().expose_secret(), "AT");
    }

    #[tokio::test]
    async fn an_agent_that_hangs_is_left_after_the_time_limit() {
        let directory = tempfile::tempdir().unwrap();
        let socket = directory.path().join("agent.sock");
        let _listener = UnixListener::bind(&socket).unwrap();
        let source = AgentSource::account("lab")
            .with_env(Env::given([("OIDC_SOCK", socket)]))
            .with_time_limit(Duration::from_millis(20));
        let error = token(&source).await.unwrap_err();
        assert!(error.to_string().contains("did not answer within 0.02 s"), "{error}");
        assert!(error.hint().unwrap().to_string().contains("--no-autoreauthenticate"));
    }

    #[tokio::test]
    async fn no_agent_is_no_token_and_a_dead_agent_is_an_error() {
        for env in [Env::given([("A", "B")]), Env::given([("OIDC_SOCK", "")])] {
            assert!(token(&AgentSource::account("lab").with_env(env)).await.unwrap().is_none());
        }
        let dead = AgentSource::account("lab").with_env(Env::given([("OIDC_SOCK", "/nowhere/agent.sock")]));
        assert!(token(&dead).await.unwrap_err().hint().unwrap().to_string().contains("oidc-agent"));
    }
}
