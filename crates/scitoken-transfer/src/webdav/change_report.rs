//! The report of a change to a directory, a `207` (RFC 4918 section 13).

use http::StatusCode;
use reqwest::Response;
use scitoken_types::redact;
use url::Url;

use crate::cancel::Deadline;
use crate::downloader::Downloader;
use crate::error::{RetryAction, TransferError};
use crate::exchange::request::not_attached;
use crate::webdav::listing::failed_member;
use crate::webdav::multistatus::MultistatusParser;

/// The longest `207` answer to a change that is read, in bytes.
const LONGEST_REPORT: usize = 1024 * 1024;

impl Downloader {
    /// Reads which members of a directory failed (RFC 4918 section 9.6.1).
    pub(super) async fn check_report(
        &self,
        url: &Url,
        mut response: Response,
        deadline: Option<Deadline>,
    ) -> Result<(), TransferError> {
        let without_token = not_attached(&response);
        let mut parser = MultistatusParser::default();
        let mut found = Vec::new();
        let mut length = 0;
        let read = async {
            while let Ok(Some(chunk)) = response.chunk().await {
                length += chunk.len();
                match parser.push(&chunk) {
                    Ok(resources) if length <= LONGEST_REPORT => found.extend(resources),
                    _ => break,
                }
            }
        };
        tokio::select! {
            failure = self.cancellation_token().ended_at(deadline, url) => return Err(failure),
            _ = tokio::time::timeout(self.limits().stall, read) => {}
        }
        let is_whole = parser.finish().map(|rest| found.extend(rest)).is_ok();
        if let Some((member, status)) = found.iter().find_map(|found| Some((found, found.failure?))) {
            return Err(failed_member(url, member, status, without_token.as_ref())
                .with_retry_action(RetryAction::GiveUp));
        }
        let what = match found.iter().find(|found| !found.is_confirmed) {
            Some(member) => format!("does not say what became of `{}`", redact::text(&member.href)),
            // Members that succeeded need not be named.
            None if is_whole && !found.is_empty() => return Ok(()),
            None => "succeeded for a part of the directory only (207)".to_owned(),
        };
        Err(TransferError::invalid_answer(url, RetryAction::GiveUp, what)
            .with_status(StatusCode::MULTI_STATUS))
    }
}
