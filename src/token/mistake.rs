//! The usual ways in which something that is no token gets where a token belongs.

use std::fmt;

use super::MAX_TOKEN_LENGTH;

/// A text that cannot be sent as a bearer token. The message never contains the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidToken(Mistake);

impl InvalidToken {
    /// Which mistake it is.
    pub fn mistake(self) -> Mistake {
        self.0
    }
}

impl From<Mistake> for InvalidToken {
    fn from(mistake: Mistake) -> Self {
        Self(mistake)
    }
}

/// Why a text is no bearer token (RFC 6750 section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mistake {
    /// Nothing is there.
    Empty,
    /// The text is a path where the token's text belongs.
    Path,
    /// The text starts with the word `Bearer`.
    BearerPrefix,
    /// There is more than one line.
    SeveralLines,
    /// The text is an X.509 proxy, a certificate or a key.
    X509,
    /// The text is a token of a Hashicorp vault, not one of the issuer.
    VaultToken,
    /// The text is a JSON document without a token in it.
    Json,
    /// The text has white space in it.
    WhiteSpace,
    /// The text is not UTF-8, or starts with a byte order mark.
    Encoding,
    /// The text has a character that RFC 6750 does not allow.
    ForeignCharacter,
    /// The text is longer than [`MAX_TOKEN_LENGTH`].
    TooLong,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::Path => f.write_str(
                "it is a path, not a token; a path belongs into the variable whose name ends in `_FILE`",
            ),
            Self::BearerPrefix => f.write_str("it starts with the word `Bearer`; leave only the token itself"),
            Self::SeveralLines => f.write_str("it has more than one line; a token is one line"),
            Self::X509 => f.write_str("it is an X.509 proxy, certificate or key, not a bearer token"),
            Self::VaultToken => f.write_str(
                "it is a vault token (`vt_u…`), which buys bearer tokens but is none; run `htgettoken` to get one",
            ),
            Self::Json => f.write_str("it is a JSON document without an `access_token`"),
            Self::WhiteSpace => f.write_str("it has white space in it"),
            Self::Encoding => f.write_str("it is not plain ASCII text"),
            Self::ForeignCharacter => {
                f.write_str("it has a character that no bearer token has (RFC 6750 section 2.1)")
            }
            Self::TooLong => write!(f, "it is longer than {MAX_TOKEN_LENGTH} bytes"),
        }
    }
}

/// Checks that `text` is `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`, and names the mistake
/// where it is not.
pub(super) fn check(text: &str) -> Result<(), InvalidToken> {
    let body = text.trim_end_matches('=');
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
    let mistake = if text.is_empty() {
        Mistake::Empty
    } else if text.contains("-----BEGIN ") {
        Mistake::X509
    } else if text.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("bearer"))
        && text[6..].starts_with([' ', '\t', ':'])
    {
        Mistake::BearerPrefix
    } else if text.starts_with('{') {
        Mistake::Json
    } else if text.contains(['\n', '\r']) {
        Mistake::SeveralLines
    } else if looks_like_path(text) {
        Mistake::Path
    } else if looks_like_vault_token(text) {
        Mistake::VaultToken
    } else if text.contains(|c: char| c.is_ascii_whitespace() || c == '\x0b') {
        Mistake::WhiteSpace
    } else if !text.is_ascii() {
        Mistake::Encoding
    } else if body.is_empty() || !body.bytes().all(allowed) {
        Mistake::ForeignCharacter
    } else if text.len() > MAX_TOKEN_LENGTH {
        Mistake::TooLong
    } else {
        return Ok(());
    };
    Err(mistake.into())
}

/// Whether a text that RFC 6750 might let pass is a path all the same.
///
/// A token may contain and even start with `/`, as standard base64 does; but then it has capital letters and none
/// of the characters that only file names and base64url have.
fn looks_like_path(text: &str) -> bool {
    let rooted = ["/", "./", "../", "~/"].iter().any(|start| text.starts_with(start));
    rooted && (text.contains(['_', '-', '.', '~', ' ']) || !text.contains(|c: char| c.is_ascii_uppercase()))
}

/// Hashicorp's forms: `hvs.` and `hvb.` since Vault 1.10, `s.` with 24 letters and digits before.
fn looks_like_vault_token(text: &str) -> bool {
    let legacy = |rest: &str| rest.len() == 24 && rest.bytes().all(|b| b.is_ascii_alphanumeric());
    text.starts_with("hvs.") || text.starts_with("hvb.") || text.strip_prefix("s.").is_some_and(legacy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(text: &str) -> Option<Mistake> {
        check(text).err().map(InvalidToken::mistake)
    }

    #[test]
    fn anything_that_rfc_6750_allows_is_a_token() {
        for text in [
            "x",
            "gt-MLF5MB3Peg79wEC0BY8U8Q.ChbkqEyp3EIJ2e_1Sqff3w",
            "eyJhbGciOiJub25lIn0.e30.",
            "a+b/c==",
            "/9j/4AAQSkZJRgABAQ",
            "Bearerish",
            "s.short",
        ] {
            assert_eq!(mistake(text), None, "{text}");
        }
    }

    #[test]
    fn the_classic_mistakes_are_named() {
        let cases = [
            ("", Mistake::Empty),
            ("/tmp/bt_u1000", Mistake::Path),
            ("/tmp/token", Mistake::Path),
            ("~/token", Mistake::Path),
            ("./T.use", Mistake::Path),
            ("Bearer eyJhbGciOi", Mistake::BearerPrefix),
            ("bearer\tx", Mistake::BearerPrefix),
            ("Bearer: x", Mistake::BearerPrefix),
            ("one\ntwo", Mistake::SeveralLines),
            ("-----BEGIN CERTIFICATE-----\nMIIC", Mistake::X509),
            ("hvs.CAESIJ", Mistake::VaultToken),
            ("s.abcdefghijklmnopqrstuvwx", Mistake::VaultToken),
            ("{\"refresh_token\": \"x\"}", Mistake::Json),
            ("one two", Mistake::WhiteSpace),
            ("\u{feff}token", Mistake::Encoding),
            ("tökén", Mistake::Encoding),
            ("to,ken", Mistake::ForeignCharacter),
            ("===", Mistake::ForeignCharacter),
            ("a=b", Mistake::ForeignCharacter),
            ("nul\0", Mistake::ForeignCharacter),
        ];
        for (text, expected) in cases {
            assert_eq!(mistake(text), Some(expected), "{text:?}");
        }
        assert_eq!(mistake(&"x".repeat(MAX_TOKEN_LENGTH)), None);
        assert_eq!(mistake(&"x".repeat(MAX_TOKEN_LENGTH + 1)), Some(Mistake::TooLong));
    }

    #[test]
    fn the_message_never_repeats_the_text() {
        let shown = check("Bearer hunter2").unwrap_err().to_string();
        assert!(!shown.contains("hunter2"));
    }
}
