//! Integration tests.

mod challenges;
mod client;
mod vectors;
