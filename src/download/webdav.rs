//! Listing, describing, making and removing by WebDAV (RFC 4918), as science storage speaks it.

use std::sync::atomic::{AtomicBool, Ordering};

use http::header::{ACCEPT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use url::Url;

use super::Checksum;
use super::downloader::Downloader;
use super::error::{FailureKind, Remedy, TransferError};
use super::job::check_url;
use super::multistatus;
use super::request::succeed;
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
        match Box::pin(self.propfind(url, "0")).await {
            Ok(entries) => entries.into_iter().next().ok_or_else(|| {
                TransferError::nonsense(url, Remedy::OtherSource, "answered with an empty description")
            }),
            Err(failure) if is_no_webdav(&failure) => self.stat_by_head(url).await,
            Err(failure) => Err(failure),
        }
    }

    async fn stat_by_head(&self, url: &Url) -> Result<Entry, TransferError> {
        let probe = self.probe(url, &Checksum::None).await?;
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
        let entries = Box::pin(self.propfind(url, "1")).await.map_err(|failure| {
            if is_no_webdav(&failure) {
                failure.with_hint("this server has no WebDAV, so it cannot list; name the files yourself")
            } else {
                failure
            }
        })?;
        let mut below: Vec<_> = entries.iter().filter(|entry| is_below(url, &entry.url)).cloned().collect();
        if below.is_empty() {
            let itself = entries.into_iter().filter(|entry| entry.kind == EntryKind::File);
            below.extend(itself.filter(|entry| same_path(&entry.url, url)));
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

    /// Removes a file, or a directory where the server removes those.
    ///
    /// # Errors
    /// The server refused, or does not have it.
    pub async fn remove(&self, url: &Url) -> Result<(), TransferError> {
        self.change(Method::DELETE, url).await
    }

    async fn change(&self, method: Method, url: &Url) -> Result<(), TransferError> {
        check_url(url)?;
        // An attempt whose answer was lost may have done it, and the next one then meets what it did.
        let was_lost = AtomicBool::new(false);
        let attempt = || async {
            let answer = self.send(method.clone(), url, HeaderMap::new(), None).await;
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
        Box::pin(self.with_retries(attempt, None)).await
    }

    async fn propfind(&self, url: &Url, depth: &'static str) -> Result<Vec<Entry>, TransferError> {
        self.with_retries(|| self.propfind_once(url, depth), None).await
    }

    async fn propfind_once(&self, url: &Url, depth: &'static str) -> Result<Vec<Entry>, TransferError> {
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
        let response = self.dispatch(request, url, None).await?;
        let mut response = succeed(response, url, self.now()).await?;
        if response.status() != StatusCode::MULTI_STATUS {
            return Err(no_webdav(url).with_status(response.status()));
        }
        let base = response.url().clone();
        let mut text = Vec::new();
        while let Some(chunk) =
            response.chunk().await.map_err(|error| super::request::classify(url, error.into()))?
        {
            if text.len() + chunk.len() > LARGEST_LISTING {
                return Err(TransferError::nonsense(url, Remedy::Nothing, "has a listing that does not end"));
            }
            text.extend_from_slice(&chunk);
        }
        let found = std::str::from_utf8(&text).ok().and_then(multistatus::parse);
        let found = found.ok_or_else(|| {
            TransferError::nonsense(url, Remedy::Again, "sent a listing that cannot be understood")
        })?;
        Ok(found.into_iter().filter_map(|found| entry(url, &base, found)).collect())
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
    url.set_path(there.path());
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
    let root = directory.path().trim_end_matches('/');
    let rest = url.path().strip_prefix(root).and_then(|rest| rest.strip_prefix('/'));
    rest.map(|rest| rest.trim_end_matches('/')).is_some_and(|name| !name.is_empty() && !name.contains('/'))
}

fn same_path(one: &Url, other: &Url) -> bool {
    one.path().trim_end_matches('/') == other.path().trim_end_matches('/')
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
