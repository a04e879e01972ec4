//! What Redis holds about a token.

use serde::Serialize;
use serde_json::Value;

use super::base::TokenBase;
use super::reader::{self, Fields, Model, Problem, Report, Reported};
use super::rules::{self, Limits};
use super::token::Token;
use super::user::TokenUserInfo;
use super::validation::ValidationError;

/// Everything that Gafaelfawr keeps about a token in Redis, its secret with it.
///
/// In Redis it stands encrypted, under `token:` and its key; that is the service's business. This type reads and
/// writes the JSON inside. It has no `Serialize`, so that the secret goes nowhere by accident.
///
/// # Examples
/// ```
/// use reqwest_scitokens::gafaelfawr::TokenData;
///
/// let json = concat!(
///     r#"{"username":"u","name":null,"email":null,"uid":123,"gid":null,"groups":null,"#,
///     r#""token_type":"session","service":null,"scopes":["read:all"],"created":1614986130,"expires":null,"#,
///     r#""token":{"key":"MLF5MB3Peg79wEC0BY8U8Q","secret":"ChbkqEyp3EIJ2e_1Sqff3w"}}"#,
/// );
/// let data = TokenData::from_redis_json(json)?;
/// assert_eq!(data.expose_redis_json(), json);
/// # Ok::<(), reqwest_scitokens::gafaelfawr::ValidationError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenData {
    user: TokenUserInfo,
    base: TokenBase,
    token: Token,
}

impl TokenData {
    /// Reads the JSON that Redis holds, once it is decrypted.
    ///
    /// # Errors
    /// [`ValidationError`] with every field that is at fault. The token must be one that can be sent; the server's
    /// model takes any text, and makes a token up where there is none.
    pub fn from_redis_json(json: &str) -> Result<Self, ValidationError> {
        reader::read_json(json)
    }

    /// The JSON that Redis holds, before it is encrypted, byte for byte as the service writes it.
    ///
    /// The secret is in it.
    #[expect(clippy::missing_panics_doc, reason = "it does not panic")]
    pub fn expose_redis_json(&self) -> String {
        let stored = Stored {
            user: &self.user,
            base: AfterUsername { data: reader::to_json(&self.base) },
            token: Parts { key: self.token.key().as_str(), secret: self.token.expose_secret_half() },
        };
        serde_json::to_string(&stored).expect("a token is objects of texts, numbers and lists")
    }

    /// What every stored form of a token has: user, type, scopes, times.
    pub fn base(&self) -> &TokenBase {
        &self.base
    }

    /// What was stored about the user.
    pub fn user(&self) -> &TokenUserInfo {
        &self.user
    }

    /// The token.
    pub fn token(&self) -> &Token {
        &self.token
    }
}

impl Model for TokenData {
    const NAME: &'static str = "TokenData";

    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, Reported> {
        let user = TokenUserInfo::read(fields);
        // The username stands in both halves; a mistake in it is told once.
        let username = user.as_ref().map(|user| user.username().to_owned()).map_err(|reported| *reported);
        let base = TokenBase::read_after_username(fields, username);
        let token = fields.required("token", reader::model::<Token>);
        Ok(Self { user: user?, base: base?, token: token? })
    }
}

impl Model for Token {
    const NAME: &'static str = "Token";

    fn read(fields: &mut Fields<'_, '_>) -> Result<Self, Reported> {
        let key = fields.required("key", half);
        let secret = fields.required("secret", half);
        Ok(Self::from_parts(&key?, &secret?).expect("both halves are what a token is made of"))
    }
}

/// 22 characters of base64url.
fn half(value: &Value, report: &mut Report) -> Result<String, Reported> {
    let text = rules::text(Limits::KEY)(value, report)?;
    if Token::from_parts(&text, &text).is_err() {
        let message = "String should match pattern '^[A-Za-z0-9_-]+$'";
        return Err(report.refuse(Problem::new("string_pattern_mismatch", message)));
    }
    Ok(text)
}

#[derive(Serialize)]
struct Stored<'a> {
    #[serde(flatten)]
    user: &'a TokenUserInfo,
    #[serde(flatten)]
    base: AfterUsername,
    token: Parts<'a>,
}

#[derive(Serialize)]
struct Parts<'a> {
    key: &'a str,
    secret: &'a str,
}

/// The token's base without the username, which the user's half has written already.
struct AfterUsername {
    data: Value,
}

impl Serialize for AfterUsername {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = self.data.as_object().into_iter().flatten();
        serializer.collect_map(fields.filter(|(name, _)| *name != "username"))
    }
}
