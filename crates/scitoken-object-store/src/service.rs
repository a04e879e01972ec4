//! The service beneath a store: each request passes the middlewares.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use http::header::{ACCEPT_ENCODING, CONTENT_TYPE, ETAG, LAST_MODIFIED};
use http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode};
use http_body_util::BodyExt as _;
use object_store::client::{
    HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use reqwest_middleware::ClientWithMiddleware;
use reqwest_scitokens::auth::AuthTrace;
use scitoken_transfer::{Checksum, Digest, is_digest_refusal, is_passing_refusal};
use scitoken_types::{Origin, SafeUrl};
use tracing::{Instrument as _, debug_span, field};
use url::Url;

use crate::answer::{Expected, ObjectBody};
use crate::error::{http_error, unexpected};
use crate::hidden::HiddenParts;
use crate::refusal::RefusalText;
use crate::request_url::RequestUrls;
use crate::server_state::ServerState;

/// Sends requests through a client with middlewares.
#[derive(Clone, Debug)]
pub(crate) struct TokenService {
    client: ClientWithMiddleware,
    urls: Arc<RequestUrls>,
    hidden: Arc<HiddenParts>,
    server: Arc<ServerState>,
    /// Whether it is that of a [`ScitokenStore`](crate::ScitokenStore), whose objects have no content coding, and a length.
    has_objects: bool,
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
        Self {
            client,
            urls: Arc::default(),
            hidden: Arc::default(),
            server: Arc::default(),
            has_objects: false,
        }
    }

    /// Returns a service of the same client for another store.
    pub(crate) fn for_other_store(&self) -> Self {
        Self { urls: Arc::default(), ..self.clone() }
    }

    /// Returns a service that knows and remembers this of its server.
    pub(crate) fn with_server(self, server: Arc<ServerState>) -> Self {
        Self { server, ..self }
    }

    /// Returns a service that checks what it reads as a [`ScitokenStore`](crate::ScitokenStore) needs it.
    pub(crate) fn for_objects(self) -> Self {
        Self { has_objects: true, ..self }
    }

    /// Returns a service that adds these parts to URLs.
    pub(crate) fn with_hidden(self, hidden: HiddenParts) -> Self {
        Self { hidden: Arc::new(hidden), ..self }
    }

    async fn send(&self, request: HttpRequest, asked: Url) -> Result<HttpResponse, HttpError> {
        // Rare and large: kept out of the future of every request.
        if self.server.pauses.is_paused(&asked) {
            Box::pin(self.server.pauses.wait(&asked)).await;
        }
        let (mut parts, body) = request.into_parts();
        let ask = parts.extensions.remove::<AskDigest>();
        let mut ask = ask.filter(|_| !self.server.without_digests.load(Ordering::Relaxed));
        let kind = RequestKind::of(parts.method.clone(), &asked);
        if kind.is_read() {
            // The length and the ranges are those of the object.
            parts.headers.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static("identity"));
        }
        let expected = Expected::by(&mut parts, self.has_objects);
        let again = ask.as_ref().filter(|_| kind.is_get()).map(|AskDigest(checksum)| {
            let again = (parts.headers.clone(), parts.extensions.clone());
            checksum.ask(&mut parts.headers);
            again
        });
        let mut request =
            self.client.request(parts.method, self.hidden.added_to(&asked)).headers(parts.headers);
        // The client may have options of its own in them, such as that a server gets no token.
        request.extensions().extend(parts.extensions);
        if !body.is_empty() || body.content_length() > 0 {
            // In one piece, so that it can be sent again after a 401 or a redirect. One chunk is not copied.
            request = request.body(Box::pin(body.collect()).await?.to_bytes());
        }
        let mut response = request.send().await.map_err(http_error)?;
        if is_refusal(response.status()) {
            match Box::pin(self.refusal(response, &asked, &kind, again)).await? {
                AfterRefusal::Mended(answer) => (response, ask) = (answer, None),
                AfterRefusal::Final(answer) => return Ok(answer),
            }
        }
        if kind.became_directory(&response) {
            return Ok(answer_without_body(StatusCode::NOT_FOUND));
        }
        let status = response.status();
        let (mut parts, body) = http::Response::<reqwest::Body>::from(response).into_parts();
        if let Some(AskDigest(checksum)) = ask
            && let Some(digest) = checksum.offered(&parts.headers)
        {
            parts.extensions.insert(OfferedDigest(digest));
        }
        if kind.is_read() && status == StatusCode::OK && may_be_page(&parts.headers) {
            parts.extensions.insert(MaybeListing);
        }
        let body = if kind.is_get() && status.is_success() {
            expected.check(&asked, &mut parts, body)?
        } else {
            ObjectBody::new(body, None)
        };
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body)))
    }

    /// Reads a refusal; one of the question for a digest is followed by the request without it.
    async fn refusal(
        &self,
        mut response: reqwest::Response,
        asked: &Url,
        kind: &RequestKind,
        without_question: Option<(HeaderMap, Extensions)>,
    ) -> Result<AfterRefusal, HttpError> {
        if kind.is_directory_made(response.status()) {
            return Ok(AfterRefusal::Final(answer_without_body(StatusCode::CREATED)));
        }
        let mut text = RefusalText::read(&mut response).await;
        if let Some((headers, extensions)) = without_question {
            let is_about_digest = is_digest_refusal(response.status(), &text.sent());
            // XRootD without a configured checksum answers 405 to this question, and 500 where there is no object.
            if is_about_digest || response.status() == StatusCode::METHOD_NOT_ALLOWED {
                // A server that was redirected to may be one of several.
                let is_of_asked = Origin::try_from(asked).is_ok_and(|origin| origin.is_of(response.url()));
                let mut request = self.client.get(self.hidden.added_to(asked)).headers(headers);
                request.extensions().extend(extensions);
                response = request.send().await.map_err(http_error)?;
                if is_about_digest && is_of_asked && response.status().is_success() {
                    tracing::debug!(url = %SafeUrl::new(asked), "the server is not asked for digests any more");
                    self.server.without_digests.store(true, Ordering::Relaxed);
                }
                if !is_refusal(response.status()) {
                    return Ok(AfterRefusal::Mended(response));
                }
                text = RefusalText::read(&mut response).await;
            }
        }
        if kind.became_directory(&response) {
            return Ok(AfterRefusal::Final(answer_without_body(StatusCode::NOT_FOUND)));
        }
        let recorded =
            self.server.pauses.record(asked, response.url(), response.status(), response.headers());
        recorded.map_err(|wait| HttpError::new(HttpErrorKind::Unknown, wait))?;
        Ok(AfterRefusal::Final(refused(response, &text, kind.is_read())))
    }
}

/// What matters of a request for its answer.
#[derive(Debug)]
struct RequestKind {
    method: Method,
    names_directory: bool,
}

impl RequestKind {
    fn of(method: Method, url: &Url) -> Self {
        Self { method, names_directory: url.path().ends_with('/') }
    }

    fn is_get(&self) -> bool {
        self.method == Method::GET
    }

    fn is_read(&self) -> bool {
        self.is_get() || self.method == Method::HEAD
    }

    /// Whether a server redirected to the name with a `/`, which says that it is a directory (RFC 4918 section 5.2).
    fn became_directory(&self, response: &reqwest::Response) -> bool {
        self.is_read() && !self.names_directory && response.url().path().ends_with('/')
    }

    /// Whether a directory that was to be made exists already (RFC 4918 section 9.3.1), since another writer of the same
    /// directory came first. `object_store` takes it for a failure. A server without WebDAV answers the same, and refuses the
    /// `PUT` again.
    fn is_directory_made(&self, status: StatusCode) -> bool {
        self.method.as_str() == "MKCOL" && status == StatusCode::METHOD_NOT_ALLOWED
    }
}

/// What follows a refusal.
enum AfterRefusal {
    /// It was about the question for a digest, and this is the answer to the request without it.
    Mended(reqwest::Response),
    /// It is the answer.
    Final(HttpResponse),
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
        let url = self.urls.read(request.uri());
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

fn answer_without_body(status: StatusCode) -> HttpResponse {
    let mut response = HttpResponse::new(Vec::new().into());
    *response.status_mut() = status;
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
