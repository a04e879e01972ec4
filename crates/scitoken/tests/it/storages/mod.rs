//! `scitoken store` and `scitoken login`.

mod login;
mod renewal;
#[path = "../../../../scitoken-storage/tests/it/samples.rs"]
mod samples;
mod store;
