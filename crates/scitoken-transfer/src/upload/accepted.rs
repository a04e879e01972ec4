//! What a server says that accepts an upload.

use http::StatusCode;
use scitoken_types::{SafeUrl, redact};

use crate::error::{FailureKind, RetryAction, TransferError};
use crate::exchange::error_document::ErrorDocument;
use crate::upload::job::Upload;

/// Words an answer of success, with what the server says in it.
pub(super) fn accepted(status: StatusCode, text: &str) -> String {
    let message = ErrorDocument::read(text.as_bytes()).and_then(|document| document.message());
    let said = message.unwrap_or_else(|| if text.starts_with('<') { "" } else { text.trim() }.to_owned());
    if said.is_empty() { status.to_string() } else { format!("{status}: {}", redact::text(&said)) }
}

/// The failure of a server that took an upload and then does not have the file.
pub(super) fn not_stored(upload: &Upload, accepted: Option<&String>) -> TransferError {
    let said = accepted.map(|said| format!(" ({said})")).unwrap_or_default();
    let message = format!("`{}` accepted the upload{said}, but is not there", SafeUrl::new(&upload.url));
    TransferError::new(FailureKind::Server, RetryAction::OtherSource, message)
}
