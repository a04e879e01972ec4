//! One request to an OAuth server: limited in time and size, over https or to this machine.

use std::time::Duration;

use ::http::Extensions;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, Request, Response};
use reqwest_middleware::ClientWithMiddleware;
use secrecy::zeroize::Zeroizing;
use url::Url;

use super::answer_secrets::{hide_secrets, hide_secrets_in_text};
use super::body::{Body, MAX_ANSWER_SIZE, has_issued_tokens, has_tokens};
use super::error::{Kind, NotJson, OAuthError};
use super::refusal::{refusal, refusal_text};
use reqwest_scitokens::auth::AuthOptions;
use reqwest_scitokens::{Attach, Error};
use scitoken_types::redact::{self, Redactor};
use scitoken_types::{LenientObject, Origin, SafeUrl};

/// Names and values of a form.
pub(super) type Form<'a> = Vec<(&'static str, &'a str)>;

/// The members of a form whose values are secrets.
const SECRET_MEMBERS: [&str; 13] = [
    "refresh_token",
    "access_token",
    "device_code",
    "client_secret",
    "subject_token",
    "actor_token",
    "token",
    "registration_access_token",
    "code",
    "code_verifier",
    "password",
    "assertion",
    "client_assertion",
];

/// What is sent, besides the URL.
pub(super) struct Payload {
    body: Vec<u8>,
    content_type: HeaderValue,
    authorization: Option<HeaderValue>,
    secrets: Redactor,
}

impl Payload {
    /// Encodes a form (RFC 6749 appendix B).
    pub(super) fn form(form: &Form<'_>, authorization: Option<(HeaderValue, &str)>) -> Self {
        let secrets = Redactor::new();
        for (name, value) in form {
            if SECRET_MEMBERS.contains(name) {
                secrets.add(value);
            }
        }
        if let Some((_, secret)) = &authorization {
            secrets.add(secret);
        }
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        Self {
            body: body.into_bytes(),
            content_type: HeaderValue::from_static("application/x-www-form-urlencoded"),
            authorization: authorization.map(|(header, _)| header),
            secrets,
        }
    }

    /// Adds secrets that are not sent, and that no message about the answer shows.
    pub(super) fn hiding(self, others: &[&str]) -> Self {
        for secret in others {
            self.secrets.add(secret);
        }
        self
    }

    /// Encodes a JSON document.
    pub(super) fn json(document: &serde_json::Value, authorization: Option<(HeaderValue, &str)>) -> Self {
        let secrets = Redactor::new();
        if let Some((_, secret)) = &authorization {
            secrets.add(secret);
        }
        Self {
            body: document.to_string().into_bytes(),
            content_type: HeaderValue::from_static("application/json"),
            authorization: authorization.map(|(header, _)| header),
            secrets,
        }
    }
}

/// An answer that succeeded, or that has tokens.
pub(super) struct Answer {
    body: Body,
    /// What the body is instead of JSON, if it is.
    instead: NotJson,
    /// Why the body was not received completely.
    broken: Option<Kind>,
    /// What the server refuses with, although the answer has tokens.
    refusal: Option<Kind>,
}

/// Requests a document.
pub(super) async fn get(
    http: &ClientWithMiddleware,
    url: &Url,
    limit: Duration,
) -> Result<Answer, OAuthError> {
    exchange(http, Request::new(Method::GET, url.clone()), limit, &Redactor::new()).await
}

/// Sends a form or a JSON document.
pub(super) async fn post(
    http: &ClientWithMiddleware,
    url: &Url,
    payload: Payload,
    limit: Duration,
) -> Result<Answer, OAuthError> {
    let mut request = Request::new(Method::POST, url.clone());
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, payload.content_type);
    if let Some(authorization) = payload.authorization {
        headers.insert(AUTHORIZATION, authorization);
    }
    *request.body_mut() = Some(payload.body.into());
    exchange(http, request, limit, &payload.secrets).await
}

async fn exchange(
    http: &ClientWithMiddleware,
    mut request: Request,
    limit: Duration,
    secrets: &Redactor,
) -> Result<Answer, OAuthError> {
    let url = request.url().clone();
    let failed = |kind: Kind| kind.at(SafeUrl::new(&url));
    if !Origin::try_from(&url).is_ok_and(|origin| origin.is_trustworthy()) {
        return Err(failed(Kind::Untrusted));
    }
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let deadline = tokio::time::Instant::now() + limit;
    let sent = tokio::time::timeout_at(deadline, async {
        // No token of the client belongs here, and a source that renews one must not wait for itself.
        let mut extensions = Extensions::new();
        extensions.insert(AuthOptions::new().attach(Attach::Never));
        http.execute_with_extensions(request, &mut extensions).await.map_err(unreachable)
    });
    let mut response = sent.await.unwrap_or(Err(Kind::Timeout(limit))).map_err(failed)?;
    if response.url() != &url || response.status().is_redirection() {
        return Err(failed(Kind::Redirected));
    }
    let (status, is_html, encoding) = (response.status(), is_html(&response), encoding(&response));
    let mut body = Zeroizing::new(Vec::new());
    // The members that were received before an error may include a token that is not issued twice.
    let broken = match tokio::time::timeout_at(deadline, read(&mut response, &mut body)).await {
        Ok(read) => read.err(),
        Err(_) => Some(Kind::Timeout(limit)),
    };
    let body = Body { bytes: body, is_form: is_form(&response), is_complete: broken.is_none() };
    let body = body.decoded(is_deflate(&response));
    let object = body.object();
    match &object {
        Some(object) => hide_secrets(object, secrets),
        None => hide_secrets_in_text(&String::from_utf8_lossy(&body.bytes), secrets),
    }
    let has_tokens = object.as_ref().is_some_and(|object| {
        if status.is_success() { has_tokens(object) } else { has_issued_tokens(object) }
    });
    let refusal = object.and_then(|object| refusal(status, &object, secrets));
    let refusal = match refusal {
        // A token counts more than an error beside it.
        Some(_) if status.is_success() && has_tokens => None,
        None if !status.is_success() => {
            let text = refusal_text(&body.bytes, secrets);
            Some(Kind::Status { status, html: is_html, text })
        }
        refusal => refusal,
    };
    let instead = NotJson { is_html, kind: scitoken_types::non_json_kind(&body.bytes), encoding };
    match refusal {
        Some(refused @ Kind::Refused { .. }) if !has_tokens => Err(failed(refused)),
        Some(refused) if !has_tokens => Err(failed(broken.unwrap_or(refused))),
        refusal => Ok(Answer { body, instead, broken, refusal }),
    }
}

impl Answer {
    /// Takes what the server refuses with, although the answer has tokens.
    pub(super) fn take_refusal(&mut self) -> Option<Kind> {
        self.refusal.take()
    }

    /// Reads the answer as a JSON object, or as a form, which some token endpoints send.
    ///
    /// # Errors
    /// It is none, was not received completely, or is a refusal that was not [taken](Self::take_refusal).
    pub(super) fn into_object(self) -> Result<LenientObject, Kind> {
        if let Some(refusal) = self.refusal {
            return Err(refusal);
        }
        match (self.body.object(), self.broken) {
            // Of an answer that was cut off, what arrived counts if it is a whole object, or has a token.
            (Some(object), Some(broken)) if !object.is_complete() && !has_tokens(&object) => Err(broken),
            (Some(object), _) => Ok(object),
            (None, Some(broken)) => Err(broken),
            (None, None) => Err(Kind::NotJson(self.instead)),
        }
    }
}

/// The URL is removed: the endpoint is named by the error already.
fn unreachable(error: reqwest_middleware::Error) -> Kind {
    // A session that follows no redirects reports one.
    if Error::find(&error).is_some_and(Error::is_redirect) {
        return Kind::Redirected;
    }
    match error {
        reqwest_middleware::Error::Reqwest(error) => Kind::Unreachable(error.without_url().into()),
        // The client has a limit of redirects, and an answer was one too many.
        reqwest_middleware::Error::Middleware(error)
            if Error::find(&*error).is_some_and(Error::is_redirect) =>
        {
            Kind::Redirected
        }
        reqwest_middleware::Error::Middleware(error) => Kind::Unreachable(error.into()),
    }
}

async fn read(response: &mut Response, body: &mut Vec<u8>) -> Result<(), Kind> {
    loop {
        let chunk = match response.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return Ok(()),
            Err(error) => {
                return Err(Kind::CutOff { received: body.len(), cause: error.without_url().into() });
            }
        };
        if body.len() + chunk.len() > MAX_ANSWER_SIZE {
            return Err(Kind::TooLarge(MAX_ANSWER_SIZE));
        }
        body.extend_from_slice(&chunk);
    }
}

fn is_deflate(response: &Response) -> bool {
    let value = response.headers().get(CONTENT_ENCODING).and_then(|value| value.to_str().ok());
    value.is_some_and(|value| value.trim().eq_ignore_ascii_case("deflate"))
}

/// Returns the content encoding, unless it is one that is decoded.
fn encoding(response: &Response) -> Option<String> {
    let value = response.headers().get(CONTENT_ENCODING)?.to_str().unwrap_or("?").trim();
    let is_known =
        ["", "identity", "gzip", "x-gzip", "deflate"].iter().any(|known| known.eq_ignore_ascii_case(value));
    (!is_known).then(|| redact::text(value))
}

fn is_html(response: &Response) -> bool {
    has_media_type(response, "text/html")
}

fn is_form(response: &Response) -> bool {
    has_media_type(response, "application/x-www-form-urlencoded")
}

fn has_media_type(response: &Response, expected: &str) -> bool {
    response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.trim_start().to_ascii_lowercase().starts_with(expected))
}
