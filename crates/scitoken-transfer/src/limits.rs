//! How long a transfer may take.

use std::time::Duration;

/// How long a transfer may take and stall.
///
/// ```
/// let mut limits = scitoken_transfer::TransferLimits::default();
/// limits.streams = 4;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransferLimits {
    /// How long a response may take to begin; one minute by default. XRootD's managers search for a file for 20 seconds.
    pub first_byte: Duration,
    /// How long the rate may stay below [`slowest`](Self::slowest); one minute by default.
    pub stall: Duration,
    /// The lowest acceptable rate in bytes per second; 100 by default.
    pub slowest: u64,
    /// How long a file may take in all, retries included; unlimited by default.
    pub max_time: Option<Duration>,
    /// How many connections a file may use at once; one by default.
    pub streams: usize,
}

impl TransferLimits {
    /// Returns how many bytes must arrive within [`stall`](Self::stall).
    pub(crate) fn enough_in_window(&self) -> u64 {
        self.slowest.saturating_mul(self.stall.as_secs().max(1))
    }
}

impl Default for TransferLimits {
    fn default() -> Self {
        Self {
            first_byte: Duration::from_secs(60),
            stall: Duration::from_secs(60),
            slowest: 100,
            max_time: None,
            streams: 1,
        }
    }
}
