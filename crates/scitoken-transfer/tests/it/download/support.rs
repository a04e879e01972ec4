//! Helpers of the download tests.

use std::path::Path;
use std::time::Duration;

use reqwest_middleware::ClientWithMiddleware;
use scitoken_transfer::{Download, Downloaded, Downloader, RetryPolicy, TransferError};
use tempfile::TempDir;

use scitoken_test_support::chaos_server::{Asked, ChaosServer, Reply};

pub(crate) const HELLO: &[u8] = b"hello scitokens\n";

pub(crate) fn client() -> ClientWithMiddleware {
    let client = reqwest::Client::builder().no_proxy().http1_title_case_headers().build().expect("it works");
    reqwest_middleware::ClientBuilder::new(client).build()
}

/// Retries at once.
pub(crate) fn downloader() -> Downloader {
    let mut retry = RetryPolicy::default();
    retry.first_delay = Duration::from_millis(1);
    retry.longest_delay = Duration::from_millis(5);
    Downloader::new(client()).with_retry(retry)
}

pub(crate) fn content(length: usize) -> Vec<u8> {
    (0..length).map(|n| u8::try_from(n * 31 % 251).expect("a byte")).collect()
}

pub(crate) fn job(server: &ChaosServer, directory: &TempDir) -> Download {
    Download::new(server.url("f.dat"), directory.path().join("f.dat")).expect("it works")
}

pub(crate) fn adler32(data: &[u8]) -> String {
    let mut hash = simd_adler32::Adler32::new();
    hash.write(data);
    format!("{:08x}", hash.finish())
}

pub(crate) fn files(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs_err::read_dir(directory)
        .expect("it works")
        .map(|entry| entry.expect("it works").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

pub(crate) async fn get(
    directory: &TempDir,
    answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
) -> (Result<Downloaded, TransferError>, ChaosServer) {
    let server = ChaosServer::start(answer).await;
    let result = downloader().download(job(&server, directory)).await;
    (result, server)
}

/// Leaves 40,000 of 90,000 bytes of `v1` behind.
pub(crate) async fn interrupted(directory: &TempDir, etag: &'static str) -> ChaosServer {
    let server = ChaosServer::start(move |asked| {
        let data = if asked.path.contains("changed") { vec![9; 90_000] } else { content(90_000) };
        let validator = [("ETag", etag)];
        let reply = Reply::honest(asked, &data, if etag.is_empty() { &[] } else { &validator });
        if asked.number == 0 { reply.cut_after(40_000) } else { reply }
    })
    .await;
    let mut retry = RetryPolicy::default();
    retry.retries = 0;
    downloader().with_retry(retry).download(job(&server, directory)).await.unwrap_err();
    server
}

/// A whole file in chunks, without a length.
pub(crate) fn chunked(headers: &[(&str, &str)], data: &[u8]) -> Reply {
    let mut all = vec![("Transfer-Encoding", "chunked")];
    all.extend_from_slice(headers);
    let mut body = format!("{:x}\r\n", data.len()).into_bytes();
    body.extend_from_slice(data);
    body.extend_from_slice(b"\r\n0\r\n\r\n");
    Reply::new("200 OK", &all, body)
}
