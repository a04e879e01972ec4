//! Who fetches which bytes of one file.

use std::ops::Range;

use super::ranges::RangeSet;

/// A share smaller than this is not split: a new request would cost more than it wins.
pub(super) const SMALLEST_SHARE: u64 = 4 * 1024 * 1024;

/// The number of a claim; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim(u64);

/// Whether a new claim may take half of somebody else's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Split {
    Allowed,
    Forbidden,
}

/// The bytes of a file that are there, and who is fetching the others.
#[derive(Debug, Default)]
pub(super) struct Board {
    length: Option<u64>,
    done: RangeSet,
    claims: Vec<(Claim, Range<u64>)>,
    next: u64,
}

impl Board {
    /// A file of which an earlier run left something.
    pub(super) fn resumed(length: u64, done: RangeSet) -> Self {
        Self { length: Some(length), done, ..Self::default() }
    }

    /// Forgets everything. All claims are void; their numbers are never given again.
    pub(super) fn restart(&mut self) {
        *self = Self { next: self.next, ..Self::default() };
    }

    /// The file's length, once known.
    pub(super) fn length(&self) -> Option<u64> {
        self.length
    }

    /// Sets the length and cuts claims that go beyond it.
    pub(super) fn set_length(&mut self, length: u64) {
        self.length = Some(length);
        for (_, range) in &mut self.claims {
            range.end = range.end.min(length);
        }
    }

    pub(super) fn done(&self) -> &RangeSet {
        &self.done
    }

    pub(super) fn is_complete(&self) -> bool {
        self.length.is_some_and(|length| self.done.total() == length)
    }

    /// Takes the first bytes that nobody fetches, or else the back half of the largest share.
    pub(super) fn claim(&mut self, split: Split) -> Option<Claim> {
        let end = self.length.unwrap_or(u64::MAX);
        let free = self.done.gaps(end).find_map(|gap| self.free_part(gap));
        let range = free.or_else(|| match split {
            Split::Allowed => self.split_largest(),
            Split::Forbidden => None,
        })?;
        let claim = Claim(self.next);
        self.next += 1;
        self.claims.push((claim, range));
        Some(claim)
    }

    /// What a claim still has to fetch; `None` when it was voided.
    pub(super) fn wanted(&self, claim: Claim) -> Option<Range<u64>> {
        self.claims.iter().find(|(id, _)| *id == claim).map(|(_, range)| range.clone())
    }

    /// The next `bytes` bytes of a claim have come.
    pub(super) fn arrived(&mut self, claim: Claim, bytes: u64) {
        if let Some((_, range)) = self.claims.iter_mut().find(|(id, _)| *id == claim) {
            let end = range.start.saturating_add(bytes).min(range.end);
            self.done.insert(range.start..end);
            range.start = end;
        }
    }

    /// Lets a claim that has all of its bytes go on with what lies behind them, if nobody fetches that.
    pub(super) fn extend(&mut self, claim: Claim) {
        let Some(range) = self.wanted(claim) else { return };
        let end = self.length.unwrap_or(u64::MAX);
        let behind = self.done.gaps(end).find(|gap| gap.contains(&range.end));
        let free =
            behind.and_then(|gap| self.free_part(range.end..gap.end)).filter(|free| free.start == range.end);
        if let (Some(free), Some((_, range))) = (free, self.claims.iter_mut().find(|(id, _)| *id == claim)) {
            range.end = free.end;
        }
    }

    /// Whether anybody else fetches something.
    pub(super) fn has_other_than(&self, claim: Claim) -> bool {
        self.claims.iter().any(|(id, range)| *id != claim && !range.is_empty())
    }

    /// Gives a claim back.
    pub(super) fn release(&mut self, claim: Claim) {
        self.claims.retain(|(id, _)| *id != claim);
    }

    /// The first part of a gap that nobody has claimed.
    fn free_part(&self, gap: Range<u64>) -> Option<Range<u64>> {
        let mut start = gap.start;
        loop {
            let covering = self.claims.iter().map(|(_, range)| range).find(|range| range.contains(&start));
            match covering {
                Some(range) => start = range.end,
                None => break,
            }
        }
        let taken = self.claims.iter().map(|(_, range)| range.start).filter(|taken| *taken > start).min();
        let end = taken.map_or(gap.end, |taken| taken.min(gap.end));
        (start < end).then_some(start..end)
    }

    fn split_largest(&mut self) -> Option<Range<u64>> {
        // Without a length nobody knows where the half is.
        self.length?;
        let (_, range) = self.claims.iter_mut().max_by_key(|(_, range)| range.end - range.start)?;
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
        let mut board = Board::default();
        let first = board.claim(Split::Forbidden).unwrap();
        assert_eq!(board.wanted(first), Some(0..u64::MAX));
        assert_eq!(board.claim(Split::Allowed), None, "nobody knows the half of an unknown length");
        board.set_length(100 * MIB);
        board.arrived(first, 20 * MIB);
        let second = board.claim(Split::Allowed).unwrap();
        assert_eq!(board.wanted(first), Some(20 * MIB..60 * MIB));
        assert_eq!(board.wanted(second), Some(60 * MIB..100 * MIB));
        assert_eq!(board.claim(Split::Forbidden), None);
    }

    #[test]
    fn a_claim_goes_on_behind_its_end_when_the_other_gave_up() {
        let mut board = Board::resumed(100 * MIB, RangeSet::default());
        let first = board.claim(Split::Allowed).unwrap();
        let second = board.claim(Split::Allowed).unwrap();
        board.arrived(first, 50 * MIB);
        board.extend(first);
        assert_eq!(board.wanted(first), Some(50 * MIB..50 * MIB));
        board.release(second);
        board.extend(first);
        assert_eq!(board.wanted(first), Some(50 * MIB..100 * MIB));
    }

    #[test]
    fn a_restart_voids_all_claims() {
        let mut board = Board::resumed(100, RangeSet::default());
        let claim = board.claim(Split::Forbidden).unwrap();
        board.restart();
        assert_eq!(board.wanted(claim), None);
        board.arrived(claim, 5);
        assert_eq!(board.done().total(), 0);
        assert_ne!(board.claim(Split::Forbidden), Some(claim));
    }

    #[test]
    fn small_shares_are_not_split() {
        let mut board = Board::resumed(2 * SMALLEST_SHARE - 1, RangeSet::default());
        board.claim(Split::Allowed).unwrap();
        assert_eq!(board.claim(Split::Allowed), None);
    }

    proptest! {
        /// Whatever the streams do, no two of them fetch the same byte, and in the end every byte is there.
        #[test]
        fn claims_never_overlap_and_cover_everything(
            length in 0_u64..64 * MIB,
            steps in prop::collection::vec((0_u8..5, 0_usize..6, 1_u64..8 * MIB), 0..60),
        ) {
            let mut board = Board::resumed(length, RangeSet::default());
            let mut claims = Vec::new();
            for (what, which, bytes) in steps {
                let chosen = claims.get(which % claims.len().max(1)).copied();
                match (what, chosen) {
                    (0, _) => claims.extend(board.claim(Split::Allowed)),
                    (1, Some(claim)) => {
                        board.release(claim);
                        claims.retain(|other| *other != claim);
                    }
                    (2, Some(claim)) => board.extend(claim),
                    (_, Some(claim)) => board.arrived(claim, bytes),
                    _ => {}
                }
                let mut wanted: Vec<_> = claims.iter().filter_map(|claim| board.wanted(*claim)).collect();
                wanted.retain(|range| !range.is_empty());
                wanted.sort_by_key(|range| range.start);
                prop_assert!(wanted.windows(2).all(|pair| pair[0].end <= pair[1].start), "{wanted:?}");
                for gap in wanted {
                    prop_assert!(board.done().gaps(length).any(|free| free.start <= gap.start && gap.end <= free.end));
                }
            }
            for claim in claims {
                board.release(claim);
            }
            while let Some(claim) = board.claim(Split::Forbidden) {
                let range = board.wanted(claim).unwrap();
                board.arrived(claim, range.end - range.start);
                board.release(claim);
            }
            prop_assert!(board.is_complete());
        }
    }
}
