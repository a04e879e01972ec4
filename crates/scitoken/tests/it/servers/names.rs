//! `-J`: the answer that brings the data names the file.

use crate::support::{HELLO, get, serve};
use scitoken_test_support::chaos_server::Reply;

const NAMED: (&str, &str) = ("Content-Disposition", "attachment; filename=\"run7.root\"");

#[test]
fn a_head_that_is_refused_or_says_otherwise_does_not_matter() {
    for head in [
        "403 Forbidden",
        "401 Unauthorized",
        "404 Not Found",
        "405 Method Not Allowed",
        "500 Internal Server Error",
        "200 OK",
    ] {
        let (_runtime, server) = serve(move |asked| match asked.method.as_str() {
            "HEAD" => Reply::sized(head, &[("Content-Disposition", "attachment; filename=wrong")], ""),
            _ => Reply::honest(asked, HELLO, &[NAMED]),
        });
        let directory = tempfile::tempdir().unwrap();
        let ended = get(directory.path(), &["-J", "--retry", "0", server.url("get?id=7").as_str()]);
        assert_eq!(ended.code, 0, "{head}: {}", ended.err);
        assert_eq!(fs_err::read(directory.path().join("run7.root")).unwrap(), HELLO, "{head}");
        assert_eq!(server.seen().iter().filter(|asked| asked.method == "GET").count(), 1, "{head}");
        assert!(!directory.path().join("wrong").exists());
    }
}

#[test]
fn the_last_step_of_a_redirect_names_the_file() {
    let (_runtime, server) = serve(|asked| match asked.path.as_str() {
        "/get?id=1" => Reply::sized("302 Found", &[("Location", "/files/a%20b.root"), NAMED], ""),
        "/get?id=2" => Reply::sized("307 Temporary Redirect", &[("Location", "/x/named")], ""),
        "/get?id=3" => Reply::sized("302 Found", &[("Location", "/files/.profile")], ""),
        "/get?id=4" => Reply::sized("302 Found", &[("Location", "/files/")], ""),
        "/x/named" => Reply::honest(asked, HELLO, &[NAMED]),
        _ => Reply::honest(asked, HELLO, &[]),
    });
    let directory = tempfile::tempdir().unwrap();
    for (id, name) in [(1, "a b.root"), (2, "run7.root"), (3, "_.profile"), (4, "get")] {
        let ended = get(directory.path(), &["-J", server.url(&format!("get?id={id}")).as_str()]);
        assert_eq!(ended.code, 0, "{id}: {}", ended.err);
        assert!(directory.path().join(name).exists(), "{id}: {name}");
    }
}

#[test]
fn an_answer_that_breaks_off_is_resumed_under_its_name() {
    let content = vec![7; 300_000];
    let expected = content.clone();
    let (_runtime, server) = serve(move |asked| {
        let reply = Reply::honest(asked, &content, &[NAMED, ("ETag", "\"x\"")]);
        if asked.number == 0 { reply.cut_after(100_000) } else { reply }
    });
    let directory = tempfile::tempdir().unwrap();
    let ended = get(directory.path(), &["-J", "--retry-delay", "0", server.url("get").as_str()]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(fs_err::read(directory.path().join("run7.root")).unwrap(), expected);
    assert!(server.ranges()[1].as_ref().is_some_and(|range| range.start > 0), "{:?}", server.ranges());
    // A later run does not replace it.
    let again = get(directory.path(), &["-J", server.url("get").as_str()]);
    assert!(again.code != 0 && again.err.contains("`run7.root` already exists"), "{}", again.err);
}

#[test]
fn a_server_that_refuses_the_question_for_a_digest_still_names_the_file() {
    let (_runtime, server) = serve(|asked| {
        if asked.headers.contains_key("want-digest") || asked.method == "HEAD" {
            return Reply::sized("403 Forbidden", &[], "checksums are not supported");
        }
        Reply::honest(asked, HELLO, &[NAMED])
    });
    let directory = tempfile::tempdir().unwrap();
    let ended = get(directory.path(), &["-J", server.url("get").as_str()]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(directory.path().join("run7.root").exists());
}
