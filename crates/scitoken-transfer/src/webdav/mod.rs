//! WebDAV (RFC 4918), as science storage speaks it.

pub(crate) mod change;
pub(crate) mod change_report;
pub(crate) mod child_url;
pub(crate) mod collection;
pub(crate) mod depth_check;
pub(crate) mod entry;
pub(crate) mod href;
pub(crate) mod list;
pub(crate) mod listing;
pub(crate) mod method;
pub(crate) mod multistatus;
pub(crate) mod propfind;
mod resumption;
pub(crate) mod spool;
pub(crate) mod walk;
