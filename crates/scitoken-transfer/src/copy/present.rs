//! A destination that has the file already: most likely it is the source under another name, which a copy would destroy.

use crate::cancel::Deadline;
use crate::copy::copier::Copier;
use crate::copy::job::{Copied, CopyRoute, RemoteCopy};
use crate::copy::record::{DestinationFile, DestinationRecord, Writes};
use crate::copy::verify::Proof;
use crate::error::{FailureKind, RetryAction, TransferError};
use crate::exchange::probe::Probe;
use crate::resource_name::ResourceName;
use crate::webdav::entry::RemoteEntry;
use scitoken_types::SafeUrl;

impl Copier {
    /// Returns the result of a copy onto a file that has the source's digest; `None` for any other.
    ///
    /// A server that copies a file onto itself empties it before it reads it. Servers have several names and ports, so URLs do
    /// not tell. Only what may be the same file is compared: an equal replica at another host is replaced.
    ///
    /// # Errors
    /// The destination cannot be described; [`FailureKind::Usage`] when it has the source's entity tag, and no digest to
    /// compare.
    pub(crate) async fn already_present(
        &self,
        copy: &RemoteCopy,
        source: &Probe,
        record: &DestinationRecord,
        deadline: Option<Deadline>,
    ) -> Result<Option<Copied>, TransferError> {
        let Some(DestinationFile::Present(entry)) = record.before() else { return Ok(None) };
        let (from, to) = (ResourceName::of(&copy.source), ResourceName::of(&copy.destination));
        let has_same_tag = entry.etag.is_some() && entry.etag == source.etag;
        if record.writes() != Writes::None || !from.has_host_of(&to) || are_two_files(source, entry) {
            return Ok(None);
        }
        let same_file = || {
            let (source, destination) = (SafeUrl::new(&copy.source), SafeUrl::new(&copy.destination));
            let message = format!("`{destination}` is the same file as `{source}`, by its entity tag");
            TransferError::new(FailureKind::Usage, RetryAction::GiveUp, message)
        };
        let there = match self.describe_destination(copy, source, deadline).await {
            Ok(there) => there,
            Err(failure) if failure.kind() == FailureKind::Interrupted => return Err(failure),
            Err(_) if has_same_tag => return Err(same_file()),
            // A token with write permission need not permit reading, and a checksum may take too long.
            Err(_) => return Ok(None),
        };
        // Not every server states the tag in its listings.
        let has_same_tag = has_same_tag
            || (there.etag.is_some() && there.etag == source.etag && there.length == source.length);
        if there.etag.is_some() && source.etag.is_some() && there.etag != source.etag {
            return Ok(None);
        }
        match self.compare_with(copy, source, &there, Proof::Digest, deadline).await {
            Ok((length, verification)) => {
                Ok(Some(Copied { length, verification, route: CopyRoute::Unneeded }))
            }
            Err(failure) if failure.kind() == FailureKind::Mismatch => Ok(None),
            Err(_) if has_same_tag => Err(same_file()),
            Err(_) => Ok(None),
        }
    }
}

/// Returns whether length or validators tell the files apart, whatever a short checksum says.
fn are_two_files(source: &Probe, destination: &RemoteEntry) -> bool {
    let time = |text: &Option<String>| text.as_deref().and_then(|text| httpdate::parse_http_date(text).ok());
    let differ = |one: Option<&str>, other: Option<&str>| matches!((one, other), (Some(one), Some(other)) if one != other);
    differ(source.etag.as_deref(), destination.etag.as_deref())
        || matches!((source.length, destination.length), (Some(one), Some(other)) if one != other)
        || matches!((time(&source.last_modified), time(&destination.last_modified)), (Some(one), Some(other)) if one != other)
}
