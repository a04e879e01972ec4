//! The handle of third-party copies, and the order in which the ways of a copy are tried.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use http::{HeaderMap, Method};
use reqwest_scitokens::SharedTokenSource;
use scitoken_types::{Origin, SafeUrl};
use tokio::time::Instant;
use url::Url;

use crate::cancel::Deadline;
use crate::copy::job::{Copied, CopyMode, CopyRoute, RemoteCopy, Streaming};
use crate::copy::record::DestinationRecord;
use crate::copy::tokens::SideTokens;
use crate::copy::transfer_header::TransferHeaderForm;
use crate::downloader::Downloader;
use crate::error::{TransferError, with_causes};
use crate::event::EventKind;
use crate::hint::TransferHint;
use crate::timings::Timings;

/// Copies files between servers; see the [module](crate::copy).
///
/// Clones share what they know about the servers.
///
/// ```no_run
/// use scitoken_transfer::Downloader;
/// use scitoken_transfer::copy::{Copier, RemoteCopy};
/// # async fn example(session: reqwest_scitokens::Session) -> Result<(), Box<dyn std::error::Error>> {
/// let copier = Copier::new(&Downloader::new(session));
/// let copy = RemoteCopy::new("https://a.example.org/f".parse()?, "https://b.example.org/f".parse()?)?;
/// let copied = copier.copy(&copy).await?;
/// println!("{} bytes by {}", copied.length, copied.route);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Copier {
    pub(crate) source: CopySide,
    pub(crate) destination: CopySide,
    forms: Arc<Mutex<HashMap<Origin, TransferHeaderForm>>>,
}

/// One of the two servers: how it is reached, and with which tokens.
#[derive(Clone, Debug)]
pub(crate) struct CopySide {
    pub(crate) downloader: Downloader,
    pub(crate) tokens: SideTokens,
}

impl CopySide {
    fn new(downloader: &Downloader, tokens: SideTokens) -> Self {
        Self { downloader: tokens.apply(downloader), tokens }
    }
}

impl Copier {
    /// Returns a handle that reaches both servers with the client of this downloader, and finds tokens by
    /// [`Discovery`](reqwest_scitokens::Discovery).
    pub fn new(downloader: &Downloader) -> Self {
        let side = CopySide::new(downloader, SideTokens::default());
        Self { source: side.clone(), destination: side, forms: Arc::default() }
    }

    /// Sets where the tokens of both sides are looked for. A token whose audience is another server is not sent.
    pub fn with_tokens(mut self, source: impl Into<SharedTokenSource>) -> Self {
        let tokens = SideTokens::Found(source.into());
        self.source = CopySide::new(&self.source.downloader, tokens.clone());
        self.destination = CopySide::new(&self.destination.downloader, tokens);
        self
    }

    /// Sets the token for the source and for no other server; whether it fits is the caller's decision.
    pub fn with_source_token(mut self, token: impl Into<SharedTokenSource>) -> Self {
        self.source = CopySide::new(&self.source.downloader, SideTokens::Given(token.into()));
        self
    }

    /// Sets the token for the destination and for no other server; whether it fits is the caller's decision.
    pub fn with_destination_token(mut self, token: impl Into<SharedTokenSource>) -> Self {
        self.destination = CopySide::new(&self.destination.downloader, SideTokens::Given(token.into()));
        self
    }

    /// Copies one file, verifies it, and removes what a failed copy left.
    ///
    /// # Errors
    /// A server refused, neither server can copy, or what the destination has is not what the source has.
    /// [`FailureKind::NoToken`](crate::FailureKind::NoToken) when a token has expired, before any server is asked.
    pub async fn copy(&self, copy: &RemoteCopy) -> Result<Copied, TransferError> {
        self.with_tokens_of(copy).copy_and_report(copy).await
    }

    /// Returns the handle with the tokens that a copy has of its own.
    fn with_tokens_of(&self, copy: &RemoteCopy) -> Self {
        let mut copier = self.clone();
        if let Some(token) = &copy.source_token {
            copier = copier.with_source_token(token.clone());
        }
        if let Some(token) = &copy.destination_token {
            copier = copier.with_destination_token(token.clone());
        }
        copier
    }

    async fn copy_and_report(&self, copy: &RemoteCopy) -> Result<Copied, TransferError> {
        let started = Instant::now();
        let reporter = self.destination.downloader.reporter();
        let url = SafeUrl::new(&copy.destination).to_string();
        reporter.send(copy.number, EventKind::Started { url, target: None }).await;
        let result = Box::pin(self.copy_by_any_route(copy, self.destination.downloader.deadline())).await;
        let what = match &result {
            Ok(copied) => EventKind::Finished {
                length: copied.length,
                verification: copied.verification.clone(),
                timings: Timings { total: started.elapsed(), fetched: copied.length, ..Timings::default() },
            },
            Err(failure) => EventKind::Failed {
                kind: failure.kind(),
                why: with_causes(failure),
                retryable: failure.is_worth_retrying(),
            },
        };
        reporter.send(copy.number, what).await;
        result
    }

    async fn copy_by_any_route(
        &self,
        copy: &RemoteCopy,
        deadline: Option<Deadline>,
    ) -> Result<Copied, TransferError> {
        let routes: &[CopyRoute] = match copy.mode {
            CopyMode::Auto => &[CopyRoute::Pulled, CopyRoute::Pushed],
            CopyMode::Pull => &[CopyRoute::Pulled],
            CopyMode::Push => &[CopyRoute::Pushed],
        };
        let record = DestinationRecord::default();
        let copied = self.copy_by_routes(copy, routes, &record, deadline).await;
        copied.map_err(|failure| not_resumed(record.name_remains(&copy.destination, failure)))
    }

    async fn copy_by_routes(
        &self,
        copy: &RemoteCopy,
        routes: &[CopyRoute],
        record: &DestinationRecord,
        deadline: Option<Deadline>,
    ) -> Result<Copied, TransferError> {
        let mut cannot_copy = None;
        for route in routes {
            match self.copy_by(copy, *route, record, deadline).await {
                Err(failure) if failure.hint() == Some(&TransferHint::CopyThroughThisMachine) => {
                    cannot_copy = Some(failure);
                }
                result => return result,
            }
        }
        match (copy.streaming, cannot_copy) {
            (Streaming::Never, Some(failure)) => Err(failure),
            _ => self.stream(copy, record, deadline).await,
        }
    }

    /// Returns the side that is asked for the copy.
    pub(crate) fn active_side(&self, route: CopyRoute) -> &CopySide {
        if route == CopyRoute::Pushed { &self.source } else { &self.destination }
    }

    /// Returns how a server reads the headers for the other server; it is asked once.
    pub(crate) async fn header_form(&self, active: &CopySide, url: &Url) -> TransferHeaderForm {
        let Ok(origin) = Origin::try_from(url) else { return TransferHeaderForm::default() };
        let forms = || self.forms.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = forms().get(&origin) {
            return *known;
        }
        let answer = active.downloader.send(Method::OPTIONS, url, HeaderMap::new(), None).await;
        let Ok(answer) = answer else { return TransferHeaderForm::default() };
        let form = TransferHeaderForm::of(answer.headers());
        forms().insert(origin, form);
        form
    }
}

/// Says of a failure that another copy starts from the beginning, where it says that another transfer resumes.
fn not_resumed(failure: TransferError) -> TransferError {
    match failure.hint() {
        Some(TransferHint::Resume) => failure.with_hint(TransferHint::StartAgain),
        Some(TransferHint::AllowMoreTime) => failure.with_hint(TransferHint::StartAgainWithMoreTime),
        _ => failure,
    }
}
