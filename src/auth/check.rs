//! A token laid beside a request: what it says about itself against what is asked for.
//!
//! Nobody has verified those claims here, so the table says what *would* be refused.

use std::fmt;
use std::time::SystemTime;

use http::Method;
use url::Url;

use super::challenge::Challenge;
use super::trace::Attempt;
use crate::origin::Origin;
use crate::redact;
use crate::sys;
use crate::token::{AccessToken, Audience, Capability, ResourcePath, UnverifiedClaims, default_audience};

/// One line of the table: what the token says against what was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// What is compared: `life`, `audience`, `scope`.
    pub what: &'static str,
    /// What the token says.
    pub token: String,
    /// What was asked for.
    pub request: String,
    /// Whether they go together.
    pub verdict: Verdict,
}

/// Whether a claim allows what was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// It does.
    Fits,
    /// It does not.
    Fails,
    /// Only the server knows.
    Unknown,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.verdict {
            Verdict::Fits => "✓",
            Verdict::Fails => "✗",
            Verdict::Unknown => "?",
        };
        write!(f, "{mark} {}: the token says {}; the request needs {}", self.what, self.token, self.request)
    }
}

/// Lays what a token says beside a request that has not been sent: would it be accepted, and if not, by which rule?
///
/// Nothing is verified and nobody is asked. [`Verdict::Unknown`] is what only the server can tell, such as everything
/// about an opaque token.
///
/// ```
/// use http::Method;
/// use reqwest_scitokens::{AccessToken, Verdict, check_token};
/// use reqwest_scitokens::sys::{Clock, SystemClock};
///
/// let token = AccessToken::new("gt-MLF5MB3Peg79wEC0BY8U8Q.ChbkqEyp3EIJ2e_1Sqff3w")?;
/// let url = "https://data.example.org/vo/f".parse()?;
/// let checks = check_token(&token, &Method::GET, &url, SystemClock.now());
/// assert!(checks.iter().all(|check| check.verdict == Verdict::Unknown));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn check_token(token: &AccessToken, method: &Method, url: &Url, now: SystemTime) -> Vec<Check> {
    Question { method, url, challenge: None, now }.checks(token)
}

/// What a token is laid beside.
pub(super) struct Question<'a> {
    method: &'a Method,
    url: &'a Url,
    challenge: Option<&'a Challenge>,
    now: SystemTime,
}

impl<'a> Question<'a> {
    pub(super) fn of(attempt: &'a Attempt) -> Self {
        let (method, url, now) = (&attempt.method, &attempt.url, attempt.sent_at);
        Self { method, url, challenge: attempt.challenge(), now }
    }

    pub(super) fn checks(&self, token: &AccessToken) -> Vec<Check> {
        let mut checks = vec![life(token, self.now)];
        if let Some(claims) = token.claims() {
            checks.extend(audience(claims, self));
            checks.extend(scope(claims, self));
        }
        checks
    }
}

fn life(token: &AccessToken, now: SystemTime) -> Check {
    let (what, request) = ("life", "one that is valid now".to_owned());
    let not_before = token.claims().and_then(UnverifiedClaims::not_before).filter(|begin| *begin > now);
    let (token, verdict) = match (not_before, token.expires_at()) {
        (Some(begin), _) => {
            let wait = sys::in_words(sys::elapsed(now, begin).as_secs());
            (format!("that it begins in {wait}"), Verdict::Fails)
        }
        (None, Some(end)) if end <= now => {
            let ago = sys::in_words(sys::elapsed(end, now).as_secs());
            (format!("that it expired {ago} ago"), Verdict::Fails)
        }
        (None, Some(end)) => {
            (format!("that it has {} left", sys::in_words(sys::elapsed(now, end).as_secs())), Verdict::Fits)
        }
        (None, None) => ("nothing about its end".to_owned(), Verdict::Unknown),
    };
    Check { what, token, request, verdict }
}

fn audience(claims: &UnverifiedClaims, asked: &Question<'_>) -> Option<Check> {
    let origin = Origin::try_from(asked.url).ok()?;
    let audiences = claims.audiences();
    let usual = default_audience(asked.url);
    let fits = |a: &Audience| a.is_any() || a.names(&origin) || Some(a) == usual.as_ref();
    let verdict = match audiences {
        [] => Verdict::Unknown,
        some if some.iter().any(fits) => Verdict::Fits,
        _ => Verdict::Fails,
    };
    let token = match audiences {
        [] => "nothing".to_owned(),
        some => some.iter().map(|a| shown(a.as_str())).collect::<Vec<_>>().join(", "),
    };
    Some(Check {
        what: "audience",
        token,
        request: format!("`{origin}`, or another name of that server"),
        verdict,
    })
}

/// The authorizations that allow a method, in SciTokens' words and in WLCG's.
fn authorizations(method: &Method) -> Option<&'static [&'static str]> {
    Some(match method.as_str() {
        "GET" | "HEAD" | "PROPFIND" | "OPTIONS" => &["storage.read", "read"],
        "PUT" | "POST" | "MKCOL" => &["storage.create", "storage.modify", "write"],
        "PATCH" | "DELETE" | "MOVE" => &["storage.modify", "write"],
        "COPY" => &["storage.read", "storage.create", "storage.modify", "read", "write"],
        _ => return None,
    })
}

fn scope(claims: &UnverifiedClaims, asked: &Question<'_>) -> Option<Check> {
    let wanted: Vec<_> = asked.challenge.map(|c| c.scopes().collect()).unwrap_or_default();
    let text = claims.scope_text();
    let token = text.map_or_else(|| "nothing".to_owned(), shown);
    let what = "scope";
    if !wanted.is_empty() {
        let fits = wanted.iter().all(|scope| claims.allows(scope));
        let request = wanted.iter().map(|scope| shown(scope.as_str())).collect::<Vec<_>>().join(" ");
        let verdict = if fits { Verdict::Fits } else { Verdict::Fails };
        return Some(Check { what, token, request, verdict });
    }
    let names = authorizations(asked.method)?;
    let request = format!("`{}` for `{}`", names.join("` or `"), shown(asked.url.path()));
    let verdict = match (text, asked.url.path().parse::<ResourcePath>()) {
        (None, _) | (_, Err(_)) => Verdict::Unknown,
        (Some(_), Ok(path)) => storage_verdict(claims, names, &path),
    };
    Some(Check { what, token, request, verdict })
}

/// A server may keep a VO's files under a prefix that the token's paths leave out, so every ending of the path counts.
fn storage_verdict(claims: &UnverifiedClaims, names: &[&str], path: &ResourcePath) -> Verdict {
    let known = |c: &Capability| {
        c.authorization().starts_with("storage.") || matches!(c.authorization(), "read" | "write")
    };
    let capabilities: Vec<_> = claims.capabilities().filter(known).collect();
    if capabilities.is_empty() {
        // Groups, or scopes of another world: only the server knows what they allow.
        return if claims.groups().is_empty() && claims.scopes().next().is_none() {
            Verdict::Fails
        } else {
            Verdict::Unknown
        };
    }
    let covers =
        |path: &ResourcePath| capabilities.iter().any(|c| names.iter().any(|name| c.covers(name, path)));
    let components: Vec<_> = path.components().collect();
    let fits = (0..=components.len())
        .filter_map(|skipped| {
            ResourcePath::from_decoded(&format!("/{}", components[skipped..].join("/"))).ok()
        })
        .any(|ending| covers(&ending));
    if fits { Verdict::Fits } else { Verdict::Fails }
}

fn shown(text: &str) -> String {
    redact::text(text)
}
