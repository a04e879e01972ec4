//! From the bytes of a variable, a file or a command's output to a token.

use std::time::{Duration, SystemTime};

use serde::Deserialize;

use crate::token::{AccessToken, InvalidToken, Mistake};

/// Reads a token: white space around it goes (C99 `isspace`, as WLCG Bearer Token Discovery demands), and a JSON
/// object is opened for its `access_token`, as HTCondor's credential monitor writes it.
///
/// `written_at` is when the text was written, which `expires_in` counts from; without it that says nothing.
///
/// # Errors
/// [`Mistake::Empty`] when nothing is left, else the mistake that the text is.
pub(super) fn read(bytes: &[u8], written_at: Option<SystemTime>) -> Result<AccessToken, InvalidToken> {
    let bytes = trim(bytes);
    let text = std::str::from_utf8(bytes).map_err(|_| InvalidToken::from(Mistake::Encoding))?;
    if !text.starts_with('{') {
        return AccessToken::new(text);
    }
    let answer: TokenObject = serde_json::from_str(text).map_err(|_| InvalidToken::from(Mistake::Json))?;
    let token = AccessToken::new(trimmed(&answer.access_token))?;
    Ok(match answer.end(written_at) {
        Some(end) if token.expires_at().is_none() => token.with_expiry(end),
        _ => token,
    })
}

/// The part of an OAuth token response (RFC 6749 section 5.1) that matters for sending the token.
#[derive(Deserialize)]
struct TokenObject {
    access_token: String,
    expires_at: Option<f64>,
    expires_in: Option<f64>,
}

impl TokenObject {
    fn end(&self, written_at: Option<SystemTime>) -> Option<SystemTime> {
        let seconds = |n: f64| Duration::try_from_secs_f64(n).ok();
        match (self.expires_at, self.expires_in) {
            (Some(at), _) => SystemTime::UNIX_EPOCH.checked_add(seconds(at)?),
            (None, Some(after)) => written_at?.checked_add(seconds(after)?),
            (None, None) => None,
        }
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
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn secret(bytes: &[u8]) -> Result<String, Mistake> {
        read(bytes, Some(at(0))).map(|t| t.expose_secret().to_owned()).map_err(InvalidToken::mistake)
    }

    #[test]
    fn exactly_the_white_space_of_c_is_trimmed() {
        assert_eq!(secret(b" \x0c\n\r\t\x0btoken\x0b\t\r\n\x0c "), Ok("token".into()));
        assert_eq!(secret("\u{a0}token".as_bytes()), Err(Mistake::Encoding));
        assert_eq!(secret(b" \n\x0b"), Err(Mistake::Empty));
        assert_eq!(secret(b"x"), Ok("x".into()));
    }

    #[test]
    fn a_json_object_is_opened_for_its_access_token() {
        assert_eq!(secret(br#" {"access_token": "abc\n", "token_type": "bearer"} "#), Ok("abc".into()));
        assert_eq!(secret(br#"{"refresh_token": "abc"}"#), Err(Mistake::Json));
        assert_eq!(secret(br#"{"access_token": 5}"#), Err(Mistake::Json));
        assert_eq!(secret(b"{"), Err(Mistake::Json));
        assert_eq!(secret(br#"{"access_token": ""}"#), Err(Mistake::Empty));
    }

    #[test]
    fn an_opaque_token_ends_when_its_object_says() {
        let end = |text: &str| read(text.as_bytes(), Some(at(1_000))).unwrap().expires_at();
        assert_eq!(end(r#"{"access_token":"x","expires_in":60}"#), Some(at(1_060)));
        assert_eq!(end(r#"{"access_token":"x","expires_in":60,"expires_at":5000}"#), Some(at(5_000)));
        assert_eq!(end(r#"{"access_token":"x","expires_in":-1}"#), None);
        assert_eq!(end(r#"{"access_token":"x","expires_in":1e300}"#), None);
        assert_eq!(end(r#"{"access_token":"x"}"#), None);
    }

    #[test]
    fn two_lines_binary_and_a_byte_order_mark_are_mistakes() {
        assert_eq!(secret(b"one\ntwo\n"), Err(Mistake::SeveralLines));
        assert_eq!(secret(b"\xff\xfe"), Err(Mistake::Encoding));
        assert_eq!(secret("\u{feff}token".as_bytes()), Err(Mistake::Encoding));
    }
}
