//! One form of a secret, found in a text however it is escaped there.

use base64::prelude::*;
use secrecy::zeroize::Zeroizing;

use super::escape;

/// More of a secret than this, at its start, is masked wherever it stands.
const LONG_PREFIX: usize = 16;
/// More of a secret than this, at its start, is masked where the text ends or is cut.
const CUT_PREFIX: usize = 8;
/// Shorter secrets are looked for in base64 as a whole only, because parts of them are found in any text.
const SHORTEST_IN_BASE64: usize = 6;

/// A text to look for.
#[derive(PartialEq, Eq)]
pub(super) struct Needle {
    bytes: Zeroizing<Vec<u8>>,
    /// Base64 characters around a match belong to the same encoded text.
    pub(super) is_base64: bool,
}

impl Needle {
    pub(super) fn plain(secret: &str) -> Self {
        Self { bytes: Zeroizing::new(secret.as_bytes().to_vec()), is_base64: false }
    }

    /// The base64 of a text that is encoded by itself, as in a `Basic` header.
    pub(super) fn base64_of(text: &str) -> impl Iterator<Item = Self> {
        let encoded = [BASE64_STANDARD_NO_PAD.encode(text), BASE64_URL_SAFE_NO_PAD.encode(text)]
            .map(String::into_bytes);
        distinct(encoded)
    }

    /// The base64 of a secret that stands anywhere in an encoded text: one for each position in a group of three bytes.
    pub(super) fn inside_base64(secret: &str) -> impl Iterator<Item = Self> {
        let is_long = secret.len() >= SHORTEST_IN_BASE64;
        let forms = (0..3).filter(move |_| is_long).flat_map(|shift| {
            let text = Zeroizing::new([&b"\0\0"[..shift], secret.as_bytes()].concat());
            // The characters that no byte outside of the secret has a part in.
            let (first, last) = ((shift * 8).div_ceil(6), text.len() * 8 / 6);
            [&BASE64_STANDARD_NO_PAD, &BASE64_URL_SAFE_NO_PAD]
                .map(|engine| engine.encode(text.as_slice()).as_bytes()[first..last].to_vec())
        });
        distinct(forms)
    }

    /// From where on a part of it is secret by itself: the key of a Gafaelfawr token, before the dot, is its public name.
    pub(super) fn secret_from(&self) -> usize {
        let dot = self.bytes.iter().position(|byte| *byte == b'.');
        dot.filter(|_| self.bytes.starts_with(b"gt-")).map_or(0, |dot| dot + 1)
    }

    /// The text itself.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// How many bytes at the start of `text` are the secret, or so much of it that they must not be shown.
    pub(super) fn match_length(&self, text: &str) -> Option<usize> {
        let (mut matched, mut consumed) = (0, 0);
        while matched < self.bytes.len() {
            let rest = &text[consumed..];
            match unit_length(rest, &self.bytes[matched..]) {
                Some((length, bytes)) => {
                    consumed += length;
                    matched += bytes;
                }
                // Something folded the text, or put characters into it that are not seen.
                None if matched > 0 => {
                    let fold = fold_length(rest);
                    if fold == 0 || unit_length(&rest[fold..], &self.bytes[matched..]).is_none() {
                        break;
                    }
                    consumed += fold;
                }
                None => break,
            }
        }
        if matched == self.bytes.len() || matched >= LONG_PREFIX {
            return (matched > 0).then_some(consumed);
        }
        // Dots of an ellipsis may be dots of the secret.
        let shown = text[..consumed].trim_end_matches('.').len();
        let cut = [consumed, shown].into_iter().find(|at| is_cut(&text[*at..]));
        cut.filter(|_| matched >= CUT_PREFIX)
    }
}

fn distinct(forms: impl IntoIterator<Item = Vec<u8>>) -> impl Iterator<Item = Needle> {
    let mut forms: Vec<_> = forms.into_iter().collect();
    forms.dedup();
    forms.into_iter().map(|bytes| Needle { bytes: Zeroizing::new(bytes), is_base64: true })
}

/// Returns whether a text was cut before `rest`.
fn is_cut(rest: &str) -> bool {
    rest.is_empty()
        || rest.starts_with(['\n', '\r', '…'])
        || rest.starts_with("...")
        || rest.starts_with("\\n")
}

/// How many bytes at the start of `text` are line breaks, blanks and characters that are not seen.
fn fold_length(text: &str) -> usize {
    const BREAKS: [&str; 4] = ["\\r\\n", "\\n", "%0D%0A", "%0A"];
    let mut rest = text;
    loop {
        let seen = rest.trim_start_matches(is_unseen);
        let line_break = BREAKS.into_iter().find_map(|line_break| seen.strip_prefix(line_break));
        match line_break {
            Some(behind) => rest = behind,
            None => return text.len() - seen.len(),
        }
    }
}

fn is_unseen(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// The first character of `text`, escaped or not, if it is what `secret` begins with: its length in the text and in the
/// secret.
fn unit_length(text: &str, secret: &[u8]) -> Option<(usize, usize)> {
    escape::units(text)
        .find(|unit| secret.starts_with(unit.bytes()))
        .map(|unit| (unit.length, unit.bytes().len()))
}
