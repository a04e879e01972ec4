//! Several connections, mirrors, and output into a stream.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use scitoken_transfer::{Download, FailureKind, TransferLimits, Verification};

use scitoken_test_support::chaos_server::{ChaosServer, Reply};

use super::support::{adler32, content, downloader, job};

#[tokio::test]
async fn mirrors_take_over_in_the_middle_when_a_digest_shows_that_they_have_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let data = content(90_000);
    let digest = format!("adler32={}", adler32(&data));
    let sent = data.clone();
    let server = ChaosServer::start(move |asked| {
        let etag = format!("\"{}\"", asked.path);
        let reply = Reply::honest(asked, &sent, &[("Digest", &digest), ("ETag", &etag)]);
        match (asked.path.as_str(), asked.number) {
            ("/f.dat", 0) => reply.cut_after(30_000),
            ("/f.dat", _) => Reply::default(),
            ("/gone", _) => Reply::sized("404 Not Found", &[], ""),
            _ => reply,
        }
    })
    .await;
    let job = job(&server, &directory)
        .with_mirror(server.url("gone"))
        .unwrap()
        .with_mirror(server.url("mirror"))
        .unwrap();
    let file = downloader().download(job).await.unwrap();
    assert_eq!(fs_err::read(file.path.unwrap()).unwrap(), data);
    let paths: Vec<_> = server.seen().iter().map(|asked| asked.path.clone()).collect();
    assert_eq!(paths, ["/f.dat", "/gone", "/mirror"]);
    assert_eq!(server.ranges()[2], Some(30_000..90_000));
}

#[tokio::test]
async fn several_streams_fetch_one_file_and_every_byte_is_right() {
    let directory = tempfile::tempdir().unwrap();
    let data = content(40 * 1024 * 1024);
    let digest = format!("adler32={}", adler32(&data));
    let sent = Arc::new(data.clone());
    let server = ChaosServer::start(move |asked| {
        let mut reply = Reply::honest(asked, &sent, &[("Digest", &digest)]);
        reply.trickle = Some((256 * 1024, Duration::from_millis(10)));
        reply
    })
    .await;
    let mut limits = TransferLimits::default();
    limits.streams = 4;
    let file = downloader().with_limits(limits).download(job(&server, &directory)).await.unwrap();
    assert!(matches!(file.verification, Verification::Verified(_)));
    assert!(fs_err::read(file.path.unwrap()).unwrap() == data);
    assert!(server.seen().len() > 2, "{:?}", server.ranges());
    assert!(server.ranges()[1..].iter().all(Option::is_some));
}

#[tokio::test]
async fn a_server_without_ranges_gets_one_stream_however_many_are_allowed() {
    let directory = tempfile::tempdir().unwrap();
    let data = content(20 * 1024 * 1024);
    let sent = Arc::new(data.clone());
    let server = ChaosServer::start(move |_| {
        let mut reply = Reply::sized("200 OK", &[("ETag", "\"v1\"")], sent.as_slice());
        reply.trickle = Some((256 * 1024, Duration::from_millis(10)));
        reply
    })
    .await;
    let mut limits = TransferLimits::default();
    limits.streams = 8;
    let file = downloader().with_limits(limits).download(job(&server, &directory)).await.unwrap();
    assert!(fs_err::read(file.path.unwrap()).unwrap() == data);
    assert!(server.seen().len() <= 4, "{:?}", server.ranges());
    assert_eq!(file.timings.failures, 0, "the main stream went on");
}

#[tokio::test]
async fn a_stream_goes_on_after_a_break_but_never_begins_twice() {
    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for Shared {
        fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(data)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    for (etag, expected) in [("\"v1\"", Ok(90_000)), ("", Err(FailureKind::Incomplete))] {
        let server = ChaosServer::start(move |asked| {
            let validator = [("ETag", etag)];
            let headers: &[_] = if etag.is_empty() { &[] } else { &validator };
            let reply = Reply::honest(asked, &content(90_000), headers);
            if asked.number == 0 { reply.cut_after(40_000) } else { reply }
        })
        .await;
        let stream = Shared::default();
        let job = Download::without_target(server.url("f")).unwrap();
        let result = downloader().download_to(job, stream.clone()).await;
        assert_eq!(result.map(|file| file.length).map_err(|failure| failure.kind()), expected);
        let written = stream.0.lock().unwrap().clone();
        assert!(content(90_000).starts_with(&written));
    }
}

#[tokio::test]
async fn a_stream_without_a_checksum_does_not_fail_over_one_that_comes_too_late() {
    let data = content(100_000);
    let digest = format!("adler32={}", adler32(&data));
    let server = ChaosServer::start(move |asked| {
        let headers = [("ETag", "\"v1\""), ("Digest", digest.as_str())];
        let reply = Reply::honest(asked, &data, &headers[..if asked.number == 0 { 1 } else { 2 }]);
        if asked.number == 0 { reply.cut_after(30_000) } else { reply }
    })
    .await;
    let job = Download::without_target(server.url("f")).unwrap();
    let file = downloader().download_to(job, std::io::sink()).await.unwrap();
    assert_eq!((file.length, file.verification), (100_000, Verification::NotAvailable));
}

#[tokio::test]
async fn side_streams_follow_the_main_one_to_another_server() {
    let directory = tempfile::tempdir().unwrap();
    let data = content(16 * 1024 * 1024);
    let digest = format!("adler32={}", adler32(&data));
    let (sent, by_first) = (data.clone(), digest.clone());
    let first = ChaosServer::start(move |asked| match asked.number {
        0 => Reply::honest(asked, &sent, &[("Digest", &by_first)]).cut_after(100_000),
        _ => Reply::sized("503 Service Unavailable", &[], ""),
    })
    .await;
    let sent = data.clone();
    let second = ChaosServer::start(move |asked| {
        let mut reply = Reply::honest(asked, &sent, &[("Digest", &digest)]);
        reply.trickle = Some((128 * 1024, Duration::from_millis(20)));
        reply
    })
    .await;
    let mut limits = TransferLimits::default();
    limits.streams = 2;
    let job = job(&first, &directory).with_mirror(second.url("f.dat")).unwrap();
    let file = downloader().with_limits(limits).download(job).await.unwrap();
    assert!(fs_err::read(file.path.unwrap()).unwrap() == data);
    assert!(second.seen().len() >= 2, "the main stream was alone");
}
