//! What is reported about each request for data.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::error::{FailureKind, TransferError, with_causes};
use crate::throttle_reason::ThrottleReason;

/// One request for the data of a file, or with it, and how it ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RequestReport {
    /// The URL that was asked, without credentials.
    pub url: String,
    /// Bytes of the file that were received or sent.
    pub bytes: u64,
    /// The time until the head of the answer arrived; `None` when none did.
    #[serde(serialize_with = "optional_seconds")]
    pub answered_after: Option<Duration>,
    /// The time until the end of the request.
    #[serde(rename = "seconds", serialize_with = "crate::timings::seconds")]
    pub total: Duration,
    /// The `Server` of the answer.
    pub server: Option<String>,
    /// The `Age` of the answer in seconds: zero when a cache had to fetch the data.
    pub age: Option<u64>,
    /// Why it failed; `None` when it succeeded.
    pub failure: Option<RequestFailure>,
}

/// Why a request for data failed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RequestFailure {
    /// The kind of the failure.
    pub kind: FailureKind,
    /// The failure as text.
    pub why: String,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// Whether the same request may succeed later.
    pub retryable: bool,
    /// The wait that the server asks for.
    #[serde(serialize_with = "optional_seconds")]
    pub retry_after: Option<Duration>,
    /// Why the server asks for fewer requests.
    pub throttle: Option<ThrottleReason>,
}

impl From<&TransferError> for RequestFailure {
    fn from(failure: &TransferError) -> Self {
        Self {
            kind: failure.kind(),
            why: with_causes(failure),
            status: failure.status().map(|status| status.as_u16()),
            retryable: failure.is_worth_retrying(),
            retry_after: failure.retry_after(),
            throttle: failure.throttle_reason(),
        }
    }
}

#[expect(clippy::ref_option, reason = "serde passes the field")]
fn optional_seconds<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_secs_f64()).serialize(serializer)
}
