//! Objects of Pelican federations, read from the servers that the director names.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    BackoffConfig, GetOptions, GetRange, GetResult, ObjectMeta, ObjectStore as _, ObjectStoreExt as _,
    Result, RetryConfig,
};
use reqwest_middleware::ClientWithMiddleware;
use scitoken_transfer::federation::{Federation, FederationUrl};
use scitoken_transfer::{Checksum, Digest};
use scitoken_types::{Origin, SafeUrl};
use url::Url;

use crate::answer::{self, KnownLength};
use crate::connector::http_store;
use crate::error::{of_transfer, unexpected};
use crate::location::url_of;
use crate::payload::{empty, in_memory_if_short, with_data};
use crate::preconditions;
use crate::server_state::ServerStates;
use crate::service::{AskDigest, OfferedDigest};
use crate::several::CameFrom;
use crate::verify::whole;

/// How often a server is asked again before the next one.
const RETRIES_OF_A_SERVER: usize = 1;

/// The objects below one name of a federation.
#[derive(Debug)]
pub(crate) struct FederationObjects {
    pub(crate) federation: Federation,
    pub(crate) client: ClientWithMiddleware,
    base: FederationUrl,
    checksum: Arc<Checksum>,
    retry: RetryConfig,
    /// How changes are repeated at their server, which is the only one.
    pub(crate) retry_of_changes: RetryConfig,
    pub(crate) states: Arc<ServerStates>,
}

/// One object at the servers that have it.
struct ObjectServers {
    location: Path,
    client: ClientWithMiddleware,
    retry: RetryConfig,
    states: Arc<ServerStates>,
    /// Those that were not asked yet.
    rest: std::vec::IntoIter<Url>,
}

impl FederationObjects {
    pub(crate) fn new(federation: Federation, client: ClientWithMiddleware, base: FederationUrl) -> Self {
        let backoff = BackoffConfig { init_backoff: Duration::from_millis(100), ..BackoffConfig::default() };
        let retry = RetryConfig { backoff, max_retries: RETRIES_OF_A_SERVER, ..RetryConfig::default() };
        let checksum = Arc::new(Checksum::Auto);
        let retry_of_changes = RetryConfig::default();
        Self { federation, client, base, checksum, retry, retry_of_changes, states: Arc::default() }
    }

    /// Returns the same objects, at each server of which requests are repeated in this way.
    pub(crate) fn with_retry(&self, retry: RetryConfig) -> Self {
        Self {
            federation: self.federation.clone(),
            client: self.client.clone(),
            base: self.base.clone(),
            checksum: Arc::clone(&self.checksum),
            retry_of_changes: retry.clone(),
            retry,
            states: Arc::clone(&self.states),
        }
    }

    pub(crate) fn base(&self) -> Url {
        self.base.to_url()
    }

    pub(crate) fn base_name(&self) -> &FederationUrl {
        &self.base
    }

    pub(crate) async fn get(&self, location: &Path, mut options: GetOptions) -> Result<GetResult> {
        if let Some(range) = &options.range {
            range.is_valid().map_err(unexpected)?;
        }
        let mut servers = self.servers(location).await?;
        if let Some(open @ (GetRange::Offset(_) | GetRange::Suffix(_))) = &options.range {
            // Servers want both ends of a range.
            let meta = servers.clone_unasked().head().await?;
            let range = open.as_range(meta.size).map_err(unexpected)?;
            if range.is_empty() {
                preconditions::check(&options, &meta)?;
                return Ok(empty(meta));
            }
            options.range = Some(GetRange::Bounded(range));
        }
        if options.range.is_none() && !options.head {
            options.extensions.insert(AskDigest(Arc::clone(&self.checksum)));
        }
        let result = servers.first(&options).await?;
        preconditions::check(&options, &result.meta)?;
        if options.head {
            return Ok(result);
        }
        let is_whole = options.range.is_none();
        let result = servers.continued(result, options);
        Ok(if is_whole { whole(result) } else { result })
    }

    /// Finds the servers of an object, and the token for them.
    async fn servers(&self, location: &Path) -> Result<ObjectServers> {
        let name =
            url_of(&self.base.to_url(), location).as_str().parse::<FederationUrl>().map_err(unexpected)?;
        let failed = |failure| of_transfer(failure, location);
        let object = self.federation.resolve(&name).await.map_err(failed)?;
        let client = self.federation.client_for(&self.client, &object).await.map_err(failed)?;
        let (retry, states) = (self.retry.clone(), Arc::clone(&self.states));
        let mut rest = object.servers().to_vec();
        // Those that asked to be left alone come last, and are waited for where no other has the object.
        rest.sort_by_key(|url| states.of(url).pauses.is_paused(url));
        let rest = rest.into_iter();
        Ok(ObjectServers { location: location.clone(), client, retry, states, rest })
    }
}

impl ObjectServers {
    fn clone_unasked(&self) -> Self {
        Self {
            location: self.location.clone(),
            client: self.client.clone(),
            retry: self.retry.clone(),
            states: Arc::clone(&self.states),
            rest: self.rest.clone(),
        }
    }

    /// Describes the object, as the first server does that knows it.
    async fn head(mut self) -> Result<ObjectMeta> {
        Ok(self.first(&GetOptions::new().with_head(true)).await?.meta)
    }

    /// Returns the answer of the first server that has the object. A condition that fails is an answer.
    async fn first(&mut self, options: &GetOptions) -> Result<GetResult> {
        let mut failure = None;
        while let Some(url) = self.rest.next() {
            match self.ask(&url, options).await {
                Ok(mut result) => {
                    result.meta.location = self.location.clone();
                    if let Ok(origin) = Origin::try_from(&url) {
                        result.extensions.insert(CameFrom(origin));
                    }
                    return Ok(result);
                }
                Err(
                    error @ (object_store::Error::NotModified { .. }
                    | object_store::Error::Precondition { .. }),
                ) => return Err(error),
                Err(error) => {
                    tracing::debug!(%error, server = %SafeUrl::new(&url), "a server of the object failed");
                    failure = Some(error);
                }
            }
        }
        Err(failure.unwrap_or_else(|| unexpected("the federation names no server for the object")))
    }

    async fn ask(&self, url: &Url, options: &GetOptions) -> Result<GetResult> {
        let (is_range, object) = (options.range.is_some(), Path::default());
        let store = http_store(&self.client, url, self.retry.clone(), self.states.of(url))?;
        let mut result = match store.get_opts(&object, options.clone()).await {
            // An answer in chunks. Another request tells its length, and the data must have that.
            Err(error) if answer::is_without_length(&error) => {
                let Ok(meta) = store.head(&object).await else { return Err(error) };
                let mut options = options.clone();
                options.extensions.insert(KnownLength(meta.size));
                store.get_opts(&object, options).await?
            }
            result => result?,
        };
        if is_range {
            // A range comes from one server as a whole, or from the next one as a whole.
            result = in_memory_if_short(result).await?;
        }
        Ok(result)
    }

    /// Lets the next server continue where one fails in the middle, if it has the same content.
    fn continued(self, result: GetResult, options: GetOptions) -> GetResult {
        let content = Content::of(&result.meta, &result.extensions);
        let left = result.range.clone();
        with_data(result, |data| {
            let reading = Reading { servers: self, data, options, left, content };
            let data = futures_util::stream::try_unfold(reading, |mut reading| async move {
                Ok(reading.next().await?.map(|chunk| (chunk, reading)))
            });
            data.fuse().boxed()
        })
    }
}

/// An object that is being read.
struct Reading {
    servers: ObjectServers,
    data: BoxStream<'static, Result<Bytes>>,
    options: GetOptions,
    left: Range<u64>,
    content: Content,
}

/// What tells whether two servers have the same content: caches give an object different entity tags.
struct Content {
    size: u64,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reading {
    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            let failure = match self.data.next().await {
                Some(Ok(chunk)) => {
                    self.left.start += chunk.len() as u64;
                    return Ok(Some(chunk));
                }
                None if self.left.is_empty() => return Ok(None),
                None => unexpected("the server ended the object early"),
                Some(Err(failure)) => failure,
            };
            let range = Some(GetRange::Bounded(self.left.clone()));
            let options = GetOptions { range, ..self.options.clone() };
            match self.servers.first(&options).await {
                Ok(next) if self.content.is_that_of(&Content::of(&next.meta, &next.extensions)) => {
                    self.data = next.into_stream();
                }
                _ => return Err(failure),
            }
        }
    }
}

impl Content {
    fn of(meta: &ObjectMeta, extensions: &http::Extensions) -> Self {
        let digest = extensions.get::<OfferedDigest>().map(|OfferedDigest(digest)| digest.clone());
        Self { size: meta.size, tag: meta.e_tag.clone(), digest }
    }

    fn is_that_of(&self, other: &Self) -> bool {
        let same_digest = self.digest.is_some() && self.digest == other.digest;
        let same_tag = self.tag.as_ref().is_some_and(|tag| !tag.starts_with("W/")) && self.tag == other.tag;
        self.size == other.size && (same_digest || same_tag)
    }
}
