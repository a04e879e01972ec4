//! Uploads, verified at the server.

use std::convert::Infallible;
use std::fs::File;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use http::header::{CONTENT_LENGTH, EXPECT, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use reqwest::{Body, Response};
use reqwest_middleware::RequestBuilder;
use tokio::time::{Instant, sleep};
use url::Url;

use crate::cancel::Deadline;
use crate::digest::algorithm::DigestAlgorithm;
use crate::digest::checksum::Checksum;
use crate::digest::value::Digest;
use crate::downloader::Downloader;
use crate::error::{FailureKind, RetryAction, TransferError};
use crate::event::{EventKind, FileNumber};
use crate::exchange::page_answer::page_in_place_of_change;
use crate::exchange::request::{classify, error_text, head_of, with_server_text};
use crate::exchange::request_record::RequestRecord;
use crate::exchange::response_head;
use crate::hint::TransferHint;
use crate::overwrite::Overwrite;
use crate::timings::Timings;
use crate::upload::accepted::{accepted, not_stored};
use crate::upload::body::{FileBody, SentBytes, WORTH_ASKING};
use crate::upload::check::{Checked, SentFile};
use crate::upload::job::{Upload, Uploaded};
use crate::upload::local_file::{FileStamp, changed, open};
use crate::upload::progress::PutProgress;
use crate::upload::refusal::{may_be_stored, may_mean_taken, refuses_digest_header};
use reqwest_scitokens::RequestBuilderExt as _;
use scitoken_types::SafeUrl;

/// How long the text of an answer of success may take.
const WORDS_OF_SUCCESS: Duration = Duration::from_millis(200);

/// The time between two reports of progress.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

impl Downloader {
    /// Uploads a file and verifies it at the server.
    ///
    /// ```no_run
    /// use scitoken_transfer::Upload;
    ///
    /// # async fn example(downloader: scitoken_transfer::Downloader) -> Result<(), Box<dyn std::error::Error>> {
    /// let upload = Upload::new("result.root", "https://data.example.org/vo/result.root".parse()?)?;
    /// let uploaded = downloader.upload(&upload).await?;
    /// println!("{} bytes, {}", uploaded.length, uploaded.verification);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The file cannot be read, the server refused, or what the server has is not what was sent.
    pub async fn upload(&self, upload: &Upload) -> Result<Uploaded, TransferError> {
        let deadline = self.deadline();
        let (file, length) = open(&upload.file)?;
        let stamp = FileStamp::of(&file);
        let digest = match upload.algorithm {
            Some(algorithm) => Some(tokio::select! {
                digest = self.digest(upload, algorithm, &file) => digest?,
                failure = self.cancellation_token().ended(deadline) => return Err(failure),
            }),
            None => None,
        };
        if upload.existing == Overwrite::Refuse {
            self.refuse_existing(upload, deadline).await?;
        }
        let started = Instant::now();
        let target = Some(upload.name.as_ref().unwrap_or(&upload.file).clone());
        let what = EventKind::Started { url: SafeUrl::new(&upload.url).to_string(), target };
        self.reporter().send(upload.number, what).await;
        let progress = PutProgress::new(length);
        let attempt = || async {
            let what = EventKind::Answered { length: Some(length), resumed_from: 0 };
            self.reporter().send(upload.number, what).await;
            match self.put_once(upload, &file, length, digest.as_ref(), &progress, deadline).await {
                // The server does not know `Expect` (RFC 9110 section 15.5.18).
                Err(failure)
                    if failure.status() == Some(StatusCode::EXPECTATION_FAILED)
                        && progress.expects.swap(false, Ordering::Relaxed) =>
                {
                    self.put_once(upload, &file, length, digest.as_ref(), &progress, deadline).await
                }
                // The digest of an upload is advisory.
                Err(failure)
                    if failure.retry_action() == RetryAction::WithoutDigest
                        && progress.sends_digest.swap(false, Ordering::Relaxed) =>
                {
                    self.put_once(upload, &file, length, digest.as_ref(), &progress, deadline).await
                }
                result => result,
            }
        };
        let sent = Box::pin(self.with_retries(&upload.url, Some(upload.number), attempt, deadline)).await;
        if let Err(failure) = sent {
            return Err(self.explain_refusal(upload, failure, deadline).await);
        }
        let sent = SentFile { upload, file: &file, length, digest };
        let checked = self.check_upload(&sent, deadline).await;
        if FileStamp::of(&file) != stamp {
            return Err(changed(upload));
        }
        let refusal = progress.refusal.into_inner().unwrap_or_else(PoisonError::into_inner);
        let uploaded = match refusal {
            // The name is taken: by an attempt whose answer was lost, if the stored file is the sent one.
            Some(refusal) => checked.ok().filter(|checked| checked.proves(&refusal)).ok_or(refusal)?.result,
            None => match (progress.page.into_inner(), checked) {
                // An older file may have the same length.
                (Some(page), checked) => checked.ok().filter(Checked::is_verified).ok_or(page)?.result,
                (None, Err(missing)) if missing.kind() == FailureKind::NotFound => {
                    return Err(not_stored(upload, progress.accepted.get()));
                }
                (None, checked) => checked?.result,
            },
        };
        let timings = Timings { total: started.elapsed(), fetched: length, ..Timings::default() };
        let verification = uploaded.verification.clone();
        self.reporter().send(upload.number, EventKind::Finished { length, verification, timings }).await;
        Ok(uploaded)
    }

    /// Reports at intervals how much of the file was sent.
    async fn report_progress(&self, number: FileNumber, length: u64, sent: &SentBytes) -> Infallible {
        loop {
            sleep(PROGRESS_INTERVAL).await;
            let done = sent.bytes();
            self.reporter().try_send(number, EventKind::Progress { done, length: Some(length) });
        }
    }

    async fn refuse_existing(
        &self,
        upload: &Upload,
        deadline: Option<Deadline>,
    ) -> Result<(), TransferError> {
        match Box::pin(self.probe_with_retries(&upload.url, &Checksum::None, deadline)).await {
            Ok(_) => Err(exists(upload)),
            Err(failure) if failure.kind() == FailureKind::NotFound => Ok(()),
            // A token with write permission need not permit reading. The server decides.
            Err(failure) if failure.kind() == FailureKind::Refused => Ok(()),
            // A server need not know `HEAD`. What neither way says is free is not replaced.
            Err(failure) => match Box::pin(self.describe(&upload.url, deadline)).await {
                Ok(_) => Err(exists(upload)),
                Err(missing) if missing.kind() == FailureKind::NotFound => Ok(()),
                Err(_) => Err(failure),
            },
        }
    }

    /// Sends the file, and reports the request.
    async fn put_once(
        &self,
        upload: &Upload,
        file: &Arc<File>,
        length: u64,
        digest: Option<&Digest>,
        progress: &PutProgress,
        deadline: Option<Deadline>,
    ) -> Result<(), TransferError> {
        let mut record = RequestRecord::begin(self.reporter().reports_requests());
        let request = self.put_request(upload, file, length, digest, progress);
        let result = self.send_file(upload, length, request, progress, deadline, &mut record).await;
        if self.reporter().reports_requests() {
            let report = record.report(&upload.url, result.as_ref().err());
            self.reporter().send(upload.number, EventKind::Requested(Box::new(report))).await;
        }
        result
    }

    /// Returns the request, and the counter of what it has sent.
    fn put_request(
        &self,
        upload: &Upload,
        file: &Arc<File>,
        length: u64,
        digest: Option<&Digest>,
        progress: &PutProgress,
    ) -> (RequestBuilder, Arc<SentBytes>) {
        let mut headers = HeaderMap::new();
        if let Some(digest) = digest.filter(|_| progress.sends_digest.load(Ordering::Relaxed)) {
            let value = match digest.algorithm() {
                // RFC 3230 writes these in hex, the others in base64.
                DigestAlgorithm::Adler32 | DigestAlgorithm::Crc32 | DigestAlgorithm::Crc32c => {
                    digest.to_hex()
                }
                _ => digest.to_base64(),
            };
            let value = HeaderValue::try_from(format!("{}={value}", digest.algorithm()));
            headers.insert("digest", value.expect("a digest is plain ASCII"));
        }
        if upload.existing == Overwrite::Refuse {
            headers.insert(IF_NONE_MATCH, HeaderValue::from_static("*"));
        }
        if progress.expects.load(Ordering::Relaxed) {
            headers.insert(EXPECT, HeaderValue::from_static("100-continue"));
        }
        if length == 0 {
            // An empty body has no length of its own, and servers refuse one without (RFC 9110 section 8.6).
            headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
        }
        let sent = Arc::<SentBytes>::default();
        let (body_file, counter) = (Arc::clone(file), Arc::clone(&sent));
        let rate = self.rate().cloned();
        let make = move || {
            let body = FileBody::new(Arc::clone(&body_file), length, WORTH_ASKING, &counter);
            Body::wrap(body.with_bandwidth_limit(rate.clone()))
        };
        (self.client().put(upload.url.clone()).headers(headers).replayable_body(make), sent)
    }

    async fn send_file(
        &self,
        upload: &Upload,
        length: u64,
        (request, sent): (RequestBuilder, Arc<SentBytes>),
        progress: &PutProgress,
        deadline: Option<Deadline>,
        record: &mut RequestRecord,
    ) -> Result<(), TransferError> {
        let answer = tokio::select! {
            answer = request.send() => answer.map_err(|error| classify(&upload.url, error)),
            failure = self.stalled_upload(&upload.url, &sent) => Err(failure),
            never = self.report_progress(upload.number, length, &sent) => match never {},
            failure = self.cancellation_token().ended(deadline) => Err(failure),
        };
        record.bytes = sent.bytes();
        if let Ok(response) = &answer {
            record.answered(response);
        }
        let was_lost = progress.was_lost.load(Ordering::Relaxed);
        let has_sent = length == 0 || sent.bytes() > 0;
        let failure = match answer {
            Ok(response) => match self.put_answer(upload, response, progress).await {
                Ok(()) => return Ok(()),
                Err(failure) => failure,
            },
            Err(failure) => {
                if let Some(error) = sent.failure() {
                    return Err(TransferError::local("read", &upload.file, error));
                }
                let was_lost_before = progress.was_lost.swap(true, Ordering::Relaxed);
                // A server that refuses may close the connection. But where it took the whole file, it may as well have stored
                // it, and the answer was lost: another attempt tells.
                let is_repeated =
                    failure.kind() == FailureKind::Refused && sent.bytes() == length && !was_lost_before;
                return Err(if is_repeated {
                    failure.with_retry_action(RetryAction::Retry)
                } else {
                    failure
                });
            }
        };
        match failure.status() {
            Some(status) if was_lost && may_mean_taken(status) => {
                *progress.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
                Ok(())
            }
            // A gateway that lost the answer of the server behind it.
            Some(status) if has_sent && may_be_stored(status) => {
                progress.was_lost.store(true, Ordering::Relaxed);
                Err(failure)
            }
            _ => Err(failure),
        }
    }

    async fn put_answer(
        &self,
        upload: &Upload,
        mut response: Response,
        progress: &PutProgress,
    ) -> Result<(), TransferError> {
        match response.status() {
            status if status.is_success() => {
                if let Some(page) = page_in_place_of_change(&upload.url, &mut response).await {
                    let _ = progress.page.set(page);
                } else {
                    // The words are for a file that is not there afterwards, and not worth waiting for.
                    let text = tokio::time::timeout(WORDS_OF_SUCCESS, error_text(&mut response)).await;
                    let _ = progress.accepted.set(accepted(response.status(), &text.unwrap_or_default()));
                }
                Ok(())
            }
            StatusCode::PRECONDITION_FAILED if upload.existing == Overwrite::Refuse => {
                Err(exists(upload).with_status(StatusCode::PRECONDITION_FAILED))
            }
            _ => {
                let failure = response_head::refused(&head_of(&response, &upload.url), self.now());
                let failure = with_server_text(failure, response, false).await;
                let has_digest = upload.algorithm.is_some() && progress.sends_digest.load(Ordering::Relaxed);
                Err(if has_digest && refuses_digest_header(&failure) {
                    failure.with_retry_action(RetryAction::WithoutDigest)
                } else {
                    failure
                })
            }
        }
    }

    /// Resolves when the upload stalls.
    async fn stalled_upload(&self, url: &Url, sent: &SentBytes) -> TransferError {
        let (stall, begun) = (self.limits().stall.max(self.limits().first_byte), Instant::now());
        let mut before = 0;
        loop {
            sleep(stall).await;
            let now = sent.bytes();
            if now == before && !sent.is_limited() {
                let message = format!(
                    "`{}` accepted {now} bytes in {} s and no more",
                    SafeUrl::new(url),
                    begun.elapsed().as_secs()
                );
                return TransferError::new(FailureKind::Timeout, RetryAction::Retry, message);
            }
            before = now;
        }
    }
}

fn exists(upload: &Upload) -> TransferError {
    TransferError::exists(&upload.url).with_hint(TransferHint::AllowOverwrite)
}
