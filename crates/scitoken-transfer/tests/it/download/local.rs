//! Targets on the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use scitoken_transfer::{Download, DownloadOutcome, FailureKind, IfExists, RetryPolicy};

use scitoken_test_support::chaos_server::{ChaosServer, Reply};

use super::support::{HELLO, downloader, files, get, job};

#[tokio::test]
async fn a_file_that_was_there_survives_a_failed_download() {
    let directory = tempfile::tempdir().unwrap();
    fs_err::write(directory.path().join("f.dat"), "old").unwrap();
    let (failure, _server) =
        get(&directory, |asked| Reply::honest(asked, b"other", &[("Digest", "adler32=355f0612")])).await;
    failure.unwrap_err();
    assert_eq!(fs_err::read_to_string(directory.path().join("f.dat")).unwrap(), "old");
}

#[tokio::test]
async fn an_existing_file_that_is_right_is_skipped() {
    let directory = tempfile::tempdir().unwrap();
    let server =
        ChaosServer::start(|asked| Reply::honest(asked, HELLO, &[("Digest", "adler32=355f0612")])).await;
    let target = directory.path().join("f.dat");
    for (there, existing, outcome) in [
        ("hello scitokens\n", IfExists::SkipSameSize, DownloadOutcome::Skipped),
        ("hello scitokens\n", IfExists::SkipSameChecksum, DownloadOutcome::Skipped),
        ("HELLO scitokens\n", IfExists::SkipSameSize, DownloadOutcome::Skipped),
        ("HELLO scitokens\n", IfExists::SkipSameChecksum, DownloadOutcome::Fetched),
        ("short", IfExists::SkipSameSize, DownloadOutcome::Fetched),
        ("hello scitokens\n", IfExists::Replace, DownloadOutcome::Fetched),
    ] {
        fs_err::write(&target, there).unwrap();
        let file = downloader().download(job(&server, &directory).with_if_exists(existing)).await.unwrap();
        assert_eq!(file.outcome, outcome, "{there} {existing:?}");
    }
    let failure = downloader().download(job(&server, &directory).with_if_exists(IfExists::Refuse)).await;
    assert_eq!(failure.unwrap_err().kind(), FailureKind::Exists);
}

#[tokio::test]
async fn local_problems_are_found_before_the_network_is_touched() {
    let touched = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&touched);
    let server = ChaosServer::start(move |asked| {
        flag.store(true, Ordering::Relaxed);
        Reply::honest(asked, HELLO, &[])
    })
    .await;
    let directory = tempfile::tempdir().unwrap();
    for target in [directory.path().to_owned(), directory.path().join("missing/f")] {
        let job = Download::new(server.url("f"), target).unwrap();
        assert_eq!(downloader().download(job).await.unwrap_err().kind(), FailureKind::Local);
    }
    assert!(!touched.load(Ordering::Relaxed));
}

#[tokio::test]
async fn urls_of_other_schemes_or_with_passwords_are_refused() {
    for url in ["file:///etc/passwd", "root://h//f", "https://user:secret@h/f", "https://user@h/f"] {
        let failure = Download::new(url.parse().unwrap(), "f").unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Usage);
        assert!(!failure.to_string().contains("secret"));
    }
}

#[tokio::test]
async fn small_downloads_of_one_name_at_once_leave_one_right_file() {
    let server = ChaosServer::start(|asked| Reply::honest(asked, HELLO, &[("ETag", "\"v\"")])).await;
    let directory = tempfile::tempdir().unwrap();
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let job = job(&server, &directory);
        running.spawn(async move { downloader().download(job).await });
    }
    for result in running.join_all().await {
        if let Err(failure) = result {
            assert!(failure.to_string().contains("by another process"), "{failure}");
        }
    }
    assert_eq!(files(directory.path()), ["f.dat"]);
    assert_eq!(fs_err::read(directory.path().join("f.dat")).unwrap(), HELLO);
}

/// Downloads `f.dat` of the honest server that answers `data`.
async fn fetch(
    directory: &tempfile::TempDir,
    data: &'static [u8],
) -> Result<(), scitoken_transfer::TransferError> {
    let server = ChaosServer::start(move |asked| Reply::honest(asked, data, &[("ETag", "\"v\"")])).await;
    downloader().download(job(&server, directory)).await.map(drop)
}

#[tokio::test]
async fn a_part_file_that_is_not_ours_is_left_alone() {
    for state in [None, Some("{}"), Some(r#"{"format":2,"part":{"device":1,"inode":2,"born":null}}"#)] {
        let directory = tempfile::tempdir().unwrap();
        fs_err::write(directory.path().join("f.dat.part"), "the user's own").unwrap();
        if let Some(state) = state {
            fs_err::write(directory.path().join("f.dat.part.json"), state).unwrap();
        }
        fetch(&directory, b"fetched").await.unwrap();
        assert_eq!(fs_err::read(directory.path().join("f.dat")).unwrap(), b"fetched");
        assert_eq!(fs_err::read(directory.path().join("f.dat.part")).unwrap(), b"the user's own");
        let there = fs_err::read_to_string(directory.path().join("f.dat.part.json")).ok();
        assert_eq!(there.as_deref(), state);
        assert_eq!(files(directory.path()).len(), if state.is_some() { 3 } else { 2 });
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_other_name_of_a_part_file_is_not_truncated() {
    for content in ["", "other"] {
        let directory = tempfile::tempdir().unwrap();
        fs_err::write(directory.path().join("other"), content).unwrap();
        fs_err::hard_link(directory.path().join("other"), directory.path().join("f.dat.part")).unwrap();
        fetch(&directory, b"fetched").await.unwrap();
        assert_eq!(fs_err::read_to_string(directory.path().join("other")).unwrap(), content);
        assert_eq!(fs_err::read(directory.path().join("f.dat")).unwrap(), b"fetched");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_replaced_file_keeps_its_mode_and_an_unwritable_one_its_content() {
    use std::os::unix::fs::PermissionsExt;
    for mode in [0o600, 0o640, 0o755] {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("f.dat");
        fs_err::write(&target, "old").unwrap();
        fs_err::set_permissions(&target, PermissionsExt::from_mode(mode)).unwrap();
        fetch(&directory, b"fetched").await.unwrap();
        assert_eq!(fs_err::metadata(&target).unwrap().permissions().mode() & 0o777, mode);
        assert_eq!(fs_err::read(&target).unwrap(), b"fetched");
    }
    for mode in [0o444, 0o400, 0o555] {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("f.dat");
        fs_err::write(&target, "old").unwrap();
        fs_err::set_permissions(&target, PermissionsExt::from_mode(mode)).unwrap();
        assert_eq!(fetch(&directory, b"fetched").await.unwrap_err().kind(), FailureKind::Local);
        assert_eq!(fs_err::read(&target).unwrap(), b"old");
        assert_eq!(files(directory.path()), ["f.dat"]);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_content_length_alone_allocates_nothing() {
    use std::os::unix::fs::MetadataExt as _;
    let directory = tempfile::tempdir().unwrap();
    let server = ChaosServer::start(|_| {
        let lines = [("Content-Length", "1000000000"), ("ETag", "\"v\"")];
        Reply::new("200 OK", &lines, vec![7; 600]).cut_after(600)
    })
    .await;
    let mut once = RetryPolicy::default();
    once.retries = 0;
    downloader().with_retry(once).download(job(&server, &directory)).await.unwrap_err();
    let part = fs_err::metadata(directory.path().join("f.dat.part")).unwrap();
    assert_eq!(part.len(), 600);
    assert!(part.blocks() * 512 <= 64 * 1024, "{}", part.blocks());
}
