//! Describing, listing and walking objects of federations.

use url::Url;

use crate::digest::checksum::Checksum;
use crate::digest::value::Digest;
use crate::downloader::Downloader;
use crate::error::{FailureKind, RetryAction, TransferError};
use crate::federation::answers::below;
use crate::federation::handle::Federation;
use crate::federation::resolve::ResolvedObject;
use crate::federation::tokens::ObjectAccess;
use crate::object_name::object_path::ObjectPath;
use crate::object_name::url::FederationUrl;
use crate::webdav::entry::RemoteEntry;
use crate::webdav::spool::Spool;
use crate::webdav::walk::{Reading, Walk};

/// How many object servers are asked to describe an object.
const MAX_STAT_SERVERS: usize = 3;

impl Federation {
    /// Describes an object or collection: by its object servers, then by the server that lists the namespace.
    ///
    /// # Errors
    /// The last server's; those of [`resolve`](Self::resolve).
    pub async fn stat(
        &self,
        downloader: &Downloader,
        url: &FederationUrl,
    ) -> Result<RemoteEntry, TransferError> {
        let object = self.resolve(url).await?;
        match self.stat_at(downloader, &object).await {
            Err(failure) => match self.resolve_after(&failure, &object, url.query_kind()).await {
                Some(fresh) => self.stat_at(downloader, &fresh).await,
                None => Err(failure),
            },
            described => described,
        }
    }

    /// Lists a collection; an object lists itself. Each entry comes with its name in the federation.
    ///
    /// ```no_run
    /// use scitoken_transfer::federation::FederationUrl;
    ///
    /// # async fn example(
    /// #     federation: scitoken_transfer::federation::Federation,
    /// #     downloader: scitoken_transfer::Downloader,
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// let url: FederationUrl = "osdf:///ospool/uc-shared/public/".parse()?;
    /// for (name, entry) in federation.list(&downloader, &url).await? {
    ///     println!("{name}: {:?} bytes", entry.length);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`FailureKind::Rejected`] when the namespace does not allow listings; those of [`resolve`](Self::resolve) and
    /// [`Downloader::list`].
    pub async fn list(
        &self,
        downloader: &Downloader,
        url: &FederationUrl,
    ) -> Result<Vec<(FederationUrl, RemoteEntry)>, TransferError> {
        let object = self.resolve(url).await?;
        match self.list_at(downloader, &object).await {
            Err(failure) => match self.resolve_after(&failure, &object, url.query_kind()).await {
                Some(fresh) => self.list_at(downloader, &fresh).await,
                None => Err(failure),
            },
            listed => listed,
        }
    }

    /// Asks the servers of an object for its checksum, each once, without fetching the object.
    ///
    /// # Errors
    /// Those of the last server, and as [`Downloader::checksum`].
    pub async fn checksum(
        &self,
        downloader: &Downloader,
        url: &FederationUrl,
        checksum: &Checksum,
    ) -> Result<Digest, TransferError> {
        let object = self.resolve(url).await?;
        match self.checksum_at(downloader, &object, checksum).await {
            Err(failure) => match self.resolve_after(&failure, &object, url.query_kind()).await {
                Some(fresh) => self.checksum_at(downloader, &fresh, checksum).await,
                None => Err(failure),
            },
            digest => digest,
        }
    }

    async fn checksum_at(
        &self,
        downloader: &Downloader,
        object: &ResolvedObject,
        checksum: &Checksum,
    ) -> Result<Digest, TransferError> {
        let authorized = self.authorized(downloader, object, ObjectAccess::Read).await?;
        let mut last = no_server(object);
        for (asked, server) in in_turn(&authorized, object.servers()) {
            match asked.checksum(server, checksum).await {
                Err(failure) if failure.kind() != FailureKind::Interrupted => last = failure,
                answered => return answered,
            }
        }
        Err(last)
    }

    async fn stat_at(
        &self,
        downloader: &Downloader,
        object: &ResolvedObject,
    ) -> Result<RemoteEntry, TransferError> {
        let authorized = self.authorized(downloader, object, ObjectAccess::Read).await?;
        let path = object.url().path();
        let listing = object.namespace().collections_url().map(|base| below(base, path));
        let mut servers: Vec<Url> = object.servers().iter().take(MAX_STAT_SERVERS).cloned().collect();
        match listing {
            // Caches answer 409 for a collection.
            Some(listing) if path.is_collection() => servers.insert(0, listing),
            Some(listing) => servers.push(listing),
            None => {}
        }
        let mut last = no_server(object);
        for (asked, server) in in_turn(&authorized, &servers) {
            match asked.stat(server).await {
                Err(failure) if failure.kind() != FailureKind::Interrupted => last = failure,
                answered => return answered,
            }
        }
        Err(last)
    }

    async fn list_at(
        &self,
        downloader: &Downloader,
        object: &ResolvedObject,
    ) -> Result<Vec<(FederationUrl, RemoteEntry)>, TransferError> {
        let url = object.url();
        let Some(base) = object.namespace().collections_url() else { return Err(no_listing(object)) };
        let authorized = self.authorized(downloader, object, ObjectAccess::Read).await?;
        let entries = authorized.list(&below(base, url.path())).await?;
        let named = entries.into_iter().map(|entry| match name_of(url, base, &entry.url) {
            Some(name) => Ok((name, entry)),
            None => Err(TransferError::invalid_answer(
                base,
                RetryAction::GiveUp,
                "lists what is not below itself",
            )),
        });
        named.collect()
    }

    /// Walks all objects and collections below a collection, as [`Downloader::walk`] does; the entries' URLs are names.
    pub fn walk<'f>(&'f self, downloader: &'f Downloader, url: &FederationUrl) -> Walk<'f> {
        let read = move |directory: Url| -> Reading<'f> {
            Box::pin(async move {
                let name = FederationUrl::try_from(&directory).map_err(|error| {
                    TransferError::new(FailureKind::Usage, RetryAction::GiveUp, error.to_string())
                })?;
                let entries = self.list(downloader, &name).await?;
                let mut spool = Spool::default();
                for (name, entry) in entries {
                    spool.add(Ok(RemoteEntry { url: name.to_url(), ..entry }))?;
                }
                spool.finish()
            })
        };
        Walk::reading(url.to_url(), read)
    }
}

/// Returns servers with what asks them: the last one as the retry policy says, the others once.
fn in_turn<'s>(
    downloader: &Downloader,
    servers: &'s [Url],
) -> impl Iterator<Item = (Downloader, &'s Url)> + use<'s> {
    let mut once = downloader.retry().clone();
    once.retries = 0;
    let (patient, asked_once) = (downloader.clone(), downloader.clone().with_retry(once));
    let last = servers.len().saturating_sub(1);
    servers
        .iter()
        .enumerate()
        .map(move |(n, server)| (if n == last { patient.clone() } else { asked_once.clone() }, server))
}

pub(crate) fn no_server(object: &ResolvedObject) -> TransferError {
    let message = format!("`{}` has no server", object.url());
    TransferError::new(FailureKind::NotFound, RetryAction::GiveUp, message)
}

/// Returns the name of an entry: its path without that of the server.
fn name_of(url: &FederationUrl, base: &Url, entry: &Url) -> Option<FederationUrl> {
    let path = ObjectPath::parse(entry.path()).ok()?;
    let prefix = ObjectPath::parse(base.path()).ok()?;
    Some(url.with_path(path.relative_to(&prefix)?))
}

fn no_listing(object: &ResolvedObject) -> TransferError {
    let message = format!("the namespace `{}` does not allow listings", object.namespace().prefix());
    TransferError::new(FailureKind::Rejected, RetryAction::OtherSource, message)
}
