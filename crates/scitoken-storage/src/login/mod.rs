//! Where the tokens of a login go, tested before the login and never given up after it.

mod clients;
mod target;
mod unsaved;

pub use clients::RegisteredClients;
pub use target::{LoginTarget, PreparedTarget};
pub use unsaved::UnsavedTokens;
