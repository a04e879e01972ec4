//! The parser of token endpoint answers.

use std::collections::BTreeMap;
use std::fmt;
use std::time::SystemTime;

use secrecy::{ExposeSecret, SecretString};

use super::answer_secrets::secrets_of;
use super::invalid_token_response::InvalidTokenResponse;
use super::response_members::{access_token, expiry, noted, other_tokens, refresh_token};
use crate::entry::{TokenDataMap, TokenStorageData};
use scitoken_types::redact::{self, Redactor};
use scitoken_types::{AccessToken, LenientObject};

/// The type of a refresh token (RFC 8693 section 3).
pub(super) const REFRESH_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:refresh_token";

/// A token endpoint's answer (RFC 6749 section 5.1), with Globus' `resource_server` and `other_tokens`.
///
/// Store it with [`TokenStorage::store_token_response`](crate::TokenStorage::store_token_response). Servers other
/// than Globus name no resource server: set it with [`for_resource_server`](Self::for_resource_server).
///
/// ```
/// use std::time::SystemTime;
/// use scitoken_storage::oauth::TokenResponse;
/// use scitoken_storage::{MemoryTokenStorage, TokenStorage};
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
    tokens: Vec<IssuedToken>,
    id_token: Option<SecretString>,
    identity_id: Option<String>,
    kind: ResponseKind,
    resource_server: Option<String>,
    notes: Vec<String>,
    /// The first token is a refresh token that came without its access token.
    lacks_access: bool,
}

/// The kind of request that was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ResponseKind {
    /// A new grant: what the answer leaves out is absent.
    New,
    /// A refresh: what the answer leaves out is unchanged.
    Refresh,
}

#[derive(Clone)]
struct IssuedToken {
    resource_server: Option<String>,
    scope: String,
    access_token: SecretString,
    refresh_token: Option<SecretString>,
    token_type: Option<String>,
    expires_at_seconds: i64,
}

impl TokenResponse {
    /// Reads an answer that arrived at `now`.
    ///
    /// Only the access token and its type matter. Another member that is not of the expected type is ignored, with a
    /// [note](Self::notes). `expires_in` may be a number or a number as text, `scope` a list; without `expires_in` the
    /// members `expires_at` and `expires_on`, the token's own `exp`, or an hour count.
    ///
    /// # Errors
    /// [`InvalidTokenResponse`] when the access token is missing, or its type is not `Bearer`.
    pub fn from_json(text: &str, now: SystemTime) -> Result<Self, InvalidTokenResponse> {
        let object = LenientObject::parse(text.as_bytes())
            .ok_or(InvalidTokenResponse::Malformed("it is not a JSON object"))?;
        Self::from_object(&object, now)
    }

    pub(super) fn from_object(object: &LenientObject, now: SystemTime) -> Result<Self, InvalidTokenResponse> {
        let mut notes = Vec::new();
        let first = IssuedToken::read(object, now, &mut notes, &secrets_of(object))?;
        Ok(Self::of(Some(first), object, now, notes))
    }

    /// Reads the tokens of an answer without a usable access token: its refresh token, in an entry that has expired, and
    /// Globus' other tokens. `None` if it has none.
    pub(super) fn partial(object: &LenientObject, now: SystemTime) -> Option<Self> {
        let mut notes = Vec::new();
        let first = IssuedToken::without_access(object, &mut notes);
        let lacks_access = first.is_some();
        let partial = Self { lacks_access, ..Self::of(first, object, now, notes) };
        (!partial.tokens.is_empty()).then_some(partial)
    }

    fn of(
        first: Option<IssuedToken>,
        object: &LenientObject,
        now: SystemTime,
        mut notes: Vec<String>,
    ) -> Self {
        if !object.is_complete() {
            notes.insert(0, "the answer was cut off or is not valid JSON".to_owned());
        }
        let mut tokens: Vec<_> = first.into_iter().collect();
        let secrets = secrets_of(object);
        for other in other_tokens(object, &mut notes) {
            match IssuedToken::read(&other, now, &mut notes, &secrets) {
                Ok(token) => tokens.push(token),
                Err(error) => {
                    notes.push(format!("ignored one of `other_tokens`: {error}"));
                    tokens.extend(IssuedToken::without_access(&other, &mut notes));
                }
            }
        }
        let id_token = noted(object.text("id_token"), &mut notes).map(SecretString::from);
        for note in &notes {
            tracing::warn!("a token answer has an unexpected form: {note}");
        }
        Self {
            tokens,
            id_token,
            identity_id: None,
            kind: ResponseKind::New,
            resource_server: None,
            notes,
            lacks_access: false,
        }
    }

    /// Returns the refresh token that came without an access token.
    pub(super) fn lone_refresh_token(&self) -> Option<&str> {
        let first = self.tokens.first().filter(|_| self.lacks_access)?;
        first.refresh_token.as_ref().map(ExposeSecret::expose_secret)
    }

    pub(super) fn with_note(mut self, note: String) -> Self {
        tracing::warn!("a token answer has an unexpected form: {note}");
        self.notes.push(note);
        self
    }

    /// Returns what was ignored in the answer, for messages.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Sets the resource server of a token for which the answer names none.
    pub fn for_resource_server(mut self, resource_server: impl Into<String>) -> Self {
        self.resource_server = Some(resource_server.into());
        self
    }

    /// Sets the identity that the tokens belong to: the `sub` of an ID token that you have verified.
    pub fn with_identity_id(mut self, identity_id: impl Into<String>) -> Self {
        self.identity_id = Some(identity_id.into());
        self
    }

    /// Marks the answer to a refresh: a refresh token, scope or identity that it leaves out is unchanged.
    pub fn for_refresh(mut self) -> Self {
        self.kind = ResponseKind::Refresh;
        self
    }

    /// Returns the identity that the tokens belong to, if known.
    pub fn identity_id(&self) -> Option<&str> {
        self.identity_id.as_deref()
    }

    /// Returns whether this answers a refresh.
    pub fn is_refresh(&self) -> bool {
        self.kind == ResponseKind::Refresh
    }

    /// Returns the ID token (OpenID Connect Core section 3.1.3.3), if there is one.
    pub fn expose_id_token(&self) -> Option<&str> {
        self.id_token.as_ref().map(ExposeSecret::expose_secret)
    }

    /// Returns the entries for a storage. A further token for a resource server is `NAME (2)`, so that it replaces no other.
    ///
    /// # Errors
    /// [`InvalidTokenResponse::NoResourceServer`] when a token has no name to be stored under.
    pub fn token_data(&self) -> Result<TokenDataMap, InvalidTokenResponse> {
        let mut entries = TokenDataMap::new();
        for token in &self.tokens {
            let data = token.to_data(self)?;
            let name = data.resource_server().to_owned();
            let further = (2_usize..).map(|number| format!("{name} ({number})"));
            let free = std::iter::once(name.clone()).chain(further).find(|name| entries.get(name).is_none());
            let free = free.unwrap_or(name);
            entries.insert(free.clone(), data.with_resource_server(free));
        }
        Ok(entries)
    }
}

impl IssuedToken {
    fn read(
        object: &LenientObject,
        now: SystemTime,
        notes: &mut Vec<String>,
        secrets: &Redactor,
    ) -> Result<Self, InvalidTokenResponse> {
        let access_token = access_token(object)?;
        AccessToken::new(access_token.as_str()).map_err(InvalidTokenResponse::NotAToken)?;
        let token_type = noted(object.text("token_type"), notes);
        if let Some(other) = token_type.as_deref().filter(|other| !other.eq_ignore_ascii_case("bearer")) {
            return Err(InvalidTokenResponse::TokenType(redact::text(&secrets.redact(other))));
        }
        Ok(Self {
            resource_server: noted(object.text("resource_server"), notes),
            scope: noted(object.words("scope"), notes).unwrap_or_default(),
            expires_at_seconds: expiry(object, &access_token, now, notes),
            refresh_token: noted(refresh_token(object), notes).map(SecretString::from),
            access_token: access_token.into(),
            token_type,
        })
    }

    /// Reads the refresh token of an answer whose access token is missing or of another type, as a token that has expired.
    fn without_access(object: &LenientObject, notes: &mut Vec<String>) -> Option<Self> {
        let text = |name| object.text(name).ok().flatten();
        // The token of an exchange for a refresh token is in `access_token` (RFC 8693 section 2.2.1).
        let is_exchanged = text("issued_token_type").is_some_and(|kind| kind == REFRESH_TOKEN_TYPE);
        let exchanged = || text("access_token").filter(|_| is_exchanged);
        let refresh_token = refresh_token(object).ok().flatten().or_else(exchanged)?;
        Some(Self {
            resource_server: text("resource_server"),
            scope: noted(object.words("scope"), notes).unwrap_or_default(),
            expires_at_seconds: 0,
            refresh_token: Some(refresh_token.into()),
            access_token: String::new().into(),
            token_type: None,
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

/// Shows resource servers and scopes, but no token.
impl fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scopes: BTreeMap<_, _> = self
            .tokens
            .iter()
            .map(|token| (token.resource_server.as_deref().or(self.resource_server.as_deref()), &token.scope))
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
    use base64::prelude::*;
    use std::time::Duration;

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
    fn a_token_without_a_name_of_its_own_replaces_no_other() {
        let text = r#"{"access_token": "A", "refresh_token": "RA", "other_tokens": [{"access_token": "B"},
            {"access_token": "C", "resource_server": "x"}, {"access_token": "D", "resource_server": "x"}]}"#;
        let tokens = read(text).unwrap();
        let names: Vec<_> = tokens.iter().map(|(name, data)| (name, data.expose_access_token())).collect();
        assert_eq!(names, [("default", "A"), ("default (2)", "B"), ("x", "C"), ("x (2)", "D")]);
        assert_eq!(tokens.get("default").unwrap().expose_refresh_token(), Some("RA"));
    }

    #[test]
    fn other_tokens_and_their_refresh_tokens_survive_an_answer_without_an_access_token() {
        let text = r#"{"scope": "s", "other_tokens": [{"refresh_token": "RC", "resource_server": "c"},
            {"access_token": "B", "resource_server": "b"}, {"resource_server": "d"}, 5]}"#;
        let object = LenientObject::parse(text.as_bytes()).unwrap();
        let partial = TokenResponse::partial(&object, at(1_000)).unwrap();
        assert_eq!(partial.lone_refresh_token(), None);
        let tokens = partial.token_data().unwrap();
        assert_eq!(tokens.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["c", "b"]);
        assert_eq!(tokens.get("c").unwrap().expose_refresh_token(), Some("RC"));
        let nothing = LenientObject::parse(br#"{"error": "x", "other_tokens": [{}]}"#).unwrap();
        assert!(TokenResponse::partial(&nothing, at(1_000)).is_none());
    }

    #[test]
    fn lifetimes_are_numbers_or_text() {
        let ends = |expires_in: &str| {
            let text = format!(r#"{{"access_token": "A", "expires_in": {expires_in}}}"#);
            read(&text).map(|tokens| tokens.get("default").unwrap().expires_at_seconds())
        };
        assert_eq!(ends("10"), Ok(1_010));
        assert_eq!(ends("10.9"), Ok(1_010));
        assert_eq!(ends("\"10\""), Ok(1_010));
        for unstated in ["null", "0", "-1", "\"0\""] {
            assert_eq!(ends(unstated), Ok(4_600), "{unstated}");
        }
        for wrong in ["\"soon\"", "[]", "true", "1e300", "\"inf\"", "\"NaN\""] {
            assert_eq!(ends(wrong), Ok(4_600), "{wrong}");
        }
    }

    #[test]
    fn without_a_lifetime_the_exp_claim_counts() {
        let payload = BASE64_URL_SAFE_NO_PAD.encode(br#"{"exp": 5000}"#);
        let tokens = read(&format!(r#"{{"access_token": "e30.{payload}.sig"}}"#)).unwrap();
        assert_eq!(tokens.get("default").unwrap().expires_at_seconds(), 5_000);
    }

    #[test]
    fn other_token_types_and_other_documents_are_refused() {
        assert_eq!(
            read(r#"{"access_token": "A", "token_type": "DPoP"}"#),
            Err(InvalidTokenResponse::TokenType("DPoP".into()))
        );
        let mixed_up = r#"{"access_token": "AT9f3b7c1d", "refresh_token": "RT1c5e8a24", "token_type": "mac RT1c5e8a24 AT9f3b7c1d"}"#;
        assert_eq!(read(mixed_up), Err(InvalidTokenResponse::TokenType("mac … …".into())));
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

    #[test]
    fn an_access_token_that_no_header_can_carry_is_told_and_costs_no_refresh_token() {
        for (text, words) in [
            ("two words", "white space"),
            ("Bearer AT", "`Bearer`"),
            (r#"\"AT\""#, "quotation marks"),
            ("null", "null"),
            ("caf\u{e9}", "ASCII"),
        ] {
            let text = format!(r#"{{"access_token": "{text}", "refresh_token": ["RT"]}}"#);
            let error = read(&text).unwrap_err().to_string();
            assert!(error.contains("is not a bearer token") && error.contains(words), "{text}: {error}");
            let object = LenientObject::parse(text.as_bytes()).unwrap();
            let partial = TokenResponse::partial(&object, at(1_000)).unwrap();
            assert_eq!(partial.lone_refresh_token(), Some("RT"), "{text}");
        }
        for (list, expected) in
            [(r#"["RT"]"#, Some("RT")), ("[]", None), (r#"["RT", "x"]"#, None), ("[5]", None)]
        {
            let tokens = read(&format!(r#"{{"access_token": "AT", "refresh_token": {list}}}"#)).unwrap();
            assert_eq!(tokens.get("default").unwrap().expose_refresh_token(), expected, "{list}");
        }
    }

    /// Ways in which the optional members of an answer can be wrong.
    const ODD_MEMBERS: [&str; 30] = [
        r#""scope": ["openid", "read"]"#,
        r#""scope": {"a": 1}"#,
        r#""scope": 5"#,
        r#""expires_in": "soon""#,
        r#""expires_in": "2026-11-29T10:00:00Z""#,
        r#""expires_in": -1e300"#,
        r#""expires_in": []"#,
        r#""expires_in": true"#,
        r#""expires_at": {}"#,
        r#""token_type": ["Bearer"]"#,
        r#""token_type": null"#,
        r#""resource_server": {"x": 1}"#,
        r#""id_token": {"sub": "x"}"#,
        r#""id_token": "opaque""#,
        r#""other_tokens": {}"#,
        r#""other_tokens": "none""#,
        r#""other_tokens": [5, {}, {"access_token": 5}, {"access_token": "B", "token_type": "mac"}]"#,
        r#""error": null"#,
        r#""access_token": null"#,
        r#""refresh_token": null"#,
        r#""refresh_token_expires_in": "never""#,
        r#""x": NaN"#,
        r#""expires_in": Infinity"#,
        r#""expires_at": 1700000000000"#,
        r#""expires_on": "Fri, 13 Feb 2009 23:31:30 GMT""#,
        r#""x": 'single'"#,
        r#""scope": None"#,
        "\"x\": \"two\nlines\"",
        r#""x": "cut off"#,
        r#""x": 1}}}} trailing"#,
    ];

    #[test]
    fn no_other_member_costs_the_tokens() {
        for member in ODD_MEMBERS {
            let tokens = r#""access_token": "AT2", "refresh_token": "rt2""#;
            for text in [format!("{{{tokens}, {member}}}"), format!("\u{feff}{{{member}\r\n, {tokens}}}")] {
                // Where the object ends, or a text has no end, nothing can follow.
                let is_end = member.contains("}}}}") || member.contains("cut off");
                if is_end && text.starts_with('\u{feff}') {
                    continue;
                }
                let tokens = read(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
                let data = tokens.get("default").unwrap();
                assert_eq!(
                    (data.expose_access_token(), data.expose_refresh_token(), tokens.len()),
                    ("AT2", Some("rt2"), 1),
                    "{text}"
                );
                assert!((1_000..200_000_000_000).contains(&data.expires_at_seconds()), "{text}");
            }
        }
    }

    #[test]
    fn what_is_ignored_is_noted_without_its_value() {
        let text = r#"{"access_token": "AT", "expires_in": ["hush"], "scope": {"hush": 1}}"#;
        let response = TokenResponse::from_json(text, at(0)).unwrap();
        assert_eq!(
            response.notes(),
            ["`scope` is not a string or a list of strings", "`expires_in` is not a number of seconds"]
        );
        assert!(!format!("{response:?}").contains("hush"));
    }

    #[test]
    fn a_list_of_scopes_and_an_expiry_time_are_understood() {
        let text =
            r#"{"access_token": "AT", "scope": ["openid", "read"], "expires_at": "1970-01-01T01:00:00Z"}"#;
        let tokens = read(text).unwrap();
        let data = tokens.get("default").unwrap();
        assert_eq!((data.scope(), data.expires_at_seconds()), ("openid read", 3_600));
        let tokens = read(r#"{"access_token": "AT", "expires_on": "5000"}"#).unwrap();
        assert_eq!(tokens.get("default").unwrap().expires_at_seconds(), 5_000);
    }
}
