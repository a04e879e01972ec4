//! Why an answer of a token endpoint is not valid.

use scitoken_types::InvalidToken;

/// An answer of a token endpoint that is not valid. Does not show the answer, which may hold tokens.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTokenResponse {
    /// The answer is not a JSON object with the fields of RFC 6749 section 5.1.
    #[error("token answer is invalid (RFC 6749 section 5.1): {0}")]
    Malformed(&'static str),
    /// The token is of a type that needs more than an `Authorization: Bearer` header.
    #[error("token type is `{0}`, but only `Bearer` is supported")]
    TokenType(String),
    /// `access_token` is not a bearer token.
    #[error("`access_token` is not a bearer token (RFC 6750 section 2.1): {0}")]
    NotAToken(InvalidToken),
    /// Neither the answer nor the caller names a resource server.
    #[error("token answer has no `resource_server`, and none was set")]
    NoResourceServer,
}
