//! One file a command.

pub(crate) mod condor_plugin;
pub(crate) mod config;
pub(crate) mod gafaelfawr;
pub(crate) mod get;
pub(crate) mod jwt;
pub(crate) mod meta;
pub(crate) mod put;
pub(crate) mod remote;
