//! The connection: answers are read so that it can be used again, and an upload that it cut off is explained.

use std::time::Duration;

use reqwest::Response;

use super::trace::AuthTrace;
use crate::broken_connection::is_broken_connection;
use crate::error::{self, Error, Kind};

/// Reads the rest of an answer, so that its connection can be used again; stops after 64 KiB or two seconds.
pub(super) async fn drain_body(mut response: Response) {
    const MAX_BYTES: usize = 64 * 1024;
    if response.content_length().is_some_and(|length| length > MAX_BYTES as u64) {
        return;
    }
    let read = async {
        let mut read = 0;
        while let Ok(Some(chunk)) = response.chunk().await {
            read += chunk.len();
            if read > MAX_BYTES {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(2), read).await;
}

/// Turns the HTTP client's error into one without secrets. The error of an upload that was cut off says that the server
/// may have refused it.
pub(super) fn upload_error(
    error: reqwest_middleware::Error,
    has_body: bool,
    trace: &AuthTrace,
) -> reqwest_middleware::Error {
    let error = match error {
        reqwest_middleware::Error::Reqwest(error) => {
            match error.url().and_then(|url| trace.masked_url(url)) {
                Some(url) => error.with_url(url).into(),
                None => error.into(),
            }
        }
        error @ reqwest_middleware::Error::Middleware(_) => error,
    };
    let error = error::masked(error);
    if has_body && is_broken_connection(&error) {
        return Error::from(Kind::UploadBroken(error)).into();
    }
    error
}
