//! How many connections a file gets.

use std::time::Duration;

/// The measured rate with a number of streams.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    pub(crate) streams: usize,
    /// Bytes per second.
    pub(crate) rate: f64,
}

/// Returns the rate in bytes per second.
#[expect(clippy::cast_precision_loss, reason = "a rate need not be exact to the byte")]
pub(crate) fn rate(bytes: u64, time: Duration) -> f64 {
    bytes as f64 / time.as_secs_f64().max(1e-9)
}

/// Returns how long `bytes` take at `rate`.
#[expect(clippy::cast_precision_loss, reason = "an estimate need not be exact to the byte")]
pub(crate) fn time_for(bytes: u64, rate: f64) -> Duration {
    Duration::try_from_secs_f64(bytes as f64 / rate).unwrap_or(Duration::MAX)
}

/// The response time from which a server counts as far away.
const FAR: Duration = Duration::from_millis(15);

/// Returns how many streams to begin with, by the time of the first response.
///
/// TCP starts slowly and sends one window per round trip, so several streams help with a distant server, and adding one
/// at a time would take longer than many files. Nearby, one may already use the whole machine.
pub(crate) fn first_streams(answered_in: Duration, most: usize) -> usize {
    const FAR_AWAY: usize = 8;
    if answered_in >= FAR { most.min(FAR_AWAY) } else { 1 }
}

/// The growth of the rate that justifies more connections.
const WORTH_IT: f64 = 1.15;

/// Returns how many streams to use next, given the last two measurements.
pub(crate) fn next_streams(before: Option<Measured>, now: Measured, most: usize) -> usize {
    match before {
        // The first look: nothing to compare with.
        None => (now.streams * 2).min(most),
        Some(before) if now.streams <= before.streams => now.streams,
        Some(before) if now.rate >= before.rate * WORTH_IT => (now.streams * 2).min(most),
        Some(_) => now.streams,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The streams that are reached when each of them brings `each`, and all of them together no more than `all`.
    fn reached(each: u32, all: u32, most: usize) -> usize {
        let rate = |streams: usize| f64::from((each * u32::try_from(streams).unwrap()).min(all));
        let (mut before, mut streams) = (None, 1);
        for _ in 0..20 {
            let now = Measured { streams, rate: rate(streams) };
            streams = next_streams(before, now, most);
            before = Some(now);
        }
        streams
    }

    #[test]
    fn a_distant_server_begins_with_several_streams() {
        let milliseconds = Duration::from_millis;
        assert_eq!(first_streams(milliseconds(1), 8), 1);
        assert_eq!(first_streams(milliseconds(100), 16), 8);
        assert_eq!(first_streams(milliseconds(100), 2), 2);
    }

    #[test]
    fn streams_are_added_while_they_help() {
        assert_eq!(reached(10, 1_000, 16), 16);
        assert_eq!(reached(10, 38, 16), 8, "four bring 38, eight bring no more");
        assert_eq!(reached(10, 10, 16), 2, "one is enough, and a second one shows it");
        assert_eq!(reached(10, 1_000, 1), 1);
        assert_eq!(reached(10, 1_000, 5), 5);
    }
}
