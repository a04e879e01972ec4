//! What can be wrong with a token, a key or a key set: every exception of PyJWT.

use std::borrow::Cow;
use std::sync::Arc;

use crate::keys::fetch::FetchError;
use crate::keys::{KeyError, Weakness};

/// A token, key or key set is not accepted.
///
/// Each variant is one exception of PyJWT and means the same; [`pyjwt_name`](Self::pyjwt_name) gives its name.
/// [`is_invalid_token`](Self::is_invalid_token) and [`is_decode`](Self::is_decode) stand for its base classes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JwtError {
    /// `InvalidTokenError`: the header says what must not be, in `kid`, `crit` or `b64`.
    #[error("the token's header is not acceptable: {reason}")]
    InvalidToken {
        /// What is wrong.
        reason: Cow<'static, str>,
    },
    /// `DecodeError`: the token has not the form of a token, or a time in it is no number.
    #[error("the token cannot be read: {reason}")]
    Decode {
        /// What is wrong.
        reason: Cow<'static, str>,
        /// The claim that is to blame, if it is one.
        claim: Option<&'static str>,
    },
    /// `InvalidSignatureError`: the signature is not that of the key over this token.
    #[error(
        "the token's signature does not belong to it and the key; it was changed, or another key signed it"
    )]
    InvalidSignature,
    /// `ExpiredSignatureError`: `exp` has passed.
    #[error("the token has expired, its `exp` lies before now")]
    ExpiredSignature,
    /// `ImmatureSignatureError`: `nbf` or `iat` lies in the future.
    #[error("the token is not valid yet, its `{claim}` lies in the future; compare the clocks")]
    ImmatureSignature {
        /// `nbf` or `iat`.
        claim: &'static str,
    },
    /// `InvalidAudienceError`: `aud` is not one of those expected.
    #[error("the token is for another audience: {reason}")]
    InvalidAudience {
        /// What is wrong.
        reason: Cow<'static, str>,
    },
    /// `InvalidIssuerError`: `iss` is not one of those expected.
    #[error("the token is from another issuer: {reason}")]
    InvalidIssuer {
        /// What is wrong.
        reason: Cow<'static, str>,
    },
    /// `InvalidSubjectError`: `sub` is not the one expected, or no text.
    #[error("the token is about another subject: {reason}")]
    InvalidSubject {
        /// What is wrong.
        reason: Cow<'static, str>,
    },
    /// `InvalidJTIError`: `jti` is no text.
    #[error("the token's `jti` is not a text")]
    InvalidJti,
    /// `InvalidIssuedAtError`: `iat` is no number.
    #[error("the token's `iat` is not a whole number")]
    InvalidIssuedAt,
    /// `MissingRequiredClaimError`: a claim that must be there is not, or is `null`.
    #[error("the token has no `{claim}`, which is required")]
    MissingRequiredClaim {
        /// The claim.
        claim: String,
    },
    /// `InvalidAlgorithmError`: the token's `alg` is not one of those allowed.
    #[error("the token's algorithm is not acceptable: {reason}")]
    InvalidAlgorithm {
        /// What is wrong.
        reason: Cow<'static, str>,
    },
    /// `InvalidKeyError`: the key cannot be read, or is not for this algorithm.
    #[error("the key is not acceptable")]
    InvalidKey(#[source] KeyError),
    /// `InvalidKeyError`: the key is too short, where that was asked to be an error.
    #[error("the key is too weak")]
    WeakKey(#[source] Weakness),
    /// `NotImplementedError`: no such algorithm, when encoding.
    #[error("the token cannot be made")]
    UnsupportedAlgorithm(#[source] KeyError),
    /// `TypeError`: the claims are no object, or `iss` is no text, when encoding.
    #[error("the claims cannot be encoded: {reason}")]
    InvalidClaims {
        /// What is wrong.
        reason: Cow<'static, str>,
    },
    /// `PyJWKError`: the JWK names an algorithm that is not known.
    #[error("the JWK cannot be used")]
    Jwk(#[source] KeyError),
    /// `PyJWKSetError`: the key set has no key that can be used.
    #[error("the key set of `{url}` has no key that can be used")]
    JwkSet {
        /// Where the set is from.
        url: String,
    },
    /// `PyJWKClientError`: the key set was got, but not the key.
    #[error("the key set of `{url}` has no key for signatures {}", name_of(key_id.as_deref()))]
    JwkClient {
        /// Where the set is from.
        url: String,
        /// The `kid` that was looked for; `None` when the token names none.
        key_id: Option<String>,
    },
    /// `PyJWKClientConnectionError`, or `PyJWKClientError` when the answer is no key set.
    #[error("the issuer's keys cannot be had")]
    JwkClientConnection(#[source] Arc<FetchError>),
}

fn name_of(key_id: Option<&str>) -> String {
    key_id.map_or_else(
        || "that could be meant, because the token names none (`kid`)".to_owned(),
        |key_id| format!("with the name `{}`", crate::redact::text(key_id)),
    )
}

impl JwtError {
    pub(super) fn token(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::InvalidToken { reason: reason.into() }
    }

    pub(super) fn decode(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Decode { reason: reason.into(), claim: None }
    }

    pub(super) fn algorithm(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::InvalidAlgorithm { reason: reason.into() }
    }

    pub(super) fn missing(claim: &str) -> Self {
        Self::MissingRequiredClaim { claim: claim.to_owned() }
    }

    /// The name of PyJWT's exception: `ExpiredSignatureError`.
    pub fn pyjwt_name(&self) -> &'static str {
        match self {
            Self::InvalidToken { .. } => "InvalidTokenError",
            Self::Decode { .. } => "DecodeError",
            Self::InvalidSignature => "InvalidSignatureError",
            Self::ExpiredSignature => "ExpiredSignatureError",
            Self::ImmatureSignature { .. } => "ImmatureSignatureError",
            Self::InvalidAudience { .. } => "InvalidAudienceError",
            Self::InvalidIssuer { .. } => "InvalidIssuerError",
            Self::InvalidSubject { .. } => "InvalidSubjectError",
            Self::InvalidJti => "InvalidJTIError",
            Self::InvalidIssuedAt => "InvalidIssuedAtError",
            Self::MissingRequiredClaim { .. } => "MissingRequiredClaimError",
            Self::InvalidAlgorithm { .. } => "InvalidAlgorithmError",
            Self::InvalidKey(_) | Self::WeakKey(_) => "InvalidKeyError",
            Self::UnsupportedAlgorithm(_) => "NotImplementedError",
            Self::InvalidClaims { .. } => "TypeError",
            Self::Jwk(_) => "PyJWKError",
            Self::JwkSet { .. } => "PyJWKSetError",
            Self::JwkClient { .. } => "PyJWKClientError",
            Self::JwkClientConnection(error) if error.is_malformed() => "PyJWKClientError",
            Self::JwkClientConnection(_) => "PyJWKClientConnectionError",
        }
    }

    /// Whether the token is to blame (`InvalidTokenError`), not the key or the network.
    pub fn is_invalid_token(&self) -> bool {
        matches!(
            self,
            Self::InvalidToken { .. }
                | Self::Decode { .. }
                | Self::InvalidSignature
                | Self::ExpiredSignature
                | Self::ImmatureSignature { .. }
                | Self::InvalidAudience { .. }
                | Self::InvalidIssuer { .. }
                | Self::InvalidSubject { .. }
                | Self::InvalidJti
                | Self::InvalidIssuedAt
                | Self::MissingRequiredClaim { .. }
                | Self::InvalidAlgorithm { .. }
        )
    }

    /// Whether the token has not the form of a token, or not its own signature (`DecodeError`).
    pub fn is_decode(&self) -> bool {
        matches!(self, Self::Decode { .. } | Self::InvalidSignature)
    }

    /// The claim that is to blame.
    pub fn claim(&self) -> Option<&str> {
        match self {
            Self::Decode { claim, .. } => *claim,
            Self::ExpiredSignature => Some("exp"),
            Self::ImmatureSignature { claim } => Some(claim),
            Self::InvalidAudience { .. } => Some("aud"),
            Self::InvalidIssuer { .. } => Some("iss"),
            Self::InvalidSubject { .. } => Some("sub"),
            Self::InvalidJti => Some("jti"),
            Self::InvalidIssuedAt => Some("iat"),
            Self::MissingRequiredClaim { claim } => Some(claim),
            _ => None,
        }
    }
}
