//! Why a request was refused, in words.
//!
//! Servers say little: XRootD answers the same 403 to an expired token, a foreign one and none at all. What the token
//! says about itself can be [laid beside](super::check) what was asked for, and that usually shows the reason. The causes
//! are all that are plausible.

use std::fmt;
use std::time::SystemTime;

use http::{Method, StatusCode};

use super::challenge::{Challenge, ChallengeError};
use super::check::{Check, Question, Verdict};
use super::outcome::{NotAttached, Outcome, Refusal};
use super::trace::{Attempt, AuthTrace, HeaderCase, RefusalAnswer};
use crate::redact;
use crate::sys;
use crate::token::AccessToken;

/// What a refused request asked for, what its token says, and what may have been the reason.
///
/// `Display` is a report of a few lines, fit for a terminal and a ticket: no token is in it.
#[derive(Clone, Debug)]
pub struct Explanation {
    request: String,
    status: StatusCode,
    server_said: Option<String>,
    checks: Vec<Check>,
    causes: Vec<String>,
    next: Vec<String>,
}

impl Explanation {
    pub(crate) fn of(trace: &AuthTrace) -> Option<Self> {
        let last = trace.attempts().last()?;
        let answer = last.answer.as_ref()?;
        let refusal = answer.refusal.as_deref()?;
        let mut report = Self {
            request: format!("{} {}", last.method(), last.url()),
            status: answer.status,
            server_said: refusal.challenge.as_ref().map(ToString::to_string),
            checks: trace
                .judged()
                .map(|(token, attempt)| Question::of(attempt).checks(token))
                .unwrap_or_default(),
            causes: Vec::new(),
            next: Vec::new(),
        };
        report.find_causes(trace, last, refusal);
        Some(report)
    }

    /// The status that the server answered with.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What the server said, if it sent a challenge; fit for a terminal.
    pub fn server_said(&self) -> Option<&str> {
        self.server_said.as_deref()
    }

    /// The table.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// All plausible causes, the likeliest first.
    pub fn causes(&self) -> &[String] {
        &self.causes
    }

    /// What to type next.
    pub fn next_steps(&self) -> &[String] {
        &self.next
    }

    fn find_causes(&mut self, trace: &AuthTrace, last: &Attempt, refusal: &RefusalAnswer) {
        match trace.outcome() {
            // What was found out after the refusal says more than why the first request was bare.
            Outcome::Refused(Refusal::NotSent(why)) if last.not_attached() != Some(why) => {
                self.without_token(why);
                return self.weigh_the_answer(last, refusal);
            }
            Outcome::Refused(Refusal::NoOtherToken(Some(why))) => {
                self.cause(format!("the token was refused, and no other could be had: {why}"));
            }
            _ => {}
        }
        match (trace.judged(), last.not_attached()) {
            (Some((token, _)), _) => self.with_token(token, last, refusal),
            (None, Some(why)) => self.without_token(why),
            (None, None) => {}
        }
        self.weigh_the_answer(last, refusal);
        let old_xrootd = refusal.server.as_deref().is_some_and(|server| server.starts_with("XrootD/v5"));
        if old_xrootd && self.status == StatusCode::FORBIDDEN && trace.header_case() == HeaderCase::Unknown {
            self.cause(
                "XRootD before 5.6 only knows `Authorization` in title case, and this client may write \
                 `authorization`",
            );
            self.step("build the client with `http1_title_case_headers()`, or use `Session`, which does");
        }
        match trace.outcome() {
            Outcome::Refused(Refusal::BodyGone) => {
                self.cause(
                    "the body was a stream, so the request could not be sent again with another token",
                );
                self.step("send the body with `replayable_body`, or from memory");
            }
            Outcome::Refused(Refusal::Elsewhere) => {
                self.cause("the HTTP client followed a redirect by itself, beneath the middleware");
                self.step("build the client with `redirect::Policy::none()` and use `RedirectMiddleware`");
            }
            _ => {}
        }
    }

    fn without_token(&mut self, why: &NotAttached) {
        self.cause(format!("the request was sent without a token: {why}"));
        self.step(match why {
            NotAttached::NoToken(_) | NotAttached::SourceFailed(_) => {
                "`scitoken token where` shows every place that was looked at"
            }
            NotAttached::Stranger => {
                "if the server may have the token, allow it with `RedirectTrust::Hosts` (`--trust-redirect`)"
            }
            NotAttached::PlainHttp => "use the https address",
            NotAttached::InUrl => "look whether the credential in the URL is still good",
            NotAttached::Never | NotAttached::CallersOwn | NotAttached::WaitsForChallenge => {
                "let the library attach a token: no `Authorization` header, `Attach::WhenFound`"
            }
        });
    }

    fn with_token(&mut self, token: &AccessToken, last: &Attempt, refusal: &RefusalAnswer) {
        let failed: Vec<_> = self.checks.iter().filter(|c| c.verdict == Verdict::Fails).cloned().collect();
        for check in &failed {
            self.cause(format!(
                "{}: the token says {}, the request needs {}",
                check.what, check.token, check.request
            ));
        }
        let Some(claims) = token.claims() else {
            self.cause("the token is opaque: only its issuer can tell whether it is good and for what");
            self.step(if token.expose_secret().starts_with("gt-") {
                "`scitoken gafaelfawr token-info URL` asks what the token is good for"
            } else {
                "ask the token's issuer, or get a new one the way that you got this one"
            });
            return;
        };
        let accepted =
            refusal.challenge.as_ref().and_then(Challenge::error) == Some(ChallengeError::InsufficientScope);
        if !accepted {
            let issuer = claims.issuer().map_or("an issuer that it does not name".to_owned(), shown);
            self.cause(format!("the server does not trust {issuer}, or cannot fetch its keys"));
        }
        if failed.is_empty() && matches!(*last.method(), Method::PUT | Method::POST) {
            self.cause("the file exists already, and the token only allows creating new ones");
        }
        self.step(match failed.first().map(|check| check.what) {
            Some("life") => "get a new token (`htgettoken`), or look why it is not renewed",
            Some("audience") => "get a token for this server (`htgettoken --audience …`)",
            Some("scope") => "get a token that allows this (`htgettoken --scopes …`)",
            _ => "`scitoken token show` prints what the token says",
        });
    }

    fn weigh_the_answer(&mut self, last: &Attempt, refusal: &RefusalAnswer) {
        let error = refusal.challenge.as_ref().and_then(Challenge::error);
        match error {
            Some(ChallengeError::InsufficientScope) => {
                let wanted = refusal.challenge.as_ref().and_then(|c| c.scope());
                let wanted = wanted.map_or(String::new(), |scope| format!(" ({})", shown(scope)));
                self.cause(format!("the server says that the token does not allow this{wanted}"));
            }
            Some(ChallengeError::InvalidToken) if last.token().is_some() => {
                self.cause(
                    "the server says that the token is not valid: expired, revoked, or signed by a stranger",
                );
            }
            _ => {}
        }
        let skew = refusal.date.as_deref().and_then(|date| httpdate::parse_http_date(date).ok());
        if let Some(difference) = skew.and_then(|server| skew_in_words(server, last.sent_at)) {
            self.cause(format!("the clocks differ: this machine is {difference} the server"));
            self.step("set this machine's clock (`timedatectl status`)");
        }
        if last.token().is_some_and(|token| token.expose_secret().len() > 4096) {
            self.cause("the token is longer than 4 kB, which some servers and proxies cut or refuse");
        }
        let xrootd = refusal.server.as_deref().is_some_and(|s| s.to_ascii_lowercase().starts_with("xrootd"));
        if xrootd && self.status == StatusCode::FORBIDDEN {
            self.cause(
                "XRootD answers 403 to everything: its log (`scitokens.trace all`) has the true reason",
            );
        }
    }

    fn cause(&mut self, cause: impl Into<String>) {
        self.causes.push(cause.into());
    }

    fn step(&mut self, step: impl Into<String>) {
        self.next.push(step.into());
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.request, self.status)?;
        if let Some(said) = &self.server_said {
            writeln!(f, "  the server said: {said}")?;
        }
        for check in &self.checks {
            writeln!(f, "  {check}")?;
        }
        f.write_str("possible causes:\n")?;
        for cause in &self.causes {
            writeln!(f, "  - {cause}")?;
        }
        for step in &self.next {
            writeln!(f, "next: {step}")?;
        }
        Ok(())
    }
}

fn shown(text: &str) -> String {
    redact::text(text)
}

/// How far this machine's clock is off, if by more than is worth a word.
fn skew_in_words(server: SystemTime, here: SystemTime) -> Option<String> {
    const TOLERABLE: u64 = 30;
    let (behind, ahead) = (sys::elapsed(here, server).as_secs(), sys::elapsed(server, here).as_secs());
    match (behind > TOLERABLE, ahead > TOLERABLE) {
        (true, _) => Some(format!("{} behind", sys::in_words(behind))),
        (_, true) => Some(format!("{} ahead of", sys::in_words(ahead))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderMap;
    use http::header::{DATE, HeaderValue, SERVER, WWW_AUTHENTICATE};
    use url::Url;

    use super::super::outcome::Credential;
    use super::super::trace::ServerAnswer;
    use super::*;

    const NOW: u64 = 1_700_000_000;

    fn jwt(payload: &str) -> Credential {
        let payload = base64_simd::URL_SAFE_NO_PAD.encode_to_string(payload);
        Credential::Token(AccessToken::new(format!("e30.{payload}.sig")).unwrap())
    }

    fn attempt(method: Method, url: Url, sent: Credential, status: u16, headers: &HeaderMap) -> Attempt {
        let status = StatusCode::from_u16(status).unwrap();
        let challenge = Challenge::from_headers(headers);
        Attempt {
            method,
            url,
            credential: sent,
            sent_at: SystemTime::UNIX_EPOCH + Duration::from_secs(NOW),
            answer: Some(ServerAnswer::from_parts(status, headers, challenge.as_ref())),
        }
    }

    fn explain(
        method: Method,
        status: u16,
        headers: &[(http::HeaderName, &str)],
        sent: Credential,
        case: HeaderCase,
    ) -> Explanation {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, HeaderValue::from_str(value).unwrap());
        }
        let url = Url::parse("https://data.example:8443/vo/hello.txt?authz=secret").unwrap();
        let mut trace = AuthTrace::default();
        trace.record(attempt(method, url, sent, status, &map), case);
        trace.end(Outcome::Refused(Refusal::NoOtherToken(None)));
        trace.explain().unwrap()
    }

    fn verdicts(payload: &str, method: Method) -> Vec<(&'static str, Verdict)> {
        let report = explain(method, 403, &[], jwt(payload), HeaderCase::Title);
        report.checks().iter().map(|check| (check.what, check.verdict)).collect()
    }

    #[test]
    fn each_claim_is_laid_beside_the_request() {
        use Verdict::{Fails, Fits, Unknown};
        let exp = NOW + 600;
        for (rest, method, expected) in [
            (
                r#""aud":"https://data.example:8443","scope":"storage.read:/""#,
                Method::GET,
                [Fits, Fits, Fits],
            ),
            (r#""aud":"ANY","scope":"read:/vo""#, Method::GET, [Fits, Fits, Fits]),
            (
                r#""aud":"https://data.example","scope":"storage.read:/hello.txt""#,
                Method::GET,
                [Fits, Fits, Fits],
            ),
            (r#""aud":"https://other","scope":"storage.read:/""#, Method::GET, [Fits, Fails, Fits]),
            (r#""scope":"storage.read:/other""#, Method::GET, [Fits, Unknown, Fails]),
            (r#""scope":"storage.read:/""#, Method::PUT, [Fits, Unknown, Fails]),
            (r#""scope":"storage.create:/vo""#, Method::PUT, [Fits, Unknown, Fits]),
            (r#""scope":"openid""#, Method::GET, [Fits, Unknown, Unknown]),
            (r#""sub":"me""#, Method::GET, [Fits, Unknown, Unknown]),
        ] {
            let found: Vec<_> =
                verdicts(&format!(r#"{{"exp":{exp},{rest}}}"#), method).into_iter().map(|v| v.1).collect();
            assert_eq!(found, expected, "{rest}");
        }
        assert_eq!(verdicts(&format!(r#"{{"exp":{}}}"#, NOW - 5), Method::GET)[0], ("life", Fails));
        assert_eq!(verdicts(&format!(r#"{{"nbf":{}}}"#, NOW + 5), Method::GET)[0], ("life", Fails));
    }

    #[test]
    fn the_report_names_every_plausible_cause_and_no_secret() {
        let sent = jwt(&format!(r#"{{"iss":"https://iss","exp":{}}}"#, NOW - 90));
        let headers = [
            (SERVER, "XrootD/v5.5.3"),
            (DATE, "Tue, 14 Nov 2023 22:15:20 GMT"),
            (WWW_AUTHENTICATE, "Bearer error=\"invalid_token\""),
        ];
        let shown = explain(Method::GET, 403, &headers, sent.clone(), HeaderCase::Unknown).to_string();
        for expected in [
            "GET https://data.example:8443/vo/hello.txt?authz=…: 403",
            "the server said: Bearer error=\"invalid_token\"",
            "✗ life: the token says that it expired 90 s ago",
            "does not trust https://iss",
            "title case",
            "2 min behind the server",
            "scitokens.trace all",
            "next: get a new token",
        ] {
            assert!(shown.contains(expected), "{expected} in {shown}");
        }
        assert!(!shown.contains("secret") && !shown.contains(sent.token().unwrap().expose_secret()));
        let shown = explain(Method::GET, 403, &headers, sent, HeaderCase::Title).to_string();
        assert!(!shown.contains("title case"));
    }

    #[test]
    fn a_request_without_a_token_says_why() {
        let reasons: std::sync::Arc<[String]> = ["`BEARER_TOKEN`: not set".to_owned()].into();
        let sent = Credential::None(NotAttached::NoToken(reasons));
        let report = explain(Method::GET, 401, &[], sent, HeaderCase::Title);
        assert!(report.causes()[0].contains("`BEARER_TOKEN`: not set"));
        assert!(report.next_steps()[0].contains("scitoken token where"));
    }

    #[test]
    fn a_token_that_a_manager_put_into_the_url_is_laid_beside_what_the_user_asked_for() {
        let Credential::Token(token) = jwt(r#"{"aud":"https://manager","scope":"storage.read:/other"}"#)
        else {
            panic!("a token was made")
        };
        let mut trace = AuthTrace::default();
        let mut go = |url: String, status: u16, sent: Credential| {
            let url = Url::parse(&url).unwrap();
            trace.record(attempt(Method::GET, url, sent, status, &HeaderMap::new()), HeaderCase::Title);
        };
        go("https://manager/vo/f".to_owned(), 302, Credential::Token(token.clone()));
        let location = format!("https://data/vo/f?authz=Bearer%20{}", token.expose_secret());
        go(location, 403, Credential::None(NotAttached::InUrl));
        let report = trace.explain().unwrap();
        let verdicts: Vec<_> = report.checks().iter().map(|check| (check.what, check.verdict)).collect();
        assert_eq!(
            verdicts,
            [("life", Verdict::Unknown), ("audience", Verdict::Fits), ("scope", Verdict::Fails)]
        );
        assert!(!report.to_string().contains(token.expose_secret()), "{report}");
    }

    #[test]
    fn the_scopes_of_a_challenge_count_before_guesses() {
        let headers = [(WWW_AUTHENTICATE, "Bearer error=\"insufficient_scope\", scope=\"exec:notebook\"")];
        let sent = jwt(r#"{"scope":"read:all"}"#);
        let report = explain(Method::GET, 403, &headers, sent, HeaderCase::Title);
        assert_eq!(report.checks()[2].verdict, Verdict::Fails);
        assert!(report.to_string().contains("does not allow this (exec:notebook)"));
    }
}
