//! Token files that have no usable token.

use super::*;

/// What comes of a token file: nothing that is no token reaches the server, and an error that names the file if a
/// token is required.
async fn useless(path: &Path, reason: &str) {
    let file = || SharedTokenSource::from(FileSource::new(path));
    let env = Env::given([("BEARER_TOKEN_FILE", path)]);
    let nowhere = tempfile::tempdir().unwrap();
    let discovery = || {
        let found = Discovery::new().with_env(env.clone()).with_tmp(nowhere.path());
        SharedTokenSource::from(found)
    };
    for source in [file(), discovery()] {
        let server = Server::http(|_| Reply::ok("public")).await;
        let by_default = session(source.clone()).build().unwrap();
        let sent =
            tokio::time::timeout(Duration::from_secs(20), by_default.get(server.url("/f")).send()).await;
        assert_eq!(sent.expect("it hangs").unwrap().text().await.unwrap(), "public");
        assert_eq!(server.tokens(), ["-"], "{reason}");

        let required = session(source).attach(Attach::Required).build().unwrap();
        let error = required.get(server.url("/f")).send().await.unwrap_err();
        let shown = chain(&error);
        assert!(Error::find(&error).unwrap().is_no_token(), "{shown}");
        assert!(shown.contains(path.to_str().unwrap()), "the path is not named: {shown}");
        assert!(shown.contains(reason), "no `{reason}` in: {shown}");
        assert!(!shown.contains(TOKEN), "{shown}");
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_file_of_bytes_that_are_no_text() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    fs_err::write(&path, [TOKEN.as_bytes(), b"\xff\xfe"].concat()).unwrap();
    useless(&path, "").await;
}

#[tokio::test]
async fn a_file_with_two_lines() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    write_token(&path, &format!("{TOKEN}\n{TOKEN}\n"));
    useless(&path, "line").await;
}

#[tokio::test]
async fn a_file_with_a_token_of_a_hundred_kilobytes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    write_token(&path, &"x".repeat(100_000));
    useless(&path, "").await;
}

#[tokio::test]
async fn a_file_of_two_mebibytes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    write_token(&path, &" ".repeat(2 * 1024 * 1024));
    useless(&path, "1 MiB").await;
}

#[tokio::test]
async fn a_file_with_the_word_bearer() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    write_token(&path, &format!("Bearer {TOKEN}"));
    useless(&path, "Bearer").await;
}

#[tokio::test]
async fn a_directory_instead_of_a_file() {
    let directory = tempfile::tempdir().unwrap();
    useless(directory.path(), "regular file").await;
}

#[tokio::test]
async fn a_missing_file() {
    let directory = tempfile::tempdir().unwrap();
    useless(&directory.path().join("nowhere"), "").await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_that_leads_nowhere() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    std::os::unix::fs::symlink(directory.path().join("nowhere"), &path).unwrap();
    useless(&path, "").await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_fifo_without_a_writer() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    useless(&path, "regular file").await;
}

/// A regular file whose reading fails even for root.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_that_cannot_be_read() {
    useless(Path::new("/proc/self/mem"), "read").await;
}
