//! SciTokens and WLCG tokens: made, verified and enforced.

mod access;
mod claims;
mod create;
mod enforcer;
mod grants;
mod issuer;
mod key_cache;
mod metadata;
mod profile;
mod refusal;
#[cfg(feature = "tower")]
mod server;
mod validator;
mod value;
mod verified;
mod verify;
mod wire;

#[cfg(test)]
mod vectors;

pub use access::Access;
pub use claims::Claims;
pub use create::{CreateError, SciToken, TokenSigner};
pub use enforcer::{Enforcer, EnforcerBuilder};
pub use grants::{Acl, Vocabulary};
pub use issuer::{InvalidIssuer, Issuer};
pub use key_cache::{CacheTimes, CachedKeys, KeyCache, KeyCacheError};
pub use metadata::InvalidMetadata;
pub use profile::{InvalidProfile, Profile};
pub use refusal::Refusal;
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub use server::{Authorize, AuthorizeLayer, Demand};
pub use validator::{UnknownClaims, Validator};
pub use value::{ClaimValue, InvalidJson};
pub use verified::VerifiedToken;
pub use verify::{KeyNames, KeysError, OfflineVerifier, Verifier, VerifierBuilder, VerifyError};
