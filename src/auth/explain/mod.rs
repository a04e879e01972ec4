//! Why a request was refused.
//!
//! Servers say little: XRootD answers the same 403 to an expired token, to one of another issuer, and to none at all. The
//! token's claims against the request usually show the reason; the other plausible causes are listed after them.

mod causes;
mod check;

use std::fmt;

use http::StatusCode;
use serde::ser::{Serialize, SerializeStruct as _, Serializer};

use self::causes::{Causes, Evidence};
use self::check::CheckContext;
pub use self::check::{TokenCheck, Verdict, check_token};
use super::outcome::{AuthOutcome, NotAttached, ReplayRefusal};
use super::trace::AuthTrace;
use crate::hint::Hint;
use crate::source::SourceError;

/// Why a request was refused: the request, the token's claims against it, other causes, and what to do.
///
/// `Display` is a report of a few lines for a terminal or a ticket: it contains no token. Serialized it is an object with the
/// same contents: `request`, `status`, `challenge`, `not_attached`, `checks`, `causes` and `next_steps`.
#[derive(Clone, Debug)]
pub struct Explanation {
    request: String,
    status: StatusCode,
    server_said: Option<String>,
    not_attached: Option<NotAttached>,
    source_error: Option<SourceError>,
    checks: Vec<TokenCheck>,
    causes: Causes,
}

impl AuthTrace {
    /// Explains why the server refused, as far as the token, the request and the answer show it.
    ///
    /// `None` when it did not refuse.
    pub fn explain(&self) -> Option<Explanation> {
        let last = self.attempts().last()?;
        let answer = last.answer.as_ref()?;
        let refusal = answer.refusal.as_deref()?;
        let checks = self.attempt_with_token().map(|(token, attempt)| {
            let context = CheckContext {
                method: attempt.method(),
                url: attempt.summary.url(),
                challenge: attempt.challenge(),
                now: attempt.sent_at,
            };
            context.checks(token)
        });
        let checks = checks.unwrap_or_default();
        let not_attached = match self.outcome() {
            // That no token was found after the refusal is less than that a password was refused.
            _ if last.not_attached() == Some(&NotAttached::NetrcPassword) => last.not_attached(),
            AuthOutcome::Refused(ReplayRefusal::SentWithoutToken(why)) => Some(why),
            _ => last.not_attached(),
        };
        let source_error = match self.outcome() {
            AuthOutcome::Refused(ReplayRefusal::NoOtherToken(Some(why))) => why.source_error(),
            _ => not_attached.and_then(NotAttached::source_error),
        };
        let evidence = Evidence { trace: self, last, status: answer.status, refusal, checks: &checks };
        Some(Explanation {
            request: format!("{} {}", last.method(), last.url()),
            status: answer.status,
            server_said: refusal.challenge.as_ref().map(ToString::to_string),
            not_attached: not_attached.cloned(),
            source_error: source_error.cloned(),
            causes: Causes::find(evidence),
            checks,
        })
    }
}

impl Explanation {
    /// Returns the status of the answer.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the challenge that the server sent, if any, without control characters.
    pub fn server_said(&self) -> Option<&str> {
        self.server_said.as_deref()
    }

    /// Returns why the refused request carried no token; `None` if it carried one.
    pub fn not_attached(&self) -> Option<&NotAttached> {
        self.not_attached.as_ref()
    }

    /// Returns the error of the source that failed, where that is why the request carried no token, or no other one after the
    /// first was refused.
    pub fn source_error(&self) -> Option<&SourceError> {
        self.source_error.as_ref()
    }

    /// Returns the token's claims against the request; a failed check is a likely cause.
    pub fn checks(&self) -> &[TokenCheck] {
        &self.checks
    }

    /// Returns the plausible causes besides failed [checks](Self::checks), the likeliest first.
    pub fn causes(&self) -> &[String] {
        &self.causes.texts
    }

    /// Returns what to do next, the most promising first.
    pub fn next_steps(&self) -> &[Hint] {
        &self.causes.hints
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
        if !self.causes().is_empty() {
            let failed = self.checks.iter().any(|check| check.verdict == Verdict::Fails);
            writeln!(f, "{}:", if failed { "other possible causes" } else { "possible causes" })?;
        }
        for cause in self.causes() {
            writeln!(f, "  - {cause}")?;
        }
        for step in self.next_steps() {
            writeln!(f, "next: {step}")?;
        }
        Ok(())
    }
}

impl Serialize for Explanation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Explanation", 7)?;
        object.serialize_field("request", &self.request)?;
        object.serialize_field("status", &self.status.as_u16())?;
        object.serialize_field("challenge", &self.server_said)?;
        object.serialize_field("not_attached", &self.not_attached.as_ref().map(ToString::to_string))?;
        object.serialize_field("checks", &self.checks)?;
        object.serialize_field("causes", self.causes())?;
        let steps: Vec<_> = self.next_steps().iter().map(ToString::to_string).collect();
        object.serialize_field("next_steps", &steps)?;
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use base64::prelude::*;
    use std::time::{Duration, SystemTime};

    use http::header::{DATE, HeaderValue, SERVER, WWW_AUTHENTICATE};
    use http::{HeaderMap, Method};
    use url::Url;

    use super::super::outcome::{AuthOutcome, Credential, NotAttached, ReplayRefusal};
    use super::super::request_template::RequestSummary;
    use super::super::trace::{Attempt, HeaderCase, ServerAnswer};
    use super::*;
    use crate::challenge::Challenge;
    use scitoken_types::AccessToken;

    const NOW: u64 = 1_700_000_000;

    fn jwt(payload: &str) -> Credential {
        let payload = BASE64_URL_SAFE_NO_PAD.encode(payload);
        Credential::Token(AccessToken::new(format!("e30.{payload}.sig")).unwrap())
    }

    fn attempt(method: Method, url: Url, sent: Credential, status: u16, headers: &HeaderMap) -> Attempt {
        let status = StatusCode::from_u16(status).unwrap();
        let challenge = Challenge::from_headers(headers);
        let sent_at = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
        let mut attempt = Attempt::new(RequestSummary::new(method, url), sent, None, sent_at);
        let answer = ServerAnswer::from_parts(status, headers, challenge.as_ref(), &AuthTrace::default());
        attempt.answer = Some(answer);
        attempt
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
        trace.append(attempt(method, url, sent, status, &map), case);
        trace.end(AuthOutcome::Refused(ReplayRefusal::NoOtherToken(None)));
        trace.explain().unwrap()
    }

    fn verdicts(payload: &str, method: Method) -> Vec<(&'static str, Verdict)> {
        let report = explain(method, 403, &[], jwt(payload), HeaderCase::Title);
        report.checks().iter().map(|check| (check.what, check.verdict)).collect()
    }

    #[test]
    fn each_claim_is_compared_with_the_request() {
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
        assert_eq!(verdicts(&format!(r#"{{"exp":{}}}"#, NOW - 5), Method::GET)[0], ("expiry", Fails));
        assert_eq!(verdicts(&format!(r#"{{"nbf":{}}}"#, NOW + 5), Method::GET)[0], ("expiry", Fails));
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
            "✗ expiry: expired 90 s ago (required: valid now)",
            "does not trust the issuer https://iss",
            "title case",
            "2 min behind the server",
            "scitokens.trace all",
            "next: get a new token",
        ] {
            assert!(shown.contains(expected), "{expected} in {shown}");
        }
        assert!(!shown.contains("secret") && !shown.contains(sent.token().unwrap().expose_secret()));
        let report = explain(Method::GET, 403, &headers, sent.clone(), HeaderCase::Unknown);
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(
            (&json["status"], &json["challenge"]),
            (&403.into(), &r#"Bearer error="invalid_token""#.into())
        );
        assert_eq!(
            (&json["checks"][0]["what"], &json["checks"][0]["verdict"]),
            (&"expiry".into(), &"fails".into())
        );
        assert_eq!(json["causes"].as_array().unwrap().len(), report.causes().len());
        assert_eq!(json["next_steps"][0], report.next_steps()[0].to_string());
        let json = json.to_string();
        assert!(!json.contains("secret") && !json.contains(sent.token().unwrap().expose_secret()));
        let shown = explain(Method::GET, 403, &headers, sent, HeaderCase::Title).to_string();
        assert!(!shown.contains("title case"));
    }

    #[test]
    fn a_request_without_a_token_says_why() {
        let reasons: std::sync::Arc<[String]> = ["`BEARER_TOKEN`: not set".to_owned()].into();
        let sent = Credential::None(NotAttached::NoToken(reasons));
        let report = explain(Method::GET, 401, &[], sent, HeaderCase::Title);
        assert!(report.causes()[0].contains("`BEARER_TOKEN`: not set"));
        assert_eq!(report.next_steps()[0], Hint::ShowSearch);
    }

    #[test]
    fn what_a_source_that_failed_says_to_do_comes_first() {
        let failed = |error: SourceError| NotAttached::SourceFailed(error);
        let error = SourceError::new("the vault is sealed").with_hint("unseal it");
        let report =
            explain(Method::GET, 401, &[], Credential::None(failed(error.clone())), HeaderCase::Title);
        assert_eq!(report.next_steps()[0].to_string(), "unseal it");
        assert_eq!(report.source_error(), Some(&error));
        let silent = Credential::None(failed(SourceError::new("the vault is sealed")));
        let report = explain(Method::GET, 401, &[], silent, HeaderCase::Title);
        assert_eq!(report.next_steps()[0], Hint::CheckSource);
        // After a refusal of the first token.
        let sent = jwt(&format!(r#"{{"exp":{}}}"#, NOW + 600));
        let url = Url::parse("https://data.example/f").unwrap();
        let mut trace = AuthTrace::default();
        trace.append(attempt(Method::GET, url, sent, 401, &HeaderMap::new()), HeaderCase::Title);
        trace.end(AuthOutcome::Refused(ReplayRefusal::NoOtherToken(Some(failed(error.clone())))));
        let report = trace.explain().unwrap();
        assert_eq!(report.next_steps()[0].to_string(), "unseal it");
        assert_eq!((report.source_error(), report.not_attached()), (Some(&error), None));
    }

    #[test]
    fn a_token_in_the_url_of_a_redirect_is_compared_with_the_first_request() {
        let Credential::Token(token) = jwt(r#"{"aud":"https://manager","scope":"storage.read:/other"}"#)
        else {
            panic!("a token was made")
        };
        let mut trace = AuthTrace::default();
        let mut go = |url: String, status: u16, sent: Credential| {
            let url = Url::parse(&url).unwrap();
            trace.append(attempt(Method::GET, url, sent, status, &HeaderMap::new()), HeaderCase::Title);
        };
        go("https://manager/vo/f".to_owned(), 302, Credential::Token(token.clone()));
        let location = format!("https://data/vo/f?authz=Bearer%20{}", token.expose_secret());
        go(location, 403, Credential::None(NotAttached::InUrl));
        let report = trace.explain().unwrap();
        let verdicts: Vec<_> = report.checks().iter().map(|check| (check.what, check.verdict)).collect();
        assert_eq!(
            verdicts,
            [("expiry", Verdict::Unknown), ("audience", Verdict::Fits), ("scope", Verdict::Fails)]
        );
        assert!(!report.to_string().contains(token.expose_secret()), "{report}");
    }

    #[test]
    fn the_scopes_of_a_challenge_count_before_guesses() {
        let headers = [(WWW_AUTHENTICATE, "Bearer error=\"insufficient_scope\", scope=\"exec:notebook\"")];
        let sent = jwt(r#"{"scope":"read:all"}"#);
        let report = explain(Method::GET, 403, &headers, sent, HeaderCase::Title);
        assert_eq!(report.checks()[2].verdict, Verdict::Fails);
        assert!(report.to_string().contains("does not permit this (exec:notebook)"));
    }
}
