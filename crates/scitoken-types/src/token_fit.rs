//! How well a token fits a request, by its unverified claims.

use std::cmp::Ordering;
use std::fmt;
use std::time::{Duration, SystemTime};

use http::Method;
use url::Url;

use crate::{
    AccessToken, Audience, AudienceFit, Capability, IssuerFit, ResourcePath, Scope, UnverifiedClaims,
};

/// A request that a token is needed for.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct TokenNeed<'a> {
    /// The URL of the request.
    pub url: &'a Url,
    /// The method; without it the path is not compared with the token's scopes.
    pub method: Option<&'a Method>,
    /// The audience that the caller requires.
    pub audience: Option<&'a Audience>,
    /// The scopes that the caller requires, all of them.
    pub scopes: &'a [Scope],
    /// The scopes that the server has asked for in a challenge; a token with all of them is preferred.
    pub challenge_scopes: &'a [Scope],
    /// The issuers whose tokens the server accepts; empty: unknown.
    pub issuers: &'a [Url],
    /// The current time.
    pub now: SystemTime,
    /// How long the token should be valid.
    pub min_validity: Duration,
}

impl<'a> TokenNeed<'a> {
    /// Returns a request for a URL at this time, with any audience, scope and remaining lifetime.
    pub fn new(url: &'a Url, now: SystemTime) -> Self {
        Self {
            url,
            method: None,
            audience: None,
            scopes: &[],
            challenge_scopes: &[],
            issuers: &[],
            now,
            min_validity: Duration::ZERO,
        }
    }
}

/// How well a token fits a request; see [`TokenFit::of`].
///
/// Of two tokens, the better fit is the lesser value: a token that the server cannot accept comes after all others
/// (expired, for another server, from another issuer, without a required scope); then the scopes of a challenge count, those
/// that cover method and path, the lifetime, and the audience.
///
/// ```
/// use http::Method;
/// use scitoken_types::sys::{Clock, SystemClock};
/// use scitoken_types::{AccessFit, AccessToken, AudienceFit, TokenFit, TokenNeed};
///
/// // {"aud": "data.example.org", "scope": "storage.read:/vo"}
/// let token = AccessToken::new(
///     "e30.eyJhdWQiOiAiZGF0YS5leGFtcGxlLm9yZyIsICJzY29wZSI6ICJzdG9yYWdlLnJlYWQ6L3ZvIn0.c2ln",
/// )?;
/// let url = "https://data.example.org:8443/vo/f".parse()?;
/// let mut need = TokenNeed::new(&url, SystemClock.now());
/// need.method = Some(&Method::GET);
/// let fit = TokenFit::of(&token, &need);
/// assert_eq!((fit.audience, fit.access), (AudienceFit::Host, AccessFit::Covers));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct TokenFit {
    /// How the token's audience fits the server, or the audience that the caller requires.
    pub audience: AudienceFit,
    /// How the token's issuer fits those that the server accepts.
    pub issuer: IssuerFit,
    /// Whether the token has all scopes that the caller requires; unknown counts as yes.
    pub has_scopes: bool,
    /// Whether the token has all scopes that the server has asked for in a challenge.
    pub answers_challenge: bool,
    /// How the token's scopes fit the method and the path.
    pub access: AccessFit,
    /// How long the token is valid.
    pub lifetime: LifetimeFit,
}

/// How a token's scopes fit a method and a path; the better fit is the lesser value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AccessFit {
    /// A capability covers the method and the path.
    Covers,
    /// A capability covers the method and an ending of the path: servers keep files under a prefix that tokens leave
    /// out.
    CoversEnding,
    /// The token does not say, the method is unknown, or the scopes are of another kind.
    Unknown,
    /// The token is for other methods or paths.
    OtherAccess,
}

/// How long a token is valid; the better fit is the lesser value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LifetimeFit {
    /// It is valid for the required time, or its expiry is unknown.
    Valid,
    /// It is valid now, but expires within the required time.
    ExpiresSoon,
    /// Its `exp` or `nbf` is no time: most servers refuse it.
    Unreadable,
    /// It is not valid yet (`nbf`).
    NotYet,
    /// It has expired.
    Expired,
}

impl TokenFit {
    /// Compares a token's unverified claims with a request. An opaque token fits: only the server can tell.
    pub fn of(token: &AccessToken, need: &TokenNeed<'_>) -> Self {
        let lifetime = LifetimeFit::of(token, need);
        let Some(claims) = token.claims() else {
            return Self {
                audience: AudienceFit::Unstated,
                issuer: IssuerFit::Unstated,
                has_scopes: true,
                answers_challenge: true,
                access: AccessFit::Unknown,
                lifetime,
            };
        };
        let allows_all = |scopes: &[Scope]| scopes.iter().all(|scope| claims.allows(scope));
        let access = match need.method {
            Some(method) => AccessFit::of(claims, method, need.url.path()),
            None => AccessFit::Unknown,
        };
        Self {
            audience: AudienceFit::best(claims.audiences(), need.url, need.audience),
            issuer: IssuerFit::of(claims.issuer(), need.issuers),
            has_scopes: claims.scope_text().is_none() || allows_all(need.scopes),
            answers_challenge: allows_all(need.challenge_scopes),
            access,
            lifetime,
        }
    }

    /// Whether nothing in the token rules out that the server accepts it.
    pub fn is_acceptable(&self) -> bool {
        self.is_valid_now() && self.audience.fits() && self.issuer.fits() && self.has_scopes
    }

    /// Returns whether nothing that can be read says that the token is not valid now.
    pub fn is_valid_now(&self) -> bool {
        matches!(self.lifetime, LifetimeFit::Valid | LifetimeFit::ExpiresSoon | LifetimeFit::Unreadable)
    }
}

impl Ord for TokenFit {
    fn cmp(&self, other: &Self) -> Ordering {
        // `false` comes before `true`.
        let rank = |fit: &Self| {
            let Self { audience, issuer, has_scopes, answers_challenge, access, lifetime } = *fit;
            (!fit.is_acceptable(), !answers_challenge, access, lifetime, audience, issuer, !has_scopes)
        };
        rank(self).cmp(&rank(other))
    }
}

impl PartialOrd for TokenFit {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for AccessFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Covers => "its scopes cover the request",
            Self::CoversEnding => "its scopes cover the end of the path",
            Self::Unknown => "only the server knows whether it permits the request",
            Self::OtherAccess => "its scopes are for other paths or operations",
        })
    }
}

impl AccessFit {
    /// Compares claims with a method and the path of a URL.
    pub fn of(claims: &UnverifiedClaims, method: &Method, path: &str) -> Self {
        let (Some(names), Ok(path)) = (authorizations(method), path.parse::<ResourcePath>()) else {
            return Self::Unknown;
        };
        if claims.scope_text().is_none() {
            return Self::Unknown;
        }
        let is_storage = |c: &Capability| {
            c.authorization().starts_with("storage.") || matches!(c.authorization(), "read" | "write")
        };
        let capabilities: Vec<_> = claims.capabilities().filter(is_storage).collect();
        if capabilities.is_empty() {
            // Groups, or scopes of another kind: only the server knows what they permit.
            let says_nothing = claims.groups().is_empty() && claims.scopes().next().is_none();
            let is_refused = says_nothing || claims.malformed_scope().is_some();
            return if is_refused { Self::OtherAccess } else { Self::Unknown };
        }
        let covers =
            |path: &ResourcePath| capabilities.iter().any(|c| names.iter().any(|name| c.covers(name, path)));
        if covers(&path) {
            return Self::Covers;
        }
        let components: Vec<_> = path.components().collect();
        let mut endings = (1..=components.len()).filter_map(|skipped| {
            ResourcePath::from_decoded(&format!("/{}", components[skipped..].join("/"))).ok()
        });
        if endings.any(|ending| covers(&ending)) { Self::CoversEnding } else { Self::OtherAccess }
    }
}

impl LifetimeFit {
    fn of(token: &AccessToken, need: &TokenNeed<'_>) -> Self {
        let not_before = token.claims().and_then(UnverifiedClaims::not_before);
        let is_unusable = |name| token.claims().is_some_and(|claims| claims.unusable(name).is_some());
        if token.is_expired_at(need.now) {
            Self::Expired
        } else if not_before.is_some_and(|begin| begin > need.now) {
            Self::NotYet
        } else if is_unusable("exp") || is_unusable("nbf") {
            Self::Unreadable
        } else if token.is_valid_for(need.min_validity, need.now) {
            Self::Valid
        } else {
            Self::ExpiresSoon
        }
    }
}

/// Returns the authorizations that permit a method, as SciTokens and WLCG name them; `None` for methods that neither
/// knows.
pub fn authorizations(method: &Method) -> Option<&'static [&'static str]> {
    Some(match method.as_str() {
        "GET" | "HEAD" | "PROPFIND" | "OPTIONS" => &["storage.read", "read"],
        "PUT" | "POST" | "MKCOL" => &["storage.create", "storage.modify", "write"],
        "PATCH" | "DELETE" | "MOVE" => &["storage.modify", "write"],
        "COPY" => &["storage.read", "storage.create", "storage.modify", "read", "write"],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use base64::prelude::*;

    use super::*;

    fn token(payload: &str) -> AccessToken {
        AccessToken::new(format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(payload))).unwrap()
    }

    fn fit(payload: &str, method: &Method) -> TokenFit {
        let url = "https://se.example.org:8443/chtc/staging/f".parse().unwrap();
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let mut need = TokenNeed::new(&url, now);
        (need.method, need.min_validity) = (Some(method), Duration::from_secs(60));
        TokenFit::of(&token(payload), &need)
    }

    #[test]
    fn scopes_are_compared_with_method_and_path() {
        for (scope, method, expected) in [
            ("storage.read:/chtc", Method::GET, AccessFit::Covers),
            ("read:/", Method::HEAD, AccessFit::Covers),
            ("storage.read:/staging", Method::GET, AccessFit::CoversEnding),
            ("storage.read:/other", Method::GET, AccessFit::OtherAccess),
            ("storage.read:/chtc", Method::PUT, AccessFit::OtherAccess),
            ("storage.create:/chtc", Method::PUT, AccessFit::Covers),
            ("storage.create:/chtc", Method::DELETE, AccessFit::OtherAccess),
            ("openid profile", Method::GET, AccessFit::Unknown),
            ("openid storage.read:/chtc/../other", Method::GET, AccessFit::OtherAccess),
            ("storage.read", Method::GET, AccessFit::OtherAccess),
            ("storage.read:/chtc", Method::from_bytes(b"LOCK").unwrap(), AccessFit::Unknown),
        ] {
            let payload = format!(r#"{{"scope":"{scope}"}}"#);
            assert_eq!(fit(&payload, &method).access, expected, "{scope} {method}");
        }
        assert_eq!(fit("{}", &Method::GET).access, AccessFit::Unknown);
    }

    #[test]
    fn the_better_fit_is_the_lesser_value() {
        let url = "https://se.example.org:8443/chtc/staging/f".parse().unwrap();
        let issuers = ["https://iam.example/".parse().unwrap()];
        let asked = ["storage.read:/vo/chtc".parse().unwrap()];
        let mut need = TokenNeed::new(&url, SystemTime::UNIX_EPOCH + Duration::from_secs(1_000));
        (need.method, need.min_validity, need.issuers) =
            (Some(&Method::GET), Duration::from_secs(60), &issuers);
        need.challenge_scopes = &asked;
        let fit = |payload: &str| TokenFit::of(&token(payload), &need);
        let ranked = [
            r#"{"iss":"https://iam.example","aud":"se.example.org","scope":"storage.read:/vo","exp":1010}"#,
            r#"{"iss":"https://iam.example","aud":"se.example.org","scope":"storage.read:/chtc","exp":9000}"#,
            r#"{"aud":"https://se.example.org","scope":"storage.read:/chtc","exp":1010}"#,
            r#"{"aud":"se.example.org","scope":"storage.read:/chtc","exp":1010}"#,
            r#"{"scope":"storage.read:/staging"}"#,
            "{}",
            r#"{"scope":"storage.read:/other"}"#,
            r#"{"iss":"https://other.example","scope":"storage.read:/chtc"}"#,
        ];
        for pair in ranked.windows(2) {
            assert!(fit(pair[0]) < fit(pair[1]), "{pair:?}");
        }
        for payload in [
            r#"{"aud":"https://other.example","scope":"storage.read:/vo"}"#,
            r#"{"scope":"storage.read:/vo","exp":1000}"#,
            r#"{"scope":"storage.read:/vo","nbf":1001}"#,
        ] {
            assert!(!fit(payload).is_acceptable() && fit(ranked[6]) < fit(payload), "{payload}");
        }
    }

    #[test]
    fn lifetimes_are_compared_with_the_required_time() {
        for (payload, expected) in [
            (r#"{"exp":1000}"#, LifetimeFit::Expired),
            (r#"{"exp":1060}"#, LifetimeFit::ExpiresSoon),
            (r#"{"exp":1061}"#, LifetimeFit::Valid),
            (r#"{"exp":9000,"nbf":1001}"#, LifetimeFit::NotYet),
            (r#"{"exp":"1000"}"#, LifetimeFit::Expired),
            (r#"{"exp":"9000","nbf":"1001"}"#, LifetimeFit::NotYet),
            (r#"{"exp":"9000"}"#, LifetimeFit::Unreadable),
            (r#"{"exp":9000,"nbf":"soon"}"#, LifetimeFit::Unreadable),
            ("{}", LifetimeFit::Valid),
        ] {
            assert_eq!(fit(payload, &Method::GET).lifetime, expected, "{payload}");
        }
    }
}
