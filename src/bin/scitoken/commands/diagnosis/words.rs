//! Making texts of strangers fit for a terminal and for a ticket.

use reqwest_scitokens::AccessToken;

/// No more than this of a stranger's text is shown, in characters.
const LONGEST: usize = 200;
/// A word longer than this may be a credential, in characters; no product name or date is.
const LONGEST_WORD: usize = 100;

/// A text from a server: in one line, without control characters, without what may be a credential, and not too long.
pub(crate) fn fit(foreign: &str) -> String {
    let hostile = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let clean: String = foreign.chars().map(|c| if hostile(c) { ' ' } else { c }).collect();
    let is_secret =
        |word: &str| word.contains("eyJ") || word.starts_with("gt-") || word.chars().count() > LONGEST_WORD;
    let words = clean.split_whitespace().map(|word| if is_secret(word) { "…" } else { word });
    let shown = words.collect::<Vec<_>>().join(" ");
    match shown.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown,
    }
}

/// The last guard before anything is printed: whatever a server echoed, the tokens of this run are not in it.
pub(crate) fn tell(text: &str, tokens: &[AccessToken]) -> String {
    tokens.iter().fold(text.to_owned(), |text, token| text.replace(token.expose_secret(), "…"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_cannot_write_on_the_terminal_or_show_a_token() {
        assert_eq!(fit("XrootD/v5.5.3"), "XrootD/v5.5.3");
        assert_eq!(fit("a\x1b[31m\r\nb\u{202e}c"), "a [31m b c");
        assert_eq!(fit("Bearer eyJhbGciOi.eyJ.x no"), "Bearer … no");
        assert_eq!(fit(&"x".repeat(101)), "…");
        assert_eq!(fit(&"ab ".repeat(200)).chars().count(), LONGEST + 1);
    }

    #[test]
    fn a_token_that_came_back_is_masked() {
        let token = AccessToken::new("c2VjcmV0").unwrap();
        assert_eq!(tell("Server: c2VjcmV0!", &[token]), "Server: …!");
    }
}
