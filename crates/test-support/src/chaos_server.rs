//! A raw TCP server for downloads: cut, delayed and slow answers, and answers that no HTTP library sends.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::Url;

use crate::listener::{Listener, Stream};
use crate::tls;

/// A request as the server received it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// How many requests came before.
    pub number: usize,
    pub method: String,
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The header lines as they came in.
    pub lines: Vec<String>,
    pub body: Vec<u8>,
}

impl Asked {
    /// The one range that was asked for.
    pub fn range(&self) -> Option<Range<usize>> {
        let (first, last) = self.headers.get("range")?.strip_prefix("bytes=")?.split_once('-')?;
        Some(first.parse().ok()?..last.parse::<usize>().ok()? + 1)
    }
}

/// What comes back, byte for byte.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    pub head: String,
    pub body: Vec<u8>,
    /// Close the connection after so many bytes of the body.
    pub cut: Option<usize>,
    /// Wait before anything is sent.
    pub delay: Duration,
    /// Send the body in pieces of so many bytes, with a pause after each.
    pub trickle: Option<(usize, Duration)>,
    /// Close the connection as the next request arrives on it.
    pub is_last: bool,
}

impl Reply {
    /// A reply with a status line and headers.
    pub fn new(status: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let mut head = format!("HTTP/1.1 {status}\r\n");
        for (name, value) in headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        Self { head, body: body.into(), ..Self::default() }
    }

    /// A reply whose length is right.
    pub fn sized(status: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let mut reply = Self::new(status, headers, body);
        let length = reply.body.len();
        let _ = write!(reply.head, "Content-Length: {length}\r\n");
        reply
    }

    /// What a correct server answers to a `GET` of `content`, with or without a range.
    pub fn honest(asked: &Asked, content: &[u8], headers: &[(&str, &str)]) -> Self {
        match asked.range() {
            Some(range) if range.start < content.len() => {
                let range = range.start..range.end.min(content.len());
                let place = format!("bytes {}-{}/{}", range.start, range.end - 1, content.len());
                let mut all = vec![("Content-Range", place.as_str())];
                all.extend_from_slice(headers);
                Self::sized("206 Partial Content", &all, &content[range])
            }
            Some(_) => Self::sized("416 Range Not Satisfiable", &[], ""),
            None => Self::sized("200 OK", headers, content),
        }
    }

    /// Promises to keep the connection, and closes it as the next request arrives.
    pub fn then_stale(mut self) -> Self {
        self.is_last = true;
        self
    }

    /// A chunked body; what the head says about its length besides does not count (RFC 9112 section 6.3).
    pub fn chunked(status: &str, headers: &[(&str, &str)], body: &[u8], pieces: usize) -> Self {
        let mut all = headers.to_vec();
        all.push(("Transfer-Encoding", "chunked"));
        let mut chunks = Vec::with_capacity(body.len() + 64);
        for piece in body.chunks(body.len().div_ceil(pieces.max(1)).max(1)) {
            chunks.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            chunks.extend_from_slice(piece);
            chunks.extend_from_slice(b"\r\n");
        }
        chunks.extend_from_slice(b"0\r\n\r\n");
        Self::new(status, &all, chunks)
    }

    pub fn cut_after(mut self, bytes: usize) -> Self {
        self.cut = Some(bytes);
        self
    }
}

/// The server; it ends when it is dropped. It speaks plain HTTP, and TLS to a client that begins with it.
pub struct ChaosServer {
    listener: Listener,
    seen: Arc<Mutex<Vec<Asked>>>,
}

impl ChaosServer {
    /// Starts on a free port of loopback.
    pub async fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let answer: Arc<dyn Fn(&Asked) -> Reply + Send + Sync> = Arc::new(answer);
        let all = Arc::clone(&seen);
        let acceptor = tls::authority().http1_acceptor();
        let serve = move |connection: crate::listener::Connection| {
            serve(connection.stream, Arc::clone(&answer), Arc::clone(&all))
        };
        Self { listener: Listener::start("127.0.0.1:0", Some(acceptor), serve).await, seen }
    }

    pub fn url(&self, path: &str) -> Url {
        self.listener.url_as("http", "127.0.0.1", &format!("/{path}"))
    }

    /// The same over TLS, with the host `localhost`.
    pub fn https_url(&self, path: &str) -> Url {
        self.listener.url_as("https", "localhost", &format!("/{path}"))
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Asked> {
        self.seen.lock().expect("a test server works").clone()
    }

    /// The `Range` headers of all requests so far.
    pub fn ranges(&self) -> Vec<Option<Range<usize>>> {
        self.seen().iter().map(Asked::range).collect()
    }
}

async fn serve(
    mut stream: Box<dyn Stream>,
    answer: Arc<dyn Fn(&Asked) -> Reply + Send + Sync>,
    seen: Arc<Mutex<Vec<Asked>>>,
) {
    let mut buffer = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                return;
            }
        };
        let mut asked = parse(&buffer[..end]);
        buffer.drain(..end);
        if asked.headers.get("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
            let _ = stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await;
        }
        let is_chunked = asked.headers.get("transfer-encoding").is_some_and(|coding| coding == "chunked");
        let length = asked.headers.get("content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
        let body = if is_chunked {
            read_chunks(&mut stream, &mut buffer).await
        } else {
            read(&mut stream, &mut buffer, length).await
        };
        let Some(body) = body else { return };
        asked.body = body;
        {
            let mut seen = seen.lock().expect("a test server works");
            asked.number = seen.len();
            seen.push(asked.clone());
        }
        let reply = answer(&asked);
        tokio::time::sleep(reply.delay).await;
        let keep = send(&mut stream, &asked, &reply).await.unwrap_or(false);
        if keep && reply.is_last {
            let _next = stream.read_buf(&mut buffer).await;
        }
        let keep = keep && !reply.is_last;
        if !keep {
            let _ = stream.shutdown().await;
            return;
        }
    }
}

/// Reads so many bytes; `None` where the client went away.
async fn read(stream: &mut Box<dyn Stream>, buffer: &mut Vec<u8>, length: usize) -> Option<Vec<u8>> {
    while buffer.len() < length {
        if stream.read_buf(buffer).await.unwrap_or(0) == 0 {
            return None;
        }
    }
    Some(buffer.drain(..length).collect())
}

/// Reads a chunked body without trailers (RFC 9112 section 7.1).
async fn read_chunks(stream: &mut Box<dyn Stream>, buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.extend(read(stream, buffer, 1).await?);
        }
        let length = usize::from_str_radix(std::str::from_utf8(&line).ok()?.trim(), 16).ok()?;
        body.extend(read(stream, buffer, length).await?);
        read(stream, buffer, 2).await?;
        if length == 0 {
            return Some(body);
        }
    }
}

/// Returns whether the connection goes on.
async fn send(stream: &mut Box<dyn Stream>, asked: &Asked, reply: &Reply) -> std::io::Result<bool> {
    if reply.head.is_empty() {
        return Ok(false);
    }
    stream.write_all(format!("{}\r\n", reply.head).as_bytes()).await?;
    if asked.method == "HEAD" {
        stream.flush().await?;
        return Ok(true);
    }
    let body = &reply.body[..reply.cut.unwrap_or(reply.body.len()).min(reply.body.len())];
    match reply.trickle {
        None => {
            stream.write_all(body).await?;
            stream.flush().await?;
        }
        Some((bytes, pause)) => {
            for piece in body.chunks(bytes) {
                stream.write_all(piece).await?;
                stream.flush().await?;
                tokio::time::sleep(pause).await;
            }
        }
    }
    let framed = reply.head.to_ascii_lowercase();
    let is_framed = framed.contains("content-length:") || framed.contains("transfer-encoding:");
    Ok(reply.cut.is_none() && is_framed)
}

fn parse(head: &[u8]) -> Asked {
    let text = String::from_utf8_lossy(head);
    let mut lines = text.lines();
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (method, path) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
    let lines: Vec<String> = lines.filter(|line| !line.is_empty()).map(str::to_owned).collect();
    let headers = lines
        .iter()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Asked { number: 0, method: method.to_owned(), path: path.to_owned(), headers, lines, body: Vec::new() }
}
