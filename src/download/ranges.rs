//! Which bytes of a file are there: sets of byte ranges, and the `Content-Range` header.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A set of byte positions, kept as ranges that are sorted, not empty and not touching.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<(u64, u64)>", into = "Vec<(u64, u64)>")]
pub(super) struct RangeSet(Vec<Range<u64>>);

impl RangeSet {
    /// Adds a range.
    pub(super) fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        // The usual case: the data goes on where it ended.
        if let Some(last) = self.0.last_mut()
            && last.end == range.start
        {
            last.end = range.end;
            return;
        }
        let first = self.0.partition_point(|there| there.end < range.start);
        let behind = self.0.partition_point(|there| there.start <= range.end);
        let mut merged = range;
        for there in &self.0[first..behind] {
            merged = merged.start.min(there.start)..merged.end.max(there.end);
        }
        self.0.splice(first..behind, [merged]);
    }

    /// How many bytes are there.
    pub(super) fn total(&self) -> u64 {
        self.0.iter().map(|range| range.end - range.start).sum()
    }

    /// How many bytes are there from the start on without a gap.
    pub(super) fn prefix(&self) -> u64 {
        self.0.first().filter(|range| range.start == 0).map_or(0, |range| range.end)
    }

    /// What is missing below `length`.
    pub(super) fn gaps(&self, length: u64) -> impl Iterator<Item = Range<u64>> + '_ {
        let starts = std::iter::once(0).chain(self.0.iter().map(|range| range.end));
        let ends = self.0.iter().map(|range| range.start).chain(std::iter::once(length));
        starts.zip(ends).map(move |(start, end)| start..end.min(length)).filter(|gap| !gap.is_empty())
    }

    /// The position behind the last byte that is there.
    pub(super) fn end(&self) -> u64 {
        self.0.last().map_or(0, |range| range.end)
    }
}

impl TryFrom<Vec<(u64, u64)>> for RangeSet {
    type Error = &'static str;

    fn try_from(ranges: Vec<(u64, u64)>) -> Result<Self, Self::Error> {
        let mut set = Self::default();
        for (start, end) in ranges {
            if start >= end || (set.end() >= start && set.end() != 0) {
                return Err("the ranges are not in order");
            }
            set.insert(start..end);
        }
        Ok(set)
    }
}

impl From<RangeSet> for Vec<(u64, u64)> {
    fn from(set: RangeSet) -> Self {
        set.0.into_iter().map(|range| (range.start, range.end)).collect()
    }
}

/// What a `206` says it carries: `Content-Range: bytes 6-15/16` (RFC 9110 section 14.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ContentRange {
    pub(super) range: Range<u64>,
    /// The whole file's length, where the server knows it.
    pub(super) total: Option<u64>,
}

impl ContentRange {
    /// Reads the header's value; `None` for anything that is not a range of a file, such as XRootD 5.5.3's
    /// `bytes 6--1/16`, which carries nothing.
    pub(super) fn parse(value: &str) -> Option<Self> {
        let (first, rest) = value.trim().strip_prefix("bytes ")?.trim_start().split_once('-')?;
        let (last, total) = rest.split_once('/')?;
        let first = number(first)?;
        let end = number(last)?.checked_add(1)?;
        let total = if total.trim() == "*" { None } else { Some(number(total)?) };
        (first < end && total.is_none_or(|total| end <= total)).then_some(Self { range: first..end, total })
    }
}

/// Digits only: `u64::from_str` would take a sign.
fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Ranges as pairs: a list of one range looks like a mistake.
    fn pairs(ranges: impl IntoIterator<Item = Range<u64>>) -> Vec<(u64, u64)> {
        ranges.into_iter().map(|range| (range.start, range.end)).collect()
    }

    #[test]
    fn a_range_that_goes_on_extends_the_last_one() {
        let mut set = RangeSet::default();
        set.insert(0..5);
        set.insert(5..9);
        set.insert(20..30);
        assert_eq!(pairs(set.0.clone()), [(0, 9), (20, 30)]);
        assert_eq!((set.prefix(), set.total(), set.end()), (9, 19, 30));
        assert_eq!(pairs(set.gaps(40)), [(9, 20), (30, 40)]);
        assert_eq!(pairs(set.gaps(25)), [(9, 20)]);
        set.insert(8..21);
        assert_eq!(pairs(set.0), [(0, 30)]);
    }

    #[test]
    fn a_file_that_does_not_start_has_no_prefix() {
        let mut set = RangeSet::default();
        set.insert(3..5);
        assert_eq!(set.prefix(), 0);
        assert_eq!(pairs(RangeSet::default().gaps(4)), [(0, 4)]);
    }

    #[test]
    fn ranges_from_a_damaged_file_are_refused() {
        for text in ["[[5,5]]", "[[5,4]]", "[[0,9],[4,12]]", "[[9,12],[0,3]]"] {
            assert!(serde_json::from_str::<RangeSet>(text).is_err(), "{text}");
        }
        assert!(serde_json::from_str::<RangeSet>("[[0,9],[12,14]]").is_ok());
    }

    #[test]
    fn content_range_is_read_and_nonsense_is_not() {
        let parsed = ContentRange::parse("bytes 6-15/16").unwrap();
        assert_eq!((parsed.range, parsed.total), (6..16, Some(16)));
        assert_eq!(ContentRange::parse("bytes 0-0/*").unwrap().total, None);
        for text in [
            "bytes 6--1/16",
            "bytes -1--1/16",
            "bytes 0--1/0",
            "bytes 10-1000/16",
            "bytes 5-4/16",
            "bytes */16",
            "bytes +1-5/16",
            "bytes 0-18446744073709551615/*",
            "items 0-4/16",
            "bytes 0-4",
            "",
        ] {
            assert_eq!(ContentRange::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_set_of_ranges_is_a_set_of_positions(ranges in prop::collection::vec((0_u64..64, 0_u64..16), 0..20)) {
            let mut set = RangeSet::default();
            let mut positions = std::collections::BTreeSet::new();
            for (start, length) in ranges {
                set.insert(start..start + length);
                positions.extend(start..start + length);
            }
            prop_assert_eq!(set.total(), positions.len() as u64);
            let missing: Vec<u64> = set.gaps(80).flatten().collect();
            prop_assert_eq!(missing, (0..80).filter(|n| !positions.contains(n)).collect::<Vec<_>>());
            let again: RangeSet = serde_json::from_str(&serde_json::to_string(&set).unwrap()).unwrap();
            prop_assert_eq!(again, set);
        }
    }
}
