//! Fetching objects of federations.

use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use reqwest_middleware::ClientWithMiddleware;
use tokio::time::Instant;
use url::Url;

use crate::download::batch::RunJob;
use crate::download::downloaded::Downloaded;
use crate::download::job::Download;
use crate::download::transfer::Transfer;
use crate::downloader::Downloader;
use crate::error::{FailureKind, RetryAction, TransferError};
use crate::event::{EventKind, FileNumber};
use crate::federation::answers::below;
use crate::federation::handle::Federation;
use crate::federation::origin_fallback::OriginFallback;
use crate::federation::resolve::ResolvedObject;
use crate::federation::shared_stream::SharedStream;
use crate::federation::stale::may_succeed_elsewhere;
use crate::federation::tokens::ObjectAccess;
use crate::hint::TransferHint;
use crate::object_name::invalid_url::InvalidFederationUrl;
use crate::object_name::query::QueryKind;
use crate::object_name::url::FederationUrl;
use crate::webdav::entry::EntryKind;
use scitoken_types::SafeUrl;

impl Federation {
    /// Downloads an object to a file, from its servers as from [mirrors](Download::with_mirror).
    ///
    /// Each server is tried once; when one fails in the middle, the next one continues where a digest shows that both have
    /// the same content, and starts again otherwise. Then the director is asked again if its answer was remembered, and for
    /// the origin ([`OriginFallback`]); all servers are then tried as the downloader's retry policy says.
    ///
    /// `prepare` sets what the [`Download`] needs besides its name and its target: checksum, length, existing files.
    ///
    /// ```no_run
    /// use scitoken_transfer::federation::FederationUrl;
    ///
    /// # async fn example(
    /// #     federation: scitoken_transfer::federation::Federation,
    /// #     downloader: scitoken_transfer::Downloader,
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// let url: FederationUrl = "osdf:///ospool/uc-shared/public/f".parse()?;
    /// let checksum = "sha-256:baa7a6d36ffa957552df230235c2d51d735f28d49c58a5f3438a3a973a25a37d".parse()?;
    /// federation.download(&downloader, &url, "f", |download| download.with_checksum(checksum)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those of [`resolve`](Self::resolve) and [`Downloader::download`]; [`FailureKind::NoToken`] before any server is
    /// asked when the namespace requires a token and none fits.
    pub async fn download(
        &self,
        downloader: &Downloader,
        url: &FederationUrl,
        target: impl Into<PathBuf>,
        prepare: impl FnOnce(Download) -> Download,
    ) -> Result<Downloaded, TransferError> {
        let job = prepare(Download::new(url.to_url(), target)?);
        self.for_link(url).download_job(downloader, job).await
    }

    /// Downloads an object into a stream, such as standard output, from its servers as from mirrors.
    ///
    /// Written data cannot be taken back; see [`Downloader::download_to`]. The origin is asked if nothing was written.
    ///
    /// # Errors
    /// As [`download`](Self::download).
    pub async fn download_to(
        &self,
        downloader: &Downloader,
        url: &FederationUrl,
        stream: impl Write + Send + 'static,
        prepare: impl FnOnce(Download) -> Download,
    ) -> Result<Downloaded, TransferError> {
        let job = prepare(Download::without_target(url.to_url())?);
        self.for_link(url).download_job_to(downloader, job, stream).await
    }

    /// Downloads one file: by its name in a federation, or as [`Downloader::download`] does.
    ///
    /// # Errors
    /// As [`download`](Self::download).
    pub async fn download_job(
        &self,
        downloader: &Downloader,
        job: Download,
    ) -> Result<Downloaded, TransferError> {
        let number = job.number();
        let result = match object_name(&job)? {
            Some(url) => Box::pin(self.download_in_stages(downloader, &url, job)).await,
            None => return downloader.download(job).await,
        };
        downloader.report_end(number, &result).await;
        result
    }

    /// Downloads one file into a stream: by its name in a federation, or as [`Downloader::download_to`] does.
    ///
    /// # Errors
    /// As [`download_to`](Self::download_to).
    pub async fn download_job_to(
        &self,
        downloader: &Downloader,
        job: Download,
        stream: impl Write + Send + 'static,
    ) -> Result<Downloaded, TransferError> {
        let Some(url) = object_name(&job)? else { return downloader.download_to(job, stream).await };
        let job = Download { begun: Some(Instant::now()), ..job };
        let (object, authorized) = self.resolved_and_authorized(downloader, &url).await?;
        report_located(downloader, job.number, &object, object.servers()).await;
        let stream = SharedStream::new(stream);
        let from = |object: &ResolvedObject| from_servers(&job, object.servers());
        let failure = match authorized.download_to(from(&object), stream.clone()).await {
            Err(failure) if !stream.is_written() => failure,
            ended => return ended,
        };
        if let Some(fresh) = self.resolve_after(&failure, &object, url.query_kind()).await {
            let authorized = self.authorized(downloader, &fresh, ObjectAccess::Read).await?;
            report_located(downloader, job.number, &fresh, fresh.servers()).await;
            return authorized.download_to(from(&fresh), stream).await;
        }
        let sent_token = object.namespace().requires_token() || self.shared_token.is_some();
        // The same servers refuse the same token again.
        let is_final = failure.kind() == FailureKind::Refused && sent_token;
        let origins =
            if !is_final && may_succeed_elsewhere(&failure) { self.origins(&url).await } else { Vec::new() };
        let failure = if origins.is_empty() {
            failure
        } else {
            report_located(downloader, job.number, &object, &origins).await;
            match authorized.download_to(from_servers(&job, &origins), stream).await {
                Ok(file) => return Ok(file),
                Err(failure) => failure,
            }
        };
        let failure = self.explain(failure, &authorized, &object).await;
        Err(of_public_namespace(failure, &object, sent_token))
    }

    /// Downloads many files as [`Downloader::download_all`] does, names of objects among them.
    ///
    /// # Errors
    /// As [`Downloader::download_all`].
    pub fn download_all<E>(
        &self,
        downloader: &Downloader,
        downloads: impl Iterator<Item = Download> + Send,
        parallel: NonZeroUsize,
        make_client: impl Fn() -> Result<ClientWithMiddleware, E> + Sync,
        mut done: impl FnMut(Download, Result<Downloaded, TransferError>) + Send,
    ) -> Result<(), E>
    where
        E: From<TransferError> + Send,
    {
        let run: &RunJob<'_> = &|downloader, job| {
            let federation = self.clone();
            Box::pin(async move { federation.download_job(&downloader, job).await })
        };
        downloader.run_all(downloads, parallel, make_client, run, &mut done)
    }

    /// Returns the servers of an object, and what may read from them; with a fresh answer of the director where no token
    /// fits the remembered one.
    async fn resolved_and_authorized(
        &self,
        downloader: &Downloader,
        url: &FederationUrl,
    ) -> Result<(ResolvedObject, Downloader), TransferError> {
        let object = self.resolve(url).await?;
        let failure = match self.authorized(downloader, &object, ObjectAccess::Read).await {
            Ok(authorized) => return Ok((object, authorized)),
            Err(failure) => failure,
        };
        let Some(fresh) = self.resolve_after(&failure, &object, url.query_kind()).await else {
            return Err(failure);
        };
        let authorized = self.authorized(downloader, &fresh, ObjectAccess::Read).await?;
        Ok((fresh, authorized))
    }

    /// Returns the handle with the token of a shared link as its only token.
    fn for_link(&self, url: &FederationUrl) -> Self {
        Self { shared_token: url.shared_token().cloned(), ..self.clone() }
    }

    async fn download_in_stages(
        &self,
        downloader: &Downloader,
        url: &FederationUrl,
        job: Download,
    ) -> Result<Downloaded, TransferError> {
        let begun = Instant::now();
        let mut once = downloader.retry().clone();
        once.retries = 0;
        let (mut object, mut authorized) = self.resolved_and_authorized(downloader, url).await?;
        let failure = loop {
            report_located(downloader, job.number, &object, object.servers()).await;
            let first = authorized.clone().with_retry(once.clone());
            let part = Download { begun: Some(begun), ..from_servers(&job, object.servers()) };
            let failure = match Box::pin(Transfer::to_file(first, part)).await {
                Ok(file) => return Ok(file),
                Err(failure) => failure,
            };
            match self.resolve_after(&failure, &object, url.query_kind()).await {
                // A fresh answer is not remembered, so this happens once.
                Some(fresh) => object = fresh,
                None => break failure,
            }
            authorized = self.authorized(downloader, &object, ObjectAccess::Read).await?;
        };
        // The same servers refuse the same token again. Without a token, a refusal comes from a cache that does not know the
        // namespace.
        let sent_token = object.namespace().requires_token() || self.shared_token.is_some();
        let is_final = failure.kind() == FailureKind::Refused && sent_token;
        if is_final || !may_succeed_elsewhere(&failure) {
            return Err(failure);
        }
        let failure = of_public_namespace(failure, &object, sent_token);
        let mut servers = self.origins(url).await;
        let origins = servers.len();
        // Caches that ask for a longer wait than is allowed are not asked again before it has passed.
        let is_left = |server: &&Url| downloader.servers().is_left(server, Instant::now());
        for server in object.servers().iter().filter(|server| !is_left(server)) {
            if !servers.contains(server) {
                servers.push(server.clone());
            }
        }
        if servers.is_empty() {
            return Err(failure);
        }
        report_located(downloader, job.number, &object, &servers).await;
        let rest = Download { begun: Some(begun), origins, ..from_servers(&job, &servers) };
        match Box::pin(Transfer::to_file(authorized.clone(), rest)).await {
            Ok(file) => Ok(file),
            Err(failure) => {
                let failure = self.explain(failure, &authorized, &object).await;
                let failure = of_public_namespace(failure, &object, sent_token);
                Err(no_server_left(failure, &object, servers.len()))
            }
        }
    }

    /// Says that the name is that of a collection, where the server that lists the namespace knows it as one.
    async fn explain(
        &self,
        failure: TransferError,
        authorized: &Downloader,
        object: &ResolvedObject,
    ) -> TransferError {
        let may_be_collection = matches!(
            failure.kind(),
            FailureKind::NotFound | FailureKind::WrongContent | FailureKind::Rejected
        );
        let Some(base) = object.namespace().collections_url().filter(|_| may_be_collection) else {
            return failure;
        };
        let mut once = authorized.retry().clone();
        once.retries = 0;
        let listing = authorized.clone().with_retry(once);
        match listing.describe(&below(base, object.url().path()), listing.deadline()).await {
            Ok(entry) if entry.entry.kind == EntryKind::Directory => {
                let message = format!("`{}` is a collection, not an object", object.url());
                TransferError::new(FailureKind::Usage, RetryAction::GiveUp, message)
                    .with_hint(TransferHint::DownloadRecursively)
            }
            _ => failure,
        }
    }

    /// Returns the origins of an object, where the namespace and the settings allow to read from them.
    async fn origins(&self, url: &FederationUrl) -> Vec<Url> {
        let is_direct = url.query_kind() == QueryKind::ReadDirectly;
        if is_direct || self.origin_fallback == OriginFallback::Never {
            return Vec::new();
        }
        match self.resolve_origins(url).await {
            Ok(origins) => origins.servers().to_vec(),
            Err(_) => Vec::new(),
        }
    }
}

/// Reports which servers are tried for an object.
pub(crate) async fn report_located(
    downloader: &Downloader,
    number: FileNumber,
    object: &ResolvedObject,
    servers: &[Url],
) {
    let reporter = downloader.reporter();
    if reporter.is_listened_to() {
        let servers = servers.iter().map(|server| SafeUrl::new(server).to_string()).collect();
        let (object, remembered) = (object.url().to_string(), object.is_remembered());
        reporter.send(number, EventKind::Located { object, servers, remembered }).await;
    }
}

/// Says that no token was sent because the director calls the namespace public, and that a server does not know that.
fn of_public_namespace(failure: TransferError, object: &ResolvedObject, sent_token: bool) -> TransferError {
    if failure.kind() != FailureKind::Refused || sent_token {
        return failure;
    }
    let prefix = object.namespace().prefix();
    let message = format!(
        "a server refused although the director calls the namespace `{prefix}` public: no token was sent"
    );
    failure.wrapped(message).with_hint(TransferHint::AskServerOfPublicNamespace)
}

/// Says that all servers of an object failed, where the last one is not the reason.
fn no_server_left(failure: TransferError, object: &ResolvedObject, tried: usize) -> TransferError {
    let is_down = matches!(failure.kind(), FailureKind::Connect | FailureKind::Timeout | FailureKind::Server);
    // A wait that they ask for says more.
    let is_alone = tried < 2 || failure.retry_after().is_some();
    if !is_down || is_alone || failure.retry_action() == RetryAction::GiveUp {
        return failure;
    }
    failure
        .wrapped(format!("none of the {tried} servers of `{}` delivers it; the last failure", object.url()))
        .with_hint(TransferHint::AskOtherServers)
}

/// Returns the name of the object, if the first URL of the download is one.
fn object_name(job: &Download) -> Result<Option<FederationUrl>, TransferError> {
    if !FederationUrl::has_scheme(job.url().as_str()) {
        return Ok(None);
    }
    let invalid = |error: InvalidFederationUrl| {
        TransferError::new(FailureKind::Usage, RetryAction::GiveUp, error.to_string())
    };
    FederationUrl::try_from(job.url()).map(Some).map_err(invalid)
}

/// Returns the download from these servers and from the mirrors that the caller added to the name.
fn from_servers(job: &Download, servers: &[Url]) -> Download {
    let mut sources = servers.to_vec();
    sources.extend(job.sources.iter().skip(1).cloned());
    let object = Some(job.url().clone());
    Download { sources, object, is_federated: true, ..job.clone() }
}
