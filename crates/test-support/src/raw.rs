//! A server that writes given bytes.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::Url;

use super::listener::{Connection, Listener};
use super::{Seen, wire};

/// A server for behaviour that hyper cannot produce.
pub struct Raw {
    listener: Listener,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// The bytes of an answer, and what happens to the connection after them.
pub struct Answer {
    bytes: Vec<u8>,
    then: Then,
    silence: Duration,
}

/// What happens to the connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Keep,
    Close,
    Hold,
}

impl Answer {
    /// Exactly these bytes; the connection is kept for the next request.
    pub fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self { bytes: bytes.into(), then: Then::Keep, silence: Duration::ZERO }
    }

    /// A head of these lines, and a body with its length.
    pub fn lines(lines: &[&str], body: &str) -> Self {
        let mut text = lines.join("\r\n");
        let _ = write!(text, "\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        Self::bytes(text)
    }

    /// Closes the connection after the bytes.
    pub fn then_close(mut self) -> Self {
        self.then = Then::Close;
        self
    }

    /// Sends no more, and does not close either.
    pub fn then_hold(mut self) -> Self {
        self.then = Then::Hold;
        self
    }

    /// Says nothing for some time first.
    pub fn after(mut self, silence: Duration) -> Self {
        self.silence = silence;
        self
    }
}

impl Raw {
    /// A plain server at `127.0.0.1`.
    pub async fn http(handler: impl Fn(&Seen) -> Answer + Send + Sync + 'static) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (shared, handler) = (Arc::clone(&seen), Arc::new(handler));
        let serve = move |connection| {
            let (seen, handler) = (Arc::clone(&shared), Arc::clone(&handler));
            async move {
                // An error is a client that went away.
                let _gone = converse(connection, &seen, &*handler).await;
            }
        };
        Self { listener: Listener::start("127.0.0.1:0", None, serve).await, seen }
    }

    pub fn url(&self, path: &str) -> Url {
        self.listener.url(path)
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many connections came in.
    pub fn connections(&self) -> usize {
        self.listener.accepted()
    }
}

async fn converse(
    connection: Connection,
    seen: &Mutex<Vec<Seen>>,
    handler: &(dyn Fn(&Seen) -> Answer + Send + Sync),
) -> std::io::Result<()> {
    let Connection { id, transport, mut stream } = connection;
    while let Some(head) = wire::read_head(&mut stream).await? {
        let framing = wire::framing(&head, str::eq_ignore_ascii_case);
        let body = wire::read_body(&mut stream, framing).await?;
        let request = head.with_body(body, id, transport);
        seen.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
        let answer = handler(&request);
        tokio::time::sleep(answer.silence).await;
        stream.write_all(&answer.bytes).await?;
        stream.flush().await?;
        match answer.then {
            Then::Keep => {}
            Then::Close => return stream.shutdown().await,
            Then::Hold => {
                let mut rest = Vec::new();
                stream.read_to_end(&mut rest).await?;
                return Ok(());
            }
        }
    }
    Ok(())
}
