//! The store.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, RenameTargetMode, Result,
    RetryConfig,
};
use reqwest_middleware::ClientWithMiddleware;
use reqwest_scitokens::Session;
use scitoken_transfer::federation::{Federation, FederationUrl};
use scitoken_types::{SafeUrl, names_host};
use url::Url;

use crate::error::OpenError;
use crate::federated_directory::Change;
use crate::federation::FederationObjects;
use crate::server::directory::Directory;
use crate::server::list;
use crate::several::{self, Version};

/// How many objects are removed at a time.
const PARALLEL_REMOVALS: usize = 10;

/// An object store over WebDAV and XRootD servers, and over names in Pelican federations.
///
/// | operation | how |
/// |---|---|
/// | `get`, `get_range`, `get_ranges` | `GET`; ranges always with both ends, neighbours in one request; a whole object is compared with the digest that the server offers |
/// | `head` | `PROPFIND`, or `HEAD` where the server has no WebDAV |
/// | `list`, `list_with_delimiter` | `PROPFIND`, one directory at a time, while the answer arrives |
/// | `put` | `PUT`; missing directories are made; [`PutMode::Create`](object_store::PutMode::Create) and `Update` with `If-None-Match` and `If-Match` |
/// | `put_multipart` | one `PUT` whose body is the parts in their order, to a hidden name, then `MOVE` |
/// | `delete` | `DELETE`, never of a directory |
/// | `copy`, `rename` | `COPY`, or reading and writing where the server has none; `MOVE` |
///
/// Objects of a federation are read from the caches that its director names, in their order: when one fails, also in the
/// middle, the next one continues. Listings come from the server that lists the namespace, and changes go to the origin that
/// the director names, with a token that permits them; a namespace that does not allow them is an
/// [`object_store::Error::NotSupported`].
///
/// Some servers ignore `If-None-Match` and `If-Match` of a `PUT` (nginx, XRootD). The store looks before it writes, which
/// protects existing objects but not against another client at the same moment.
///
/// ```no_run
/// use reqwest_scitokens::Session;
/// use scitoken_object_store::ScitokenStore;
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let session = Session::new()?;
/// let server = ScitokenStore::open(&session, "https://data.example.org/vo")?;
/// let federation = ScitokenStore::open(&session, "osdf:///ospool/uc-shared/public")?;
/// # let _ = (server, federation);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ScitokenStore(Backend);

#[derive(Clone, Debug)]
enum Backend {
    Server(Arc<Directory>),
    Federation(Arc<FederationObjects>),
}

impl ScitokenStore {
    /// Opens a directory on a server, or below a name in a federation, for the scheme of the URL: `https`, `http`, `davs`
    /// and `dav`, or `osdf`, `pelican` and `stash`.
    ///
    /// # Errors
    /// The URL is malformed or has another scheme.
    pub fn open(session: &Session, url: &str) -> Result<Self, OpenError> {
        if FederationUrl::has_scheme(url) {
            let name = url.parse::<FederationUrl>();
            let name = name.map_err(|source| OpenError::Federation { url: url.to_owned(), source })?;
            let federation = Federation::new(session.http_client().clone());
            let federation = federation.with_token_source(session.token_source().clone());
            return Ok(Self::federation(federation, session.client().clone(), name));
        }
        let parsed = if names_host(url) { url.parse::<Url>() } else { Err(url::ParseError::EmptyHost) };
        let url = parsed.map_err(|source| OpenError::not_url(url, source))?;
        Self::server(session, &url)
    }

    /// Opens a directory on a server with any client.
    ///
    /// # Errors
    /// The URL has another scheme than `https`, `http`, `davs` or `dav`.
    pub fn server(client: impl Into<ClientWithMiddleware>, base: &Url) -> Result<Self, OpenError> {
        Ok(Self(Backend::Server(Arc::new(Directory::new(
            client.into(),
            base,
            RetryConfig::default(),
            Arc::default(),
        )?))))
    }

    /// Opens the names below one in a federation. Queries go through the [`Federation`], objects are read with the client.
    pub fn federation(
        federation: Federation,
        client: impl Into<ClientWithMiddleware>,
        base: FederationUrl,
    ) -> Self {
        Self(Backend::Federation(Arc::new(FederationObjects::new(federation, client.into(), base))))
    }

    /// Sets how reads and `put` are repeated: by default as `object_store` repeats them, and reads in a federation once at each
    /// server. A `put` with a condition is repeated at most twice, and only where the server was busy (429, 503).
    ///
    /// Other changes, and listings, are repeated by [`RetryPolicy`](scitoken_transfer::RetryPolicy).
    ///
    /// ```no_run
    /// use object_store::RetryConfig;
    /// use reqwest_scitokens::Session;
    /// use scitoken_object_store::ScitokenStore;
    ///
    /// # fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let once = RetryConfig { max_retries: 0, ..RetryConfig::default() };
    /// let store = ScitokenStore::open(&Session::new()?, "https://data.example.org/vo")?.with_retry(once)?;
    /// # let _ = store;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The HTTP store cannot be built.
    pub fn with_retry(self, retry: RetryConfig) -> Result<Self, OpenError> {
        Ok(Self(match self.0 {
            Backend::Server(server) => Backend::Server(Arc::new(server.with_retry(retry)?)),
            Backend::Federation(objects) => Backend::Federation(Arc::new(objects.with_retry(retry))),
        }))
    }

    /// Returns the server that changes an object.
    async fn changing(&self, location: &Path, change: Change) -> Result<Arc<Directory>> {
        match &self.0 {
            Backend::Server(server) => Ok(Arc::clone(server)),
            Backend::Federation(objects) => objects.origin(location, change).await,
        }
    }
}

impl fmt::Display for ScitokenStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = match &self.0 {
            Backend::Server(server) => server.base().clone(),
            Backend::Federation(objects) => objects.base(),
        };
        write!(f, "ScitokenStore({})", SafeUrl::new(&base))
    }
}

#[async_trait]
impl ObjectStore for ScitokenStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.changing(location, Change::Store).await?.put(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.changing(location, Change::Remove).await?.put_multipart(location).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        match &self.0 {
            Backend::Server(server) => server.get(location, options).await,
            Backend::Federation(objects) => objects.get(location, options).await,
        }
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        let version = Version::default();
        several::read(ranges, |range| async {
            let options = GetOptions::new().with_range(Some(range));
            let result = self.get_opts(location, options).await?;
            version.check(&result.meta, &result.extensions)?;
            result.bytes().await
        })
        .await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let delete = move |location: Result<Path>| {
            let store = store.clone();
            async move {
                let location = location?;
                store.changing(&location, Change::Remove).await?.delete(&location).await?;
                Ok(location)
            }
        };
        locations.map(delete).buffered(PARALLEL_REMOVALS).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match &self.0 {
            Backend::Server(directory) => list::list(Arc::clone(directory), prefix),
            Backend::Federation(objects) => Arc::clone(objects).list(prefix),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        match &self.0 {
            Backend::Server(directory) => directory.list_with_delimiter(prefix).await,
            Backend::Federation(objects) => objects.list_with_delimiter(prefix).await,
        }
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        match &self.0 {
            Backend::Server(server) => server.copy(from, to, options.mode).await,
            Backend::Federation(objects) => objects.copy(from, to, options.mode).await,
        }
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let mode = match options.target_mode {
            RenameTargetMode::Overwrite => CopyMode::Overwrite,
            RenameTargetMode::Create => CopyMode::Create,
        };
        match &self.0 {
            Backend::Server(server) => server.rename(from, to, mode).await,
            Backend::Federation(objects) => objects.rename(from, to, mode).await,
        }
    }
}
