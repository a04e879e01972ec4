//! What a refusal of an upload may mean.

use http::StatusCode;
use scitoken_types::SafeUrl;

use crate::cancel::Deadline;
use crate::downloader::Downloader;
use crate::error::{FailureKind, RetryAction, TransferError};
use crate::hint::TransferHint;
use crate::upload::job::Upload;
use crate::webdav::entry::EntryKind;

/// Whether a server may answer so because the file exists: a token that permits to create files need not permit to replace
/// them.
pub(super) fn may_mean_taken(status: StatusCode) -> bool {
    matches!(status.as_u16(), 403 | 405 | 409 | 412 | 423)
}

/// Whether the file may be stored in spite of such an answer.
pub(super) fn may_be_stored(status: StatusCode) -> bool {
    status == StatusCode::REQUEST_TIMEOUT || status.is_server_error()
}

/// Whether a server refuses the header with the digest, and not bytes that do not have it.
pub(super) fn refuses_digest_header(failure: &TransferError) -> bool {
    let text = std::error::Error::source(failure).map(ToString::to_string).unwrap_or_default();
    let text = text.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let may_be_header = failure.status().is_some_and(|status| matches!(status.as_u16(), 400 | 403 | 501));
    may_be_header
        && has(&["digest", "checksum"])
        && has(&["support", "unknown", "unexpected", "not allowed", "unrecognized", "not implemented"])
        && !has(&["match", "differ", "corrupt", "computed"])
}

impl Downloader {
    /// Says that the target is a directory, where that is why the server refuses a file.
    pub(super) async fn explain_refusal(
        &self,
        upload: &Upload,
        failure: TransferError,
        deadline: Option<Deadline>,
    ) -> TransferError {
        let status = failure.status().map(|status| status.as_u16());
        if !matches!(status, Some(405 | 409)) || upload.url.path().ends_with('/') {
            return failure;
        }
        match Box::pin(self.describe(&upload.url, deadline)).await {
            Ok(there) if there.entry.kind == EntryKind::Directory => {
                let message = format!("`{}` is a directory", SafeUrl::new(&upload.url));
                TransferError::new(FailureKind::Exists, RetryAction::GiveUp, message)
                    .with_hint(TransferHint::UploadIntoDirectory)
            }
            _ => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{FailureKind, RetryAction};
    use crate::exchange::request::ServerText;

    #[test]
    fn only_a_header_that_is_not_known_is_left_out() {
        let refused = |status: u16, text: &str| {
            let failure = TransferError::new(FailureKind::Rejected, RetryAction::OtherSource, "refused");
            let failure = failure.with_status(StatusCode::from_u16(status).unwrap());
            refuses_digest_header(&failure.with_source(ServerText(text.to_owned())))
        };
        for (status, text, expected) in [
            (400, "Digest header not supported", true),
            (403, "unknown checksum algorithm", true),
            (501, "checksum: not implemented", true),
            (400, "checksum mismatch: computed deadbeef", false),
            (400, "the digest does not match what is supported", false),
            (400, "name is not allowed here", false),
            (409, "digest not supported", false),
            (500, "checksum is not supported", false),
        ] {
            assert_eq!(refused(status, text), expected, "{status} {text}");
        }
    }
}
