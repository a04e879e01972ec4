//! A row of the SQL table `token`.

use std::time::SystemTime;

use serde_json::{Map, Value};

use crate::models::token_info::TokenInfo;
use crate::pydantic::reader;
use crate::pydantic::timestamp::Timestamp;
use crate::pydantic::validation::ValidationError;
use crate::scopes::Scopes;
use crate::token::TokenKey;
use crate::token_type::TokenType;

/// A row of Gafaelfawr's SQL table `token`, column by column, not yet validated.
///
/// Scopes are a sorted comma-separated string. The parent is in the table `subtoken`.
///
/// # Examples
/// ```
/// use scitoken_gafaelfawr::{TokenInfo, TokenRow};
/// # let info = TokenInfo::from_json(
/// #     r#"{"token": "MLF5MB3Peg79wEC0BY8U8Q", "username": "u", "token_type": "user", "scopes": "b,a"}"#,
/// # )?;
/// let row = TokenRow::from(&info);
/// assert_eq!(row.scopes, "a,b");
/// assert_eq!(row.into_info(None)?, info);
/// # Ok::<(), scitoken_gafaelfawr::ValidationError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    /// The key of the token, the primary key of the table.
    pub token: String,
    /// The user of the token.
    pub username: String,
    /// The type of the token.
    pub token_type: TokenType,
    /// The name that the user gave the token.
    pub token_name: Option<String>,
    /// The scopes, comma-separated.
    pub scopes: String,
    /// The service that an internal token is delegated to.
    pub service: Option<String>,
    /// The creation time.
    pub created: SystemTime,
    /// The time of the last use.
    pub last_used: Option<SystemTime>,
    /// The expiry.
    pub expires: Option<SystemTime>,
}

impl TokenRow {
    /// Validates the row, with its parent from the table `subtoken`.
    ///
    /// # Errors
    /// [`ValidationError`] when the model does not allow the value of a column.
    pub fn into_info(self, parent: Option<TokenKey>) -> Result<TokenInfo, ValidationError> {
        let time = |time: SystemTime| Value::String(Timestamp::from_system(time).to_iso());
        let text = |text: Option<String>| text.map_or(Value::Null, Value::String);
        let columns = [
            ("token", Value::String(self.token)),
            ("username", Value::String(self.username)),
            ("token_type", Value::String(self.token_type.as_str().to_owned())),
            ("token_name", text(self.token_name)),
            ("scopes", Value::String(self.scopes)),
            ("service", text(self.service)),
            ("created", time(self.created)),
            ("last_used", self.last_used.map_or(Value::Null, time)),
            ("expires", self.expires.map_or(Value::Null, time)),
        ];
        let columns: Map<String, Value> =
            columns.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let info = reader::read_now::<TokenInfo>(&Value::Object(columns))?;
        Ok(match parent {
            Some(parent) => info.with_parent(parent),
            None => info,
        })
    }
}

impl From<&TokenInfo> for TokenRow {
    fn from(info: &TokenInfo) -> Self {
        let base = info.base();
        Self {
            token: info.key().as_str().to_owned(),
            username: base.username().to_owned(),
            token_type: base.token_type(),
            token_name: info.token_name().map(str::to_owned),
            scopes: Scopes::to_comma_separated(base.scopes()),
            service: base.service().map(str::to_owned),
            created: base.created(),
            last_used: info.last_used(),
            expires: base.expires(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn row() -> TokenRow {
        let at = |millis| SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
        TokenRow {
            token: "MLF5MB3Peg79wEC0BY8U8Q".to_owned(),
            username: "someuser".to_owned(),
            token_type: TokenType::User,
            token_name: Some("laptop token".to_owned()),
            scopes: "read:all,user:token".to_owned(),
            service: None,
            created: at(1_614_986_130_000),
            last_used: Some(at(1_614_986_200_123)),
            expires: None,
        }
    }

    #[test]
    fn a_row_is_unchanged_to_the_microsecond_by_the_model() {
        let parent: TokenKey = "DGO1OnPohl0r3C7wqhzRgQ".parse().unwrap();
        let info = row().into_info(Some(parent.clone())).unwrap();
        assert_eq!(info.parent(), Some(&parent));
        assert_eq!(TokenRow::from(&info), row());
    }

    #[test]
    fn an_invalid_row_is_rejected() {
        let error = TokenRow { token: "short".to_owned(), ..row() }.into_info(None).unwrap_err();
        assert_eq!(error.errors()[0].kind(), "string_too_short");
        assert!(TokenRow { token_name: Some(String::new()), ..row() }.into_info(None).is_err());
    }
}
