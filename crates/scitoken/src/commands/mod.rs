//! The commands, one module each.

pub(crate) mod checksum;
pub(crate) mod completions;
pub(crate) mod condor_plugin;
pub(crate) mod config;
pub(crate) mod copy;
mod diagnosis;
pub(crate) mod doctor;
mod examined;
pub(crate) mod explain;
pub(crate) mod gafaelfawr;
pub(crate) mod get;
pub(crate) mod jwt;
pub(crate) mod keys;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod ls;
pub(crate) mod man;
pub(crate) mod mkdir;
pub(crate) mod mv;
pub(crate) mod put;
mod remote;
pub(crate) mod rm;
pub(crate) mod stat;
pub(crate) mod store;
pub(crate) mod token;
mod transfer;
