//! An OAuth server that stands in the client's own middleware: no network, so tests can stop the clock.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::http::Extensions;
use reqwest::header::AUTHORIZATION;
use reqwest::{Request, Response, ResponseBuilderExt};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};

use super::{OAuthClient, ProviderMetadata};
use crate::sys::ManualClock;

/// Answers requests one after the other, and keeps what was asked.
#[derive(Clone)]
pub(crate) struct Fake(Arc<Mutex<State>>);

struct State {
    replies: VecDeque<Reply>,
    seen: Vec<String>,
}

#[derive(Clone)]
pub(crate) enum Reply {
    Answer {
        status: u16,
        content_type: &'static str,
        body: String,
    },
    /// After a while.
    Late(Duration, Box<Self>),
    /// After something else has happened.
    After(Arc<dyn Fn() + Send + Sync>, Box<Self>),
    NoConnection,
    Hangs,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self::Answer { status, content_type: "application/json; charset=utf-8", body: body.to_owned() }
    }

    pub(crate) fn html(status: u16, body: &str) -> Self {
        Self::Answer { status, content_type: "Text/HTML", body: body.to_owned() }
    }
}

impl Fake {
    pub(crate) fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        let replies = replies.into_iter().collect();
        Self(Arc::new(Mutex::new(State { replies, seen: Vec::new() })))
    }

    pub(crate) fn client(&self) -> ClientWithMiddleware {
        #[expect(clippy::disallowed_methods, reason = "a client that sends nothing")]
        ClientBuilder::new(reqwest::Client::new()).with(self.clone()).build()
    }

    /// `METHOD url`, for a form followed by the `Authorization` header (or `-`) and the form.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.0.lock().unwrap().seen.clone()
    }

    /// How many answers nobody asked for.
    pub(crate) fn left(&self) -> usize {
        self.0.lock().unwrap().replies.len()
    }
}

/// A public client of the fake, whose clock stands at 1000.
pub(crate) fn client(fake: &Fake) -> OAuthClient {
    let endpoint = |path: &str| format!("https://iss.example/{path}").parse().unwrap();
    let metadata = ProviderMetadata::new("https://iss.example", endpoint("token"))
        .with_device_authorization_endpoint(endpoint("device"))
        .with_revocation_endpoint(endpoint("revoke"));
    OAuthClient::new(fake.client(), metadata, "me").with_clock(ManualClock::at_epoch_seconds(1_000))
}

#[async_trait::async_trait]
impl Middleware for Fake {
    async fn handle(
        &self,
        request: Request,
        _extensions: &mut Extensions,
        _next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let mut reply = {
            let mut state = self.0.lock().unwrap();
            let mut line = format!("{} {}", request.method(), request.url());
            if let Some(body) = request.body().and_then(reqwest::Body::as_bytes) {
                let header =
                    request.headers().get(AUTHORIZATION).map_or("-", |value| value.to_str().unwrap());
                line = format!("{line} {header} {}", String::from_utf8_lossy(body));
            }
            state.seen.push(line);
            state.replies.pop_front().expect("a request that the test did not foresee")
        };
        match reply {
            Reply::Late(by, later) => {
                tokio::time::sleep(by).await;
                reply = *later;
            }
            Reply::After(happens, later) => {
                happens();
                reply = *later;
            }
            now => reply = now,
        }
        match reply {
            Reply::Answer { status, content_type, body } => Ok(::http::Response::builder()
                .status(status)
                .header("content-type", content_type)
                .url(request.url().clone())
                .body(body)
                .unwrap()
                .into()),
            Reply::NoConnection => {
                Err(reqwest_middleware::Error::middleware(std::io::Error::other("connection refused")))
            }
            Reply::Hangs => std::future::pending().await,
            Reply::Late(..) | Reply::After(..) => unreachable!("one delay is enough"),
        }
    }
}
