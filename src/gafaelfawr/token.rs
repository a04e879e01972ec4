//! The token itself: `gt-<key>.<secret>`.

use std::fmt;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use crate::redact;
use crate::token::AccessToken;

/// What every token starts with, so that it is recognised where it should not be.
const PREFIX: &str = "gt-";
/// Sixteen random bytes in base64 without padding.
const PART: usize = 22;
/// Where the secret starts: after the prefix, the key and a dot.
const SECRET: usize = PREFIX.len() + PART + 1;

/// One of Gafaelfawr's opaque tokens: a key that may be logged, and a secret that may not.
///
/// `Debug` shows the key. Equality looks at the whole token, in constant time.
///
/// The server takes any 22 characters for either part; this type takes the base64url alphabet only, in which all
/// tokens are written. A token of this type can therefore always be sent, as an [`AccessToken`].
///
/// # Examples
/// ```
/// use reqwest_scitokens::gafaelfawr::Token;
///
/// let token: Token = "gt-MLF5MB3Peg79wEC0BY8U8Q.ChbkqEyp3EIJ2e_1Sqff3w".parse()?;
/// assert_eq!(token.key().as_str(), "MLF5MB3Peg79wEC0BY8U8Q");
/// assert_eq!(format!("{token:?}"), "Token(MLF5MB3Peg79wEC0BY8U8Q)");
/// # Ok::<(), reqwest_scitokens::gafaelfawr::InvalidToken>(())
/// ```
#[derive(Clone)]
pub struct Token {
    text: SecretString,
    key: TokenKey,
}

/// A text that is no [`Token`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidToken {
    /// It does not start with `gt-`: it is another kind of token, or there is something before it.
    #[error("token does not start with gt-")]
    Prefix,
    /// It is not a key and a secret of 22 characters each with a dot between them.
    #[error("token is malformed: after gt- come 22 characters, a dot and 22 characters")]
    Shape,
    /// It has a character that no token has. The server would look such a token up, and not find it.
    #[error("token is malformed: it has a character outside letters, digits, `-` and `_`")]
    Alphabet,
}

impl InvalidToken {
    /// The words in which the server says the same.
    pub fn server_message(self) -> &'static str {
        match self {
            Self::Prefix => "Token does not start with gt-",
            Self::Shape | Self::Alphabet => "Token is malformed",
        }
    }
}

impl Token {
    /// Puts a token together from its two parts, as Redis holds them.
    ///
    /// # Errors
    /// [`InvalidToken`] when one of them is not 22 characters of base64url.
    pub fn from_parts(key: &str, secret: &str) -> Result<Self, InvalidToken> {
        check(key)?;
        check(secret)?;
        Ok(Self { text: format!("{PREFIX}{key}.{secret}").into(), key: TokenKey(key.to_owned()) })
    }

    /// The half that names the token and may be shown and logged.
    pub fn key(&self) -> &TokenKey {
        &self.key
    }

    /// The whole token, for code that has to hand it on.
    pub fn expose_secret(&self) -> &str {
        self.text.expose_secret()
    }

    /// The secret half alone.
    pub(super) fn expose_secret_half(&self) -> &str {
        &self.expose_secret()[SECRET..]
    }
}

impl FromStr for Token {
    type Err = InvalidToken;

    fn from_str(text: &str) -> Result<Self, InvalidToken> {
        let parts = text.strip_prefix(PREFIX).ok_or(InvalidToken::Prefix)?;
        let (key, secret) = parts.split_once('.').ok_or(InvalidToken::Shape)?;
        Self::from_parts(key, secret)
    }
}

impl From<&Token> for AccessToken {
    fn from(token: &Token) -> Self {
        Self::new(token.expose_secret()).expect("base64url and a dot are token characters of RFC 6750")
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.expose_secret().as_bytes().ct_eq(other.expose_secret().as_bytes()).into()
    }
}

impl Eq for Token {}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.key)
    }
}

fn check(part: &str) -> Result<(), InvalidToken> {
    if part.chars().count() != PART {
        return Err(InvalidToken::Shape);
    }
    if !part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_')) {
        return Err(InvalidToken::Alphabet);
    }
    Ok(())
}

/// The half of a token that names it: 22 characters that may be shown and logged.
///
/// As in the server's models, it can be any 22 characters; tokens that exist have the base64url alphabet.
/// `Display` replaces control characters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenKey(String);

/// A text that is no [`TokenKey`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("the key of a token has 22 characters: it is what stands between `gt-` and the dot")]
pub struct InvalidKey;

impl TokenKey {
    /// The key as it stands.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TokenKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        if text.chars().count() != PART {
            return Err(InvalidKey);
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

    fn token() -> Token {
        Token::from_parts(KEY, SECRET).unwrap()
    }

    #[test]
    fn a_token_is_the_exact_inverse_of_its_text() {
        let text = format!("gt-{KEY}.{SECRET}");
        assert_eq!(text.parse::<Token>().unwrap().expose_secret(), text);
        assert_eq!(token().expose_secret(), text);
        assert_eq!(token().expose_secret_half(), SECRET);
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
        let other = Token::from_parts(KEY, "DhbkqEyp3EIJ2e_1Sqff3w").unwrap();
        assert_ne!(token(), other);
        assert_eq!(token(), token());
    }

    #[test]
    fn what_the_server_would_look_up_in_vain_is_refused_with_its_own_reason() {
        for part in ["!".repeat(22), "é".repeat(22), "\n".repeat(22), format!("{}.c", "a".repeat(20))] {
            let text = format!("gt-{KEY}.{part}");
            assert_eq!(text.parse::<Token>(), Err(InvalidToken::Alphabet), "{text:?}");
        }
    }

    #[test]
    fn a_key_counts_characters_and_shows_no_control_characters() {
        let key: TokenKey = "\u{1b}".repeat(22).parse().unwrap();
        assert!(!key.to_string().contains('\u{1b}'));
        assert_eq!("é".repeat(22).parse::<TokenKey>().unwrap().as_str().len(), 44);
        assert_eq!("é".repeat(11).parse::<TokenKey>(), Err(InvalidKey));
    }
}
