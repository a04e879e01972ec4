//! What a server of the tests answers.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;

pub type Body = UnsyncBoxBody<Bytes, Infallible>;

/// One answer, or the refusal to give one.
pub struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    content: Content,
    before: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

enum Content {
    Whole(Bytes),
    /// Bytes without end, counted as they are made.
    Endless(Arc<AtomicUsize>),
    /// Ten bytes of a thousand, then silence.
    Stalling,
    /// No answer at all: the connection ends.
    HangUp,
}

impl Reply {
    pub fn new(status: u16) -> Self {
        Self {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            content: Content::Whole(Bytes::new()),
            before: None,
        }
    }

    /// `200`, with a body.
    pub fn ok(body: impl Into<Bytes>) -> Self {
        Self::new(200).body(body)
    }

    /// `401`, with this challenge.
    pub fn challenge(challenge: impl AsRef<[u8]>) -> Self {
        Self::new(401).header(header::WWW_AUTHENTICATE, challenge)
    }

    /// A redirect.
    pub fn redirect(status: u16, location: impl AsRef<[u8]>) -> Self {
        Self::new(status).header(header::LOCATION, location)
    }

    /// `200` for this token, else `401` and `Bearer`.
    pub fn protected(seen: &super::Seen, token: &str) -> Self {
        let wanted = format!("Bearer {token}");
        if seen.authorization() == Some(wanted.as_str()) {
            Self::ok("data")
        } else {
            Self::challenge(r#"Bearer realm="test""#)
        }
    }

    /// The connection ends without an answer.
    pub fn hang_up() -> Self {
        Self { content: Content::HangUp, ..Self::new(500) }
    }

    /// Adds a header.
    pub fn header(mut self, name: HeaderName, value: impl AsRef<[u8]>) -> Self {
        self.headers.append(name, HeaderValue::from_bytes(value.as_ref()).unwrap());
        self
    }

    pub fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.content = Content::Whole(body.into());
        self
    }

    /// A body that goes on for ever; `made` counts its bytes.
    pub fn endless(mut self, made: &Arc<AtomicUsize>) -> Self {
        self.content = Content::Endless(Arc::clone(made));
        self
    }

    /// A body that stops after ten bytes without ending.
    pub fn stalling(mut self) -> Self {
        self.content = Content::Stalling;
        self
    }

    /// Answers only after `wait`.
    pub fn after(mut self, wait: impl Future<Output = ()> + Send + 'static) -> Self {
        self.before = Some(Box::pin(wait));
        self
    }

    /// Answers only after some time.
    pub fn delayed(self, time: Duration) -> Self {
        self.after(tokio::time::sleep(time))
    }

    /// What hyper needs; `None` to end the connection.
    pub(super) async fn into_response(self) -> Option<Response<Body>> {
        if let Some(wait) = self.before {
            wait.await;
        }
        let body = match self.content {
            Content::HangUp => return None,
            Content::Whole(bytes) => Full::new(bytes).boxed_unsync(),
            Content::Endless(made) => {
                let chunks = stream::repeat(Bytes::from_static(&[b'.'; 8192]));
                let frames = chunks.map(move |chunk| {
                    made.fetch_add(chunk.len(), Ordering::Relaxed);
                    Ok(Frame::data(chunk))
                });
                StreamBody::new(frames).boxed_unsync()
            }
            Content::Stalling => {
                let some = stream::iter([Ok(Frame::data(Bytes::from_static(b"ten bytes.")))]);
                StreamBody::new(some.chain(stream::pending())).boxed_unsync()
            }
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        Some(response)
    }
}
