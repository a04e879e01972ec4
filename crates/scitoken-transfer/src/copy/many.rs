//! Many copies at once, and the copy of a directory tree.

use std::num::NonZeroUsize;
use std::path::{Component, PathBuf};

use http::Method;
use tokio::task::JoinSet;
use url::Url;

use crate::copy::copier::Copier;
use crate::copy::job::{Copied, RemoteCopy};
use crate::error::{FailureKind, RetryAction, TransferError};
use crate::event::FileNumber;
use crate::name::file_name::file_name;
use crate::resource_name::ResourceName;
use crate::webdav::collection::collection;
use crate::webdav::entry::EntryKind;
use crate::webdav::walk::WalkEntry;
use scitoken_types::SafeUrl;

/// Copies that run at the same time.
struct Running<'d> {
    copier: &'d Copier,
    parallel: NonZeroUsize,
    tasks: JoinSet<(Url, Result<Copied, TransferError>)>,
    done: &'d mut (dyn FnMut(&Url, Result<Copied, TransferError>) + Send),
}

impl Running<'_> {
    /// Starts a copy once fewer than the allowed number run.
    async fn start(&mut self, copy: RemoteCopy) {
        while self.tasks.len() >= self.parallel.get() {
            self.end_one().await;
        }
        let copier = self.copier.clone();
        self.tasks.spawn(async move {
            let result = copier.copy(&copy).await;
            (copy.source, result)
        });
    }

    async fn end_one(&mut self) {
        if let Some(ended) = self.tasks.join_next().await {
            let (source, result) =
                ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
            (self.done)(&source, result);
        }
    }

    async fn end_all(&mut self) {
        while !self.tasks.is_empty() {
            self.end_one().await;
        }
    }
}

impl Copier {
    /// Copies many files, up to `parallel` of them at once; `done` gets each source and its result.
    ///
    /// After a cancellation no further copy begins.
    pub async fn copy_all(
        &self,
        copies: impl IntoIterator<Item = RemoteCopy>,
        parallel: NonZeroUsize,
        mut done: impl FnMut(&Url, Result<Copied, TransferError>) + Send,
    ) {
        let mut running = self.running(parallel, &mut done);
        for copy in copies {
            if self.is_cancelled() {
                break;
            }
            running.start(copy).await;
        }
        running.end_all().await;
    }

    /// Copies everything below a directory into another directory, which is created with its parents where it is missing. A
    /// file in place of the directory is copied as one.
    ///
    /// A directory is not copied into itself ([`FailureKind::Usage`]).
    ///
    /// `prepare` sets what each [`RemoteCopy`] needs besides its URLs and its number, which counts from `first`. `done`
    /// gets each file, and each directory that cannot be listed or created, with its result. Returns the number of files.
    ///
    /// ```no_run
    /// use std::num::NonZeroUsize;
    /// use scitoken_transfer::FileNumber;
    /// use scitoken_transfer::copy::CopyMode;
    ///
    /// # async fn example(copier: scitoken_transfer::copy::Copier) -> Result<(), Box<dyn std::error::Error>> {
    /// let (from, to) = ("https://a.example.org/run1/".parse()?, "https://b.example.org/run1/".parse()?);
    /// let at_once = NonZeroUsize::new(4).expect("not zero");
    /// let as_pull = |copy: scitoken_transfer::copy::RemoteCopy| copy.with_mode(CopyMode::Pull);
    /// copier
    ///     .copy_tree(&from, &to, FileNumber(0), at_once, as_pull, |url, result| match result {
    ///         Ok(copied) => println!("{url}: {} bytes", copied.length),
    ///         Err(error) => eprintln!("{url}: {error}"),
    ///     })
    ///     .await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn copy_tree(
        &self,
        source: &Url,
        destination: &Url,
        first: FileNumber,
        parallel: NonZeroUsize,
        prepare: impl Fn(RemoteCopy) -> RemoteCopy,
        mut done: impl FnMut(&Url, Result<Copied, TransferError>) + Send,
    ) -> u64 {
        if let Err(failure) = self.check_tree(source, destination).await {
            done(source, Err(failure));
            return 0;
        }
        if let Some(target) = self.target_of_file(source, destination).await {
            let mut running = self.running(parallel, &mut done);
            match target.and_then(|target| RemoteCopy::new(source.clone(), target)) {
                Ok(copy) => running.start(prepare(copy).with_number(first)).await,
                Err(failure) => (running.done)(source, Err(failure)),
            }
            running.end_all().await;
            return 1;
        }
        let (source, destination) = (collection(source), collection(destination));
        if let Err(failure) = Box::pin(self.destination.downloader.make_directories(&destination)).await {
            done(&destination, Err(failure));
            return 0;
        }
        let mut running = self.running(parallel, &mut done);
        let mut files = 0;
        let mut walk = self.source.downloader.walk(source.clone());
        while let Some(found) = walk.next().await {
            if self.is_cancelled() {
                break;
            }
            let found = match found {
                Ok(found) => found,
                Err(failure) => {
                    (running.done)(&source, Err(failure));
                    continue;
                }
            };
            let url = match below(&destination, &found) {
                Ok(url) => url,
                Err(failure) => {
                    (running.done)(&found.entry.url, Err(failure));
                    continue;
                }
            };
            if found.entry.kind == EntryKind::Directory {
                if let Err(failure) = Box::pin(self.destination.downloader.make_directories(&url)).await {
                    (running.done)(&url, Err(failure));
                }
                continue;
            }
            match RemoteCopy::new(found.entry.url.clone(), url) {
                Ok(copy) => {
                    let number = FileNumber(first.0.saturating_add(files));
                    files += 1;
                    running.start(prepare(copy).with_number(number)).await;
                }
                Err(failure) => (running.done)(&found.entry.url, Err(failure)),
            }
        }
        running.end_all().await;
        files
    }

    /// Refuses to copy a directory into itself: each copy would be listed, and copied in turn.
    async fn check_tree(&self, source: &Url, destination: &Url) -> Result<(), TransferError> {
        let (from, to) = (ResourceName::of(source), ResourceName::of(destination));
        if from == to || to.is_below(&from) {
            let (source, destination) = (SafeUrl::new(source), SafeUrl::new(destination));
            let message = format!("cannot copy `{source}` into itself, to `{destination}`");
            return Err(TransferError::new(FailureKind::Usage, RetryAction::GiveUp, message));
        }
        self.check_tokens(source, destination).await
    }

    /// Checks the tokens for two URLs, before a server is asked. Each copy does so as well.
    ///
    /// # Errors
    /// [`FailureKind::NoToken`] when one of them is not valid now, or cannot be read.
    pub async fn check_tokens(&self, source: &Url, destination: &Url) -> Result<(), TransferError> {
        let downloader = &self.source.downloader;
        let read = || async { self.read_tokens(source, destination).await.map(drop) };
        Box::pin(downloader.with_retries(source, None, read, downloader.deadline())).await
    }

    /// Returns where a file goes whose URL was given for a directory; `None` for what is none.
    async fn target_of_file(&self, source: &Url, destination: &Url) -> Option<Result<Url, TransferError>> {
        if source.path().ends_with('/') {
            return None;
        }
        let downloader = &self.source.downloader;
        let described = Box::pin(downloader.describe(source, downloader.deadline())).await.ok()?;
        if described.entry.kind != EntryKind::File || !described.is_certain {
            return None;
        }
        if !destination.path().ends_with('/') {
            return Some(Ok(destination.clone()));
        }
        let path = file_name(source).map(PathBuf::from).map_err(|error| {
            let message = format!("`{}` has no usable name", SafeUrl::new(source));
            TransferError::new(FailureKind::Usage, RetryAction::GiveUp, message).with_source(error)
        });
        let entry = described.entry;
        Some(path.and_then(|path| below(destination, &WalkEntry { entry, path })))
    }

    /// Creates a directory at the destination, and its missing parents, with the destination's token.
    ///
    /// # Errors
    /// As [`Downloader::make_directories`](crate::Downloader::make_directories); [`FailureKind::NoToken`] when the token has
    /// expired.
    pub async fn make_directories(&self, url: &Url) -> Result<(), TransferError> {
        let downloader = &self.destination.downloader;
        let read = || async {
            self.destination.tokens.token_for(url, &Method::PUT, downloader.now()).await.map(drop)
        };
        Box::pin(downloader.with_retries(url, None, read, downloader.deadline())).await?;
        Box::pin(self.destination.downloader.make_directories(url)).await
    }

    fn running<'d>(
        &'d self,
        parallel: NonZeroUsize,
        done: &'d mut (dyn FnMut(&Url, Result<Copied, TransferError>) + Send),
    ) -> Running<'d> {
        Running { copier: self, parallel, tasks: JoinSet::new(), done }
    }

    fn is_cancelled(&self) -> bool {
        self.destination.downloader.cancellation_token().is_cancelled()
    }
}

/// Returns the URL of an entry below the destination.
fn below(destination: &Url, found: &WalkEntry) -> Result<Url, TransferError> {
    let mut url = destination.clone();
    let unusable = || {
        let message = format!("skipped `{}`: its name cannot be written", SafeUrl::new(&found.entry.url));
        TransferError::new(FailureKind::Usage, RetryAction::GiveUp, message)
    };
    let mut segments = url.path_segments_mut().map_err(|()| unusable())?;
    segments.pop_if_empty();
    for component in found.path.components() {
        match component {
            Component::Normal(name) => segments.push(name.to_str().ok_or_else(unusable)?),
            _ => return Err(unusable()),
        };
    }
    drop(segments);
    Ok(url)
}
