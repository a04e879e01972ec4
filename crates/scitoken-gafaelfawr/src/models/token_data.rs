//! The record of a token in Redis.

use serde::Serialize;
use serde_json::Value;

use crate::models::token_base::TokenBase;
use crate::models::user::TokenUserInfo;
use crate::pydantic::reader::{self, ErrorList, Invalid, Model, ObjectReader, ValueError};
use crate::pydantic::rules::{self, LengthLimits};
use crate::pydantic::validation::ValidationError;
use crate::token::GafaelfawrToken;

/// The record of a token in Redis, including its secret.
///
/// Gafaelfawr stores it encrypted under `token:<key>`; this type reads and writes the JSON before encryption. It does
/// not implement `Serialize`, so that the secret is not written by accident.
///
/// # Examples
/// ```
/// use scitoken_gafaelfawr::TokenData;
///
/// let json = concat!(
///     r#"{"username":"u","name":null,"email":null,"uid":123,"gid":null,"groups":null,"#,
///     r#""token_type":"session","service":null,"scopes":["read:all"],"created":1614986130,"expires":null,"#,
///     r#""token":{"key":"MLF5MB3Peg79wEC0BY8U8Q","secret":"ChbkqEyp3EIJ2e_1Sqff3w"}}"#,
/// );
/// let data = TokenData::from_redis_json(json)?;
/// assert_eq!(data.expose_redis_json(), json);
/// # Ok::<(), scitoken_gafaelfawr::ValidationError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenData {
    user: TokenUserInfo,
    base: TokenBase,
    token: GafaelfawrToken,
}

impl TokenData {
    /// Reads the decrypted JSON of the record.
    ///
    /// # Errors
    /// [`ValidationError`] with all invalid fields. The token must be complete and in the base64url alphabet; the
    /// server's model accepts any string, and generates a token where it is missing.
    pub fn from_redis_json(json: &str) -> Result<Self, ValidationError> {
        reader::read_json(json)
    }

    /// Returns the JSON to encrypt, byte for byte as the service writes it. It contains the secret.
    #[expect(clippy::missing_panics_doc, reason = "it does not panic")]
    pub fn expose_redis_json(&self) -> String {
        let stored = RedisRecord {
            user: &self.user,
            base: AfterUsername { data: reader::to_json(&self.base) },
            token: TokenHalves { key: self.token.key().as_str(), secret: self.token.expose_secret_part() },
        };
        serde_json::to_string(&stored).expect("a token is objects of texts, numbers and lists")
    }

    /// Returns the fields that all forms of a token have: user, type, scopes, times.
    pub fn base(&self) -> &TokenBase {
        &self.base
    }

    /// Returns the stored data about the user.
    pub fn user(&self) -> &TokenUserInfo {
        &self.user
    }

    /// Returns the token.
    pub fn token(&self) -> &GafaelfawrToken {
        &self.token
    }
}

impl Model for TokenData {
    const NAME: &'static str = "TokenData";

    fn read(fields: &mut ObjectReader<'_, '_>) -> Result<Self, Invalid> {
        let user = TokenUserInfo::read(fields);
        // The username belongs to both parts; an error in it is reported once.
        let username = user.as_ref().map(|user| user.username().to_owned()).map_err(|invalid| *invalid);
        let base = TokenBase::read_after_username(fields, username);
        let token = fields.required("token", reader::model::<GafaelfawrToken>);
        Ok(Self { user: user?, base: base?, token: token? })
    }
}

impl Model for GafaelfawrToken {
    const NAME: &'static str = "Token";

    fn read(fields: &mut ObjectReader<'_, '_>) -> Result<Self, Invalid> {
        let key = fields.required("key", token_half);
        let secret = fields.required("secret", token_half);
        Ok(Self::from_parts(&key?, &secret?).expect("key and secret were checked"))
    }
}

/// Reads 22 characters of base64url.
fn token_half(value: &Value, errors: &mut ErrorList) -> Result<String, Invalid> {
    let text = rules::text(LengthLimits::KEY)(value, errors)?;
    if GafaelfawrToken::from_parts(&text, &text).is_err() {
        let message = "String should match pattern '^[A-Za-z0-9_-]+$'";
        return Err(errors.refuse(ValueError::new("string_pattern_mismatch", message)));
    }
    Ok(text)
}

#[derive(Serialize)]
struct RedisRecord<'a> {
    #[serde(flatten)]
    user: &'a TokenUserInfo,
    #[serde(flatten)]
    base: AfterUsername,
    token: TokenHalves<'a>,
}

#[derive(Serialize)]
struct TokenHalves<'a> {
    key: &'a str,
    secret: &'a str,
}

/// The fields of the base without the username, which the user's part has already written.
struct AfterUsername {
    data: Value,
}

impl Serialize for AfterUsername {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = self.data.as_object().into_iter().flatten();
        serializer.collect_map(fields.filter(|(name, _)| *name != "username"))
    }
}
