//! Types for bearer tokens in science: tokens, claims, scopes, audiences and origins.
//!
//! The crates around `reqwest-scitokens` share it. It has no HTTP client and no cryptography.
//!
//! | item | what it is |
//! |---|---|
//! | [`AccessToken`] | a bearer token, opaque or a JWT, which is never shown |
//! | [`TokenText`], [`TokenJson`] | the readers of token files, token endpoints' answers and the like |
//! | [`UnverifiedClaims`] | the claims of a JWT, to choose a token, never to grant access |
//! | [`Scope`], [`Capability`], [`ResourcePath`] | what a token permits, and on which paths |
//! | [`Audience`] | the servers that a token is meant for |
//! | [`TokenFit`] | how well a token fits a request: issuer, audience, scopes, lifetime |
//! | [`Origin`], [`OriginPattern`] | scheme, host and port: the unit in which servers are trusted |
//! | [`SafeUrl`], [`redact`] | URLs and foreign texts, shown without their secrets, which [`redact::Redactor`] knows by value |
//! | [`RetryAfter`] | when a server accepts a request again |
//! | [`ErrorChain`] | an error and its causes in one line |
//! | [`HumanDuration`] | a duration as people write it |
//! | [`SingleFlight`] | one fetch at a time, whose result all who wait share |
//! | [`files`] | files of secrets and files that users name, opened with care |
//! | [`LenientObject`] | JSON of other programs, read member by member |
//! | [`names_host`] | whether a URL names its host, before a parser repairs it |
//! | [`sys`] | time and environment as values |
#![cfg_attr(docsrs, feature(doc_cfg))]

mod access_token;
mod audience;
mod capability;
mod claims;
mod error_chain;
pub mod files;
mod human_duration;
mod invalid_token;
mod issuer;
mod lenient_object;
mod loopback;
mod non_json;
mod origin;
mod path;
pub mod redact;
mod retry_after;
mod scope;
mod seconds;
mod single_flight;
pub mod sys;
mod terminal;
mod token_fit;
mod token_json;
mod token_text;
mod url_text;

pub use access_token::AccessToken;
pub use audience::{Audience, AudienceFit, default_audience};
pub use capability::{Capability, InvalidCapability};
pub use claims::{ClaimType, UnusableClaim, UnverifiedClaims, numeric_date};
pub use error_chain::ErrorChain;
pub use human_duration::HumanDuration;
pub use invalid_token::{InvalidToken, InvalidTokenKind, MAX_TOKEN_LENGTH};
pub use issuer::{IssuerFit, same_issuer};
pub use lenient_object::{LenientObject, UnreadableMember};
pub use loopback::{is_loopback_address, is_loopback_host};
pub use non_json::{decoded_json, non_json_kind, without_byte_order_mark};
pub use origin::{InvalidPattern, NoOrigin, Origin, OriginPattern};
pub use path::{InvalidPath, ResourcePath};
pub use redact::url::SafeUrl;
pub use retry_after::RetryAfter;
pub use scope::{InvalidScope, Scope};
pub use seconds::{InvalidSeconds, Seconds};
pub use single_flight::{FetchStage, FetchTurn, SingleFlight};
pub use token_fit::{AccessFit, LifetimeFit, TokenFit, TokenNeed, authorizations};
pub use token_json::{TokenJson, TokenJsonNote};
pub use token_text::TokenText;
pub use url_text::names_host;
