//! The service beneath a store: each request passes the middlewares.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use http::header::{ACCEPT_ENCODING, CONTENT_TYPE, ETAG, LAST_MODIFIED};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body_util::BodyExt as _;
use object_store::client::{
    HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use reqwest_middleware::ClientWithMiddleware;
use reqwest_scitokens::auth::AuthTrace;
use scitoken_transfer::{Checksum, Digest, foreign_coding, is_digest_refusal, is_passing_refusal};
use scitoken_types::SafeUrl;
use tracing::{Instrument as _, debug_span, field};
use url::Url;

use crate::answer::{self, ObjectBody};
use crate::error::{http_error, unexpected};
use crate::hidden::HiddenParts;

use crate::refusal::RefusalText;
use crate::server_state::ServerState;

/// Sends requests through a client with middlewares.
#[derive(Clone, Debug)]
pub(crate) struct TokenService {
    client: ClientWithMiddleware,
    hidden: Arc<HiddenParts>,
    server: Arc<ServerState>,
    /// Whether stored bytes may have a content coding.
    takes_codings: bool,
}

/// In the extensions of a request: ask for the digest of the whole object.
#[derive(Clone, Debug)]
pub(crate) struct AskDigest(pub(crate) Arc<Checksum>);

/// In the extensions of a response: the digest that the server offers.
#[derive(Clone, Debug)]
pub(crate) struct OfferedDigest(pub(crate) Digest);

/// In the extensions of a response: it may be the listing of a directory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MaybeListing;

impl TokenService {
    pub(crate) fn new(client: ClientWithMiddleware) -> Self {
        Self { client, hidden: Arc::default(), server: Arc::default(), takes_codings: true }
    }

    /// Returns a service that knows and remembers this of its server.
    pub(crate) fn with_server(self, server: Arc<ServerState>) -> Self {
        Self { server, ..self }
    }

    /// Returns a service that refuses objects with a content coding.
    pub(crate) fn without_codings(self) -> Self {
        Self { takes_codings: false, ..self }
    }

    /// Returns a service that adds these parts to URLs.
    pub(crate) fn with_hidden(self, hidden: HiddenParts) -> Self {
        Self { hidden: Arc::new(hidden), ..self }
    }

    async fn send(&self, request: HttpRequest, mut url: Url) -> Result<HttpResponse, HttpError> {
        self.server.pauses.wait(&url).await;
        let (mut parts, body) = request.into_parts();
        let ask = parts.extensions.remove::<AskDigest>();
        let mut ask = ask.filter(|_| !self.server.without_digests.load(Ordering::Relaxed));
        let is_get = parts.method == Method::GET;
        let is_read = is_get || parts.method == Method::HEAD;
        if is_read {
            // The length and the ranges are those of the object.
            parts.headers.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static("identity"));
        }
        let range = answer::asked_range(&parts.headers);
        let names_directory = url.path().ends_with('/');
        let asked = url.clone();
        self.hidden.put_back(&mut url);
        let again = ask.as_ref().map(|AskDigest(checksum)| {
            let again = (parts.headers.clone(), parts.extensions.clone());
            checksum.ask(&mut parts.headers);
            again
        });
        let asked_method = parts.method.clone();
        let mut request = self.client.request(parts.method, url.clone()).headers(parts.headers);
        // The client may have options of its own in them, such as that a server gets no token.
        request.extensions().extend(parts.extensions);
        if !body.is_empty() || body.content_length() > 0 {
            // In one piece, so that it can be sent again after a 401 or a redirect. One chunk is not copied.
            request = request.body(body.collect().await?.to_bytes());
        }
        let mut response = request.send().await.map_err(http_error)?;
        if is_directory_made(&asked_method, response.status()) {
            let mut made = HttpResponse::new(Vec::new().into());
            *made.status_mut() = StatusCode::CREATED;
            return Ok(made);
        }
        let mut said = None;
        if let Some((headers, extensions)) = again
            && is_get
            && is_refusal(response.status())
        {
            let text = RefusalText::read(&mut response).await;
            let is_about_digest = is_digest_refusal(response.status(), &text.sent());
            // XRootD without a configured checksum answers 405 to this question, and 500 where there is no object.
            if is_about_digest || response.status() == StatusCode::METHOD_NOT_ALLOWED {
                let mut request = self.client.get(url).headers(headers);
                request.extensions().extend(extensions);
                response = request.send().await.map_err(http_error)?;
                ask = None;
                if is_about_digest && response.status().is_success() {
                    self.server.without_digests.store(true, Ordering::Relaxed);
                }
            } else {
                said = Some(text);
            }
        }
        // A server that redirects to the name with a `/` says that it is a directory (RFC 4918 section 5.2).
        if is_read && !names_directory && response.url().path().ends_with('/') {
            return Ok(not_an_object());
        }
        let status = response.status();
        if is_refusal(status) {
            self.server.pauses.record(&asked, response.url(), status, response.headers())?;
            let said = match said {
                Some(said) => said,
                None => RefusalText::read(&mut response).await,
            };
            return Ok(refused(response, &said, is_read));
        }
        let (mut parts, body) = http::Response::<reqwest::Body>::from(response).into_parts();
        if let Some(AskDigest(checksum)) = ask
            && let Some(digest) = checksum.offered(&parts.headers)
        {
            parts.extensions.insert(OfferedDigest(digest));
        }
        if is_read && status == StatusCode::OK && may_be_page(&parts.headers) {
            parts.extensions.insert(MaybeListing);
        }
        let body = if is_get && status.is_success() {
            let coding = if self.takes_codings { None } else { foreign_coding(&asked, &parts.headers) };
            answer::checked(coding, range.as_ref(), &mut parts, body)?
        } else {
            ObjectBody::new(body, None)
        };
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body)))
    }
}

/// Whether a directory that was to be made exists already (RFC 4918 section 9.3.1), since another writer of the same directory
/// came first. `object_store` takes it for a failure. A server without WebDAV answers the same, and refuses the `PUT` again.
fn is_directory_made(method: &Method, status: StatusCode) -> bool {
    method.as_str() == "MKCOL" && status == StatusCode::METHOD_NOT_ALLOWED
}

fn is_refusal(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

/// Returns a refusal whose text can be shown.
fn refused(response: reqwest::Response, said: &RefusalText, is_read: bool) -> HttpResponse {
    let (mut parts, _) = http::Response::<reqwest::Body>::from(response).into_parts();
    if is_read && is_passing_refusal(parts.status, &said.sent()) {
        // The object may exist: what is not there has a meaning for readers of Zarr.
        parts.status = StatusCode::SERVICE_UNAVAILABLE;
    }
    let text = said.shown(parts.extensions.get::<AuthTrace>());
    HttpResponse::from_parts(parts, text.into())
}

#[async_trait]
impl HttpService for TokenService {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let url = request.uri().to_string().parse::<Url>();
        let url = url.map_err(|error| HttpError::new(HttpErrorKind::Unknown, error))?;
        let span = debug_span!(
            "object_store_request",
            method = %request.method(),
            url = %SafeUrl::new(&url),
            status = field::Empty,
        );
        let response = self.send(request, url).instrument(span.clone()).await;
        if let Ok(response) = &response {
            span.record("status", response.status().as_u16());
        }
        response
    }
}

fn not_an_object() -> HttpResponse {
    let mut response = HttpResponse::new(Vec::new().into());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// Whether an answer may be a page that lists a directory: it says so, or it has no header about the object, as in XRootD 5.5.
fn may_be_page(headers: &HeaderMap) -> bool {
    match headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes) {
        Some(kind) => kind.starts_with(b"text/html"),
        None => !headers.contains_key(ETAG) && !headers.contains_key(LAST_MODIFIED),
    }
}

/// Sends a request that a store makes itself and returns its response, whatever the status.
pub(crate) async fn send(
    request: reqwest_middleware::RequestBuilder,
) -> object_store::Result<reqwest::Response> {
    request.send().await.map_err(|error| unexpected(http_error(error)))
}
