//! What an OAuth server says about itself.

use std::time::Duration;

use reqwest_middleware::ClientWithMiddleware;
use serde::Deserialize;
use url::Url;

use super::error::{Kind, OAuthError};
use super::http;
use crate::redact::SafeUrl;

/// How long metadata is waited for.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// The endpoints of an OAuth server (RFC 8414 section 2).
///
/// ```
/// use reqwest_scitokens::oauth::ProviderMetadata;
///
/// let text = r#"{"issuer": "https://iss.example", "token_endpoint": "https://iss.example/token"}"#;
/// let metadata = ProviderMetadata::from_json("https://iss.example", text)?;
/// assert_eq!(metadata.token_endpoint().as_str(), "https://iss.example/token");
/// # Ok::<(), reqwest_scitokens::oauth::OAuthError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderMetadata {
    issuer: String,
    token_endpoint: Url,
    device_authorization_endpoint: Option<Url>,
    revocation_endpoint: Option<Url>,
    secret_in_body: SecretInBody,
}

/// Where a client's secret goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SecretInBody {
    /// Into the `Authorization` header, which every server must understand (RFC 6749 section 2.3.1).
    No,
    /// Into the form, because the server says that it takes it nowhere else.
    Only,
}

#[derive(Deserialize)]
struct Wire {
    issuer: Option<String>,
    token_endpoint: Option<String>,
    device_authorization_endpoint: Option<String>,
    revocation_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

impl ProviderMetadata {
    /// A server of which you know the endpoint yourself.
    pub fn new(issuer: impl Into<String>, token_endpoint: Url) -> Self {
        Self {
            issuer: issuer.into(),
            token_endpoint,
            device_authorization_endpoint: None,
            revocation_endpoint: None,
            secret_in_body: SecretInBody::No,
        }
    }

    /// States where device codes are given out.
    pub fn with_device_authorization_endpoint(mut self, endpoint: Url) -> Self {
        self.device_authorization_endpoint = Some(endpoint);
        self
    }

    /// States where tokens are made void.
    pub fn with_revocation_endpoint(mut self, endpoint: Url) -> Self {
        self.revocation_endpoint = Some(endpoint);
        self
    }

    /// Asks the issuer: at `…/.well-known/openid-configuration`, else where RFC 8414 section 3 puts it.
    ///
    /// # Errors
    /// When neither place has metadata of this very issuer; what the first place said is reported.
    pub async fn discover(http: &ClientWithMiddleware, issuer: &Url) -> Result<Self, OAuthError> {
        let [openid, rfc_8414] = places(issuer);
        let first = match Self::ask(http, issuer, &openid).await {
            Err(error) if !error.is_unreachable() && !error.is_timeout() => error,
            found => return found,
        };
        Self::ask(http, issuer, &rfc_8414).await.map_err(|_| first)
    }

    async fn ask(http: &ClientWithMiddleware, issuer: &Url, place: &Url) -> Result<Self, OAuthError> {
        Self::from_json(issuer.as_str(), &http::get(http, place, TIME_LIMIT).await?)
    }

    /// Reads a metadata document of `issuer`.
    ///
    /// # Errors
    /// When it is no JSON object, belongs to another issuer (a `/` at the end makes no difference), has no token
    /// endpoint, or an endpoint is no URL.
    pub fn from_json(issuer: &str, text: &str) -> Result<Self, OAuthError> {
        let failed = |kind: Kind| match Url::parse(issuer) {
            Ok(url) => kind.at(SafeUrl::new(&url)),
            Err(_) => kind.at("issuer"),
        };
        let wire: Wire = serde_json::from_str(text)
            .map_err(|_| failed(Kind::Metadata("it is not a JSON object of the right form")))?;
        let found = wire.issuer.ok_or_else(|| failed(Kind::Metadata("it names no issuer")))?;
        if found.trim_end_matches('/') != issuer.trim_end_matches('/') {
            return Err(failed(Kind::WrongIssuer { found: crate::redact::text(&found) }));
        }
        let endpoint = |text: Option<String>| {
            text.map(|text| Url::parse(&text))
                .transpose()
                .map_err(|_| failed(Kind::Metadata("an endpoint is not a URL")))
        };
        let methods = wire.token_endpoint_auth_methods_supported.unwrap_or_default();
        let takes = |method: &str| methods.iter().any(|supported| supported == method);
        Ok(Self {
            issuer: found,
            token_endpoint: endpoint(wire.token_endpoint)?
                .ok_or_else(|| failed(Kind::NoEndpoint("token_endpoint")))?,
            device_authorization_endpoint: endpoint(wire.device_authorization_endpoint)?,
            revocation_endpoint: endpoint(wire.revocation_endpoint)?,
            secret_in_body: if takes("client_secret_post") && !takes("client_secret_basic") {
                SecretInBody::Only
            } else {
                SecretInBody::No
            },
        })
    }

    /// The issuer as it names itself.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Where tokens are given out.
    pub fn token_endpoint(&self) -> &Url {
        &self.token_endpoint
    }

    /// Where device codes are given out, if anywhere.
    pub fn device_authorization_endpoint(&self) -> Option<&Url> {
        self.device_authorization_endpoint.as_ref()
    }

    /// Where tokens are made void, if anywhere.
    pub fn revocation_endpoint(&self) -> Option<&Url> {
        self.revocation_endpoint.as_ref()
    }

    pub(super) fn secret_in_body(&self) -> SecretInBody {
        self.secret_in_body
    }
}

/// OpenID appends its path to the issuer's; RFC 8414 puts its own between host and path.
fn places(issuer: &Url) -> [Url; 2] {
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
    use super::super::fake::{Fake, Reply};
    use super::*;

    const GOOD: &str = r#"{"issuer": "https://iss.example/vo", "token_endpoint": "https://iss.example/t",
        "device_authorization_endpoint": "https://iss.example/d", "x": 1}"#;

    async fn discover(fake: &Fake) -> Result<ProviderMetadata, OAuthError> {
        ProviderMetadata::discover(&fake.client(), &"https://iss.example/vo/".parse().unwrap()).await
    }

    #[tokio::test]
    async fn the_second_place_is_asked_when_the_first_has_nothing() {
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
    async fn a_login_page_and_a_foreign_issuer_are_no_metadata() {
        let fake = Fake::new([Reply::html(200, "<html>log in"), Reply::html(200, "<html>log in")]);
        let error = discover(&fake).await.unwrap_err();
        assert!(error.to_string().contains("a web page"), "{error}");
        assert!(error.hint().unwrap().contains("login page"));

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
    async fn nothing_is_asked_in_the_clear() {
        let fake = Fake::new([]);
        let issuer = "http://iss.example".parse().unwrap();
        let error = ProviderMetadata::discover(&fake.client(), &issuer).await.unwrap_err();
        assert!(error.to_string().contains("https"), "{error}");
        assert!(fake.seen().is_empty());
    }

    #[test]
    fn broken_documents_say_what_is_wrong() {
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
