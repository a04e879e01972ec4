//! Tokens that stand where none belongs, known by how random they look.

use super::text;

/// Returns whether a text is rather a token than a word, a number or a relative path: long, without a blank or an extension,
/// and random.
///
/// ```
/// use scitoken_types::redact::looks_like_token;
///
/// assert!(looks_like_token("AgK8mQz0o7pX2EdYx1b9WwRtPq3"));
/// assert!(!looks_like_token("Users/Alice/My-Tokens/2026-11-29.token"));
/// ```
pub fn looks_like_token(shown: &str) -> bool {
    const SHORTEST: usize = 20;
    let is_rooted = shown.starts_with(['/', '.', '~']) || shown.starts_with("\\\\");
    let allowed =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=');
    let has = |is: fn(&u8) -> bool| shown.bytes().any(|b| is(&b));
    let is_random = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase) && has(u8::is_ascii_digit);
    let longest_run = shown.split(['/', '.', '_', '-']).map(str::len).max().unwrap_or(0);
    let shape_is_known = text(shown) == "…";
    shape_is_known
        || (!is_rooted
            && shown.len() >= SHORTEST
            && shown.bytes().all(allowed)
            && is_random
            && longest_run >= SHORTEST / 2)
}

/// Returns a text of another program with the words masked that look like tokens, or like the digits of a key.
///
/// A program that fails may show a token that it made, which no other program has seen.
///
/// ```
/// use scitoken_types::redact::without_tokens;
///
/// assert_eq!(without_tokens("got AgK8mQz0o7pX2EdYx1b9WwRtPq3, no use"), "got …, no use");
/// ```
pub fn without_tokens(foreign: &str) -> String {
    const SHORTEST_KEY: usize = 32;
    let belongs = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~' | '+' | '/');
    let is_key = |word: &str| word.len() >= SHORTEST_KEY && word.bytes().all(|b| b.is_ascii_hexdigit());
    let mut shown = String::with_capacity(foreign.len());
    let mut rest = foreign;
    while !rest.is_empty() {
        let (word, behind) = rest.split_at(rest.find(|c| !belongs(c)).unwrap_or(rest.len()));
        let bare = word.trim_end_matches('.');
        shown.push_str(if is_key(bare) || looks_like_token(bare) { "…" } else { word });
        let (between, behind) = behind.split_at(behind.find(belongs).unwrap_or(behind.len()));
        shown.push_str(between);
        rest = behind;
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_says_is_shown_without_its_tokens() {
        for (text, expected) in [
            ("oops AgK8mQz0o7pX2EdYx1b9WwRtPq3!", "oops …!"),
            ("TOKEN=AgK8mQz0o7pX2EdYx1b9WwRtPq3==", "TOKEN=…=="),
            ("key f3a9c1d7e5b28460aa17cc93d0e4b6f1.", "key …"),
            ("sh: 1: oidc-token: not found", "sh: 1: oidc-token: not found"),
            (
                "no ticket in /tmp/krb5cc_1000_AbCdEf1234567890XyZ",
                "no ticket in /tmp/krb5cc_1000_AbCdEf1234567890XyZ",
            ),
            ("\u{e4}\u{f6} 2026-11-29T21:13:35Z", "\u{e4}\u{f6} 2026-11-29T21:13:35Z"),
        ] {
            assert_eq!(without_tokens(text), expected);
        }
    }
}
