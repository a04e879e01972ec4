//! SciTokens and WLCG tokens: issue, verify and enforce them as the reference libraries do.
//!
//! | item | what it does |
//! |---|---|
//! | [`SciToken`], [`TokenSigner`] | issue tokens |
//! | [`Verifier`] | verifies tokens with keys that it fetches from trusted issuers and keeps in a [`KeyCache`] |
//! | [`OfflineVerifier`] | verifies tokens with keys that the caller provides |
//! | [`VerifiedToken`], [`Claims`] | a verified token, the only kind that an [`Enforcer`] takes |
//! | [`Enforcer`], [`Access`] | decide what a token allows on this server |
//! | `AuthorizeLayer`, `Requirement` | authorize HTTP requests, for tower and axum (feature `tower`) |
//! | `StorageRules` | capabilities and groups of the WLCG profile as requirements of a storage (feature `tower`) |
//! | [`AuthorizationError`], [`VerifyError`] | the rule that a token breaks |
//!
//! ```
//! use scitoken_types::ResourcePath;
//! use scitoken_jwt::keys::{JwkSet, KeyKind, SigningKey};
//! use scitoken_authz::{
//!     Access, AuthorizationError, Enforcer, Issuer, OfflineVerifier, Profile, SciToken, TokenSigner,
//! };
//!
//! let issuer: Issuer = "https://issuer.example".parse()?;
//! let key = SigningKey::generate(KeyKind::P256)?;
//! let keys: JwkSet = [key.verifying_key().to_jwk().with_key_id("k1")].into_iter().collect();
//!
//! let token = SciToken::new(Profile::SciTokens2, &issuer)
//!     .subject("alice")
//!     .audience("https://data.example")
//!     .scope("read:/data".parse()?)
//!     .sign(&TokenSigner::new(key)?.with_key_id("k1"))?;
//!
//! let verified = OfflineVerifier::new(issuer.clone(), keys).verify(token.expose_secret())?;
//! let enforcer = Enforcer::builder(issuer).audience("https://data.example").build();
//! let (file, other): (ResourcePath, ResourcePath) = ("/data/run1".parse()?, "/database".parse()?);
//! assert_eq!(enforcer.test(&verified, Access::to("read", &file)), Ok(()));
//! assert_eq!(enforcer.test(&verified, Access::to("read", &other)), Err(AuthorizationError::NotGranted));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `docs/migration/scitokens.md` in the repository lists the names of the Python, C++ and Go libraries with their
//! equivalents here.
//!
//! # Servers
//!
//! With the feature `tower`, `AuthorizeLayer` verifies the token of each request, asks an enforcer, and answers requests
//! without a sufficient token as RFC 6750 says. `examples/axum_server.rs` is a data server, `examples/storage_server.rs` a
//! WebDAV storage with the rules of the WLCG profile.
//!
//! # Cached keys
//!
//! A verifier fetches the keys of an issuer for the first token, and again in the background after 6 hours. If that fails,
//! the old keys stay in use until they are 2 days old, and the issuer is asked again after a minute. A token with an unknown
//! `kid` causes a fetch, at most once a minute. Concurrent callers share one fetch. [`CacheTimes`] changes these times. In a
//! file (`KeyCache::sqlite`, feature `sqlite`) all processes of a user share the keys; if the file fails, keys are kept in
//! memory.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod access;
mod claims;
mod create;
mod enforcer;
mod error;
mod grants;
mod inspect;
mod issuer;
mod jws;
mod key_cache;
mod metadata;
mod profile;
#[cfg(feature = "tower")]
mod server;
mod validator;
mod value;
mod verified;
mod verify;

#[cfg(test)]
mod authorization_cases;

pub use access::Access;
pub use claims::Claims;
pub use create::{CreateError, SciToken, TokenSigner};
pub use enforcer::{Enforcer, EnforcerBuilder};
pub use error::AuthorizationError;
pub use grants::{Acl, Vocabulary};
pub use inspect::ProfileReport;
pub use issuer::{InvalidIssuer, Issuer};
pub use key_cache::{CacheTimes, CachedKeys, KeyCache, KeyCacheError};
pub use metadata::InvalidMetadata;
pub use profile::{InvalidProfile, Profile};
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub use server::{Authorize, AuthorizeLayer, Requirement, StorageOperation, StorageRules, TokenVerifier};
pub use validator::{UnknownClaims, Validator};
pub use value::{ClaimValue, InvalidJson};
pub use verified::VerifiedToken;
pub use verify::{KeysError, KidPolicy, OfflineVerifier, Verifier, VerifierBuilder, VerifyError};

/// The examples of the Markdown pages, compiled as those of the docs are.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../README.md")]
    struct Readme;
    #[doc = include_str!("../../../docs/migration/scitokens.md")]
    struct SciTokens;
    #[cfg(feature = "jsonwebtoken")]
    #[doc = include_str!("../../../docs/jsonwebtoken.md")]
    struct JsonWebToken;
}
