//! Creates, removes and renames.

use std::sync::atomic::{AtomicBool, Ordering};

use http::header::HeaderName;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use url::Url;

use crate::address::check_url;
use crate::downloader::Downloader;
use crate::error::{FailureKind, RetryAction, TransferError};
use crate::exchange::page_answer::page_in_place_of_change;
use crate::exchange::request::{is_not_empty, require_success};
use crate::hint::TransferHint;
use crate::overwrite::Overwrite;
use crate::resource_name::ResourceName;
use crate::webdav::collection::{collection, parent};
use crate::webdav::entry::EntryKind;
use crate::webdav::method::method;
use crate::webdav::propfind::is_no_webdav;
use reqwest_scitokens::Error;
use reqwest_scitokens::auth::RedirectProblem;
use scitoken_types::SafeUrl;

const DESTINATION: HeaderName = HeaderName::from_static("destination");
const OVERWRITE: HeaderName = HeaderName::from_static("overwrite");

impl Downloader {
    /// Creates a directory (`MKCOL`, RFC 4918 section 9.3). Its parent must exist.
    ///
    /// # Errors
    /// The server refused, or [the name already exists](FailureKind::Exists).
    pub async fn make_directory(&self, url: &Url) -> Result<(), TransferError> {
        if self.ensure_directory(url).await? { Ok(()) } else { Err(TransferError::exists(&collection(url))) }
    }

    /// Creates a directory as [`make_directory`](Self::make_directory) does, unless it exists; returns whether it is new.
    ///
    /// # Errors
    /// The server refused, or [a file has the name](FailureKind::Exists).
    pub async fn ensure_directory(&self, url: &Url) -> Result<bool, TransferError> {
        check_url(url)?;
        let url = collection(url);
        match self.change(method("MKCOL"), &url, HeaderMap::new()).await {
            // A server without WebDAV gives the same answer.
            Err(failure) if failure.status() == Some(StatusCode::METHOD_NOT_ALLOWED) => {
                match Box::pin(self.describe(&url, self.deadline())).await {
                    Err(missing) if missing.kind() == FailureKind::NotFound => {
                        Err(if self.is_file(&url).await { taken_by_file(&url) } else { failure })
                    }
                    Ok(there) if there.entry.kind == EntryKind::File => Err(taken_by_file(&url)),
                    _ => Ok(false),
                }
            }
            // Apache knows no name with a slash below a file.
            Err(failure) if failure.status() == Some(StatusCode::BAD_REQUEST) && self.is_file(&url).await => {
                Err(taken_by_file(&url))
            }
            made => made.map(|()| true),
        }
    }

    /// Returns whether the name of a directory, without its slash, is that of a file.
    async fn is_file(&self, directory: &Url) -> bool {
        let mut url = directory.clone();
        url.set_path(directory.path().trim_end_matches('/'));
        let there = Box::pin(self.describe(&url, self.deadline())).await;
        there.is_ok_and(|there| there.entry.kind == EntryKind::File && there.is_certain)
    }

    /// Creates a directory and its missing parents. An existing directory is fine.
    ///
    /// ```no_run
    /// # async fn example(downloader: scitoken_transfer::Downloader) -> Result<(), Box<dyn std::error::Error>> {
    /// downloader.make_directories(&"https://h/vo/2026/run1/".parse()?).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The server refused, or a file has the name of one of the directories.
    pub async fn make_directories(&self, url: &Url) -> Result<(), TransferError> {
        check_url(url)?;
        // From the directory up to the first one whose parent exists, and down again.
        let mut missing = Vec::new();
        let mut directory = collection(url);
        while let Err(failure) = self.ensure_directory(&directory).await {
            // A parent is missing (RFC 4918 section 9.3.1); XRootD answers `404` or `500`.
            let lacks_parent = matches!(failure.status(), Some(StatusCode::CONFLICT | StatusCode::NOT_FOUND));
            let Some(parent) = parent(&directory).filter(|_| lacks_parent && missing.len() < MOST_PARENTS)
            else {
                return Err(failure);
            };
            missing.push(std::mem::replace(&mut directory, parent));
        }
        // A server that still misses a parent is not asked again: it would never end.
        for directory in missing.iter().rev() {
            self.ensure_directory(directory).await?;
        }
        Ok(())
    }

    /// Removes a file. What is or may be a directory is refused, since `DELETE` removes a directory with all its contents
    /// (RFC 4918 section 9.6.1).
    ///
    /// ```no_run
    /// # async fn example(downloader: scitoken_transfer::Downloader) -> Result<(), Box<dyn std::error::Error>> {
    /// downloader.remove_file(&"https://h/vo/old.root".parse()?).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The server refused, the file does not exist, or the server does not say whether it is a file.
    pub async fn remove_file(&self, url: &Url) -> Result<(), TransferError> {
        check_url(url)?;
        if url.path().ends_with('/') {
            return Err(not_a_file(url, "is a directory"));
        }
        match Box::pin(self.describe(url, self.deadline())).await {
            Ok(there) if there.entry.kind == EntryKind::Directory => {
                return Err(not_a_file(url, "is a directory"));
            }
            Ok(there) if there.is_certain => {}
            Ok(_) => return Err(not_a_file(url, "may be a directory: the server does not say")),
            Err(failure) if is_about_token(&failure) => return Err(failure),
            Err(failure)
                if is_no_webdav(&failure)
                    || matches!(failure.kind(), FailureKind::Refused | FailureKind::Rejected) =>
            {
                return Err(
                    not_a_file(url, "may be a directory: the server does not say").with_source(failure)
                );
            }
            Err(failure) => return Err(failure),
        }
        self.change(Method::DELETE, url, HeaderMap::new()).await.map_err(|failure| {
            if is_own_collection(&failure, url) {
                not_a_file(url, "is a directory").with_source(failure)
            } else {
                failure
            }
        })
    }

    /// Removes a file, or a directory with all its contents.
    ///
    /// # Errors
    /// The server refused, or it does not exist.
    pub async fn remove_recursively(&self, url: &Url) -> Result<(), TransferError> {
        check_url(url)?;
        // A collection is named with a trailing slash (RFC 4918 section 5.2).
        let is_directory = !url.path().ends_with('/')
            && Box::pin(self.describe(url, self.deadline()))
                .await
                .is_ok_and(|there| there.entry.kind == EntryKind::Directory);
        let url = if is_directory { collection(url) } else { url.clone() };
        match self.change(Method::DELETE, &url, HeaderMap::new()).await {
            // XRootD removes empty directories only.
            Err(failure) if is_not_empty(&failure) => Box::pin(self.remove_with_contents(&url)).await,
            // The server has a directory of that name, and says so by a redirect.
            Err(failure) if is_own_collection(&failure, &url) => {
                self.change(Method::DELETE, &collection(&url), HeaderMap::new()).await
            }
            removed => removed,
        }
    }

    /// Removes what is below a directory and the directory itself, one request for each, the deepest first.
    async fn remove_with_contents(&self, directory: &Url) -> Result<(), TransferError> {
        let mut directories = vec![collection(directory)];
        let mut walk = self.walk(directory.clone()).with_any_names();
        while let Some(found) = walk.next().await {
            let entry = found?.entry;
            match entry.kind {
                EntryKind::File => self.change(Method::DELETE, &entry.url, HeaderMap::new()).await?,
                EntryKind::Directory => directories.push(collection(&entry.url)),
            }
        }
        for directory in directories.iter().rev() {
            self.change(Method::DELETE, directory, HeaderMap::new()).await?;
        }
        Ok(())
    }

    /// Renames a file or directory on one server (`MOVE`, RFC 4918 section 9.9).
    ///
    /// ```no_run
    /// use scitoken_transfer::Overwrite;
    ///
    /// # async fn example(downloader: scitoken_transfer::Downloader) -> Result<(), Box<dyn std::error::Error>> {
    /// let (from, to) = ("https://h/vo/a".parse()?, "https://h/vo/b".parse()?);
    /// downloader.rename(&from, &to, Overwrite::Refuse).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The server refused, `from` does not exist, or [`to` exists](FailureKind::Exists) and must not be replaced.
    pub async fn rename(&self, from: &Url, to: &Url, overwrite: Overwrite) -> Result<(), TransferError> {
        check_url(from)?;
        check_url(to)?;
        let same_server = (from.scheme(), from.host_str(), from.port_or_known_default())
            == (to.scheme(), to.host_str(), to.port_or_known_default());
        if !same_server {
            let message = format!("cannot rename `{}` to another server", SafeUrl::new(from));
            return Err(TransferError::new(FailureKind::Usage, RetryAction::GiveUp, message));
        }
        if ResourceName::of(from) == ResourceName::of(to) {
            let message = format!("`{}` is both the source and the target", SafeUrl::new(from));
            return Err(TransferError::new(FailureKind::Usage, RetryAction::GiveUp, message));
        }
        let there = Box::pin(self.describe(from, self.deadline())).await?.entry;
        let (from, to) = match there.kind {
            EntryKind::Directory => (collection(from), collection(to)),
            EntryKind::File => (from.clone(), to.clone()),
        };
        if there.kind == EntryKind::Directory && ResourceName::of(&to).is_below(&ResourceName::of(&from)) {
            let (from, to) = (SafeUrl::new(&from), SafeUrl::new(&to));
            let message = format!("`{to}` is below `{from}`: a directory cannot be moved into itself");
            return Err(TransferError::new(FailureKind::Usage, RetryAction::GiveUp, message));
        }
        self.refuse_target(&to, overwrite).await?;
        let mut headers = HeaderMap::new();
        let destination = HeaderValue::try_from(to.as_str()).map_err(|_| {
            let message = format!("cannot name `{}` in a header", SafeUrl::new(&to));
            TransferError::new(FailureKind::Usage, RetryAction::GiveUp, message)
        })?;
        headers.insert(DESTINATION, destination);
        let replaces = if overwrite == Overwrite::Allow { "T" } else { "F" };
        headers.insert(OVERWRITE, HeaderValue::from_static(replaces));
        match self.change_or_infer(method("MOVE"), &from, headers).await {
            // The answer was lost, and the source is gone: then the target is there.
            Ok(Change::Inferred) => Box::pin(self.describe(&to, self.deadline())).await.map(drop),
            Ok(Change::Confirmed) => Ok(()),
            Err(failure)
                if overwrite == Overwrite::Refuse
                    && failure.status() == Some(StatusCode::PRECONDITION_FAILED) =>
            {
                Err(TransferError::exists(&to))
            }
            Err(failure) => Err(failure),
        }
    }

    /// Refuses a target that exists, which some servers replace in spite of `Overwrite: F`. A directory is never replaced:
    /// that would remove it with all its contents (RFC 4918 section 9.9.3).
    async fn refuse_target(&self, to: &Url, overwrite: Overwrite) -> Result<(), TransferError> {
        match Box::pin(self.describe(to, self.deadline())).await {
            Ok(there) if there.entry.kind == EntryKind::Directory => {
                let message = format!("`{}` is a directory that already exists", SafeUrl::new(to));
                Err(TransferError::new(FailureKind::Exists, RetryAction::GiveUp, message)
                    .with_hint(TransferHint::MoveIntoDirectory))
            }
            Ok(_) if overwrite == Overwrite::Allow => Ok(()),
            Ok(_) => Err(TransferError::exists(to)),
            Err(failure) if matches!(failure.kind(), FailureKind::NotFound | FailureKind::Refused) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    async fn change(&self, method: Method, url: &Url, headers: HeaderMap) -> Result<(), TransferError> {
        self.change_or_infer(method, url, headers).await.map(drop)
    }

    async fn change_or_infer(
        &self,
        method: Method,
        url: &Url,
        headers: HeaderMap,
    ) -> Result<Change, TransferError> {
        let deadline = self.deadline();
        // An attempt whose response was lost may have succeeded; the next one then finds the result.
        let was_lost = AtomicBool::new(false);
        let attempt = || async {
            let answer = self.send(method.clone(), url, headers.clone(), deadline).await;
            let response = answer.inspect_err(|_| was_lost.store(true, Ordering::Relaxed))?;
            let done = match method {
                Method::DELETE => StatusCode::NOT_FOUND,
                _ if method == "MOVE" => StatusCode::NOT_FOUND,
                _ => StatusCode::METHOD_NOT_ALLOWED,
            };
            if response.status() == done && was_lost.load(Ordering::Relaxed) {
                return Ok(Change::Inferred);
            }
            // A gateway may have lost the answer of the server behind it.
            was_lost.fetch_or(response.status().is_server_error(), Ordering::Relaxed);
            let mut response = require_success(response, url, self.now()).await?;
            if let Some(page) = page_in_place_of_change(url, &mut response).await {
                return Err(page);
            }
            match response.status() {
                StatusCode::MULTI_STATUS => {
                    self.check_report(url, response, deadline).await.map(|()| Change::Confirmed)
                }
                _ => Ok(Change::Confirmed),
            }
        };
        Box::pin(self.with_retries(url, None, attempt, deadline)).await
    }
}

/// How a change is known to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// The server said so.
    Confirmed,
    /// An answer was lost, and a repeat found nothing left to do.
    Inferred,
}

/// The most parents that are created at once.
const MOST_PARENTS: usize = 100;

/// Whether the server would refuse any request like this one: it wants a token, or another one.
fn is_about_token(failure: &TransferError) -> bool {
    let has_explanation = failure.explanation().is_some();
    failure.not_attached().is_some()
        || (failure.status() == Some(StatusCode::UNAUTHORIZED) && has_explanation)
}

/// Whether the server redirected the `DELETE` of a URL to the same with a slash: it has a directory of that name.
fn is_own_collection(failure: &TransferError, url: &Url) -> bool {
    let problem = Error::find(failure).and_then(Error::redirect_problem);
    let own = SafeUrl::new(&collection(url)).to_string();
    matches!(problem, Some(RedirectProblem::ToCollection { next }) if *next == own)
}

fn taken_by_file(directory: &Url) -> TransferError {
    let message = format!("`{}` already exists, and is a file", SafeUrl::new(directory));
    TransferError::new(FailureKind::Exists, RetryAction::GiveUp, message)
}

fn not_a_file(url: &Url, what: &str) -> TransferError {
    let message = format!("`{}` {what}", SafeUrl::new(url));
    TransferError::new(FailureKind::Usage, RetryAction::GiveUp, message)
        .with_hint(TransferHint::RemoveRecursively)
}
