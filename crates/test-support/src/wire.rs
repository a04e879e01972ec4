//! Reading one HTTP/1 request byte by byte: names in their case, and no help where the sender was wrong.

use std::io;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::Seen;
use super::listener::Transport;

/// The first line and the headers of a request.
#[derive(Debug)]
pub struct Head {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
}

impl Head {
    /// The request, once its body is known.
    pub fn with_body(self, body: Bytes, connection: usize, transport: Transport) -> Seen {
        let Self { method, target, headers } = self;
        Seen { method, target, version: http::Version::HTTP_11, headers, body, connection, transport }
    }

    /// A header's value, if its name satisfies `matches`.
    pub fn find(&self, matches: impl Fn(&str) -> bool) -> Option<&str> {
        self.headers.iter().rev().find(|(name, _)| matches(name)).map(|(_, value)| value.as_str())
    }
}

/// Where the body of a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    Length(usize),
    Chunked,
}

/// Takes a head apart; `None` as long as it is not whole.
pub fn parse_head(bytes: &[u8]) -> Option<Head> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let text = String::from_utf8_lossy(&bytes[..end]);
    let mut lines = text.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.strip_prefix(' ').unwrap_or(value).to_owned()))
        .collect();
    Some(Head { method, target, headers })
}

/// Reads a head; `None` at the end of the connection.
pub async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Head>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(parse_head(&head))
}

/// Reads a body to its end.
pub async fn read_body(stream: &mut (impl AsyncRead + Unpin), framing: Framing) -> io::Result<Bytes> {
    let mut body = Vec::new();
    match framing {
        Framing::Length(length) => {
            body.resize(length, 0);
            stream.read_exact(&mut body).await?;
        }
        Framing::Chunked => loop {
            let size = read_line(stream).await?;
            let size = usize::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
            let start = body.len();
            body.resize(start + size, 0);
            stream.read_exact(&mut body[start..]).await?;
            read_line(stream).await?;
            if size == 0 {
                break;
            }
        },
    }
    Ok(body.into())
}

/// How `head` says that its body ends, its header names compared by `same`.
pub fn framing(head: &Head, same: impl Fn(&str, &str) -> bool) -> Framing {
    let chunked = head.find(|name| same(name, "Transfer-Encoding"));
    if chunked.is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        return Framing::Chunked;
    }
    let length = head.find(|name| same(name, "Content-Length"));
    Framing::Length(length.and_then(|value| value.trim().parse().ok()).unwrap_or(0))
}

async fn read_line(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let mut line = Vec::new();
    while !line.ends_with(b"\r\n") {
        line.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}
