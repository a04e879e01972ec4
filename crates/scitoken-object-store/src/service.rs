//! The service beneath a store: each request passes the middlewares.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, ETAG, LAST_MODIFIED};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body_util::BodyExt as _;
use object_store::client::{
    HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};
use reqwest_middleware::ClientWithMiddleware;
use scitoken_transfer::{Checksum, Digest, is_passing_refusal};
use scitoken_types::SafeUrl;
use tracing::{Instrument as _, debug_span, field};
use url::Url;

use crate::error::{http_error, unexpected};

/// How much of the text of a refusal is read, in bytes.
const LONGEST_REFUSAL: usize = 64 * 1024;

/// Sends requests through a client with middlewares.
#[derive(Clone, Debug)]
pub(crate) struct TokenService(ClientWithMiddleware);

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
        Self(client)
    }

    async fn send(&self, request: HttpRequest, url: Url) -> Result<HttpResponse, HttpError> {
        let (mut parts, body) = request.into_parts();
        let ask = parts.extensions.remove::<AskDigest>();
        if let Some(AskDigest(checksum)) = &ask {
            checksum.ask(&mut parts.headers);
        }
        let is_read = matches!(parts.method, Method::GET | Method::HEAD);
        let names_directory = url.path().ends_with('/');
        let mut request = self.0.request(parts.method, url).headers(parts.headers);
        // The client may have options of its own in them, such as that a server gets no token.
        request.extensions().extend(parts.extensions);
        if !body.is_empty() || body.content_length() > 0 {
            // In one piece, so that it can be sent again after a 401 or a redirect. One chunk is not copied.
            request = request.body(body.collect().await?.to_bytes());
        }
        let response = request.send().await.map_err(http_error)?;
        // A server that redirects to the name with a `/` says that it is a directory (RFC 4918 section 5.2).
        if is_read && !names_directory && response.url().path().ends_with('/') {
            return Ok(not_an_object());
        }
        let (mut parts, body) = http::Response::<reqwest::Body>::from(response).into_parts();
        if let Some(AskDigest(checksum)) = ask
            && let Some(digest) = checksum.offered(&parts.headers)
        {
            parts.extensions.insert(OfferedDigest(digest));
        }
        if is_read && parts.status == StatusCode::OK && may_be_page(&parts.headers) {
            parts.extensions.insert(MaybeListing);
        }
        if is_read && parts.status == StatusCode::NOT_FOUND {
            let text = refusal_text(body).await?;
            if is_passing_refusal(parts.status, &String::from_utf8_lossy(&text)) {
                // The object may exist: what is not there has a meaning for readers of Zarr.
                parts.status = StatusCode::SERVICE_UNAVAILABLE;
            }
            return Ok(HttpResponse::from_parts(parts, text.into()));
        }
        let body = HttpResponseBody::new(body.map_err(|error| http_error(error.into())));
        Ok(HttpResponse::from_parts(parts, body))
    }
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

/// Reads the text of a refusal, which is short.
async fn refusal_text(body: reqwest::Body) -> Result<Bytes, HttpError> {
    let mut body = body;
    let mut text = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| http_error(error.into()))?;
        if let Ok(data) = frame.into_data() {
            text.extend_from_slice(&data);
        }
        if text.len() > LONGEST_REFUSAL {
            break;
        }
    }
    Ok(text.freeze())
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
