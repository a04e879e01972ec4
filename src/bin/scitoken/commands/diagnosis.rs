//! What `explain` and `doctor` find out about a URL, and how they say it.
//!
//! | file | what it holds |
//! |---|---|
//! | `story` | the facts, as plain data |
//! | `ask` | finds them out: the only request that is sent |
//! | `network`, `handshake` | names, addresses and TLS, without any request |
//! | `certificate`, `proxy` | reading what was found |
//! | `trouble` | what an error of the connection means |
//! | `verdict`, `causes` | what the facts mean; pure |
//! | `rows`, `words` | the facts in lines, fit for a terminal and a ticket; pure |

mod ask;
mod causes;
mod certificate;
mod handshake;
mod network;
mod proxy;
mod rows;
mod story;
mod trouble;
mod verdict;
mod words;

pub(crate) use ask::{Asked, Told, ask};
pub(crate) use network::{Family, Reached};
pub(crate) use rows::{Rows, as_json};
pub(crate) use story::{Answer, Story};
pub(crate) use verdict::Verdict;
pub(crate) use words::{fit, tell};

#[cfg(test)]
pub(crate) use story::examples;
