//! Why a token is refused: one variant for each rule.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime};

use super::Profile;
use scitoken_jwt::keys::Algorithm;
use scitoken_types::{HumanDuration, InvalidCapability, redact};

/// The rule that a token breaks, by itself or for one operation.
///
/// [`AuthorizationError::is_scope`] tells the server's answer: `403` with `insufficient_scope`, else `401` with
/// `invalid_token` (RFC 6750 section 3.1). Values that come from the token are cleaned and truncated, so they are
/// safe to log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorizationError {
    /// The token is longer than [`MAX_TOKEN_LENGTH`](scitoken_types::MAX_TOKEN_LENGTH).
    #[error("the token is longer than {limit} bytes", limit = scitoken_types::MAX_TOKEN_LENGTH)]
    TooLong,
    /// The token is not three base64url parts separated by dots.
    #[error("not a signed JWT: {reason}")]
    NotJwt {
        /// What the token is instead.
        reason: &'static str,
    },
    /// Header or payload is not a JSON object.
    #[error("the token's {part} is not a JSON object")]
    NotJson {
        /// `header` or `payload`.
        part: &'static str,
    },
    /// A claim or header parameter occurs twice (RFC 7519 section 4 allows to refuse it).
    #[error("`{name}` occurs twice in the token")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// A claim or header parameter has the wrong type.
    #[error("`{name}` is not {expected}")]
    WrongType {
        /// The name.
        name: &'static str,
        /// The expected type.
        expected: &'static str,
    },
    /// The header has `crit`: a verifier must refuse extensions that it does not support (RFC 7515 section 4.1.11);
    /// none is supported.
    #[error("the token's header requires extensions (`crit`), and none is supported")]
    CriticalHeader,
    /// The token is signed with an algorithm that is not accepted.
    #[error("the token is signed with `{algorithm}`; accepted: {accepted}")]
    Algorithm {
        /// The accepted algorithms.
        accepted: String,
        /// `alg` of the header.
        algorithm: String,
    },
    /// A claim that the profile requires is missing.
    #[error("the token has no `{claim}` claim")]
    MissingClaim {
        /// The claim.
        claim: Cow<'static, str>,
    },
    /// The issuer is not trusted.
    #[error("issuer `{issuer}` is not trusted; {trusted}")]
    UntrustedIssuer {
        /// The trusted issuers, and whether one differs in a trailing slash only.
        trusted: String,
        /// `iss`.
        issuer: String,
    },
    /// The issuer publishes no key that fits the token's `kid` and algorithm.
    #[error("the issuer publishes no {algorithm} key {}; {published}", named(key_id.as_deref()))]
    UnknownKey {
        /// `kid`, if the token has one.
        key_id: Option<String>,
        /// The token's algorithm.
        algorithm: Algorithm,
        /// The keys that it publishes.
        published: String,
    },
    /// The issuer publishes a key that fits, but the key is malformed or too weak.
    #[error("the issuer's key {} cannot be used: {reason}", named(key_id.as_deref()))]
    UnusableKey {
        /// `kid`, if the token has one.
        key_id: Option<String>,
        /// What is wrong with the key.
        reason: String,
    },
    /// The token has no `kid` and the issuer publishes several keys that fit.
    #[error("the token has no `kid`, and its issuer publishes {candidates} keys that fit")]
    AmbiguousKey {
        /// How many keys fit.
        candidates: usize,
    },
    /// The signature was not made with the issuer's key.
    #[error(
        "the signature does not verify with the issuer's key: the token was changed or signed with another key"
    )]
    Signature,
    /// `ver` or `wlcg.ver` names no known profile.
    #[error(
        "unknown token profile `{marker}`; known are `ver` `scitoken:1.0` and `scitoken:2.0`, and `wlcg.ver` `1.…`"
    )]
    UnknownProfile {
        /// The value of `ver` or `wlcg.ver`.
        marker: String,
    },
    /// The verifier does not accept the token's profile.
    #[error("the token follows {profile}; accepted: {accepted}")]
    ProfileNotAccepted {
        /// The accepted profiles.
        accepted: String,
        /// The token's profile.
        profile: Profile,
    },
    /// `exp` has passed.
    #[error("the token expired {:#} ago", HumanDuration::new(*late))]
    Expired {
        /// How long ago, beyond the leeway or not.
        late: Duration,
        /// `exp`.
        since: SystemTime,
    },
    /// `nbf` has not been reached.
    #[error("the token is not valid yet: `nbf` is {:#} ahead; compare the clocks", HumanDuration::rounded_up(*ahead))]
    NotYetValid {
        /// How far `nbf` is ahead of the clock.
        ahead: Duration,
        /// `nbf`.
        from: SystemTime,
    },
    /// `iat` lies in the future.
    #[error("the token was issued in the future: `iat` is {:#} ahead; compare the clocks", HumanDuration::rounded_up(*ahead))]
    IssuedInFuture {
        /// How far `iat` is ahead of the clock.
        ahead: Duration,
        /// `iat`.
        at: SystemTime,
    },
    /// The token expires sooner than the caller requires.
    #[error("the token expires in {:#}; required: {:#}", HumanDuration::new(*left), HumanDuration::new(*wanted))]
    EndsTooSoon {
        /// The remaining lifetime.
        left: Duration,
        /// The required lifetime.
        wanted: Duration,
    },
    /// `aud` does not name this server.
    #[error(
        "the token is meant for audience {audience}; this server is {expected}{}",
        slash_note(audience, expected)
    )]
    WrongAudience {
        /// The audiences of this server.
        expected: String,
        /// The values of `aud`.
        audience: String,
    },
    /// The token has an audience, and this server has no audience configured.
    #[error("the token is meant for audience {audience}, and this server has no audience configured")]
    NoAudienceConfigured {
        /// The values of `aud`.
        audience: String,
    },
    /// A claim is unknown and the token's profile requires that each claim is known (SciTokens 1.0).
    #[error("unknown claim `{claim}`: the token's profile requires that each claim is known")]
    UnknownClaim {
        /// The claim.
        claim: String,
    },
    /// A rule of the caller refused a claim.
    #[error("claim `{claim}` is refused: {reason}")]
    ClaimRefused {
        /// The claim.
        claim: String,
        /// The reason that the rule gave.
        reason: String,
    },
    /// A scope of the token is malformed, which makes all of them invalid.
    #[error("scope `{scope}` is malformed: {reason}")]
    MalformedScope {
        /// The scope.
        scope: String,
        /// What is wrong with the scope.
        reason: InvalidCapability,
    },
    /// A scope that requires a path has none (WLCG profile: the token must be rejected).
    #[error("scope `{scope}` has no path, which it requires")]
    ScopeWithoutPath {
        /// The scope.
        scope: String,
    },
    /// No scope of the token allows the operation.
    #[error("no scope of the token allows this")]
    NotGranted,
    /// The path lies outside the issuer's base path.
    #[error("the path is outside of the base path of the token's issuer")]
    OutsideBasePath,
    /// The operation is empty.
    #[error("the authorization is empty")]
    EmptyAuthorization,
    /// The token has no membership of the group.
    #[error("the token has no membership of group `{group}`")]
    NotInGroup {
        /// The group.
        group: String,
    },
}

impl AuthorizationError {
    /// Returns whether the token is valid but not sufficient for this request: `403` instead of `401`.
    pub fn is_scope(&self) -> bool {
        match self {
            Self::NotGranted | Self::OutsideBasePath | Self::EmptyAuthorization | Self::NotInGroup { .. } => {
                true
            }
            // A token without scopes can be a valid group or identity token.
            Self::MissingClaim { claim } => claim == "scope",
            _ => false,
        }
    }

    /// Returns whether only time is the cause: the token has expired, expires too soon, or is not valid yet.
    pub fn is_about_time(&self) -> bool {
        matches!(
            self,
            Self::Expired { .. }
                | Self::NotYetValid { .. }
                | Self::IssuedInFuture { .. }
                | Self::EndsTooSoon { .. }
        )
    }

    /// Returns an identifier for programs that does not change when the message does: `expired`, `wrong_audience`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::NotJwt { .. } => "not_jwt",
            Self::NotJson { .. } => "not_json",
            Self::Duplicate { .. } => "duplicate",
            Self::WrongType { .. } => "wrong_type",
            Self::CriticalHeader => "critical_header",
            Self::Algorithm { .. } => "algorithm",
            Self::MissingClaim { .. } => "missing_claim",
            Self::UntrustedIssuer { .. } => "untrusted_issuer",
            Self::UnknownKey { .. } => "unknown_key",
            Self::UnusableKey { .. } => "unusable_key",
            Self::AmbiguousKey { .. } => "ambiguous_key",
            Self::Signature => "signature",
            Self::UnknownProfile { .. } => "unknown_profile",
            Self::ProfileNotAccepted { .. } => "profile_not_accepted",
            Self::Expired { .. } => "expired",
            Self::NotYetValid { .. } => "not_yet_valid",
            Self::IssuedInFuture { .. } => "issued_in_future",
            Self::EndsTooSoon { .. } => "ends_too_soon",
            Self::WrongAudience { .. } => "wrong_audience",
            Self::NoAudienceConfigured { .. } => "no_audience_configured",
            Self::UnknownClaim { .. } => "unknown_claim",
            Self::ClaimRefused { .. } => "claim_refused",
            Self::MalformedScope { .. } => "malformed_scope",
            Self::ScopeWithoutPath { .. } => "scope_without_path",
            Self::NotGranted => "not_granted",
            Self::OutsideBasePath => "outside_of_issuer",
            Self::EmptyAuthorization => "nothing_asked",
            Self::NotInGroup { .. } => "not_in_group",
        }
    }

    pub(super) fn missing(claim: &'static str) -> Self {
        Self::MissingClaim { claim: Cow::Borrowed(claim) }
    }
}

/// Joins at most five values for a message.
pub(crate) fn list<T: fmt::Display>(values: impl IntoIterator<Item = T>) -> String {
    const FEW: usize = 5;
    let mut shown: Vec<String> = values.into_iter().take(FEW + 1).map(|value| format!("`{value}`")).collect();
    if shown.is_empty() {
        return "none".to_owned();
    }
    if shown.len() > FEW {
        shown.truncate(FEW);
        shown.push("…".to_owned());
    }
    shown.join(", ")
}

/// Describes the trusted issuers for the refusal of another one.
pub(crate) fn untrusted_issuer<'a>(
    issuer: &str,
    trusted: impl Iterator<Item = &'a str> + Clone,
) -> AuthorizationError {
    let slash = trusted.clone().find(|known| differ_in_slash(known, issuer));
    let trusted = match slash {
        Some(known) if known.ends_with('/') => format!("`{known}` is, with a slash at its end"),
        Some(known) => format!("`{known}` is, without a slash at its end"),
        None => format!("trusted: {}", list(trusted)),
    };
    AuthorizationError::UntrustedIssuer { issuer: redact::text(issuer), trusted }
}

/// Returns whether two issuers differ in a trailing slash only, which makes them different issuers.
pub(crate) fn differ_in_slash(one: &str, other: &str) -> bool {
    one != other && scitoken_types::same_issuer(one, other)
}

/// Tells that two lists with one audience each differ in a trailing slash only; audiences are compared exactly.
fn slash_note(audience: &str, expected: &str) -> &'static str {
    if differ_in_slash(audience.trim_matches('`'), expected.trim_matches('`')) {
        "; they differ in a slash at the end"
    } else {
        ""
    }
}

fn named(key_id: Option<&str>) -> String {
    key_id.map_or_else(|| "without a `kid`".to_owned(), |id| format!("`{id}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_about_permission_is_forbidden_rather_than_unauthorized() {
        assert!(AuthorizationError::NotGranted.is_scope());
        assert!(!AuthorizationError::Signature.is_scope());
        assert!(
            AuthorizationError::missing("scope").is_scope(),
            "a new token of the same kind would have none either"
        );
        assert!(!AuthorizationError::missing("aud").is_scope());
        assert!(!AuthorizationError::ScopeWithoutPath { scope: "read".to_owned() }.is_scope());
    }

    #[test]
    fn messages_are_lower_case_without_a_full_stop() {
        for refusal in [
            AuthorizationError::TooLong,
            AuthorizationError::UnknownKey {
                key_id: None,
                algorithm: Algorithm::Es256,
                published: "it publishes no key".to_owned(),
            },
            AuthorizationError::missing("exp"),
            AuthorizationError::EndsTooSoon { left: Duration::from_secs(5), wanted: Duration::from_secs(60) },
        ] {
            let text = refusal.to_string();
            assert!(!text.ends_with('.') && !text.starts_with(char::is_uppercase), "{text}");
        }
        assert_eq!(AuthorizationError::missing("exp").to_string(), "the token has no `exp` claim");
    }
}
