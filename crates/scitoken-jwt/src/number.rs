//! Times in claims, as Python's `int()` takes them.

use std::cmp::Ordering;

use super::json::{Json, Text};

/// An integer, as far as it matters for a comparison with the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Integer {
    /// A negative number beyond any time.
    FarPast,
    At(i128),
    /// A positive number beyond any time.
    FarFuture,
}

/// The first code points of the runs of ten decimal digits in Unicode (category Nd).
const ZEROS: [u32; 68] = [
    0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6, 0xe50,
    0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50, 0x1bb0, 0x1c40,
    0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10, 0x104a0, 0x10d30, 0x11066,
    0x110f0, 0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650, 0x116c0, 0x11730, 0x118e0, 0x11950,
    0x11c50, 0x11d50, 0x11da0, 0x11f50, 0x16a60, 0x16ac0, 0x16b50, 0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec,
    0x1d7f6, 0x1e140, 0x1e2f0, 0x1e4f0, 0x1e950, 0x1fbf0,
];

/// Python's limit for converting a string into a number.
const MAX_DIGITS: usize = 4300;

impl Integer {
    /// Python's `int(value)`: floats lose their fraction, strings may have white space, a sign and underscores
    /// between digits of any script, `true` is one. `None` for everything else, infinite numbers included.
    pub(super) fn of(value: &Json) -> Option<Self> {
        match value {
            Json::Bool(value) => Some(Self::At(i128::from(*value))),
            Json::Int(digits) => {
                Some(Self::of_digits(digits.starts_with('-'), digits.trim_start_matches('-')))
            }
            Json::Float(number) => Self::of_float(*number),
            Json::Text(text) => Self::of_text(text),
            Json::Null | Json::Array(_) | Json::Object(_) => None,
        }
    }

    fn of_digits(is_negative: bool, digits: &str) -> Self {
        match (digits.parse::<i128>(), is_negative) {
            (Ok(number), false) => Self::At(number),
            (Ok(number), true) => Self::At(-number),
            (Err(_), false) => Self::FarFuture,
            (Err(_), true) => Self::FarPast,
        }
    }

    fn of_float(number: f64) -> Option<Self> {
        if !number.is_finite() {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "the fraction goes, and the range was looked at")]
        Some(if number.abs() < 1e38 {
            Self::At(number.trunc() as i128)
        } else if number > 0.0 {
            Self::FarFuture
        } else {
            Self::FarPast
        })
    }

    fn of_text(text: &Text) -> Option<Self> {
        let text = text.as_str()?.trim_matches(is_space);
        let (is_negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let mut plain = String::with_capacity(digits.len());
        let mut after_digit = false;
        for character in digits.chars() {
            if character == '_' && after_digit {
                after_digit = false;
            } else {
                plain.push(decimal_digit(character)?);
                after_digit = true;
            }
        }
        if !after_digit || plain.len() > MAX_DIGITS {
            return None;
        }
        Some(Self::of_digits(is_negative, &plain))
    }

    /// Compares with a time in seconds, exactly.
    pub(super) fn compare(self, seconds: f64) -> Ordering {
        let number = match self {
            Self::FarPast => return Ordering::Less,
            Self::FarFuture => return Ordering::Greater,
            Self::At(number) => number,
        };
        if seconds.abs() >= 1e38 {
            return if seconds > 0.0 { Ordering::Less } else { Ordering::Greater };
        }
        let floor = seconds.floor();
        #[expect(clippy::cast_possible_truncation, reason = "whole, and the range was looked at")]
        let by_whole = number.cmp(&(floor as i128));
        by_whole.then(if seconds > floor { Ordering::Less } else { Ordering::Equal })
    }
}

/// Python's white space: that of Unicode, and the four separators of ASCII.
fn is_space(character: char) -> bool {
    character.is_whitespace() || matches!(character, '\u{1c}'..='\u{1f}')
}

/// Returns the ASCII digit for a decimal digit of any script.
fn decimal_digit(character: char) -> Option<char> {
    if character.is_ascii() {
        return character.is_ascii_digit().then_some(character);
    }
    let code_point = u32::from(character);
    let run = ZEROS.partition_point(|zero| *zero <= code_point).checked_sub(1)?;
    char::from_digit(code_point - ZEROS[run], 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<Integer> {
        Integer::of(&crate::json::read(text.as_bytes()).unwrap())
    }

    #[test]
    fn what_python_takes_for_a_number_is_one() {
        for (json, wanted) in [
            ("41", 41),
            ("-5", -5),
            ("41.9", 41),
            ("-41.9", -41),
            ("4.1e1", 41),
            ("true", 1),
            ("false", 0),
            (r#"" 41 ""#, 41),
            (r#""+41""#, 41),
            (r#""-0041""#, -41),
            (r#""4_102_444_800""#, 4_102_444_800),
            (r#""\u0664\u0661""#, 41),
            (r#""\u001c\u00a041\u3000\n""#, 41),
        ] {
            assert_eq!(of(json), Some(Integer::At(wanted)), "{json}");
        }
        assert_eq!(of(&format!("1{}", "0".repeat(60))), Some(Integer::FarFuture));
        assert_eq!(of("-1e300"), Some(Integer::FarPast));
    }

    #[test]
    fn everything_else_is_none() {
        for json in [
            "null",
            "[]",
            "{}",
            "[1]",
            "1e400",
            "NaN",
            "-Infinity",
            r#""""#,
            r#""x""#,
            r#""4 1""#,
            r#""1.5""#,
            r#""0x10""#,
            r#""_1""#,
            r#""1_""#,
            r#""1__0""#,
            r#""+ 1""#,
            r#""--1""#,
            r#""1e3""#,
            r#""\ud800""#,
            r#""\u00bd""#,
            r#""\u00b2""#,
        ] {
            assert_eq!(of(json), None, "{json}");
        }
        assert_eq!(of(&format!("\"{}\"", "1".repeat(4_301))), None);
    }

    #[test]
    fn comparison_is_exact() {
        let at = |number, seconds| Integer::At(number).compare(seconds);
        assert_eq!(at(1_000, 1_000.0), Ordering::Equal);
        assert_eq!(at(1_000, 1_000.5), Ordering::Less);
        assert_eq!(at(1_001, 1_000.5), Ordering::Greater);
        assert_eq!(at(-1, -0.5), Ordering::Less);
        assert_eq!(at(0, -0.5), Ordering::Greater);
        assert_eq!(at(9_007_199_254_740_993, 9_007_199_254_740_992.0), Ordering::Greater);
        assert_eq!(at(0, f64::INFINITY), Ordering::Less);
        assert_eq!(at(0, f64::NEG_INFINITY), Ordering::Greater);
        assert_eq!(Integer::FarFuture.compare(1e300), Ordering::Greater);
    }
}
