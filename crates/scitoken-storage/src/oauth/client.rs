//! The client of an OAuth server, and the grants that one request answers.

use std::fmt;
use std::time::{Duration, SystemTime};

use base64::prelude::*;
use reqwest::header::HeaderValue;
use reqwest_middleware::ClientWithMiddleware;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::error::{Kind, OAuthError};
use super::http::{self, Answer, Form, Payload};
use super::id_token;
use super::metadata::{ClientAuthMethod, ProviderMetadata};
use super::response::TokenResponse;
use scitoken_types::SafeUrl;
use scitoken_types::sys::SharedClock;
use scitoken_types::{Audience, LenientObject, Scope};

/// The default time limit of a request.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// A client of an OAuth server. Clones are cheap.
///
/// ```no_run
/// use scitoken_storage::oauth::{GrantRequest, OAuthClient, ProviderMetadata};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let session = reqwest_scitokens::Session::new()?;
/// let metadata = ProviderMetadata::discover(session.client(), &"https://iss.example".parse()?).await?;
/// let client = OAuthClient::new(&session, metadata, "my-client");
/// let request = GrantRequest::new().with_scope("openid".parse()?).with_scope("storage.read:/".parse()?);
/// let authorization = client.authorize_device(&request).await?;
/// println!("open {} and enter {}", authorization.verification_uri(), authorization.user_code());
/// let tokens = client.wait_for_authorization(authorization).await?;
/// # let _ = tokens; Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct OAuthClient {
    http: ClientWithMiddleware,
    metadata: ProviderMetadata,
    client_id: String,
    secret: Option<SecretString>,
    clock: SharedClock,
    time_limit: Duration,
}

/// What to ask for: scopes, audiences and resources.
///
/// ```
/// use scitoken_storage::oauth::GrantRequest;
///
/// let request = GrantRequest::new().with_scope("storage.read:/".parse()?).with_audience("https://data.example");
/// # let _ = request;
/// # Ok::<(), scitoken_types::InvalidScope>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrantRequest {
    scopes: Vec<Scope>,
    audiences: Vec<Audience>,
    resources: Vec<Url>,
}

/// The type of a token to revoke (RFC 7009 section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenTypeHint {
    /// An access token.
    AccessToken,
    /// A refresh token; most servers revoke the access tokens that came from it too.
    RefreshToken,
}

impl GrantRequest {
    /// Asks for the server's default.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for a scope.
    pub fn with_scope(mut self, scope: Scope) -> Self {
        self.scopes.push(scope);
        self
    }

    /// Asks for an audience (RFC 8693 section 2.1, and WLCG's issuers in every grant).
    pub fn with_audience(mut self, audience: impl Into<Audience>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Asks for a resource (RFC 8707).
    pub fn with_resource(mut self, resource: Url) -> Self {
        self.resources.push(resource);
        self
    }

    /// Returns the scopes as one text; `None` when there are none.
    pub(super) fn scope_text(&self) -> Option<String> {
        let scopes: Vec<_> = self.scopes.iter().map(Scope::as_str).collect();
        (!scopes.is_empty()).then(|| scopes.join(" "))
    }

    pub(super) fn add_targets<'a>(&'a self, form: &mut Form<'a>) {
        form.extend(self.audiences.iter().map(|audience| ("audience", audience.as_str())));
        form.extend(self.resources.iter().map(|resource| ("resource", resource.as_str())));
    }
}

impl OAuthClient {
    /// Creates a public client: one without a secret.
    pub fn new(
        http: impl Into<ClientWithMiddleware>,
        metadata: ProviderMetadata,
        client_id: impl Into<String>,
    ) -> Self {
        Self {
            http: http.into(),
            metadata,
            client_id: client_id.into(),
            secret: None,
            clock: SharedClock::default(),
            time_limit: TIME_LIMIT,
        }
    }

    /// Sets the client's secret. It is sent in the `Authorization` header, or in the form if the server's metadata
    /// names only `client_secret_post`.
    pub fn with_secret(mut self, secret: impl Into<String>) -> Self {
        self.secret = Some(secret.into().into());
        self
    }

    /// Sets the clock from which expiry times are computed.
    pub fn with_clock(mut self, clock: impl Into<SharedClock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// Limits the time of one request; the default is 30 s.
    pub fn with_time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Returns the server's endpoints.
    pub fn metadata(&self) -> &ProviderMetadata {
        &self.metadata
    }

    /// Returns the client's id.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// Obtains a token with a refresh token (RFC 6749 section 6). `request` can only ask for less than was granted;
    /// usually it is empty.
    ///
    /// If the server rotates refresh tokens, the old one is invalid now: store the answer at once, and do not use a
    /// refresh token twice. A [`StoredSource`](crate::StoredSource) does all that.
    ///
    /// ```no_run
    /// use scitoken_storage::oauth::GrantRequest;
    ///
    /// # async fn example(client: scitoken_storage::oauth::OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let tokens = client.refresh("the stored refresh token", &GrantRequest::new()).await?;
    /// println!("{} tokens", tokens.token_data()?.len());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn refresh(
        &self,
        refresh_token: &str,
        request: &GrantRequest,
    ) -> Result<TokenResponse, OAuthError> {
        let form = vec![("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
        self.grant(form, request).await.map(TokenResponse::for_refresh)
    }

    /// Obtains a token for the client itself (RFC 6749 section 4.4).
    ///
    /// ```no_run
    /// use scitoken_storage::oauth::GrantRequest;
    ///
    /// # async fn example(client: scitoken_storage::oauth::OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let request = GrantRequest::new().with_scope("storage.read:/".parse()?);
    /// let tokens = client.with_secret("the secret").client_credentials(&request).await?;
    /// # let _ = tokens;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn client_credentials(&self, request: &GrantRequest) -> Result<TokenResponse, OAuthError> {
        self.grant(vec![("grant_type", "client_credentials")], request).await
    }

    /// Revokes a token (RFC 7009). A server accepts tokens that it does not know, too.
    ///
    /// ```no_run
    /// use scitoken_storage::oauth::TokenTypeHint;
    ///
    /// # async fn example(client: scitoken_storage::oauth::OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
    /// client.revoke("the stored refresh token", TokenTypeHint::RefreshToken).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the request fails, or the server has no revocation endpoint.
    pub async fn revoke(&self, token: &str, kind: TokenTypeHint) -> Result<(), OAuthError> {
        self.revoke_beside(token, kind, &[]).await
    }

    /// As [`revoke`](Self::revoke); no message shows the other tokens of the login, which the server may name.
    pub(super) async fn revoke_beside(
        &self,
        token: &str,
        kind: TokenTypeHint,
        others: &[&str],
    ) -> Result<(), OAuthError> {
        let endpoint = self
            .metadata
            .revocation_endpoint()
            .ok_or_else(|| self.failed(Kind::NoEndpoint("revocation_endpoint")))?;
        let hint = match kind {
            TokenTypeHint::AccessToken => "access_token",
            TokenTypeHint::RefreshToken => "refresh_token",
        };
        let form = vec![("token", token), ("token_type_hint", hint)];
        self.post_beside(endpoint, form, others).await.map(drop)
    }

    /// Sends a grant to the token endpoint.
    pub(super) async fn grant<'a>(
        &'a self,
        form: Form<'a>,
        request: &'a GrantRequest,
    ) -> Result<TokenResponse, OAuthError> {
        self.read_tokens(&self.request_tokens(form, request).await?)
    }

    async fn request_tokens<'a>(
        &'a self,
        mut form: Form<'a>,
        request: &'a GrantRequest,
    ) -> Result<LenientObject, OAuthError> {
        let scope = request.scope_text();
        if let Some(scope) = &scope {
            form.push(("scope", scope));
        }
        request.add_targets(&mut form);
        let mut answer = self.post(self.metadata.token_endpoint(), form).await?;
        let refusal = answer.take_refusal();
        let object = answer.into_object().map_err(|kind| self.bad_answer(kind))?;
        match refusal {
            // A refresh token that an error brings may have replaced the one that was sent.
            Some(refused) => {
                let partial = TokenResponse::partial(&object, self.clock.now());
                Err(self.bad_answer(refused).with_partial_answer(partial))
            }
            None => Ok(object),
        }
    }

    /// Returns the tokens, with the identity by the ID token if there is a valid one. A token that was obtained is not
    /// given up for an ID token of another client or issuer, which is ignored.
    fn read_tokens(&self, answer: &LenientObject) -> Result<TokenResponse, OAuthError> {
        let now = self.clock.now();
        let tokens = TokenResponse::from_object(answer, now).map_err(|error| {
            self.bad_answer(error.into()).with_partial_answer(TokenResponse::partial(answer, now))
        })?;
        let subject = tokens
            .expose_id_token()
            .map(|token| id_token::subject(token, self.metadata.issuer(), &self.client_id, now));
        Ok(match subject {
            Some(Ok(identity_id)) => tokens.with_identity_id(identity_id),
            Some(Err(problem)) => tokens.with_note(format!("ignored the ID token: {problem}")),
            None => tokens,
        })
    }

    fn bad_answer(&self, kind: Kind) -> OAuthError {
        kind.at(SafeUrl::new(self.metadata.token_endpoint()))
    }

    /// Sends a form, authenticated as this client.
    pub(super) async fn post<'a>(&'a self, endpoint: &Url, form: Form<'a>) -> Result<Answer, OAuthError> {
        self.post_beside(endpoint, form, &[]).await
    }

    /// As [`post`](Self::post); no message about the answer shows `others`.
    async fn post_beside<'a>(
        &'a self,
        endpoint: &Url,
        mut form: Form<'a>,
        others: &[&str],
    ) -> Result<Answer, OAuthError> {
        let mut authorization = None;
        match &self.secret {
            Some(secret) if self.metadata.auth_method() == ClientAuthMethod::Basic => {
                authorization =
                    Some((basic(&self.client_id, secret.expose_secret()), secret.expose_secret()));
            }
            secret => {
                form.push(("client_id", &self.client_id));
                form.extend(secret.as_ref().map(|secret| ("client_secret", secret.expose_secret())));
            }
        }
        let payload = Payload::form(&form, authorization).hiding(others);
        http::post(&self.http, endpoint, payload, self.time_limit).await
    }

    pub(super) fn failed(&self, kind: Kind) -> OAuthError {
        match Url::parse(self.metadata.issuer()) {
            Ok(url) => kind.at(SafeUrl::new(&url)),
            Err(_) => kind.at("issuer"),
        }
    }
}

/// RFC 6749 section 2.3.1: both parts are form-encoded before they become one.
fn basic(client_id: &str, secret: &str) -> HeaderValue {
    let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = Zeroizing::new(format!("{}:{}", encoded(client_id), encoded(secret)));
    let mut value = HeaderValue::try_from(format!("Basic {}", BASE64_STANDARD.encode(pair.as_bytes())))
        .expect("base64 can stand in a header");
    value.set_sensitive(true);
    value
}

impl fmt::Debug for OAuthClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuthClient")
            .field("issuer", &self.metadata.issuer())
            .field("client_id", &self.client_id)
            .field("secret", &self.secret.as_ref().map(|_| format_args!("[redacted]")))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Fake, Reply, client};
    use super::*;

    const ANSWER: &str =
        r#"{"access_token": "AT2", "token_type": "bearer", "expires_in": 600, "scope": "s"}"#;

    #[tokio::test]
    async fn a_public_client_sends_its_id_in_the_form() {
        let fake = Fake::new([Reply::json(200, ANSWER)]);
        let request = GrantRequest::new()
            .with_scope("a".parse().unwrap())
            .with_scope("b:/c".parse().unwrap())
            .with_audience("https://h")
            .with_resource("https://r".parse().unwrap());
        let tokens = client(&fake).refresh("rt 1", &request).await.unwrap();
        assert!(tokens.is_refresh());
        let data = tokens.for_resource_server("rs").token_data().unwrap();
        assert_eq!(data.get("rs").unwrap().expires_at_seconds(), 1_600);
        assert_eq!(
            fake.seen(),
            ["POST https://iss.example/token - grant_type=refresh_token&refresh_token=rt+1&scope=a+b%3A%2Fc\
              &audience=https%3A%2F%2Fh&resource=https%3A%2F%2Fr%2F&client_id=me"]
        );
    }

    #[tokio::test]
    async fn a_secret_is_sent_in_the_header_and_not_shown() {
        let fake = Fake::new([Reply::json(200, ANSWER)]);
        let client = client(&fake).with_secret("pass:wörd");
        client.client_credentials(&GrantRequest::new()).await.unwrap();
        let expected = BASE64_STANDARD.encode("me:pass%3Aw%C3%B6rd");
        assert_eq!(
            fake.seen(),
            [format!("POST https://iss.example/token Basic {expected} grant_type=client_credentials")]
        );
        assert!(!format!("{client:?}").contains("pass"));
    }

    #[tokio::test]
    async fn a_server_that_supports_only_client_secret_post_gets_the_secret_in_the_form() {
        let fake = Fake::new([Reply::json(200, ANSWER)]);
        let text = r#"{"issuer": "https://iss.example", "token_endpoint": "https://iss.example/token",
            "token_endpoint_auth_methods_supported": ["client_secret_post"]}"#;
        let metadata = ProviderMetadata::from_json("https://iss.example", text).unwrap();
        let client = OAuthClient::new(fake.client(), metadata, "me").with_secret("pw");
        client.client_credentials(&GrantRequest::new()).await.unwrap();
        assert_eq!(
            fake.seen(),
            ["POST https://iss.example/token - grant_type=client_credentials&client_id=me&client_secret=pw"]
        );
    }

    #[tokio::test]
    async fn bad_answers_are_distinguished_and_not_shown() {
        let secret = r#"{"access_token": "hush", "token_type": "mac"}"#;
        let refused = r#"{"error": "invalid_grant", "error_description": "gone\u001b[2J"}"#;
        let big = format!("{{\"x\": \"{}\"}}", "x".repeat(1024 * 1024));
        for (reply, expected, transient) in [
            (Reply::json(400, refused), "refused: invalid_grant (gone [2J)", false),
            (Reply::json(400, r#"{"error": "temporarily_unavailable"}"#), "temporarily_unavailable", true),
            (Reply::json(500, "hush"), "answered 500 Internal Server Error without a reason", true),
            (Reply::html(503, "<html>hush"), "answered 503 Service Unavailable with a web page", true),
            (Reply::html(200, "<html>hush"), "a web page instead of JSON", false),
            (Reply::json(200, "hush"), "something other than JSON", false),
            (Reply::json(200, "{}"), "`access_token` is missing", false),
            (Reply::json(200, secret), "token type is `mac`", false),
            (Reply::json(200, &big), "larger than 1048576 bytes", false),
            (Reply::json(307, ""), "redirect", false),
            (Reply::NoConnection, "failed to connect", true),
            (Reply::Hangs, "did not answer within 2 s", true),
        ] {
            let fake = Fake::new([reply]);
            let client = client(&fake).with_time_limit(Duration::from_secs(2));
            let error = client.refresh("hush", &GrantRequest::new()).await.unwrap_err();
            assert!(error.to_string().contains(expected), "{error} is not {expected}");
            assert_eq!(error.is_transient(), transient, "{error}");
            let all =
                format!("{error:?}{error}{:?}", std::error::Error::source(&error).map(ToString::to_string));
            assert!(!all.contains("hush"), "{all}");
        }
    }

    #[tokio::test]
    async fn an_id_token_names_the_identity_unless_it_is_for_another_client() {
        let id_token = |claims: &str| {
            let payload = BASE64_URL_SAFE_NO_PAD.encode(claims);
            Reply::json(200, &ANSWER.replace('}', &format!(r#", "id_token": "e30.{payload}.sig"}}"#)))
        };
        let fake = Fake::new([
            id_token(r#"{"iss": "https://iss.example", "aud": "me", "sub": "alice", "exp": 2000}"#),
            id_token(r#"{"iss": "https://iss.example", "aud": "you", "sub": "alice", "exp": 2000}"#),
            id_token(r#"{"iss": "https://iss.example", "aud": "you", "sub": "alice", "exp": 2000}"#),
        ]);
        let client = client(&fake);
        let tokens = client.refresh("rt", &GrantRequest::new()).await.unwrap();
        assert_eq!(tokens.identity_id(), Some("alice"));
        let tokens = client.refresh("rt", &GrantRequest::new()).await.unwrap();
        assert_eq!(tokens.identity_id(), None, "a renewal keeps its refresh token");
        let tokens = client.client_credentials(&GrantRequest::new()).await.unwrap();
        assert_eq!(tokens.identity_id(), None);
        assert_eq!(tokens.notes(), ["ignored the ID token: its audience is another client"]);
    }

    #[tokio::test]
    async fn a_revocation_names_the_kind_of_token() {
        let fake = Fake::new([Reply::json(200, "")]);
        client(&fake).revoke("t", TokenTypeHint::RefreshToken).await.unwrap();
        assert_eq!(
            fake.seen(),
            ["POST https://iss.example/revoke - token=t&token_type_hint=refresh_token&client_id=me"]
        );
        let metadata =
            ProviderMetadata::new("https://iss.example", "https://iss.example/token".parse().unwrap());
        let error = OAuthClient::new(fake.client(), metadata, "me")
            .revoke("t", TokenTypeHint::AccessToken)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("no `revocation_endpoint`"), "{error}");
    }

    #[tokio::test]
    async fn an_oauth_error_is_one_at_any_status() {
        for status in [200, 201, 400, 401, 403, 418, 500, 503] {
            let body = r#"{"error": "invalid_grant", "error_description": "rt1-secret is gone", "access_token": null}"#;
            let fake = Fake::new([Reply::json(status, body)]);
            let error = client(&fake).refresh("rt1-secret", &GrantRequest::new()).await.unwrap_err();
            assert!(error.is_invalid_grant(), "{status}: {error}");
            assert!(
                error.to_string().contains("refused: invalid_grant") && !error.to_string().contains("rt1-")
            );
        }
        let fake = Fake::new([Reply::json(200, r#"{"error": "unsupported_token_type"}"#)]);
        let error = client(&fake).revoke("t", TokenTypeHint::AccessToken).await.unwrap_err();
        assert_eq!(error.code(), Some("unsupported_token_type"));
        // A member of this name beside a token is not an error.
        let fake = Fake::new([Reply::json(200, &ANSWER.replace('}', r#", "error": "none"}"#))]);
        assert!(client(&fake).refresh("rt", &GrantRequest::new()).await.is_ok());
    }

    #[tokio::test]
    async fn secrets_of_the_request_are_masked_in_the_servers_answer() {
        let secret = "s3cret+value/1";
        let encoded = BASE64_STANDARD.encode(secret);
        for echo in [secret, &encoded, "s3cret%2Bvalue%2F1", "me:s3cret+value/1", "rt1-0123456789"] {
            for member in ["error", "error_description"] {
                let mut body = serde_json::json!({"error": "invalid_client"});
                body[member] = format!("not {echo} here").into();
                for auth in ["client_secret_post", "client_secret_basic"] {
                    let fake = Fake::new([Reply::json(401, &body.to_string())]);
                    let text = format!(
                        r#"{{"issuer": "https://iss.example", "token_endpoint": "https://iss.example/token",
                            "token_endpoint_auth_methods_supported": ["{auth}"]}}"#
                    );
                    let metadata = ProviderMetadata::from_json("https://iss.example", &text).unwrap();
                    let client = OAuthClient::new(fake.client(), metadata, "me").with_secret(secret);
                    let error = client.refresh("rt1-0123456789", &GrantRequest::new()).await.unwrap_err();
                    let shown = format!("{error} {error:?}");
                    assert!(shown.contains("not ") && !shown.contains(echo), "{auth} {member}: {shown}");
                }
            }
        }
    }

    #[tokio::test]
    async fn gzip_that_was_not_asked_for_is_decoded() {
        use std::io::Write as _;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(ANSWER.as_bytes()).unwrap();
        let body = encoder.finish().unwrap();
        let fake = Fake::new([
            Reply::Encoded { encoding: "gzip", body: body.clone() },
            Reply::Encoded { encoding: "X-GZIP", body: body.clone() },
            Reply::Answer { status: 200, content_type: "application/json", body },
        ]);
        for _ in 0..3 {
            let tokens = client(&fake).refresh("rt", &GrantRequest::new()).await.unwrap();
            let data = tokens.for_resource_server("rs").token_data().unwrap();
            assert_eq!(data.get("rs").unwrap().expose_access_token(), "AT2");
        }
        assert_eq!(fake.seen().len(), 3);
    }

    #[tokio::test]
    async fn deflate_that_was_not_asked_for_is_decoded() {
        use std::io::Write as _;
        let level = flate2::Compression::default();
        let mut framed = flate2::write::ZlibEncoder::new(Vec::new(), level);
        framed.write_all(ANSWER.as_bytes()).unwrap();
        let mut bare = flate2::write::DeflateEncoder::new(Vec::new(), level);
        bare.write_all(ANSWER.as_bytes()).unwrap();
        for body in [framed.finish().unwrap(), bare.finish().unwrap(), ANSWER.into()] {
            let fake = Fake::new([Reply::Encoded { encoding: "Deflate", body }]);
            let tokens = client(&fake).refresh("rt", &GrantRequest::new()).await.unwrap();
            let data = tokens.for_resource_server("rs").token_data().unwrap();
            assert_eq!(data.get("rs").unwrap().expose_access_token(), "AT2");
        }
    }

    #[tokio::test]
    async fn of_a_refresh_that_gives_no_usable_token_the_rotated_refresh_token_is_handed_back() {
        for body in [
            r#"{"refresh_token": "rt2-hush"}"#,
            r#"{"access_token": "", "refresh_token": "rt2-hush"}"#,
            r#"{"access_token": ["AT"], "refresh_token": "rt2-hush"}"#,
            r#"{"access_token": "AT2", "token_type": "mac", "refresh_token": "rt2-hush"}"#,
            r#"{"refresh_token": "rt2-hush", "access_token": "AT"#,
        ] {
            let fake = Fake::new([Reply::json(200, body)]);
            let error = client(&fake).refresh("rt1", &GrantRequest::new()).await.unwrap_err();
            assert_eq!(error.expose_rotated_refresh_token(), Some("rt2-hush"), "{body}");
            assert!(!format!("{error} {error:?}").contains("hush"));
        }
    }

    #[tokio::test]
    async fn an_error_that_brings_a_refresh_token_hands_it_back() {
        for status in [400, 401, 429, 500, 503] {
            for body in [
                r#"{"access_token": "AT2", "refresh_token": "rt2-hush"}"#,
                r#"{"error": "server_error", "access_token": "AT2", "refresh_token": "rt2-hush"}"#,
                r#"{"refresh_token": "rt2-hush", "access_token": "AT2", "error": {"code": "x"}}"#,
                "error=invalid_request&access_token=AT2&refresh_token=rt2-hush",
            ] {
                let fake = Fake::new([Reply::json(status, body)]);
                let error = client(&fake).refresh("rt1", &GrantRequest::new()).await.unwrap_err();
                assert_eq!(error.expose_rotated_refresh_token(), Some("rt2-hush"), "{status} {body}");
                assert!(!error.is_transient(), "what was sent may be void: {status} {body}");
                assert!(!format!("{error} {error:?}").contains("hush"), "{status} {body}");
            }
        }
    }

    #[tokio::test]
    async fn what_an_error_says_about_a_refresh_token_is_no_token() {
        for body in [
            r#"{"refresh_token": "This token is invalid or expired."}"#,
            r#"{"refresh_token": ["This field may not be blank."]}"#,
            r#"{"error": "invalid_request", "refresh_token": "must be a string"}"#,
            r#"{"error": "server_error", "refresh_token": "***"}"#,
            r#"{"error": "server_error", "access_token": "***", "refresh_token": "***"}"#,
            r#"{"access_token": "xxxx", "refresh_token": "rt****"}"#,
            "upstream: POST /token grant_type=refresh_token&refresh_token=*** failed",
        ] {
            for status in [400, 500, 503] {
                let fake = Fake::new([Reply::json(status, body)]);
                let error = client(&fake).refresh("rt1", &GrantRequest::new()).await.unwrap_err();
                assert!(error.partial_answer().is_none(), "{status} {body}");
            }
        }
    }

    #[tokio::test]
    async fn tokens_of_an_error_are_not_shown_wherever_the_answer_repeats_them() {
        let (access, refresh) = ("acc9c80468af31", "ref55d01b7a2e9");
        for (status, body) in [
            (400, format!("access_token={access}")),
            (400, format!("sorry, <{access}>: access_token={access}")),
            (
                400,
                format!(
                    r#"{{"error": "invalid_request", "access_token": "{access}", "error_description": "token {access} was issued twice"}}"#
                ),
            ),
            (400, format!(r#"{{"error": {{"message": "no {refresh}"}}, "refresh_token": "{refresh}"}}"#)),
            (400, format!(r#"{{"detail": "no {access}", "data": {{"access_token": "{access}"}}}}"#)),
            (500, format!(r#"{{"detail": "cannot store {access}", "access_token": "{access}"}}"#)),
            (
                200,
                format!(
                    r#"{{"access_token": "{access}", "other_tokens": [{{"access_token": "AT", "token_type": "{access}"}}]}}"#
                ),
            ),
        ] {
            let fake = Fake::new([Reply::json(status, &body)]);
            let shown = match client(&fake).refresh("rt1", &GrantRequest::new()).await {
                Ok(tokens) => tokens.notes().join(" "),
                Err(error) => format!("{error} {error:?}"),
            };
            assert!(!shown.is_empty() && !shown.contains("acc9c8") && !shown.contains("ref55d"), "{shown}");
        }
        let fake =
            Fake::new([Reply::json(400, &format!(r#"{{"error": "x", "error_description": "{access}"}}"#))]);
        let entry = crate::TokenStorageData::new("rs", "", access, 1_000).with_refresh_token(refresh);
        let error = client(&fake).revoke_entry(&entry).await.unwrap_err();
        assert!(!error.to_string().contains(access), "{error}");
    }

    #[tokio::test]
    async fn the_last_pair_of_a_form_that_was_cut_off_is_no_value() {
        use std::io::Write as _;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
        encoder.write_all(b"access_token=AT2&refresh_token=rt2abc").unwrap();
        let whole = encoder.finish().unwrap();
        // The end of gzip's frame, and with it the proof that this is all.
        let body = whole[..whole.len() - 8].to_vec();
        let fake = Fake::new([Reply::Encoded { encoding: "gzip", body }]);
        let tokens = client(&fake).refresh("rt1", &GrantRequest::new()).await.unwrap();
        assert!(tokens.notes()[0].contains("cut off"), "{:?}", tokens.notes());
        let data = tokens.for_resource_server("rs").token_data().unwrap();
        assert_eq!(data.get("rs").unwrap().expose_access_token(), "AT2");
        assert_eq!(data.get("rs").unwrap().expose_refresh_token(), None);
    }

    #[tokio::test]
    async fn what_surrounds_tokens_costs_none() {
        for (content_type, body) in [
            ("application/x-www-form-urlencoded", "access_token=AT2&refresh_token=rt2&name=J\u{fc}rgen"),
            ("application/x-www-form-urlencoded", "access_token=AT2&refresh_token=rt2&name=\"x\""),
            ("application/x-www-form-urlencoded", "access_token=AT2\nrefresh_token=rt2\n"),
            ("application/json", "\0{\"access_token\": \"AT2\", \"refresh_token\": \"rt2\"}"),
            ("application/json", ")]}',\n{\"access_token\": \"AT2\", \"refresh_token\": \"rt2\"}"),
            ("application/json", "[{\"access_token\": \"AT2\", \"refresh_token\": \"rt2\"}]"),
            ("application/json", r#"{"access_token": "AT2", "refresh_token": "rt2", "refresh_token": ""}"#),
        ] {
            let fake = Fake::new([Reply::Answer { status: 200, content_type, body: body.into() }]);
            let tokens = client(&fake).refresh("rt1", &GrantRequest::new()).await.unwrap();
            let data = tokens.for_resource_server("rs").token_data().unwrap();
            assert_eq!(data.get("rs").unwrap().expose_access_token(), "AT2", "{body}");
            assert_eq!(data.get("rs").unwrap().expose_refresh_token(), Some("rt2"), "{body}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn of_every_grant_a_refresh_token_without_an_access_token_is_handed_back() {
        use crate::TokenStorage as _;
        use crate::oauth::TokenExchange;
        const REFRESH: &str = "urn:ietf:params:oauth:token-type:refresh_token";
        let exchanged = format!(
            r#"{{"access_token": "rt2-hush", "issued_token_type": "{REFRESH}", "token_type": "N_A", "scope": "a"}}"#
        );
        for body in [
            r#"{"refresh_token": "rt2-hush", "scope": "a"}"#,
            r#"{"access_token": null, "refresh_token": "rt2-hush", "scope": ["a"]}"#,
            r#"{"access_token": {}, "refresh_token": "rt2-hush", "scope": "a", "expires_in": 600}"#,
            r#"{"access_token": "AT", "token_type": "DPoP", "refresh_token": "rt2-hush", "scope": "a"}"#,
            r#"{"scope": "a", "refresh_token": "rt2-hush", "access_token": "AT"#,
            "refresh_token=rt2-hush&scope=a",
            &exchanged,
        ] {
            let begun = r#"{"device_code": "dc", "user_code": "UC", "verification_uri": "https://i/d", "interval": 1}"#;
            let answer = || Reply::json(200, body);
            let fake = Fake::new([answer(), answer(), answer(), Reply::json(200, begun), answer()]);
            let (client, request) = (client(&fake), GrantRequest::new());
            let exchange = TokenExchange::new(&scitoken_types::AccessToken::new("subject").unwrap());
            let refreshed = client.refresh("rt1", &request).await.unwrap_err();
            assert_eq!(refreshed.expose_rotated_refresh_token(), Some("rt2-hush"), "{body}");
            let exchanged = client.exchange(&exchange, &request).await.unwrap_err();
            let credentials = client.client_credentials(&request).await.unwrap_err();
            let authorization = client.authorize_device(&request).await.unwrap();
            let login = client.wait_for_authorization(authorization).await.unwrap_err();
            assert_eq!(fake.seen().len(), 5, "{body}");
            for error in [refreshed, exchanged, credentials, login] {
                let partial = error.partial_answer().unwrap().clone().for_resource_server("rs");
                let storage = crate::MemoryTokenStorage::new();
                storage.store_token_response(&partial).unwrap();
                let entry = storage.get_token_data("rs").unwrap().unwrap();
                assert_eq!(entry.expose_refresh_token(), Some("rt2-hush"), "{body}");
                assert_eq!(
                    (entry.expose_access_token(), entry.scope(), entry.expires_at_seconds()),
                    ("", "a", 0)
                );
                assert!(!format!("{error} {error:?} {partial:?}").contains("hush"));
            }
        }
    }
}
