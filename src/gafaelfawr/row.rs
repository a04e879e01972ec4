//! The row of the table `token`.

use std::time::SystemTime;

use serde_json::{Map, Value};

use super::info::TokenInfo;
use super::moment::Moment;
use super::reader;
use super::scopes::Scopes;
use super::token::TokenKey;
use super::token_type::TokenType;
use super::validation::ValidationError;

/// A row of Gafaelfawr's SQL table `token`, column by column, before anybody checked it.
///
/// Scopes are one text, sorted and with commas. The parent is in the table `subtoken`.
///
/// # Examples
/// ```
/// use reqwest_scitokens::gafaelfawr::{TokenInfo, TokenRow};
/// # let info = TokenInfo::from_json(
/// #     r#"{"token": "MLF5MB3Peg79wEC0BY8U8Q", "username": "u", "token_type": "user", "scopes": "b,a"}"#,
/// # )?;
/// let row = TokenRow::from(&info);
/// assert_eq!(row.scopes, "a,b");
/// assert_eq!(row.into_info(None)?, info);
/// # Ok::<(), reqwest_scitokens::gafaelfawr::ValidationError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    /// The key of the token, the primary key of the table.
    pub token: String,
    /// The user whom the token was issued to.
    pub username: String,
    /// What the token was issued for.
    pub token_type: TokenType,
    /// The name that the user gave the token.
    pub token_name: Option<String>,
    /// The scopes, with commas.
    pub scopes: String,
    /// The service that an internal token was handed to.
    pub service: Option<String>,
    /// When the token was made.
    pub created: SystemTime,
    /// When the token was last used.
    pub last_used: Option<SystemTime>,
    /// When the token ends.
    pub expires: Option<SystemTime>,
}

impl TokenRow {
    /// Checks the row, with its parent from the table `subtoken`.
    ///
    /// # Errors
    /// [`ValidationError`] when a column has what the model doesn't allow.
    pub fn into_info(self, parent: Option<TokenKey>) -> Result<TokenInfo, ValidationError> {
        let time = |time: SystemTime| Value::String(Moment::from_system(time).to_iso());
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
    fn a_row_survives_the_model_to_the_microsecond() {
        let parent: TokenKey = "DGO1OnPohl0r3C7wqhzRgQ".parse().unwrap();
        let info = row().into_info(Some(parent.clone())).unwrap();
        assert_eq!(info.parent(), Some(&parent));
        assert_eq!(TokenRow::from(&info), row());
    }

    #[test]
    fn a_row_that_the_model_does_not_allow_is_refused() {
        let error = TokenRow { token: "short".to_owned(), ..row() }.into_info(None).unwrap_err();
        assert_eq!(error.problems()[0].kind(), "string_too_short");
        assert!(TokenRow { token_name: Some(String::new()), ..row() }.into_info(None).is_err());
    }
}
