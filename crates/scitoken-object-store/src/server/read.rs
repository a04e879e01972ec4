//! Reading objects of a server.

use std::sync::Arc;

use futures_util::StreamExt as _;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResult, GetResultPayload, ObjectMeta, ObjectStore as _, Result};
use scitoken_transfer::{EntryKind, RemoteEntry};

use super::directory::Directory;
use super::list;
use crate::answer::{self, KnownLength};
use crate::error::{of_transfer, unexpected};
use crate::payload::{empty, in_memory_if_short, split};
use crate::preconditions;
use crate::service::{AskDigest, MaybeListing};
use crate::{location, verify};

/// Tells whether the data is a web page, as servers list directories. XRootD 5.5 tells no content type.
async fn begins_a_page(result: GetResult) -> Result<(GetResult, bool)> {
    if result.extensions.get::<MaybeListing>().is_none() {
        return Ok((result, false));
    }
    let (data, rest) = split(result);
    let mut data = data.into_stream();
    let first = data.next().await.transpose()?;
    let is_page = first.as_ref().is_some_and(|first| {
        let head = first.trim_ascii_start().get(..5).unwrap_or_default();
        head.eq_ignore_ascii_case(b"<!doc") || head.eq_ignore_ascii_case(b"<html")
    });
    let data = futures_util::stream::iter(first.map(Ok)).chain(data);
    let payload = GetResultPayload::Stream(data.boxed());
    Ok((GetResult { payload, ..rest }, is_page))
}

impl Directory {
    pub(crate) async fn get(&self, location: &Path, mut options: GetOptions) -> Result<GetResult> {
        if options.head {
            return self.head(location, &options).await;
        }
        if let Some(range) = &options.range {
            range.is_valid().map_err(unexpected)?;
        } else {
            options.extensions.insert(AskDigest(Arc::clone(&self.checksum)));
        }
        // XRootD and other servers want both ends of a range.
        if let Some(open @ (GetRange::Offset(_) | GetRange::Suffix(_))) = &options.range {
            let meta = self.stat(location).await?;
            let range = open.as_range(meta.size).map_err(unexpected)?;
            if range.is_empty() {
                // The last 0 bytes, or those of an empty object, for which there is no request.
                preconditions::check(&options, &meta)?;
                return Ok(empty(meta));
            }
            options.range = Some(GetRange::Bounded(range));
        }
        let mut rereads = 0;
        let result = loop {
            let result = match self.http.get_opts(location, options.clone()).await {
                Ok(result) => result,
                // A whole object in chunks. Another request tells its length, and the data must have that.
                Err(error) if answer::is_without_length(&error) => match self.look(location).await {
                    Ok(Some(meta)) => {
                        options.extensions.insert(KnownLength(meta.size));
                        continue;
                    }
                    Ok(None) => return Err(is_directory(location)),
                    // It was there: that it is not seen does not mean that it is absent.
                    Err(_) => return Err(error),
                },
                Err(error) => self.get_once_more(location, &options, error).await?,
            };
            // XRootD ends a connection in the middle of an answer now and then, and `object_store` continues only what has an
            // entity tag.
            let is_continued = result.meta.e_tag.is_some();
            match in_memory_if_short(result).await {
                Err(object_store::Error::Generic { .. }) if !is_continued && rereads < self.repeats => {
                    rereads += 1;
                    // It may have another length by now.
                    options.extensions.remove::<KnownLength>();
                }
                read => break read?,
            }
        };
        let (result, is_page) = begins_a_page(result).await?;
        if is_page {
            // It is a directory, or an object that is a web page.
            self.stat(location).await?;
        }
        // Some servers ignore conditions.
        preconditions::check(&options, &result.meta)?;
        Ok(if options.range.is_none() { verify::whole(result) } else { result })
    }

    /// Looks at the object after a failure: it may be a directory, or the range may go beyond the end, which some servers
    /// refuse. Then the range is sent once more, without what is beyond.
    async fn get_once_more(
        &self,
        location: &Path,
        options: &GetOptions,
        error: object_store::Error,
    ) -> Result<GetResult> {
        if !matches!(error, object_store::Error::Generic { .. } | object_store::Error::NotSupported { .. }) {
            return Err(error);
        }
        let Some(range @ GetRange::Bounded(asked)) = &options.range else {
            let is_absent = |stat: &_| matches!(stat, object_store::Error::NotFound { .. });
            return Err(self.stat(location).await.err().filter(is_absent).unwrap_or(error));
        };
        let length = match self.stat(location).await {
            Ok(meta) => meta.size,
            Err(absent @ object_store::Error::NotFound { .. }) => return Err(absent),
            Err(_) => return Err(error),
        };
        let shorter = range.as_range(length).map_err(unexpected)?;
        if shorter == *asked {
            return Err(error);
        }
        let options = GetOptions { range: Some(GetRange::Bounded(shorter)), ..options.clone() };
        self.http.get_opts(location, options).await
    }

    async fn head(&self, location: &Path, options: &GetOptions) -> Result<GetResult> {
        let meta = self.stat(location).await?;
        preconditions::check(options, &meta)?;
        Ok(GetResult { range: 0..meta.size, ..empty(meta) })
    }

    /// Describes an object; a directory is none.
    pub(super) async fn stat(&self, location: &Path) -> Result<ObjectMeta> {
        self.look(location).await?.ok_or_else(|| is_directory(location))
    }

    /// Describes an object; `None` if it is a directory.
    async fn look(&self, location: &Path) -> Result<Option<ObjectMeta>> {
        let entry = self.downloader.stat(&location::url_of(&self.base, location)).await;
        match entry.map_err(|failure| of_transfer(failure, location))? {
            RemoteEntry { kind: EntryKind::File, ref length, ref last_modified, ref etag, .. } => {
                Ok(Some(ObjectMeta {
                    location: location.clone(),
                    last_modified: list::date(last_modified.as_deref()),
                    size: length
                        .ok_or_else(|| unexpected(format!("the server tells no length of `{location}`")))?,
                    e_tag: list::entity_tag(etag.as_deref()),
                    version: None,
                }))
            }
            _ => Ok(None),
        }
    }
}

fn is_directory(location: &Path) -> object_store::Error {
    let source = "it is a directory".into();
    object_store::Error::NotFound { path: location.to_string(), source }
}
