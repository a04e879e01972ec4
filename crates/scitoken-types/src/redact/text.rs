//! Texts from servers and programs, cleaned for a terminal.

use super::redactor::Redactor;
use crate::terminal::clean_char;

/// More characters than this of a foreign text are not shown.
const LONGEST: usize = 300;

/// Returns a text from a server, cleaned for a terminal: control characters as spaces, what looks like a credential
/// masked, cut after 300 characters.
///
/// ```
/// use scitoken_types::redact::text;
///
/// assert_eq!(text("no\u{1b}[31m token \"eyJhbGciOiJIUzI1NiJ9.e30.abcdef\""), "no [31m token \"…\"");
/// ```
pub fn text(foreign: &str) -> String {
    let shown = clean(foreign);
    match shown.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown,
    }
}

/// Does the same for a text whose end matters, such as the error output of a program: the last 300 characters.
pub fn ending(foreign: &str) -> String {
    let shown = clean(foreign);
    match shown.char_indices().rev().nth(LONGEST - 1) {
        Some((start, _)) if start > 0 => format!("…{}", &shown[start..]),
        _ => shown,
    }
}

fn clean(foreign: &str) -> String {
    Redactor::new().redact(foreign).chars().map(clean_char).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_complaint_the_end_is_shown_and_no_half_token() {
        let token = format!("eyJhbGciOiJIUzI1NiJ9.{}.abcdef", "e30".repeat(200));
        let shown = ending(&format!("Traceback {token} {}ValueError: no ticket", "x ".repeat(100)));
        assert!(shown.ends_with("ValueError: no ticket") && shown.contains("Traceback …"), "{shown}");
        let shown = ending(&"y".repeat(1_000));
        assert_eq!((shown.chars().count(), shown.starts_with('…')), (301, true));
    }

    #[test]
    fn foreign_text_loses_tokens_and_control_characters() {
        assert_eq!(text("bad token eyJhbGciOiJIUzI1NiJ9.e30.abcdef!"), "bad token …!");
        assert_eq!(text("gt-MLF5MB3Peg79wEC0BY8U8Q.ChbkqEyp3EIJ2e_1Sqff3w is old"), "… is old");
        assert_eq!(text("authz=Bearer%20eyJhbGciOiJIUzI1NiJ9.e30.abcdef"), "authz=Bearer%20…");
        assert_eq!(text("> Authorization: Bearer AgK8mQz0o7pX2 <"), "> Authorization: Bearer … <");
        assert_eq!(text("Bearer error_description=\"x\""), "Bearer error_description=\"x\"");
        assert_eq!(text("bearer token expired"), "bearer token expired");
        for (foreign, shown) in [
            ("access_token=acc9c80468af&x=1", "access_token=…&x=1"),
            (r#"{"refresh_token": "0123456789ab"}"#, r#"{"refresh_token": "…"}"#),
            (r#"\"id_token\":\"AbCdEfGhIj\""#, r#"\"id_token\":\"…\""#),
            ("`access_token` is missing", "`access_token` is missing"),
            ("refresh_token: expired", "refresh_token: expired"),
            ("device_code=unknown to us", "device_code=unknown to us"),
        ] {
            assert_eq!(text(foreign), shown);
        }
        assert_eq!(text("weight-1.5 kg"), "weight-1.5 kg");
        assert_eq!(text("a\u{1b}[2Jb\u{202e}c"), "a [2Jb c");
        assert_eq!(text("eyJ is how they start"), "eyJ is how they start");
        assert_eq!(text(&"x".repeat(1_000)).chars().count(), 301);
    }
}
