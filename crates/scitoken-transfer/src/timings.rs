//! Where the time of a transfer went.

use std::time::Duration;

use serde::{Serialize, Serializer};

/// Where the time of a transfer went.
///
/// With several connections, the waits are those of the first one, so that they add up to no more than the whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Timings {
    /// The whole transfer.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub total: Duration,
    /// Waiting for answers to begin: name, connection, TLS, redirects, the server.
    #[serde(serialize_with = "seconds")]
    pub answering: Duration,
    /// Waiting between attempts.
    #[serde(serialize_with = "seconds")]
    pub pausing: Duration,
    /// Waiting for the [`BandwidthLimit`](crate::BandwidthLimit).
    #[serde(serialize_with = "seconds")]
    pub limited: Duration,
    /// Writing to the disk.
    #[serde(serialize_with = "seconds")]
    pub writing: Duration,
    /// Finishing the checksum after the last byte.
    #[serde(serialize_with = "seconds")]
    pub verifying: Duration,
    /// Failed attempts.
    pub failures: u32,
    /// Bytes that came over the network.
    pub fetched: u64,
}

/// A duration in seconds.
pub(crate) fn seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}
