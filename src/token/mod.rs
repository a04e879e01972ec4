//! What a bearer token is, before anybody verified anything about it.
//!
//! [`AccessToken`] is the secret itself, opaque or a JWT. Its [claims](UnverifiedClaims) are read without a key
//! and therefore only ever used to *choose* between tokens and to *explain* a refusal, never to grant anything.

mod audience;
mod capability;
mod claims;
mod mistake;
mod path;
mod scope;

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use http::HeaderValue;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

pub use audience::{Audience, default_audience};
pub use capability::{Capability, InvalidCapability};
pub use claims::UnverifiedClaims;
#[cfg(feature = "aws-lc-rs")]
pub(crate) use claims::numeric_date;
pub use mistake::{InvalidToken, Mistake};
pub use path::{InvalidPath, ResourcePath};
pub use scope::{InvalidScope, Scope};

/// The longest token that is accepted, in bytes.
///
/// Tokens with many groups reach some kilobytes, and servers refuse header lines long before this.
pub const MAX_TOKEN_LENGTH: usize = 64 * 1024;

/// A bearer token: a secret that is shown to nobody.
///
/// It is any text that RFC 6750 section 2.1 allows in an `Authorization: Bearer` header, be it a JWT, one of
/// Rubin's `gt-` tokens or something else; no claim is ever required of it. Clones share one
/// buffer, which is zeroed when the last one goes (the copy in the header value is not). `Debug` is redacted, there is no `Display` and no `Serialize`.
///
/// ```
/// use reqwest_scitokens::AccessToken;
///
/// let token = AccessToken::new("c2VjcmV0")?;
/// assert_eq!(token.expose_secret(), "c2VjcmV0");
/// assert_eq!(format!("{token:?}"), "AccessToken(opaque, 8 bytes)");
/// # Ok::<(), reqwest_scitokens::InvalidToken>(())
/// ```
#[derive(Clone)]
pub struct AccessToken {
    secret: Arc<Secret>,
    expires_at: Option<SystemTime>,
    found_in: Option<Arc<str>>,
    reuse: Option<Duration>,
}

struct Secret {
    text: SecretString,
    header: HeaderValue,
    claims: OnceLock<Option<UnverifiedClaims>>,
}

impl AccessToken {
    /// Takes a token as it stands, without white space around it.
    ///
    /// # Errors
    /// [`InvalidToken`] when the text is no RFC 6750 token; it says which of the usual mistakes was made.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidToken> {
        let text = text.into();
        mistake::check(&text)?;
        let mut header = HeaderValue::try_from(format!("Bearer {text}"))
            .map_err(|_| InvalidToken::from(Mistake::ForeignCharacter))?;
        header.set_sensitive(true);
        let secret = Secret { text: SecretString::from(text), header, claims: OnceLock::new() };
        Ok(Self { secret: Arc::new(secret), expires_at: None, found_in: None, reuse: None })
    }

    /// The token itself, for code that has to hand it on.
    pub fn expose_secret(&self) -> &str {
        self.secret.text.expose_secret()
    }

    /// States when the token ends, for tokens that don't say so themselves.
    pub fn with_expiry(mut self, expires_at: SystemTime) -> Self {
        self.expires_at = Some(expires_at);
        self
    }

    /// States where the token came from, in words for a trace: `file /run/user/1000/bt_u1000`.
    pub fn with_found_in(mut self, place: impl Into<Arc<str>>) -> Self {
        self.found_in = Some(place.into());
        self
    }

    /// States how long a cache may hand the token out before it asks the source again.
    ///
    /// Without it a cache asks again after about a second, because batch systems replace tokens under running
    /// jobs. A source whose answer is dear (a process, a network) states more; the token's own end always wins.
    pub fn with_reuse(mut self, reuse: Duration) -> Self {
        self.reuse = Some(reuse);
        self
    }

    /// Where the token came from, in words.
    pub fn found_in(&self) -> Option<&str> {
        self.found_in.as_deref()
    }

    /// How long a cache may hand the token out before it asks the source again, if the source said so.
    pub fn reuse(&self) -> Option<Duration> {
        self.reuse
    }

    /// What the token says about itself, if it is a JWT. Nobody has verified it.
    pub fn claims(&self) -> Option<&UnverifiedClaims> {
        self.secret.claims.get_or_init(|| UnverifiedClaims::read(self.expose_secret())).as_ref()
    }

    /// When the token ends: as stated by its source or its `exp` claim, whichever is earlier; else unknown.
    pub fn expires_at(&self) -> Option<SystemTime> {
        let claimed = self.claims().and_then(UnverifiedClaims::expires_at);
        match (self.expires_at, claimed) {
            (Some(stated), Some(claimed)) => Some(stated.min(claimed)),
            (stated, claimed) => stated.or(claimed),
        }
    }

    /// Whether the token is known to have ended at `now` (RFC 7519 section 4.1.4: on or after `exp`).
    pub fn is_expired_at(&self, now: SystemTime) -> bool {
        self.expires_at().is_some_and(|end| end <= now)
    }

    /// Whether the token is not known to end within `margin` from `now`.
    pub fn is_valid_for(&self, margin: Duration, now: SystemTime) -> bool {
        self.expires_at().is_none_or(|end| now.checked_add(margin).is_some_and(|then| then < end))
    }

    /// The `Authorization` header value, marked sensitive.
    pub(crate) fn header(&self) -> &HeaderValue {
        &self.secret.header
    }
}

/// Compares the secrets in constant time; where they came from does not matter.
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
        if let Some(place) = &self.found_in {
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
        let a = AccessToken::new("one").unwrap().with_found_in("here");
        assert_eq!(a, AccessToken::new("one").unwrap().with_expiry(at(5)));
        assert_ne!(a, AccessToken::new("two").unwrap());
    }
}
