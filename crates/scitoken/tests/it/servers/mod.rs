//! Servers and proxies as they are, seen by the program.

mod certificates;
mod changes;
mod cookies;
mod copies;
mod digests;
mod login_gateways;
mod names;
mod proxies;
mod trees;
