//! Servers and proxies as they are, seen by the program.

mod certificates;
mod cookies;
mod names;
mod proxies;
mod trees;
