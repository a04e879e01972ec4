//! Why a token is refused: one variant a rule.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use super::Profile;
use crate::token::InvalidCapability;

/// The rule that a token, or what somebody wants to do with it, did not satisfy.
///
/// Whoever serves a request branches on it: [`Refusal::is_scope`] is a `403 insufficient_scope`, everything else
/// a `401 invalid_token` (RFC 6750 section 3.1). Texts that come from the token are cleaned and cut, so that they
/// can be logged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The text is longer than [`MAX_TOKEN_LENGTH`](crate::MAX_TOKEN_LENGTH).
    #[error("the token is longer than {limit} bytes", limit = crate::MAX_TOKEN_LENGTH)]
    TooLong,
    /// The text is not three parts of base64url with dots between them.
    #[error("it is no signed JWT: not three base64url parts with dots between them")]
    NotJwt,
    /// Header or payload are not one JSON object.
    #[error("the token's {part} is not a JSON object")]
    NotJson {
        /// `header` or `payload`.
        part: &'static str,
    },
    /// A claim or header parameter stands there twice (RFC 7519 section 4 lets us refuse).
    #[error("the token has `{name}` twice")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// A claim or header parameter has another type than the profile says.
    #[error("`{name}` is not {expected}")]
    WrongType {
        /// The name.
        name: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// The header has `crit`: the token must not be used by who does not know the extension (RFC 7515 section
    /// 4.1.11), and we know none.
    #[error("the token's header demands extensions (`crit`) that are not known here")]
    CriticalHeader,
    /// The token is not signed with an algorithm that is accepted here.
    #[error("tokens signed with `{algorithm}` are not accepted here")]
    Algorithm {
        /// What the header says.
        algorithm: String,
    },
    /// A claim that the profile demands is not there.
    #[error("the token has no `{claim}`")]
    MissingClaim {
        /// The claim.
        claim: Cow<'static, str>,
    },
    /// Nobody here trusts who made the token.
    #[error("issuer `{issuer}` is not trusted here")]
    UntrustedIssuer {
        /// `iss`.
        issuer: String,
    },
    /// The issuer publishes no key that the token could be signed with.
    #[error("the issuer publishes no key {} that fits the token's algorithm", named(key_id.as_deref()))]
    UnknownKey {
        /// `kid`, if the token has one.
        key_id: Option<String>,
    },
    /// The token names no key and the issuer publishes several that fit.
    #[error("the token names no key (`kid`) and its issuer publishes more than one")]
    AmbiguousKey,
    /// The signature is not by the issuer's key.
    #[error("the signature does not fit")]
    Signature,
    /// `ver` or `wlcg.ver` is of no known profile.
    #[error("profile `{marker}` is not known here")]
    UnknownProfile {
        /// What `ver` or `wlcg.ver` says.
        marker: String,
    },
    /// The profile is known but not wanted.
    #[error("tokens of profile {profile} are not accepted here")]
    ProfileNotAccepted {
        /// The token's profile.
        profile: Profile,
    },
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired {
        /// `exp`.
        since: SystemTime,
    },
    /// `nbf` is yet to come.
    #[error("the token is not valid yet")]
    NotYetValid {
        /// `nbf`.
        from: SystemTime,
    },
    /// `iat` lies in the future.
    #[error("the token says that it was made in the future")]
    IssuedInFuture {
        /// `iat`.
        at: SystemTime,
    },
    /// The token ends sooner than is asked for.
    #[error("the token ends in {} s, and {} s are asked for", left.as_secs(), wanted.as_secs())]
    EndsTooSoon {
        /// What is left of it.
        left: Duration,
        /// What is asked for.
        wanted: Duration,
    },
    /// `aud` has none of the audiences of this server.
    #[error("the token is meant for another server (audience {audience})")]
    WrongAudience {
        /// `aud`, as a list for people.
        audience: String,
    },
    /// The token is meant for somebody, and nobody said who this server is.
    #[error("the token is meant for audience {audience}, and no audience is configured here")]
    NoAudienceConfigured {
        /// `aud`, as a list for people.
        audience: String,
    },
    /// A claim that nobody here understands, in a profile where each one must be (SciTokens 1.0).
    #[error("claim `{claim}` is not known here, and the token's profile demands that each one is")]
    UnknownClaim {
        /// The claim.
        claim: String,
    },
    /// A validator of the caller's said no.
    #[error("claim `{claim}` is refused: {reason}")]
    ClaimRefused {
        /// The claim.
        claim: String,
        /// What the validator said.
        reason: String,
    },
    /// A scope of the token is malformed, so none of them is trusted.
    #[error("scope `{scope}` is malformed: {reason}")]
    MalformedScope {
        /// The scope.
        scope: String,
        /// What is wrong with it.
        reason: InvalidCapability,
    },
    /// A scope that means nothing without a path has none (WLCG: such a token MUST be rejected).
    #[error("scope `{scope}` has no path, and means nothing without one")]
    ScopeWithoutPath {
        /// The scope.
        scope: String,
    },
    /// No scope of the token allows it.
    #[error("no scope of the token allows this")]
    NotGranted,
    /// The issuer may grant what lies beneath its base path only, and this does not.
    #[error("the token's issuer has no say about this path")]
    OutsideOfIssuer,
    /// The question names no authorization; nobody is allowed to do nothing in particular.
    #[error("no authorization was asked for")]
    NothingAsked,
    /// The token's user is not in the group.
    #[error("the token is not for a member of group `{group}`")]
    NotInGroup {
        /// The group.
        group: String,
    },
}

impl Refusal {
    /// Whether the token itself is good, but not good enough for this request: `403`, not `401`.
    pub fn is_scope(&self) -> bool {
        match self {
            Self::NotGranted | Self::OutsideOfIssuer | Self::NothingAsked | Self::NotInGroup { .. } => true,
            // A token without any scope is a token of groups or of identity, which are good ones.
            Self::MissingClaim { claim } => claim == "scope",
            _ => false,
        }
    }

    /// Whether another token of the same kind may be accepted: this one has merely ended, or has not begun.
    pub fn is_about_time(&self) -> bool {
        matches!(
            self,
            Self::Expired { .. }
                | Self::NotYetValid { .. }
                | Self::IssuedInFuture { .. }
                | Self::EndsTooSoon { .. }
        )
    }

    /// A word for machines, which stays the same when the sentence changes: `expired`, `wrong_audience`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::NotJwt => "not_jwt",
            Self::NotJson { .. } => "not_json",
            Self::Duplicate { .. } => "duplicate",
            Self::WrongType { .. } => "wrong_type",
            Self::CriticalHeader => "critical_header",
            Self::Algorithm { .. } => "algorithm",
            Self::MissingClaim { .. } => "missing_claim",
            Self::UntrustedIssuer { .. } => "untrusted_issuer",
            Self::UnknownKey { .. } => "unknown_key",
            Self::AmbiguousKey => "ambiguous_key",
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
            Self::OutsideOfIssuer => "outside_of_issuer",
            Self::NothingAsked => "nothing_asked",
            Self::NotInGroup { .. } => "not_in_group",
        }
    }

    pub(super) fn missing(claim: &'static str) -> Self {
        Self::MissingClaim { claim: Cow::Borrowed(claim) }
    }
}

fn named(key_id: Option<&str>) -> String {
    key_id.map_or_else(|| "without a name".to_owned(), |id| format!("`{id}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_about_permission_is_forbidden_rather_than_unauthorized() {
        assert!(Refusal::NotGranted.is_scope());
        assert!(!Refusal::Signature.is_scope());
        assert!(Refusal::missing("scope").is_scope(), "a new token of the same kind would have none either");
        assert!(!Refusal::missing("aud").is_scope());
        assert!(!Refusal::ScopeWithoutPath { scope: "read".to_owned() }.is_scope());
    }

    #[test]
    fn messages_are_lower_case_without_a_full_stop() {
        for refusal in [
            Refusal::TooLong,
            Refusal::UnknownKey { key_id: None },
            Refusal::missing("exp"),
            Refusal::EndsTooSoon { left: Duration::from_secs(5), wanted: Duration::from_secs(60) },
        ] {
            let text = refusal.to_string();
            assert!(!text.ends_with('.') && !text.starts_with(char::is_uppercase), "{text}");
        }
        assert_eq!(Refusal::missing("exp").to_string(), "the token has no `exp`");
    }
}
