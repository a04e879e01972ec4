//! Sets of byte ranges.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// A set of byte positions, kept as ranges that are sorted, not empty and not touching.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<(u64, u64)>", into = "Vec<(u64, u64)>")]
pub(crate) struct RangeSet(Vec<Range<u64>>);

impl RangeSet {
    /// Adds a range.
    pub(crate) fn insert(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        // The common case: the range extends the last one.
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

    /// Whether all of a range is in the set.
    pub(crate) fn contains(&self, range: Range<u64>) -> bool {
        let next = self.0.partition_point(|there| there.end < range.end);
        self.0.get(next).is_some_and(|there| there.start <= range.start && range.end <= there.end)
    }

    /// Returns the number of bytes.
    pub(crate) fn total(&self) -> u64 {
        self.0.iter().map(|range| range.end - range.start).sum()
    }

    /// Returns the number of bytes before the first gap.
    pub(crate) fn prefix(&self) -> u64 {
        self.0.first().filter(|range| range.start == 0).map_or(0, |range| range.end)
    }

    /// Returns the gaps below `length`.
    pub(crate) fn gaps(&self, length: u64) -> impl Iterator<Item = Range<u64>> + '_ {
        let starts = std::iter::once(0).chain(self.0.iter().map(|range| range.end));
        let ends = self.0.iter().map(|range| range.start).chain(std::iter::once(length));
        starts.zip(ends).map(move |(start, end)| start..end.min(length)).filter(|gap| !gap.is_empty())
    }

    /// Returns the position behind the last byte.
    pub(crate) fn end(&self) -> u64 {
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
