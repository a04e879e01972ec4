//! Holds the tests only; see Cargo.toml.
