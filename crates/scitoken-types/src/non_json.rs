//! The encodings of JSON documents, and what a document is that should have been one.

use std::borrow::Cow;

/// Returns the document without the byte order mark that some editors write (RFC 8259 section 8.1 lets readers skip it).
///
/// ```
/// assert_eq!(scitoken_types::without_byte_order_mark(b"\xef\xbb\xbf{}"), b"{}");
/// ```
pub fn without_byte_order_mark(document: &[u8]) -> &[u8] {
    document.strip_prefix(b"\xef\xbb\xbf").unwrap_or(document)
}

/// Returns a JSON document in UTF-8: without the byte order mark, decoded if it is UTF-16, and without the zeros that a file
/// system leaves at the end after a crash. Other bytes stay as they are.
///
/// ```
/// use scitoken_types::decoded_json;
///
/// assert_eq!(*decoded_json(b"\xef\xbb\xbf{}"), *b"{}");
/// assert_eq!(*decoded_json(b"\xff\xfe{\0}\0"), *b"{}");
/// assert_eq!(*decoded_json(b"{}\0\0"), *b"{}");
/// ```
pub fn decoded_json(document: &[u8]) -> Cow<'_, [u8]> {
    let units = |order: fn([u8; 2]) -> u16, text: &[u8]| {
        let units: Vec<u16> = text.chunks_exact(2).map(|pair| order([pair[0], pair[1]])).collect();
        Cow::Owned(String::from_utf16_lossy(&units).into_bytes())
    };
    match document {
        [0xff, 0xfe, rest @ ..] => units(u16::from_le_bytes, rest),
        [0xfe, 0xff, rest @ ..] => units(u16::from_be_bytes, rest),
        [b'{' | b' ' | b'\n' | b'\r', 0, next, ..] if *next != 0 => units(u16::from_le_bytes, document),
        [0, b'{' | b' ' | b'\n' | b'\r', 0, ..] => units(u16::from_be_bytes, document),
        _ => {
            let document = without_byte_order_mark(document);
            let end = document.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            Cow::Borrowed(&document[..end])
        }
    }
}

/// Names what a document is instead of JSON, for the error that says so; `None` if it cannot be told.
///
/// ```
/// use scitoken_types::non_json_kind;
///
/// assert_eq!(non_json_kind(b"<!doctype html>"), Some("HTML or XML"));
/// assert_eq!(non_json_kind(b"{\"keys\":[]}"), None);
/// ```
pub fn non_json_kind(document: &[u8]) -> Option<&'static str> {
    let text = document.trim_ascii_start();
    let starts_with = |beginning: &[u8]| text.starts_with(beginning);
    if text.is_empty() {
        Some("empty")
    } else if starts_with(b"<") {
        Some("HTML or XML")
    } else if starts_with(b"-----BEGIN") {
        Some("PEM")
    } else if starts_with(b"eyJ") {
        Some("a JWT")
    } else if starts_with(&[0x1f, 0x8b]) {
        Some("compressed with gzip")
    } else if starts_with(&[0x30, 0x82]) {
        Some("a certificate or key in DER")
    } else if starts_with(&[0xff, 0xfe]) || starts_with(&[0xfe, 0xff]) || text.contains(&0) {
        Some("UTF-16 or binary")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_document_is_told_apart_from_json() {
        for (document, kind) in [
            (&b""[..], Some("empty")),
            (b" \n", Some("empty")),
            (b"\n<html>", Some("HTML or XML")),
            (b"-----BEGIN PUBLIC KEY-----", Some("PEM")),
            (b"eyJhbGciOiJub25lIn0.e30.", Some("a JWT")),
            (b"\x1f\x8b\x08", Some("compressed with gzip")),
            (b"\x30\x82\x01", Some("a certificate or key in DER")),
            (b"\xff\xfe{\0", Some("UTF-16 or binary")),
            (b"{\0\"\0", Some("UTF-16 or binary")),
            (b"{", None),
            (b"[]", None),
            (b"no JSON", None),
        ] {
            assert_eq!(non_json_kind(document), kind, "{document:?}");
        }
    }
}
