//! A token: `gt-<key>.<secret>`.

use std::fmt;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use scitoken_types::AccessToken;
use scitoken_types::redact;

/// The prefix of all tokens, which lets secret scanners recognize them.
const PREFIX: &str = "gt-";
/// The length of the key and of the secret: 16 bytes in base64 without padding.
const PART: usize = 22;
/// The offset of the secret: after the prefix, the key and a dot.
const SECRET: usize = PREFIX.len() + PART + 1;

/// An opaque token of Gafaelfawr: a key, which may be logged, and a secret.
///
/// `Debug` shows only the key. Equality compares the whole token in constant time.
///
/// The server accepts any 22 characters for either part; this type accepts the base64url alphabet of issued tokens, so
/// that each value is a valid [`AccessToken`].
///
/// # Examples
/// ```
/// use reqwest_scitokens::AccessToken;
/// use scitoken_gafaelfawr::GafaelfawrToken;
///
/// let token: GafaelfawrToken = "gt-MLF5MB3Peg79wEC0BY8U8Q.ChbkqEyp3EIJ2e_1Sqff3w".parse()?;
/// assert_eq!(token.key().as_str(), "MLF5MB3Peg79wEC0BY8U8Q");
/// assert_eq!(format!("{token:?}"), "GafaelfawrToken(MLF5MB3Peg79wEC0BY8U8Q)");
///
/// let session = reqwest_scitokens::Session::builder().source(AccessToken::from(&token)).build()?;
/// # let _ = session;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct GafaelfawrToken {
    text: SecretString,
    key: TokenKey,
}

/// The error for a string that is not a [`GafaelfawrToken`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidGafaelfawrToken {
    /// The string does not start with `gt-`.
    #[error("token does not start with `gt-`")]
    Prefix,
    /// The rest is not a key and a secret of 22 characters each, separated by a dot.
    #[error("token is malformed: expected `gt-`, 22 characters, a dot and 22 characters")]
    Shape,
    /// The key or the secret has a character outside the base64url alphabet.
    #[error("token is malformed: found a character other than letters, digits, `-` and `_`")]
    Alphabet,
}

impl InvalidGafaelfawrToken {
    /// Returns the server's message for this error.
    pub fn server_message(self) -> &'static str {
        match self {
            Self::Prefix => "Token does not start with gt-",
            Self::Shape | Self::Alphabet => "Token is malformed",
        }
    }
}

impl GafaelfawrToken {
    /// Returns the token with this key and this secret, as Redis stores them.
    ///
    /// # Errors
    /// [`InvalidGafaelfawrToken`] unless both are 22 characters of base64url.
    pub fn from_parts(key: &str, secret: &str) -> Result<Self, InvalidGafaelfawrToken> {
        check(key)?;
        check(secret)?;
        Ok(Self { text: format!("{PREFIX}{key}.{secret}").into(), key: TokenKey(key.to_owned()) })
    }

    /// Returns the key, which names the token and may be logged.
    pub fn key(&self) -> &TokenKey {
        &self.key
    }

    /// Returns the whole token.
    pub fn expose_secret(&self) -> &str {
        self.text.expose_secret()
    }

    /// Returns the secret without prefix and key.
    pub(crate) fn expose_secret_part(&self) -> &str {
        &self.expose_secret()[SECRET..]
    }
}

impl FromStr for GafaelfawrToken {
    type Err = InvalidGafaelfawrToken;

    fn from_str(text: &str) -> Result<Self, InvalidGafaelfawrToken> {
        let parts = text.strip_prefix(PREFIX).ok_or(InvalidGafaelfawrToken::Prefix)?;
        let (key, secret) = parts.split_once('.').ok_or(InvalidGafaelfawrToken::Shape)?;
        Self::from_parts(key, secret)
    }
}

impl From<GafaelfawrToken> for AccessToken {
    fn from(token: GafaelfawrToken) -> Self {
        Self::from(&token)
    }
}

impl From<&GafaelfawrToken> for AccessToken {
    fn from(token: &GafaelfawrToken) -> Self {
        Self::new(token.expose_secret()).expect("base64url and a dot are token characters of RFC 6750")
    }
}

impl PartialEq for GafaelfawrToken {
    fn eq(&self, other: &Self) -> bool {
        self.expose_secret().as_bytes().ct_eq(other.expose_secret().as_bytes()).into()
    }
}

impl Eq for GafaelfawrToken {}

impl fmt::Debug for GafaelfawrToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GafaelfawrToken({})", self.key)
    }
}

fn check(part: &str) -> Result<(), InvalidGafaelfawrToken> {
    if part.chars().count() != PART {
        return Err(InvalidGafaelfawrToken::Shape);
    }
    if !part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
        return Err(InvalidGafaelfawrToken::Alphabet);
    }
    Ok(())
}

/// The key of a token: 22 characters that name the token and may be logged.
///
/// As in the server's models, any 22 characters are accepted; issued tokens use the base64url alphabet.
/// `Display` replaces control characters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenKey(String);

/// The error for a string that is not a [`TokenKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("token key does not have 22 characters: pass the part between `gt-` and the dot")]
pub struct InvalidTokenKey;

impl TokenKey {
    /// Returns the key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TokenKey {
    type Err = InvalidTokenKey;

    fn from_str(text: &str) -> Result<Self, InvalidTokenKey> {
        if text.chars().count() != PART {
            return Err(InvalidTokenKey);
        }
        Ok(Self(text.to_owned()))
    }
}

impl serde::Serialize for TokenKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Display for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redact::text(&self.0))
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenKey({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "MLF5MB3Peg79wEC0BY8U8Q";
    const SECRET: &str = "ChbkqEyp3EIJ2e_1Sqff3w";

    fn token() -> GafaelfawrToken {
        GafaelfawrToken::from_parts(KEY, SECRET).unwrap()
    }

    #[test]
    fn parsing_and_exposing_a_token_are_inverse() {
        let text = format!("gt-{KEY}.{SECRET}");
        assert_eq!(text.parse::<GafaelfawrToken>().unwrap().expose_secret(), text);
        assert_eq!(token().expose_secret(), text);
        assert_eq!(token().expose_secret_part(), SECRET);
        assert_eq!(AccessToken::from(&token()).expose_secret(), text);
    }

    #[test]
    fn the_secret_is_never_shown() {
        let shown = format!("{:?} {:#?}", token(), token());
        assert!(shown.contains(KEY));
        assert!(!shown.contains(SECRET));
    }

    #[test]
    fn tokens_with_one_key_and_two_secrets_differ() {
        let other = GafaelfawrToken::from_parts(KEY, "DhbkqEyp3EIJ2e_1Sqff3w").unwrap();
        assert_ne!(token(), other);
        assert_eq!(token(), token());
    }

    #[test]
    fn a_token_outside_the_alphabet_is_rejected_with_its_own_reason() {
        for part in ["!".repeat(22), "é".repeat(22), "\n".repeat(22), format!("{}.c", "a".repeat(20))] {
            let text = format!("gt-{KEY}.{part}");
            assert_eq!(text.parse::<GafaelfawrToken>(), Err(InvalidGafaelfawrToken::Alphabet), "{text:?}");
        }
    }

    #[test]
    fn a_key_counts_characters_and_shows_no_control_characters() {
        let key: TokenKey = "\u{1b}".repeat(22).parse().unwrap();
        assert!(!key.to_string().contains('\u{1b}'));
        assert_eq!("é".repeat(22).parse::<TokenKey>().unwrap().as_str().len(), 44);
        assert_eq!("é".repeat(11).parse::<TokenKey>(), Err(InvalidTokenKey));
    }
}
