//! One file a command.

pub(crate) mod condor_plugin;
pub(crate) mod config;
pub(crate) mod gafaelfawr;
pub(crate) mod get;
mod issuer;
pub(crate) mod jwt;
pub(crate) mod keys;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod meta;
pub(crate) mod put;
pub(crate) mod remote;
pub(crate) mod store;
pub(crate) mod time;
pub(crate) mod token;
