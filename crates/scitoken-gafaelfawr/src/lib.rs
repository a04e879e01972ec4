//! Tokens of the Rubin Science Platform, as [Gafaelfawr](https://gafaelfawr.lsst.io/) issues and checks them.
//!
//! Its tokens are opaque: `gt-<key>.<secret>` has no claims. [`GafaelfawrClient`] asks the server for user, scopes and
//! expiry of a token, and creates, changes and revokes tokens, over any session of `reqwest-scitokens`. The models read
//! and write JSON by the rules of Gafaelfawr's own models, with the same location, type and message for each error, so
//! that services and tools in Rust can share its data: [`TokenData`] is the decrypted value in Redis, [`TokenRow`] a row
//! of its database. Encryption and the stores themselves are not part of this crate.
//!
//! A session attaches such tokens without special configuration. They cannot be refreshed: a `401` with `invalid_token`
//! is final unless the token source returns another token, and `insufficient_scope` is always final. [`ApiError`] says
//! which of the two it was, and [`ApiError::required_scopes`] which scopes the server requires.
//!
//! # Names
//!
//! | Gafaelfawr | here |
//! |---|---|
//! | `Token`, `Token.from_str`, `str(token)` | [`GafaelfawrToken`], its `FromStr`, [`GafaelfawrToken::expose_secret`] |
//! | `Token.key` | [`GafaelfawrToken::key`], a [`TokenKey`] |
//! | `Token.is_token` | `text.parse::<GafaelfawrToken>().is_ok()` |
//! | `TokenType` | [`TokenType`] |
//! | `TokenBase`, `TokenBase.model_json_schema` | [`TokenBase`], [`TokenBase::json_schema`] |
//! | `TokenInfo` | [`TokenInfo`] |
//! | `TokenData` | [`TokenData`] |
//! | `TokenUserInfo`, `UserInfo`, `Group` | [`TokenUserInfo`], [`UserInfo`], [`UserGroup`] |
//! | `Quota`, `NotebookQuota`, `TapQuota` | [`Quota`], [`NotebookQuota`], [`TapQuota`] |
//! | `AdminTokenRequest`, `UserTokenRequest`, `UserTokenModifyRequest` | the same; rules of the token service: their `check` |
//! | `NewToken` | [`GafaelfawrToken`], from [`GafaelfawrClient::create_user_token`] and [`GafaelfawrClient::create_token`] |
//! | `Scopes` | [`Scopes`] |
//! | `Timestamp`, `UtcDatetime` | [`SystemTime`](std::time::SystemTime), to the microsecond |
//! | `USERNAME_REGEX`, `BOT_USERNAME_REGEX`, `GROUPNAME_REGEX` | [`Username`], [`Username::is_bot`], [`GroupName`] |
//! | `schema.Token` (SQL) | [`TokenRow`] |
//! | `model_validate_json`, `model_dump_json`, the same with `exclude_none` | `from_json`, `to_json`, `to_json_without_nulls` |
//! | `pydantic.ValidationError`, one of its `errors()` | [`ValidationError`], [`FieldError`] |
//! | `parse_authorization` | [`GafaelfawrToken::from_authorization`], [`InvalidAuthorization`] |
//! | `Basic` credentials with `x-oauth-basic` | [`Placement::XOauthBasic`](reqwest_scitokens::auth::Placement::XOauthBasic) |
//! | `generate_challenge`, `generate_unauthorized_challenge`, `ErrorModel` | [`ApiError`], [`ErrorDetail`] |
//! | `RateLimitStatus` | [`RateLimit`] |
//! | `GET token-info`, `GET user-info`, `GET users/{u}` | [`GafaelfawrClient::token_info`], [`user_info`](GafaelfawrClient::user_info), [`user_info_of`](GafaelfawrClient::user_info_of) |
//! | `GET`, `POST users/{u}/tokens` | [`GafaelfawrClient::tokens`], [`create_user_token`](GafaelfawrClient::create_user_token) |
//! | `GET`, `PATCH`, `DELETE users/{u}/tokens/{key}` | [`GafaelfawrClient::token`], [`modify_token`](GafaelfawrClient::modify_token), [`delete_token`](GafaelfawrClient::delete_token) |
//! | `POST tokens` | [`GafaelfawrClient::create_token`] |
//!
//! # Differences
//!
//! * A [`GafaelfawrToken`] consists of base64url characters, as all issued tokens do. The server accepts any
//!   characters and then fails to find the token. [`TokenData`] requires a complete token; the server's model generates
//!   one where it is missing.
//! * Scopes must be strings. The server's model accepts a list of any values and fails later.
//! * Integers have 64 bits and limits are finite.
//! * Input that makes the server's models raise another exception than a validation error (scopes that are a number, a
//!   time whose offset leads out of the years 1 to 9999) is a [`ValidationError`] here.

mod api_error;
mod authorization;
mod client;
mod error;
mod models;
mod names;
mod pydantic;
mod rate_limit;
mod scopes;
mod token;
mod token_type;

pub use api_error::{ApiError, ErrorDetail, SuggestedAction};
pub use authorization::InvalidAuthorization;
pub use client::GafaelfawrClient;
pub use error::GafaelfawrError;
pub use models::create::{AdminTokenRequest, InvalidTokenRequest, UserTokenRequest};
pub use models::modify::UserTokenModifyRequest;
pub use models::quota::{NotebookQuota, Quota, TapQuota};
pub use models::token_base::TokenBase;
pub use models::token_data::TokenData;
pub use models::token_info::TokenInfo;
pub use models::token_row::TokenRow;
pub use models::user::{TokenUserInfo, UserGroup, UserInfo};
pub use names::{GroupName, InvalidGroupName, InvalidUsername, Username};
pub use pydantic::validation::{FieldError, LocationSegment, ValidationError};
pub use rate_limit::RateLimit;
pub use scopes::Scopes;
pub use token::{GafaelfawrToken, InvalidGafaelfawrToken, InvalidTokenKey, TokenKey};
pub use token_type::{InvalidTokenType, TokenType};
