//! The errors of this crate: every exception of PyJWT.

use std::borrow::Cow;
use std::sync::Arc;

use crate::fetch::FetchError;
use crate::keys::{KeyError, Weakness};

/// A token, key or key set is refused.
///
/// Each variant corresponds to one exception of PyJWT; [`pyjwt_name`](Self::pyjwt_name) returns its name.
/// [`is_invalid_token`](Self::is_invalid_token) and [`is_decode`](Self::is_decode) correspond to the base classes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JwtError {
    /// `InvalidTokenError`: the header has an invalid `kid`, `crit` or `b64`.
    #[error("invalid token header: {reason}")]
    InvalidToken {
        /// What is wrong.
        reason: Cow<'static, str>,
    },
    /// `DecodeError`: the token is malformed, or a time in it is not a number.
    #[error("malformed token: {reason}")]
    Decode {
        /// What is wrong.
        reason: Cow<'static, str>,
        /// The claim that is the cause, if it is one.
        claim: Option<&'static str>,
    },
    /// `InvalidSignatureError`: the signature does not verify with the key.
    #[error("signature verification failed: the token was changed or signed with another key")]
    InvalidSignature,
    /// `ExpiredSignatureError`: `exp` has passed.
    #[error("the token has expired")]
    ExpiredSignature,
    /// `ImmatureSignatureError`: `nbf` or `iat` lies in the future.
    #[error("the token is not valid yet, its `{claim}` lies in the future; compare the clocks")]
    ImmatureSignature {
        /// `nbf` or `iat`.
        claim: &'static str,
    },
    /// `InvalidAudienceError`: `aud` is not one of those expected.
    #[error("audience mismatch: {reason}")]
    InvalidAudience {
        /// The difference.
        reason: Cow<'static, str>,
    },
    /// `InvalidIssuerError`: `iss` is not one of those expected.
    #[error("issuer mismatch: {reason}")]
    InvalidIssuer {
        /// The difference.
        reason: Cow<'static, str>,
    },
    /// `InvalidSubjectError`: `sub` is not the one expected, or not a string.
    #[error("subject mismatch: {reason}")]
    InvalidSubject {
        /// The difference.
        reason: Cow<'static, str>,
    },
    /// `InvalidJTIError`: `jti` is not a string.
    #[error("`jti` is not a string")]
    InvalidJti,
    /// `InvalidIssuedAtError`: `iat` is not a number.
    #[error("`iat` is not an integer")]
    InvalidIssuedAt,
    /// `MissingRequiredClaimError`: a required claim is missing or `null`.
    #[error("the token has no `{claim}` claim, which is required")]
    MissingRequiredClaim {
        /// The claim.
        claim: String,
    },
    /// `InvalidAlgorithmError`: the token's `alg` is not one of those allowed.
    #[error("the token's algorithm is not allowed: {reason}")]
    InvalidAlgorithm {
        /// What is wrong.
        reason: Cow<'static, str>,
    },
    /// `InvalidKeyError`: the key cannot be parsed, or does not support the algorithm.
    #[error("the key cannot be used")]
    InvalidKey(#[source] KeyError),
    /// `InvalidKeyError`: the key is too short, and the caller asked to refuse short keys.
    #[error("the key is too weak")]
    WeakKey(#[source] Weakness),
    /// `NotImplementedError`: the algorithm is unknown, when encoding.
    #[error("the token cannot be signed")]
    UnsupportedAlgorithm(#[source] KeyError),
    /// `TypeError`: the claims are not an object, or `iss` is not a string, when encoding.
    #[error("the claims cannot be encoded: {reason}")]
    InvalidClaims {
        /// What is wrong.
        reason: Cow<'static, str>,
    },
    /// `PyJWKError`: the JWK names an unknown algorithm.
    #[error("the JWK cannot be used")]
    Jwk(#[source] KeyError),
    /// `PyJWKSetError`: the key set has no usable key.
    #[error("the key set at `{url}` has no usable key")]
    JwkSet {
        /// The URL of the set.
        url: String,
    },
    /// `PyJWKClientError`: the key set does not include the key.
    #[error("the key set at `{url}` has no signature key {}", name_of(key_id.as_deref()))]
    JwkClient {
        /// The URL of the set.
        url: String,
        /// The `kid`; `None` if the token has none.
        key_id: Option<String>,
    },
    /// `PyJWKClientConnectionError`, or `PyJWKClientError` if the answer is not a key set.
    #[error("failed to obtain the issuer's keys")]
    JwkClientConnection(#[source] Arc<FetchError>),
}

fn name_of(key_id: Option<&str>) -> String {
    key_id.map_or_else(
        || "to choose: the token has no `kid`".to_owned(),
        |key_id| format!("with the `kid` `{}`", scitoken_types::redact::text(key_id)),
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

    /// Returns the name of PyJWT's exception: `ExpiredSignatureError`.
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

    /// Returns whether the token is the cause (`InvalidTokenError`), not the key or the network.
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

    /// Returns whether the token is malformed or its signature is wrong (`DecodeError`).
    pub fn is_decode(&self) -> bool {
        matches!(self, Self::Decode { .. } | Self::InvalidSignature)
    }

    /// Returns the claim that is the cause.
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
