//! How often the middleware allocates for a request whose token is cached.
//!
//! In a test program of its own, because the allocator of a program is one: what other tests do would be counted too.

use async_trait::async_trait;
use http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};
use reqwest_scitokens::{AuthMiddleware, FileSource, RedirectMiddleware};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Hands the request on, which is the price of any middleware.
struct Nothing;

#[async_trait]
impl Middleware for Nothing {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        next.run(request, extensions).await
    }
}

/// Answers at once, so that only the chain above it is counted.
struct Wall;

#[async_trait]
impl Middleware for Wall {
    async fn handle(
        &self,
        request: Request,
        _: &mut Extensions,
        _: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        assert!(request.url().has_host());
        Ok(http::Response::new("").into())
    }
}

const REQUESTS: u64 = 100;

/// Allocations and bytes for each request, once the first has found the token.
async fn per_request(chain: impl FnOnce(ClientBuilder) -> ClientBuilder) -> (u64, u64) {
    let http =
        reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    let client: ClientWithMiddleware = chain(ClientBuilder::new(http)).with(Wall).build();
    let get = || async {
        assert_eq!(
            client.get("https://data.example.org/vo/f").send().await.expect("an answer").status(),
            200
        );
    };
    get().await;
    let before = dhat::HeapStats::get();
    for _ in 0..REQUESTS {
        get().await;
    }
    let after = dhat::HeapStats::get();
    // Rounded up: a cached token is looked at again once a second, which is seldom.
    (
        (after.total_blocks - before.total_blocks).div_ceil(REQUESTS),
        (after.total_bytes - before.total_bytes).div_ceil(REQUESTS),
    )
}

#[tokio::test]
async fn a_request_with_a_cached_token_allocates_little_more_than_an_empty_middleware() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("token");
    fs_err::write(&path, "opaque-token").expect("a token file");
    let auth = || AuthMiddleware::new(FileSource::new(&path));
    let nothing = per_request(|client| client.with(Nothing)).await;
    let attached = per_request(|client| client.with(auth())).await;
    let redirects = per_request(|client| client.with(RedirectMiddleware::new()).with(auth())).await;
    println!(
        "(allocations, bytes) per request: no-op {nothing:?}, auth {attached:?}, redirect and auth {redirects:?}"
    );
    assert!(nothing.0 > 0, "the allocator counts");
    assert!(attached.0 - nothing.0 <= 14, "{attached:?} beside {nothing:?}");
    assert!(redirects.0 - nothing.0 <= 16, "{redirects:?} beside {nothing:?}");
}
