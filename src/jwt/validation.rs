//! What is asked of a token.

use std::time::{Duration, SystemTime};

use crate::keys::Algorithm;
use crate::sys::SharedClock;

/// A claim that is looked at without being asked to, if it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Check {
    /// `iat`: the token was not issued in the future.
    IssuedAt,
    /// `nbf`: the token is valid already.
    NotBefore,
    /// `exp`: the token is valid still.
    Expiry,
    /// `iss`: who issued it.
    Issuer,
    /// `aud`: for whom it is.
    Audience,
    /// `sub`: about whom it is.
    Subject,
    /// `jti`: its name is a text.
    TokenId,
}

impl Check {
    /// All of them, in the order in which they are made.
    pub const ALL: [Self; 7] = [
        Self::IssuedAt,
        Self::NotBefore,
        Self::Expiry,
        Self::Issuer,
        Self::Audience,
        Self::Subject,
        Self::TokenId,
    ];

    /// The claim's name: `exp`.
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

    /// The check of a claim, by the claim's name.
    pub fn of_claim(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|check| check.claim() == name)
    }
}

/// What is asked of a token: `decode`'s arguments and options in PyJWT.
///
/// Nothing is guessed from the token. [`allow`](Self::allow) must name the algorithms, unless the key is
/// [bound](super::BoundKey) to one.
///
/// ```
/// use reqwest_scitokens::jwt::{Check, Validation};
/// use reqwest_scitokens::keys::Algorithm;
///
/// let validation = Validation::new()
///     .allow(Algorithm::Es256)
///     .audience("https://data.example.org")
///     .issuer("https://issuer.example.org")
///     .require("exp")
///     .skip(Check::IssuedAt);
/// # let _ = validation;
/// ```
#[derive(Clone, Debug, Default)]
pub struct Validation {
    pub(super) algorithms: Vec<String>,
    pub(super) audience: Option<Expected>,
    pub(super) issuers: Option<Vec<String>>,
    pub(super) subject: Option<String>,
    pub(super) leeway: f64,
    pub(super) required: Vec<String>,
    asked: [Asked; 7],
    pub(super) strict_audience: bool,
    pub(super) enforce_key_strength: bool,
    pub(super) detached_payload: Option<Vec<u8>>,
    clock: SharedClock,
}

/// One audience is not the same as a list with one in it, where the check is strict.
#[derive(Clone, Debug)]
pub(super) enum Expected {
    One(String),
    AnyOf(Vec<String>),
}

#[derive(Clone, Copy, Debug, Default)]
enum Asked {
    #[default]
    No,
    Check,
    Skip,
}

impl Validation {
    /// Every check on, no algorithm allowed yet, the machine's clock, no leeway.
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows an algorithm (`algorithms=[...]`).
    pub fn allow(self, algorithm: Algorithm) -> Self {
        self.allow_name(algorithm.name())
    }

    /// Allows an algorithm by its name. One that is not known here never verifies, `none` included.
    pub fn allow_name(mut self, name: impl Into<String>) -> Self {
        self.algorithms.push(name.into());
        self
    }

    /// The audience that the token must be for (`audience="..."`).
    ///
    /// Without an expected audience a token that names one is refused: it is meant for somebody else.
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(Expected::One(audience.into()));
        self
    }

    /// The audiences of which the token must be for at least one (`audience=[...]`); none of no audiences ever fits.
    pub fn audiences<I: IntoIterator<Item: Into<String>>>(mut self, audiences: I) -> Self {
        self.audience = Some(Expected::AnyOf(audiences.into_iter().map(Into::into).collect()));
        self
    }

    /// The token must be for exactly the one audience that is expected, and for no other (`strict_aud`).
    pub fn strict_audience(mut self) -> Self {
        self.strict_audience = true;
        self
    }

    /// The issuer that the token must be from (`issuer="..."`). It is compared as it stands, not as a URL.
    pub fn issuer(self, issuer: impl Into<String>) -> Self {
        self.issuers([issuer.into()])
    }

    /// The issuers of which the token must be from one (`issuer=[...]`).
    pub fn issuers<I: IntoIterator<Item: Into<String>>>(mut self, issuers: I) -> Self {
        self.issuers = Some(issuers.into_iter().map(Into::into).collect());
        self
    }

    /// The subject that the token must be about, if it names one (`subject="..."`). Require `sub` to have it named.
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }

    /// How far the clocks may differ (`leeway`).
    pub fn leeway(self, leeway: Duration) -> Self {
        self.leeway_seconds(leeway.as_secs_f64())
    }

    /// The same in seconds, which may be negative to ask for more; what is not a number counts as none.
    pub fn leeway_seconds(mut self, seconds: f64) -> Self {
        self.leeway = if seconds.is_nan() { 0.0 } else { seconds };
        self
    }

    /// A claim that must be there and not `null` (`require=[...]`). It is not looked at further.
    pub fn require(mut self, claim: impl Into<String>) -> Self {
        self.required.push(claim.into());
        self
    }

    /// Leaves a check out (`verify_exp=False`).
    pub fn skip(mut self, check: Check) -> Self {
        self.asked[check as usize] = Asked::Skip;
        self
    }

    /// Makes a check even where the signature is not verified (`verify_exp=True`).
    pub fn check(mut self, check: Check) -> Self {
        self.asked[check as usize] = Asked::Check;
        self
    }

    /// Refuses keys that are shorter than their algorithm asks for (`enforce_minimum_key_length`), instead of a
    /// warning in the log.
    pub fn enforce_key_strength(mut self) -> Self {
        self.enforce_key_strength = true;
        self
    }

    /// The payload, where it does not travel in the token (`detached_payload`, RFC 7797).
    pub fn detached_payload(mut self, payload: impl Into<Vec<u8>>) -> Self {
        self.detached_payload = Some(payload.into());
        self
    }

    /// Reads the time from this clock.
    pub fn clock(mut self, clock: impl Into<SharedClock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// Whether a check is made; without being asked for, only on verified tokens.
    pub(super) fn makes(&self, check: Check, is_verified: bool) -> bool {
        match self.asked[check as usize] {
            Asked::No => is_verified,
            Asked::Check => true,
            Asked::Skip => false,
        }
    }

    /// Seconds since the epoch, with their fraction.
    pub(super) fn now(&self) -> f64 {
        let now = self.clock.now();
        match now.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => since.as_secs_f64(),
            Err(before) => -before.duration().as_secs_f64(),
        }
    }
}
