//! Command-line arguments that several commands share.

mod authorities;
mod connection;
mod federation;
mod keys;
mod oauth;
mod operation;
mod rate;
mod retry;
mod scopes;
mod storage;
mod suggested;
mod url;

pub(crate) use self::authorities::AuthorityArgs;
pub(crate) use self::connection::{AttachMode, ConnectionArgs};
pub(crate) use self::federation::FederationArgs;
pub(crate) use self::keys::{KeyCacheArgs, parse_algorithm};
pub(crate) use self::oauth::{LoginClientArgs, OAuthClientArgs};
pub(crate) use self::operation::Operation;
pub(crate) use self::rate::{Rate, RateArgs};
pub(crate) use self::retry::RetryArgs;
pub(crate) use self::scopes::ScopeList;
pub(crate) use self::storage::{OptionalStorageArgs, StorageArgs};
pub(crate) use self::suggested::{ALGORITHMS, CHECKSUMS, PROFILES, SIGNATURES, suggested};
pub(crate) use self::url::{parse_location, parse_url};
