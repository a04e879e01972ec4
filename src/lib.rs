//! Token-aware HTTP for science.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod auth;
#[cfg(feature = "rustls")]
mod authorities;
#[cfg(feature = "blocking")]
pub mod blocking;
mod client;
#[cfg(feature = "download")]
pub mod download;
mod error;
pub mod gafaelfawr;
mod get;
#[cfg(feature = "aws-lc-rs")]
#[cfg_attr(docsrs, doc(cfg(feature = "aws-lc-rs")))]
pub mod jwt;
#[cfg(feature = "aws-lc-rs")]
#[cfg_attr(docsrs, doc(cfg(feature = "aws-lc-rs")))]
pub mod keys;
#[cfg(feature = "oauth")]
pub mod oauth;
mod origin;
mod proxy;
mod redact;
#[cfg(feature = "aws-lc-rs")]
#[cfg_attr(docsrs, doc(cfg(feature = "aws-lc-rs")))]
pub mod scitokens;
mod source;
pub mod storage;
pub mod sys;
mod token;

pub use auth::{
    Attach, Attempt, AuthMiddleware, AuthMiddlewareBuilder, AuthOptions, AuthTrace, Challenge,
    ChallengeError, Check, CleartextRedirects, Explanation, ForbiddenReplay, NotAttached, Outcome, Placement,
    RedirectMiddleware, RedirectTrust, Refusal, ReplayableBody, RequestBuilderExt, ResponseExt, Verdict,
};
#[cfg(feature = "rustls")]
pub use client::SystemAuthorities;
pub use client::{ClientBuilderExt, Session, SessionBuilder};
pub use error::{Error, RedirectProblem};
pub use get::{
    scitoken_delete, scitoken_get, scitoken_head, scitoken_patch, scitoken_post, scitoken_put,
    scitoken_request,
};
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
