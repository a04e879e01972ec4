//! Token files that are replaced while requests are sent.

#![cfg(unix)]

use std::collections::HashSet;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use http::StatusCode;
use reqwest_scitokens::{Attach, AuthMiddleware, Discovery, FileSource, SharedTokenSource};
use scitoken_types::sys::Env;

use scitoken_test_support::clients::around;
use scitoken_test_support::{Reply, Server};

const REQUESTS: usize = 1_000;

/// Replaces the content of a volume as the kubelet does: a new directory, and a link that is renamed over `..data`.
fn rotate(volume: &Path, number: usize) {
    let directory = format!("..2026_{number}");
    fs_err::create_dir(volume.join(&directory)).unwrap();
    fs_err::write(volume.join(&directory).join("token"), format!("token-{number}\n")).unwrap();
    symlink(&directory, volume.join("..data_tmp")).unwrap();
    fs_err::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
    if let Some(old) = number.checked_sub(1) {
        fs_err::remove_dir_all(volume.join(format!("..2026_{old}"))).unwrap();
    }
}

/// Replaces a file as a batch system does: by renaming another one.
fn replace(volume: &Path, number: usize) {
    fs_err::write(volume.join(".new"), format!("token-{number}")).unwrap();
    fs_err::rename(volume.join(".new"), volume.join("token")).unwrap();
}

#[tokio::test]
async fn a_file_is_looked_at_after_each_refusal_so_that_a_new_token_is_used_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    fs_err::write(&path, "token-0").unwrap();
    let accepted = Arc::new(AtomicUsize::new(0));
    let known = Arc::clone(&accepted);
    let server = Server::http(move |seen| {
        let good = format!("Bearer token-{}", known.load(Ordering::SeqCst));
        if seen.authorization() == Some(&*good) { Reply::ok("data") } else { Reply::challenge("Bearer") }
    })
    .await;
    let sources: [SharedTokenSource; 2] = [
        FileSource::new(&path).into(),
        Discovery::new().with_env(Env::given([("BEARER_TOKEN_FILE", &path)])).into(),
    ];
    for source in sources {
        let client = around(reqwest::Client::builder(), AuthMiddleware::builder(source).build());
        let status = async || client.get(server.url("/f")).send().await.unwrap().status();
        for _ in 0..3 {
            assert_eq!(status().await, StatusCode::OK);
            let next = accepted.fetch_add(1, Ordering::SeqCst) + 1;
            // Revoked before the new token is in the file.
            assert_eq!(status().await, StatusCode::UNAUTHORIZED);
            replace(directory.path(), next);
        }
        assert_eq!(status().await, StatusCode::OK);
    }
}

/// Sends requests while the token changes, and returns the tokens that the server saw.
async fn send_during_changes(
    volume: &Path,
    change: fn(&Path, usize),
    source: impl Into<SharedTokenSource>,
) -> HashSet<String> {
    let server = Server::http(|seen| match seen.authorization() {
        Some(authorization) if authorization.starts_with("Bearer token-") => Reply::ok("data"),
        _ => Reply::challenge("Bearer realm=\"r\""),
    })
    .await;
    let middleware = AuthMiddleware::builder(source).attach(Attach::Required).poll_interval(Duration::ZERO);
    let client = around(reqwest::Client::builder(), middleware.build());
    let (stop, changes) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let changing = {
        let (stop, changes, volume) = (Arc::clone(&stop), Arc::clone(&changes), volume.to_owned());
        std::thread::spawn(move || {
            while !stop.load(Ordering::SeqCst) {
                change(&volume, changes.fetch_add(1, Ordering::SeqCst) + 1);
                std::thread::yield_now();
            }
        })
    };
    let mut tokens = HashSet::new();
    for _ in 0..REQUESTS / 8 {
        let sent = (0..8).map(|_| client.get(server.url("/f")).send());
        for answer in futures_util::future::join_all(sent).await {
            assert_eq!(answer.unwrap().status(), StatusCode::OK);
        }
    }
    stop.store(true, Ordering::SeqCst);
    changing.join().unwrap();
    tokens.extend(server.tokens());
    assert_eq!(server.seen().len(), REQUESTS, "no request was sent twice or without a token");
    assert!(changes.load(Ordering::SeqCst) > 20, "the token has hardly changed");
    tokens
}

#[tokio::test]
async fn a_volume_of_kubernetes_that_is_rotated_under_a_thousand_requests_loses_none() {
    let directory = tempfile::tempdir().unwrap();
    for shared in [false, true] {
        let volume = directory.path().join(format!("volume-{shared}"));
        fs_err::create_dir(&volume).unwrap();
        if shared {
            use std::os::unix::fs::PermissionsExt;
            fs_err::set_permissions(&volume, std::fs::Permissions::from_mode(0o1777)).unwrap();
        }
        rotate(&volume, 0);
        symlink("..data/token", volume.join("token")).unwrap();
        let env = Env::given([("BEARER_TOKEN_FILE", volume.join("token"))]);
        let discovery = Discovery::new().with_env(env).with_tmp(directory.path());
        let tokens = send_during_changes(&volume, rotate, discovery).await;
        assert!(tokens.len() > 5, "{} tokens", tokens.len());
    }
}

#[tokio::test]
async fn a_file_that_is_replaced_under_a_thousand_requests_loses_none() {
    let directory = tempfile::tempdir().unwrap();
    replace(directory.path(), 0);
    let source = FileSource::new(directory.path().join("token"));
    let tokens = send_during_changes(directory.path(), replace, source).await;
    assert!(tokens.len() > 5, "{} tokens", tokens.len());
}
