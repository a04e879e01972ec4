//! How the server reads requests and answers them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::files::{self, Answer, Question};
use super::release::{After, Release};
use crate::Seen;
use crate::listener::{Connection, Stream};
use crate::wire::{self, Framing, Head};

/// What a manager puts into its redirects.
#[derive(Clone, Debug)]
pub(super) struct Manager {
    /// Scheme, host and port of the data server.
    pub(super) data_server: String,
    /// Whether the manager writes the token that it received into the address that it redirects to.
    pub(super) token_in_url: bool,
}

/// What the server has, and what it saw.
pub(super) struct State {
    pub(super) release: Release,
    pub(super) manager: Option<Manager>,
    /// The token that opens everything; others are refused, whatever may be wrong with them.
    pub(super) token: Mutex<String>,
    pub(super) files: Mutex<BTreeMap<String, Bytes>>,
    pub(super) seen: Mutex<Vec<Seen>>,
    pub(super) silence: Duration,
    /// The digest of an earlier request.
    pub(super) stale: Mutex<Option<String>>,
    /// After so many bytes the next body of a `GET` breaks off.
    pub(super) break_off: Mutex<Option<usize>>,
}

/// A refused body of at most so many bytes is read, and its refusal can be seen.
const SMALL: usize = 64 * 1024;

impl State {
    /// Answers the requests of a connection.
    pub(super) async fn converse(&self, connection: Connection) -> io::Result<()> {
        let Connection { id, transport, mut stream } = connection;
        let release = self.release;
        let same = move |there: &str, name: &str| match release {
            Release::V5_5_3 => there == name,
            Release::V6_1 => there.eq_ignore_ascii_case(name),
        };
        while let Some(head) = wire::read_head(&mut stream).await? {
            let framing = wire::framing(&head, same);
            let granted = self.grants(&head, same);
            let refused_body = framing != Framing::Length(0) && self.manager.is_none() && !granted;
            if refused_body && !matches!(framing, Framing::Length(0..=SMALL)) {
                // The real one answers 403 and closes the socket while the client still writes, so that the
                // connection is reset and a client such as hyper never sees the answer.
                self.remember(head.with_body(Bytes::new(), id, transport));
                let mut buffer = [0; 4096];
                let _read = stream.read(&mut buffer).await?;
                return Ok(());
            }
            let body = wire::read_body(&mut stream, framing).await?;
            let request = head.with_body(body, id, transport);
            self.remember(request.clone());
            tokio::time::sleep(self.silence).await;
            let after = self.answer(&request, granted, same, &mut stream).await?;
            stream.flush().await?;
            if after == After::Close || refused_body {
                return stream.shutdown().await;
            }
        }
        Ok(())
    }

    fn remember(&self, request: Seen) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push(request);
    }

    /// Returns whether the request carries the right token, in the one form that XRootD takes.
    fn grants(&self, head: &Head, same: impl Fn(&str, &str) -> bool) -> bool {
        let path = head.target.split('?').next().unwrap_or_default();
        if path.starts_with("/public/") {
            return true;
        }
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if token.is_empty() {
            return false;
        }
        let in_query = head.target.split_once('?').and_then(|(_, query)| {
            query.split('&').find_map(|pair| pair.strip_prefix("authz=")).map(str::to_owned)
        });
        if let Some(authz) = in_query {
            // The query wins, even if it is the header that holds the right one.
            return authz == token || authz == format!("Bearer%20{token}");
        }
        head.find(|name| same(name, "Authorization")) == Some(format!("Bearer {token}").as_str())
    }

    async fn answer(
        &self,
        seen: &Seen,
        granted: bool,
        same: impl Fn(&str, &str) -> bool,
        stream: &mut Box<dyn Stream>,
    ) -> io::Result<After> {
        let path = percent_decode_str(seen.path()).decode_utf8_lossy().into_owned();
        if let Some(manager) = &self.manager {
            return self.redirect(manager, seen, &path, same, stream).await;
        }
        if !self.silence.is_zero() {
            return self.refuse(stream, seen, "404 Not Found", "Could not run close request.").await;
        }
        let old = self.release == Release::V5_5_3;
        match seen.method.as_str() {
            "GET" | "HEAD" => {
                let content = self.files.lock().unwrap_or_else(PoisonError::into_inner).get(&path).cloned();
                match content {
                    _ if !granted => {
                        let body = format!("Unable to open {path}; permission denied");
                        self.refuse(stream, seen, "403 Forbidden", &body).await
                    }
                    content => {
                        if let Some(answer) = self.look_up(seen, &path, content.as_ref(), same) {
                            return self.send(stream, seen, answer).await;
                        }
                        let body = format!("Unable to open {path}; no such file or directory");
                        self.refuse(stream, seen, "404 Not Found", &body).await
                    }
                }
            }
            "PROPFIND" if !granted => {
                let body = format!("Unable to locate {path}; permission denied");
                self.refuse(stream, seen, "403 Forbidden", &body).await
            }
            "OPTIONS" => self.say(stream, seen, "200 OK", After::Keep, &["DAV: 1".to_owned()], b"").await,
            "PUT" | "DELETE" | "MKCOL" if !granted => {
                // It says `Keep-Alive` and closes all the same after a refused body.
                let body = format!("Unable to create {path}; permission denied");
                self.say(stream, seen, "403 Forbidden", After::Keep, &[], body.as_bytes()).await
            }
            "PUT" => {
                self.files
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(path.clone(), seen.body.clone());
                let status = if old { "200 OK" } else { "201 Created" };
                self.say(stream, seen, status, After::Keep, &[], b":-)").await
            }
            "DELETE" => self.say(stream, seen, "200 OK", After::Keep, &[], b":-)").await,
            "MKCOL" => {
                let status = if old { "201 Unknown" } else { "201 Created" };
                self.say(stream, seen, status, After::Keep, &[], b":-)").await
            }
            "COPY" if !granted => {
                let body = format!("Unable to create {path}; permission denied");
                let status = if old { "401 Unknown" } else { "403 Forbidden" };
                self.say(stream, seen, status, After::Keep, &[], body.as_bytes()).await
            }
            "COPY" => {
                let (status, end) = match seen.header("Source") {
                    Some(source) if source.contains("refused") => ("201 Created", "failure: 403 Forbidden"),
                    _ if old => ("201 Created", "success: Created"),
                    _ => ("202 Accepted", "success: Created"),
                };
                let body = format!("Perf Marker\n Timestamp: 1795321029\n Stripe Index: 0\nEnd\n{end}\n");
                self.say(stream, seen, status, After::Keep, &[], body.as_bytes()).await
            }
            _ => self.refuse(stream, seen, "501 Unknown", "Request not supported.").await,
        }
    }

    /// What a file or a directory says to `GET` and `HEAD`; `None` where there is neither.
    fn look_up(
        &self,
        seen: &Seen,
        path: &str,
        content: Option<&Bytes>,
        same: impl Fn(&str, &str) -> bool,
    ) -> Option<Answer> {
        let header = |wanted: &str| {
            let header = seen.headers.iter().rev().find(|(name, _)| same(name, wanted));
            header.map(|(_, value)| value.as_str())
        };
        let question = Question {
            release: self.release,
            is_head: seen.method == "HEAD",
            range: header("Range"),
            want_digest: header("Want-Digest"),
            want_repr_digest: header("Want-Repr-Digest"),
        };
        if let Some(content) = content {
            let mut stale = self.stale.lock().unwrap_or_else(PoisonError::into_inner);
            return Some(files::file(&question, content, &mut stale));
        }
        self.is_directory(path).then(|| files::directory(&question, path))
    }

    fn is_directory(&self, path: &str) -> bool {
        let below = format!("{}/", path.trim_end_matches('/'));
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.keys().any(|file| file.starts_with(&below))
    }

    /// A manager's redirect. Its address is not properly encoded, and holds the whole token.
    async fn redirect(
        &self,
        manager: &Manager,
        seen: &Seen,
        path: &str,
        same: impl Fn(&str, &str) -> bool,
        stream: &mut Box<dyn Stream>,
    ) -> io::Result<After> {
        let old = self.release == Release::V5_5_3;
        let authorization = seen.headers.iter().find(|(name, _)| same(name, "Authorization"));
        let mut query: Vec<String> = Vec::new();
        if let (Some((_, value)), true) = (authorization, manager.token_in_url) {
            query.push(format!("authz={}", value.replace(' ', "%20")));
        }
        if let Some((_, rest)) = seen.target.split_once('?') {
            query.extend(rest.split('&').filter(|pair| !pair.starts_with("authz=")).map(str::to_owned));
        }
        let path = if old { path.to_owned() } else { path.replace(' ', "%20") };
        let question = if query.is_empty() { "" } else { "?" };
        let location = format!("Location: {}{path}{question}{}", manager.data_server, query.join("&"));
        let status = match (seen.method.as_str(), old) {
            ("GET", true) => "302 Redirect",
            ("GET", false) => "302 Found",
            _ => "307 Temporary Redirect",
        };
        self.say(stream, seen, status, After::Keep, &[location], b"").await
    }

    /// An error that ends the connection.
    async fn refuse(
        &self,
        stream: &mut Box<dyn Stream>,
        seen: &Seen,
        status: &str,
        body: &str,
    ) -> io::Result<After> {
        self.say(stream, seen, status, After::Close, &[], body.as_bytes()).await
    }

    async fn say(
        &self,
        stream: &mut Box<dyn Stream>,
        seen: &Seen,
        status: &str,
        after: After,
        extra: &[String],
        body: &[u8],
    ) -> io::Result<After> {
        let refused_head = seen.method == "HEAD" && after == After::Close;
        let promised = if refused_head { 0 } else { body.len() };
        let (headers, body) = (extra.to_vec(), Bytes::copy_from_slice(body));
        let status = status.to_owned();
        self.send(stream, seen, Answer { status, after, headers, promised, body }).await
    }

    async fn send(&self, stream: &mut Box<dyn Stream>, seen: &Seen, answer: Answer) -> io::Result<After> {
        let Answer { status, mut after, headers, promised, body } = answer;
        let connection = if after == After::Close { "Close" } else { "Keep-Alive" };
        let server = if self.release == Release::V5_5_3 { "XrootD/v5.5.3" } else { "XRootD" };
        let mut text = format!("HTTP/1.1 {status}\r\nConnection: {connection}\r\nServer: {server}\r\n");
        let _ = write!(text, "Content-Length: {promised}\r\n");
        for line in &headers {
            text.push_str(line);
            text.push_str("\r\n");
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        if seen.method != "HEAD" {
            let break_off = match seen.method.as_str() {
                "GET" => self.break_off.lock().unwrap_or_else(PoisonError::into_inner).take(),
                _ => None,
            };
            let end = break_off.unwrap_or(body.len()).min(body.len());
            bytes.extend_from_slice(&body[..end]);
            if end < body.len() {
                after = After::Close;
            }
        }
        stream.write_all(&bytes).await?;
        Ok(after)
    }
}
