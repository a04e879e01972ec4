//! Base64 and hexadecimal digits in a text, decoded to look for secrets in what they mean.

use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::prelude::*;
use secrecy::zeroize::Zeroizing;

/// In shorter runs no secret that is worth the name is encoded twice.
const SHORTEST: usize = 16;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Returns how long the run of characters at the start of `text` is that may be base64 or hexadecimal.
pub(super) fn run_length(text: &str) -> usize {
    let is_encoded = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_');
    text.bytes().take_while(|b| is_encoded(b)).count()
}

/// Returns whether `is_found` holds for what a run of characters means in one of the codings.
pub(super) fn any_meaning(run: &str, mut is_found: impl FnMut(&str) -> bool) -> bool {
    if run.len() < SHORTEST {
        return false;
    }
    let mut found_in = |bytes: Vec<u8>| {
        let bytes = Zeroizing::new(bytes);
        is_found(&String::from_utf8_lossy(&bytes))
    };
    let digits = run.split(|c: char| !c.is_ascii_hexdigit()).filter(|digits| digits.len() >= SHORTEST);
    // A digit before the encoded text may belong to something else.
    if digits.flat_map(|digits| [digits, &digits[1..]]).any(|digits| found_in(from_hex(digits))) {
        return true;
    }
    let standard = Zeroizing::new(run.replace('-', "+").replace('_', "/"));
    // What stands before the encoded text may consist of the same characters, such as the `/` of a path.
    (0..4).any(|offset| {
        let from_there = &standard[offset..];
        // One character alone encodes nothing.
        let whole = from_there.len() - usize::from(from_there.len() % 4 == 1);
        LENIENT.decode(&from_there[..whole]).is_ok_and(&mut found_in)
    })
}

fn from_hex(digits: &str) -> Vec<u8> {
    let value =
        |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok()).unwrap_or(0);
    digits.as_bytes().as_chunks::<2>().0.iter().map(|[high, low]| value(*high) << 4 | value(*low)).collect()
}
