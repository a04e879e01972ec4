//! Answers that nobody wants, read to their end.

use std::time::Duration;

use reqwest::Response;

/// Reads the rest of an answer, so that its connection can be used again; gives up after 64 KiB or two seconds.
pub(crate) async fn drain(mut response: Response) {
    const MOST: usize = 64 * 1024;
    if response.content_length().is_some_and(|length| length > MOST as u64) {
        return;
    }
    let read = async {
        let mut read = 0;
        while let Ok(Some(chunk)) = response.chunk().await {
            read += chunk.len();
            if read > MOST {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(Duration::from_secs(2), read).await;
}
