//! Checksums: as values, in HTTP, and computed while data is written.

pub(crate) mod algorithm;
pub(crate) mod checksum;
pub(crate) mod hash_thread;
pub(crate) mod hasher;
pub(crate) mod header;
pub(crate) mod running;
pub(crate) mod streaming;
pub(crate) mod value;
