//! Dynamic client registration (RFC 7591).

use std::fmt;
use std::time::{Duration, SystemTime};

use reqwest::header::HeaderValue;
use reqwest_middleware::ClientWithMiddleware;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::client::OAuthClient;
use super::error::{Kind, OAuthError};
use super::http::{self, Payload};
use super::metadata::{ClientAuthMethod, ProviderMetadata};
use scitoken_types::{AccessToken, LenientObject, SafeUrl, Scope};

const TIME_LIMIT: Duration = Duration::from_secs(30);
const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// A request to register a client for device logins (RFC 7591 section 3.1), for servers that give out client ids on demand.
///
/// ```no_run
/// use scitoken_storage::oauth::{ClientRegistration, GrantRequest, ProviderMetadata};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let session = reqwest_scitokens::Session::new()?;
/// let metadata = ProviderMetadata::discover(session.client(), &"https://iss.example".parse()?).await?;
/// let registered = ClientRegistration::new("my program")
///     .with_scope("storage.read:/".parse()?)
///     .with_scope("offline_access".parse()?)
///     .register(session.client(), &metadata)
///     .await?;
/// let client = registered.client(session, metadata);
/// let authorization = client.authorize_device(&GrantRequest::new()).await?;
/// # let _ = authorization; Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ClientRegistration {
    name: String,
    scopes: Vec<Scope>,
    initial_access_token: Option<AccessToken>,
}

/// A client as a server registered it (RFC 7591 section 3.2.1). `Debug` shows no secret.
///
/// Keep it with [`expose_json`](Self::expose_json), and register again when the server rejects it
/// ([`OAuthError::is_client_rejected`]) or its secret expires.
///
/// ```
/// use scitoken_storage::oauth::RegisteredClient;
///
/// let kept = RegisteredClient::from_json(r#"{"client_id":"cid","client_secret":"s3cret"}"#)?;
/// assert!(!format!("{kept:?}").contains("s3cret"));
/// # Ok::<(), scitoken_storage::oauth::OAuthError>(())
/// ```
#[derive(Clone)]
pub struct RegisteredClient {
    client_id: String,
    secret: Option<SecretString>,
    secret_expires_at: Option<SystemTime>,
    auth_method: Option<ClientAuthMethod>,
}

impl ClientRegistration {
    /// Registers a client with a name that the server shows to its users.
    pub fn new(client_name: impl Into<String>) -> Self {
        Self { name: client_name.into(), scopes: Vec::new(), initial_access_token: None }
    }

    /// Adds a scope that the client may ask for.
    pub fn with_scope(mut self, scope: Scope) -> Self {
        self.scopes.push(scope);
        self
    }

    /// Sets the token that the server requires for registrations (RFC 7591 section 3).
    pub fn with_initial_access_token(mut self, token: AccessToken) -> Self {
        self.initial_access_token = Some(token);
        self
    }

    /// Sends the registration.
    ///
    /// # Errors
    /// When the request fails, the server refuses it, or has no registration endpoint.
    pub async fn register(
        &self,
        http: &ClientWithMiddleware,
        metadata: &ProviderMetadata,
    ) -> Result<RegisteredClient, OAuthError> {
        let Some(endpoint) = metadata.registration_endpoint() else {
            return Err(Kind::NoEndpoint("registration_endpoint").at(SafeUrl::new(metadata.token_endpoint())));
        };
        let scope = self.scopes.iter().map(Scope::as_str).collect::<Vec<_>>().join(" ");
        let method = match metadata.auth_method() {
            ClientAuthMethod::Basic => "client_secret_basic",
            ClientAuthMethod::Post => "client_secret_post",
        };
        let mut document = json!({
            "client_name": self.name,
            "grant_types": [DEVICE_CODE, "refresh_token"],
            "response_types": [],
            "token_endpoint_auth_method": method,
        });
        if !scope.is_empty() {
            document["scope"] = scope.into();
        }
        let payload = Payload::json(&document, self.initial_access_token.as_ref().map(bearer));
        let answer = http::post(http, endpoint, payload, TIME_LIMIT).await?;
        answer
            .into_object()
            .and_then(|object| RegisteredClient::read(&object))
            .map_err(|kind| kind.at(SafeUrl::new(endpoint)))
    }
}

fn auth_method(name: Option<&str>) -> Option<ClientAuthMethod> {
    match name {
        Some("client_secret_post") => Some(ClientAuthMethod::Post),
        Some("client_secret_basic") => Some(ClientAuthMethod::Basic),
        _ => None,
    }
}

fn bearer(token: &AccessToken) -> (HeaderValue, &str) {
    let secret = token.expose_secret();
    let text = Zeroizing::new(format!("Bearer {secret}"));
    let mut value = HeaderValue::try_from(text.as_str()).expect("a bearer token can stand in a header");
    value.set_sensitive(true);
    (value, secret)
}

impl RegisteredClient {
    fn read(object: &LenientObject) -> Result<Self, Kind> {
        let text = |name| object.text(name).ok().flatten();
        // Zero means that the secret does not expire.
        let expires_at = object.time("client_secret_expires_at").ok().flatten();
        Ok(Self {
            client_id: text("client_id").ok_or(Kind::Registration("`client_id` is missing"))?,
            secret: text("client_secret").map(SecretString::from),
            secret_expires_at: expires_at.filter(|time| *time > SystemTime::UNIX_EPOCH),
            auth_method: auth_method(text("token_endpoint_auth_method").as_deref()),
        })
    }

    /// Makes a client that the server's operators registered, with its secret if it has one.
    pub fn new(client_id: &str, secret: Option<&str>) -> Self {
        Self::from_parts(client_id, secret, None, None)
    }

    /// Makes a client of what was kept of it.
    pub(crate) fn from_parts(
        client_id: &str,
        secret: Option<&str>,
        secret_expires_at: Option<SystemTime>,
        method: Option<&str>,
    ) -> Self {
        Self {
            client_id: client_id.to_owned(),
            secret: secret.map(SecretString::from),
            secret_expires_at,
            auth_method: auth_method(method),
        }
    }

    /// Returns `token_endpoint_auth_method`, if the server named one.
    pub(crate) fn auth_method_name(&self) -> Option<&'static str> {
        self.auth_method.map(|method| match method {
            ClientAuthMethod::Basic => "client_secret_basic",
            ClientAuthMethod::Post => "client_secret_post",
        })
    }

    /// Reads a client that was kept with [`expose_json`](Self::expose_json), or a server's answer to a registration.
    ///
    /// # Errors
    /// When the text is not a JSON object with a `client_id`.
    pub fn from_json(text: &str) -> Result<Self, OAuthError> {
        LenientObject::parse(text.as_bytes())
            .ok_or(Kind::Registration("it is not a JSON object"))
            .and_then(|object| Self::read(&object))
            .map_err(|kind| kind.at("registered client"))
    }

    /// Returns the client as JSON, **with its secret**.
    pub fn expose_json(&self) -> Zeroizing<String> {
        let mut document = json!({ "client_id": self.client_id });
        if let Some(secret) = self.expose_secret() {
            document["client_secret"] = secret.into();
            let expires_at = self.secret_expires_at.map_or(0, scitoken_types::sys::epoch_seconds);
            document["client_secret_expires_at"] = expires_at.into();
        }
        if let Some(method) = self.auth_method_name() {
            document["token_endpoint_auth_method"] = method.into();
        }
        Zeroizing::new(document.to_string())
    }

    /// Returns the client's id.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// Returns the client's secret, if it has one.
    pub fn expose_secret(&self) -> Option<&str> {
        self.secret.as_ref().map(ExposeSecret::expose_secret)
    }

    /// Returns the expiry of the secret; `None` if it does not expire.
    pub fn secret_expires_at(&self) -> Option<SystemTime> {
        self.secret_expires_at
    }

    /// Returns the OAuth client.
    pub fn client(&self, http: impl Into<ClientWithMiddleware>, metadata: ProviderMetadata) -> OAuthClient {
        let metadata = match self.auth_method {
            Some(method) => metadata.with_auth_method(method),
            None => metadata,
        };
        let client = OAuthClient::new(http, metadata, &self.client_id);
        match self.expose_secret() {
            Some(secret) => client.with_secret(secret),
            None => client,
        }
    }
}

impl fmt::Debug for RegisteredClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisteredClient")
            .field("client_id", &self.client_id)
            .field("secret", &self.secret.as_ref().map(|_| format_args!("[redacted]")))
            .field("secret_expires_at", &self.secret_expires_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Fake, Reply};
    use super::*;

    fn metadata() -> ProviderMetadata {
        ProviderMetadata::new("https://iss.example", "https://iss.example/token".parse().unwrap())
            .with_registration_endpoint("https://iss.example/register".parse().unwrap())
    }

    async fn register(reply: Reply) -> (Fake, Result<RegisteredClient, OAuthError>) {
        let fake = Fake::new([reply]);
        let registration = ClientRegistration::new("tést")
            .with_scope("storage.read:/a".parse().unwrap())
            .with_scope("offline_access".parse().unwrap());
        let registered = registration.register(&fake.client(), &metadata()).await;
        (fake, registered)
    }

    #[tokio::test]
    async fn the_registration_names_the_grants_of_a_device_login() {
        let (fake, registered) = register(Reply::json(201, r#"{"client_id": "c1"}"#)).await;
        let registered = registered.unwrap();
        assert_eq!((registered.client_id(), registered.expose_secret()), ("c1", None));
        let seen = fake.seen();
        let sent = seen[0].strip_prefix("POST https://iss.example/register - ").unwrap();
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(sent).unwrap(),
            json!({
                "client_name": "tést",
                "grant_types": [DEVICE_CODE, "refresh_token"],
                "response_types": [],
                "token_endpoint_auth_method": "client_secret_basic",
                "scope": "storage.read:/a offline_access",
            })
        );
    }

    #[tokio::test]
    async fn a_kept_client_authenticates_as_it_was_registered() {
        for (method, authorization, body) in [
            ("client_secret_basic", "Basic YzE6cHctaHVzaA==", "grant_type=client_credentials"),
            ("client_secret_post", "-", "grant_type=client_credentials&client_id=c1&client_secret=pw-hush"),
        ] {
            let answer = format!(
                r#"{{"client_id": "c1", "client_secret": "pw-hush", "client_secret_expires_at": "5000",
                    "token_endpoint_auth_method": "{method}", "redirect_uris": 5, "x": {{}}}}"#
            );
            let registered = register(Reply::json(200, &answer)).await.1.unwrap();
            assert!(!format!("{registered:?}").contains("hush"));
            let kept = RegisteredClient::from_json(&registered.expose_json()).unwrap();
            assert_eq!(kept.secret_expires_at(), Some(SystemTime::UNIX_EPOCH + Duration::from_secs(5_000)));
            let fake = Fake::new([Reply::json(200, r#"{"access_token": "AT"}"#)]);
            kept.client(fake.client(), metadata())
                .client_credentials(&super::super::GrantRequest::new())
                .await
                .unwrap();
            assert_eq!(fake.seen(), [format!("POST https://iss.example/token {authorization} {body}")]);
        }
    }

    #[tokio::test]
    async fn a_secret_that_does_not_expire_has_no_expiry() {
        for zero in ["0", "\"0\"", "null", "\"never\""] {
            let answer = format!(
                r#"{{"client_id": "c1", "client_secret": "pw", "client_secret_expires_at": {zero}}}"#
            );
            assert_eq!(
                register(Reply::json(201, &answer)).await.1.unwrap().secret_expires_at(),
                None,
                "{zero}"
            );
        }
    }

    #[tokio::test]
    async fn refusals_and_answers_without_an_id_are_errors() {
        let refused =
            r#"{"error": "invalid_client_metadata", "error_description": "no device code for you"}"#;
        for (reply, expected) in [
            (Reply::json(400, refused), "refused: invalid_client_metadata (no device code for you)"),
            (Reply::json(201, "{}"), "`client_id` is missing"),
            (Reply::json(201, r#"{"client_id": ["c1"]}"#), "`client_id` is missing"),
            (Reply::html(200, "<html>"), "web page"),
            (Reply::json(307, ""), "redirect"),
        ] {
            let error = register(reply).await.1.unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
        let fake = Fake::new([]);
        let without = ProviderMetadata::new("https://i", "https://i/t".parse().unwrap());
        let error = ClientRegistration::new("x").register(&fake.client(), &without).await.unwrap_err();
        assert!(error.to_string().contains("no `registration_endpoint`"), "{error}");
    }

    #[tokio::test]
    async fn a_token_for_registrations_is_sent_and_masked() {
        let fake = Fake::new([Reply::json(
            401,
            r#"{"error": "invalid_token", "error_description": "not init-1234 here"}"#,
        )]);
        let error = ClientRegistration::new("x")
            .with_initial_access_token(AccessToken::new("init-1234").unwrap())
            .register(&fake.client(), &metadata())
            .await
            .unwrap_err();
        assert!(fake.seen()[0].contains(" Bearer init-1234 "), "{:?}", fake.seen());
        assert!(!error.to_string().contains("init-1234"), "{error}");
    }

    #[tokio::test]
    async fn a_client_that_the_server_forgot_is_told_from_other_refusals() {
        for (status, code, expected) in [
            (401, "invalid_client", true),
            (400, "unauthorized_client", true),
            (400, "invalid_grant", false),
            (400, "invalid_scope", false),
        ] {
            let fake = Fake::new([Reply::json(status, &format!(r#"{{"error": "{code}"}}"#))]);
            let client = RegisteredClient::from_json(r#"{"client_id": "c1"}"#).unwrap();
            let client = client.client(fake.client(), metadata());
            let error = client.refresh("rt", &super::super::GrantRequest::new()).await.unwrap_err();
            assert_eq!(error.is_client_rejected(), expected, "{code}");
        }
    }
}
