//! The handle of the transfer engine: a client, limits, and the state that all transfers share.

use std::sync::Arc;

use reqwest_middleware::ClientWithMiddleware;

use crate::bandwidth_limit::BandwidthLimit;
use crate::cancel::CancellationToken;
use crate::event::Reporter;
use crate::limits::TransferLimits;
use crate::retry::decision::{RetryBudget, RetryPolicy};
use crate::retry::servers::ServerHealth;
use scitoken_types::sys::SharedClock;

/// Downloads files over any client, with or without tokens.
///
/// Clones share the retry budget, the state of the servers, and the [`CancellationToken`].
///
/// ```no_run
/// use scitoken_transfer::{Download, Downloader};
/// # async fn example(client: reqwest_middleware::ClientWithMiddleware) -> Result<(), Box<dyn std::error::Error>> {
/// let downloader = Downloader::new(client);
/// let download = Download::new("https://data.example.org/run1.root".parse()?, "run1.root")?;
/// let file = downloader.download(download).await?;
/// println!("{} bytes, {:?}", file.length, file.verification);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Downloader(Arc<DownloaderParts>);

/// What clones share until one of them is changed.
#[derive(Clone, Debug)]
struct DownloaderParts {
    client: ClientWithMiddleware,
    retry: RetryPolicy,
    limits: TransferLimits,
    rate: Option<BandwidthLimit>,
    reporter: Reporter,
    clock: SharedClock,
    budget: RetryBudget,
    cancellation_token: CancellationToken,
    servers: Arc<ServerHealth>,
}

impl Downloader {
    /// Creates a downloader with default limits.
    ///
    /// XRootD before 5.7 compares header names with their usual capitals and ignores `range:` and `authorization:`;
    /// build the inner client with [`http1_title_case_headers`](reqwest::ClientBuilder::http1_title_case_headers).
    pub fn new(client: impl Into<ClientWithMiddleware>) -> Self {
        Self(Arc::new(DownloaderParts {
            client: client.into(),
            retry: RetryPolicy::default(),
            limits: TransferLimits::default(),
            rate: None,
            reporter: Reporter::none(),
            clock: SharedClock::default(),
            budget: RetryBudget::default(),
            cancellation_token: CancellationToken::default(),
            servers: Arc::default(),
        }))
    }

    fn parts(&mut self) -> &mut DownloaderParts {
        Arc::make_mut(&mut self.0)
    }

    /// Returns a downloader over another client that shares everything else.
    ///
    /// A client's connections live in the runtime that opened them, so each runtime gets its own client.
    pub fn with_client(&self, client: impl Into<ClientWithMiddleware>) -> Self {
        Self(Arc::new(DownloaderParts { client: client.into(), ..DownloaderParts::clone(&self.0) }))
    }

    /// Sets how transfers are retried.
    pub fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.parts().retry = retry;
        self
    }

    /// Sets how many retries all files may use together.
    pub fn with_budget(mut self, budget: RetryBudget) -> Self {
        self.parts().budget = budget;
        self
    }

    /// Sets how long transfers may take.
    pub fn with_limits(mut self, limits: TransferLimits) -> Self {
        self.parts().limits = limits;
        self
    }

    /// Sets how fast all downloads and uploads together may be; without it there is no limit.
    ///
    /// ```no_run
    /// # use std::num::NonZeroU64;
    /// # use scitoken_transfer::{Downloader, BandwidthLimit};
    /// # fn example(downloader: Downloader) {
    /// let rate = BandwidthLimit::new(NonZeroU64::new(50_000_000).unwrap());
    /// let downloader = downloader.with_bandwidth_limit(rate);
    /// # }
    /// ```
    pub fn with_bandwidth_limit(mut self, rate: BandwidthLimit) -> Self {
        self.parts().rate = Some(rate);
        self
    }

    /// Sets the reporter that receives events.
    pub fn with_reporter(mut self, reporter: Reporter) -> Self {
        self.parts().reporter = reporter;
        self
    }

    /// Sets the clock that servers' dates are compared with.
    pub fn with_clock(mut self, clock: impl Into<SharedClock>) -> Self {
        self.parts().clock = clock.into();
        self
    }

    /// Sets the token that cancels its transfers: with a token of its own, a part of the work can be cancelled and resumed
    /// later.
    ///
    /// ```no_run
    /// # use scitoken_transfer::{Download, Downloader, CancellationToken};
    /// # async fn example(daemon: Downloader, download: Download) {
    /// let cancellation_token = CancellationToken::default();
    /// let job = daemon.clone().with_cancellation_token(cancellation_token.clone()); // shares budget and servers
    /// let task = tokio::spawn({ let download = download.clone(); async move { job.download(download).await } });
    /// cancellation_token.cancel();
    /// assert!(task.await.unwrap().unwrap_err().is_worth_retrying());
    /// daemon.download(download).await.unwrap(); // resumes where that one stopped
    /// # }
    /// ```
    pub fn with_cancellation_token(mut self, cancellation_token: CancellationToken) -> Self {
        self.parts().cancellation_token = cancellation_token;
        self
    }

    /// Returns the token that cancels all transfers.
    pub fn cancellation_token(&self) -> &CancellationToken {
        &self.0.cancellation_token
    }

    pub(crate) fn client(&self) -> &ClientWithMiddleware {
        &self.0.client
    }

    pub(crate) fn retry(&self) -> &RetryPolicy {
        &self.0.retry
    }

    /// Returns the limits.
    pub fn limits(&self) -> &TransferLimits {
        &self.0.limits
    }

    pub(crate) fn rate(&self) -> Option<&BandwidthLimit> {
        self.0.rate.as_ref()
    }

    pub(crate) fn reporter(&self) -> &Reporter {
        &self.0.reporter
    }

    pub(crate) fn clock(&self) -> &SharedClock {
        &self.0.clock
    }

    pub(crate) fn budget(&self) -> &RetryBudget {
        &self.0.budget
    }

    pub(crate) fn servers(&self) -> &ServerHealth {
        &self.0.servers
    }
}
