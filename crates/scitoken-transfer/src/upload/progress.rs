//! What is known about the attempts to send a file.

use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, OnceLock};

use crate::error::TransferError;
use crate::upload::body::WORTH_ASKING;

/// What is known about the attempts to send a file.
#[derive(Debug)]
pub(super) struct PutProgress {
    /// Whether the request asks before it sends.
    pub(super) expects: AtomicBool,
    /// Whether the request has the digest of the file.
    pub(super) sends_digest: AtomicBool,
    /// Whether the answer to an attempt was lost, so that it may have succeeded.
    pub(super) was_lost: AtomicBool,
    /// The answer to a repeat that may mean that the lost attempt has stored the file.
    pub(super) refusal: Mutex<Option<TransferError>>,
    /// A web page in place of an answer: only the stored file proves that there is one.
    pub(super) page: OnceLock<TransferError>,
    /// The answer of success.
    pub(super) accepted: OnceLock<String>,
}

impl PutProgress {
    pub(super) fn new(length: u64) -> Self {
        Self {
            expects: AtomicBool::new(length >= WORTH_ASKING),
            sends_digest: AtomicBool::new(true),
            was_lost: AtomicBool::new(false),
            refusal: Mutex::new(None),
            page: OnceLock::new(),
            accepted: OnceLock::new(),
        }
    }
}
