//! A directory on a server.

pub(crate) mod directory;
pub(crate) mod list;

mod conditional_put;
mod copy;
mod multipart;
mod read;
mod write;
