//! Changes that a server answers in a way that could pass for another one.

use scitoken_test_support::chaos_server::{Asked, Reply};

use crate::support::{HELLO, listing, run, scitoken, serve};

/// Describes a file.
fn described(path: &str) -> Reply {
    let xml = format!(
        "<D:multistatus xmlns:D=\"DAV:\"><D:response><D:href>{path}</D:href><D:propstat><D:prop><D:resourcetype/>\
         <D:getcontentlength>16</D:getcontentlength></D:prop></D:propstat></D:response></D:multistatus>"
    );
    Reply::sized("207 Multi-Status", &[("Content-Type", "text/xml")], xml)
}

/// A server whose `/d/x` is a file for `PROPFIND`, and a directory for `DELETE`.
fn redirects_to_directory(status: &'static str) -> impl Fn(&Asked) -> Reply {
    move |asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("PROPFIND", _) => described("/d/x"),
        ("DELETE", "/d/x") => Reply::sized(status, &[("Location", "/d/x/")], ""),
        _ => Reply::sized("204 No Content", &[], ""),
    }
}

#[test]
fn a_file_is_not_removed_as_the_directory_to_which_the_server_redirects() {
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let (_runtime, server) = serve(redirects_to_directory(status));
        let directory = tempfile::tempdir().unwrap();
        let url = server.url("d/x").to_string();
        let ended = run(scitoken(directory.path()).args(["rm", "--retry", "0", &url]));
        assert_eq!(ended.code, 2, "{status}: {}", ended.err);
        assert!(ended.err.contains("--recursive"), "{status}: {}", ended.err);
        assert!(server.seen().iter().all(|asked| asked.path != "/d/x/"), "{status}");
        let followed = run(scitoken(directory.path()).args(["rm", "--retry", "0", "--recursive", &url]));
        assert_eq!(followed.code, 0, "{status}: {}", followed.err);
        assert!(server.seen().iter().any(|asked| asked.method == "DELETE" && asked.path == "/d/x/"));
    }
}

#[test]
fn a_limit_of_time_names_what_was_asked() {
    let directory = tempfile::tempdir().unwrap();
    // A listener that never accepts answers nothing at all.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/d/", silent.local_addr().unwrap());
    for command in ["ls", "stat", "checksum", "mkdir"] {
        let ended = run(scitoken(directory.path()).args([command, "--max-time", "0.5", &url]));
        assert_eq!(ended.code, 5, "{command}: {}", ended.err);
        assert!(ended.err.contains(&url) && ended.err.contains("0.5 s"), "{command}: {}", ended.err);
        assert!(!ended.err.contains("resumes"), "{command}: {}", ended.err);
    }
}

#[test]
fn a_file_that_shrinks_during_its_upload_is_a_local_failure() {
    use std::os::unix::fs::FileExt as _;

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("f");
    let file = fs_err::File::create(&path).unwrap();
    file.set_len(64 * 1024 * 1024).unwrap();
    file.file().write_at(b"x", 0).unwrap();
    let (_runtime, server) = serve(move |_| Reply::sized("201 Created", &[], ""));
    let url = server.url("f").to_string();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_scitoken"));
    command.args([
        "put",
        "f",
        &url,
        "--limit-rate",
        "1M",
        "--progress",
        "line",
        "--progress-interval",
        "0.1",
    ]);
    command.env_clear().env("HOME", directory.path()).current_dir(directory.path());
    let mut running = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufReader::new(running.stderr.take().unwrap());
    let mut line = String::new();
    // The first report of progress: the upload has begun.
    while std::io::BufRead::read_line(&mut lines, &mut line).unwrap() > 0 && !line.contains(" of 64.00 MiB") {
    }
    file.set_len(1).unwrap();
    let told = std::io::read_to_string(lines).unwrap();
    assert_eq!(running.wait().unwrap().code(), Some(3), "{line}{told}");
    assert!(told.contains("`f`") && told.contains("truncated"), "{told}");
}

#[test]
fn a_mirror_that_is_whole_is_asked_for_the_whole_file() {
    let content: Vec<u8> = HELLO.repeat(1000);
    let whole = content.clone();
    let (_runtime, server) = serve(move |asked| {
        let reply = Reply::honest(asked, &content, &[]);
        if asked.path == "/cut" { reply.cut_after(content.len() / 2) } else { reply }
    });
    let directory = tempfile::tempdir().unwrap();
    let (cut, good) = (server.url("cut").to_string(), server.url("good").to_string());
    let mut command = scitoken(directory.path());
    let ended = run(command.args(["get", "-o", "f", "--retry-delay", "0.01", &cut, "--mirror", &good]));
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(fs_err::read(directory.path().join("f")).unwrap(), whole);
}

#[test]
fn a_part_of_another_file_does_not_stop_a_run_without_retries() {
    let content: Vec<u8> = HELLO.repeat(1000);
    let newer: Vec<u8> = content.iter().rev().copied().collect();
    let expected = newer.clone();
    let (_runtime, server) = serve(move |asked| {
        if asked.number == 0 {
            return Reply::honest(asked, &content, &[("ETag", "\"old\"")]).cut_after(1000);
        }
        Reply::honest(asked, &newer, &[("ETag", "\"new\"")])
    });
    let directory = tempfile::tempdir().unwrap();
    let url = server.url("f").to_string();
    let interrupted = run(scitoken(directory.path()).args(["get", "--retry", "0", &url]));
    assert_ne!(interrupted.code, 0);
    let ended = run(scitoken(directory.path()).args(["get", "--retry", "0", &url]));
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(fs_err::read(directory.path().join("f")).unwrap(), expected);
}

#[test]
fn an_empty_file_is_sent_with_its_length() {
    let (_runtime, server) = serve(|asked| match asked.method.as_str() {
        "PUT" if asked.headers.get("content-length").map(String::as_str) != Some("0") => {
            Reply::sized("411 Length Required", &[], "")
        }
        "PUT" => Reply::sized("201 Created", &[], ""),
        _ => Reply::new("200 OK", &[("Content-Length", "0")], ""),
    });
    let directory = tempfile::tempdir().unwrap();
    fs_err::write(directory.path().join("f"), "").unwrap();
    let ended = run(scitoken(directory.path()).args(["put", "f", server.url("f").as_str()]));
    assert_eq!(ended.code, 0, "{}", ended.err);
}

#[test]
fn a_digest_that_a_server_does_not_take_is_left_out() {
    for status in ["400 Bad Request", "403 Forbidden", "501 Not Implemented"] {
        let (_runtime, server) = serve(move |asked| match asked.method.as_str() {
            "PUT" if asked.headers.contains_key("digest") => {
                Reply::sized(status, &[], "Digest header not supported")
            }
            "PUT" => Reply::sized("201 Created", &[], ""),
            _ => Reply::new("200 OK", &[("Content-Length", "16")], ""),
        });
        let directory = tempfile::tempdir().unwrap();
        fs_err::write(directory.path().join("f"), HELLO).unwrap();
        let ended = run(scitoken(directory.path()).args(["put", "f", server.url("f").as_str()]));
        assert_eq!(ended.code, 0, "{status}: {}", ended.err);
        let puts = server.seen().iter().filter(|asked| asked.method == "PUT").count();
        assert_eq!(puts, 2, "{status}: with it, and without");
    }
}

#[test]
fn a_listing_that_names_the_coding_of_the_file_is_read_and_the_file_is_compared() {
    let (_runtime, server) = serve(|asked| match asked.method.as_str() {
        "PROPFIND" => {
            let mut reply = listing("/d/", "x.tar.gz", &[]);
            reply.head = reply.head.replacen("\r\n", "\r\nContent-Encoding: x-gzip\r\n", 1);
            reply
        }
        "HEAD" => Reply::new("200 OK", &[("Content-Length", "5"), ("Content-Encoding", "x-gzip")], ""),
        _ => Reply::sized("201 Created", &[], ""),
    });
    let directory = tempfile::tempdir().unwrap();
    fs_err::write(directory.path().join("x.tar.gz"), HELLO).unwrap();
    let url = server.url("d/x.tar.gz").to_string();
    let described = run(scitoken(directory.path()).args(["stat", "--retry", "0", &url]));
    assert_eq!(described.code, 0, "{}", described.err);
    let ended = run(scitoken(directory.path()).args(["put", "--retry", "0", "x.tar.gz", &url]));
    assert_eq!(ended.code, 12, "5 bytes of 16 are stored: {}", ended.err);
}

#[test]
fn bytes_that_do_not_have_their_digest_are_not_sent_again_without_it() {
    for refusal in
        ["checksum mismatch: computed deadbeef", "the digest does not match", "name is not allowed here"]
    {
        let (_runtime, server) = serve(move |_| Reply::sized("400 Bad Request", &[], refusal));
        let directory = tempfile::tempdir().unwrap();
        fs_err::write(directory.path().join("f"), HELLO).unwrap();
        let ended = run(scitoken(directory.path()).args(["put", "f", server.url("f").as_str()]));
        assert_ne!(ended.code, 0, "{refusal}");
        assert!(ended.err.contains(refusal), "{}", ended.err);
        assert!(server.seen().iter().all(|asked| asked.headers.contains_key("digest")), "{refusal}");
        assert_eq!(server.seen().len(), 1, "{refusal}: it is final");
    }
}

#[test]
fn a_removal_does_not_follow_a_redirect_to_another_directory() {
    for (path, location) in [("d/x", "/login/"), ("d/x", "/?next=x"), ("d/x/", "/other/")] {
        let (_runtime, server) = serve(move |asked| match (asked.method.as_str(), asked.path.as_str()) {
            ("PROPFIND", _) => described("/d/x"),
            ("DELETE", "/d/x" | "/d/x/") => Reply::sized("302 Found", &[("Location", location)], ""),
            _ => Reply::sized("204 No Content", &[], ""),
        });
        let directory = tempfile::tempdir().unwrap();
        let url = server.url(path).to_string();
        let flags: &[&str] = if path.ends_with('/') { &["--recursive"] } else { &[] };
        let ended = run(scitoken(directory.path()).args(["rm", "--retry", "0"]).args(flags).arg(&url));
        assert_eq!(ended.code, 14, "{path} {location}: {}", ended.err);
        assert!(!ended.err.contains("--recursive"), "{}", ended.err);
        let removed = server.seen().into_iter().filter(|asked| asked.method == "DELETE").count();
        assert_eq!(removed, 1, "{path} {location}");
    }
}

#[test]
fn a_mirror_with_less_data_does_not_take_the_place_of_the_file() {
    for shorter in [500, 0] {
        let content: Vec<u8> = HELLO.repeat(1000);
        let whole = content.clone();
        let (_runtime, server) = serve(move |asked| {
            if asked.path == "/short" {
                return match asked.range() {
                    Some(range) if range.start >= shorter => {
                        Reply::sized("416 Range Not Satisfiable", &[], "")
                    }
                    _ => Reply::honest(asked, &content[..shorter], &[]),
                };
            }
            let reply = Reply::honest(asked, &content, &[("ETag", "\"1\"")]);
            if asked.number == 0 { reply.cut_after(content.len() / 2) } else { reply }
        });
        let directory = tempfile::tempdir().unwrap();
        let (good, short) = (server.url("good").to_string(), server.url("short").to_string());
        let mut command = scitoken(directory.path());
        let ended = run(command.args(["get", "-o", "f", "--retry-delay", "0.01", &good, "--mirror", &short]));
        assert_eq!(ended.code, 0, "{shorter}: {}", ended.err);
        assert_eq!(fs_err::read(directory.path().join("f")).unwrap(), whole, "{shorter}");
    }
}
