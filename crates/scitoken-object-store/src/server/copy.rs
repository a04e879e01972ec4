//! Copying and renaming objects on a server.

use http::{HeaderValue, Method, StatusCode};
use object_store::path::Path;
use object_store::{CopyMode, GetOptions, PutMode, PutOptions, Result};
use reqwest::Response;

use super::directory::Directory;
use super::write::{Answered, already_exists, is_without_parent};
use crate::error::unexpected;
use crate::hidden::HiddenParts;
use crate::location;
use crate::service::send;

/// How much of the end of a report is kept.
const LONGEST_REPORT: usize = 64 * 1024;

impl Directory {
    /// Copies by `COPY` (RFC 4918 section 9.8), or by reading and writing where the server has none.
    pub(crate) async fn copy(&self, from: &Path, to: &Path, mode: CopyMode) -> Result<()> {
        if mode == CopyMode::Create {
            self.stat(from).await?;
            self.require_absent(to).await?;
        }
        if from == to {
            return self.stat(from).await.map(drop);
        }
        let mut answer = self.send_to(b"COPY", from, to, mode).await?;
        if is_without_parent(answer.status) {
            // It is the source that is missing, or the directory of the copy.
            self.stat(from).await?;
            self.make_parent(to).await?;
            answer = self.send_to(b"COPY", from, to, mode).await?;
        }
        match answer.status {
            StatusCode::CREATED | StatusCode::NO_CONTENT => Ok(()),
            StatusCode::PRECONDITION_FAILED if mode == CopyMode::Create => Err(already_exists(to)),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
                Err(answer.into_error(from))
            }
            // No COPY, or that of XRootD, which is a third-party copy and failed.
            _ => self.copy_through(from, to, mode).await,
        }
    }

    /// Sends a `COPY` or `MOVE` and returns the answer.
    async fn send_to(&self, method: &[u8], from: &Path, to: &Path, mode: CopyMode) -> Result<Answered> {
        let method = Method::from_bytes(method).map_err(unexpected)?;
        let mut destination = location::url_of(&self.base, to);
        HiddenParts::take(&mut destination);
        let overwrite = if mode == CopyMode::Create { "F" } else { "T" };
        let request = self
            .client
            .request(method, location::url_of(&self.base, from))
            .header("Destination", HeaderValue::try_from(destination.as_str()).map_err(unexpected)?)
            .header("Overwrite", HeaderValue::from_static(overwrite));
        let mut response = send(request).await?;
        let status = response.status();
        if status.is_success() && reports_failure(&mut response).await {
            return Ok(Answered::new(StatusCode::NOT_IMPLEMENTED));
        }
        Ok(Answered::read(response).await)
    }

    async fn copy_through(&self, from: &Path, to: &Path, mode: CopyMode) -> Result<()> {
        let data = self.get(from, GetOptions::new()).await?.bytes().await?;
        let mode = if mode == CopyMode::Create { PutMode::Create } else { PutMode::Overwrite };
        self.put(to, data.into(), PutOptions { mode, ..PutOptions::default() }).await?;
        Ok(())
    }

    /// Renames by `MOVE` (RFC 4918 section 9.9), or by copying and removing where the server has none.
    pub(crate) async fn rename(&self, from: &Path, to: &Path, mode: CopyMode) -> Result<()> {
        self.stat(from).await?;
        if mode == CopyMode::Create {
            self.require_absent(to).await?;
        }
        // A server may remove the target first, and what has no `MOVE` would be copied and removed.
        if from == to {
            return Ok(());
        }
        let mut answer = self.send_to(b"MOVE", from, to, mode).await?;
        if is_without_parent(answer.status) || answer.status == StatusCode::INTERNAL_SERVER_ERROR {
            // Apache answers 500 where the directory of the new name is missing.
            self.make_parent(to).await?;
            answer = self.send_to(b"MOVE", from, to, mode).await?;
        }
        match answer.status {
            // A part of it failed (RFC 4918 section 13).
            StatusCode::MULTI_STATUS => Err(answer.into_error(from)),
            status if status.is_success() => Ok(()),
            StatusCode::PRECONDITION_FAILED if mode == CopyMode::Create => Err(already_exists(to)),
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
                self.copy(from, to, mode).await?;
                self.delete(from).await
            }
            _ => Err(answer.into_error(from)),
        }
    }
}

/// Whether a body says that the copy failed. A third-party copy begins with a success status, and its last line tells how it
/// ended.
async fn reports_failure(response: &mut Response) -> bool {
    let mut text = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        text.extend_from_slice(&chunk);
        // Markers of progress need not be kept.
        text.drain(..text.len().saturating_sub(LONGEST_REPORT));
    }
    String::from_utf8_lossy(&text).lines().any(|line| line.to_ascii_lowercase().starts_with("failure:"))
}
