//! Requests that ask for a digest, which is advisory: a server that refuses the question may still have the file.

use http::header::RETRY_AFTER;
use http::{HeaderMap, Method, StatusCode};
use reqwest::Response;
use url::Url;

use crate::cancel::Deadline;
use crate::digest::checksum::Checksum;
use crate::digest::header;
use crate::downloader::Downloader;
use crate::error::TransferError;

/// A response, and whether its request asked for a digest.
#[derive(Debug)]
pub(crate) struct DigestAnswer {
    pub(crate) response: Response,
    pub(crate) for_digest: bool,
}

impl Downloader {
    /// Sends a request that asks for a digest as the checksum says, and once more without the question where the server
    /// refuses that. The server is remembered.
    ///
    /// A server that is busy for a moment gives the same status, so the question is repeated before the next request goes
    /// without it: a success proves nothing about the one before.
    pub(crate) async fn send_with_digest_question(
        &self,
        method: Method,
        url: &Url,
        checksum: &Checksum,
        deadline: Option<Deadline>,
    ) -> Result<DigestAnswer, TransferError> {
        let mut question = HeaderMap::new();
        if checksum.is_required() || !self.servers().is_without_digests(url) {
            header::ask(checksum, &mut question);
        }
        let mut response = self.send(method.clone(), url, question.clone(), deadline).await?;
        if question.is_empty() {
            return Ok(DigestAnswer { response, for_digest: false });
        }
        if may_pass(&response) && refuses_digests(response.status()) {
            response = self.send(method.clone(), url, question, deadline).await?;
        }
        if !refuses_digests(response.status()) || response.headers().contains_key(RETRY_AFTER) {
            return Ok(DigestAnswer { response, for_digest: true });
        }
        response = self.send(method, url, HeaderMap::new(), deadline).await?;
        if response.status().is_success() {
            self.servers().without_digests(url);
        }
        Ok(DigestAnswer { response, for_digest: false })
    }
}

/// Returns whether a status may be the answer to the mere question for a digest.
fn refuses_digests(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400 | 403 | 406 | 412 | 422 | 431 | 500..=503)
}

/// Returns whether the same request may be answered otherwise at once. A server that asks to wait is not asked sooner.
fn may_pass(response: &Response) -> bool {
    response.status().is_server_error() && !response.headers().contains_key(RETRY_AFTER)
}
