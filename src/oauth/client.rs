//! A client of an OAuth server: the requests that give a token at once.

use std::fmt;
use std::time::{Duration, SystemTime};

use base64_simd::STANDARD;
use reqwest::header::HeaderValue;
use reqwest_middleware::ClientWithMiddleware;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::error::{Kind, OAuthError};
use super::http::{self, Form};
use super::id_token;
use super::metadata::{ProviderMetadata, SecretInBody};
use crate::redact::SafeUrl;
use crate::storage::TokenResponse;
use crate::sys::SharedClock;
use crate::token::{Audience, Scope};

/// How long a request may take unless told otherwise.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// A client of an OAuth server. Clones are cheap and mean the same client.
///
/// ```no_run
/// use reqwest_scitokens::oauth::{GrantRequest, OAuthClient, ProviderMetadata};
///
/// # async fn example(http: reqwest_middleware::ClientWithMiddleware) -> Result<(), Box<dyn std::error::Error>> {
/// let metadata = ProviderMetadata::discover(&http, &"https://iss.example".parse()?).await?;
/// let client = OAuthClient::new(http, metadata, "my-client");
/// let wanted = GrantRequest::new().with_scope("openid".parse()?).with_scope("storage.read:/".parse()?);
/// let authorization = client.authorize_device(&wanted).await?;
/// println!("open {} and enter {}", authorization.verification_uri(), authorization.user_code());
/// let tokens = client.wait_for_user(authorization).await?;
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

/// What a token should be good for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrantRequest {
    scopes: Vec<Scope>,
    audiences: Vec<Audience>,
    resources: Vec<Url>,
}

/// Which kind of token is to be made void (RFC 7009 section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenKind {
    /// An access token.
    Access,
    /// A refresh token; most servers make the access tokens that came from it void too.
    Refresh,
}

impl GrantRequest {
    /// Whatever the server gives.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for a scope.
    pub fn with_scope(mut self, scope: Scope) -> Self {
        self.scopes.push(scope);
        self
    }

    /// Asks for an audience, as WLCG's issuers and RFC 8693 have it.
    pub fn with_audience(mut self, audience: impl Into<Audience>) -> Self {
        self.audiences.push(audience.into());
        self
    }

    /// Asks for a resource (RFC 8707).
    pub fn with_resource(mut self, resource: Url) -> Self {
        self.resources.push(resource);
        self
    }

    /// The scopes as one text; `None` when there are none.
    pub(super) fn scope_text(&self) -> Option<String> {
        let scopes: Vec<_> = self.scopes.iter().map(Scope::as_str).collect();
        (!scopes.is_empty()).then(|| scopes.join(" "))
    }

    pub(super) fn add_targets<'a>(&'a self, form: &mut Form<'a>) {
        form.extend(self.audiences.iter().map(|audience| ("audience", audience.as_str())));
        form.extend(self.resources.iter().map(|resource| ("resource", resource.as_str())));
    }
}

/// Whose tokens they are, or what is wrong with the ID token that should say so.
type Identity = Result<String, &'static str>;

impl OAuthClient {
    /// A public client of the server, one without a secret.
    pub fn new(http: ClientWithMiddleware, metadata: ProviderMetadata, client_id: impl Into<String>) -> Self {
        Self {
            http,
            metadata,
            client_id: client_id.into(),
            secret: None,
            clock: SharedClock::default(),
            time_limit: TIME_LIMIT,
        }
    }

    /// Gives the client's secret. It goes into the `Authorization` header, or, where the server's metadata says
    /// that it takes it nowhere else, into the form.
    pub fn with_secret(mut self, secret: impl Into<String>) -> Self {
        self.secret = Some(secret.into().into());
        self
    }

    /// Gives the clock by which lifetimes become times.
    pub fn with_clock(mut self, clock: impl Into<SharedClock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// Limits the time of one request, 30 s otherwise.
    pub fn with_time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// The server's endpoints.
    pub fn metadata(&self) -> &ProviderMetadata {
        &self.metadata
    }

    /// The client's name with the server.
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    pub(crate) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    /// Renews a token (RFC 6749 section 6). `wanted` can only ask for less than was granted; usually it is empty.
    ///
    /// Where the server rotates refresh tokens, the old one is void now: store the answer at once, and never let two
    /// use one. A [`StoredSource`](crate::StoredSource) does all that.
    pub async fn refresh(
        &self,
        refresh_token: &str,
        wanted: &GrantRequest,
    ) -> Result<TokenResponse, OAuthError> {
        let form = vec![("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
        let (tokens, identity_id) = self.read_tokens(&self.ask(form, wanted).await?)?;
        Ok(match identity_id {
            Some(Ok(identity_id)) => tokens.with_identity_id(identity_id),
            // Whose tokens they are is known from the login. An error here would lose a rotated refresh token.
            Some(Err(problem)) => {
                tracing::warn!(problem, "an ID token that came with renewed tokens is not for us");
                tokens
            }
            None => tokens,
        }
        .for_refresh())
    }

    /// Gets a token for the client itself (RFC 6749 section 4.4).
    pub async fn client_credentials(&self, wanted: &GrantRequest) -> Result<TokenResponse, OAuthError> {
        self.grant(vec![("grant_type", "client_credentials")], wanted).await
    }

    /// Makes a token void (RFC 7009). A server says yes to tokens that it does not know, too.
    ///
    /// # Errors
    /// Also when the server has no revocation endpoint.
    pub async fn revoke(&self, token: &str, kind: TokenKind) -> Result<(), OAuthError> {
        let endpoint = self
            .metadata
            .revocation_endpoint()
            .ok_or_else(|| self.failed(Kind::NoEndpoint("revocation_endpoint")))?;
        let hint = match kind {
            TokenKind::Access => "access_token",
            TokenKind::Refresh => "refresh_token",
        };
        self.post(endpoint, vec![("token", token), ("token_type_hint", hint)]).await.map(drop)
    }

    /// Sends a grant to the token endpoint, with what the token should be good for.
    pub(super) async fn grant<'a>(
        &'a self,
        form: Form<'a>,
        wanted: &'a GrantRequest,
    ) -> Result<TokenResponse, OAuthError> {
        let (tokens, identity_id) = self.read_tokens(&self.ask(form, wanted).await?)?;
        Ok(match identity_id.transpose().map_err(|problem| self.bad_answer(Kind::IdToken(problem)))? {
            Some(identity_id) => tokens.with_identity_id(identity_id),
            None => tokens,
        })
    }

    async fn ask<'a>(
        &'a self,
        mut form: Form<'a>,
        wanted: &'a GrantRequest,
    ) -> Result<Zeroizing<String>, OAuthError> {
        let scope = wanted.scope_text();
        if let Some(scope) = &scope {
            form.push(("scope", scope));
        }
        wanted.add_targets(&mut form);
        self.post(self.metadata.token_endpoint(), form).await
    }

    /// The tokens, and whose they are by the ID token that came along, or what is wrong with that.
    fn read_tokens(&self, answer: &str) -> Result<(TokenResponse, Option<Identity>), OAuthError> {
        let now = self.clock.now();
        let tokens = TokenResponse::from_json(answer, now).map_err(|error| self.bad_answer(error.into()))?;
        let identity_id = tokens
            .expose_id_token()
            .map(|token| id_token::subject(token, self.metadata.issuer(), &self.client_id, now));
        Ok((tokens, identity_id))
    }

    fn bad_answer(&self, kind: Kind) -> OAuthError {
        kind.at(SafeUrl::new(self.metadata.token_endpoint()))
    }

    /// Sends a form as this client.
    pub(super) async fn post<'a>(
        &'a self,
        endpoint: &Url,
        mut form: Form<'a>,
    ) -> Result<Zeroizing<String>, OAuthError> {
        let mut authorization = None;
        match &self.secret {
            Some(secret) if self.metadata.secret_in_body() == SecretInBody::No => {
                authorization = Some(basic(&self.client_id, secret.expose_secret()));
            }
            secret => {
                form.push(("client_id", &self.client_id));
                form.extend(secret.as_ref().map(|secret| ("client_secret", secret.expose_secret())));
            }
        }
        http::post(&self.http, endpoint, &form, authorization, self.time_limit).await
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
    let mut value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode_to_string(pair.as_bytes())))
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
    async fn a_public_client_names_itself_in_the_form() {
        let fake = Fake::new([Reply::json(200, ANSWER)]);
        let wanted = GrantRequest::new()
            .with_scope("a".parse().unwrap())
            .with_scope("b:/c".parse().unwrap())
            .with_audience("https://h")
            .with_resource("https://r".parse().unwrap());
        let tokens = client(&fake).refresh("rt 1", &wanted).await.unwrap();
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
    async fn a_secret_goes_into_the_header_and_stays_out_of_sight() {
        let fake = Fake::new([Reply::json(200, ANSWER)]);
        let client = client(&fake).with_secret("pass:wörd");
        client.client_credentials(&GrantRequest::new()).await.unwrap();
        let expected = STANDARD.encode_to_string("me:pass%3Aw%C3%B6rd");
        assert_eq!(
            fake.seen(),
            [format!("POST https://iss.example/token Basic {expected} grant_type=client_credentials")]
        );
        assert!(!format!("{client:?}").contains("pass"));
    }

    #[tokio::test]
    async fn a_server_that_wants_the_secret_in_the_form_gets_it_there() {
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
    async fn bad_answers_are_told_apart_and_none_is_shown() {
        let secret = r#"{"access_token": "hush", "token_type": "mac"}"#;
        let refused = r#"{"error": "invalid_grant", "error_description": "gone\u001b[2J"}"#;
        let big = format!("{{\"x\": \"{}\"}}", "x".repeat(1024 * 1024));
        for (reply, expected, transient) in [
            (Reply::json(400, refused), "refused: invalid_grant (gone [2J)", false),
            (Reply::json(400, r#"{"error": "temporarily_unavailable"}"#), "temporarily_unavailable", true),
            (Reply::json(500, "hush"), "answered 500 Internal Server Error without saying why", true),
            (Reply::html(503, "<html>hush"), "answered 503 Service Unavailable with a web page", true),
            (Reply::html(200, "<html>hush"), "a web page instead of JSON", false),
            (Reply::json(200, "hush"), "not a JSON object", false),
            (Reply::json(200, "{}"), "`access_token` is missing", false),
            (Reply::json(200, secret), "issued a `mac` token", false),
            (Reply::json(200, &big), "more than 1048576 bytes", false),
            (Reply::json(307, ""), "redirected", false),
            (Reply::NoConnection, "cannot be reached", true),
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
    async fn an_id_token_tells_whose_tokens_they_are_unless_it_is_a_stranger_s() {
        let id_token = |claims: &str| {
            let payload = base64_simd::URL_SAFE_NO_PAD.encode_to_string(claims);
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
        assert_eq!(tokens.identity_id(), None, "a renewal loses no refresh token over it");
        let error = client.client_credentials(&GrantRequest::new()).await.unwrap_err();
        assert!(error.to_string().contains("not for us"), "{error}");
    }

    #[tokio::test]
    async fn a_revocation_names_the_kind_of_token() {
        let fake = Fake::new([Reply::json(200, "")]);
        client(&fake).revoke("t", TokenKind::Refresh).await.unwrap();
        assert_eq!(
            fake.seen(),
            ["POST https://iss.example/revoke - token=t&token_type_hint=refresh_token&client_id=me"]
        );
        let metadata =
            ProviderMetadata::new("https://iss.example", "https://iss.example/token".parse().unwrap());
        let error =
            OAuthClient::new(fake.client(), metadata, "me").revoke("t", TokenKind::Access).await.unwrap_err();
        assert!(error.to_string().contains("no `revocation_endpoint`"), "{error}");
    }
}
