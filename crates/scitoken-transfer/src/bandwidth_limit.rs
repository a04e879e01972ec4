//! The rate that transfers may reach together.

use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// What a transfer that was slower than its limit may catch up.
const CATCH_UP: Duration = Duration::from_millis(100);

/// How many bytes per second all transfers of a run may move together. Clones share it as well.
///
/// ```
/// use std::num::NonZeroU64;
/// use scitoken_transfer::BandwidthLimit;
///
/// let limit = BandwidthLimit::new(NonZeroU64::new(10_000_000).unwrap());
/// assert_eq!(limit.bytes_per_second().get(), 10_000_000);
/// ```
#[derive(Clone, Debug)]
pub struct BandwidthLimit {
    bytes_per_second: NonZeroU64,
    /// When the bytes so far are within the limit.
    reached: Arc<Mutex<Option<Instant>>>,
}

impl BandwidthLimit {
    /// Creates a limit.
    pub fn new(bytes_per_second: NonZeroU64) -> Self {
        Self { bytes_per_second, reached: Arc::default() }
    }

    /// Returns the limit.
    pub fn bytes_per_second(&self) -> NonZeroU64 {
        self.bytes_per_second
    }

    /// Counts bytes, and returns when they and all before them are within the limit.
    pub(crate) fn count(&self, bytes: u64, now: Instant) -> Instant {
        let mut reached = self.reached.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = now.checked_sub(CATCH_UP).unwrap_or(now);
        let begin = reached.map_or(now, |reached| reached.max(earliest));
        let end = begin + self.time_for(bytes);
        *reached = Some(end);
        end
    }

    /// Returns how many bytes to send at once, so that they flow instead of coming in bursts.
    pub(crate) fn piece(&self, most: usize) -> usize {
        const PIECES_PER_SECOND: u64 = 8;
        let piece = (self.bytes_per_second.get() / PIECES_PER_SECOND).max(1);
        usize::try_from(piece).unwrap_or(most).min(most)
    }

    fn time_for(&self, bytes: u64) -> Duration {
        const NANOSECONDS: u128 = 1_000_000_000;
        let rate = self.bytes_per_second.get();
        let part = (u128::from(bytes % rate) * NANOSECONDS).div_ceil(u128::from(rate));
        // Less than a second, or exactly one.
        Duration::from_secs(bytes / rate) + Duration::from_nanos(u64::try_from(part).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(bytes_per_second: u64) -> BandwidthLimit {
        BandwidthLimit::new(NonZeroU64::new(bytes_per_second).unwrap())
    }

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn each_byte_takes_its_share_of_a_second() {
        let start = Instant::now();
        for (rate, bytes, takes) in [
            (1, 10, 10.0),
            (1_000, 500, 0.5),
            (1_000, 0, 0.0),
            (3, 1, 0.333_333_334),
            (1 << 40, 1 << 42, 4.0),
            (u64::MAX, u64::MAX, 1.0),
        ] {
            assert_eq!(limit(rate).count(bytes, start) - start, seconds(takes), "{bytes} at {rate}");
        }
    }

    #[test]
    fn clones_wait_for_each_other() {
        let (start, limit) = (Instant::now(), limit(1_000));
        let other = limit.clone();
        assert_eq!(limit.count(1_000, start) - start, seconds(1.0));
        assert_eq!(other.count(500, start) - start, seconds(1.5));
        assert_eq!(limit.count(500, start + seconds(1.0)) - start, seconds(2.0));
    }

    #[test]
    fn a_pause_is_caught_up_for_a_moment_only() {
        let (start, limit) = (Instant::now(), limit(1_000));
        limit.count(1_000, start);
        assert_eq!(limit.count(1_000, start + seconds(1.05)) - start, seconds(2.0), "a short delay");
        let late = start + seconds(60.0);
        assert_eq!(limit.count(1_000, late) - late, seconds(0.9), "a long one");
    }

    #[test]
    fn any_sequence_of_chunks_stays_within_the_limit() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..200 {
            let exponent = random.u32(1..40);
            let rate = random.u64(1..=1 << exponent);
            let (limit, start) = (limit(rate), Instant::now());
            let (mut now, mut bytes) = (start, 0);
            for _ in 0..100 {
                let chunk = random.u64(0..=rate);
                bytes += chunk;
                // The reader waits as it is told, and then the server may be slow.
                now = now.max(limit.count(chunk, now)) + Duration::from_micros(random.u64(0..200_000));
            }
            let allowed = (now + CATCH_UP - start).as_secs_f64();
            #[expect(clippy::cast_precision_loss, reason = "an average")]
            let average = bytes as f64 / allowed;
            #[expect(clippy::cast_precision_loss, reason = "an average")]
            let most = rate as f64;
            assert!(average <= most, "{average} at {rate}");
        }
    }

    #[test]
    fn slow_uploads_are_sent_in_small_pieces() {
        assert_eq!(limit(8_000).piece(256 * 1024), 1_000);
        assert_eq!(limit(1).piece(256 * 1024), 1);
        assert_eq!(limit(u64::MAX).piece(256 * 1024), 256 * 1024);
    }
}
