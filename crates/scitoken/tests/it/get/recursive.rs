//! `get -r`: everything below a directory, and nothing beside it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::{HELLO, TOKEN, get, listing, serve};
use scitoken_test_support::chaos_server::Reply;

#[test]
fn a_directory_redirected_to_an_untrusted_server_gets_no_token_and_yields_no_files() {
    let (_other_runtime, other) = serve(|asked| {
        let base = format!("http://{}", asked.headers["host"]);
        match (asked.method.as_str(), asked.path.as_str()) {
            ("PROPFIND", "/vo/moved/") => listing(&base, "/vo/moved/", &["inner", "../../etc/passwd"]),
            _ => Reply::honest(asked, b"another server!\n", &[]),
        }
    });
    let elsewhere = other.url("vo/moved/").to_string();
    let (_runtime, server) = serve(move |asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("PROPFIND", "/vo/" | "/vo") => listing("", "/vo/", &["own", "moved/"]),
        ("PROPFIND", _) => Reply::sized("307 Temporary Redirect", &[("Location", elsewhere.as_str())], ""),
        ("GET", "/vo/own" | "/vo/moved/inner") => Reply::honest(asked, HELLO, &[]),
        _ => Reply::sized("404 Not Found", &[], ""),
    });
    let directory = tempfile::tempdir().unwrap();
    let ended = get(directory.path(), &["-r", server.url("vo").as_str(), "-P", "out", "--create-dirs"]);
    assert_eq!(ended.code, 13, "{}", ended.err);
    assert!(ended.err.contains("etc/passwd`, which is not below it"), "{}", ended.err);
    let out = directory.path().join("out");
    assert_eq!(fs_err::read(out.join("own")).unwrap(), HELLO);
    assert_eq!(
        fs_err::read(out.join("moved/inner")).unwrap(),
        HELLO,
        "it comes from the server that was named"
    );
    assert!(!other.seen().is_empty(), "the redirect was followed");
    assert!(other.seen().iter().all(|asked| !asked.headers.contains_key("authorization")));
    assert!(other.seen().iter().all(|asked| asked.method == "PROPFIND"));
    let bearer = format!("Bearer {TOKEN}");
    assert!(server.seen().iter().all(|asked| asked.headers.get("authorization") == Some(&bearer)));
}

/// Ten thousand files of which none ends: so many are known ahead as are kept ready, and no more.
#[test]
fn a_huge_tree_is_not_walked_to_its_end_before_anything_is_fetched() {
    const FILES: usize = 100;
    let asked_for = Arc::new(AtomicUsize::new(0));
    let listed = Arc::clone(&asked_for);
    let (_runtime, server) = serve(move |asked| {
        if asked.method != "PROPFIND" {
            return Reply { delay: Duration::from_secs(30), ..Reply::honest(asked, HELLO, &[]) };
        }
        listed.fetch_add(1, Ordering::Relaxed);
        let names: Vec<_> = (0..FILES).map(|n| format!("f{n}")).chain(["d/".to_owned()]).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        listing("", &format!("{}/", asked.path.trim_end_matches('/')), &names)
    });
    let directory = tempfile::tempdir().unwrap();
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("scitoken"))
        .args(["get", "-q", "-r", server.url("vo").as_str(), "-j", "2"])
        .current_dir(directory.path())
        .env("HOME", directory.path())
        .spawn()
        .unwrap();
    let fetched = || server.seen().iter().filter(|asked| asked.method == "GET").count();
    for _ in 0..100 {
        std::thread::sleep(Duration::from_millis(100));
        if fetched() == 2 {
            break;
        }
    }
    // Time enough to walk on, if it did.
    std::thread::sleep(Duration::from_secs(1));
    let listings = asked_for.load(Ordering::Relaxed);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(fetched(), 2, "two at a time, and none ends");
    // 256 entries wait in the walk, 256 for a worker, and one listing is held.
    assert!(listings <= (256 + 256) / FILES + 2, "{listings} listings");
}
