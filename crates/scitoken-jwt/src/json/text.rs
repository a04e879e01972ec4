//! Strings as in Python, which may include unpaired surrogates.

use std::fmt;

/// A string in WTF-8: UTF-8 with unpaired surrogates.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Text(Vec<u8>);

impl Text {
    /// Returns the string, unless it has an unpaired surrogate.
    pub(crate) fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// Appends WTF-8.
    pub(super) fn push_run(&mut self, run: &[u8]) {
        self.0.extend_from_slice(run);
    }

    /// Appends a code point, also a surrogate.
    pub(super) fn push(&mut self, code_point: u32) {
        if let Some(character) = char::from_u32(code_point) {
            self.0.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        } else {
            let [_, _, high, low] = code_point.to_be_bytes();
            self.0.extend_from_slice(&[
                0xe0 | high >> 4,
                0x80 | high << 2 & 0x3c | low >> 6,
                0x80 | low & 0x3f,
            ]);
        }
    }

    /// Returns the code points, including surrogates.
    pub(super) fn code_points(&self) -> impl Iterator<Item = u32> + '_ {
        let mut rest = self.0.as_slice();
        std::iter::from_fn(move || {
            let first = *rest.first()?;
            let length = match first {
                0..0x80 => 1,
                0x80..0xe0 => 2,
                0xe0..0xf0 => 3,
                _ => 4,
            };
            let (character, after) = rest.split_at_checked(length)?;
            rest = after;
            let start = u32::from(first) & if length == 1 { 0x7f } else { 0x7f >> length };
            Some(character[1..].iter().fold(start, |sum, byte| sum << 6 | u32::from(byte & 0x3f)))
        })
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_points_go_in_and_come_out() {
        let points = [0x41, 0x7f, 0x80, 0x7ff, 0x800, 0xd800, 0xdfff, 0xe000, 0xffff, 0x10000, 0x10_ffff];
        let mut text = Text::default();
        for point in points {
            text.push(point);
        }
        assert_eq!(text.code_points().collect::<Vec<_>>(), points);
        assert_eq!(text.as_str(), None);
    }

    #[test]
    fn order_is_that_of_code_points() {
        for (first, second) in [("", "Z"), ("Z", "a"), ("\u{ffff}", "\u{10000}")] {
            let (first, second) = (Text::from(first), Text::from(second));
            assert!(first < second);
        }
    }
}
