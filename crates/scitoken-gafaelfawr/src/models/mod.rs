//! The documents of Gafaelfawr's API and stores.

pub(crate) mod create;
pub(crate) mod modify;
pub(crate) mod quota;
mod schema;
pub(crate) mod token_base;
pub(crate) mod token_data;
pub(crate) mod token_info;
pub(crate) mod token_row;
pub(crate) mod user;
