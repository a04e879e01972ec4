//! `scitoken token`, `keys` and `jwt`.

mod jwt;
mod key_cache;
mod ranking;
mod token;
