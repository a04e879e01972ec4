//! Characters that drive a terminal.

/// Returns the character, or a space in place of one that drives a terminal: C0 and C1 controls, line breaks among
/// them, line and paragraph separators, and the controls that change the direction of text.
pub fn clean_char(c: char) -> char {
    if c.is_control() || is_bidi_control(c) || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c }
}

/// Characters that make a terminal show text in another order than it stands.
fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
