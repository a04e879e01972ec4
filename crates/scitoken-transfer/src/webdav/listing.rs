//! A listing that is read while it arrives.

use std::collections::VecDeque;
use std::hash::Hash;
use std::time::Duration;

use http::StatusCode;
use reqwest::Response;
use tokio::time::Instant;
use url::Url;

use crate::cancel::Deadline;
use crate::downloader::Downloader;
use crate::error::{FailureKind, RetryAction, TransferError};
use crate::exchange::attempts::Operation;
use crate::exchange::content_coding::{codings, unrequested_coding};
use crate::exchange::request::{ServerText, classify, not_attached};
use crate::exchange::response_head;
use crate::resource_name::ResourceName;
use crate::webdav::depth_check::DepthCheck;
use crate::webdav::entry::{EntryKind, RemoteEntry};
use crate::webdav::href::{HrefMapper, Mapped};
use crate::webdav::multistatus::{Malformed, MultistatusParser, Resource};
use crate::webdav::propfind::Depth;
use crate::webdav::resumption::Resumption;
use reqwest_scitokens::auth::NotAttached;
use scitoken_types::{SafeUrl, redact};

/// The entries of a directory, one at a time, in the order of the server.
///
/// Memory grows by a few bytes for each member only. A listing that breaks off is asked for again, as the retry policy allows.
///
/// ```no_run
/// # async fn example(downloader: scitoken_transfer::Downloader) -> Result<(), Box<dyn std::error::Error>> {
/// let mut listing = downloader.open_listing(&"https://h/d/".parse()?).await?;
/// while let Some(entry) = listing.next().await {
///     println!("{}", entry?.url);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Listing {
    downloader: Downloader,
    url: Url,
    deadline: Option<Deadline>,
    body: Option<(Response, MultistatusParser)>,
    queue: VecDeque<Resource>,
    mapper: HrefMapper,
    itself: Option<RemoteEntry>,
    depth: DepthCheck,
    /// Why the request carried no token, which explains entries that are refused.
    not_attached: Option<NotAttached>,
    has_entries: bool,
    /// Whether no resource of this answer was read yet.
    is_at_start: bool,
    waited: Duration,
    in_window: u64,
    /// What continues a listing that breaks off.
    resumption: Option<Resumption>,
}

impl Listing {
    pub(crate) fn new(
        downloader: Downloader,
        url: Url,
        deadline: Option<Deadline>,
        response: Response,
    ) -> Self {
        let mapper = HrefMapper::new(&url, response.url());
        let not_attached = not_attached(&response);
        let body = Some((response, MultistatusParser::default()));
        Self {
            downloader,
            url,
            deadline,
            body,
            queue: VecDeque::new(),
            mapper,
            itself: None,
            depth: DepthCheck::default(),
            not_attached,
            has_entries: false,
            is_at_start: true,
            waited: Duration::ZERO,
            in_window: 0,
            resumption: None,
        }
    }

    /// Asks for the listing again where it breaks off, as often as the retry policy allows.
    pub(crate) fn resumed(self) -> Self {
        Self { resumption: Some(Resumption::new()), ..self }
    }

    /// Returns whether an answer before this one gave the same.
    fn was_given(&mut self, what: impl Hash) -> bool {
        self.resumption.as_mut().is_some_and(|resumption| resumption.was_given(what))
    }

    /// Opens the listing again after a failure.
    ///
    /// # Errors
    /// The failure itself, when no further attempt is allowed; else that of the last attempt.
    async fn reopen(&mut self, mut failure: TransferError) -> Result<(), TransferError> {
        let Some(resumption) = &mut self.resumption else { return Err(failure) };
        loop {
            // What came whole and cannot be read is the same the next time.
            let broke_off = matches!(failure.kind(), FailureKind::Connect | FailureKind::Timeout);
            if !broke_off || failure.retry_action() != RetryAction::Retry {
                return Err(failure);
            }
            resumption.broke_off();
            let operation = Operation {
                urls: std::slice::from_ref(&self.url),
                source: 0,
                number: None,
                is_missing_final: true,
                origins: 0,
                token_worked: true,
            };
            let next = resumption.attempts.next(&self.downloader, operation, failure).await?;
            self.downloader.pause(next.after, self.deadline).await?;
            match self.downloader.propfind(&self.url, Depth::One, self.deadline).await {
                Ok(response) => {
                    self.mapper = HrefMapper::new(&self.url, response.url());
                    self.body = Some((response, MultistatusParser::default()));
                    self.depth = DepthCheck::default();
                    self.queue.clear();
                    self.is_at_start = true;
                    (self.waited, self.in_window) = (Duration::ZERO, 0);
                    return Ok(());
                }
                Err(again) => failure = again,
            }
        }
    }

    /// Returns the next entry; `None` at the end. A file lists itself.
    ///
    /// An entry that the server reports as failed, or that is not below the directory, is an error of its own, after
    /// which the listing continues. A listing that breaks off ends with an error.
    pub async fn next(&mut self) -> Option<Result<RemoteEntry, TransferError>> {
        loop {
            let Some(resource) = self.queue.pop_front() else {
                match self.fill().await {
                    Ok(true) => continue,
                    Ok(false) => return self.last(),
                    Err(failure) => {
                        self.body = None;
                        match Box::pin(self.reopen(failure)).await {
                            Ok(()) => continue,
                            Err(failure) => {
                                self.has_entries = true;
                                return Some(Err(failure));
                            }
                        }
                    }
                }
            };
            let href = resource.href.clone();
            if let Some(status) = resource.failure {
                self.has_entries = true;
                if self.was_given((&href, status)) {
                    continue;
                }
                return Some(Err(self.failed_entry(&resource, status)));
            }
            // An empty href names the directory itself (RFC 3986 section 4.4).
            let is_first = std::mem::replace(&mut self.is_at_start, false);
            if href.is_empty() && !(is_first && resource.kind == Some(EntryKind::Directory)) {
                self.has_entries = true;
                let what = "lists an entry without a name";
                return Some(Err(TransferError::invalid_answer(&self.url, RetryAction::OtherSource, what)));
            }
            match self.mapper.map(resource) {
                Mapped::Child(entry) => {
                    self.has_entries = true;
                    self.depth.saw_member(&entry);
                    if self.was_given((ResourceName::of(&entry.url), entry.kind == EntryKind::Directory)) {
                        continue;
                    }
                    return Some(Ok(entry));
                }
                Mapped::Itself(entry) => self.itself = self.itself.take().or(Some(entry)),
                Mapped::Deeper(member) => self.depth.saw_deeper(&member, &href),
                Mapped::Outside => {
                    self.has_entries = true;
                    if self.was_given(&href) {
                        continue;
                    }
                    return Some(Err(outside(&self.url, &href)));
                }
            }
        }
    }

    /// Reads the first resource only, for a listing of depth 0: it describes the URL, whatever its href.
    pub(crate) async fn itself(mut self) -> Result<Described, TransferError> {
        while self.queue.is_empty() && self.fill().await? {}
        let Some(resource) = self.queue.pop_front() else {
            let what = "sent an empty description";
            return Err(TransferError::invalid_answer(&self.url, RetryAction::OtherSource, what));
        };
        if let Some(status) = resource.failure {
            return Err(self.failed_entry(&resource, status));
        }
        // A resource with a length is one that `GET` returns, and a slash names a collection (RFC 4918 section 5.2).
        let has_slash = resource.href.ends_with('/');
        let is_certain = match resource.kind {
            Some(EntryKind::Directory) => true,
            Some(EntryKind::File) => !has_slash,
            None => resource.length.is_some() && !has_slash,
        };
        Ok(Described { is_certain, entry: self.mapper.describe(resource) })
    }

    /// Ends the listing: a file has only itself.
    fn last(&mut self) -> Option<Result<RemoteEntry, TransferError>> {
        if let Some(href) = self.depth.next_orphan() {
            self.has_entries = true;
            let what = format!("lists `{}`, but not the directory that it is in", redact::text(&href));
            return Some(Err(TransferError::invalid_answer(&self.url, RetryAction::OtherSource, what)));
        }
        if self.has_entries {
            return None;
        }
        self.has_entries = true;
        match self.itself.take() {
            Some(entry) if entry.kind == EntryKind::File => Some(Ok(entry)),
            Some(_) => None,
            None => {
                let what = "sent an empty listing";
                Some(Err(TransferError::invalid_answer(&self.url, RetryAction::OtherSource, what)))
            }
        }
    }

    fn failed_entry(&self, resource: &Resource, status: u16) -> TransferError {
        failed_member(&self.url, resource, status, self.not_attached.as_ref())
    }

    /// Reads more. Returns `false` at the end.
    async fn fill(&mut self) -> Result<bool, TransferError> {
        let Some((mut response, mut parser)) = self.body.take() else { return Ok(false) };
        let chunk = self.chunk(&mut response).await?;
        // Apache names the coding of the described file; the listing itself is plain.
        let coding = codings(response.headers()).next();
        let malformed = |Malformed(why)| {
            if let Some(coding) = &coding {
                return unrequested_coding(&self.url, coding);
            }
            let what = format_args!("sent a malformed listing: {why}");
            TransferError::invalid_answer(&self.url, RetryAction::Retry, what)
        };
        match chunk {
            Some(chunk) => {
                self.queue.extend(parser.push(&chunk).map_err(malformed)?);
                self.body = Some((response, parser));
            }
            None => self.queue.extend(parser.finish().map_err(malformed)?),
        }
        Ok(self.body.is_some() || !self.queue.is_empty())
    }

    /// Reads the next chunk within the limits. Only the time of waiting counts.
    async fn chunk(&mut self, response: &mut Response) -> Result<Option<bytes::Bytes>, TransferError> {
        let limits = self.downloader.limits();
        let begun = Instant::now();
        let left = limits.stall.saturating_sub(self.waited);
        let chunk = tokio::select! {
            biased;
            failure = self.downloader.cancellation_token().ended_at(self.deadline, &self.url) => return Err(failure),
            chunk = tokio::time::timeout(left, response.chunk()) => chunk,
        };
        self.waited += begun.elapsed();
        if let Ok(Ok(Some(chunk))) = &chunk {
            self.in_window += chunk.len() as u64;
        }
        if self.waited >= limits.stall {
            if self.in_window < limits.enough_in_window() || chunk.is_err() {
                let (bytes, seconds) = (self.in_window, limits.stall.as_secs());
                let message = format!("`{}` sent {bytes} bytes in {seconds} s", SafeUrl::new(&self.url));
                return Err(TransferError::new(FailureKind::Timeout, RetryAction::Retry, message));
            }
            (self.waited, self.in_window) = (Duration::ZERO, 0);
        }
        match chunk {
            Ok(chunk) => chunk.map_err(|error| classify(&self.url, error.into())),
            Err(_) => Ok(Some(bytes::Bytes::new())),
        }
    }
}

/// The description of one resource.
#[derive(Debug)]
pub(crate) struct Described {
    pub(crate) entry: RemoteEntry,
    /// Whether the server says if it is a file or a directory, and does not contradict itself.
    pub(crate) is_certain: bool,
}

/// The failure of one member that the server reports inside of a `207` (RFC 4918 section 13).
pub(crate) fn failed_member(
    url: &Url,
    resource: &Resource,
    status: u16,
    not_attached: Option<&NotAttached>,
) -> TransferError {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let (kind, _) = response_head::classify_status(status);
    let reason = status.canonical_reason().map(|reason| format!(" {reason}")).unwrap_or_default();
    let (shown, href) = (SafeUrl::new(url), redact::text(&resource.href));
    let message = format!("`{shown}` reports {}{reason} for `{href}`", status.as_u16());
    let failure = TransferError::new(kind, RetryAction::OtherSource, message).with_status(status);
    let failure = match &resource.description {
        Some(words) => failure.with_source(ServerText(redact::text(words))),
        None => failure,
    };
    failure.with_not_attached(not_attached.filter(|_| kind == FailureKind::Refused).cloned())
}

fn outside(url: &Url, href: &str) -> TransferError {
    let what = format!("lists `{}`, which is not below it", redact::text(href));
    TransferError::invalid_answer(url, RetryAction::OtherSource, what)
}
