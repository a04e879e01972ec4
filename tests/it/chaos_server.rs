//! A raw TCP server that does to HTTP whatever a test wants, also what no HTTP library would let it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use url::Url;

/// A request, as far as a test wants to know it.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// How many requests came before.
    pub(crate) number: usize,
    pub(crate) method: String,
    pub(crate) path: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Asked {
    /// The one range that was asked for.
    pub(crate) fn range(&self) -> Option<Range<usize>> {
        let (first, last) = self.headers.get("range")?.strip_prefix("bytes=")?.split_once('-')?;
        Some(first.parse().ok()?..last.parse::<usize>().ok()? + 1)
    }
}

/// What comes back, byte for byte.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// Close the connection after so many bytes of the body.
    pub(crate) cut: Option<usize>,
    /// Wait before anything is sent.
    pub(crate) delay: Duration,
    /// Send the body in pieces of so many bytes, with a pause after each.
    pub(crate) trickle: Option<(usize, Duration)>,
}

impl Reply {
    /// A reply with a status line and headers.
    pub(crate) fn new(status: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let mut head = format!("HTTP/1.1 {status}\r\n");
        for (name, value) in headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        Self { head, body: body.into(), ..Self::default() }
    }

    /// A reply whose length is right.
    pub(crate) fn sized(status: &str, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        let mut reply = Self::new(status, headers, body);
        let length = reply.body.len();
        let _ = write!(reply.head, "Content-Length: {length}\r\n");
        reply
    }

    /// What an honest server answers to a `GET` of `content`, with or without a range.
    pub(crate) fn honest(asked: &Asked, content: &[u8], headers: &[(&str, &str)]) -> Self {
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

    pub(crate) fn cut_after(mut self, bytes: usize) -> Self {
        self.cut = Some(bytes);
        self
    }
}

/// The server; it ends when it is dropped.
pub(crate) struct ChaosServer {
    port: u16,
    task: JoinHandle<()>,
    seen: Arc<Mutex<Vec<Asked>>>,
}

impl ChaosServer {
    /// Starts on a free port of loopback.
    pub(crate) async fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a test server works");
        let port = listener.local_addr().expect("a test server works").port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let answer: Arc<dyn Fn(&Asked) -> Reply + Send + Sync> = Arc::new(answer);
        let all = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&answer), Arc::clone(&all)));
            }
        });
        Self { port, task, seen }
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        format!("http://127.0.0.1:{}/{path}", self.port).parse().expect("a test server works")
    }

    /// All requests so far.
    pub(crate) fn seen(&self) -> Vec<Asked> {
        self.seen.lock().expect("a test server works").clone()
    }

    /// The `Range` headers of all requests so far.
    pub(crate) fn ranges(&self) -> Vec<Option<Range<usize>>> {
        self.seen().iter().map(Asked::range).collect()
    }
}

impl Drop for ChaosServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: TcpStream,
    answer: Arc<dyn Fn(&Asked) -> Reply + Send + Sync>,
    seen: Arc<Mutex<Vec<Asked>>>,
) {
    let _ = stream.set_nodelay(true);
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
        let length = asked.headers.get("content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
        while buffer.len() < length {
            if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                return;
            }
        }
        asked.body = buffer.drain(..length).collect();
        {
            let mut seen = seen.lock().expect("a test server works");
            asked.number = seen.len();
            seen.push(asked.clone());
        }
        let reply = answer(&asked);
        tokio::time::sleep(reply.delay).await;
        let keep = send(&mut stream, &asked, &reply).await.unwrap_or(false);
        if !keep {
            let _ = stream.shutdown().await;
            return;
        }
    }
}

/// Whether the connection goes on.
async fn send(stream: &mut TcpStream, asked: &Asked, reply: &Reply) -> std::io::Result<bool> {
    if reply.head.is_empty() {
        return Ok(false);
    }
    stream.write_all(format!("{}\r\n", reply.head).as_bytes()).await?;
    if asked.method == "HEAD" {
        return Ok(true);
    }
    let body = &reply.body[..reply.cut.unwrap_or(reply.body.len()).min(reply.body.len())];
    match reply.trickle {
        None => stream.write_all(body).await?,
        Some((bytes, pause)) => {
            for piece in body.chunks(bytes) {
                stream.write_all(piece).await?;
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
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Asked { number: 0, method: method.to_owned(), path: path.to_owned(), headers, body: Vec::new() }
}
