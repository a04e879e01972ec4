//! Types of tokens.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// The type of a token: what it was issued for.
///
/// ```
/// use scitoken_gafaelfawr::TokenType;
///
/// assert_eq!("notebook".parse(), Ok(TokenType::Notebook));
/// assert_eq!(TokenType::Oidc.as_str(), "oidc");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum TokenType {
    /// An interactive web session of a user.
    Session,
    /// Created by a user, for use in programs.
    User,
    /// Delegated to a Jupyter notebook for its user.
    Notebook,
    /// Used between services to process a user's request.
    Internal,
    /// Used between services without a user's request.
    Service,
    /// The access token of an OpenID Connect client.
    Oidc,
}

/// The error for a string that is not the name of a [`TokenType`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("invalid token type: expected `session`, `user`, `notebook`, `internal`, `service` or `oidc`")]
pub struct InvalidTokenType;

impl TokenType {
    /// All types, in Gafaelfawr's order.
    pub const ALL: [Self; 6] =
        [Self::Session, Self::User, Self::Notebook, Self::Internal, Self::Service, Self::Oidc];

    /// Returns the name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::User => "user",
            Self::Notebook => "notebook",
            Self::Internal => "internal",
            Self::Service => "service",
            Self::Oidc => "oidc",
        }
    }
}

impl FromStr for TokenType {
    type Err = InvalidTokenType;

    fn from_str(text: &str) -> Result<Self, InvalidTokenType> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(InvalidTokenType)
    }
}

impl fmt::Display for TokenType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_one_name_everywhere() {
        for kind in TokenType::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        assert_eq!("User".parse::<TokenType>(), Err(InvalidTokenType));
    }
}
