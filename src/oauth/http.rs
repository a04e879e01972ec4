//! One request to an OAuth server: bounded in time and size, and never to anybody in the clear.

use std::time::Duration;

use ::http::Extensions;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request, Response, StatusCode};
use reqwest_middleware::ClientWithMiddleware;
use secrecy::zeroize::Zeroizing;
use serde::Deserialize;
use url::Url;

use super::error::{Kind, OAuthError};
use crate::auth::{Attach, AuthOptions};
use crate::origin::Origin;
use crate::redact::{self, SafeUrl};

/// No answer of a token endpoint and no metadata document is larger, in bytes.
const LARGEST: usize = 1024 * 1024;

/// What is sent in a form, names and values.
pub(super) type Form<'a> = Vec<(&'static str, &'a str)>;

/// Asks for a document.
pub(super) async fn get(
    http: &ClientWithMiddleware,
    url: &Url,
    limit: Duration,
) -> Result<Zeroizing<String>, OAuthError> {
    exchange(http, Request::new(Method::GET, url.clone()), limit).await
}

/// Sends a form (RFC 6749 appendix B).
pub(super) async fn post(
    http: &ClientWithMiddleware,
    url: &Url,
    form: &Form<'_>,
    authorization: Option<HeaderValue>,
    limit: Duration,
) -> Result<Zeroizing<String>, OAuthError> {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let mut request = Request::new(Method::POST, url.clone());
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    if let Some(authorization) = authorization {
        headers.insert(AUTHORIZATION, authorization);
    }
    *request.body_mut() = Some(body.into());
    exchange(http, request, limit).await
}

async fn exchange(
    http: &ClientWithMiddleware,
    mut request: Request,
    limit: Duration,
) -> Result<Zeroizing<String>, OAuthError> {
    let url = request.url().clone();
    let failed = |kind: Kind| kind.at(SafeUrl::new(&url));
    if !Origin::try_from(&url).is_ok_and(|origin| origin.is_trustworthy()) {
        return Err(failed(Kind::Untrusted));
    }
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    let answered = tokio::time::timeout(limit, async {
        // Nobody's token belongs here, and a source that renews one must not wait for itself.
        let mut extensions = Extensions::new();
        extensions.insert(AuthOptions::new().attach(Attach::Never));
        let response = http.execute_with_extensions(request, &mut extensions).await.map_err(unreachable)?;
        if response.url() != &url {
            return Err(Kind::Redirected);
        }
        let (status, html) = (response.status(), is_html(&response));
        Ok((status, html, read(response).await?))
    });
    let (status, html, body) = answered.await.unwrap_or(Err(Kind::Timeout(limit))).map_err(failed)?;
    if status.is_redirection() {
        return Err(failed(Kind::Redirected));
    }
    if !status.is_success() {
        return Err(failed(refusal(status, html, &body)));
    }
    let text = std::str::from_utf8(&body).map_err(|_| failed(Kind::NotJson { html }))?;
    if html && !text.trim_start().starts_with('{') {
        return Err(failed(Kind::NotJson { html }));
    }
    Ok(Zeroizing::new(text.to_owned()))
}

/// Whatever the error is, a token endpoint's address stands before it already.
fn unreachable(error: reqwest_middleware::Error) -> Kind {
    match error {
        reqwest_middleware::Error::Reqwest(error) => Kind::Unreachable(error.without_url().into()),
        reqwest_middleware::Error::Middleware(error) => Kind::Unreachable(error.into()),
    }
}

async fn read(mut response: Response) -> Result<Zeroizing<Vec<u8>>, Kind> {
    let mut body = Zeroizing::new(Vec::new());
    while let Some(chunk) =
        response.chunk().await.map_err(|error| Kind::Unreachable(error.without_url().into()))?
    {
        if body.len() + chunk.len() > LARGEST {
            return Err(Kind::TooLarge(LARGEST));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn is_html(response: &Response) -> bool {
    response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.trim_start().to_ascii_lowercase().starts_with("text/html"))
}

/// The error of RFC 6749 section 5.2, where there is one.
fn refusal(status: StatusCode, html: bool, body: &[u8]) -> Kind {
    #[derive(Deserialize)]
    struct Refusal {
        error: String,
        error_description: Option<String>,
    }
    match serde_json::from_slice::<Refusal>(body) {
        Ok(refusal) => Kind::Refused {
            status,
            code: redact::text(&refusal.error),
            description: refusal.error_description.as_deref().map(redact::text),
        },
        Err(_) => Kind::Status { status, html },
    }
}
