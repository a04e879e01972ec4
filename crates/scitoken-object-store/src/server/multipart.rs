//! Multipart uploads: one `PUT` whose body is the parts in their order.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::{BoxFuture, Shared};
use futures_util::{FutureExt as _, StreamExt as _};
use object_store::path::Path;
use object_store::{MultipartUpload, PutPayload, PutResult, Result, UploadPart};
use reqwest::Body;
use scitoken_transfer::{Downloader, Overwrite};
use tokio::sync::mpsc::{Sender, channel};
use tokio::sync::{Mutex, oneshot};
use tokio::task::AbortHandle;
use url::Url;

use super::directory::Directory;
use super::write::Answered;
use crate::error::{of_transfer, unexpected};
use crate::location;
use crate::service::send;

/// The end of the name of an upload that is not complete.
const TEMPORARY: &str = ".scitoken-upload";

/// Whether a name is that of an upload that is not complete.
pub(super) fn is_temporary(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(TEMPORARY)
}

/// How long an upload that is aborted waits for the server to take what was sent.
const PATIENCE: Duration = Duration::from_secs(5);

/// The chunks of the body.
type Chunk = Result<Bytes, Infallible>;

/// What the server answered, which the parts and the end of an upload tell.
type Answer = Shared<BoxFuture<'static, Result<Answered, Arc<object_store::Error>>>>;

/// An upload in progress.
#[derive(Debug)]
struct StreamedUpload {
    downloader: Downloader,
    location: Path,
    temporary: Url,
    target: Url,
    parts: Arc<Mutex<Option<Sender<Chunk>>>>,
    /// Each part waits for the one before it.
    previous: Option<oneshot::Receiver<()>>,
    answer: Answer,
    sending: AbortHandle,
    /// Whether the request took all parts and their end.
    is_sent: Arc<AtomicBool>,
    has_ended: bool,
}

impl Directory {
    pub(crate) async fn put_multipart(&self, location: &Path) -> Result<Box<dyn MultipartUpload>> {
        self.make_parent(location).await?;
        let target = location::url_of(&self.base, location);
        let temporary = temporary_name(&target);
        let (sender, receiver) = channel::<Chunk>(1);
        let is_sent = Arc::new(AtomicBool::new(false));
        let body =
            futures_util::stream::unfold((receiver, Arc::clone(&is_sent)), |(mut parts, is_sent)| async {
                let chunk = parts.recv().await;
                is_sent.store(chunk.is_none(), Ordering::Release);
                chunk.map(|chunk| (chunk, (parts, is_sent)))
            });
        let request = self.client.put(temporary.clone()).body(Body::wrap_stream(body.fuse()));
        let sending = tokio::spawn(async move { Ok(Answered::read(send(request).await?).await) });
        let abort = sending.abort_handle();
        let answer = sending.map(|ended| ended.map_err(unexpected).flatten().map_err(Arc::new)).boxed();
        Ok(Box::new(StreamedUpload {
            downloader: self.downloader.clone(),
            location: location.clone(),
            temporary,
            target,
            parts: Arc::new(Mutex::new(Some(sender))),
            previous: None,
            answer: answer.shared(),
            sending: abort,
            is_sent,
            has_ended: false,
        }))
    }
}

/// Returns why an upload ended early.
fn early_end(answer: Result<Answered, Arc<object_store::Error>>, location: &Path) -> object_store::Error {
    match answer {
        Ok(answer) if answer.status.is_success() => {
            unexpected("the server answered before it had all parts of the upload")
        }
        Ok(answer) => answer.into_error(location),
        Err(error) => unexpected(error),
    }
}

/// Returns a hidden name beside the target that no other upload has.
fn temporary_name(target: &Url) -> Url {
    let mut url = target.clone();
    let name = target.path_segments().and_then(|mut names| names.next_back()).unwrap_or_default();
    let name = format!(".{name}.{:016x}{TEMPORARY}", fastrand::u64(..));
    if let Ok(mut segments) = url.path_segments_mut() {
        segments.pop();
    }
    // The name is encoded already.
    let directory = url.path().trim_end_matches('/').to_owned();
    url.set_path(&format!("{directory}/{name}"));
    url
}

#[async_trait]
impl MultipartUpload for StreamedUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (done, next) = oneshot::channel();
        let (previous, parts) = (self.previous.replace(next), Arc::clone(&self.parts));
        let (answer, location) = (self.answer.clone(), self.location.clone());
        async move {
            if let Some(previous) = previous
                && previous.await.is_err()
            {
                // The answer tells why, if it is there.
                let failed = || unexpected("an earlier part of the upload failed");
                return Err(answer.now_or_never().map_or_else(failed, |answer| early_end(answer, &location)));
            }
            let parts = parts.lock().await;
            let sender = parts.as_ref().ok_or_else(|| unexpected("the upload has ended"))?;
            for chunk in data {
                if sender.send(Ok(chunk)).await.is_err() {
                    return Err(early_end(answer.await, &location));
                }
            }
            drop(parts);
            let _ = done.send(());
            Ok(())
        }
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        if std::mem::replace(&mut self.has_ended, true) {
            return Err(unexpected("the upload has ended"));
        }
        if let Some(mut previous) = self.previous.take()
            && previous.try_recv().is_err()
        {
            let missing = || unexpected("a part of the upload was not sent");
            let answer = self.answer.clone().now_or_never();
            self.sending.abort();
            return Err(answer.map_or_else(missing, |answer| early_end(answer, &self.location)));
        }
        drop(self.parts.lock().await.take());
        let answer = self.answer.clone().await;
        let is_stored = answer.as_ref().is_ok_and(|answer| answer.status.is_success());
        if !is_stored || !self.is_sent.load(Ordering::Acquire) {
            return Err(early_end(answer, &self.location));
        }
        let moved = self.downloader.rename(&self.temporary, &self.target, Overwrite::Allow).await;
        moved.map_err(|failure| of_transfer(failure, &self.location))?;
        Ok(PutResult { e_tag: None, version: None, extensions: http::Extensions::new() })
    }

    async fn abort(&mut self) -> Result<()> {
        self.has_ended = true;
        // The body ends as it is: after a broken one, a server may still write when the name is removed.
        let end = async {
            drop(self.parts.lock().await.take());
            let _ = self.answer.clone().await;
        };
        if tokio::time::timeout(PATIENCE, end).await.is_err() {
            self.sending.abort();
        }
        let _ = self.downloader.remove_file(&self.temporary).await;
        Ok(())
    }
}

impl Drop for StreamedUpload {
    fn drop(&mut self) {
        self.sending.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_has_a_hidden_name_in_the_directory_of_its_target() {
        let target: Url = "https://h/d%20e/a%2520b.parquet".parse().unwrap();
        let temporary = temporary_name(&target);
        assert!(temporary.path().starts_with("/d%20e/.a%2520b.parquet."), "{temporary}");
        assert!(is_temporary(temporary.path().rsplit('/').next().unwrap()));
        assert_ne!(temporary, temporary_name(&target));
        assert!(!is_temporary("a.scitoken-upload") && !is_temporary(".a"));
    }
}
