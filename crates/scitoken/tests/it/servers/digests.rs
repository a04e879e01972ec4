//! Servers that are asked for a digest at a bad moment.

use std::sync::atomic::{AtomicUsize, Ordering};

use scitoken_test_support::chaos_server::{Asked, Reply};

use crate::support::{DIGEST, HELLO, run, scitoken, serve};

/// Answers the first request with a refusal that passes, and all others with the right digest of damaged data.
fn busy_once(
    refusal: &'static str,
    headers: &'static [(&'static str, &'static str)],
) -> impl Fn(&Asked) -> Reply {
    let before = AtomicUsize::new(0);
    move |asked| {
        if before.fetch_add(1, Ordering::Relaxed) == 0 {
            return Reply::sized(refusal, headers, "");
        }
        let offered = if asked.headers.contains_key("want-digest") { &DIGEST[..] } else { &[] };
        let damaged: Vec<u8> = HELLO.iter().map(|byte| byte ^ 1).collect();
        Reply::honest(asked, &damaged, offered)
    }
}

#[test]
fn a_busy_server_is_still_asked_for_its_digests() {
    for (refusal, headers) in [
        ("503 Service Unavailable", &[("Retry-After", "0")][..]),
        ("503 Service Unavailable", &[]),
        ("500 Internal Server Error", &[]),
        ("502 Bad Gateway", &[]),
        ("429 Too Many Requests", &[]),
    ] {
        for flags in
            [&["-o", "g"][..], &["-J"], &["-J", "--overwrite"], &["-o", "kept", "--skip-existing=checksum"]]
        {
            let (_runtime, server) = serve(busy_once(refusal, headers));
            let directory = tempfile::tempdir().unwrap();
            fs_err::write(directory.path().join("kept"), HELLO).unwrap();
            let mut command = scitoken(directory.path());
            let ended =
                run(command.args(["get", "--retry-delay", "0.01"]).args(flags).arg(server.url("f").as_str()));
            let is_kept = flags.contains(&"kept");
            assert_eq!(ended.code, if is_kept { 0 } else { 12 }, "{refusal} {flags:?}: {}", ended.err);
            assert_eq!(fs_err::read(directory.path().join("kept")).unwrap(), HELLO, "{refusal} {flags:?}");
        }
        let (_runtime, server) = serve(busy_once(refusal, headers));
        let directory = tempfile::tempdir().unwrap();
        let mut command = scitoken(directory.path());
        let ended = run(command.args(["checksum", "--retry-delay", "0.01", server.url("f").as_str()]));
        assert_eq!(ended.code, 0, "{refusal}: {}", ended.err);
    }
}

#[test]
fn a_server_that_always_refuses_the_question_is_asked_without_it() {
    for refusal in ["500 Internal Server Error", "403 Forbidden", "400 Bad Request"] {
        let (_runtime, server) = serve(move |asked: &Asked| {
            if asked.headers.contains_key("want-digest") {
                return Reply::sized(refusal, &[], "checksum is not supported");
            }
            Reply::honest(asked, HELLO, &[])
        });
        let directory = tempfile::tempdir().unwrap();
        let (f, g) = (server.url("f").to_string(), server.url("g").to_string());
        let ended = run(scitoken(directory.path()).args(["get", "-j", "1", "-J", &f, &g]));
        assert_eq!(ended.code, 0, "{refusal}: {}", ended.err);
        let asked = server.seen().iter().filter(|asked| asked.headers.contains_key("want-digest")).count();
        assert!(asked <= 2, "{refusal}: remembered after {asked} questions");
    }
}

#[test]
fn an_interrupted_download_ends_at_a_server_that_refuses_ranges() {
    for refusal in ["400 Bad Request", "405 Method Not Allowed", "501 Not Implemented"] {
        let (_runtime, server) = serve(move |asked: &Asked| {
            if asked.headers.contains_key("range") {
                return Reply::sized(refusal, &[], "no ranges here");
            }
            let whole = Reply::honest(asked, HELLO, &[("ETag", "\"1\"")]);
            if asked.number == 0 { whole.cut_after(5) } else { whole }
        });
        let directory = tempfile::tempdir().unwrap();
        let url = server.url("f").to_string();
        run(scitoken(directory.path()).args(["get", "--retry", "0", &url]));
        let ended = run(scitoken(directory.path()).args(["get", "--retry", "0", &url]));
        assert_eq!(ended.code, 0, "{refusal}: {}", ended.err);
        assert_eq!(fs_err::read(directory.path().join("f")).unwrap(), HELLO);
    }
}
