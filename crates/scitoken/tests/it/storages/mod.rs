//! `scitoken store` and `scitoken login`.

mod login;
mod logout;
mod refused_renewal;
mod renewal;
#[path = "../../../../scitoken-storage/tests/it/samples.rs"]
mod samples;
mod settings_entry;
mod store;
