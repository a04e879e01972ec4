//! What `explain` and `doctor` find out about a URL, and how they report it.
//!
//! | module | contents |
//! |---|---|
//! | `report` | the facts, as plain data |
//! | `probe` | collects the facts and sends the only request |
//! | `network`, `handshake` | names, addresses and TLS, without an HTTP request |
//! | `certificate` | parsing what was found |
//! | `error`, `classification` | why there was no response |
//! | `verdict`, `causes` | what the facts mean; pure |
//! | `rendering` | the facts in lines; pure |

mod causes;
mod certificate;
mod classification;
mod error;
mod handshake;
mod network;
mod probe;
mod rendering;
mod report;
mod verdict;

use std::time::Duration;

pub(crate) use network::{AddressFamily, ReachedAddress};
pub(crate) use probe::{ProbeRequest, probe};
pub(crate) use rendering::{ReportLines, as_json};
pub(crate) use report::{Report, ResponseFacts};
pub(crate) use verdict::ReportVerdict;

#[cfg(test)]
pub(crate) use report::examples;

/// How long a server may send nothing: an XRootD manager without its data servers needs 20 s for an answer.
pub(crate) const READ_TIMEOUT: Duration = Duration::from_secs(30);
