//! The store for programs that use `object_store` 0.13, as `DataFusion` 55 does.

use std::fmt;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _, TryFutureExt as _, TryStreamExt as _};
use object_store as next;
use object_store_013 as previous;
use object_store_013::path::Path;
use object_store_013::{Error, Result};

use crate::store::ScitokenStore;

/// A [`ScitokenStore`] for `object_store` 0.13, which `DataFusion` 55 depends on.
///
/// The types of `object_store` 0.13 and 0.14 differ, although they have the same names. This store translates between them;
/// it reads, lists and writes as the [`ScitokenStore`] does. Traces and other extensions of results are left out, which 0.13
/// does not have. `examples/datafusion` in the repository is a program that runs SQL over it.
///
/// ```no_run
/// use std::sync::Arc;
///
/// use object_store_013::ObjectStore;
/// use reqwest_scitokens::Session;
/// use scitoken_object_store::{DataFusionStore, ScitokenStore};
///
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let store = ScitokenStore::open(&Session::new()?, "osdf:///")?;
/// let store: Arc<dyn ObjectStore> = Arc::new(DataFusionStore::from(store));
/// // In DataFusion: context.register_object_store(&"osdf:///".parse()?, store);
/// # let _ = store;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct DataFusionStore(ScitokenStore);

impl From<ScitokenStore> for DataFusionStore {
    fn from(store: ScitokenStore) -> Self {
        Self(store)
    }
}

impl fmt::Display for DataFusionStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn to_next(path: &Path) -> Result<next::path::Path> {
    next::path::Path::parse(path.as_ref())
        .map_err(|source| Error::Generic { store: crate::error::STORE, source: source.into() })
}

fn to_previous(path: &next::path::Path) -> Result<Path> {
    Ok(Path::parse(path.as_ref())?)
}

/// The error with the same meaning.
fn error(error: next::Error) -> Error {
    match error {
        next::Error::NotFound { path, source } => Error::NotFound { path, source },
        next::Error::AlreadyExists { path, source } => Error::AlreadyExists { path, source },
        next::Error::Precondition { path, source } => Error::Precondition { path, source },
        next::Error::NotModified { path, source } => Error::NotModified { path, source },
        next::Error::PermissionDenied { path, source } => Error::PermissionDenied { path, source },
        next::Error::Unauthenticated { path, source } => Error::Unauthenticated { path, source },
        next::Error::NotSupported { source } => Error::NotSupported { source },
        next::Error::Generic { store, source } => Error::Generic { store, source },
        other => Error::Generic { store: crate::error::STORE, source: other.into() },
    }
}

fn meta(meta: next::ObjectMeta) -> Result<previous::ObjectMeta> {
    let next::ObjectMeta { ref location, last_modified, size, e_tag, version } = meta;
    Ok(previous::ObjectMeta { location: to_previous(location)?, last_modified, size, e_tag, version })
}

fn put_result(result: next::PutResult) -> previous::PutResult {
    previous::PutResult { e_tag: result.e_tag, version: result.version }
}

fn payload(payload: previous::PutPayload) -> next::PutPayload {
    payload.into_iter().collect()
}

/// The content type, which is what servers keep.
fn attributes(attributes: &previous::Attributes) -> next::Attributes {
    let mut kept = next::Attributes::new();
    if let Some(kind) = attributes.get(&previous::Attribute::ContentType) {
        kept.insert(next::Attribute::ContentType, kind.as_ref().to_owned().into());
    }
    kept
}

fn options(options: previous::GetOptions) -> next::GetOptions {
    next::GetOptions {
        if_match: options.if_match,
        if_none_match: options.if_none_match,
        if_modified_since: options.if_modified_since,
        if_unmodified_since: options.if_unmodified_since,
        range: options.range.map(|range| match range {
            previous::GetRange::Bounded(range) => next::GetRange::Bounded(range),
            previous::GetRange::Offset(offset) => next::GetRange::Offset(offset),
            previous::GetRange::Suffix(length) => next::GetRange::Suffix(length),
        }),
        version: options.version,
        head: options.head,
        extensions: options.extensions,
    }
}

#[async_trait]
impl previous::ObjectStore for DataFusionStore {
    async fn put_opts(
        &self,
        location: &Path,
        data: previous::PutPayload,
        options: previous::PutOptions,
    ) -> Result<previous::PutResult> {
        let mode = match options.mode {
            previous::PutMode::Overwrite => next::PutMode::Overwrite,
            previous::PutMode::Create => next::PutMode::Create,
            previous::PutMode::Update(previous::UpdateVersion { e_tag, version }) => {
                next::PutMode::Update(next::UpdateVersion { e_tag, version })
            }
        };
        let attributes = attributes(&options.attributes);
        let options = next::PutOptions { mode, attributes, ..next::PutOptions::default() };
        let location = to_next(location)?;
        let result = next::ObjectStore::put_opts(&self.0, &location, payload(data), options).await;
        result.map(put_result).map_err(error)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        _: previous::PutMultipartOptions,
    ) -> Result<Box<dyn previous::MultipartUpload>> {
        let (location, options) = (to_next(location)?, next::PutMultipartOptions::default());
        let upload = next::ObjectStore::put_multipart_opts(&self.0, &location, options).await;
        Ok(Box::new(Upload(upload.map_err(error)?)))
    }

    async fn get_opts(&self, location: &Path, asked: previous::GetOptions) -> Result<previous::GetResult> {
        let result = next::ObjectStore::get_opts(&self.0, &to_next(location)?, options(asked)).await;
        let result = result.map_err(error)?;
        let mut attributes = previous::Attributes::new();
        if let Some(kind) = result.attributes.get(&next::Attribute::ContentType) {
            attributes.insert(previous::Attribute::ContentType, kind.as_ref().to_owned().into());
        }
        let (range, meta) = (result.range.clone(), meta(result.meta.clone())?);
        let data = result.into_stream().map_err(error).boxed();
        Ok(previous::GetResult { payload: previous::GetResultPayload::Stream(data), meta, range, attributes })
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        next::ObjectStore::get_ranges(&self.0, &to_next(location)?, ranges).await.map_err(error)
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let locations = locations.map(|location| {
            let location = location.and_then(|location| to_next(&location));
            // It comes back as the error that it was.
            location
                .map_err(|failed| next::Error::Generic { store: crate::error::STORE, source: failed.into() })
        });
        let removed = next::ObjectStore::delete_stream(&self.0, locations.boxed());
        removed.map(|removed| removed.map_err(error).and_then(|removed| to_previous(&removed))).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<previous::ObjectMeta>> {
        match prefix.map(to_next).transpose() {
            Ok(prefix) => {
                let listed = next::ObjectStore::list(&self.0, prefix.as_ref());
                listed.map(|object| object.map_err(error).and_then(meta)).boxed()
            }
            Err(failed) => futures_util::stream::iter([Err(failed)]).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<previous::ListResult> {
        let prefix = prefix.map(to_next).transpose()?;
        let listed = next::ObjectStore::list_with_delimiter(&self.0, prefix.as_ref()).await.map_err(error)?;
        Ok(previous::ListResult {
            common_prefixes: listed.common_prefixes.iter().map(to_previous).collect::<Result<_>>()?,
            objects: listed.objects.into_iter().map(meta).collect::<Result<_>>()?,
        })
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: previous::CopyOptions) -> Result<()> {
        let mode = match options.mode {
            previous::CopyMode::Overwrite => next::CopyMode::Overwrite,
            previous::CopyMode::Create => next::CopyMode::Create,
        };
        let options = next::CopyOptions { mode, ..next::CopyOptions::default() };
        next::ObjectStore::copy_opts(&self.0, &to_next(from)?, &to_next(to)?, options).await.map_err(error)
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: previous::RenameOptions) -> Result<()> {
        let target_mode = match options.target_mode {
            previous::RenameTargetMode::Overwrite => next::RenameTargetMode::Overwrite,
            previous::RenameTargetMode::Create => next::RenameTargetMode::Create,
        };
        let options = next::RenameOptions { target_mode, ..next::RenameOptions::default() };
        next::ObjectStore::rename_opts(&self.0, &to_next(from)?, &to_next(to)?, options).await.map_err(error)
    }
}

/// An upload in progress.
#[derive(Debug)]
struct Upload(Box<dyn next::MultipartUpload>);

#[async_trait]
impl previous::MultipartUpload for Upload {
    fn put_part(&mut self, data: previous::PutPayload) -> previous::UploadPart {
        self.0.put_part(payload(data)).map_err(error).boxed()
    }

    async fn complete(&mut self) -> Result<previous::PutResult> {
        self.0.complete().await.map(put_result).map_err(error)
    }

    async fn abort(&mut self) -> Result<()> {
        self.0.abort().await.map_err(error)
    }
}
