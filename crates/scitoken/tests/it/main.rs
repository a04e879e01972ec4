//! Integration tests.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

mod closed_input;
mod condor_plugin;
mod copy;
mod explain;
mod federation;
mod federation_login;
mod gafaelfawr;
mod get;
mod habits;
mod help;
mod hints;
mod leaks;
mod outcomes;
mod paths;
mod policy;
mod put;
mod reasons;
mod remote;
mod schema;
mod servers;
mod settings;
mod storages;
mod support;
mod tokens;
