//! A port that speaks plain or TLS, whichever the client begins with.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use url::Url;

/// How the bytes of a connection travelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    Plain,
    Tls,
}

/// Any stream of bytes.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// An accepted connection.
pub struct Connection {
    /// 1 for the first connection of the listener.
    pub id: usize,
    pub transport: Transport,
    pub stream: Box<dyn Stream>,
}

/// Accepts connections until it is dropped; then all of them are cut.
pub struct Listener {
    address: SocketAddr,
    scheme: &'static str,
    accepted: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Listener {
    /// Listens at `address` and hands each connection to `serve`. With `tls`, a client that begins with a TLS
    /// handshake gets one; a client that does not is served in plain, as XRootD does it.
    pub async fn start<F, S>(address: &str, tls: Option<TlsAcceptor>, serve: S) -> Self
    where
        S: Fn(Connection) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let accepted = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&accepted);
        let serve = Arc::new(serve);
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let id = counter.fetch_add(1, Ordering::SeqCst) + 1;
                let (tls, serve) = (tls.clone(), Arc::clone(&serve));
                connections.spawn(async move {
                    if let Some(connection) = greet(id, stream, tls).await {
                        serve(connection).await;
                    }
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, scheme, accepted, task }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of `path` here, with the IP address as host.
    pub fn url(&self, path: &str) -> Url {
        self.url_as(self.scheme, &self.address.ip().to_string(), path)
    }

    /// The address of `path` here, under another scheme or name.
    pub fn url_as(&self, scheme: &str, host: &str, path: &str) -> Url {
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        format!("{scheme}://{host}:{}{path}", self.address.port()).parse().unwrap()
    }

    pub fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// How many connections came in.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn greet(id: usize, stream: TcpStream, tls: Option<TlsAcceptor>) -> Option<Connection> {
    const HANDSHAKE: u8 = 0x16;
    stream.set_nodelay(true).ok()?;
    let Some(tls) = tls else {
        return Some(Connection { id, transport: Transport::Plain, stream: Box::new(stream) });
    };
    let mut first = [0];
    if stream.peek(&mut first).await.ok()? == 1 && first[0] == HANDSHAKE {
        let stream = tls.accept(stream).await.ok()?;
        return Some(Connection { id, transport: Transport::Tls, stream: Box::new(stream) });
    }
    Some(Connection { id, transport: Transport::Plain, stream: Box::new(stream) })
}
