//! One entry of a token storage, and the entries of one namespace, byte for byte as `globus_sdk` writes them.

mod data;
mod fields;
mod map;
mod python_json;
mod raw_object;

pub use data::TokenStorageData;
pub use fields::InvalidTokenData;
pub use map::{TokenDataMap, UnreadableEntry};
pub(crate) use python_json::to_text;
pub(crate) use raw_object::{NotJson, ObjectError, RawObject, raw};
