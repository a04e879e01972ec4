//! Listing, describing, making and removing by WebDAV (RFC 4918), as science storage speaks it.

use std::borrow::Cow;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};

use http::header::{ACCEPT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use reqwest::Response;
use tokio::time::{Instant, sleep};
use url::Url;

use super::Checksum;
use super::downloader::Downloader;
use super::error::{FailureKind, Remedy, TransferError};
use super::job::check_url;
use super::multistatus;
use super::request::{classify, succeed};
use super::stop::Deadline;
use crate::SafeUrl;

/// A listing larger than this is not read: no directory has so many files, and memory has an end.
const LARGEST_LISTING: usize = 256 * 1024 * 1024;
const DEPTH: HeaderName = HeaderName::from_static("depth");

/// A file or a directory on a server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Where it is.
    pub url: Url,
    /// Whether it is a file.
    pub kind: EntryKind,
    /// A file's length.
    pub length: Option<u64>,
    /// When it was changed, as the server writes it.
    pub last_modified: Option<String>,
    /// The entity tag, with its quotes.
    pub etag: Option<String>,
}

/// What an [`Entry`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EntryKind {
    /// A file.
    File,
    /// A directory, a collection in WebDAV's words.
    Directory,
}

impl Downloader {
    /// Describes one file or directory. A server without WebDAV is asked by `HEAD`.
    ///
    /// # Errors
    /// The server refused, or does not have it.
    pub async fn stat(&self, url: &Url) -> Result<Entry, TransferError> {
        check_url(url)?;
        let deadline = self.deadline();
        match Box::pin(self.propfind(url, "0", deadline)).await {
            Ok(entries) => entries.into_iter().next().ok_or_else(|| {
                TransferError::nonsense(url, Remedy::OtherSource, "answered with an empty description")
            }),
            Err(failure) if is_no_webdav(&failure) => self.stat_by_head(url, deadline).await,
            Err(failure) => Err(failure),
        }
    }

    async fn stat_by_head(&self, url: &Url, deadline: Option<Deadline>) -> Result<Entry, TransferError> {
        let probe = Box::pin(self.probe_with_retries(url, &Checksum::None, deadline)).await?;
        Ok(Entry {
            url: url.clone(),
            kind: if url.path().ends_with('/') { EntryKind::Directory } else { EntryKind::File },
            length: probe.length,
            last_modified: probe.last_modified,
            etag: probe.etag,
        })
    }

    /// Lists a directory; a file lists itself. What leads out of the directory is left out.
    ///
    /// # Errors
    /// The server refused, does not have it, or has no WebDAV.
    pub async fn list(&self, url: &Url) -> Result<Vec<Entry>, TransferError> {
        check_url(url)?;
        let entries = Box::pin(self.propfind(url, "1", self.deadline())).await.map_err(|failure| {
            if is_no_webdav(&failure) {
                failure.with_hint("this server has no WebDAV, so it cannot list; name the files yourself")
            } else {
                failure
            }
        })?;
        let is_itself = |entry: &Entry| decoded(&entry.url) == decoded(url);
        let mut below: Vec<_> = entries.iter().filter(|entry| is_below(url, &entry.url)).cloned().collect();
        if below.is_empty() {
            if !entries.is_empty() && !entries.iter().any(is_itself) {
                let what = "sent a listing of something else";
                return Err(TransferError::nonsense(url, Remedy::OtherSource, what));
            }
            let is_file = |entry: &Entry| entry.kind == EntryKind::File;
            below.extend(entries.into_iter().filter(|entry| is_file(entry) && is_itself(entry)));
        }
        below.sort_by(|one, other| one.url.path().cmp(other.url.path()));
        below.dedup_by(|one, other| one.url == other.url);
        Ok(below)
    }

    /// Makes a directory.
    ///
    /// # Errors
    /// The server refused, or something of that name is there (`405`).
    pub async fn make_directory(&self, url: &Url) -> Result<(), TransferError> {
        self.change(method("MKCOL"), url).await
    }

    /// Removes a file, or a directory with all that is in it (RFC 4918 section 9.6.1), where the server does that.
    ///
    /// # Errors
    /// The server refused, or does not have it.
    pub async fn remove(&self, url: &Url) -> Result<(), TransferError> {
        self.change(Method::DELETE, url).await
    }

    async fn change(&self, method: Method, url: &Url) -> Result<(), TransferError> {
        check_url(url)?;
        let deadline = self.deadline();
        // An attempt whose answer was lost may have done it, and the next one then meets what it did.
        let was_lost = AtomicBool::new(false);
        let attempt = || async {
            let answer = self.send(method.clone(), url, HeaderMap::new(), deadline).await;
            let response = answer.inspect_err(|_| was_lost.store(true, Ordering::Relaxed))?;
            let done =
                if method == Method::DELETE { StatusCode::NOT_FOUND } else { StatusCode::METHOD_NOT_ALLOWED };
            if response.status() == done && was_lost.load(Ordering::Relaxed) {
                return Ok(());
            }
            let response = succeed(response, url, self.now()).await?;
            match response.status() {
                StatusCode::MULTI_STATUS => Err(TransferError::nonsense(
                    url,
                    Remedy::Nothing,
                    "did it for a part of what is below only (207)",
                )),
                _ => Ok(()),
            }
        };
        Box::pin(self.with_retries(attempt, deadline)).await
    }

    async fn propfind(
        &self,
        url: &Url,
        depth: &'static str,
        deadline: Option<Deadline>,
    ) -> Result<Vec<Entry>, TransferError> {
        self.with_retries(|| self.propfind_once(url, depth, deadline), deadline).await
    }

    async fn propfind_once(
        &self,
        url: &Url,
        depth: &'static str,
        deadline: Option<Deadline>,
    ) -> Result<Vec<Entry>, TransferError> {
        const BODY: &str = concat!(
            r#"<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop><resourcetype/>"#,
            "<getcontentlength/><getlastmodified/><getetag/></prop></propfind>"
        );
        let method = method("PROPFIND");
        let request = self
            .client()
            .request(method, url.clone())
            .header(DEPTH, HeaderValue::from_static(depth))
            .header(CONTENT_TYPE, HeaderValue::from_static("application/xml"))
            .header(ACCEPT_ENCODING, HeaderValue::from_static("identity"))
            .body(BODY);
        let response = self.dispatch(request, url, deadline).await?;
        let response = succeed(response, url, self.now()).await?;
        if response.status() != StatusCode::MULTI_STATUS {
            return Err(no_webdav(url).with_status(response.status()));
        }
        let base = response.url().clone();
        let text = self.read_listing(url, response, deadline).await?;
        let found = std::str::from_utf8(&text).ok().and_then(multistatus::parse);
        let found = found.ok_or_else(|| {
            TransferError::nonsense(url, Remedy::Again, "sent a listing that cannot be understood")
        })?;
        Ok(found.into_iter().filter_map(|found| entry(url, &base, found)).collect())
    }

    /// Reads a listing to its end, within the limits that data has.
    async fn read_listing(
        &self,
        url: &Url,
        mut response: Response,
        deadline: Option<Deadline>,
    ) -> Result<Vec<u8>, TransferError> {
        let limits = self.limits();
        let enough = limits.slowest.saturating_mul(limits.stall.as_secs().max(1));
        let mut ended = pin!(self.stopper().ended(deadline));
        let mut window = pin!(sleep(limits.stall));
        let mut in_window: u64 = 0;
        let mut text = Vec::new();
        loop {
            let chunk = tokio::select! {
                biased;
                failure = &mut ended => return Err(failure),
                chunk = response.chunk() => chunk.map_err(|error| classify(url, error.into()))?,
                () = &mut window => {
                    if in_window < enough {
                        let seconds = limits.stall.as_secs();
                        let message = format!("`{}` sent {in_window} bytes in {seconds} s", SafeUrl::new(url));
                        return Err(TransferError::new(FailureKind::Timeout, Remedy::Again, message));
                    }
                    in_window = 0;
                    window.as_mut().reset(Instant::now() + limits.stall);
                    continue;
                }
            };
            let Some(chunk) = chunk else { return Ok(text) };
            in_window += chunk.len() as u64;
            if text.len() + chunk.len() > LARGEST_LISTING {
                return Err(TransferError::nonsense(url, Remedy::Nothing, "has a listing that does not end"));
            }
            text.extend_from_slice(&chunk);
        }
    }
}

/// Puts a listing's line at the address that the user knows: behind a redirect, names are the data server's, and its
/// links may be for one use only.
fn entry(asked: &Url, base: &Url, found: multistatus::Described) -> Option<Entry> {
    // XRootD writes names raw, with blanks and UTF-8; the URL parser encodes them.
    let there = base.join(&found.href).ok()?;
    if there.host_str() != base.host_str() && there.host_str() != asked.host_str() {
        return None;
    }
    let mut url = asked.clone();
    // The server may have its own spelling (`~` or `%7E`) and, behind a redirect, its own path.
    match decoded(&there).strip_prefix(&*decoded(base)) {
        Some([]) => {}
        Some([_]) => {
            let name = there.path().trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            let slash = if there.path().ends_with('/') { "/" } else { "" };
            url.set_path(&format!("{}/{name}{slash}", asked.path().trim_end_matches('/')));
        }
        _ => url.set_path(there.path()),
    }
    url.set_fragment(None);
    Some(Entry {
        url,
        kind: if found.is_directory { EntryKind::Directory } else { EntryKind::File },
        length: found.length.filter(|_| !found.is_directory),
        last_modified: found.last_modified,
        etag: found.etag,
    })
}

/// Whether `url` is one step below `directory`.
fn is_below(directory: &Url, url: &Url) -> bool {
    decoded(url).strip_prefix(&*decoded(directory)).is_some_and(|rest| rest.len() == 1)
}

/// The parts of a path, whatever their spelling.
fn decoded(url: &Url) -> Vec<Cow<'_, [u8]>> {
    let parts = url.path().split('/').filter(|part| !part.is_empty());
    parts.map(|part| percent_encoding::percent_decode_str(part).into()).collect()
}

fn is_no_webdav(failure: &TransferError) -> bool {
    let answers = [
        StatusCode::METHOD_NOT_ALLOWED,
        StatusCode::NOT_IMPLEMENTED,
        StatusCode::OK,
        StatusCode::BAD_REQUEST,
    ];
    failure.status().is_some_and(|status| answers.contains(&status))
}

fn no_webdav(url: &Url) -> TransferError {
    let message = format!("`{}` does not answer PROPFIND", SafeUrl::new(url));
    TransferError::new(FailureKind::Rejected, Remedy::OtherSource, message)
}

/// A method of WebDAV.
fn method(name: &'static str) -> Method {
    Method::from_bytes(name.as_bytes()).expect("the name is a token")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[test]
    fn only_direct_children_are_below() {
        let root = url("https://h/vo/d");
        for (path, expected) in [
            ("/vo/d/f", true),
            ("/vo/d/sub/", true),
            ("/vo/d", false),
            ("/vo/d/", false),
            ("/vo/database", false),
            ("/vo/d/sub/f", false),
            ("/vo", false),
        ] {
            assert_eq!(is_below(&root, &url(&format!("https://h{path}"))), expected, "{path}");
        }
        assert!(is_below(&url("https://h/"), &url("https://h/f")));
    }

    #[test]
    fn a_listing_cannot_lead_to_another_host() {
        let (asked, base) = (url("https://h/vo/?authz=x"), url("https://pool:2880/vo/"));
        let described = |href: &str| multistatus::Described { href: href.to_owned(), ..Default::default() };
        let found = entry(&asked, &base, described("/vo/sp ace+é.txt")).unwrap();
        assert_eq!(found.url.as_str(), "https://h/vo/sp%20ace+%C3%A9.txt?authz=x");
        assert_eq!(entry(&asked, &base, described("https://evil/vo/f")), None);
        assert!(entry(&asked, &base, described("https://pool:2880/vo/f")).is_some());
        let escaped = entry(&asked, &base, described("/vo/../../etc/passwd")).unwrap();
        assert!(!is_below(&asked, &escaped.url));
    }
}
