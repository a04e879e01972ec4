//! `scitoken put`.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use scitoken_test_support::chaos_server::Reply;
use serde_json::Value;

use crate::support::{HELLO, run, scitoken, serve};

/// A server that remembers the length of what was put.
fn storage() -> (tokio::runtime::Runtime, scitoken_test_support::chaos_server::ChaosServer) {
    let stored: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
    serve(move |asked| {
        let mut stored = stored.lock().unwrap();
        match asked.method.as_str() {
            "PUT" if asked.path.starts_with("/missing/") && !stored.contains_key("/missing/") => {
                Reply::sized("409 Conflict", &[], "")
            }
            "PUT" => {
                stored.insert(asked.path.clone(), asked.body.len());
                Reply::sized("201 Created", &[], "")
            }
            "MKCOL" if stored.contains_key(&asked.path) => Reply::sized("405 Method Not Allowed", &[], ""),
            "MKCOL" => {
                stored.insert(asked.path.clone(), 0);
                Reply::sized("201 Created", &[], "")
            }
            _ => match stored.get(&asked.path) {
                Some(length) => Reply::new("200 OK", &[("Content-Length", &length.to_string())], ""),
                None => Reply::sized("404 Not Found", &[], ""),
            },
        }
    })
}

#[test]
fn several_files_go_into_a_directory_and_the_last_line_names_the_url() {
    let (_runtime, server) = storage();
    let directory = tempfile::tempdir().unwrap();
    fs_err::write(directory.path().join("a"), "one").unwrap();
    fs_err::write(directory.path().join("b c"), "four").unwrap();
    let url = server.url("d/").to_string();
    let ended = run(scitoken(directory.path()).args(["put", "a", "b c", &url]));
    assert_eq!(ended.code, 0, "{}", ended.err);
    let unverified = "the server offers no checksum";
    let expected = [
        format!("a -> {url}a: 3 bytes, {unverified}"),
        format!("b c -> {url}b%20c: 4 bytes, {unverified}"),
        "2 of 2 files uploaded".to_owned(),
    ];
    assert_eq!(ended.err.lines().collect::<Vec<_>>(), expected);
    let puts: Vec<_> = server.seen().into_iter().filter(|asked| asked.method == "PUT").collect();
    let bodies: Vec<_> = puts.iter().map(|asked| (asked.path.as_str(), asked.body.as_slice())).collect();
    assert_eq!(bodies, [("/d/a", &b"one"[..]), ("/d/b%20c", &b"four"[..])]);
    let ended = run(scitoken(directory.path()).args(["put", "a", "b c", server.url("d").as_str()]));
    assert_eq!(ended.code, 2, "several files need a directory: {}", ended.err);
}

#[test]
fn standard_input_is_uploaded_under_the_name_in_the_url() {
    let (_runtime, server) = storage();
    let directory = tempfile::tempdir().unwrap();
    let ended =
        run(scitoken(directory.path()).args(["put", "-", server.url("f").as_str()]).write_stdin("piped"));
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(server.seen().iter().any(|asked| asked.method == "PUT" && asked.body == b"piped"));
    let ended =
        run(scitoken(directory.path()).args(["put", "-", server.url("d/").as_str()]).write_stdin("x"));
    assert!(ended.code == 2 && ended.err.contains("has no name"), "{}", ended.err);
}

#[test]
fn an_existing_target_has_its_own_exit_code() {
    let (_runtime, server) = storage();
    let directory = tempfile::tempdir().unwrap();
    fs_err::write(directory.path().join("a"), "one").unwrap();
    let url = server.url("f").to_string();
    let put = |more: &[&str]| run(scitoken(directory.path()).args(["put", "a", &url]).args(more));
    assert_eq!(put(&["--no-clobber"]).code, 0);
    let again = put(&["--no-clobber"]);
    assert!(again.code == 15 && again.err.contains("--no-clobber"), "{}: {}", again.code, again.err);
    assert_eq!(put(&[]).code, 0);
    let mkdir = |more: &[&str]| {
        run(scitoken(directory.path()).args(["mkdir", server.url("dir/").as_str()]).args(more))
    };
    assert_eq!(mkdir(&[]).code, 0);
    let again = mkdir(&[]);
    assert!(again.code == 15 && again.err.contains("--parents"), "{}: {}", again.code, again.err);
    assert_eq!(mkdir(&["-p"]).code, 0);
    let get = |more: &[&str]| run(scitoken(directory.path()).args(["get", &url, "-o", "a"]).args(more));
    let refused = get(&["--no-clobber"]);
    assert!(
        refused.code == 15 && refused.err.contains("`a` already exists"),
        "{}: {}",
        refused.code,
        refused.err
    );
    let json = get(&["--no-clobber", "--json"]);
    assert!(json.code == 15 && json.out.contains(r#""exit":15"#), "{}: {}", json.code, json.out);
    assert_eq!(fs_err::read(directory.path().join("a")).unwrap(), b"one");
}

#[test]
fn a_refused_mkcol_is_not_taken_for_an_existing_directory() {
    // A server without WebDAV gives the answer that means an existing name.
    let (_runtime, server) = serve(|asked| match asked.method.as_str() {
        "MKCOL" => Reply::sized("405 Method Not Allowed", &[], ""),
        _ => Reply::sized("404 Not Found", &[], ""),
    });
    let directory = tempfile::tempdir().unwrap();
    for flags in [&[][..], &["-p"]] {
        let ended = run(scitoken(directory.path()).arg("mkdir").args(flags).arg(server.url("d").as_str()));
        assert_eq!(ended.code, 13, "{flags:?}: {}", ended.err);
        assert!(ended.err.contains("405 Method Not Allowed"), "{flags:?}: {}", ended.err);
    }
}

#[test]
fn one_line_at_the_end_names_the_url_and_the_verification() {
    let (_runtime, server) = serve(|asked| match asked.method.as_str() {
        "PUT" => Reply::sized("201 Created", &[], ""),
        _ => Reply::new("200 OK", &[("Content-Length", "16"), ("Digest", "adler32=355f0612")], ""),
    });
    let directory = tempfile::tempdir().unwrap();
    fs_err::write(directory.path().join("a"), HELLO).unwrap();
    let url = server.url("f").to_string();
    for mode in ["auto", "line", "none"] {
        let ended = run(scitoken(directory.path()).args(["put", "--progress", mode, "a", &url]));
        assert_eq!(ended.err, format!("a -> {url}: 16 bytes, verified by adler32:355f0612\n"), "{mode}");
    }
}

#[test]
fn a_missing_parent_is_created_on_request() {
    let (_runtime, server) = storage();
    let directory = tempfile::tempdir().unwrap();
    fs_err::write(directory.path().join("a"), "one").unwrap();
    let url = server.url("missing/a").to_string();
    let ended = run(scitoken(directory.path()).args(["put", "a", &url]));
    assert!(ended.code != 0 && ended.err.contains("--create-dirs"), "{}", ended.err);
    let ended = run(scitoken(directory.path()).args(["put", "--create-dirs", "a", &url]));
    assert_eq!(ended.code, 0, "{}", ended.err);
}

#[test]
fn json_has_the_events_and_the_outcome() {
    let (_runtime, server) = storage();
    let directory = tempfile::tempdir().unwrap();
    fs_err::write(directory.path().join("a"), "one").unwrap();
    let ended = run(scitoken(directory.path()).args(["put", "--json", "a", server.url("f").as_str()]));
    assert_eq!(ended.code, 0, "{}", ended.err);
    let lines: Vec<Value> = ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["event"] == "finished"), "{}", ended.out);
    assert_eq!(lines.last().unwrap()["ok"], true);
    assert_eq!(lines.last().unwrap()["url"], server.url("f").as_str());
}

#[test]
fn two_files_never_go_to_one_url() {
    let (_runtime, server) = storage();
    let directory = tempfile::tempdir().unwrap();
    for name in ["a", "b", "t", "u/t"] {
        fs_err::create_dir_all(directory.path().join(name)).unwrap();
    }
    for name in ["a/f", "b/f", "t/f", "u/t/f"] {
        fs_err::write(directory.path().join(name), name).unwrap();
    }
    let url = server.url("d/").to_string();
    for sources in [&["a/f", "b/f"][..], &["a/f", "a/f"], &["-r", "t", "u/t"]] {
        let ended = run(scitoken(directory.path()).arg("put").args(sources).arg(&url));
        assert!(ended.code == 2 && ended.err.contains("have the same target"), "{sources:?}: {}", ended.err);
        assert_eq!(server.seen().len(), 0, "{sources:?}: nothing is sent");
    }
    // The file of a tree, and one of the command line.
    fs_err::write(directory.path().join("f"), "f").unwrap();
    let ended = run(scitoken(directory.path()).args(["put", "-r", "b/f", ".", &url]));
    assert_eq!(ended.code, 2, "{}", ended.err);
    let line = ended.err.lines().last().unwrap();
    assert_eq!(line, "5 of 6 files uploaded, 1 failed");
    let puts: Vec<_> =
        server.seen().into_iter().filter(|asked| asked.method == "PUT" && asked.path == "/d/f").collect();
    assert_eq!(puts.iter().map(|asked| asked.body.as_slice()).collect::<Vec<_>>(), [b"b/f"]);
}

#[test]
fn a_url_in_place_of_a_file_says_where_the_target_stands() {
    let directory = tempfile::tempdir().unwrap();
    for (arguments, expected) in [
        (&["https://h/f", "file"][..], "write `scitoken put file https://h/f`"),
        (&["https://h/f", "https://g/f"], "write `scitoken copy https://h/f https://g/f`"),
        (&["file", "https://h/d/", "https://h/e/"], "write `scitoken put FILE... URL`"),
    ] {
        let ended = run(scitoken(directory.path()).arg("put").args(arguments));
        assert!(ended.code == 2 && ended.err.contains(expected), "{}", ended.err);
    }
}

#[test]
fn what_has_no_length_of_its_own_is_sent_from_standard_input() {
    let (_runtime, server) = storage();
    let directory = tempfile::tempdir().unwrap();
    let url = server.url("d/x").to_string();
    let ended = run(scitoken(directory.path()).args(["put", "/proc/version", &url]));
    assert_eq!(ended.code, 3, "{}", ended.err);
    assert!(ended.err.contains("`scitoken put - URL < FILE`"), "{}", ended.err);
    let fifo = directory.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
        .unwrap();
    let ended = run(scitoken(directory.path()).args(["put", "fifo", &url]));
    assert!(ended.code == 3 && ended.err.contains("`scitoken put - URL < FILE`"), "{}", ended.err);
    assert!(server.seen().iter().all(|asked| asked.method != "PUT"));
    for name in ["-", "/dev/stdin", "/proc/self/fd/0"] {
        let mut put = scitoken(directory.path());
        let ended = run(put.args(["put", "--json", name, &url]).write_stdin(HELLO));
        assert_eq!(ended.code, 0, "{name}: {}", ended.err);
        assert!(!ended.out.contains(".tmp") && ended.out.contains("standard input"), "{name}: {}", ended.out);
        assert_eq!(server.seen().iter().rfind(|asked| asked.method == "PUT").unwrap().body, HELLO, "{name}");
    }
    let mut put = scitoken(directory.path());
    let ended = run(put.env("TMPDIR", "/nonexistent").args(["put", "-", &url]).write_stdin(HELLO));
    assert_eq!(ended.code, 3, "{}", ended.err);
    assert!(ended.err.contains("set `TMPDIR`") && !ended.err.contains(".tmp"), "{}", ended.err);
}

#[test]
fn an_upload_that_was_accepted_and_is_not_there_is_told_so_with_the_words_of_the_server() {
    let (_runtime, server) = serve(|asked| match asked.method.as_str() {
        "PUT" => {
            Reply::sized("200 OK", &[("Content-Type", "application/json")], r#"{"error":"quota exceeded"}"#)
        }
        _ => Reply::sized("404 Not Found", &[], ""),
    });
    let directory = tempfile::tempdir().unwrap();
    fs_err::write(directory.path().join("f"), "x").unwrap();
    let url = server.url("d/f").to_string();
    let ended = run(scitoken(directory.path()).args(["put", "--retry", "0", "f", &url]));
    assert_eq!(ended.code, 13, "{}", ended.err);
    assert!(
        ended.err.contains("accepted the upload") && ended.err.contains("quota exceeded"),
        "{}",
        ended.err
    );
}

#[test]
fn a_file_that_is_written_to_during_its_upload_is_told_as_changed() {
    let directory = tempfile::tempdir().unwrap();
    let writer = directory.path().join("log");
    fs_err::write(&writer, "one\n").unwrap();
    let (_runtime, server) = serve(move |asked| match asked.method.as_str() {
        "PUT" => {
            fs_err::write(&writer, "one\ntwo\n").unwrap();
            Reply::sized("201 Created", &[], "")
        }
        _ => Reply::new("200 OK", &[("Content-Length", "4")], ""),
    });
    let ended = run(scitoken(directory.path()).args(["put", "log", server.url("d/log").as_str()]));
    assert_eq!(ended.code, 3, "{}", ended.err);
    assert!(ended.err.contains("`log` changed during the upload"), "{}", ended.err);
}
