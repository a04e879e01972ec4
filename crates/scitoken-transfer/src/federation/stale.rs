//! Remembered servers and facts that may be out of date.

use std::time::Duration;

use crate::error::{FailureKind, TransferError};
use crate::federation::handle::Federation;
use crate::federation::resolve::ResolvedObject;
use crate::object_name::query::QueryKind;

impl Federation {
    /// Returns the director's answer for an object after an operation failed with servers and facts that are remembered
    /// from another object: this one may lie in a namespace below the remembered one, or the servers may have changed.
    ///
    /// `None` where the failure has another reason, or the answer is the same.
    pub(crate) async fn resolve_after(
        &self,
        failure: &TransferError,
        object: &ResolvedObject,
        kind: QueryKind,
    ) -> Option<ResolvedObject> {
        if !object.is_remembered() || !may_be_stale(failure) {
            return None;
        }
        let fresh = self.resolve_as(object.url(), kind, Duration::ZERO).await.ok()?;
        (!fresh.is_remembered() && fresh.differs_from(object)).then_some(fresh)
    }
}

/// Returns whether a failure may come from servers or facts that are not those of the object.
fn may_be_stale(failure: &TransferError) -> bool {
    matches!(failure.kind(), FailureKind::NoToken | FailureKind::TokenWithheld)
        || may_succeed_elsewhere(failure)
}

/// Returns whether the failure is one of these servers, so that others may have the object.
pub(crate) fn may_succeed_elsewhere(failure: &TransferError) -> bool {
    matches!(
        failure.kind(),
        FailureKind::Connect
            | FailureKind::Timeout
            | FailureKind::NotFound
            | FailureKind::Refused
            | FailureKind::Incomplete
            | FailureKind::Mismatch
            | FailureKind::Unverified
            | FailureKind::WrongContent
            | FailureKind::Server
            | FailureKind::Rejected
            | FailureKind::Redirect
    )
}
