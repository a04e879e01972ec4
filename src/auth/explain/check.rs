//! What a token says about itself against what a request needs.
//!
//! The claims are unverified here, so a check tells what a server *would* refuse.

use std::fmt;
use std::time::SystemTime;

use http::Method;
use serde::Serialize;
use url::Url;

use crate::challenge::Challenge;
use scitoken_types::redact;
use scitoken_types::sys;
use scitoken_types::{AccessFit, AccessToken, AudienceFit, UnverifiedClaims, authorizations};
use scitoken_types::{HumanDuration, Origin};

/// One claim of a token against what a request needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TokenCheck {
    /// What is compared: `expiry`, `audience`, `scope`.
    pub what: &'static str,
    /// What the token says: `expired 90 s ago`, `no `aud` claim`, `storage.read:/`.
    pub token: String,
    /// What the request needs.
    pub request: String,
    /// Whether the token has what the request needs.
    pub verdict: Verdict,
}

/// Whether a claim permits a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Verdict {
    /// The claim permits it.
    Fits,
    /// The claim does not permit it.
    Fails,
    /// Only the server can tell.
    Unknown,
}

impl TokenCheck {
    /// Returns a comparison that the caller made, to be shown with the others.
    pub fn new(
        what: &'static str,
        token: impl Into<String>,
        request: impl Into<String>,
        verdict: Verdict,
    ) -> Self {
        Self { what, token: token.into(), request: request.into(), verdict }
    }
}

impl fmt::Display for TokenCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.verdict {
            Verdict::Fits => "✓",
            Verdict::Fails => "✗",
            Verdict::Unknown => "?",
        };
        write!(f, "{mark} {}: {} (required: {})", self.what, self.token, self.request)
    }
}

/// Compares what a token says with a request that has not been sent: would a server accept it, and if not, by which rule?
///
/// Nothing is verified and no server is asked. [`Verdict::Unknown`] is what only the server can tell, such as everything
/// about an opaque token.
///
/// ```
/// use http::Method;
/// use reqwest_scitokens::AccessToken;
/// use reqwest_scitokens::auth::{Verdict, check_token};
/// use reqwest_scitokens::types::sys::{Clock, SystemClock};
///
/// let token = AccessToken::new("gt-MLF5MB3Peg79wEC0BY8U8Q.ChbkqEyp3EIJ2e_1Sqff3w")?;
/// let url = "https://data.example.org/vo/f".parse()?;
/// let checks = check_token(&token, &Method::GET, &url, SystemClock.now());
/// assert!(checks.iter().all(|check| check.verdict == Verdict::Unknown));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn check_token(token: &AccessToken, method: &Method, url: &Url, now: SystemTime) -> Vec<TokenCheck> {
    CheckContext { method, url, challenge: None, now }.checks(token)
}

/// What a token is compared with.
pub(super) struct CheckContext<'a> {
    pub(super) method: &'a Method,
    pub(super) url: &'a Url,
    pub(super) challenge: Option<&'a Challenge>,
    pub(super) now: SystemTime,
}

impl CheckContext<'_> {
    pub(super) fn checks(&self, token: &AccessToken) -> Vec<TokenCheck> {
        let mut checks: Vec<_> = transport(self.url).into_iter().collect();
        checks.push(expiry(token, self.now));
        if let Some(claims) = token.claims() {
            checks.extend(audience(claims, self));
            checks.extend(scope(claims, self));
        }
        checks
    }
}

/// Returns the rule that keeps every token from a server without TLS, if that is one.
fn transport(url: &Url) -> Option<TokenCheck> {
    let is_trustworthy = Origin::try_from(url).is_ok_and(|origin| origin.is_trustworthy());
    let has_no_tls = || TokenCheck::new("transport", "plain http", "https", Verdict::Fails);
    (!is_trustworthy).then(has_no_tls)
}

fn expiry(token: &AccessToken, now: SystemTime) -> TokenCheck {
    let (what, request) = ("expiry", "valid now".to_owned());
    let not_before = token.claims().and_then(UnverifiedClaims::not_before).filter(|begin| *begin > now);
    let unusable = |name| token.claims().and_then(|claims| claims.unusable(name));
    let unusable = unusable("exp").or_else(|| unusable("nbf"));
    let (token, verdict) = match (not_before, token.expires_at()) {
        (Some(begin), _) => {
            let wait = HumanDuration::new(sys::elapsed(now, begin));
            (format!("not valid for another {wait}"), Verdict::Fails)
        }
        (None, Some(end)) if end <= now => {
            let ago = HumanDuration::new(sys::elapsed(end, now));
            (format!("expired {ago} ago"), Verdict::Fails)
        }
        _ if unusable.is_some() => {
            (unusable.map(|claim| claim.to_string()).unwrap_or_default(), Verdict::Fails)
        }
        (None, Some(end)) => (format!("{} left", HumanDuration::new(sys::elapsed(now, end))), Verdict::Fits),
        (None, None) if token.claims().is_none() => {
            ("unknown, the token is opaque".to_owned(), Verdict::Unknown)
        }
        (None, None) => ("no `exp` claim".to_owned(), Verdict::Unknown),
    };
    TokenCheck { what, token, request, verdict }
}

fn audience(claims: &UnverifiedClaims, context: &CheckContext<'_>) -> Option<TokenCheck> {
    let origin = Origin::try_from(context.url).ok()?;
    let audiences = claims.audiences();
    let unusable = claims.unusable("aud");
    let verdict = match AudienceFit::best(audiences, context.url, None) {
        _ if unusable.is_some() => Verdict::Fails,
        AudienceFit::Unstated => Verdict::Unknown,
        fit if fit.fits() => Verdict::Fits,
        _ => Verdict::Fails,
    };
    let token = match (unusable, audiences) {
        (Some(unusable), _) => unusable.to_string(),
        (None, []) => "no `aud` claim".to_owned(),
        (None, some) => some.iter().map(|a| shown(a.as_str())).collect::<Vec<_>>().join(", "),
    };
    Some(TokenCheck {
        what: "audience",
        token,
        request: format!("`{origin}` or another name of that server"),
        verdict,
    })
}

fn scope(claims: &UnverifiedClaims, context: &CheckContext<'_>) -> Option<TokenCheck> {
    let wanted: Vec<_> = context.challenge.map(|c| c.scopes().collect()).unwrap_or_default();
    let what = "scope";
    let token = match (claims.unusable("scope").or_else(|| claims.unusable("scp")), claims.scope_text()) {
        (Some(unusable), None) => unusable.to_string(),
        (_, None) => "no `scope` claim".to_owned(),
        (_, Some(text)) => shown(text),
    };
    // One function decides what is malformed, here and in enforcers, which refuse the whole token then.
    let malformed = claims.malformed_scope();
    let token = match malformed {
        Some((scope, why)) => format!("{token}; `{}`: {why}", shown(scope)),
        None => token,
    };
    let is_unusable =
        malformed.is_some() || (claims.scope_text().is_none() && claims.unusable("scope").is_some());
    if !wanted.is_empty() {
        let fits = wanted.iter().all(|scope| claims.allows(scope));
        let request = wanted.iter().map(|scope| shown(scope.as_str())).collect::<Vec<_>>().join(" ");
        let verdict = if fits && !is_unusable { Verdict::Fits } else { Verdict::Fails };
        return Some(TokenCheck { what, token, request, verdict });
    }
    let names = authorizations(context.method)?;
    let request = format!("`{}` for `{}`", names.join("` or `"), shown(context.url.path()));
    let verdict = match AccessFit::of(claims, context.method, context.url.path()) {
        _ if is_unusable => Verdict::Fails,
        AccessFit::Covers | AccessFit::CoversEnding => Verdict::Fits,
        AccessFit::Unknown => Verdict::Unknown,
        AccessFit::OtherAccess => Verdict::Fails,
    };
    Some(TokenCheck { what, token, request, verdict })
}

fn shown(text: &str) -> String {
    redact::text(text)
}
