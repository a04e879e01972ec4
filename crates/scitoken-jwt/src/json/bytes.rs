//! Decodes bytes as Python's `json.loads` does: UTF-8, UTF-16 or UTF-32, with or without a byte order mark.

use std::borrow::Cow;

/// Returns WTF-8 without a byte order mark; `None` if the bytes are in none of the encodings.
pub(super) fn decode(bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    match bytes {
        [0, 0, 0xfe, 0xff, rest @ ..] => utf32(rest, u32::from_be_bytes),
        [0xff, 0xfe, 0, 0, rest @ ..] => utf32(rest, u32::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest),
        // The first two characters are ASCII (RFC 4627 section 3), so the zeros show the encoding.
        [0, 0, _, _, ..] => utf32(bytes, u32::from_be_bytes),
        [0, _, _, _, ..] | [0, _] => utf16(bytes, u16::from_be_bytes),
        [_, 0, 0, 0, ..] => utf32(bytes, u32::from_le_bytes),
        [_, 0, _, _, ..] | [_, 0] => utf16(bytes, u16::from_le_bytes),
        _ => utf8(bytes),
    }
}

/// Accepts UTF-8 with surrogates.
fn utf8(bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    let mut rest = bytes;
    while let Err(error) = std::str::from_utf8(rest) {
        match rest.get(error.valid_up_to()..)? {
            [0xed, 0xa0..=0xbf, 0x80..=0xbf, after @ ..] => rest = after,
            _ => return None,
        }
    }
    Some(Cow::Borrowed(bytes))
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<Cow<'static, [u8]>> {
    let (units, []) = bytes.as_chunks::<2>() else { return None };
    let mut text = super::Text::default();
    for decoded in char::decode_utf16(units.iter().map(|two| unit(*two))) {
        text.push(decoded.map_or_else(|half| u32::from(half.unpaired_surrogate()), u32::from));
    }
    Some(Cow::Owned(text.into_bytes()))
}

fn utf32(bytes: &[u8], unit: fn([u8; 4]) -> u32) -> Option<Cow<'static, [u8]>> {
    let (units, []) = bytes.as_chunks::<4>() else { return None };
    let mut text = super::Text::default();
    for four in units {
        let code_point = unit(*four);
        if code_point > 0x10_ffff {
            return None;
        }
        text.push(code_point);
    }
    Some(Cow::Owned(text.into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_of_one_text_is_read() {
        let wide = |unit: fn(u16) -> [u8; 2]| "{}".encode_utf16().flat_map(unit).collect::<Vec<u8>>();
        let wider =
            |unit: fn(u32) -> [u8; 4]| "{}".chars().flat_map(|c| unit(u32::from(c))).collect::<Vec<u8>>();
        for bytes in [
            b"{}".to_vec(),
            b"\xef\xbb\xbf{}".to_vec(),
            wide(u16::to_be_bytes),
            wide(u16::to_le_bytes),
            [&b"\xfe\xff"[..], &wide(u16::to_be_bytes)].concat(),
            [&b"\xff\xfe"[..], &wide(u16::to_le_bytes)].concat(),
            wider(u32::to_be_bytes),
            wider(u32::to_le_bytes),
            [&b"\0\0\xfe\xff"[..], &wider(u32::to_be_bytes)].concat(),
            [&b"\xff\xfe\0\0"[..], &wider(u32::to_le_bytes)].concat(),
        ] {
            assert_eq!(decode(&bytes).as_deref(), Some(&b"{}"[..]), "{bytes:?}");
        }
    }

    #[test]
    fn surrogates_pass_and_broken_text_does_not() {
        assert!(decode(b"\"\xed\xa0\x80\"").is_some());
        for bytes in [&b"\"\xff\""[..], b"\"\xed\xa0\"", b"\xc0\x80", b"{\0}\0\0", b"\0\0\xfe\xff\0\x11\0\0"]
        {
            assert_eq!(decode(bytes), None, "{bytes:?}");
        }
    }
}
