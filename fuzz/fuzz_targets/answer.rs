//! A client whose server answers every request with the same response.

use async_trait::async_trait;
use http::Extensions;
use reqwest::{Request, Response, ResponseBuilderExt as _};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next, Result};
use tokio::runtime::{Builder, Runtime};

/// The response, without its status line.
#[derive(Clone, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

#[async_trait]
impl Middleware for Answer {
    async fn handle(&self, request: Request, _: &mut Extensions, _: Next<'_>) -> Result<Response> {
        let mut answer = http::Response::builder().status(self.status).url(request.url().clone());
        for (name, value) in &self.headers {
            if let Ok(value) = http::HeaderValue::from_bytes(value) {
                answer = answer.header(*name, value);
            }
        }
        Ok(answer.body(self.body.clone()).expect("its parts are valid").into())
    }
}

impl Answer {
    pub(crate) fn client(self) -> ClientWithMiddleware {
        thread_local! {
            static CLIENT: reqwest::Client = reqwest::Client::builder().no_proxy().build().expect("a client");
        }
        ClientBuilder::new(CLIENT.with(Clone::clone)).with(self).build()
    }
}

/// Runs async code.
pub(crate) fn run<T>(work: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: Runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    }
    RUNTIME.with(|runtime| runtime.block_on(work))
}
