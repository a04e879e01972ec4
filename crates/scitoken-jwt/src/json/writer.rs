//! The writer: `json.dumps` with `separators=(",", ":")`, in ASCII, floats in Python's form.

use std::io;

use serde_json::ser::Formatter;

use super::{Json, Text};

/// Writes a value of the tree.
pub(crate) fn to_bytes(json: &Json) -> Vec<u8> {
    let mut out = Vec::new();
    value(&mut out, json);
    out
}

/// Writes an object of these members.
pub(crate) fn object_to_bytes(members: &[(Text, Json)]) -> Vec<u8> {
    let mut out = Vec::new();
    object(&mut out, members);
    out
}

/// Writes anything that can be serialized.
///
/// # Errors
/// Those of the value's `Serialize`.
pub(crate) fn write<T: serde::Serialize + ?Sized>(value: &T) -> serde_json::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(128);
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, Python))?;
    Ok(out)
}

fn value(out: &mut Vec<u8>, json: &Json) {
    match json {
        Json::Null => out.extend_from_slice(b"null"),
        Json::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Json::Int(digits) => out.extend_from_slice(digits.as_bytes()),
        Json::Float(number) => out.extend_from_slice(float(*number).as_bytes()),
        Json::Text(text) => string(out, text),
        Json::Array(items) => {
            out.push(b'[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push(b',');
                }
                value(out, item);
            }
            out.push(b']');
        }
        Json::Object(members) => object(out, members),
    }
}

fn object(out: &mut Vec<u8>, members: &[(Text, Json)]) {
    out.push(b'{');
    for (n, (name, item)) in members.iter().enumerate() {
        if n > 0 {
            out.push(b',');
        }
        string(out, name);
        out.push(b':');
        value(out, item);
    }
    out.push(b'}');
}

fn string(out: &mut Vec<u8>, text: &Text) {
    out.push(b'"');
    for code_point in text.code_points() {
        match code_point {
            0x22 => out.extend_from_slice(b"\\\""),
            0x5c => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x09 => out.extend_from_slice(b"\\t"),
            0x0a => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            0x0d => out.extend_from_slice(b"\\r"),
            #[expect(clippy::cast_possible_truncation, reason = "one byte, as the pattern says")]
            0x20..=0x7e => out.push(code_point as u8),
            _ => escape(out, code_point),
        }
    }
    out.push(b'"');
}

/// Writes `\uXXXX`, or a pair of them for a character beyond the first plane.
fn escape(out: &mut Vec<u8>, code_point: u32) {
    if let Some(beyond) = code_point.checked_sub(0x10000) {
        escape(out, 0xd800 | beyond >> 10);
        escape(out, 0xdc00 | beyond & 0x3ff);
    } else {
        out.extend_from_slice(format!("\\u{code_point:04x}").as_bytes());
    }
}

/// Writes a float as Python's `repr` does: the shortest digits, an exponent below 1e-4 and from 1e16 on.
fn float(number: f64) -> String {
    if number.is_nan() {
        return "NaN".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        format!("{number:?}")
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
    }
}

/// The same rules as a serde serializer.
struct Python;

impl Formatter for Python {
    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(end) = rest.find(|c: char| !(' '..='~').contains(&c)) {
            let (plain, after) = rest.split_at(end);
            out.write_all(plain.as_bytes())?;
            let mut characters = after.chars();
            if let Some(character) = characters.next() {
                let mut escaped = Vec::with_capacity(12);
                escape(&mut escaped, u32::from(character));
                out.write_all(&escaped)?;
            }
            rest = characters.as_str();
        }
        out.write_all(rest.as_bytes())
    }

    fn write_f64<W: io::Write + ?Sized>(&mut self, out: &mut W, number: f64) -> io::Result<()> {
        out.write_all(float(number).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_python_writes_them() {
        for (number, wanted) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (1.5, "1.5"),
            (0.1, "0.1"),
            (0.0001, "0.0001"),
            (0.000_012_3, "1.23e-05"),
            (1e15, "1000000000000000.0"),
            (9_999_999_999_999_998.0, "9999999999999998.0"),
            (1e16, "1e+16"),
            (1.234_567_890_123_456_8e17, "1.2345678901234568e+17"),
            (5e-324, "5e-324"),
            (1.797_693_134_862_315_7e308, "1.7976931348623157e+308"),
            (2_000_000_000.9, "2000000000.9"),
        ] {
            assert_eq!(float(number), wanted);
        }
    }

    #[test]
    fn serde_and_the_tree_write_the_same() {
        let text = "a\"\\/\u{8}\u{c}\n\r\t\u{1f}\u{7f}é\u{2028}😀";
        let tree = to_bytes(&Json::from(text));
        assert_eq!(write(text).unwrap(), tree);
        let wanted = r#""a\"\\/\b\f\n\r\t\u001f\u007f\u00e9\u2028\ud83d\ude00""#;
        assert_eq!(String::from_utf8(tree).unwrap(), wanted);
        assert_eq!(
            write(&serde_json::json!({"b":1e16,"a":[1, null]})).unwrap(),
            br#"{"b":1e+16,"a":[1,null]}"#
        );
    }
}
