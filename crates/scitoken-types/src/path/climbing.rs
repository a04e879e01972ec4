//! Components that another program reads as `..`.
//!
//! The next program may decode a component once more, accept encodings that UTF-8 forbids, map characters to those that
//! look alike, or leave some out. What becomes `..` in one of these ways is refused.

use std::borrow::Cow;

/// How often a component is decoded again in search of `..`. Each round takes time in the length of the component,
/// which an untrusted client chooses, and no program decodes so often.
const MOST_ROUNDS: usize = 4;

/// Why a component is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Climb {
    /// It is `..` for some program.
    DotDot,
    /// It goes on changing.
    Nested,
}

/// Refuses a component that is `..`, that becomes it when it is decoded again, or that goes on changing.
pub(super) fn check_decoded_again(component: &str) -> Result<(), Climb> {
    let mut current = Cow::Borrowed(component);
    for _ in 0..MOST_ROUNDS {
        if climbs(&current) {
            return Err(Climb::DotDot);
        }
        if !current.contains('%') {
            return Ok(());
        }
        let decoded = decode_as_the_laxest(&current);
        if decoded == current {
            return Ok(());
        }
        current = Cow::Owned(decoded);
    }
    Err(if climbs(&current) { Climb::DotDot } else { Climb::Nested })
}

/// Returns whether any program may read a part of the component as `..`.
fn climbs(component: &str) -> bool {
    component.split(is_separator).any(|part| {
        // Java servers cut parameters off (`..;x`), Windows the name of a stream (`..:x`), C what follows a NUL.
        let name = part.split([';', '?', '#', ':', '\0']).next().unwrap_or_default();
        // What Unicode's compatibility forms (NFKC) turn into dots.
        let dots = name.chars().filter(|c| !is_left_out(*c)).map(|c| match c {
            '.' | '\u{2024}' | '\u{fe52}' | '\u{ff0e}' => Some(1),
            '\u{2025}' | '\u{fe30}' => Some(2),
            _ => None,
        });
        dots.sum::<Option<u64>>() == Some(2)
    })
}

/// Returns whether a character separates names somewhere: itself, by a compatibility form, or in a code page of Windows.
fn is_separator(c: char) -> bool {
    const SLASHES: [char; 5] = ['/', '\u{2044}', '\u{2215}', '\u{29f8}', '\u{ff0f}'];
    const BACKSLASHES: [char; 6] = ['\\', '\u{2216}', '\u{29f5}', '\u{29f9}', '\u{fe68}', '\u{ff3c}'];
    SLASHES.contains(&c) || BACKSLASHES.contains(&c)
}

/// Returns whether a program may leave a character out: URL parsers drop tabs and line breaks, Windows blanks at the
/// end, and file systems and comparisons what Unicode calls ignorable by default.
fn is_left_out(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// Decodes every escape once, as the most tolerant of programs does: also `%u002e`, and ASCII in more bytes than it
/// needs (`%c0%ae`), which UTF-8 forbids.
fn decode_as_the_laxest(component: &str) -> String {
    let mut bytes = Vec::with_capacity(component.len());
    let mut rest = component;
    while let Some(first) = rest.chars().next() {
        if let Some((byte, behind)) = escaped(rest) {
            bytes.push(byte);
            rest = behind;
        } else {
            let (c, behind) = escaped_by_number(rest).unwrap_or((first, &rest[first.len_utf8()..]));
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            rest = behind;
        }
    }
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes.as_slice();
    while let Some(first) = rest.first() {
        let (byte, length) = overlong(rest).unwrap_or((*first, 1));
        decoded.push(byte);
        rest = &rest[length..];
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// `%2e` at the start of a text, and what follows.
fn escaped(text: &str) -> Option<(u8, &str)> {
    let digits = text.strip_prefix('%')?.get(..2).filter(|two| two.bytes().all(|b| b.is_ascii_hexdigit()))?;
    Some((u8::from_str_radix(digits, 16).ok()?, &text[3..]))
}

/// `%u002e` at the start of a text, and what follows.
fn escaped_by_number(text: &str) -> Option<(char, &str)> {
    let digits = text.strip_prefix("%u").or_else(|| text.strip_prefix("%U"))?;
    let digits = digits.get(..4).filter(|four| four.bytes().all(|b| b.is_ascii_hexdigit()))?;
    Some((char::from_u32(u32::from_str_radix(digits, 16).ok()?)?, &text[6..]))
}

/// An ASCII character at the start of the bytes that is written in more bytes than it needs, and in how many.
fn overlong(bytes: &[u8]) -> Option<(u8, usize)> {
    let low = |byte: &u8| (byte & 0xc0 == 0x80).then_some(byte & 0x3f);
    match bytes {
        [0xc0..=0xc1, last, ..] => Some(((bytes[0] & 1) << 6 | low(last)?, 2)),
        [0xe0, middle @ 0x80..=0x81, last, ..] => Some(((middle & 1) << 6 | low(last)?, 3)),
        [0xf0, 0x80, middle @ 0x80..=0x81, last, ..] => Some(((middle & 1) << 6 | low(last)?, 4)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::{InvalidPath, ResourcePath};

    #[test]
    fn what_other_programs_read_as_climbing_is_refused() {
        for text in [
            "/a/..;/b",
            "/a/..;x=y/b",
            "/a/..%3b/b",
            "/a/%2e%2e;/b",
            "/a/..%20/b",
            "/a/.%09./b",
            "/..;",
            "/%0a..",
            "/\u{1c}..",
            "/a/\u{1c}..\u{c}\u{c}/b",
            "/a/ ../b",
            "/a/\u{2003}..;x",
            "/a/\u{85}..",
            "/a/..%3F/b",
            "/a/..%23x/b",
            "/a/%2e%2e%253fx",
            "/a/\u{ff0e}\u{ff0e}/b",
            "/a/.\u{2024}/b",
            "/a/%e2%80%a5/b",
            "/a/\u{fe30};x",
            "/a/..:/b",
            "/a/..::$INDEX_ALLOCATION/b",
        ] {
            assert_eq!(text.parse::<ResourcePath>(), Err(InvalidPath::DotDot), "{text}");
        }
        for text in [
            "/a/b;x",
            "/a/...",
            "/a/..b",
            "/a/x..;y",
            "/a/.;x",
            "/a/..%25",
            "/a/\u{ff0e}",
            "/a/\u{2026}",
            "/a/na\u{ef}ve",
            "/a/1\u{2044}2",
            "/a/10:30",
            "/a/https%253A%252F%252Fh%252Ff..x",
            "/a/100%25",
            "/a/%25zz",
        ] {
            assert!(text.parse::<ResourcePath>().is_ok(), "{text}");
        }
    }

    #[test]
    fn a_separator_that_only_another_program_sees_does_not_hide_a_climb() {
        for text in [
            "/a/..%252fb",
            "/a/%252e%252e%252fb",
            "/a/x%252f..%252f..%252fb",
            "/a/..%255cb",
            "/a/x%25252f..",
            "/a/..\u{ff0f}b",
            "/a/x\u{2215}..",
            "/a/x\u{2044}..\u{2044}b",
            "/a/..\u{ff3c}b",
            "/a/x%ef%bc%8f..",
            "/a/..%2500.txt",
        ] {
            assert_eq!(text.parse::<ResourcePath>(), Err(InvalidPath::DotDot), "{text}");
        }
    }

    #[test]
    fn dots_with_characters_between_them_that_are_left_out_are_dots() {
        for left_out in ["\u{200b}", "\u{200c}", "\u{feff}", "\u{ad}", "\u{2060}", "\u{fe0f}", "\u{e0041}"] {
            for name in [format!(".{left_out}."), format!("..{left_out}"), format!("{left_out}..")] {
                let text = format!("/a/{name}/b");
                assert_eq!(text.parse::<ResourcePath>(), Err(InvalidPath::DotDot), "{text:?}");
            }
        }
    }

    #[test]
    fn encodings_that_are_forbidden_are_decoded_all_the_same() {
        for text in [
            "/a/%25c0%25ae%25c0%25ae/b",
            "/a/%25e0%2580%25ae./b",
            "/a/.%25f0%2580%2580%25ae/b",
            "/a/..%25c0%25afb",
            "/a/..%25c1%259cb",
            "/a/%25u002e%25u002e/b",
            "/a/..%25u2215b",
            "/a/%25252e%25252e",
        ] {
            assert_eq!(text.parse::<ResourcePath>(), Err(InvalidPath::DotDot), "{text}");
        }
        for text in ["/a/%25c0", "/a/%25c3%25bc", "/a/%25u00", "/a/%25u002"] {
            assert!(text.parse::<ResourcePath>().is_ok(), "{text}");
        }
    }
}
