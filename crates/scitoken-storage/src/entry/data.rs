//! One entry of a token storage.

use std::fmt;
use std::time::{Duration, SystemTime};

use secrecy::{ExposeSecret, SecretString};
use serde::ser::{Serialize, SerializeStruct as _, Serializer};
use serde_json::value::RawValue;

use super::fields::{FIELDS, InvalidTokenData, Reason, integer_field, optional_text_field, text_field};
use super::python_json;
use super::raw_object::{ObjectError, RawObject, raw};
use scitoken_types::{AccessToken, InvalidToken, LenientObject};

/// The tokens of one resource server; the equal of `globus_sdk.token_storage.TokenStorageData`.
///
/// The tokens are secrets: `Debug` hides them, and only [`expose_json`](Self::expose_json) and the other
/// `expose_` methods give them out.
///
/// ```
/// use scitoken_storage::TokenStorageData;
///
/// let data = TokenStorageData::new("transfer.api.globus.org", "urn:x:all", "AT1", 1_700_000_000)
///     .with_refresh_token("RT1")
///     .with_token_type("Bearer");
/// assert_eq!(
///     data.expose_json().as_str(),
///     r#"{"resource_server": "transfer.api.globus.org", "scope": "urn:x:all", "access_token": "AT1", "refresh_token": "RT1", "expires_at_seconds": 1700000000, "token_type": "Bearer"}"#
/// );
/// # Ok::<(), scitoken_storage::InvalidTokenData>(())
/// ```
#[derive(Clone)]
pub struct TokenStorageData {
    resource_server: String,
    identity_id: Option<String>,
    scope: String,
    access_token: SecretString,
    refresh_token: Option<SecretString>,
    expires_at_seconds: i64,
    token_type: Option<String>,
    extra: RawObject,
}

impl TokenStorageData {
    /// Creates an entry with the four required fields.
    pub fn new(
        resource_server: impl Into<String>,
        scope: impl Into<String>,
        access_token: impl Into<String>,
        expires_at_seconds: i64,
    ) -> Self {
        Self {
            resource_server: resource_server.into(),
            identity_id: None,
            scope: scope.into(),
            access_token: access_token.into().into(),
            refresh_token: None,
            expires_at_seconds,
            token_type: None,
            extra: RawObject::default(),
        }
    }

    /// Sets the identity that the tokens belong to.
    pub fn with_identity_id(mut self, identity_id: impl Into<String>) -> Self {
        self.identity_id = Some(identity_id.into());
        self
    }

    /// Sets the refresh token.
    pub fn with_refresh_token(mut self, refresh_token: impl Into<String>) -> Self {
        self.refresh_token = Some(refresh_token.into().into());
        self
    }

    /// Sets the token type, usually `Bearer`.
    pub fn with_token_type(mut self, token_type: impl Into<String>) -> Self {
        self.token_type = Some(token_type.into());
        self
    }

    /// Reads an entry from JSON, as storage files have it.
    ///
    /// Absent optional fields and `null` are the same, and unknown fields become [extras](Self::extra). Unlike in
    /// Python, where `True` is an `int`, `true` is not a time.
    ///
    /// # Errors
    /// [`InvalidTokenData`] when the text is not an object, or a field has a wrong type; the fields are checked in the
    /// order of the SDK, so that both name the same field.
    pub fn from_json(text: &str) -> Result<Self, InvalidTokenData> {
        Self::read_json(text.as_bytes())
    }

    /// As [`from_json`](Self::from_json), from a text in UTF-8 or UTF-16, with or without a byte order mark.
    ///
    /// # Errors
    /// As [`from_json`](Self::from_json).
    pub fn read_json(text: &[u8]) -> Result<Self, InvalidTokenData> {
        let mut fields = RawObject::read(text).map_err(|no| match no {
            ObjectError::NotJson(problem) => Reason::NotJson(problem),
            ObjectError::NotAnObject => Reason::NotAnObject,
        })?;
        let data = Self {
            resource_server: text_field(&fields, "resource_server")?,
            identity_id: optional_text_field(&fields, "identity_id")?,
            scope: text_field(&fields, "scope")?,
            access_token: text_field(&fields, "access_token")?.into(),
            refresh_token: optional_text_field(&fields, "refresh_token")?.map(SecretString::from),
            expires_at_seconds: integer_field(&fields, "expires_at_seconds")?,
            token_type: optional_text_field(&fields, "token_type")?,
            extra: RawObject::default(),
        };
        for field in FIELDS {
            fields.remove(field);
        }
        Ok(Self { extra: fields, ..data })
    }

    /// Reads what can be read of an entry that the SDK refuses: the tokens, and of the other fields those that have a value.
    /// Without a time that can be read, only the token itself may say when it expires.
    pub(crate) fn usable(resource_server: &str, text: &str) -> Option<Self> {
        let object = LenientObject::parse(text.as_bytes())?;
        let text = |name| object.text(name).ok().flatten();
        let (access_token, refresh_token) = (text("access_token"), text("refresh_token"));
        if access_token.is_none() && refresh_token.is_none() {
            return None;
        }
        let scope = object.words("scope").ok().flatten().unwrap_or_default();
        let time = object.time("expires_at_seconds").ok().flatten();
        let seconds = time.and_then(|time| i64::try_from(scitoken_types::sys::epoch_seconds(time)).ok());
        let data = Self::new(
            text("resource_server").unwrap_or_else(|| resource_server.to_owned()),
            scope,
            access_token.unwrap_or_default(),
            seconds.unwrap_or(NO_EXPIRY),
        );
        Some(Self {
            identity_id: text("identity_id"),
            token_type: text("token_type"),
            refresh_token: refresh_token.map(SecretString::from),
            ..data
        })
    }

    /// Returns the entry as the SDK writes it, **with its secrets**: seven fields in fixed order, those without a value
    /// and the [extras](Self::extra) left out.
    pub fn expose_json(&self) -> secrecy::zeroize::Zeroizing<String> {
        python_json::to_text(&Record {
            resource_server: &self.resource_server,
            identity_id: self.identity_id(),
            scope: &self.scope,
            access_token: self.expose_access_token(),
            refresh_token: self.expose_refresh_token(),
            expires_at_seconds: self.expires_at_seconds,
            token_type: self.token_type(),
        })
    }

    /// Returns the resource server: the server, or group of servers, that the token is for.
    pub fn resource_server(&self) -> &str {
        &self.resource_server
    }

    /// Returns the identity that the tokens belong to, if known.
    pub fn identity_id(&self) -> Option<&str> {
        self.identity_id.as_deref()
    }

    /// Returns the scopes, separated by blanks, as the server wrote them.
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// Returns the scopes one by one.
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scope.split_whitespace()
    }

    /// Returns the expiry of the access token in seconds since the Unix epoch.
    pub fn expires_at_seconds(&self) -> i64 {
        self.expires_at_seconds
    }

    /// Returns the expiry of the access token; times that the system cannot express are clamped.
    pub fn expires_at(&self) -> SystemTime {
        const LATEST: Duration = Duration::from_secs(NO_EXPIRY.unsigned_abs());
        let seconds = Duration::from_secs(self.expires_at_seconds.unsigned_abs());
        if self.expires_at_seconds >= 0 {
            SystemTime::UNIX_EPOCH + seconds.min(LATEST)
        } else {
            SystemTime::UNIX_EPOCH.checked_sub(seconds).unwrap_or(SystemTime::UNIX_EPOCH)
        }
    }

    /// Returns the token type, if the server named it.
    pub fn token_type(&self) -> Option<&str> {
        self.token_type.as_deref()
    }

    /// Returns whether there is a refresh token, even an empty one.
    pub fn has_refresh_token(&self) -> bool {
        self.refresh_token.is_some()
    }

    /// Returns the access token with its expiry, ready to be sent.
    ///
    /// # Errors
    /// [`InvalidToken`] when the stored text is not a valid bearer token.
    pub fn access_token(&self) -> Result<AccessToken, InvalidToken> {
        let token = AccessToken::new(self.expose_access_token())?;
        Ok(if self.expires_at_seconds < NO_EXPIRY { token.with_expiry(self.expires_at()) } else { token })
    }

    /// Returns the access token as it is stored.
    pub fn expose_access_token(&self) -> &str {
        self.access_token.expose_secret()
    }

    /// Returns the refresh token as it is stored.
    pub fn expose_refresh_token(&self) -> Option<&str> {
        self.refresh_token.as_ref().map(ExposeSecret::expose_secret)
    }

    /// Returns the names and JSON texts of unknown fields. Storing an entry drops them, as the SDK does.
    pub fn extra(&self) -> impl Iterator<Item = (&str, &str)> {
        self.extra.iter().map(|(name, value)| (name, value.get()))
    }

    /// Returns the entry without its extras, as every storage keeps it.
    pub(crate) fn without_extra(&self) -> Self {
        Self { extra: RawObject::default(), ..self.clone() }
    }

    pub(crate) fn to_raw(&self) -> Box<RawValue> {
        raw(&self.expose_json())
    }

    /// Takes from an older entry what the answer to a refresh left out (RFC 6749 section 6).
    pub(crate) fn completed_from(mut self, older: &Self) -> Self {
        self.refresh_token = self.refresh_token.or_else(|| older.refresh_token.clone());
        self.identity_id = self.identity_id.or_else(|| older.identity_id.clone());
        if self.scope.is_empty() {
            self.scope.clone_from(&older.scope);
        }
        self
    }

    /// Returns the entry under another name.
    pub(crate) fn with_resource_server(mut self, resource_server: impl Into<String>) -> Self {
        self.resource_server = resource_server.into();
        self
    }

    pub(crate) fn with_identity(mut self, identity_id: Option<&str>) -> Self {
        self.identity_id = identity_id.map(str::to_owned);
        self
    }
}

/// Compares everything but the extras, and not in constant time: this does not check credentials.
impl PartialEq for TokenStorageData {
    fn eq(&self, other: &Self) -> bool {
        self.expose_json() == other.expose_json()
    }
}

impl Eq for TokenStorageData {}

/// Everything but the tokens, so that it can be listed; [`expose_json`](TokenStorageData::expose_json) has them as well.
impl Serialize for TokenStorageData {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("TokenStorageData", 6)?;
        object.serialize_field("resource_server", &self.resource_server)?;
        object.serialize_field("identity_id", &self.identity_id)?;
        object.serialize_field("scope", &self.scope)?;
        object.serialize_field("expires_at_seconds", &self.expires_at_seconds)?;
        object.serialize_field("token_type", &self.token_type)?;
        object.serialize_field("has_refresh_token", &self.has_refresh_token())?;
        object.end()
    }
}

impl fmt::Debug for TokenStorageData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenStorageData")
            .field("resource_server", &self.resource_server)
            .field("identity_id", &self.identity_id)
            .field("scope", &self.scope)
            .field("access_token", &format_args!("[redacted]"))
            .field("refresh_token", &self.refresh_token.as_ref().map(|_| format_args!("[redacted]")))
            .field("expires_at_seconds", &self.expires_at_seconds)
            .field("token_type", &self.token_type)
            .field("extra", &self.extra.names().collect::<Vec<_>>())
            .finish()
    }
}

/// The year 10000 in seconds since 1970: such a time is no expiry.
const NO_EXPIRY: i64 = 253_402_300_800;

#[derive(serde::Serialize)]
struct Record<'a> {
    resource_server: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity_id: Option<&'a str>,
    scope: &'a str,
    access_token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
    expires_at_seconds: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'a str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = r#"{"resource_server": "rs", "identity_id": "id", "scope": "a b", "access_token": "AT", "refresh_token": "RT", "expires_at_seconds": 1700000000, "token_type": "Bearer"}"#;

    #[test]
    fn fields_without_a_value_are_left_out_and_the_order_is_fixed() {
        let data = TokenStorageData::new("rs", "s", "AT", 7);
        assert_eq!(
            data.expose_json().as_str(),
            r#"{"resource_server": "rs", "scope": "s", "access_token": "AT", "expires_at_seconds": 7}"#
        );
        assert_eq!(TokenStorageData::from_json(FULL).unwrap().expose_json().as_str(), FULL);
    }

    #[test]
    fn unknown_fields_are_extras_and_null_is_absent() {
        let data = TokenStorageData::from_json(
            r#"{"x": [1], "resource_server": "rs", "scope": "s", "access_token": "AT", "expires_at_seconds": -5,
                "refresh_token": null, "identity_id": null}"#,
        )
        .unwrap();
        assert_eq!(data.extra().collect::<Vec<_>>(), [("x", "[1]")]);
        assert!(!data.has_refresh_token());
        assert!(!data.expose_json().contains("null"));
        assert!(data.expires_at() < SystemTime::UNIX_EPOCH);
    }

    #[test]
    fn wrong_types_name_the_field() {
        let cases = [
            (r#"{"scope": "s"}"#, "`resource_server` must be a string"),
            (&FULL.replace("\"id\"", "5"), "`identity_id` must be a string or null"),
            (&FULL.replace("\"a b\"", "null"), "`scope` must be a string"),
            (&FULL.replace("\"AT\"", "[]"), "`access_token` must be a string"),
            (&FULL.replace("\"RT\"", "1"), "`refresh_token` must be a string or null"),
            (&FULL.replace("1700000000", "1.5"), "`expires_at_seconds` must be an int"),
            (&FULL.replace("1700000000", "\"1\""), "`expires_at_seconds` must be an int"),
            (&FULL.replace("1700000000", "true"), "`expires_at_seconds` must be an int"),
            (&FULL.replace("\"Bearer\"", "{}"), "`token_type` must be a string or null"),
            ("[1]", "not a JSON object"),
            ("{\"resource_server\": \"secret", "not JSON: invalid at line 1 column 27"),
        ];
        for (text, expected) in cases {
            assert_eq!(TokenStorageData::from_json(text).unwrap_err().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn extreme_times_are_clamped() {
        for seconds in [i64::MIN, i64::MAX] {
            let _ = TokenStorageData::new("rs", "s", "AT", seconds).expires_at();
        }
    }

    #[test]
    fn debug_hides_the_tokens() {
        let shown = format!("{:?}", TokenStorageData::from_json(&FULL.replace("AT", "hush")).unwrap());
        assert!(!shown.contains("hush") && !shown.contains("RT"), "{shown}");
    }

    #[test]
    fn serialized_data_can_be_listed_and_holds_no_token() {
        let data = TokenStorageData::from_json(&FULL.replace("AT", "hush")).unwrap();
        let json = serde_json::to_string(&data).unwrap();
        assert_eq!(
            json,
            r#"{"resource_server":"rs","identity_id":"id","scope":"a b","expires_at_seconds":1700000000,"token_type":"Bearer","has_refresh_token":true}"#
        );
        assert!(TokenStorageData::from_json(&json).is_err(), "it is not taken for an entry");
    }
}
