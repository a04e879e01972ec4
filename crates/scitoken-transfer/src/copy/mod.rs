//! Third-party copies: one server fetches a file from another, or sends it there, and the data does not pass through this
//! machine.
//!
//! A [`Copier`] asks one of the servers by `COPY`. In [pull mode](CopyMode::Pull) that is the destination, which fetches
//! the file from the source; in [push mode](CopyMode::Push) the source sends it. The server answers before it begins, so
//! its status proves nothing: the outcome is the last line of the body, and a copy counts only when both servers state
//! the same length and, where they offer one, the same digest. A copy that failed is removed; what its requests cannot have
//! written is not, and what cannot be removed is named in the failure.
//!
//! # Trust
//! * Each side has a token of its own. A token that was [found](Copier::with_tokens) goes to a server only if its audience
//!   fits that server; a token that was [given](Copier::with_source_token) for one side goes to that side only.
//! * The server that moves the data gets the token of the other side in `TransferHeaderAuthorization`, because it needs it
//!   there: the destination gets the source's token in pull mode, the source the destination's in push mode. Ask for tokens
//!   that permit this file only.
//! * That header goes to the server that the user named, over https or on this machine. A redirect target gets it only
//!   where the server's own token is sent too; see [`RedirectTrust`](reqwest_scitokens::RedirectTrust). A token for a server
//!   without TLS is not handed over.
//! * `Credential: none` asks the server not to use or delegate any other credential.
//!
//! # Limits
//! Copies are repeated as the [`RetryPolicy`](crate::RetryPolicy) says, after the remains of the failed one were removed. A
//! server that sends no marker, or reports no further byte, for the [stall time](crate::TransferLimits::stall) is given up. At
//! most 64 KiB of a line and 2 KiB of a failure are read.

pub(crate) mod copier;
pub(crate) mod copy_tokens;
pub(crate) mod exchange;
pub(crate) mod job;
pub(crate) mod many;
pub(crate) mod markers;
pub(crate) mod outcome;
pub(crate) mod present;
pub(crate) mod record;
pub(crate) mod remains;
pub(crate) mod stream;
pub(crate) mod tokens;
pub(crate) mod transfer_header;
pub(crate) mod verify;

pub use copier::Copier;
pub use job::{Copied, CopyMode, CopyRoute, RemoteCopy, Streaming};
