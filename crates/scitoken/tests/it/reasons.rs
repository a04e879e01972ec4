//! That a failure names who answered what, and what to type instead.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use scitoken_test_support::chaos_server::{Asked, Reply};

use crate::support::{HELLO, listing, run, scitoken, serve};

fn last_line(text: &str) -> serde_json::Value {
    serde_json::from_str(text.lines().last().unwrap_or_default()).unwrap()
}

#[test]
fn an_answer_behind_a_redirect_is_told_of_the_server_that_gave_it() {
    for status in ["404 Not Found", "410 Gone", "418 I'm a teapot", "500 Internal Server Error"] {
        let (_other_runtime, other) = serve(move |_| Reply::sized(status, &[], ""));
        let port = other.url("").port().unwrap();
        let (_runtime, server) = serve(move |asked| {
            let to = format!("http://localhost:{port}{}", asked.path);
            Reply::sized("307 Temporary Redirect", &[("Location", &to)], "")
        });
        let directory = tempfile::tempdir().unwrap();
        let url = server.url("f").to_string();
        let ended = run(scitoken(directory.path()).args(["get", "--retry", "0", "--no-auth", &url]));
        let expected =
            format!("`http://localhost:{port}/f`, to which `{url}` redirects, answered {}", &status[..3]);
        assert!(ended.err.contains(&expected), "{expected}: {}", ended.err);
    }
}

#[test]
fn an_answer_to_a_condition_that_was_not_sent_is_no_redirect() {
    let (_runtime, server) = serve(|_| Reply::sized("304 Not Modified", &[], ""));
    let directory = tempfile::tempdir().unwrap();
    let url = server.url("f").to_string();
    for command in ["get", "stat", "checksum", "explain"] {
        let ended = run(scitoken(directory.path()).args([command, &url]));
        assert_eq!(ended.code, 13, "{command}: {}{}", ended.out, ended.err);
    }
}

#[test]
fn explain_does_not_call_an_answer_ok_that_get_refuses() {
    for status in ["202 Accepted", "205 Reset Content", "226 IM Used"] {
        let (_runtime, server) = serve(move |_| Reply::sized(status, &[], ""));
        let directory = tempfile::tempdir().unwrap();
        let url = server.url("f").to_string();
        for arguments in [&["get", "--retry", "0"][..], &["explain"]] {
            let ended = run(scitoken(directory.path()).args(arguments).arg(&url));
            assert_eq!(ended.code, 13, "{status} {arguments:?}: {}{}", ended.out, ended.err);
        }
    }
}

#[test]
fn a_server_that_asks_for_passwords_only_is_told_as_one() {
    let challenge = |asked: &Asked| match asked.path.as_str() {
        "/basic" => "Basic realm=\"Nextcloud\"",
        "/negotiate" => "Negotiate",
        "/both" => "Basic realm=\"x\", Bearer",
        _ => "Negotiate, Bearer scope=\"a\"",
    };
    let (_runtime, server) =
        serve(move |asked| Reply::sized("401 Unauthorized", &[("WWW-Authenticate", challenge(asked))], ""));
    let directory = tempfile::tempdir().unwrap();
    for (path, accepted, hint) in [
        ("basic", Some("asks for `Basic`"), "`-n` sends"),
        ("negotiate", Some("asks for `Negotiate`"), "operator"),
    ] {
        let url = server.url(path).to_string();
        for token in [None, Some("abcdef")] {
            let mut get = scitoken(directory.path());
            match token {
                Some(token) => get.env("BEARER_TOKEN", token),
                None => get.env_remove("BEARER_TOKEN").env("XDG_RUNTIME_DIR", directory.path()),
            };
            let ended = run(get.args(["get", "--retry", "0", &url]));
            assert_eq!(ended.code, if token.is_some() { 8 } else { 7 }, "{path}: {}", ended.err);
            assert!(accepted.is_some_and(|accepted| ended.err.contains(accepted)), "{}", ended.err);
            assert!(ended.err.contains(hint), "{path}: {}", ended.err);
        }
    }
    for path in ["both", "list"] {
        let url = server.url(path).to_string();
        let ended = run(scitoken(directory.path()).args(["explain", &url]));
        assert!(!ended.out.contains("not for a bearer token"), "{path}: {}", ended.out);
    }
}

#[test]
fn the_event_of_a_failure_has_the_exit_code_of_the_program() {
    let (_runtime, server) = serve(|asked| match asked.path.as_str() {
        "/busy" => Reply::sized("503 Service Unavailable", &[], ""),
        _ => Reply::sized("401 Unauthorized", &[], ""),
    });
    let directory = tempfile::tempdir().unwrap();
    for (path, flags, code) in
        [("f", &[][..], 7), ("busy", &[][..], 13), ("busy", &["--retry-exit-code"][..], 11)]
    {
        let url = server.url(path).to_string();
        let mut get = scitoken(directory.path());
        get.env_remove("BEARER_TOKEN").env("XDG_RUNTIME_DIR", directory.path());
        let ended = run(get.args(["get", "--json", "--retry", "0", &url]).args(flags));
        assert_eq!(ended.code, code, "{path}: {}", ended.err);
        let failed = ended.out.lines().find(|line| line.contains("\"event\":\"failed\"")).unwrap();
        let failed: serde_json::Value = serde_json::from_str(failed).unwrap();
        assert_eq!((&failed["exit"], &last_line(&ended.out)["exit"]), (&code.into(), &code.into()));
    }
}

#[test]
fn the_name_of_a_program_at_the_server_is_no_name_of_a_page() {
    let page = "<!DOCTYPE html><html><title>Log in</title></html>";
    let (_runtime, server) = serve(move |_| Reply::sized("200 OK", &[("Content-Type", "text/html")], page));
    let directory = tempfile::tempdir().unwrap();
    for (path, code) in [("download.php?file=run1.root", 8), ("e.jsp", 8), ("e.aspx", 8), ("e.html", 0)] {
        let url = server.url(path).to_string();
        let ended = run(scitoken(directory.path()).args(["get", "--retry", "0", &url]));
        assert_eq!(ended.code, code, "{path}: {}", ended.err);
    }
}

#[test]
fn a_listing_that_breaks_off_is_asked_for_again_and_no_entry_is_told_twice() {
    let asked_before = AtomicUsize::new(0);
    let (_runtime, server) = serve(move |asked| {
        let names: Vec<String> = (0..40).map(|n| format!("f{n:02}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        match asked.method.as_str() {
            "PROPFIND" => {
                let whole = listing("", "/d/", &names);
                match asked_before.fetch_add(1, Ordering::Relaxed) {
                    0 => {
                        let half = whole.body.len() / 2;
                        whole.cut_after(half)
                    }
                    _ => whole,
                }
            }
            _ => Reply::honest(asked, HELLO, &[]),
        }
    });
    let directory = tempfile::tempdir().unwrap();
    let url = server.url("d/").to_string();
    let ended = run(scitoken(directory.path()).args(["ls", "--retry-delay", "0.1", &url]));
    assert_eq!((ended.code, ended.out.lines().count()), (0, 40), "{}", ended.err);
    assert!(ended.err.contains("trying again in"), "the wait is told: {}", ended.err);
    let cut = run(scitoken(directory.path()).args(["ls", "--retry", "0", &url]));
    assert_eq!(cut.code, 0, "{}", cut.err);
}

#[test]
fn a_directory_is_not_moved_into_itself_and_a_file_is_no_directory() {
    let (_runtime, server) = serve(|asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("PROPFIND", "/d" | "/d/") => listing("", "/d/", &[]),
        ("PROPFIND", "/a") => Reply::sized(
            "207 Multi-Status",
            &[("Content-Type", "text/xml")],
            "<D:multistatus xmlns:D=\"DAV:\"><D:response><D:href>/a</D:href><D:propstat><D:prop><D:resourcetype/>\
             <D:getcontentlength>3</D:getcontentlength></D:prop></D:propstat></D:response></D:multistatus>",
        ),
        ("PROPFIND" | "MKCOL", "/a/") => Reply::sized("400 Bad Request", &[], ""),
        ("PROPFIND", _) => Reply::sized("404 Not Found", &[], ""),
        ("PUT", "/d") => Reply::sized("409 Conflict", &[], ""),
        _ => Reply::sized("403 Forbidden", &[], ""),
    });
    let directory = tempfile::tempdir().unwrap();
    fs_err::write(directory.path().join("f"), "x").unwrap();
    let url = |path: &str| server.url(path).to_string();
    let ended = run(scitoken(directory.path()).args(["mv", &url("d"), &url("d/sub")]));
    assert_eq!(ended.code, 2, "{}", ended.err);
    assert!(ended.err.contains("into itself"), "{}", ended.err);
    assert!(server.seen().iter().all(|asked| asked.method != "MOVE"));
    let ended = run(scitoken(directory.path()).args(["mkdir", &url("a")]));
    assert_eq!(ended.code, 15, "{}", ended.err);
    let ended = run(scitoken(directory.path()).args(["put", "f", &url("d")]));
    assert_eq!(ended.code, 15, "{}", ended.err);
    assert!(ended.err.contains("a slash at its end") || ended.err.contains("`/`"), "{}", ended.err);
}

#[test]
fn a_signed_url_in_any_header_is_not_shown() {
    let (_runtime, server) = serve(|asked| {
        let headers = [
            ("Refresh", "0; url=https://h/a?token=hush-1"),
            ("X-Accel-Redirect", "/f?sig=hush-2&n=1"),
            ("X-Original-Url", "/f?authz=hush-3"),
            ("Warning", "199 - \"see https://h/?access_token=hush-4\""),
        ];
        Reply::honest(asked, HELLO, &headers)
    });
    let directory = tempfile::tempdir().unwrap();
    let url = server.url("f").to_string();
    let ended = run(scitoken(directory.path()).args(["-vv", "get", &url]));
    assert!(ended.err.contains("url=https://h/a?token=…") && !ended.err.contains("hush"), "{}", ended.err);
}

#[test]
fn keys_are_written_all_or_none_and_never_over_others() {
    let directory = tempfile::tempdir().unwrap();
    let generate =
        |arguments: &[&str]| run(scitoken(directory.path()).args(["keys", "generate"]).args(arguments));
    assert_eq!(generate(&["--private", "k.pem"]).code, 0);
    let before = fs_err::read(directory.path().join("k.pem")).unwrap();
    let ended = generate(&["--private", "new.pem", "--public", "k.pem"]);
    assert_eq!(ended.code, 15, "{}", ended.err);
    assert!(!directory.path().join("new.pem").exists(), "half of a pair is none");
    assert_eq!(fs_err::read(directory.path().join("k.pem")).unwrap(), before);
    assert_eq!(generate(&["--private", "same", "--public", "same"]).code, 2);
    assert_eq!(generate(&["--private", "-"]).code, 2);
    assert!(!directory.path().join("same").exists() && !directory.path().join("-").exists());
}

#[test]
fn command_lines_of_other_programs_are_answered_in_this_one_s_words() {
    let directory = tempfile::tempdir().unwrap();
    for (arguments, said) in [
        (&["key", "x"][..], "write `scitoken keys`"),
        (&["get", "-P", "p", "-o", "x", "https://h/f"], "`-o DIR/NAME`"),
        (&["get", "--progress-interval=1X", "https://h/f"], "`--progress-interval <SECONDS>`"),
        (&["get", "--checksum", "d41d8cd98f00b204e9800998ecf8427e", "https://h/f"], "write `md5:VALUE`"),
        (&["put", "--checksum", "require", "f", "https://h/f"], "`--checksum adler32`"),
        (&["token", "verify", "t", "--leeway", "-1"], "not a whole number"),
        (&["doctor", "--retry", "0", "https://h/f"], "leave the flag out"),
        (&["ls", "-F", "https://h/d/"], "`--help` shows all flags"),
        (&["get", "s3://bucket/f"], "may have to be signed"),
    ] {
        let ended = run(scitoken(directory.path()).args(arguments));
        assert_eq!(ended.code, 2, "{arguments:?}: {}", ended.err);
        assert!(ended.err.contains(said), "{arguments:?}: {}", ended.err);
        for foreign in ["subcommand", "argument", "Usage:", "--netrc", "TLS"] {
            assert!(!ended.err.contains(foreign), "{arguments:?}: {}", ended.err);
        }
    }
    let (_runtime, server) = serve(|asked| Reply::honest(asked, HELLO, &[]));
    let url = server.url("f").to_string();
    let twice = ["get", "-q", "-q", "--retry", "1", "--retry", "0", "-o", "-", &url];
    let ended = run(scitoken(directory.path()).args(twice));
    assert_eq!((ended.code, ended.out.as_bytes()), (0, HELLO), "the last one counts: {}", ended.err);
    let md5 = "--checksum=md5=fc0d8ab5d1bd5a2ad5fb5e2a0e3a9d8e";
    assert_eq!(run(scitoken(directory.path()).args(["get", md5, &url])).code, 12);
}

#[test]
fn a_list_from_a_closed_standard_input_is_no_empty_list() {
    let directory = tempfile::tempdir().unwrap();
    let script = format!("'{}' get -i - <&-", env!("CARGO_BIN_EXE_scitoken"));
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).env_clear().env("HOME", directory.path()).current_dir(directory.path());
    let ended = shell.stderr(Stdio::piped()).output().unwrap();
    assert_eq!(ended.status.code(), Some(3), "{}", String::from_utf8_lossy(&ended.stderr));
}

#[test]
fn a_log_has_lines_where_a_bar_was_asked_for_and_none_can_be_drawn() {
    let (_runtime, server) = serve(|asked| {
        let reply = Reply::honest(asked, &[b'x'; 600], &[]);
        Reply { trickle: Some((100, Duration::from_millis(100))), ..reply }
    });
    let directory = tempfile::tempdir().unwrap();
    let url = server.url("f").to_string();
    let arguments = ["get", "--progress", "bar", "--progress-interval", "0.1", &url];
    let ended = run(scitoken(directory.path()).args(arguments));
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.err.lines().count() > 2, "{}", ended.err);
}
