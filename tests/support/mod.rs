//! What the tests stand on: servers that remember what they received, tokens, and sources that count.
//!
//! | file | what it is |
//! |---|---|
//! | `clients` | sessions and foreign clients that know these servers |
//! | `listener` | a port that speaks plain or TLS, whichever the client begins with |
//! | `server` | a well-behaved HTTP/1.1 and HTTP/2 server, answered by a closure |
//! | `reply` | what such a closure answers |
//! | `raw` | a server that writes any bytes, for manners that hyper refuses to produce |
//! | `wire` | reading one HTTP/1 request, byte by byte, as raw servers need it |
//! | `xrootd` | a server with the recorded manners of XRootD 5.5.3 and 6.1 |
//! | `seen` | one request as a server received it |
//! | `tee` | keeps a copy of the bytes that came in, since hyper forgets the case of header names |
//! | `tls` | a certificate authority made for this run |
//! | `secrecy` | looking for a secret in a text, in every form |
//! | `tokens` | tokens with given claims, and opaque ones |
//! | `sources` | token sources that follow a script and count their calls |
//! | `logs` | what was logged, down to TRACE |
#![expect(clippy::unwrap_used, reason = "a test that cannot go on stops")]

pub(crate) mod clients;
pub(crate) mod listener;
pub(crate) mod logs;
pub(crate) mod raw;
pub(crate) mod reply;
pub(crate) mod secrecy;
pub(crate) mod seen;
pub(crate) mod server;
pub(crate) mod sources;
pub(crate) mod tee;
pub(crate) mod tls;
pub(crate) mod tokens;
pub(crate) mod wire;
pub(crate) mod xrootd;

pub(crate) use raw::{Answer, Raw};
pub(crate) use reply::Reply;
pub(crate) use seen::Seen;
pub(crate) use server::Server;
pub(crate) use sources::Script;
pub(crate) use xrootd::XRootD;
