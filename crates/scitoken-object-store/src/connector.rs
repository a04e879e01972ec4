//! The connector that `object_store` asks for a client.

use std::sync::Arc;

use object_store::client::{HttpClient, HttpConnector};
use object_store::http::{HttpBuilder, HttpStore};
use object_store::{ClientOptions, Result, RetryConfig};
use reqwest_middleware::ClientWithMiddleware;
use reqwest_scitokens::Session;
use url::Url;

use crate::hidden::HiddenParts;
use crate::server_state::ServerState;
use crate::service::TokenService;

/// Sends the requests of an object store through a client with tokens.
///
/// The client decides about authorities, proxies, time limits and header names, so the store's `ClientOptions` have no
/// effect. A body in memory is sent again after a `401`.
///
/// ```no_run
/// use object_store::http::HttpBuilder;
/// use reqwest_scitokens::Session;
/// use scitoken_object_store::ScitokenConnector;
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let session = Session::new()?;
/// let store = HttpBuilder::new()
///     .with_url("https://data.example.org/vo")
///     .with_http_connector(ScitokenConnector::from(&session))
///     .build()?;
/// # let _ = store;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ScitokenConnector(TokenService);

impl ScitokenConnector {
    /// Returns a connector for this client, which must follow redirects itself as a [`Session`] does.
    pub fn new(client: impl Into<ClientWithMiddleware>) -> Self {
        Self(TokenService::new(client.into()))
    }
}

impl From<&Session> for ScitokenConnector {
    fn from(session: &Session) -> Self {
        Self::new(session)
    }
}

impl HttpConnector for ScitokenConnector {
    fn connect(&self, _: &ClientOptions) -> Result<HttpClient> {
        Ok(HttpClient::new(self.0.for_other_store()))
    }
}

/// Returns `object_store`'s HTTP store for a URL.
pub(crate) fn http_store(
    client: &ClientWithMiddleware,
    base: &Url,
    retry: RetryConfig,
    server: Arc<ServerState>,
) -> Result<HttpStore> {
    let mut base = base.clone();
    let hidden = HiddenParts::take(&mut base);
    let service = TokenService::new(client.clone());
    let service = service.with_hidden(hidden).with_server(server).for_objects();
    // It puts a `/` between the URL and a location.
    HttpBuilder::new()
        .with_url(base.as_str().trim_end_matches('/'))
        .with_retry(retry)
        .with_http_connector(ScitokenConnector(service))
        .build()
}
