//! An OAuth server as a middleware of the client: without a network, so that tests can stop the clock.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::http::Extensions;
use reqwest::header::AUTHORIZATION;
use reqwest::{Request, Response, ResponseBuilderExt};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};

use super::{OAuthClient, ProviderMetadata};
use scitoken_types::sys::ManualClock;

/// Answers requests in order, and records them.
#[derive(Clone)]
pub(crate) struct Fake(Arc<Mutex<State>>);

type Answer = Arc<dyn Fn(&str) -> Reply + Send + Sync>;

struct State {
    replies: VecDeque<Reply>,
    answer: Option<Answer>,
    seen: Vec<String>,
}

#[derive(Clone)]
pub(crate) enum Reply {
    Answer {
        status: u16,
        content_type: &'static str,
        body: Vec<u8>,
    },
    /// A body with a content encoding.
    Encoded {
        encoding: &'static str,
        body: Vec<u8>,
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
        Self::Answer { status, content_type: "application/json; charset=utf-8", body: body.into() }
    }

    pub(crate) fn html(status: u16, body: &str) -> Self {
        Self::Answer { status, content_type: "Text/HTML", body: body.into() }
    }
}

impl Fake {
    pub(crate) fn new(replies: impl IntoIterator<Item = Reply>) -> Self {
        let replies = replies.into_iter().collect();
        Self(Arc::new(Mutex::new(State { replies, answer: None, seen: Vec::new() })))
    }

    /// Answers each request by what was sent.
    pub(crate) fn answering(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let fake = Self::new([]);
        fake.0.lock().unwrap().answer = Some(Arc::new(answer));
        fake
    }

    pub(crate) fn client(&self) -> ClientWithMiddleware {
        // It sends nothing, and is made once, because it reads the system's certificates.
        static UNUSED: std::sync::LazyLock<reqwest::Client> = std::sync::LazyLock::new(|| {
            #[expect(clippy::disallowed_methods, reason = "a client that sends nothing")]
            reqwest::Client::new()
        });
        ClientBuilder::new(UNUSED.clone()).with(self.clone()).build()
    }

    /// `METHOD url`, for a form followed by the `Authorization` header (or `-`) and the form.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.0.lock().unwrap().seen.clone()
    }

    /// How many answers were not requested.
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
            assert_eq!(request.headers()["accept-encoding"], "identity");
            let mut line = format!("{} {}", request.method(), request.url());
            if let Some(body) = request.body().and_then(reqwest::Body::as_bytes) {
                let header =
                    request.headers().get(AUTHORIZATION).map_or("-", |value| value.to_str().unwrap());
                line = format!("{line} {header} {}", String::from_utf8_lossy(body));
            }
            state.seen.push(line.clone());
            match &state.answer {
                Some(answer) => answer(&line),
                None => state.replies.pop_front().expect("a request that the test did not foresee"),
            }
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
            Reply::Encoded { encoding, body } => Ok(::http::Response::builder()
                .header("content-type", "application/json")
                .header("content-encoding", encoding)
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
