//! What a token endpoint answered, on its way into a storage.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::data::TokenStorageData;
use super::map::TokenDataMap;
use crate::token::AccessToken;

/// How long a token is taken to live when neither the answer nor the token says so.
///
/// RFC 6749 section 5.1 leaves it to the server's documentation; most say an hour. A token that ends earlier is
/// renewed when a server refuses it.
const USUAL_LIFETIME: Duration = Duration::from_secs(3600);

/// A token endpoint's answer (RFC 6749 section 5.1), with Globus' `resource_server` and `other_tokens`.
///
/// Give it to [`TokenStorage::store_token_response`](super::TokenStorage::store_token_response). Servers other
/// than Globus name no resource server: name it with [`for_resource_server`](Self::for_resource_server).
///
/// ```
/// use std::time::SystemTime;
/// use reqwest_scitokens::storage::{MemoryTokenStorage, TokenResponse, TokenStorage};
///
/// let answer = r#"{"access_token": "AT", "token_type": "Bearer", "expires_in": 3600, "scope": "openid"}"#;
/// let storage = MemoryTokenStorage::new();
/// let response = TokenResponse::from_json(answer, SystemTime::UNIX_EPOCH)?.for_resource_server("https://h");
/// storage.store_token_response(&response)?;
/// assert_eq!(storage.get_token_data("https://h")?.unwrap().expires_at_seconds(), 3600);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct TokenResponse {
    grants: Vec<Grant>,
    id_token: Option<SecretString>,
    identity_id: Option<String>,
    kind: ResponseKind,
    resource_server: Option<String>,
}

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ResponseKind {
    /// A new grant: what it does not say is not so.
    New,
    /// A renewal: what it does not say stays as it was.
    Refresh,
}

#[derive(Clone)]
struct Grant {
    resource_server: Option<String>,
    scope: String,
    access_token: SecretString,
    refresh_token: Option<SecretString>,
    token_type: Option<String>,
    expires_at_seconds: i64,
}

/// A token endpoint's answer that cannot be used. It never shows the answer, which may hold tokens.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTokenResponse {
    /// The answer is not a JSON object with the fields of RFC 6749 section 5.1.
    #[error("the token endpoint's answer is not what RFC 6749 section 5.1 says: {0}")]
    Malformed(&'static str),
    /// The token is of a type that needs more than an `Authorization: Bearer` header.
    #[error("the token endpoint issued a `{0}` token, where only `Bearer` tokens can be used")]
    TokenType(String),
    /// Neither the answer nor the caller says what the token is for.
    #[error("the token endpoint's answer names no `resource_server` (name one with `for_resource_server`)")]
    NoResourceServer,
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    access_token: Option<&'a RawValue>,
    #[serde(borrow)]
    refresh_token: Option<&'a RawValue>,
    #[serde(borrow)]
    token_type: Option<&'a RawValue>,
    #[serde(borrow)]
    expires_in: Option<&'a RawValue>,
    #[serde(borrow)]
    scope: Option<&'a RawValue>,
    #[serde(borrow)]
    resource_server: Option<&'a RawValue>,
    #[serde(borrow)]
    id_token: Option<&'a RawValue>,
    #[serde(borrow)]
    other_tokens: Option<&'a RawValue>,
}

impl TokenResponse {
    /// Reads an answer that came at `now`.
    ///
    /// `expires_in` may be a whole or broken number or, as some servers have it, a number in a string. Without it
    /// the token's own `exp` counts, else an hour.
    ///
    /// # Errors
    /// [`InvalidTokenResponse`] when a field is missing or of a wrong type, or a token's type is not `Bearer`.
    pub fn from_json(text: &str, now: SystemTime) -> Result<Self, InvalidTokenResponse> {
        let wire: Wire<'_> = serde_json::from_str(text)
            .map_err(|_| InvalidTokenResponse::Malformed("it is not a JSON object"))?;
        let mut grants = vec![Grant::read(&wire, now)?];
        if let Some(others) = wire.other_tokens {
            let others: Vec<Wire<'_>> = serde_json::from_str(others.get())
                .map_err(|_| InvalidTokenResponse::Malformed("`other_tokens` is not a list of objects"))?;
            for other in &others {
                grants.push(Grant::read(other, now)?);
            }
        }
        Ok(Self {
            grants,
            id_token: optional_text(wire.id_token, "`id_token` is not a string")?.map(SecretString::from),
            identity_id: None,
            kind: ResponseKind::New,
            resource_server: None,
        })
    }

    /// Names the resource server of a token that the answer names none for.
    pub fn for_resource_server(mut self, resource_server: impl Into<String>) -> Self {
        self.resource_server = Some(resource_server.into());
        self
    }

    /// States whose tokens these are: the `sub` of an ID token that you have verified.
    pub fn with_identity_id(mut self, identity_id: impl Into<String>) -> Self {
        self.identity_id = Some(identity_id.into());
        self
    }

    /// States that this answers a refresh: a refresh token, scope or identity that it leaves out stays as it was.
    pub fn for_refresh(mut self) -> Self {
        self.kind = ResponseKind::Refresh;
        self
    }

    /// Whose tokens these are, if that was stated.
    pub fn identity_id(&self) -> Option<&str> {
        self.identity_id.as_deref()
    }

    /// Whether this answers a refresh.
    pub fn is_refresh(&self) -> bool {
        self.kind == ResponseKind::Refresh
    }

    /// The ID token (OpenID Connect Core section 3.1.3.3) as it stands, if there is one.
    pub fn expose_id_token(&self) -> Option<&str> {
        self.id_token.as_ref().map(ExposeSecret::expose_secret)
    }

    /// The entries that a storage keeps of it.
    ///
    /// # Errors
    /// [`InvalidTokenResponse::NoResourceServer`] when one has no name to be stored under.
    pub fn token_data(&self) -> Result<TokenDataMap, InvalidTokenResponse> {
        self.grants.iter().map(|grant| grant.to_data(self)).collect()
    }
}

impl Grant {
    fn read(wire: &Wire<'_>, now: SystemTime) -> Result<Self, InvalidTokenResponse> {
        let access_token = optional_text(wire.access_token, "`access_token` is not a string")?
            .filter(|token| !token.is_empty())
            .ok_or(InvalidTokenResponse::Malformed("`access_token` is missing"))?;
        let token_type = optional_text(wire.token_type, "`token_type` is not a string")?;
        if let Some(other) = token_type.as_deref().filter(|other| !other.eq_ignore_ascii_case("bearer")) {
            return Err(InvalidTokenResponse::TokenType(crate::redact::text(other)));
        }
        let refresh_token = optional_text(wire.refresh_token, "`refresh_token` is not a string")?
            .filter(|token| !token.is_empty());
        Ok(Self {
            resource_server: optional_text(wire.resource_server, "`resource_server` is not a string")?,
            scope: optional_text(wire.scope, "`scope` is not a string")?.unwrap_or_default(),
            expires_at_seconds: expiry(wire.expires_in, &access_token, now)?,
            access_token: access_token.into(),
            refresh_token: refresh_token.map(SecretString::from),
            token_type,
        })
    }

    fn to_data(&self, response: &TokenResponse) -> Result<TokenStorageData, InvalidTokenResponse> {
        let resource_server = self
            .resource_server
            .as_deref()
            .or(response.resource_server.as_deref())
            .ok_or(InvalidTokenResponse::NoResourceServer)?;
        let token = self.access_token.expose_secret();
        let mut data = TokenStorageData::new(resource_server, &self.scope, token, self.expires_at_seconds)
            .with_identity(response.identity_id());
        if let Some(refresh_token) = &self.refresh_token {
            data = data.with_refresh_token(refresh_token.expose_secret());
        }
        Ok(match &self.token_type {
            Some(token_type) => data.with_token_type(token_type),
            None => data,
        })
    }
}

fn optional_text(
    value: Option<&RawValue>,
    problem: &'static str,
) -> Result<Option<String>, InvalidTokenResponse> {
    let Some(value) = value else { return Ok(None) };
    serde_json::from_str(value.get()).map_err(|_| InvalidTokenResponse::Malformed(problem))
}

fn expiry(
    expires_in: Option<&RawValue>,
    access_token: &str,
    now: SystemTime,
) -> Result<i64, InvalidTokenResponse> {
    let lifetime = match expires_in.filter(|value| value.get() != "null") {
        Some(value) => Some(
            seconds(value.get())
                .ok_or(InvalidTokenResponse::Malformed("`expires_in` is not a number of seconds"))?,
        ),
        None => None,
    };
    let now_seconds = i64::try_from(crate::sys::epoch_seconds(now)).unwrap_or(i64::MAX);
    if let Some(lifetime) = lifetime {
        return Ok(now_seconds.saturating_add(lifetime));
    }
    let own_end = AccessToken::new(access_token).ok().and_then(|token| token.expires_at());
    let end = own_end.unwrap_or(now + USUAL_LIFETIME);
    Ok(i64::try_from(crate::sys::epoch_seconds(end)).unwrap_or(i64::MAX))
}

/// `3600`, `3600.9`, `"3600"`; a lifetime of more than a thousand years is none.
fn seconds(json: &str) -> Option<i64> {
    const LONGEST: f64 = 1e3 * 366.0 * 86_400.0;
    let number = match serde_json::from_str::<f64>(json) {
        Ok(number) => number,
        Err(_) => serde_json::from_str::<String>(json).ok()?.trim().parse().ok()?,
    };
    #[expect(clippy::cast_possible_truncation, reason = "truncated as the SDK does, and in range")]
    (-LONGEST..LONGEST).contains(&number).then_some(number as i64)
}

/// Shows what the tokens are for, and none of them.
impl fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scopes: BTreeMap<_, _> = self
            .grants
            .iter()
            .map(|grant| (grant.resource_server.as_deref().or(self.resource_server.as_deref()), &grant.scope))
            .collect();
        f.debug_struct("TokenResponse")
            .field("scopes", &scopes)
            .field("identity_id", &self.identity_id)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn read(text: &str) -> Result<TokenDataMap, InvalidTokenResponse> {
        TokenResponse::from_json(text, at(1_000))?.for_resource_server("default").token_data()
    }

    #[test]
    fn globus_answers_for_several_resource_servers_at_once() {
        let text = r#"{"access_token": "A", "scope": "s", "expires_in": 172800, "resource_server": "transfer",
            "token_type": "Bearer", "other_tokens": [{"access_token": "B", "refresh_token": "RB", "scope": "openid",
            "expires_in": 10, "resource_server": "auth", "token_type": "Bearer"}]}"#;
        let tokens = read(text).unwrap();
        assert_eq!(tokens.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["transfer", "auth"]);
        assert_eq!(tokens.get("transfer").unwrap().expires_at_seconds(), 173_800);
        assert_eq!(tokens.get("auth").unwrap().expose_refresh_token(), Some("RB"));
    }

    #[test]
    fn lifetimes_are_numbers_in_any_dress() {
        let ends = |expires_in: &str| {
            let text = format!(r#"{{"access_token": "A", "expires_in": {expires_in}}}"#);
            read(&text).map(|tokens| tokens.get("default").unwrap().expires_at_seconds())
        };
        assert_eq!(ends("10"), Ok(1_010));
        assert_eq!(ends("10.9"), Ok(1_010));
        assert_eq!(ends("\"10\""), Ok(1_010));
        assert_eq!(ends("null"), Ok(4_600));
        for wrong in ["\"soon\"", "[]", "true", "1e300", "\"inf\"", "\"NaN\""] {
            assert!(ends(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn without_a_lifetime_the_token_itself_is_asked() {
        let payload = base64_simd::URL_SAFE_NO_PAD.encode_to_string(br#"{"exp": 5000}"#);
        let tokens = read(&format!(r#"{{"access_token": "e30.{payload}.sig"}}"#)).unwrap();
        assert_eq!(tokens.get("default").unwrap().expires_at_seconds(), 5_000);
    }

    #[test]
    fn other_types_of_tokens_and_nonsense_are_refused() {
        assert_eq!(
            read(r#"{"access_token": "A", "token_type": "DPoP"}"#),
            Err(InvalidTokenResponse::TokenType("DPoP".into()))
        );
        assert!(read(r#"{"access_token": "A", "token_type": "bearer"}"#).is_ok());
        for text in ["<html>", "[]", "{}", r#"{"access_token": ""}"#, r#"{"access_token": 5}"#, "{\"a\":1} x"]
        {
            assert!(matches!(read(text), Err(InvalidTokenResponse::Malformed(_))), "{text}");
        }
        let nameless = TokenResponse::from_json(r#"{"access_token": "A"}"#, at(0)).unwrap();
        assert_eq!(nameless.token_data().unwrap_err(), InvalidTokenResponse::NoResourceServer);
    }

    #[test]
    fn debug_shows_no_token() {
        let text = r#"{"access_token": "hush", "refresh_token": "hush", "id_token": "hush"}"#;
        assert!(!format!("{:?}", TokenResponse::from_json(text, at(0)).unwrap()).contains("hush"));
    }
}
