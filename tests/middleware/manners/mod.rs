//! Servers and proxies as they are.

#[cfg(feature = "named-certificates")]
mod certificates;
mod connections;
#[cfg(feature = "cookies")]
mod cookies;
mod heads;
mod proxies;
