//! Rubin Observatory's tokens, as [Gafaelfawr](https://gafaelfawr.lsst.io/) makes and guards them.
//!
//! Its tokens are opaque: `gt-<key>.<secret>` says nothing about its user, its scopes or its end. A [`Client`] asks
//! the server for that, over any session, and makes, changes and revokes tokens. The models are read and written
//! by the rules of Gafaelfawr's own, to the place and type of every mistake, so that services and tools in Rust can
//! share its data: [`TokenData`] is what stands in Redis once decrypted, [`TokenRow`] a row of its database.
//! Encryption and the stores themselves are the service's business.
//!
//! A session needs nothing special in order to use such tokens. There is no way to refresh one: a `401` with
//! `invalid_token` is final unless the source of tokens has got another, and `insufficient_scope` is final always;
//! [`Refusal`] explains which, and [`Refusal::wanted_scopes`] what is missing.
//!
//! # Names
//!
//! | Gafaelfawr | here |
//! |---|---|
//! | `Token`, `Token.from_str`, `str(token)` | [`Token`], its `FromStr`, [`Token::expose_secret`] |
//! | `Token.key` | [`Token::key`], a [`TokenKey`] |
//! | `Token.is_token` | `text.parse::<Token>().is_ok()` |
//! | `TokenType` | [`TokenType`] |
//! | `TokenBase`, `TokenBase.model_json_schema` | [`TokenBase`], [`TokenBase::json_schema`] |
//! | `TokenInfo` | [`TokenInfo`] |
//! | `TokenData` | [`TokenData`] |
//! | `TokenUserInfo`, `UserInfo`, `Group` | [`TokenUserInfo`], [`UserInfo`], [`Group`] |
//! | `Quota`, `NotebookQuota`, `TapQuota` | [`Quota`], [`NotebookQuota`], [`TapQuota`] |
//! | `AdminTokenRequest`, `UserTokenRequest`, `UserTokenModifyRequest` | the same; rules of the token service: their `check` |
//! | `NewToken` | [`Token`], from [`Client::create_user_token`] and [`Client::create_token`] |
//! | `Scopes` | [`Scopes`] |
//! | `Timestamp`, `UtcDatetime` | [`SystemTime`](std::time::SystemTime), to the microsecond |
//! | `USERNAME_REGEX`, `BOT_USERNAME_REGEX`, `GROUPNAME_REGEX` | [`Username`], [`Username::is_bot`], [`GroupName`] |
//! | `schema.Token` (SQL) | [`TokenRow`] |
//! | `model_validate_json`, `model_dump_json`, the same with `exclude_none` | `from_json`, `to_json`, `to_json_without_nulls` |
//! | `pydantic.ValidationError`, one of its `errors()` | [`ValidationError`], [`FieldProblem`] |
//! | `parse_authorization` | [`Token::from_authorization`], [`InvalidAuthorization`] |
//! | `Basic` credentials with `x-oauth-basic` | [`Placement::XOauthBasic`](crate::Placement::XOauthBasic) |
//! | `generate_challenge`, `generate_unauthorized_challenge`, `ErrorModel` | [`Refusal`], [`Detail`] |
//! | `RateLimitStatus` | [`RateLimit`] |
//! | `GET token-info`, `GET user-info`, `GET users/{u}` | [`Client::token_info`], [`Client::user_info`], [`Client::user_info_of`] |
//! | `GET`, `POST users/{u}/tokens` | [`Client::tokens`], [`Client::create_user_token`] |
//! | `GET`, `PATCH`, `DELETE users/{u}/tokens/{key}` | [`Client::token`], [`Client::modify_token`], [`Client::delete_token`] |
//! | `POST tokens` | [`Client::create_token`] |
//!
//! # Where it differs
//!
//! * A [`Token`] has the base64url alphabet that all tokens are written in; the server takes any characters, and
//!   then does not find such a token. The token in [`TokenData`] must be whole; the server's model makes a token up
//!   where there is none.
//! * Scopes must be texts. The server's model takes lists of anything and fails later.
//! * Integers have 64 bits, and limits are finite; others are refused.
//! * What makes the server's models raise another exception than a validation error (scopes that are a number, a
//!   time whose offset leads out of the years 1 to 9999) is a [`ValidationError`] here.

mod authorization;
mod base;
mod client;
mod data;
mod error;
mod info;
mod modify;
mod moment;
mod names;
mod number;
mod quota;
mod rate_limit;
mod reader;
mod refusal;
mod request;
mod row;
mod rules;
mod schema;
mod scopes;
mod token;
mod token_type;
mod user;
mod validation;

pub use authorization::InvalidAuthorization;
pub use base::TokenBase;
pub use client::Client;
pub use data::TokenData;
pub use error::ClientError;
pub use info::TokenInfo;
pub use modify::UserTokenModifyRequest;
pub use names::{GroupName, InvalidGroupName, InvalidUsername, Username};
pub use quota::{NotebookQuota, Quota, TapQuota};
pub use rate_limit::RateLimit;
pub use refusal::{Detail, Refusal, Remedy};
pub use request::{AdminTokenRequest, RequestProblem, UserTokenRequest};
pub use row::TokenRow;
pub use scopes::Scopes;
pub use token::{InvalidKey, InvalidToken, Token, TokenKey};
pub use token_type::{InvalidTokenType, TokenType};
pub use user::{Group, TokenUserInfo, UserInfo};
pub use validation::{FieldProblem, Step, ValidationError};
