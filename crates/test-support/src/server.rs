//! A well-behaved HTTP server inside the test's process.

use std::any::Any;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio_rustls::TlsAcceptor;
use url::Url;

use super::listener::{Connection, Listener, Transport};
use super::tee::{Copy, Tee};
use super::{Reply, Seen, tls, wire};

/// A server on loopback that remembers every request.
///
/// The name under which the tests reach it is its IP address unless stated otherwise. A panic of the closure that
/// answers fails the test when the server is dropped.
pub struct Server {
    listener: Listener,
    name: String,
    state: Arc<State>,
}

struct State {
    handler: Box<dyn Fn(&Seen) -> Reply + Send + Sync>,
    seen: Mutex<Vec<Seen>>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// Where a server stands.
pub struct Place {
    ip: &'static str,
    port: u16,
    name: String,
    tls: Option<TlsAcceptor>,
}

impl Place {
    /// Without TLS, at `127.0.0.1`.
    pub fn http() -> Self {
        Self { ip: "127.0.0.1", port: 0, name: "127.0.0.1".to_owned(), tls: None }
    }

    /// With TLS, at `127.0.0.1`, as one of [`tls::NAMES`]. It serves plain HTTP on the same port as well.
    pub fn https(name: &str) -> Self {
        let tls = Some(tls::authority().acceptor());
        Self { name: name.to_owned(), tls, ..Self::http() }
    }

    /// At another address of this machine.
    pub fn at(mut self, ip: &'static str) -> Self {
        if self.name == self.ip {
            ip.clone_into(&mut self.name);
        }
        self.ip = ip;
        self
    }

    /// Under another name.
    pub fn named(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// At this port.
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// With this TLS.
    pub fn tls(mut self, tls: TlsAcceptor) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Opens the server; `handler` answers each request after the whole of it came in.
    pub async fn start(self, handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Server {
        let state =
            Arc::new(State { handler: Box::new(handler), seen: Mutex::default(), panic: Mutex::default() });
        let shared = Arc::clone(&state);
        let serve = move |connection| serve(connection, Arc::clone(&shared));
        let listener = Listener::start(&address(self.ip, self.port), self.tls, serve).await;
        Server { listener, name: self.name, state }
    }
}

impl Server {
    /// A plain server at `127.0.0.1`.
    pub async fn http(handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Place::http().start(handler).await
    }

    /// A TLS server at `127.0.0.1`, called `localhost`.
    pub async fn https(handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Place::https("localhost").start(handler).await
    }

    /// A plain server that answers `200` to this token, and a challenge to everything else.
    pub async fn protected(token: &str) -> Self {
        let token = token.to_owned();
        Self::http(move |seen| Reply::protected(seen, &token)).await
    }

    /// The address of a path, under the server's own name.
    pub fn url(&self, path: &str) -> Url {
        self.listener.url_as(self.listener.scheme(), &self.name, path)
    }

    /// The address of a path under another scheme or name.
    pub fn url_as(&self, scheme: &str, host: &str, path: &str) -> Url {
        self.listener.url_as(scheme, host, path)
    }

    /// Scheme, name and port, as an audience has them.
    pub fn origin(&self) -> String {
        self.url("").origin().ascii_serialization()
    }

    /// The name under which the tests reach it.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// How many connections came in.
    pub fn connections(&self) -> usize {
        self.listener.accepted()
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The `Authorization` of each request so far.
    pub fn authorizations(&self) -> Vec<Option<String>> {
        self.seen().iter().map(|seen| seen.authorization().map(str::to_owned)).collect()
    }

    /// The token of each request so far; `-` for none.
    pub fn tokens(&self) -> Vec<String> {
        let token = |seen: &Seen| match seen.authorization() {
            Some(value) => value.strip_prefix("Bearer ").unwrap_or(value).to_owned(),
            None => "-".to_owned(),
        };
        self.seen().iter().map(token).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let panic = self.state.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(panic) = panic
            && !std::thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

/// `ip:port`, with brackets where they belong.
pub(super) fn address(ip: &str, port: u16) -> String {
    if ip.contains(':') { format!("[{ip}]:{port}") } else { format!("{ip}:{port}") }
}

async fn serve(connection: Connection, state: Arc<State>) {
    let Connection { id, transport, stream } = connection;
    let (stream, copy) = Tee::new(stream);
    let service = service_fn(move |request| answer(request, id, transport, copy.clone(), Arc::clone(&state)));
    // An error is a client that went away, or an answer that was refused on purpose.
    let _gone =
        auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(
    request: Request<Incoming>,
    connection: usize,
    transport: Transport,
    copy: Copy,
    state: Arc<State>,
) -> io::Result<http::Response<super::reply::Body>> {
    let (parts, body) = request.into_parts();
    let headers = if parts.version < http::Version::HTTP_2 {
        wire::parse_head(&copy.peek()).map(|head| head.headers).unwrap_or_default()
    } else {
        let pair = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        parts.headers.iter().map(pair).collect()
    };
    let body = body.collect().await.map_or_else(|_| Bytes::new(), http_body_util::Collected::to_bytes);
    copy.take();
    let seen = Seen {
        method: parts.method.to_string(),
        target: parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        version: parts.version,
        headers,
        body,
        connection,
        transport,
    };
    state.seen.lock().unwrap_or_else(PoisonError::into_inner).push(seen.clone());
    let reply = match catch_unwind(AssertUnwindSafe(|| (state.handler)(&seen))) {
        Ok(reply) => reply,
        Err(panic) => {
            *state.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
            Reply::hang_up()
        }
    };
    reply.into_response().await.ok_or_else(|| io::Error::other("no answer, on purpose"))
}
