//! JSON as Python's `json.dump` writes it by default, byte for byte.
//!
//! `globus-sdk` writes its files with it: `", "` and `": "` as separators, everything outside of printable ASCII as
//! `\uXXXX` in lower case (surrogate pairs above U+FFFF, DEL too), no line break at the end.

use std::io::{self, Write};

use secrecy::zeroize::Zeroizing;
use serde::Serialize;
use serde_json::ser::Formatter;

/// Writes `value` as Python does.
pub(crate) fn to_text(value: &impl Serialize) -> Zeroizing<String> {
    let mut buffer = Zeroizing::new(Vec::with_capacity(512));
    let mut serializer = serde_json::Serializer::with_formatter(&mut *buffer, PythonFormatter);
    value.serialize(&mut serializer).expect("maps with text keys can be written to memory");
    Zeroizing::new(String::from_utf8(std::mem::take(&mut *buffer)).expect("the formatter writes ASCII"))
}

struct PythonFormatter;

impl Formatter for PythonFormatter {
    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }

    /// Receives what JSON itself does not escape: printable ASCII, DEL and everything above.
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut plain = 0;
        for (at, c) in fragment.char_indices().filter(|(_, c)| !matches!(c, ' '..='~')) {
            writer.write_all(&fragment.as_bytes()[plain..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            plain = at + c.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[plain..])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn everything_outside_of_printable_ascii_is_escaped() {
        let value = json!({"rs\u{e9}\u{1f600}": "a\t\"\\/\u{7f}\u{2028}\u{1}\r\n\u{8}\u{c}"});
        assert_eq!(*to_text(&value), r#"{"rs\u00e9\ud83d\ude00": "a\t\"\\/\u007f\u2028\u0001\r\n\b\f"}"#);
    }

    #[test]
    fn empty_and_nested_values_have_the_separators_of_python() {
        let text = r#"{"a": [], "b": {}, "c": [1, [2, {"d": null}], true], "e": 1.5}"#;
        assert_eq!(*to_text(&serde_json::from_str::<Value>(text).unwrap()), text);
    }
}
