//! A federation's handle: client, settings, and what it remembers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use reqwest_scitokens::{Discovery, SharedTokenSource};
use scitoken_types::sys::SharedClock;
use scitoken_types::{AccessToken, SingleFlight};

use crate::cancel::CancellationToken;
use crate::downloader::Downloader;
use crate::federation::answers::Answers;
use crate::federation::discovery::FederationMetadata;
use crate::federation::origin_fallback::OriginFallback;
use crate::federation::preferred::PreferredCaches;
use crate::limits::TransferLimits;
use crate::object_name::url::{FederationHost, FederationUrl};
use crate::retry::decision::RetryPolicy;

/// The host of the Open Science Data Federation.
const OSDF: &str = "osg-htc.org";
/// How many discovery documents, and how many queries at a time, are kept.
const MAX_ENTRIES: usize = 64;

/// Finds and fetches objects of Pelican federations.
///
/// Clones share what they remember. One value serves any number of federations.
///
/// ```no_run
/// use scitoken_transfer::Downloader;
/// use scitoken_transfer::federation::{Federation, FederationUrl};
/// # async fn example(session: reqwest_scitokens::Session) -> Result<(), Box<dyn std::error::Error>> {
/// let federation = Federation::new(session.http_client().clone());
/// let downloader = Downloader::new(&session);
/// let url: FederationUrl = "osdf:///ospool/uc-shared/public/file.txt".parse()?;
/// let file = federation.download(&downloader, &url, "file.txt", |download| download).await?;
/// println!("{} bytes", file.length);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Federation {
    pub(crate) queries: Downloader,
    /// Asked one after the other.
    pub(crate) tokens: Vec<SharedTokenSource>,
    pub(crate) preferred: Option<PreferredCaches>,
    pub(crate) origin_fallback: OriginFallback,
    /// The token of a shared link.
    pub(crate) shared_token: Option<AccessToken>,
    pub(crate) osdf: FederationHost,
    pub(crate) memory: Arc<Memory>,
}

#[derive(Debug, Default)]
pub(crate) struct Memory {
    documents: Mutex<HashMap<FederationHost, (FederationMetadata, SystemTime)>>,
    answers: Mutex<Answers>,
    queries: Mutex<HashMap<String, Arc<SingleFlight<()>>>>,
}

impl Federation {
    /// Returns a handle whose queries use this client.
    ///
    /// The client must not follow redirects ([`reqwest::redirect::Policy::none`]), because a director answers by
    /// redirects; [`Session::http_client`](reqwest_scitokens::Session::http_client) is such a client. It attaches no
    /// tokens. Objects are fetched with the client of the [`Downloader`] that is passed to each call.
    #[expect(clippy::missing_panics_doc, reason = "the name is a host")]
    pub fn new(http: reqwest::Client) -> Self {
        Self {
            queries: Downloader::new(http),
            tokens: vec![Discovery::new().into()],
            preferred: None,
            origin_fallback: OriginFallback::default(),
            shared_token: None,
            osdf: OSDF.parse().expect("the name is a host"),
            memory: Arc::default(),
        }
    }

    /// Sets the source of tokens for namespaces that require one; by default [`Discovery`].
    ///
    /// [`Session::token_source`](reqwest_scitokens::Session::token_source) is that of a session.
    pub fn with_token_source(mut self, source: impl Into<SharedTokenSource>) -> Self {
        self.tokens = vec![source.into()];
        self
    }

    /// Adds a source that is asked where those before it have no token that fits.
    pub fn with_further_token_source(mut self, source: impl Into<SharedTokenSource>) -> Self {
        self.tokens.push(source.into());
        self
    }

    /// Sets the host of `osdf` and `stash` URLs; by default `osg-htc.org`.
    pub fn with_osdf_host(mut self, host: FederationHost) -> Self {
        self.osdf = host;
        self
    }

    /// Sets caches that are tried before those of the director.
    pub fn with_preferred_caches(mut self, caches: PreferredCaches) -> Self {
        self.preferred = Some(caches);
        self
    }

    /// Sets whether the origin is asked when all caches fail.
    pub fn with_origin_fallback(mut self, fallback: OriginFallback) -> Self {
        self.origin_fallback = fallback;
        self
    }

    /// Sets how queries are repeated.
    pub fn with_retry(mut self, retry: RetryPolicy) -> Self {
        self.queries = self.queries.with_retry(retry);
        self
    }

    /// Sets how long a query may take.
    pub fn with_limits(mut self, limits: TransferLimits) -> Self {
        self.queries = self.queries.with_limits(limits);
        self
    }

    /// Sets the clock that the age of answers is measured with.
    pub fn with_clock(mut self, clock: impl Into<SharedClock>) -> Self {
        self.queries = self.queries.with_clock(clock);
        self
    }

    /// Sets what cancels queries.
    pub fn with_cancellation_token(mut self, token: CancellationToken) -> Self {
        self.queries = self.queries.with_cancellation_token(token);
        self
    }

    /// Returns the host of a URL's federation.
    pub fn host_of<'u>(&'u self, url: &'u FederationUrl) -> &'u FederationHost {
        url.host().unwrap_or(&self.osdf)
    }

    pub(crate) fn document(&self, host: &FederationHost) -> Option<(FederationMetadata, SystemTime)> {
        lock(&self.memory.documents).get(host).cloned()
    }

    pub(crate) fn remember_document(
        &self,
        host: &FederationHost,
        metadata: FederationMetadata,
        now: SystemTime,
    ) {
        let mut documents = lock(&self.memory.documents);
        if documents.len() >= MAX_ENTRIES
            && !documents.contains_key(host)
            && let Some(oldest) =
                documents.iter().min_by_key(|(_, (_, at))| *at).map(|(host, _)| host.clone())
        {
            documents.remove(&oldest);
        }
        documents.insert(host.clone(), (metadata, now));
    }

    pub(crate) fn answers(&self) -> MutexGuard<'_, Answers> {
        lock(&self.memory.answers)
    }

    /// Returns the queue of queries that one answer may serve all of.
    pub(crate) fn queue(&self, key: String) -> Arc<SingleFlight<()>> {
        let mut queries = lock(&self.memory.queries);
        if queries.len() >= MAX_ENTRIES {
            queries.retain(|_, queue| Arc::strong_count(queue) > 1);
        }
        Arc::clone(queries.entry(key).or_default())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
