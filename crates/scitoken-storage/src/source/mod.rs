//! The token of a storage as a source of tokens, renewed in time.

mod criteria;
mod issuer_entry;
mod refresh_error;
mod refresh_plan;
mod refreshed_entry;
mod renewal;
mod storage_entry;
mod stored_source;

pub use issuer_entry::IssuerEntry;
pub use stored_source::StoredSource;
