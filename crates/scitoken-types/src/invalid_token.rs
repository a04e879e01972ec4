//! Texts that are not bearer tokens, by what they are instead.

use std::fmt;

/// The longest token that is accepted, in bytes.
///
/// Tokens with many groups reach some kilobytes, and servers refuse header lines long before this.
pub const MAX_TOKEN_LENGTH: usize = 64 * 1024;

/// A text that cannot be sent as a bearer token. The message never contains the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidToken(InvalidTokenKind);

impl InvalidToken {
    /// Returns what the text is instead.
    pub fn kind(self) -> InvalidTokenKind {
        self.0
    }
}

impl From<InvalidTokenKind> for InvalidToken {
    fn from(kind: InvalidTokenKind) -> Self {
        Self(kind)
    }
}

/// What a text is instead of a bearer token (RFC 6750 section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InvalidTokenKind {
    /// It has no characters, or only white space.
    Empty,
    /// The text is a path where the token's text belongs.
    Path,
    /// The text starts with the word `Bearer`.
    BearerPrefix,
    /// The text is a whole `Authorization` header.
    HeaderLine,
    /// The text is `NAME=token`, as in a shell or a form.
    Assignment,
    /// There is more than one line.
    SeveralLines,
    /// The text is an X.509 proxy, a certificate or a key.
    X509,
    /// The text is a token of a HashiCorp Vault, not one of the issuer.
    VaultToken,
    /// The text is in quotation marks.
    Quoted,
    /// The text is JSON without an `access_token`.
    Json,
    /// The text is JSON with an `access_token` further inside.
    NestedJson,
    /// The text begins like a JSON object, but is not valid JSON.
    BrokenJson,
    /// The text is the error answer of a token endpoint (RFC 6749 section 5.2).
    OAuthError,
    /// The text is an HTML or XML document.
    Html,
    /// The text is the word that programs write for a value that is missing: `null`, `None`, `undefined`.
    Null,
    /// The text has white space in it.
    WhiteSpace,
    /// The text begins with a byte order mark.
    ByteOrderMark,
    /// The text is encoded as UTF-16, as some editors and shells on Windows do.
    Utf16,
    /// The text has characters outside of ASCII.
    Encoding,
    /// The text has a character that RFC 6750 does not allow.
    ForeignCharacter,
    /// The text is longer than [`MAX_TOKEN_LENGTH`].
    TooLong,
}

impl fmt::Display for InvalidTokenKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::Path => f.write_str(
                "it is a path, not a token; a path belongs in the variable whose name ends in `_FILE`",
            ),
            Self::BearerPrefix => f.write_str("it starts with the word `Bearer`; leave only the token itself"),
            Self::HeaderLine => f.write_str("it is a whole `Authorization` header; leave only the token itself"),
            Self::Assignment => {
                f.write_str("it begins with a name and an equals sign; leave only the token itself")
            }
            Self::SeveralLines => f.write_str("it has more than one line; a token is one line"),
            Self::X509 => f.write_str("it is an X.509 proxy, certificate or key, not a bearer token"),
            Self::VaultToken => f.write_str(
                "it is a vault token (`vt_u…`), which is exchanged for bearer tokens; run `htgettoken` to get one",
            ),
            Self::Quoted => f.write_str("it is in quotation marks; leave only the token itself"),
            Self::Json => f.write_str("it is a JSON document without an `access_token`"),
            Self::NestedJson => f.write_str(
                "it is a JSON document whose `access_token` is not a member of the outermost object; leave only the object \
                 that has it",
            ),
            Self::BrokenJson => f.write_str("it begins like a JSON object, but is cut off or not valid"),
            Self::OAuthError => f.write_str(
                "it is the error answer of a token endpoint, without an `access_token`; get a new token",
            ),
            Self::Html => f.write_str(
                "it is an HTML or XML document, not a token; it may come from a login page or a proxy",
            ),
            Self::Null => f.write_str(
                "it is `null`, `None` or `undefined`, which programs print where a value is missing; get a new token",
            ),
            Self::WhiteSpace => f.write_str("it has white space in it"),
            Self::ByteOrderMark => f.write_str(
                "it begins with a byte order mark and is not plain ASCII text; save it as UTF-8 without that mark",
            ),
            Self::Utf16 => f.write_str("it is UTF-16 and not plain ASCII text; save it as ASCII or UTF-8"),
            Self::Encoding => f.write_str("it is not plain ASCII text"),
            Self::ForeignCharacter => {
                f.write_str("it has a character that RFC 6750 section 2.1 does not allow in a bearer token")
            }
            Self::TooLong => write!(f, "it is longer than {MAX_TOKEN_LENGTH} bytes"),
        }
    }
}

/// Checks that `text` is `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`, and tells what it is
/// where it is not.
pub(crate) fn check(text: &str) -> Result<(), InvalidToken> {
    let body = text.trim_end_matches('=');
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
    let kind = if text.is_empty() {
        InvalidTokenKind::Empty
    } else if text.contains("-----BEGIN ") {
        InvalidTokenKind::X509
    } else if text.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("bearer"))
        && text[6..].starts_with([' ', '\t', ':'])
    {
        InvalidTokenKind::BearerPrefix
    } else if text.get(..14).is_some_and(|start| start.eq_ignore_ascii_case("authorization:")) {
        InvalidTokenKind::HeaderLine
    } else if is_assignment(text) {
        InvalidTokenKind::Assignment
    } else if text.starts_with(['{', '[']) {
        if text.contains("\"access_token\"") { InvalidTokenKind::NestedJson } else { InvalidTokenKind::Json }
    } else if text.starts_with('<') {
        InvalidTokenKind::Html
    } else if text.starts_with('\u{feff}') {
        InvalidTokenKind::ByteOrderMark
    } else if is_quoted(text) {
        InvalidTokenKind::Quoted
    } else if text.contains(['\n', '\r']) {
        InvalidTokenKind::SeveralLines
    } else if looks_like_path(text) {
        InvalidTokenKind::Path
    } else if looks_like_vault_token(text) {
        InvalidTokenKind::VaultToken
    } else if ["null", "None", "undefined"].contains(&text) {
        InvalidTokenKind::Null
    } else if text.contains(|c: char| c.is_ascii_whitespace() || c == '\x0b') {
        InvalidTokenKind::WhiteSpace
    } else if !text.is_ascii() {
        InvalidTokenKind::Encoding
    } else if body.is_empty() || !body.bytes().all(allowed) {
        InvalidTokenKind::ForeignCharacter
    } else if text.len() > MAX_TOKEN_LENGTH {
        InvalidTokenKind::TooLong
    } else {
        return Ok(());
    };
    Err(kind.into())
}

/// Returns whether the text is `NAME=token` on one line; a token has equals signs at its end only.
fn is_assignment(text: &str) -> bool {
    let text = text.strip_prefix("export ").unwrap_or(text).trim_start();
    let Some((name, value)) = text.split_once('=') else { return false };
    let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') && !name.is_empty();
    is_name && !value.trim_start_matches('=').is_empty() && !value.contains(['\n', '\r'])
}

/// Returns whether the text is in quotation marks of any kind.
fn is_quoted(text: &str) -> bool {
    const PAIRS: [(char, char); 5] = [('"', '"'), ('\'', '\''), ('`', '`'), ('“', '”'), ('‘', '’')];
    PAIRS.into_iter().any(|(open, close)| text.len() > 1 && text.starts_with(open) && text.ends_with(close))
}

/// Returns whether a text that RFC 6750 might let pass is a path all the same.
///
/// A token may contain and even start with `/`, as standard base64 does; but then it has capital letters and none
/// of the characters that only file names and base64url have.
fn looks_like_path(text: &str) -> bool {
    let rooted = ["/", "./", "../", "~/"].iter().any(|start| text.starts_with(start));
    rooted && (text.contains(['_', '-', '.', '~', ' ']) || !text.contains(|c: char| c.is_ascii_uppercase()))
}

/// HashiCorp's forms: `hvs.` and `hvb.` since Vault 1.10, `s.` with 24 letters and digits before.
fn looks_like_vault_token(text: &str) -> bool {
    let legacy = |rest: &str| rest.len() == 24 && rest.bytes().all(|b| b.is_ascii_alphanumeric());
    text.starts_with("hvs.") || text.starts_with("hvb.") || text.strip_prefix("s.").is_some_and(legacy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> Option<InvalidTokenKind> {
        check(text).err().map(InvalidToken::kind)
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
            "nullable",
            "NULL",
        ] {
            assert_eq!(kind(text), None, "{text}");
        }
    }

    #[test]
    fn what_the_text_is_instead_is_named() {
        let cases = [
            ("", InvalidTokenKind::Empty),
            ("/tmp/bt_u1000", InvalidTokenKind::Path),
            ("/tmp/token", InvalidTokenKind::Path),
            ("~/token", InvalidTokenKind::Path),
            ("./T.use", InvalidTokenKind::Path),
            ("Bearer eyJhbGciOi", InvalidTokenKind::BearerPrefix),
            ("bearer\tx", InvalidTokenKind::BearerPrefix),
            ("Bearer: x", InvalidTokenKind::BearerPrefix),
            ("one\ntwo", InvalidTokenKind::SeveralLines),
            ("-----BEGIN CERTIFICATE-----\nMIIC", InvalidTokenKind::X509),
            ("hvs.CAESIJ", InvalidTokenKind::VaultToken),
            ("s.abcdefghijklmnopqrstuvwx", InvalidTokenKind::VaultToken),
            ("{\"refresh_token\": \"x\"}", InvalidTokenKind::Json),
            ("null", InvalidTokenKind::Null),
            ("None", InvalidTokenKind::Null),
            ("undefined", InvalidTokenKind::Null),
            ("one two", InvalidTokenKind::WhiteSpace),
            ("\u{feff}token", InvalidTokenKind::ByteOrderMark),
            ("\"token\"", InvalidTokenKind::Quoted),
            ("'token'", InvalidTokenKind::Quoted),
            ("“token”", InvalidTokenKind::Quoted),
            ("<!DOCTYPE html><title>Login</title>", InvalidTokenKind::Html),
            ("[\"token\"]", InvalidTokenKind::Json),
            ("tökén", InvalidTokenKind::Encoding),
            ("to,ken", InvalidTokenKind::ForeignCharacter),
            ("===", InvalidTokenKind::ForeignCharacter),
            ("a=b", InvalidTokenKind::Assignment),
            ("access_token=x&expires_in=3", InvalidTokenKind::Assignment),
            ("BEARER_TOKEN=\"x\"", InvalidTokenKind::Assignment),
            ("export BEARER_TOKEN=x", InvalidTokenKind::Assignment),
            ("A=x\nB=y", InvalidTokenKind::SeveralLines),
            ("Authorization: Bearer x", InvalidTokenKind::HeaderLine),
            ("authorization:x", InvalidTokenKind::HeaderLine),
            ("{\"data\": {\"access_token\": \"x\"}}", InvalidTokenKind::NestedJson),
            ("a.b=c", InvalidTokenKind::ForeignCharacter),
            ("nul\0", InvalidTokenKind::ForeignCharacter),
        ];
        for (text, expected) in cases {
            assert_eq!(kind(text), Some(expected), "{text:?}");
        }
        assert_eq!(kind(&"x".repeat(MAX_TOKEN_LENGTH)), None);
        assert_eq!(kind(&"x".repeat(MAX_TOKEN_LENGTH + 1)), Some(InvalidTokenKind::TooLong));
    }

    #[test]
    fn the_message_does_not_contain_the_text() {
        let shown = check("Bearer hunter2").unwrap_err().to_string();
        assert!(!shown.contains("hunter2"));
    }
}
