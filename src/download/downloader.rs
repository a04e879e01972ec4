//! The engine's handle: a client, limits, and what all of its files share.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use reqwest_middleware::ClientWithMiddleware;

use super::FileNumber;
use super::error::TransferError;
use super::event::{EventKind, Reporter};
use super::hosts::Hosts;
use super::job::{Download, Downloaded};
use super::output::Stream;
use super::retry::{RetryBudget, RetryPolicy};
use super::stop::Stopper;
use super::transfer::Transfer;
use crate::sys::SharedClock;

/// How long a transfer may take and stand still.
///
/// ```
/// let mut limits = reqwest_scitokens::download::Limits::default();
/// limits.streams = 4;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// How long an answer may take to begin: one minute. XRootD's managers look for a file for 20 seconds.
    pub first_byte: Duration,
    /// How long the data may come slower than [`slowest`](Self::slowest): one minute.
    pub stall: Duration,
    /// How many bytes a second are too few: less than 100.
    pub slowest: u64,
    /// How long a file may take in all, retries included; by default, as long as it needs.
    pub max_time: Option<Duration>,
    /// How many connections a file may use at once: one.
    pub streams: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            first_byte: Duration::from_secs(60),
            stall: Duration::from_secs(60),
            slowest: 100,
            max_time: None,
            streams: 1,
        }
    }
}

/// Downloads files over any client, with or without tokens.
///
/// Clones share the budget of retries, what is known about the servers, and the [`Stopper`].
///
/// ```no_run
/// use reqwest_scitokens::download::{Download, Downloader};
/// # async fn example(client: reqwest_middleware::ClientWithMiddleware) -> Result<(), Box<dyn std::error::Error>> {
/// let downloader = Downloader::new(client);
/// let download = Download::new("https://data.example.org/run1.root".parse()?, "run1.root")?;
/// let file = downloader.download(download).await?;
/// println!("{} bytes, {:?}", file.length, file.verification);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Downloader {
    client: ClientWithMiddleware,
    retry: RetryPolicy,
    limits: Limits,
    reporter: Reporter,
    clock: SharedClock,
    budget: RetryBudget,
    stopper: Stopper,
    hosts: Arc<Hosts>,
}

impl Downloader {
    /// A downloader with default limits.
    ///
    /// XRootD before 5.7 compares header names with their usual capitals and ignores `range:` and `authorization:`;
    /// build the inner client with [`http1_title_case_headers`](reqwest::ClientBuilder::http1_title_case_headers).
    pub fn new(client: ClientWithMiddleware) -> Self {
        Self {
            client,
            retry: RetryPolicy::default(),
            limits: Limits::default(),
            reporter: Reporter::none(),
            clock: SharedClock::default(),
            budget: RetryBudget::default(),
            stopper: Stopper::default(),
            hosts: Arc::default(),
        }
    }

    /// The same downloader, budget, servers and stopper over another client.
    ///
    /// A client's connections live in the runtime that opened them, so each runtime gets its own client.
    pub fn with_client(&self, client: ClientWithMiddleware) -> Self {
        Self { client, ..self.clone() }
    }

    /// Sets how transfers are retried.
    pub fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Sets how many retries all files may use together.
    pub fn with_budget(mut self, budget: RetryBudget) -> Self {
        self.budget = budget;
        self
    }

    /// Sets how long transfers may take.
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets who is told what happens.
    pub fn with_reporter(mut self, reporter: Reporter) -> Self {
        self.reporter = reporter;
        self
    }

    /// Sets the clock that dates of servers are compared with.
    pub fn with_clock(mut self, clock: impl Into<SharedClock>) -> Self {
        self.clock = clock.into();
        self
    }

    /// Sets what stops its transfers: with one of its own, a part of the work can be stopped, and gone on with later.
    ///
    /// ```no_run
    /// # use reqwest_scitokens::download::{Download, Downloader, Stopper};
    /// # async fn example(daemon: Downloader, download: Download) {
    /// let stopper = Stopper::default();
    /// let job = daemon.clone().with_stopper(stopper.clone()); // budget and servers stay common
    /// let task = tokio::spawn({ let download = download.clone(); async move { job.download(download).await } });
    /// stopper.stop();
    /// assert!(task.await.unwrap().unwrap_err().is_worth_retrying());
    /// daemon.download(download).await.unwrap(); // goes on where that one stopped
    /// # }
    /// ```
    pub fn with_stopper(mut self, stopper: Stopper) -> Self {
        self.stopper = stopper;
        self
    }

    /// What stops all transfers.
    pub fn stopper(&self) -> &Stopper {
        &self.stopper
    }

    /// Downloads one file.
    ///
    /// The file appears under its name only when it has its whole length and the right checksum. Until then, and
    /// after a failure that a later run can go on from, it is `NAME.part`, with its state in `NAME.part.json`.
    ///
    /// Dropping the future leaves what the last checkpoint wrote down; to stop in order, use the
    /// [`stopper`](Self::stopper).
    ///
    /// # Errors
    /// [`TransferError`]; its [`kind`](TransferError::kind) says what sort.
    pub async fn download(&self, download: Download) -> Result<Downloaded, TransferError> {
        let number = download.number;
        let result = Box::pin(Transfer::to_file(self.clone(), download)).await;
        self.tell_end(number, &result).await;
        result
    }

    /// Downloads one file into a stream, such as standard output.
    ///
    /// What was written cannot be taken back: a failure or a wrong checksum is known only after the data, and whoever
    /// reads the stream must look at the result before using it. A broken connection is gone on from where it is
    /// certain that the rest belongs to the start.
    ///
    /// # Errors
    /// As [`download`](Self::download).
    pub async fn download_to(
        &self,
        download: Download,
        stream: impl Write + Send + 'static,
    ) -> Result<Downloaded, TransferError> {
        let number = download.number;
        let result = Box::pin(Transfer::to_stream(self.clone(), download, Stream::new(stream))).await;
        self.tell_end(number, &result).await;
        result
    }

    async fn tell_end(&self, number: FileNumber, result: &Result<Downloaded, TransferError>) {
        let what = match result {
            Ok(file) if file.outcome == super::Outcome::Skipped => EventKind::Skipped { length: file.length },
            Ok(file) => EventKind::Finished {
                length: file.length,
                verification: file.verification.clone(),
                timings: file.timings,
            },
            Err(failure) => EventKind::Failed {
                kind: failure.kind(),
                why: super::error::in_words(failure),
                retryable: failure.is_worth_retrying(),
            },
        };
        self.reporter.send(number, what).await;
    }

    pub(super) fn client(&self) -> &ClientWithMiddleware {
        &self.client
    }

    pub(super) fn retry(&self) -> &RetryPolicy {
        &self.retry
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn reporter(&self) -> &Reporter {
        &self.reporter
    }

    pub(super) fn clock(&self) -> &SharedClock {
        &self.clock
    }

    pub(super) fn budget(&self) -> &RetryBudget {
        &self.budget
    }

    pub(super) fn hosts(&self) -> &Hosts {
        &self.hosts
    }
}
