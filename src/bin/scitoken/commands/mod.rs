//! One file a command.

mod address;
pub(crate) mod completions;
pub(crate) mod condor_plugin;
pub(crate) mod config;
mod diagnosis;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod gafaelfawr;
pub(crate) mod get;
mod issuer;
pub(crate) mod jwt;
pub(crate) mod keys;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod man;
mod operation;
pub(crate) mod put;
pub(crate) mod remote;
pub(crate) mod store;
pub(crate) mod time;
pub(crate) mod token;

pub(crate) use self::issuer::oauth_client;
pub(crate) use self::store::open_storage;
