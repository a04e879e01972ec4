//! Transfers of science data over HTTP that never hand over a wrong file.
//!
//! A [`Downloader`] takes any `reqwest_middleware` client, with or without tokens, and
//! [downloads](Downloader::download) files with it. A file appears under its name only when its length and its
//! [checksum](Checksum) are right. Until then it is `NAME.part`, with its state in `NAME.part.json`, so that another
//! process can resume it after a crash. Progress is reported as a stream of [events].
//!
//! - One file: [`Download`], [`Downloader::download`], [`Downloader::download_to`]; the result is a [`Downloaded`].
//! - Many files: [`Downloader::download_all`], from a [`DownloadList`], a Metalink ([`read_metalink`]) or a [`Walk`].
//! - Uploads: [`Upload`], [`Downloader::upload`]; a directory: [`UploadTree`].
//! - Files on a server: [`Downloader::stat`], [`Downloader::list`], [`Downloader::make_directory`],
//!   [`Downloader::make_directories`], [`Downloader::remove_file`], [`Downloader::remove_recursively`],
//!   [`Downloader::rename`], [`Downloader::probe`], [`Downloader::checksum`].
//! - The files of HTCondor's transfer plugins: the module [`class_ad`].
//! - Copies from one server to another, without the data passing through this machine: the module [`copy`].
//! - Objects of Pelican federations (`pelican://`, `osdf://`): the module [`federation`].
//! - Behaviour: [`TransferLimits`], [`BandwidthLimit`], [`RetryPolicy`], [`RetryBudget`], [`CancellationToken`],
//!   [`Reporter`].
//! - Failures: [`TransferError`], its [`FailureKind`] and its [`TransferHint`].

mod address;
mod bandwidth_limit;
mod cancel;
pub mod class_ad;
pub mod copy;
mod digest;
mod disk;
mod download;
mod downloader;
mod error;
mod event;
mod exchange;
mod failure_kind;
pub mod federation;
mod hint;
mod limits;
mod list;
mod local_target;
mod name;
mod object_name;
mod overwrite;
mod request_report;
mod resource_name;
mod retry;
mod retry_action;
mod throttle_reason;
mod timings;
mod upload;
mod verification;
mod webdav;

pub use bandwidth_limit::BandwidthLimit;
pub use cancel::CancellationToken;
pub use digest::algorithm::{DigestAlgorithm, InvalidDigest};
pub use digest::checksum::Checksum;
pub use digest::running::RunningDigest;
pub use digest::value::Digest;
pub use download::downloaded::{DownloadOutcome, Downloaded};
pub use download::job::{Download, IfExists, Resume, WebPages};
pub use download::root::DownloadRoot;
pub use downloader::Downloader;
pub use error::{FailureKind, FederationStep, TransferError};
pub use event::{Event, EventKind, Events, FileNumber, Reporter, events};
pub use exchange::content_coding::foreign_coding;
pub use exchange::error_document::xml_error_message;
pub use exchange::page_answer::is_page_name;
pub use exchange::probe::Probe;
pub use exchange::request::{is_digest_refusal, is_passing_refusal};
pub use exchange::transport_error::{connection_hint, plain_transport_words};
pub use hint::TransferHint;
pub use limits::TransferLimits;
pub use list::metalink::{InvalidMetalink, read_metalink};
pub use list::uri_list::{DownloadList, ListEntry, ListError};
pub use name::file_name::{UnsafeName, file_name};
pub use overwrite::Overwrite;
pub use request_report::{RequestFailure, RequestReport};
pub use resource_name::ResourceName;
pub use retry::decision::{RetryBudget, RetryPolicy};
pub use throttle_reason::ThrottleReason;
pub use timings::Timings;
pub use upload::job::{Upload, Uploaded};
pub use upload::tree::{TreeEntry, UploadTree};
pub use verification::Verification;
pub use webdav::child_url::child_url;
pub use webdav::entry::{EntryKind, RemoteEntry};
pub use webdav::listing::Listing;
pub use webdav::walk::{Walk, WalkEntry};
