//! Downloads that never hand over a wrong file.
//!
//! A [`Downloader`] takes any `reqwest_middleware` client, with or without tokens, and [downloads](Download) files
//! with it. A file appears under its name only when its length and its [checksum](Checksum) are right; until then it
//! is `NAME.part`, and what is known about it stands in `NAME.part.json`, so that another process can go on with it
//! after a crash. What happens on the way is a stream of [events].
//!
//! The room, from decisions to deeds:
//! - `digest`, `digest_header`, `hasher`: checksums as values, in HTTP, and computed in one pass
//! - `ranges`, `board`: which bytes are there, and who fetches the others
//! - `identity`, `head`, `guard`, `expected`: whether an answer belongs to the file; pure
//! - `retry`, `hosts`, `widen`: whether to try again, where, and with how many connections; pure
//! - `name`, `disposition`, `output`, `part`, `file_id`, `sidecar`, `checkpoint`, `position`, `rename`: the disk
//! - `transfer`, `existing`, `stream`, `frames`, `side_streams`, `sources`, `state`, `settle`, `request`, `unanswered`, `probe`: one file's life
//! - `batch`, `list`, `metalink`: many files
//! - `upload`, `body`, `webdav`, `multistatus`, `walk`: everything but `GET`
//! - `job`, `downloader`, `event`, `stop`, `error`: what callers see

mod batch;
mod board;
mod body;
mod checkpoint;
mod digest;
mod digest_header;
mod disposition;
mod downloader;
mod error;
mod event;
mod existing;
mod expected;
mod file_id;
mod frames;
mod guard;
mod hasher;
mod head;
mod hosts;
mod identity;
mod job;
mod list;
mod metalink;
mod multistatus;
mod name;
mod output;
mod part;
mod position;
mod probe;
mod ranges;
mod rename;
mod request;
mod retry;
mod settle;
mod side_streams;
mod sidecar;
mod sources;
mod state;
mod stop;
mod stream;
mod transfer;
mod unanswered;
mod upload;
mod walk;
mod webdav;
mod widen;

pub use digest::{Checksum, Digest, DigestAlgorithm, InvalidDigest};
pub use downloader::{Downloader, Limits};
pub use error::{FailureKind, TransferError};
pub use event::{Event, EventKind, Events, FileNumber, Reporter, events};
pub use guard::WebPages;
pub use job::{Download, Downloaded, Existing, Outcome, Resume, Timings, Verification};
pub use list::{List, ListEntry, ListError};
pub use metalink::{InvalidMetalink, read_metalink};
pub use name::{UnsafeName, file_name};
pub use probe::Probe;
pub use retry::{RetryBudget, RetryPolicy};
pub use stop::Stopper;
pub use upload::{Overwrite, Upload, Uploaded};
pub use walk::{Below, Walk};
pub use webdav::{Entry, EntryKind};
