//! The servers of a federation that list and change its objects.

use std::sync::Arc;

use futures_util::stream::BoxStream;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path;
use object_store::{CopyMode, GetOptions, ListResult, ObjectMeta, PutMode, PutOptions, Result};
use reqwest_middleware::ClientWithMiddleware;
use scitoken_transfer::federation::{FederationUrl, ObjectPath, ResolvedObject};
use scitoken_transfer::{FailureKind, TransferError};
use url::Url;

use crate::error::{not_supported, of_transfer, unexpected};
use crate::federation::FederationObjects;
use crate::server::directory::Directory;
use crate::server::list;

/// What is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// An object is stored.
    Store,
    /// An object is removed or renamed, also the one that an upload was written to.
    Remove,
}

impl FederationObjects {
    /// Returns the origin that changes an object, with a token that permits it, as the directory of the store.
    pub(crate) async fn origin(&self, location: &Path, change: Change) -> Result<Arc<Directory>> {
        let failed = |failure| changing(failure, location);
        let name = self.name(location)?;
        let object = self.federation.resolve_for_writing(&name).await.map_err(failed)?;
        let client = match change {
            Change::Store => self.federation.client_for_writing(&self.client, &object).await,
            Change::Remove => self.federation.client_for_removal(&self.client, &object).await,
        };
        self.directory(client.map_err(failed)?, &object, &object.servers()[0])
    }

    /// Copies at the origin where both objects lie in one namespace, and else by reading and writing.
    pub(crate) async fn copy(&self, from: &Path, to: &Path, mode: CopyMode) -> Result<()> {
        if from == to && mode != CopyMode::Create {
            return self.get(from, GetOptions::new().with_head(true)).await.map(drop);
        }
        if self.is_one_namespace(from, to).await {
            match self.origin(to, Change::Store).await?.copy(from, to, mode).await {
                // A token that permits to store need not permit to read.
                Err(
                    object_store::Error::NotFound { .. }
                    | object_store::Error::PermissionDenied { .. }
                    | object_store::Error::Unauthenticated { .. },
                ) => {}
                copied => return copied,
            }
        }
        let data = self.get(from, GetOptions::new()).await?.bytes().await?;
        let mode = if mode == CopyMode::Create { PutMode::Create } else { PutMode::Overwrite };
        let options = PutOptions { mode, ..PutOptions::default() };
        self.origin(to, Change::Store).await?.put(to, data.into(), options).await.map(drop)
    }

    /// Renames at the origin where both names lie in one namespace, and else by copying and removing.
    pub(crate) async fn rename(&self, from: &Path, to: &Path, mode: CopyMode) -> Result<()> {
        let origin = self.origin(from, Change::Remove).await?;
        if from == to || self.is_one_namespace(from, to).await {
            return origin.rename(from, to, mode).await;
        }
        self.copy(from, to, mode).await?;
        origin.delete(from).await
    }

    /// Returns whether two objects are at the same origin.
    async fn is_one_namespace(&self, one: &Path, other: &Path) -> bool {
        let (Ok(one), Ok(other)) = (self.name(one), self.name(other)) else { return false };
        let one = self.federation.resolve_for_writing(&one).await;
        let other = self.federation.resolve_for_writing(&other).await;
        matches!((one, other), (Ok(one), Ok(other)) if one.namespace().prefix() == other.namespace().prefix())
    }

    /// Returns all objects below a prefix, one directory at a time.
    pub(crate) fn list(self: Arc<Self>, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let prefix = prefix.cloned();
        let listing = async move {
            let directory = self.listing_server(prefix.as_ref()).await?;
            Ok::<_, object_store::Error>(list::list(directory, prefix.as_ref()))
        };
        futures_util::stream::once(listing).try_flatten().boxed()
    }

    pub(crate) async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.listing_server(prefix).await?.list_with_delimiter(prefix).await
    }

    /// Returns the server that lists the namespace of a prefix, as the directory of the store.
    async fn listing_server(&self, prefix: Option<&Path>) -> Result<Arc<Directory>> {
        let prefix = prefix.cloned().unwrap_or_default();
        let failed = |failure| of_transfer(failure, &prefix);
        let object = self.federation.resolve(&self.name(&prefix)?).await.map_err(failed)?;
        let Some(url) = object.listing_url() else {
            let namespace = object.namespace().prefix();
            let source = format!("the namespace `{namespace}` does not allow listings").into();
            return Err(object_store::Error::NotSupported { source });
        };
        let client = self.federation.client_for(&self.client, &object).await.map_err(failed)?;
        self.directory(client, &object, &url)
    }

    /// Returns the store's directory at the server that has the object at this URL.
    fn directory(
        &self,
        client: ClientWithMiddleware,
        object: &ResolvedObject,
        url: &Url,
    ) -> Result<Arc<Directory>> {
        let base = base_of(url, object.url().path(), self.base_name().path())
            .ok_or_else(|| unexpected("the server has the object under another path than the federation"))?;
        let server = self.states.of(&base);
        Ok(Arc::new(
            Directory::new(client, &base, self.retry_of_changes.clone(), server).map_err(unexpected)?,
        ))
    }

    fn name(&self, location: &Path) -> Result<FederationUrl> {
        let url = crate::location::url_of(&self.base(), location);
        url.as_str().parse::<FederationUrl>().map_err(unexpected)
    }
}

/// Returns the URL of the store's base at a server: that of an object of it, without the path behind the base.
fn base_of(url: &Url, object: &ObjectPath, base: &ObjectPath) -> Option<Url> {
    let whole = ObjectPath::parse(url.path()).ok()?;
    let before =
        whole.as_encoded().trim_end_matches('/').strip_suffix(object.as_encoded().trim_end_matches('/'))?;
    let mut url = url.clone();
    url.set_path(&format!("{before}{}", base.as_encoded()));
    Some(url)
}

/// Returns the error for a change; one that the namespace does not allow says so.
fn changing(failure: TransferError, location: &Path) -> object_store::Error {
    if failure.kind() == FailureKind::Rejected {
        return not_supported(failure);
    }
    of_transfer(failure, location)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_of_a_store_at_a_server_follows_from_one_of_its_objects() {
        let path = |text| ObjectPath::parse(text).unwrap();
        for (url, object, base, expected) in [
            ("https://o/ns/d/f", "/ns/d/f", "/ns", Some("https://o/ns")),
            ("https://o/export/ns/a,b", "/ns/a,b", "/ns", Some("https://o/export/ns")),
            ("https://o/ns/", "/ns", "/ns", Some("https://o/ns")),
            ("https://o/ns/d/", "/ns/d/", "/", Some("https://o/")),
            ("https://o/blob/17", "/ns/f", "/ns", None),
        ] {
            let found = base_of(&url.parse().unwrap(), &path(object), &path(base));
            assert_eq!(found.as_ref().map(Url::as_str), expected, "{url}");
        }
    }
}
