//! What the middleware costs a request: `just bench-auth`.
//!
//! The same requests over keep-alive connections on loopback, through bare reqwest, an empty chain, a middleware that
//! does nothing, and ours with a token from a file. The server runs on a thread of its own, and only the CPU time of the
//! client's thread counts. Short rounds of each way take turns, each round in another order; a way is compared with the
//! round of the no-op middleware beside it, and the median of those ratios is what counts: the machine's speed changes
//! more slowly than that.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use http::Extensions;
use reqwest::{Request, Response};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};
use reqwest_scitokens::{
    Attach, AuthMiddleware, FileSource, RedirectMiddleware, SourceError, TokenRequest, TokenSource,
};
use rustix::time::{ClockId, clock_gettime};
use scitoken_types::AccessToken;

const ROUNDS: usize = 151;
const REQUESTS: usize = 512;
const AT_ONCE: usize = 64;

struct NoOp;

#[async_trait]
impl Middleware for NoOp {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        next.run(request, extensions).await
    }
}

/// Answers at once, so that only the chain above is measured.
struct InstantAnswer;

#[async_trait]
impl Middleware for InstantAnswer {
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

/// Counts how often it is asked.
#[derive(Debug, Clone, Default)]
struct Counting(Arc<AtomicUsize>);

impl TokenSource for Counting {
    async fn token(&self, _: &TokenRequest<'_>) -> Result<Option<AccessToken>, SourceError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(Some(AccessToken::new("c2VjcmV0")?))
    }
}

enum Way {
    Bare(reqwest::Client),
    Chain(ClientWithMiddleware),
}

impl Way {
    async fn get(&self, url: &str) -> usize {
        let response = match self {
            Self::Bare(client) => client.get(url).send().await.expect("an answer"),
            Self::Chain(client) => client.get(url).send().await.expect("an answer"),
        };
        assert_eq!(response.status(), 200);
        response.bytes().await.expect("a body").len()
    }
}

fn main() {
    // `cargo test --benches` and the test runners only want to know that it starts.
    let quick = !std::env::args().any(|argument| argument == "--bench");
    let (rounds, requests) = if quick { (1, 50) } else { (ROUNDS, REQUESTS) };
    let server = serve();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(over_loopback(server, rounds, requests));
    runtime.block_on(chain_alone(rounds, requests * 10));
    runtime.block_on(steady_challenges(server, requests / 10));
}

async fn over_loopback(server: SocketAddr, rounds: usize, requests: usize) {
    let token = token_file();
    let bare =
        || reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    let chain = |client: ClientBuilder| Way::Chain(client.build());
    let source = || FileSource::new(token.path());
    let ways = [
        ("reqwest", Way::Bare(bare())),
        ("empty chain", chain(ClientBuilder::new(bare()))),
        ("no-op middleware", chain(ClientBuilder::new(bare()).with(NoOp))),
        ("auth middleware", chain(ClientBuilder::new(bare()).with(AuthMiddleware::new(source())))),
        (
            "redirect and auth middleware",
            chain(
                ClientBuilder::new(bare())
                    .with(RedirectMiddleware::new())
                    .with(AuthMiddleware::new(source())),
            ),
        ),
    ];
    let url = format!("http://{server}/open");
    let mut table = Table::new("CPU of the client's thread per request, 64 at once, keep-alive loopback", 2);
    for round in 0..=rounds {
        for turn in 0..ways.len() {
            let at = (round + turn) % ways.len();
            let begin = cpu();
            let sizes = futures_util::stream::iter((0..requests).map(|_| ways[at].1.get(&url)));
            let total: usize = sizes.buffer_unordered(AT_ONCE).fold(0, async |sum, size| sum + size).await;
            assert_eq!(total, 2 * requests);
            // The first round opens the connections.
            if round > 0 {
                table.add(at, ways[at].0, cpu().saturating_sub(begin), requests);
            }
        }
    }
    table.print();
}

async fn chain_alone(rounds: usize, requests: usize) {
    let token = token_file();
    let bare = || ClientBuilder::new(reqwest::Client::builder().build().expect("a client"));
    let auth = || AuthMiddleware::new(FileSource::new(token.path()));
    let none = || AuthMiddleware::builder(FileSource::new(token.path())).attach(Attach::Never).build();
    let ways = [
        ("no-op middleware", Way::Chain(bare().with(NoOp).with(InstantAnswer).build())),
        ("auth middleware, told to attach none", Way::Chain(bare().with(none()).with(InstantAnswer).build())),
        ("auth middleware", Way::Chain(bare().with(auth()).with(InstantAnswer).build())),
        (
            "redirect and auth middleware",
            Way::Chain(bare().with(RedirectMiddleware::new()).with(auth()).with(InstantAnswer).build()),
        ),
    ];
    let mut table = Table::new("the same without a network: what the chain itself costs", 0);
    for round in 0..rounds {
        for turn in 0..ways.len() {
            let at = (round + turn) % ways.len();
            let Way::Chain(client) = &ways[at].1 else { continue };
            let begin = cpu();
            for _ in 0..requests {
                client.get("http://127.0.0.1/open").send().await.expect("an answer");
            }
            table.add(at, ways[at].0, cpu().saturating_sub(begin), requests);
        }
    }
    table.print();
    let found = table.rows[2].cost().saturating_sub(table.rows[1].cost());
    say(&format!("  so to find the cached token, attach it and note it costs {} ns\n", found.as_nanos()));
}

async fn steady_challenges(server: SocketAddr, requests: usize) {
    let source = Counting::default();
    let auth = AuthMiddleware::builder(source.clone()).attach(Attach::OnChallenge).build();
    let client = ClientBuilder::new(reqwest::Client::builder().build().expect("a client")).with(auth).build();
    let before = SERVED.load(Ordering::Relaxed);
    for _ in 0..requests {
        client.get(format!("http://{server}/closed")).send().await.expect("an answer");
    }
    let trips = SERVED.load(Ordering::Relaxed) - before;
    say(&format!(
        "\na session that attaches on challenge: {requests} requests, {trips} round trips, the source asked {} times\n",
        source.0.load(Ordering::Relaxed)
    ));
    assert_eq!(trips, requests + 1);
}

/// What each way has cost, round by round.
struct Table {
    title: &'static str,
    /// The row that the others are compared with.
    base: usize,
    rows: Vec<Row>,
}

#[derive(Clone, Default)]
struct Row {
    name: &'static str,
    costs: Vec<Duration>,
}

impl Table {
    fn new(title: &'static str, base: usize) -> Self {
        Self { title, base, rows: Vec::new() }
    }

    fn add(&mut self, at: usize, name: &'static str, cpu: Duration, requests: usize) {
        if self.rows.len() <= at {
            self.rows.resize(at + 1, Row::default());
        }
        self.rows[at].name = name;
        self.rows[at].costs.push(cpu / u32::try_from(requests).expect("few"));
    }

    fn print(&self) {
        say(&format!("\n{}\n", self.title));
        let base = &self.rows[self.base];
        for row in &self.rows {
            let (cost, ratio) = (row.cost().as_secs_f64() * 1e6, row.ratio_to(base));
            say(&format!("  {:<38} {cost:>8.2} us  {ratio:>6.3}x\n", row.name));
        }
    }
}

impl Row {
    fn cost(&self) -> Duration {
        median(self.costs.clone())
    }

    /// The median of the ratios of rounds that ran side by side.
    fn ratio_to(&self, base: &Self) -> f64 {
        let mut ratios: Vec<_> =
            self.costs.iter().zip(&base.costs).map(|(a, b)| a.as_secs_f64() / b.as_secs_f64()).collect();
        ratios.sort_unstable_by(f64::total_cmp);
        ratios[ratios.len() / 2]
    }
}

fn median(mut costs: Vec<Duration>) -> Duration {
    costs.sort_unstable();
    costs[costs.len() / 2]
}

fn say(text: &str) {
    std::io::stdout().write_all(text.as_bytes()).expect("a terminal");
}

/// The CPU time of this thread.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).expect("time goes on");
    Duration::new(seconds, u32::try_from(time.tv_nsec).expect("below a second"))
}

fn token_file() -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(b"c2VjcmV0").expect("space");
    file
}

static SERVED: AtomicUsize = AtomicUsize::new(0);

/// A server on a thread of its own: `/open` for every request, `/closed` with a token.
fn serve() -> SocketAddr {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
            sender.send(listener.local_addr().expect("an address")).expect("a receiver");
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let service = hyper::service::service_fn(answer);
                let stream = hyper_util::rt::TokioIo::new(stream);
                tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(stream, service));
            }
        });
    });
    receiver.recv().expect("the server's address")
}

async fn answer(
    request: hyper::Request<hyper::body::Incoming>,
) -> Result<http::Response<http_body_util::Full<bytes::Bytes>>, std::convert::Infallible> {
    SERVED.fetch_add(1, Ordering::Relaxed);
    let mut response = http::Response::new(http_body_util::Full::from("ok"));
    if request.uri().path() == "/closed" && !request.headers().contains_key(http::header::AUTHORIZATION) {
        *response.status_mut() = http::StatusCode::UNAUTHORIZED;
        let challenge = http::HeaderValue::from_static("Bearer realm=\"bench\"");
        response.headers_mut().insert(http::header::WWW_AUTHENTICATE, challenge);
    }
    Ok(response)
}
