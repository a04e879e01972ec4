//! `scitoken store` and `scitoken login`.

mod login;
mod logout;
mod renewal;
#[path = "../../../../scitoken-storage/tests/it/samples.rs"]
mod samples;
mod store;
