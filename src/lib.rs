//! Token-aware HTTP for science.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod auth;
#[cfg(feature = "aws-lc-rs")]
#[cfg_attr(docsrs, doc(cfg(feature = "aws-lc-rs")))]
pub mod keys;
mod origin;
mod redact;
#[cfg(feature = "aws-lc-rs")]
#[cfg_attr(docsrs, doc(cfg(feature = "aws-lc-rs")))]
pub mod scitokens;
mod source;
pub mod sys;
mod token;

pub use auth::{Challenge, ChallengeError};
pub use origin::{InvalidPattern, NoOrigin, Origin, OriginPattern};
pub use redact::SafeUrl;
pub use source::{
    Chain, CommandSource, Discovery, FileProblem, FileSource, Finding, FixedSource, Found, HostMap, Misfit,
    Place, SharedTokenSource, SourceError, Step, Survey, TokenRequest, TokenSource,
};
pub use token::{
    AccessToken, Audience, Capability, InvalidCapability, InvalidPath, InvalidScope, InvalidToken,
    MAX_TOKEN_LENGTH, Mistake, ResourcePath, Scope, UnverifiedClaims, default_audience,
};
