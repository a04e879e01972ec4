//! Token-aware HTTP for science.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "download")]
pub mod download;
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
