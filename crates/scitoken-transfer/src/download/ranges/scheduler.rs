//! Which connection fetches which bytes of a file.

use std::ops::Range;

use crate::download::ranges::range_set::RangeSet;

/// The smallest share that results from a split, in bytes: a request for less would cost more than it gains.
pub(crate) const SMALLEST_SHARE: u64 = 4 * 1024 * 1024;

/// The number of a lease, never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RangeLease(u64);

/// The bytes of a file that are written, and the leases of the others.
#[derive(Debug, Default)]
pub(crate) struct RangeScheduler {
    length: Option<u64>,
    done: RangeSet,
    leases: Vec<(RangeLease, Range<u64>)>,
    next: u64,
}

impl RangeScheduler {
    /// Creates the scheduler of a partly fetched file.
    pub(crate) fn resumed(length: u64, done: RangeSet) -> Self {
        Self { length: Some(length), done, ..Self::default() }
    }

    /// Discards everything. All leases become void; their numbers are not reused.
    pub(crate) fn restart(&mut self) {
        *self = Self { next: self.next, ..Self::default() };
    }

    /// Returns the file's length, once known.
    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }

    /// Sets the length and shortens leases that exceed it.
    pub(crate) fn set_length(&mut self, length: u64) {
        self.length = Some(length);
        for (_, range) in &mut self.leases {
            range.end = range.end.min(length);
        }
    }

    pub(crate) fn done(&self) -> &RangeSet {
        &self.done
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.length.is_some_and(|length| self.done.total() == length)
    }

    /// Leases the first free bytes, or else, if `may_split`, the back half of the largest lease.
    pub(crate) fn lease(&mut self, may_split: bool) -> Option<RangeLease> {
        let end = self.length.unwrap_or(u64::MAX);
        let free = self.done.gaps(end).find_map(|gap| self.free_part(gap));
        let range = free.or_else(|| if may_split { self.split_largest() } else { None })?;
        let lease = RangeLease(self.next);
        self.next += 1;
        self.leases.push((lease, range));
        Some(lease)
    }

    /// Returns what a lease still has to fetch; `None` when it is void.
    pub(crate) fn wanted(&self, lease: RangeLease) -> Option<Range<u64>> {
        self.leases.iter().find(|(id, _)| *id == lease).map(|(_, range)| range.clone())
    }

    /// Records that the next `bytes` bytes of a lease were written.
    pub(crate) fn arrived(&mut self, lease: RangeLease, bytes: u64) {
        if let Some((_, range)) = self.leases.iter_mut().find(|(id, _)| *id == lease) {
            let end = range.start.saturating_add(bytes).min(range.end);
            self.done.insert(range.start..end);
            range.start = end;
        }
    }

    /// Extends a completed lease by the bytes behind it, if they are free.
    pub(crate) fn extend(&mut self, lease: RangeLease) {
        let Some(range) = self.wanted(lease) else { return };
        let end = self.length.unwrap_or(u64::MAX);
        let behind = self.done.gaps(end).find(|gap| gap.contains(&range.end));
        let free =
            behind.and_then(|gap| self.free_part(range.end..gap.end)).filter(|free| free.start == range.end);
        if let (Some(free), Some((_, range))) = (free, self.leases.iter_mut().find(|(id, _)| *id == lease)) {
            range.end = free.end;
        }
    }

    /// Whether another lease is not complete.
    pub(crate) fn has_other_than(&self, lease: RangeLease) -> bool {
        self.leases.iter().any(|(id, range)| *id != lease && !range.is_empty())
    }

    /// Returns a lease.
    pub(crate) fn release(&mut self, lease: RangeLease) {
        self.leases.retain(|(id, _)| *id != lease);
    }

    /// Returns the first free part of a gap.
    fn free_part(&self, gap: Range<u64>) -> Option<Range<u64>> {
        let mut start = gap.start;
        loop {
            let covering = self.leases.iter().map(|(_, range)| range).find(|range| range.contains(&start));
            match covering {
                Some(range) => start = range.end,
                None => break,
            }
        }
        let taken = self.leases.iter().map(|(_, range)| range.start).filter(|taken| *taken > start).min();
        let end = taken.map_or(gap.end, |taken| taken.min(gap.end));
        (start < end).then_some(start..end)
    }

    fn split_largest(&mut self) -> Option<Range<u64>> {
        // Without a length there is no half.
        self.length?;
        let (_, range) = self.leases.iter_mut().max_by_key(|(_, range)| range.end - range.start)?;
        let remaining = range.end - range.start;
        if remaining < 2 * SMALLEST_SHARE {
            return None;
        }
        let middle = range.start + remaining / 2;
        let back = middle..range.end;
        range.end = middle;
        Some(back)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIB: u64 = 1024 * 1024;

    #[test]
    fn the_first_claim_is_the_whole_file_and_the_next_takes_its_back_half() {
        let mut scheduler = RangeScheduler::default();
        let first = scheduler.lease(false).unwrap();
        assert_eq!(scheduler.wanted(first), Some(0..u64::MAX));
        assert_eq!(scheduler.lease(true), None, "an unknown length has no half");
        scheduler.set_length(100 * MIB);
        scheduler.arrived(first, 20 * MIB);
        let second = scheduler.lease(true).unwrap();
        assert_eq!(scheduler.wanted(first), Some(20 * MIB..60 * MIB));
        assert_eq!(scheduler.wanted(second), Some(60 * MIB..100 * MIB));
        assert_eq!(scheduler.lease(false), None);
    }

    #[test]
    fn a_claim_goes_on_behind_its_end_when_the_other_gave_up() {
        let mut scheduler = RangeScheduler::resumed(100 * MIB, RangeSet::default());
        let first = scheduler.lease(true).unwrap();
        let second = scheduler.lease(true).unwrap();
        scheduler.arrived(first, 50 * MIB);
        scheduler.extend(first);
        assert_eq!(scheduler.wanted(first), Some(50 * MIB..50 * MIB));
        scheduler.release(second);
        scheduler.extend(first);
        assert_eq!(scheduler.wanted(first), Some(50 * MIB..100 * MIB));
    }

    #[test]
    fn a_restart_voids_all_claims() {
        let mut scheduler = RangeScheduler::resumed(100, RangeSet::default());
        let lease = scheduler.lease(false).unwrap();
        scheduler.restart();
        assert_eq!(scheduler.wanted(lease), None);
        scheduler.arrived(lease, 5);
        assert_eq!(scheduler.done().total(), 0);
        assert_ne!(scheduler.lease(false), Some(lease));
    }

    #[test]
    fn small_shares_are_not_split() {
        let mut scheduler = RangeScheduler::resumed(2 * SMALLEST_SHARE - 1, RangeSet::default());
        scheduler.lease(true).unwrap();
        assert_eq!(scheduler.lease(true), None);
    }

    proptest! {
        /// Whatever the streams do, no two of them fetch the same byte, and in the end every byte is there.
        #[test]
        fn claims_never_overlap_and_cover_everything(
            length in 0_u64..64 * MIB,
            steps in prop::collection::vec((0_u8..5, 0_usize..6, 1_u64..8 * MIB), 0..60),
        ) {
            let mut scheduler = RangeScheduler::resumed(length, RangeSet::default());
            let mut leases = Vec::new();
            for (what, which, bytes) in steps {
                let chosen = leases.get(which % leases.len().max(1)).copied();
                match (what, chosen) {
                    (0, _) => leases.extend(scheduler.lease(true)),
                    (1, Some(lease)) => {
                        scheduler.release(lease);
                        leases.retain(|other| *other != lease);
                    }
                    (2, Some(lease)) => scheduler.extend(lease),
                    (_, Some(lease)) => scheduler.arrived(lease, bytes),
                    _ => {}
                }
                let mut wanted: Vec<_> = leases.iter().filter_map(|lease| scheduler.wanted(*lease)).collect();
                wanted.retain(|range| !range.is_empty());
                wanted.sort_by_key(|range| range.start);
                prop_assert!(wanted.windows(2).all(|pair| pair[0].end <= pair[1].start), "{wanted:?}");
                for gap in wanted {
                    prop_assert!(scheduler.done().gaps(length).any(|free| free.start <= gap.start && gap.end <= free.end));
                }
            }
            for lease in leases {
                scheduler.release(lease);
            }
            while let Some(lease) = scheduler.lease(false) {
                let range = scheduler.wanted(lease).unwrap();
                scheduler.arrived(lease, range.end - range.start);
                scheduler.release(lease);
            }
            prop_assert!(scheduler.is_complete());
        }
    }
}
