//! Copying and renaming objects on a server.

use http::{HeaderValue, Method, StatusCode};
use object_store::path::Path;
use object_store::{CopyMode, GetOptions, PutMode, PutOptions, Result};
use reqwest::Response;

use super::directory::Directory;
use super::write::{Answered, already_exists, is_without_parent};
use crate::error::{http_error, unexpected};
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
        let (mut answer, mut report) = self.send_to(b"COPY", from, to, mode).await?;
        if is_without_parent(answer.status) {
            // It is the source that is missing, or the directory of the copy.
            self.stat(from).await?;
            self.make_parent(to).await?;
            (answer, report) = self.send_to(b"COPY", from, to, mode).await?;
        }
        match answer.status {
            StatusCode::CREATED | StatusCode::NO_CONTENT => match report {
                Report::WithoutOutcome => {
                    let length = self.stat(from).await?.size;
                    self.require_copy(to, length).await
                }
                Report::Success | Report::Failure | Report::Absent => Ok(()),
            },
            StatusCode::PRECONDITION_FAILED if mode == CopyMode::Create => Err(already_exists(to)),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => {
                Err(answer.into_error(from))
            }
            // No COPY, or that of XRootD, which is a third-party copy and failed.
            _ => self.copy_through(from, to, mode).await,
        }
    }

    /// Sends a `COPY` or `MOVE` and returns the answer.
    ///
    /// # Errors
    /// There is none, or the report of a success breaks off.
    async fn send_to(
        &self,
        method: &[u8],
        from: &Path,
        to: &Path,
        mode: CopyMode,
    ) -> Result<(Answered, Report)> {
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
        if !status.is_success() {
            return Ok((Answered::read(response).await, Report::Absent));
        }
        let report = Report::read(&mut response).await?;
        let status = if report == Report::Failure { StatusCode::NOT_IMPLEMENTED } else { status };
        Ok((Answered::new(status), report))
    }

    /// Requires an object of this length, which a copy must have made.
    async fn require_copy(&self, to: &Path, length: u64) -> Result<()> {
        match self.stat(to).await?.size {
            copied if copied == length => Ok(()),
            copied => Err(unexpected(format!("the server copied {copied} of the {length} bytes to `{to}`"))),
        }
    }

    async fn copy_through(&self, from: &Path, to: &Path, mode: CopyMode) -> Result<()> {
        let data = self.get(from, GetOptions::new()).await?.bytes().await?;
        let mode = if mode == CopyMode::Create { PutMode::Create } else { PutMode::Overwrite };
        self.put(to, data.into(), PutOptions { mode, ..PutOptions::default() }).await?;
        Ok(())
    }

    /// Renames by `MOVE` (RFC 4918 section 9.9), or by copying and removing where the server has none.
    pub(crate) async fn rename(&self, from: &Path, to: &Path, mode: CopyMode) -> Result<()> {
        let length = self.stat(from).await?.size;
        if mode == CopyMode::Create {
            self.require_absent(to).await?;
        }
        // A server may remove the target first, and what has no `MOVE` would be copied and removed.
        if from == to {
            return Ok(());
        }
        let (mut answer, _) = self.send_to(b"MOVE", from, to, mode).await?;
        if is_without_parent(answer.status) || answer.status == StatusCode::INTERNAL_SERVER_ERROR {
            // Apache answers 500 where the directory of the new name is missing.
            self.make_parent(to).await?;
            (answer, _) = self.send_to(b"MOVE", from, to, mode).await?;
        }
        match answer.status {
            // A part of it failed (RFC 4918 section 13).
            StatusCode::MULTI_STATUS => Err(answer.into_error(from)),
            status if status.is_success() => Ok(()),
            StatusCode::PRECONDITION_FAILED if mode == CopyMode::Create => Err(already_exists(to)),
            StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => {
                self.copy(from, to, mode).await?;
                // Whatever the server said of the copy, the original is not removed without one.
                self.require_copy(to, length).await?;
                self.delete(from).await
            }
            _ => Err(answer.into_error(from)),
        }
    }
}

/// What the body of a successful answer says of a copy. A third-party copy begins with a success status, and its last line
/// tells how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Report {
    Success,
    Failure,
    /// A report that does not tell how the copy ended.
    WithoutOutcome,
    /// No body, or a web page that repeats the status.
    Absent,
}

impl Report {
    /// Reads a body to its end.
    ///
    /// # Errors
    /// It breaks off.
    async fn read(response: &mut Response) -> Result<Self> {
        let mut text = Vec::new();
        while let Some(chunk) =
            response.chunk().await.map_err(|error| unexpected(http_error(error.into())))?
        {
            text.extend_from_slice(&chunk);
            // Markers of progress need not be kept.
            text.drain(..text.len().saturating_sub(LONGEST_REPORT));
        }
        Ok(Self::of(&String::from_utf8_lossy(&text)))
    }

    fn of(text: &str) -> Self {
        let says =
            |outcome| text.lines().any(|line| line.trim_start().to_ascii_lowercase().starts_with(outcome));
        if says("failure:") {
            Self::Failure
        } else if says("success:") {
            Self::Success
        } else if text.trim().is_empty() || text.trim_start().starts_with('<') {
            Self::Absent
        } else {
            Self::WithoutOutcome
        }
    }
}
