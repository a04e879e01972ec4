//! Bearer tokens, unverified.
//!
//! [`AccessToken`] is the secret itself, opaque or a JWT. Its [claims](UnverifiedClaims) are read without a key, to
//! *choose* between tokens and to *explain* a refusal, never to grant access.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::invalid_token;
use crate::{InvalidToken, InvalidTokenKind, UnusableClaim, UnverifiedClaims};

/// A bearer token: a secret that is never shown.
///
/// It is any text that RFC 6750 section 2.1 allows in an `Authorization: Bearer` header, such as a JWT or one of
/// Rubin's `gt-` tokens; no claim is required. Clones share one buffer, which is zeroed when the last one is dropped (the
/// copy in the header value is not). `Debug` is redacted; there is no `Display` and no `Serialize`.
///
/// ```
/// use scitoken_types::AccessToken;
///
/// let token = AccessToken::new("c2VjcmV0")?;
/// assert_eq!(token.expose_secret(), "c2VjcmV0");
/// assert_eq!(format!("{token:?}"), "AccessToken(opaque, 8 bytes)");
/// # Ok::<(), scitoken_types::InvalidToken>(())
/// ```
#[derive(Clone)]
pub struct AccessToken {
    secret: Arc<Secret>,
    expires_at: Option<SystemTime>,
    origin_label: Option<Arc<str>>,
    max_age: Option<Duration>,
}

struct Secret {
    text: SecretString,
    header: HeaderValue,
    claims: OnceLock<Option<UnverifiedClaims>>,
}

impl AccessToken {
    /// Takes a token without white space around it; for texts of other forms see [`TokenText`](crate::TokenText).
    ///
    /// # Errors
    /// [`InvalidToken`] when the text is not an RFC 6750 token; it says what the text is instead.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidToken> {
        let text = text.into();
        invalid_token::check(&text)?;
        let mut header = HeaderValue::try_from(format!("Bearer {text}"))
            .map_err(|_| InvalidToken::from(InvalidTokenKind::ForeignCharacter))?;
        header.set_sensitive(true);
        let secret = Secret { text: SecretString::from(text), header, claims: OnceLock::new() };
        Ok(Self { secret: Arc::new(secret), expires_at: None, origin_label: None, max_age: None })
    }

    /// Returns the token itself, for code that hands it on.
    pub fn expose_secret(&self) -> &str {
        self.secret.text.expose_secret()
    }

    /// Sets when the token expires, for tokens without an `exp` claim.
    pub fn with_expiry(mut self, expires_at: SystemTime) -> Self {
        self.expires_at = Some(expires_at);
        self
    }

    /// Sets where the token came from, for traces and messages: `file /run/user/1000/bt_u1000`.
    pub fn with_origin_label(mut self, place: impl Into<Arc<str>>) -> Self {
        self.origin_label = Some(place.into());
        self
    }

    /// Sets how long a cache may return the token before it asks the source again.
    ///
    /// The default is about a second, because batch systems replace tokens under running jobs. A source whose answer is
    /// expensive (a process, a network) sets more. Zero means that the token was chosen for one request and is for no other.
    /// The token's own expiry always limits it.
    pub fn with_max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// Returns where the token came from.
    pub fn origin_label(&self) -> Option<&str> {
        self.origin_label.as_deref()
    }

    /// Returns how long a cache may return the token before it asks the source again, if the source set it.
    pub fn max_age(&self) -> Option<Duration> {
        self.max_age
    }

    /// Returns the claims of the token if it is a JWT. They are not verified.
    pub fn claims(&self) -> Option<&UnverifiedClaims> {
        self.secret.claims.get_or_init(|| UnverifiedClaims::read(self.expose_secret())).as_ref()
    }

    /// Returns when the token expires: the earlier of what its source set and its `exp` claim; `None` if unknown.
    pub fn expires_at(&self) -> Option<SystemTime> {
        let claimed = self.claims().and_then(UnverifiedClaims::expires_at);
        match (self.expires_at, claimed) {
            (Some(stated), Some(claimed)) => Some(stated.min(claimed)),
            (stated, claimed) => stated.or(claimed),
        }
    }

    /// Returns why the `exp` claim of the token has no value that verifiers accept; `None` if it is absent or usable.
    pub fn unusable_expiry(&self) -> Option<UnusableClaim> {
        self.claims()?.unusable("exp")
    }

    /// Returns whether the token is known to have expired at `now` (RFC 7519 section 4.1.4: on or after `exp`).
    pub fn is_expired_at(&self, now: SystemTime) -> bool {
        self.expires_at().is_some_and(|end| end <= now)
    }

    /// Returns whether the token is not known to expire within `margin` from `now`.
    pub fn is_valid_for(&self, margin: Duration, now: SystemTime) -> bool {
        self.expires_at().is_none_or(|end| now.checked_add(margin).is_some_and(|then| then < end))
    }

    /// Returns the `Authorization` header value, marked sensitive.
    pub fn header(&self) -> &HeaderValue {
        &self.secret.header
    }
}

/// Compares the secrets in constant time; the origin label does not count.
impl PartialEq for AccessToken {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.secret, &other.secret)
            || bool::from(self.expose_secret().as_bytes().ct_eq(other.expose_secret().as_bytes()))
    }
}

impl Eq for AccessToken {}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.claims().is_some() { "jwt" } else { "opaque" };
        write!(f, "AccessToken({kind}, {} bytes", self.expose_secret().len())?;
        if let Some(place) = &self.origin_label {
            write!(f, ", {place}")?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn the_header_is_exactly_bearer_blank_token_and_sensitive() {
        let token = AccessToken::new("gt-a.b").unwrap();
        assert_eq!(token.header().as_bytes(), b"Bearer gt-a.b");
        assert!(token.header().is_sensitive());
        assert!(!format!("{:?}", token.header()).contains("gt-a"));
    }

    #[test]
    fn an_opaque_token_never_expires_unless_its_source_says_so() {
        let token = AccessToken::new("opaque").unwrap();
        assert!(token.is_valid_for(Duration::MAX, at(0)));
        let token = token.with_expiry(at(1_000));
        assert!(!token.is_expired_at(at(999)));
        assert!(token.is_expired_at(at(1_000)));
        assert!(token.is_valid_for(Duration::from_secs(60), at(939)));
        assert!(!token.is_valid_for(Duration::from_secs(60), at(940)));
    }

    #[test]
    fn equality_is_about_the_secret_only() {
        let a = AccessToken::new("one").unwrap().with_origin_label("here");
        assert_eq!(a, AccessToken::new("one").unwrap().with_expiry(at(5)));
        assert_ne!(a, AccessToken::new("two").unwrap());
    }
}
