//! Downloads the files of a list from two mirrors, verified, with events; stops in the middle, and resumes.
//!
//! ```text
//! cargo run --example download -p scitoken-transfer
//! ```
#![expect(clippy::print_stdout, reason = "this is a program")]

use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, RANGE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::{Router, routing};
use futures_util::{StreamExt as _, stream};
use reqwest_scitokens::Session;
use scitoken_transfer::{
    CancellationToken, Download, DownloadList, Downloader, EventKind, Events, FileNumber, RetryPolicy, events,
};
use scitoken_types::AccessToken;

const LENGTH: usize = 4 * 1024 * 1024;

/// A server that takes its time, and one of its mirrors that is down.
async fn serve() -> anyhow::Result<String> {
    let down = routing::get(|| async { StatusCode::SERVICE_UNAVAILABLE });
    let app = Router::new().route("/a/{name}", down).route("/b/{name}", routing::get(data));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(format!("http://{address}"))
}

/// All of the data or the range that is asked for. By the entity tag a client knows that both are of one content.
async fn data(request: HeaderMap) -> Response {
    let range =
        request.get(RANGE).and_then(|range| range.to_str().ok()?.strip_prefix("bytes=")?.split_once('-'));
    let begin = range.and_then(|(begin, _)| begin.parse().ok()).unwrap_or(0);
    let end = range.and_then(|(_, end)| end.parse().ok()).map_or(LENGTH, |last: usize| LENGTH.min(last + 1));
    let pieces = stream::iter((begin..end).step_by(64 * 1024)).then(move |at| async move {
        tokio::time::sleep(Duration::from_millis(10)).await;
        Ok::<_, std::io::Error>(vec![b'x'; (end - at).min(64 * 1024)])
    });
    let answer = Response::builder().header(ETAG, "\"v1\"").header(CONTENT_LENGTH, end.saturating_sub(begin));
    let answer = match range {
        Some(_) => answer
            .status(StatusCode::PARTIAL_CONTENT)
            .header(CONTENT_RANGE, format!("bytes {begin}-{}/{LENGTH}", end - 1)),
        None => answer,
    };
    answer.body(Body::from_stream(pieces)).expect("headers that are right")
}

/// Draws what happens; a real program would draw `Progress` too.
async fn draw(mut events: Events) {
    while let Some(event) = events.next().await {
        let file = event.file.0;
        match event.what {
            EventKind::Started { url, .. } => println!("{file}: {url}"),
            EventKind::Retrying { why, after, .. } => println!("{file}: {why}; again in {after:?}"),
            EventKind::Finished { length, .. } => println!("{file}: {length} bytes"),
            EventKind::Failed { why, .. } => println!("{file}: {why}"),
            _ => {}
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let server = serve().await?;
    let directory = tempfile::tempdir()?;
    // What `sha256sum` says of the data; `checksum=` makes it a condition.
    let sum = "sha-256:baa7a6d36ffa957552df230235c2d51d735f28d49c58a5f3438a3a973a25a37d";
    let list = format!("{server}/a/1\t{server}/b/1\n{server}/a/2\t{server}/b/2\n  checksum={sum}\n");

    let (reporter, stream) = events();
    let drawing = tokio::spawn(draw(stream));
    let mut retry = RetryPolicy::default();
    retry.first_delay = Duration::from_millis(50);
    let session = Session::builder().source(AccessToken::new("a-token")?).build()?;
    let downloader = Downloader::new(session).with_retry(retry).with_reporter(reporter);

    let downloads = DownloadList::new(list.as_bytes()).zip(0..).map(|(entry, number)| {
        anyhow::Ok(entry?.into_download(directory.path())?.with_number(FileNumber(number)))
    });
    for download in downloads {
        stop_and_go_on(&downloader, download?).await?;
    }
    drop(downloader);
    drawing.await?;
    Ok(())
}

/// Stops a transfer in the middle, as a daemon does that is told to, and then does it again.
async fn stop_and_go_on(downloader: &Downloader, download: Download) -> anyhow::Result<()> {
    let cancellation_token = CancellationToken::default();
    let job = downloader.clone().with_cancellation_token(cancellation_token.clone());
    let task = tokio::spawn({
        let download = download.clone();
        async move { job.download(download).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    cancellation_token.cancel();
    println!("stopped: {}", task.await?.is_err());
    match downloader.download(download).await {
        Ok(file) => println!("{:?}, {:?}", file.outcome, file.verification),
        Err(error) => println!("{error}: {}", error.hint().map(ToString::to_string).unwrap_or_default()),
    }
    Ok(())
}
