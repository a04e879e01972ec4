//! Objects in Pelican federations such as the Open Science Data Federation: `pelican://`, `osdf://`, `stash://`.
//!
//! A federation publishes a discovery document, which names its director. The director names the caches or origins
//! that serve an object, and states the facts of the object's namespace. [`Federation::resolve`] asks both and returns
//! the servers in their order; [`Federation::download`] fetches the object from them as from mirrors.
//!
//! # Trust
//! * Discovery and queries to the director carry no token. The director is asked over https, or on this machine.
//! * A token goes only to the servers that this director named or the user [preferred](PreferredCaches), as a header, and
//!   only if the namespace requires one or the URL has one (`?authz=`). Redirects of these servers are subject to the
//!   client's own [rule](reqwest_scitokens::RedirectTrust).
//! * A token is chosen by the facts of the namespace: its issuers, and the object's path relative to the issuer's base
//!   path. A token that does not fit is not sent; without a fitting one the transfer fails before any server is asked.
//! * A token of a login is from the issuer that the director names ([`NamespaceFacts::login`]), and for no other namespace
//!   than those of that issuer.
//!
//! # Limits
//! Discovery documents are used for 30 minutes and the director's answers for 5 minutes for each namespace; when the
//! director does not answer, its last answer is used for up to 24 hours. At most 64 documents and 256 answers are kept,
//! in memory. A query is repeated as the [`RetryPolicy`](crate::RetryPolicy) says, after network errors, `408`, `425`,
//! `429`, `5xx`, and a `404` that is not the director's own; `Retry-After` is honoured. At most 5 redirects are followed,
//! and at most 1 MiB of an answer is read.

pub(crate) mod answers;
pub(crate) mod change;
pub(crate) mod copy;
pub(crate) mod describe;
pub(crate) mod director;
pub(crate) mod discovery;
pub(crate) mod exchange;
pub(crate) mod handle;
pub(crate) mod link;
pub(crate) mod login;
pub(crate) mod namespace;
pub(crate) mod origin_fallback;
pub(crate) mod preferred;
pub(crate) mod resolve;
pub(crate) mod shared_stream;
pub(crate) mod stale;
pub(crate) mod tokens;
pub(crate) mod transfer;

pub use crate::object_name::invalid_url::InvalidFederationUrl;
pub use crate::object_name::object_path::ObjectPath;
pub use crate::object_name::url::{FederationHost, FederationUrl};
pub use copy::CopyPlace;
pub use discovery::FederationMetadata;
pub use handle::Federation;
pub use login::{LoginAccess, NamespaceLogin, NoLogin};
pub use namespace::{NamespaceFacts, NamespaceIssuer};
pub use origin_fallback::OriginFallback;
pub use preferred::{InvalidPreferredCache, PreferredCaches};
pub use resolve::ResolvedObject;
pub use tokens::{AcceptedTokens, ObjectAccess};
