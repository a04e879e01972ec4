//! Token-aware HTTP for science.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod auth;
#[cfg(feature = "oauth")]
pub mod oauth;
mod origin;
mod redact;
mod source;
pub mod storage;
pub mod sys;
mod token;

pub use auth::{Challenge, ChallengeError};
pub use origin::{InvalidPattern, NoOrigin, Origin, OriginPattern};
pub use redact::SafeUrl;
#[cfg(unix)]
pub use source::AgentSource;
pub use source::{
    Chain, CommandSource, Discovery, FileProblem, FileSource, Finding, FixedSource, Found, HostMap, Misfit,
    Place, SharedTokenSource, SourceError, Step, StoredSource, Survey, TokenRequest, TokenSource,
};
pub use token::{
    AccessToken, Audience, Capability, InvalidCapability, InvalidPath, InvalidScope, InvalidToken,
    MAX_TOKEN_LENGTH, Mistake, ResourcePath, Scope, UnverifiedClaims, default_audience,
};
