//! What a token must satisfy.

use std::time::{Duration, SystemTime};

use crate::keys::Algorithm;
use scitoken_types::sys::SharedClock;

/// A claim that is checked by default if it is present.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ClaimCheck {
    /// `iat`: the token was not issued in the future.
    IssuedAt,
    /// `nbf`: the token is valid already.
    NotBefore,
    /// `exp`: the token has not expired.
    Expiry,
    /// `iss`: the issuer is the expected one.
    Issuer,
    /// `aud`: the audience is the expected one.
    Audience,
    /// `sub`: the subject is the expected one.
    Subject,
    /// `jti`: the identifier is a string.
    TokenId,
}

impl ClaimCheck {
    /// All checks in the order in which they run.
    pub const ALL: [Self; 7] = [
        Self::IssuedAt,
        Self::NotBefore,
        Self::Expiry,
        Self::Issuer,
        Self::Audience,
        Self::Subject,
        Self::TokenId,
    ];

    /// Returns the name of the claim: `exp`.
    pub fn claim(self) -> &'static str {
        match self {
            Self::IssuedAt => "iat",
            Self::NotBefore => "nbf",
            Self::Expiry => "exp",
            Self::Issuer => "iss",
            Self::Audience => "aud",
            Self::Subject => "sub",
            Self::TokenId => "jti",
        }
    }

    /// Returns the check of a claim by the claim's name.
    pub fn of_claim(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|check| check.claim() == name)
    }
}

/// What a token must satisfy: `decode`'s arguments and options in PyJWT.
///
/// The token decides nothing: [`allow`](Self::allow) must name the algorithms, unless the key is
/// [bound](super::BoundKey) to one.
///
/// ```
/// use scitoken_jwt::{ClaimCheck, Validation};
/// use scitoken_jwt::keys::Algorithm;
///
/// let validation = Validation::new()
///     .allow(Algorithm::Es256)
///     .audience("https://data.example.org")
///     .issuer("https://issuer.example.org")
///     .require("exp")
///     .skip(ClaimCheck::IssuedAt);
/// # let _ = validation;
/// ```
#[derive(Clone, Debug, Default)]
pub struct Validation {
    pub(super) algorithms: Vec<String>,
    pub(super) audience: Option<ExpectedAudience>,
    pub(super) issuers: Option<Vec<String>>,
    pub(super) subject: Option<String>,
    pub(super) leeway: f64,
    pub(super) required: Vec<String>,
    asked: [CheckMode; 7],
    pub(super) strict_audience: bool,
    pub(super) enforce_key_strength: bool,
    pub(super) detached_payload: Option<Vec<u8>>,
    clock: SharedClock,
}

/// With a strict check, one audience differs from a list of one.
#[derive(Clone, Debug)]
pub(super) enum ExpectedAudience {
    One(String),
    AnyOf(Vec<String>),
}

#[derive(Clone, Copy, Debug, Default)]
enum CheckMode {
    #[default]
    Default,
    ClaimCheck,
    Skip,
}

impl Validation {
    /// Returns a validation with every check, no allowed algorithm, the system's clock and no leeway.
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows an algorithm (`algorithms=[...]`).
    pub fn allow(self, algorithm: Algorithm) -> Self {
        self.allow_name(algorithm.name())
    }

    /// Allows an algorithm by its name. An unknown one never verifies, `none` included.
    pub fn allow_name(mut self, name: impl Into<String>) -> Self {
        self.algorithms.push(name.into());
        self
    }

    /// Expects this audience (`audience="..."`).
    ///
    /// Without an expected audience, a token that has one is refused, because it is meant for another service.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(ExpectedAudience::One(audience.into()));
        self
    }

    /// Expects one of these audiences (`audience=[...]`); an empty list fits no token.
    pub fn audiences<I: IntoIterator<Item: Into<String>>>(mut self, audiences: I) -> Self {
        self.audience = Some(ExpectedAudience::AnyOf(audiences.into_iter().map(Into::into).collect()));
        self
    }

    /// Expects exactly one audience and no other (`strict_aud`).
    pub fn strict_audience(mut self) -> Self {
        self.strict_audience = true;
        self
    }

    /// Expects this issuer (`issuer="..."`), compared as a string, not as a URL.
    pub fn issuer(self, issuer: impl Into<String>) -> Self {
        self.issuers([issuer.into()])
    }

    /// Expects one of these issuers (`issuer=[...]`).
    pub fn issuers<I: IntoIterator<Item: Into<String>>>(mut self, issuers: I) -> Self {
        self.issuers = Some(issuers.into_iter().map(Into::into).collect());
        self
    }

    /// Expects this subject, if the token has one (`subject="..."`). [Require](Self::require) `sub` to refuse tokens
    /// without.
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// Sets the tolerance for the times in a token (`leeway`).
    pub fn leeway(self, leeway: Duration) -> Self {
        self.leeway_seconds(leeway.as_secs_f64())
    }

    /// Sets the tolerance in seconds. A negative one makes the checks stricter; NaN counts as zero.
    pub fn leeway_seconds(mut self, seconds: f64) -> Self {
        self.leeway = if seconds.is_nan() { 0.0 } else { seconds };
        self
    }

    /// Requires a claim to be present and not `null` (`require=[...]`).
    pub fn require(mut self, claim: impl Into<String>) -> Self {
        self.required.push(claim.into());
        self
    }

    /// Skips a check (`verify_exp=False`).
    pub fn skip(mut self, check: ClaimCheck) -> Self {
        self.asked[check as usize] = CheckMode::Skip;
        self
    }

    /// Runs a check even if the signature is not verified (`verify_exp=True`).
    pub fn check(mut self, check: ClaimCheck) -> Self {
        self.asked[check as usize] = CheckMode::ClaimCheck;
        self
    }

    /// Refuses keys that are shorter than their algorithm asks for (`enforce_minimum_key_length`), instead of logging
    /// a warning.
    pub fn enforce_key_strength(mut self) -> Self {
        self.enforce_key_strength = true;
        self
    }

    /// Sets the payload of a token whose payload is detached (`detached_payload`, RFC 7797).
    pub fn detached_payload(mut self, payload: impl Into<Vec<u8>>) -> Self {
        self.detached_payload = Some(payload.into());
        self
    }

    /// Reads the time from this clock.
    pub fn clock(mut self, clock: impl Into<SharedClock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// Returns whether a check runs; by default it does for verified tokens only.
    pub(super) fn runs(&self, check: ClaimCheck, is_verified: bool) -> bool {
        match self.asked[check as usize] {
            CheckMode::Default => is_verified,
            CheckMode::ClaimCheck => true,
            CheckMode::Skip => false,
        }
    }

    /// Returns the seconds since the epoch with their fraction.
    pub(super) fn now(&self) -> f64 {
        let now = self.clock.now();
        match now.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => since.as_secs_f64(),
            Err(before) => -before.duration().as_secs_f64(),
        }
    }
}
