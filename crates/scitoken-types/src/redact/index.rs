//! Where a known secret may begin, found without a look at every secret.

use std::collections::HashMap;
use std::sync::Arc;

use super::escape;
use super::needle::Needle;

/// Needles are found by so many characters at their start.
const START: usize = 3;
/// Parts of secrets are found by blocks of so many characters, cut from the secret one behind the other.
const BLOCK: usize = 6;
/// So much of a secret, from anywhere in it, is masked. Any part of this length has a whole block in it.
pub(super) const SHORTEST_PART: usize = 2 * BLOCK;

/// The forms of one secret.
pub(super) type Forms = Arc<[Needle]>;

/// The needles by their start, and the secrets by their parts.
#[derive(Debug)]
pub(super) struct Index {
    /// Whether a needle begins with the byte.
    begins: [bool; 256],
    by_start: HashMap<[u8; START], Vec<Place>>,
    by_block: HashMap<[u8; BLOCK], Vec<Place>>,
}

/// More secrets of a server than this are not compared with one place of a text, so that cookies that begin alike cannot
/// make that slow.
const MOST_PLACES: usize = 32;

/// A place in a needle: which form of which secret, and from which of its bytes on.
#[derive(Clone, Copy, Debug)]
struct Place {
    secret: usize,
    form: usize,
    offset: usize,
}

impl Index {
    /// Indexes our own secrets, and those that servers chose: the first ones of these count.
    pub(super) fn new(own: &[&Forms], received: &[&Forms]) -> Self {
        let (by_start, by_block) = (HashMap::new(), HashMap::new());
        let mut index = Self { begins: [false; 256], by_start, by_block };
        for (secret, forms) in own.iter().chain(received).enumerate() {
            let most = if secret < own.len() { usize::MAX } else { MOST_PLACES };
            for (form, needle) in forms.iter().enumerate() {
                index.add(needle, Place { secret, form, offset: 0 }, most);
            }
        }
        index
    }

    fn add(&mut self, needle: &Needle, place: Place, most: usize) {
        let push = |places: &mut Vec<Place>, place| {
            if places.len() < most {
                places.push(place);
            }
        };
        let bytes = needle.bytes();
        let Some(start) = bytes.first_chunk::<START>() else { return };
        self.begins[usize::from(start[0])] = true;
        push(self.by_start.entry(*start).or_default(), place);
        if needle.is_base64 || bytes.len() < SHORTEST_PART {
            return;
        }
        let from = needle.secret_from();
        for (number, block) in bytes[from..].as_chunks::<BLOCK>().0.iter().enumerate() {
            push(self.by_block.entry(*block).or_default(), Place { offset: from + number * BLOCK, ..place });
        }
    }

    /// Returns where a secret that begins at `at` ends, and whether it is one in base64.
    pub(super) fn match_at(&self, secrets: &[&Forms], text: &str, at: usize) -> Option<(usize, bool)> {
        let rest = &text[at..];
        let first = *rest.as_bytes().first()?;
        if !self.begins[usize::from(first)] && !escape::begins(first) {
            return None;
        }
        let mut longest = None;
        escape::starts::<START>(rest, &mut |start| {
            for place in self.by_start.get(&start).into_iter().flatten() {
                let needle = &secrets[place.secret][place.form];
                if let Some(length) = needle.match_length(rest) {
                    longest = longest.max(Some((at + length, needle.is_base64)));
                }
            }
        });
        longest
    }

    /// Returns from where to where a part of a secret reaches that has a block at `at`.
    pub(super) fn part_around(&self, secrets: &[&Forms], text: &str, at: usize) -> Option<(usize, usize)> {
        let bytes = text.as_bytes();
        let block = bytes.get(at..)?.first_chunk::<BLOCK>()?;
        let reach = |place: &Place| {
            let needle = &secrets[place.secret][place.form];
            let secret = needle.bytes();
            let same = |(one, other): &(&u8, &u8)| one == other;
            let before =
                bytes[..at].iter().rev().zip(secret[needle.secret_from()..place.offset].iter().rev());
            let behind = bytes[at..].iter().zip(&secret[place.offset..]);
            (before.take_while(same).count(), behind.take_while(same).count())
        };
        let parts = self.by_block.get(block)?.iter().map(reach);
        let (before, behind) = parts.max_by_key(|(before, behind)| before + behind)?;
        let is_boundary = |at: &usize| text.is_char_boundary(*at);
        let begin = (at - before..=at).find(is_boundary)?;
        let end = (at..=at + behind).rev().find(is_boundary)?;
        (before + behind >= SHORTEST_PART).then_some((begin, end))
    }
}
