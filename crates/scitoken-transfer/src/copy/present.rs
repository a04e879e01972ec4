//! A destination that has the file already: most likely it is the source under another name, which a copy would destroy.

use crate::cancel::Deadline;
use crate::copy::copier::Copier;
use crate::copy::job::{Copied, CopyRoute, RemoteCopy};
use crate::copy::record::{DestinationFile, DestinationRecord, Writes};
use crate::copy::verify::Proof;
use crate::error::{FailureKind, RetryAction, TransferError};
use crate::exchange::probe::Probe;
use crate::resource_name::ResourceName;
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
        let is_present = matches!(record.before(), Some(DestinationFile::Present(_)));
        if !is_present || record.writes() != Writes::None {
            return Ok(None);
        }
        let (from, to) = (ResourceName::of(&copy.source), ResourceName::of(&copy.destination));
        if !from.has_host_of(&to) && !from.has_path_of(&to) {
            return Ok(None);
        }
        let there = match self.describe_destination(copy, source, deadline).await {
            Ok(there) => there,
            // A token with write permission need not permit reading.
            Err(failure) if matches!(failure.kind(), FailureKind::Refused | FailureKind::Rejected) => {
                return Ok(None);
            }
            Err(failure) => return Err(failure),
        };
        let has_same_tag = there.etag.is_some() && there.etag == source.etag && there.length == source.length;
        if !has_same_tag && !from.has_host_of(&to) {
            return Ok(None);
        }
        match self.compare_with(copy, source, &there, Proof::Digest, deadline).await {
            Ok((length, verification)) => {
                Ok(Some(Copied { length, verification, route: CopyRoute::Unneeded }))
            }
            Err(failure) if failure.kind() == FailureKind::Mismatch => Ok(None),
            Err(_) if has_same_tag => {
                let (source, destination) = (SafeUrl::new(&copy.source), SafeUrl::new(&copy.destination));
                let message = format!("`{destination}` is the same file as `{source}`, by its entity tag");
                Err(TransferError::new(FailureKind::Usage, RetryAction::GiveUp, message))
            }
            Err(_) => Ok(None),
        }
    }
}
