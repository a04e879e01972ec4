//! Multipart uploads: one `PUT` whose body is the parts in their order.

use std::convert::Infallible;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
use object_store::path::Path;
use object_store::{MultipartUpload, PutPayload, PutResult, Result, UploadPart};
use reqwest::Body;
use scitoken_transfer::{Downloader, Overwrite};
use tokio::sync::mpsc::{Sender, channel};
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinHandle;
use url::Url;

use super::directory::Directory;
use super::write::refused;
use crate::error::{of_transfer, unexpected};
use crate::location;
use crate::service::send;

/// The end of the name of an upload that is not complete.
const TEMPORARY: &str = ".scitoken-upload";

/// Whether a name is that of an upload that is not complete.
pub(super) fn is_temporary(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(TEMPORARY)
}

/// The chunks of the body.
type Chunk = Result<Bytes, Infallible>;

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
    response: Option<JoinHandle<Result<reqwest::Response>>>,
}

impl Directory {
    pub(crate) async fn put_multipart(&self, location: &Path) -> Result<Box<dyn MultipartUpload>> {
        self.make_parent(location).await?;
        let target = location::url_of(&self.base, location);
        let temporary = temporary_name(&target);
        let (sender, receiver) = channel::<Chunk>(1);
        let body = futures_util::stream::unfold(receiver, |mut receiver| async move {
            receiver.recv().await.map(|chunk| (chunk, receiver))
        });
        let request = self.client.put(temporary.clone()).body(Body::wrap_stream(body.fuse()));
        let response = tokio::spawn(send(request));
        Ok(Box::new(StreamedUpload {
            downloader: self.downloader.clone(),
            location: location.clone(),
            temporary,
            target,
            parts: Arc::new(Mutex::new(Some(sender))),
            previous: None,
            response: Some(response),
        }))
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
        async move {
            if let Some(previous) = previous {
                previous.await.map_err(|_| unexpected("an earlier part of the upload failed"))?;
            }
            let parts = parts.lock().await;
            let sender = parts.as_ref().ok_or_else(|| unexpected("the upload has ended"))?;
            for chunk in data {
                let sent = sender.send(Ok(chunk)).await;
                sent.map_err(|_| unexpected("the server ended the upload; `complete` tells why"))?;
            }
            drop(parts);
            let _ = done.send(());
            Ok(())
        }
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let response = self.response.take().ok_or_else(|| unexpected("the upload has ended"))?;
        if let Some(previous) = self.previous.take() {
            previous.await.map_err(|_| unexpected("a part of the upload is missing"))?;
        }
        drop(self.parts.lock().await.take());
        let status = response.await.map_err(unexpected)??.status();
        if !status.is_success() {
            return Err(refused(status, &self.location));
        }
        let moved = self.downloader.rename(&self.temporary, &self.target, Overwrite::Allow).await;
        moved.map_err(|failure| of_transfer(failure, &self.location))?;
        Ok(PutResult { e_tag: None, version: None, extensions: http::Extensions::new() })
    }

    async fn abort(&mut self) -> Result<()> {
        // The body ends as it is: after a broken one, a server may still write when the name is removed.
        drop(self.parts.lock().await.take());
        if let Some(response) = self.response.take() {
            let _ = response.await;
        }
        let _ = self.downloader.remove_file(&self.temporary).await;
        Ok(())
    }
}

impl Drop for StreamedUpload {
    fn drop(&mut self) {
        if let Some(response) = &self.response {
            response.abort();
        }
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
