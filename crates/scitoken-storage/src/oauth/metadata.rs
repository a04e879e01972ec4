//! The metadata of an OAuth server.

use std::time::Duration;

use reqwest_middleware::ClientWithMiddleware;
use url::Url;

use super::error::{Kind, OAuthError};
use super::http;
use scitoken_types::{LenientObject, SafeUrl};

/// Limits the time of a metadata request.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// The endpoints of an OAuth server (RFC 8414 section 2).
///
/// ```
/// use scitoken_storage::oauth::ProviderMetadata;
///
/// let text = r#"{"issuer": "https://iss.example", "token_endpoint": "https://iss.example/token"}"#;
/// let metadata = ProviderMetadata::from_json("https://iss.example", text)?;
/// assert_eq!(metadata.token_endpoint().as_str(), "https://iss.example/token");
/// # Ok::<(), scitoken_storage::oauth::OAuthError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderMetadata {
    issuer: String,
    token_endpoint: Url,
    device_authorization_endpoint: Option<Url>,
    revocation_endpoint: Option<Url>,
    registration_endpoint: Option<Url>,
    scopes_supported: Option<String>,
    auth_method: ClientAuthMethod,
}

/// How the client authenticates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClientAuthMethod {
    /// With the `Authorization` header, which every server must support (RFC 6749 section 2.3.1).
    Basic,
    /// In the form, because the server supports only that.
    Post,
}

impl ProviderMetadata {
    /// Describes a server by its token endpoint, without asking it.
    pub fn new(issuer: impl Into<String>, token_endpoint: Url) -> Self {
        Self {
            issuer: issuer.into(),
            token_endpoint,
            device_authorization_endpoint: None,
            revocation_endpoint: None,
            registration_endpoint: None,
            scopes_supported: None,
            auth_method: ClientAuthMethod::Basic,
        }
    }

    /// Sets the device authorization endpoint (RFC 8628 section 3.1).
    pub fn with_device_authorization_endpoint(mut self, endpoint: Url) -> Self {
        self.device_authorization_endpoint = Some(endpoint);
        self
    }

    /// Sets the revocation endpoint (RFC 7009).
    pub fn with_revocation_endpoint(mut self, endpoint: Url) -> Self {
        self.revocation_endpoint = Some(endpoint);
        self
    }

    /// Sets the client registration endpoint (RFC 7591 section 3).
    pub fn with_registration_endpoint(mut self, endpoint: Url) -> Self {
        self.registration_endpoint = Some(endpoint);
        self
    }

    /// Asks the issuer for its metadata: at `…/.well-known/openid-configuration`, then where RFC 8414 section 3 puts it.
    ///
    /// # Errors
    /// When neither address has metadata of this issuer; the error is that of the first address.
    pub async fn discover(http: &ClientWithMiddleware, issuer: &Url) -> Result<Self, OAuthError> {
        let [openid, rfc_8414] = metadata_urls(issuer);
        let first = match Self::ask(http, issuer, &openid).await {
            Err(error) if !error.is_unreachable() && !error.is_timeout() => error,
            found => return found,
        };
        Self::ask(http, issuer, &rfc_8414).await.map_err(|_| first)
    }

    async fn ask(http: &ClientWithMiddleware, issuer: &Url, place: &Url) -> Result<Self, OAuthError> {
        let failed = |kind: Kind| kind.at(SafeUrl::new(place));
        let document = http::get(http, place, TIME_LIMIT).await?.into_object().map_err(failed)?;
        Self::from_object(issuer.as_str(), &document)
    }

    /// Reads a metadata document of `issuer`.
    ///
    /// # Errors
    /// When the text is not a JSON object, belongs to another issuer (a final `/` makes no difference), or has no valid
    /// token endpoint. Another endpoint that is not valid is ignored.
    pub fn from_json(issuer: &str, text: &str) -> Result<Self, OAuthError> {
        let object = LenientObject::parse(text.as_bytes())
            .ok_or_else(|| at_issuer(issuer, Kind::Metadata("it is not a JSON object")))?;
        Self::from_object(issuer, &object)
    }

    fn from_object(issuer: &str, object: &LenientObject) -> Result<Self, OAuthError> {
        let failed = |kind: Kind| at_issuer(issuer, kind);
        let text = |name| object.text(name).ok().flatten();
        let found = text("issuer").ok_or_else(|| failed(Kind::Metadata("it names no issuer")))?;
        if !scitoken_types::same_issuer(&found, issuer) {
            return Err(failed(Kind::WrongIssuer { found: SafeUrl::unparsed(&found) }));
        }
        let endpoint = |name| {
            let url = text(name).and_then(|text| Url::parse(&text).ok());
            // An issuer behind TLS does not send its clients' secrets to a plain http server.
            let mut url = url.filter(|url| url.scheme() == "https" || !issuer.starts_with("https:"))?;
            // Nothing sends a fragment, and the answer would seem to come from another URL.
            url.set_fragment(None);
            Some(url)
        };
        let token_endpoint = match endpoint("token_endpoint") {
            Some(url) => url,
            None if object.has("token_endpoint") => {
                return Err(failed(Kind::Metadata("its `token_endpoint` is not a URL of a secure server")));
            }
            None => return Err(failed(Kind::NoEndpoint("token_endpoint"))),
        };
        let optional = |name| {
            let url = endpoint(name);
            if url.is_none() && object.has(name) {
                tracing::warn!(endpoint = name, "ignored an invalid endpoint in the metadata of an issuer");
            }
            url
        };
        let methods =
            object.words("token_endpoint_auth_methods_supported").ok().flatten().unwrap_or_default();
        let supports = |method: &str| methods.split_whitespace().any(|supported| supported == method);
        Ok(Self {
            token_endpoint,
            device_authorization_endpoint: optional("device_authorization_endpoint"),
            revocation_endpoint: optional("revocation_endpoint"),
            registration_endpoint: optional("registration_endpoint"),
            scopes_supported: object.words("scopes_supported").ok().flatten(),
            auth_method: if supports("client_secret_post") && !supports("client_secret_basic") {
                ClientAuthMethod::Post
            } else {
                ClientAuthMethod::Basic
            },
            issuer: found,
        })
    }

    /// Returns the issuer as its metadata names it.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Returns the token endpoint.
    pub fn token_endpoint(&self) -> &Url {
        &self.token_endpoint
    }

    /// Returns the device authorization endpoint, if the server has one.
    pub fn device_authorization_endpoint(&self) -> Option<&Url> {
        self.device_authorization_endpoint.as_ref()
    }

    /// Returns the revocation endpoint, if the server has one.
    pub fn revocation_endpoint(&self) -> Option<&Url> {
        self.revocation_endpoint.as_ref()
    }

    /// Returns the client registration endpoint, if the server has one.
    pub fn registration_endpoint(&self) -> Option<&Url> {
        self.registration_endpoint.as_ref()
    }

    /// Returns whether the server lists a scope among those that it supports, by its name without a path; `None` if it lists
    /// none. A server may support more than it lists (RFC 8414 section 2).
    pub fn supports_scope(&self, name: &str) -> Option<bool> {
        let listed = self.scopes_supported.as_ref()?;
        Some(listed.split_whitespace().any(|scope| scope.split(':').next() == Some(name)))
    }

    pub(super) fn with_auth_method(mut self, method: ClientAuthMethod) -> Self {
        self.auth_method = method;
        self
    }

    pub(super) fn auth_method(&self) -> ClientAuthMethod {
        self.auth_method
    }
}

fn at_issuer(issuer: &str, kind: Kind) -> OAuthError {
    match Url::parse(issuer) {
        Ok(url) => kind.at(SafeUrl::new(&url)),
        Err(_) => kind.at("issuer"),
    }
}

/// OpenID Connect appends its path to the issuer's; RFC 8414 puts its path between host and path.
fn metadata_urls(issuer: &Url) -> [Url; 2] {
    let path = issuer.path().trim_end_matches('/').to_owned();
    let place = |path: &str| {
        let mut place = issuer.clone();
        place.set_path(path);
        place.set_query(None);
        place.set_fragment(None);
        place
    };
    [
        place(&format!("{path}/.well-known/openid-configuration")),
        place(&format!("/.well-known/oauth-authorization-server{path}")),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::OAuthHint;
    use super::super::fake::{Fake, Reply};
    use super::*;

    const GOOD: &str = r#"{"issuer": "https://iss.example/vo", "token_endpoint": "https://iss.example/t",
        "device_authorization_endpoint": "https://iss.example/d", "x": 1}"#;

    #[test]
    fn scopes_are_supported_if_they_are_listed_with_or_without_a_path() {
        let supports = |listed: &str, scope: &str| {
            let text = GOOD.replace("\"x\": 1", &format!("\"scopes_supported\": {listed}"));
            ProviderMetadata::from_json("https://iss.example/vo", &text).unwrap().supports_scope(scope)
        };
        assert_eq!(supports(r#"["storage.read:/", "wlcg"]"#, "storage.read"), Some(true));
        assert_eq!(supports(r#""openid wlcg""#, "wlcg"), Some(true));
        assert_eq!(supports(r#"["openid"]"#, "offline_access"), Some(false));
        for unreadable in ["[]", "null", "[5]", "{}"] {
            assert_eq!(supports(unreadable, "wlcg"), None, "{unreadable}");
        }
    }

    async fn discover(fake: &Fake) -> Result<ProviderMetadata, OAuthError> {
        ProviderMetadata::discover(&fake.client(), &"https://iss.example/vo/".parse().unwrap()).await
    }

    #[tokio::test]
    async fn the_second_address_is_asked_when_the_first_has_nothing() {
        let fake = Fake::new([Reply::json(404, r#"{"detail": "Not Found"}"#), Reply::json(200, GOOD)]);
        let metadata = discover(&fake).await.unwrap();
        assert_eq!(metadata.issuer(), "https://iss.example/vo");
        assert_eq!(metadata.device_authorization_endpoint().unwrap().path(), "/d");
        assert_eq!(
            fake.seen(),
            [
                "GET https://iss.example/vo/.well-known/openid-configuration",
                "GET https://iss.example/.well-known/oauth-authorization-server/vo"
            ]
        );
    }

    #[tokio::test]
    async fn a_login_page_and_metadata_of_another_issuer_are_refused() {
        let fake = Fake::new([Reply::html(200, "<html>log in"), Reply::html(200, "<html>log in")]);
        let error = discover(&fake).await.unwrap_err();
        assert!(error.to_string().contains("a web page"), "{error}");
        assert_eq!(error.hint(), Some(OAuthHint::CheckAddress));

        let foreign = GOOD.replace("iss.example/vo", "evil.example");
        let fake = Fake::new([Reply::json(200, &foreign), Reply::json(404, "")]);
        assert!(discover(&fake).await.unwrap_err().to_string().contains("`https://evil.example`"));
    }

    #[tokio::test]
    async fn a_server_that_cannot_be_reached_is_asked_once() {
        let fake = Fake::new([Reply::NoConnection]);
        assert!(discover(&fake).await.unwrap_err().is_unreachable());
        assert_eq!(fake.seen().len(), 1);
    }

    #[tokio::test]
    async fn metadata_is_not_requested_over_plain_http() {
        let fake = Fake::new([]);
        let issuer = "http://iss.example".parse().unwrap();
        let error = ProviderMetadata::discover(&fake.client(), &issuer).await.unwrap_err();
        assert!(error.to_string().contains("plain http"), "{error}");
        assert!(fake.seen().is_empty());
    }

    #[test]
    fn errors_about_broken_documents_name_the_fault() {
        for (text, expected) in [
            ("[]", "not a JSON object"),
            ("{}", "names no issuer"),
            (r#"{"issuer": "https://i"}"#, "no `token_endpoint`"),
            (r#"{"issuer": "https://i/", "token_endpoint": "token"}"#, "not a URL"),
        ] {
            let error = ProviderMetadata::from_json("https://i", text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
