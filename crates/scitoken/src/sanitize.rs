//! Cleaning foreign text for a terminal and for a ticket.

/// The most characters of a foreign text that are shown.
const MAX_CHARS: usize = 200;
/// A longer word may be a credential; product names and dates are shorter.
const MAX_WORD_CHARS: usize = 100;

/// Returns foreign text without control characters and without characters that change the writing direction.
pub(crate) fn line(foreign: &str) -> String {
    foreign.chars().map(|c| if is_hostile(c) { ' ' } else { c }).collect()
}

/// Returns the start of a foreign text on one line, without words that may be credentials.
pub(crate) fn excerpt(foreign: &str) -> String {
    let clean = line(foreign);
    let is_secret =
        |word: &str| word.contains("eyJ") || word.starts_with("gt-") || word.chars().count() > MAX_WORD_CHARS;
    let words = clean.split_whitespace().map(|word| if is_secret(word) { "…" } else { word });
    let shown = words.collect::<Vec<_>>().join(" ");
    match shown.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown,
    }
}

/// Replaces what Rust's parsers say about a value by what a user understands.
pub(crate) fn plain_words(text: &str) -> String {
    const WORDS: [(&str, &str); 7] = [
        ("entity not found", "it does not exist"),
        ("invalid digit found in string", "not a whole number"),
        ("cannot parse integer from empty string", "it is empty"),
        ("number would be zero for non-zero type", "it must be at least 1"),
        ("number too large to fit in target type", "the number is too large"),
        ("number too small to fit in target type", "the number is too small"),
        ("relative URL without a base", "it has no scheme: write `https://host/path`"),
    ];
    WORDS.iter().fold(text.to_owned(), |text, (rust, plain)| text.replace(rust, plain))
}

/// Returns whether a character controls a terminal or changes the writing direction.
pub(crate) fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn server_text_neither_controls_the_terminal_nor_shows_a_token() {
        assert_eq!(excerpt("XrootD/v5.5.3"), "XrootD/v5.5.3");
        assert_eq!(excerpt("a\x1b[31m\r\nb\u{202e}c"), "a [31m b c");
        assert_eq!(excerpt("Bearer eyJhbGciOi.eyJ.x no"), "Bearer … no");
        assert_eq!(excerpt(&"x".repeat(101)), "…");
        assert_eq!(excerpt(&"ab ".repeat(200)).chars().count(), MAX_CHARS + 1);
    }
}
