//! Listing directories of a server.

use std::collections::VecDeque;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{ListResult, ObjectMeta, Result};
use scitoken_transfer::{EntryKind, Listing, RemoteEntry};
use url::Url;

use super::directory::Directory;
use super::multipart;
use crate::error::{is_absent, of_transfer, unexpected};
use crate::location;

/// The deepest level of directories: a deeper tree is taken for a loop.
const DEEPEST: usize = 100;

/// A recursive listing in progress.
struct Recursion {
    server: Arc<Directory>,
    prefix: Path,
    directories: VecDeque<(Url, usize)>,
    listing: Option<(Listing, usize)>,
}

/// What an entry of a listing is to a store.
enum Found {
    Object(ObjectMeta),
    Directory(Path, Url),
    /// A multipart upload that is not complete.
    Hidden,
}

/// Returns all objects below a prefix, one directory at a time; none if there is no such directory.
pub(crate) fn list(server: Arc<Directory>, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
    let prefix = prefix.cloned().unwrap_or_default();
    let top = location::directory(&server.base, &prefix);
    let recursion = Recursion { server, prefix, directories: VecDeque::from([(top, 0)]), listing: None };
    let objects = futures_util::stream::unfold(recursion, |mut recursion| async move {
        let next = recursion.next().await?;
        Some((next, recursion))
    });
    objects.fuse().boxed()
}

impl Recursion {
    async fn next(&mut self) -> Option<Result<ObjectMeta>> {
        loop {
            let Some((listing, depth)) = &mut self.listing else {
                let (url, depth) = self.directories.pop_front()?;
                match self.open(&url, depth).await {
                    Ok(listing) => self.listing = listing.map(|listing| (listing, depth)),
                    Err(error) => return Some(Err(error)),
                }
                continue;
            };
            let depth = *depth + 1;
            let found = match listing.next().await {
                None => {
                    self.listing = None;
                    continue;
                }
                Some(Ok(entry)) => self.server.classify(&entry),
                Some(Err(failure)) => Err(of_transfer(failure, &self.prefix)),
            };
            match found {
                Ok(Found::Object(object)) if object.location != self.prefix => return Some(Ok(object)),
                Ok(Found::Directory(path, _)) if depth > DEEPEST => {
                    return Some(Err(unexpected(format!(
                        "`{path}` is more than {DEEPEST} directories deep"
                    ))));
                }
                Ok(Found::Directory(_, url)) => self.directories.push_back((url, depth)),
                // A prefix that is an object itself has nothing below it.
                Ok(Found::Object(_) | Found::Hidden) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// Opens a listing; `None` where there is no directory, or no more.
    async fn open(&self, url: &Url, depth: usize) -> Result<Option<Listing>> {
        match self.server.downloader.open_listing(url).await {
            Ok(listing) => Ok(Some(listing)),
            Err(failure) if is_absent(&failure) => Ok(None),
            Err(failure) if depth == 0 && self.server.is_object(&self.prefix).await => {
                tracing::debug!(%failure, "the prefix is an object");
                Ok(None)
            }
            Err(failure) => Err(of_transfer(failure, &self.prefix)),
        }
    }
}

impl Directory {
    pub(crate) async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let prefix = prefix.cloned().unwrap_or_default();
        let mut result = ListResult {
            common_prefixes: Vec::new(),
            objects: Vec::new(),
            extensions: http::Extensions::new(),
        };
        let url = location::directory(&self.base, &prefix);
        let mut listing = match self.downloader.open_listing(&url).await {
            Ok(listing) => listing,
            Err(failure) if is_absent(&failure) || self.is_object(&prefix).await => return Ok(result),
            Err(failure) => return Err(of_transfer(failure, &prefix)),
        };
        while let Some(entry) = listing.next().await {
            match self.classify(&entry.map_err(|failure| of_transfer(failure, &prefix))?)? {
                Found::Object(object) if object.location != prefix => result.objects.push(object),
                Found::Directory(path, _) => result.common_prefixes.push(path),
                Found::Object(_) | Found::Hidden => {}
            }
        }
        result.objects.sort_by(|one, other| one.location.cmp(&other.location));
        result.common_prefixes.sort();
        Ok(result)
    }

    async fn is_object(&self, location: &Path) -> bool {
        !location.is_root() && self.stat(location).await.is_ok()
    }

    fn classify(&self, entry: &RemoteEntry) -> Result<Found> {
        let location = location::of_url(&self.base, &entry.url)?;
        if location.filename().is_some_and(multipart::is_temporary) {
            return Ok(Found::Hidden);
        }
        if entry.kind == EntryKind::Directory {
            return Ok(Found::Directory(location, entry.url.clone()));
        }
        let no_length = || unexpected(format!("the server tells no length of `{location}`"));
        Ok(Found::Object(ObjectMeta {
            size: entry.length.ok_or_else(no_length)?,
            last_modified: date(entry.last_modified.as_deref()),
            e_tag: entity_tag(entry.etag.as_deref()),
            version: None,
            location,
        }))
    }
}

/// Reads a date as servers write it; 1970 where there is none, as `object_store`'s HTTP store says.
pub(super) fn date(text: Option<&str>) -> DateTime<Utc> {
    let date = text.and_then(|text| DateTime::parse_from_rfc2822(text).ok());
    date.map_or(DateTime::UNIX_EPOCH, |date| date.with_timezone(&Utc))
}

/// Returns an entity tag with its quotes (RFC 9110 section 8.8.3); some servers leave them out of a `PROPFIND`.
pub(super) fn entity_tag(text: Option<&str>) -> Option<String> {
    text.map(|tag| if tag.ends_with('"') { tag.to_owned() } else { format!("\"{tag}\"") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entity_tags_have_quotes_and_dates_are_those_of_http() {
        assert_eq!(entity_tag(Some("1-2")).as_deref(), Some("\"1-2\""));
        assert_eq!(entity_tag(Some("\"1-2\"")).as_deref(), Some("\"1-2\""));
        assert_eq!(entity_tag(Some("W/\"1-2\"")).as_deref(), Some("W/\"1-2\""));
        assert_eq!(entity_tag(None), None);
        assert_eq!(date(Some("Sun, 06 Nov 1994 08:49:37 GMT")).timestamp(), 784_111_777);
        assert_eq!(date(Some("yesterday")), DateTime::UNIX_EPOCH);
        assert_eq!(date(None), DateTime::UNIX_EPOCH);
    }
}
