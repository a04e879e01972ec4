//! Token-aware HTTP for science.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "aws-lc-rs")]
#[cfg_attr(docsrs, doc(cfg(feature = "aws-lc-rs")))]
pub mod keys;
mod origin;
mod redact;
pub mod sys;
mod token;

pub use origin::{InvalidPattern, NoOrigin, Origin, OriginPattern};
pub use redact::SafeUrl;
pub use token::{
    AccessToken, Audience, Capability, InvalidCapability, InvalidPath, InvalidScope, InvalidToken,
    MAX_TOKEN_LENGTH, Mistake, ResourcePath, Scope, UnverifiedClaims, default_audience,
};
