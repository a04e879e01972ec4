//! Helpers of the WebDAV tests.

use std::time::Duration;

use scitoken_transfer::{Downloader, RetryPolicy};

/// Retries at once.
pub(crate) fn downloader() -> Downloader {
    let client = reqwest::Client::builder().no_proxy().http1_title_case_headers().build().expect("a client");
    let mut retry = RetryPolicy::default();
    (retry.retries, retry.first_delay) = (2, Duration::from_millis(1));
    Downloader::new(reqwest_middleware::ClientBuilder::new(client).build()).with_retry(retry)
}

/// One `response` of a listing, with a status of its own unless that is empty.
pub(crate) fn resource(href: &str, is_directory: bool, status: &str) -> String {
    let kind = if is_directory { "<D:collection/>" } else { "" };
    let rest = if status.is_empty() {
        format!(
            "<D:propstat><D:prop><D:resourcetype>{kind}</D:resourcetype></D:prop>\
             <D:status>HTTP/1.1 200 OK</D:status></D:propstat>"
        )
    } else {
        format!("<D:status>HTTP/1.1 {status}</D:status>")
    };
    format!("<D:response><D:href>{href}</D:href>{rest}</D:response>")
}

pub(crate) fn multistatus(resources: &[String]) -> String {
    format!("<?xml version=\"1.0\"?><D:multistatus xmlns:D=\"DAV:\">{}</D:multistatus>", resources.concat())
}
