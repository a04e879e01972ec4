//! The search for secrets in a text, from its start to its end.

use super::encoded;
use super::index::{Forms, Index};
use super::shape;

/// A text that is encoded more often than this is not decoded further.
const DEEPEST: usize = 3;

/// The places of secrets in a text, one behind the other: from where to where each must be masked.
pub(super) struct Scan<'t> {
    index: &'t Index,
    secrets: &'t [&'t Forms],
    text: &'t str,
    at: usize,
    before: Option<char>,
    /// Up to here, runs of encoded characters were decoded.
    decoded: usize,
    depth: usize,
}

impl<'t> Scan<'t> {
    pub(super) fn new(index: &'t Index, secrets: &'t [&'t Forms], text: &'t str) -> Self {
        Self { index, secrets, text, at: 0, before: None, decoded: 0, depth: 0 }
    }

    /// What must be masked if a secret, or a part of one, begins here or reaches to here.
    fn secret_here(&mut self) -> Option<(usize, usize)> {
        let (text, at) = (self.text, self.at);
        let encoded = self.encoded_secret();
        let by_value = self
            .index
            .match_at(self.secrets, text, at)
            .map(|(end, is_base64)| if is_base64 { around(text, at, end) } else { (at, end) });
        let part = self.index.part_around(self.secrets, text, at);
        let shape = shape::at_start(&text[at..], self.before);
        let by_shape = shape.map(|shape| (at + shape.shown, at + shape.shown + shape.hidden));
        [encoded, by_value, part, by_shape].into_iter().flatten().max_by_key(|(_, end)| *end)
    }

    /// A run of base64 or hexadecimal digits that begins here and holds a secret.
    fn encoded_secret(&mut self) -> Option<(usize, usize)> {
        if self.at < self.decoded || self.depth >= DEEPEST {
            return None;
        }
        let rest = &self.text[self.at..];
        let length = encoded::run_length(rest);
        self.decoded = self.at + length;
        let holds_secret = |meaning: &str| {
            let (index, secrets, depth) = (self.index, self.secrets, self.depth + 1);
            let mut inner = Scan { depth, ..Scan::new(index, secrets, meaning) };
            inner.next().is_some()
        };
        encoded::any_meaning(&rest[..length], holds_secret).then(|| {
            let padding = rest[length..].bytes().take(2).take_while(|b| *b == b'=').count();
            (self.at, self.at + length + padding)
        })
    }
}

impl Iterator for Scan<'_> {
    type Item = (usize, usize);

    fn next(&mut self) -> Option<(usize, usize)> {
        while let Some(first) = self.text[self.at..].chars().next() {
            if let Some((begin, end)) = self.secret_here() {
                (self.at, self.before) = (end, Some('…'));
                return Some((begin, end));
            }
            self.before = Some(first);
            self.at += first.len_utf8();
        }
        None
    }
}

/// Takes in the characters of a base64 text of which the secret has a part: one before, one behind, and the padding.
fn around(text: &str, begin: usize, end: usize) -> (usize, usize) {
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_');
    let begin = begin - usize::from(text[..begin].chars().next_back().is_some_and(is_base64));
    let rest = &text[end..];
    let behind = usize::from(rest.chars().next().is_some_and(is_base64));
    let padding = rest[behind..].bytes().take(2).take_while(|b| *b == b'=').count();
    (begin, end + behind + padding)
}
