//! From the bytes of a variable, a file or a command's output to a token.

use std::borrow::Cow;
use std::time::SystemTime;

use crate::{AccessToken, InvalidToken, InvalidTokenKind, TokenJson, TokenJsonNote};

/// A token that was read from a text, and what of the text was ignored.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TokenText {
    /// The token.
    pub token: AccessToken,
    /// Members of a JSON object that were ignored.
    pub notes: Vec<TokenJsonNote>,
}

impl TokenText {
    /// Reads a token: white space around it is ignored (C99 `isspace`, as WLCG Bearer Token Discovery demands), and of
    /// a JSON object the `access_token` counts, as HTCondor's credential monitor writes it; see [`TokenJson`].
    ///
    /// `written_at` is when the text was written, from which `expires_in` counts; without it, `expires_in` is ignored.
    ///
    /// ```
    /// use scitoken_types::{InvalidTokenKind, TokenText};
    ///
    /// assert_eq!(TokenText::read(b"abc\n", None)?.token.expose_secret(), "abc");
    /// let error = TokenText::read(b"\xef\xbb\xbfabc", None).unwrap_err();
    /// assert_eq!(error.kind(), InvalidTokenKind::ByteOrderMark);
    /// # Ok::<(), scitoken_types::InvalidToken>(())
    /// ```
    ///
    /// # Errors
    /// [`InvalidTokenKind::Empty`] when nothing is left, else what the text is instead of a token.
    pub fn read(bytes: &[u8], written_at: Option<SystemTime>) -> Result<Self, InvalidToken> {
        let invalid = |kind: InvalidTokenKind| Err(kind.into());
        let bytes = trim(bytes);
        // A byte order mark means nothing before JSON, and is part of a token otherwise.
        let bytes =
            bytes.strip_prefix(BYTE_ORDER_MARK).filter(|rest| rest.starts_with(b"{")).unwrap_or(bytes);
        if let Some(kind) = encoding(bytes) {
            return invalid(kind);
        }
        // A byte of another encoding costs the member that it is in, not the object.
        let text = match (String::from_utf8_lossy(bytes), bytes) {
            (Cow::Owned(lossy), [b'{', ..]) => Cow::Owned(lossy),
            (Cow::Owned(_), _) => return invalid(InvalidTokenKind::Encoding),
            (text, _) => text,
        };
        let text = &*text;
        let Some(json) = TokenJson::parse(text) else {
            return Ok(Self { token: AccessToken::new(text)?, notes: Vec::new() });
        };
        let Some(token) = json.access_token() else {
            return invalid(match json.object().get("access_token") {
                Some("\"\"") => InvalidTokenKind::Empty,
                None if json.error().is_some() => InvalidTokenKind::OAuthError,
                None if !json.object().is_complete() => InvalidTokenKind::BrokenJson,
                None if text.contains("\"access_token\"") => InvalidTokenKind::NestedJson,
                _ => InvalidTokenKind::Json,
            });
        };
        let token = AccessToken::new(trimmed(&token))?;
        let token = match json.expires_at(written_at) {
            Some(end) if token.expires_at().is_none() => token.with_expiry(end),
            _ => token,
        };
        Ok(Self { token, notes: json.notes() })
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The encodings that editors and shells of Windows write.
fn encoding(bytes: &[u8]) -> Option<InvalidTokenKind> {
    match bytes {
        _ if bytes.starts_with(BYTE_ORDER_MARK) => Some(InvalidTokenKind::ByteOrderMark),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, _, 0, ..] | [_, 0, _, 0, ..] => {
            Some(InvalidTokenKind::Utf16)
        }
        _ => None,
    }
}

/// C99 `isspace` in the C locale: blank, `\f`, `\n`, `\r`, `\t`, `\v`. Rust's own trims either miss `\v` or take
/// characters that only Unicode calls white.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | 0x09..=0x0d)
}

fn trim(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|b| !is_space(*b)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|b| !is_space(*b)).map_or(start, |last| last + 1);
    &bytes[start..end]
}

fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| u8::try_from(c).is_ok_and(is_space))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn secret(bytes: &[u8]) -> Result<String, InvalidTokenKind> {
        TokenText::read(bytes, Some(at(0)))
            .map(|t| t.token.expose_secret().to_owned())
            .map_err(InvalidToken::kind)
    }

    #[test]
    fn exactly_the_white_space_of_c_is_trimmed() {
        assert_eq!(secret(b" \x0c\n\r\t\x0btoken\x0b\t\r\n\x0c "), Ok("token".into()));
        assert_eq!(secret("\u{a0}token".as_bytes()), Err(InvalidTokenKind::Encoding));
        assert_eq!(secret(b" \n\x0b"), Err(InvalidTokenKind::Empty));
        assert_eq!(secret(b"x"), Ok("x".into()));
    }

    #[test]
    fn a_byte_of_another_encoding_costs_only_its_member() {
        assert_eq!(secret(b"{\"access_token\": \"abc\", \"name\": \"J\xfcrgen\"}"), Ok("abc".into()));
        assert!(secret(b"{\"access_token\": \"a\xfcc\"}").is_err());
        assert_eq!(secret(b"a\xfcc"), Err(InvalidTokenKind::Encoding));
    }

    #[test]
    fn a_json_object_is_opened_for_its_access_token() {
        assert_eq!(secret(br#" {"access_token": "abc\n", "token_type": "bearer"} "#), Ok("abc".into()));
        assert_eq!(secret(br#"{"refresh_token": "abc"}"#), Err(InvalidTokenKind::Json));
        assert_eq!(secret(br#"{"access_token": 5}"#), Err(InvalidTokenKind::Json));
        assert_eq!(secret(br#"{"data": {"access_token": "abc"}}"#), Err(InvalidTokenKind::NestedJson));
        assert_eq!(secret(br#"[{"access_token": "abc"}]"#), Err(InvalidTokenKind::NestedJson));
        assert_eq!(secret(br#"["abc"]"#), Err(InvalidTokenKind::Json));
        assert_eq!(secret(b"{'access_token': 'abc', 'x': None}"), Ok("abc".into()));
        assert_eq!(secret(br#"{"x": NaN, "access_token": "abc"}"#), Ok("abc".into()));
        assert_eq!(secret(br#"{"error": "invalid_grant"}"#), Err(InvalidTokenKind::OAuthError));
        assert_eq!(secret(b"{"), Err(InvalidTokenKind::BrokenJson));
        assert_eq!(secret(b"\xef\xbb\xbf{\"access_token\": \"abc\"}"), Ok("abc".into()));
        assert_eq!(secret(br#"{"access_token": "abc", "exp"#), Ok("abc".into()));
        assert_eq!(secret(br#"{"access_token": "ab"#), Err(InvalidTokenKind::BrokenJson));
        assert_eq!(secret(br#"{"access_token": ""}"#), Err(InvalidTokenKind::Empty));
    }

    #[test]
    fn an_opaque_token_ends_when_its_object_says() {
        let end = |text: &str| TokenText::read(text.as_bytes(), Some(at(1_000))).unwrap().token.expires_at();
        assert_eq!(end(r#"{"access_token":"x","expires_in":60}"#), Some(at(1_060)));
        assert_eq!(end(r#"{"access_token":"x","expires_in":60,"expires_at":5000}"#), Some(at(5_000)));
        assert_eq!(end(r#"{"access_token":"x","expires_in":-1}"#), None);
        assert_eq!(end(r#"{"access_token":"x","expires_in":1e300}"#), None);
        assert_eq!(end(r#"{"access_token":"x"}"#), None);
    }

    #[test]
    fn an_expiry_that_cannot_be_read_costs_a_note_and_not_the_token() {
        let read = TokenText::read(br#"{"access_token": "abc", "expires_in": "soon"}"#, Some(at(0))).unwrap();
        assert_eq!((read.token.expose_secret(), read.token.expires_at()), ("abc", None));
        assert_eq!(read.notes.len(), 1);
        let read = TokenText::read(br#"{"access_token": "abc", "expires_in": "3600"}"#, Some(at(0))).unwrap();
        assert_eq!((read.token.expires_at(), read.notes.len()), (Some(at(3_600)), 0));
    }

    #[test]
    fn several_lines_and_other_encodings_are_not_tokens() {
        assert_eq!(secret(b"one\ntwo\n"), Err(InvalidTokenKind::SeveralLines));
        assert_eq!(secret(b"\xff\xfet\0o\0"), Err(InvalidTokenKind::Utf16));
        assert_eq!(secret(b"t\0o\0k\0"), Err(InvalidTokenKind::Utf16));
        assert_eq!(secret(b"\0t\0o\0k"), Err(InvalidTokenKind::Utf16));
        assert_eq!(secret(b"\xc3\x28"), Err(InvalidTokenKind::Encoding));
        assert_eq!(secret("\u{feff}token".as_bytes()), Err(InvalidTokenKind::ByteOrderMark));
    }
}
