//! `scitoken get` and its siblings, run as a program.

use std::io::{Read as _, Write as _};
#[cfg(unix)]
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::time::Duration;

use crate::support::{DIGEST, HELLO, TOKEN, get, run, scitoken, serve};
use assert_cmd::Command;
use serde_json::Value;

use scitoken_test_support::chaos_server::Reply;

#[test]
fn a_file_is_named_verified_and_reported() {
    let (_runtime, server) = serve(|asked| Reply::honest(asked, HELLO, &DIGEST));
    let directory = tempfile::tempdir().unwrap();
    let ended = get(directory.path(), &[server.url("d/hello.txt").as_str()]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.err.contains("hello.txt: 16 B in") && ended.err.contains("verified by adler32:355f0612"));
    assert_eq!(fs_err::read(directory.path().join("hello.txt")).unwrap(), HELLO);
    assert_eq!(server.seen()[0].headers["authorization"], format!("Bearer {TOKEN}"));
}

#[test]
fn standard_output_gets_the_data_and_nothing_else() {
    let (_runtime, server) = serve(|asked| Reply::honest(asked, HELLO, &DIGEST));
    let directory = tempfile::tempdir().unwrap();
    let ended = get(directory.path(), &["-o", "-", "--json", server.url("f").as_str()]);
    assert_eq!((ended.code, ended.out.as_bytes()), (0, HELLO));
    assert!(ended.err.contains("\"event\":\"finished\""));
}

#[test]
fn a_port_without_tls_is_named_and_not_tried_again() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/f", server.local_addr().unwrap());
    // As nginx and Apache do with a first message that is no request.
    std::thread::spawn(move || {
        for stream in server.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 2048]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
        }
    });
    let directory = tempfile::tempdir().unwrap();
    let ended = get(directory.path(), &[&url]);
    assert_eq!(ended.code, 4, "{}", ended.err);
    assert!(ended.err.contains("the server does not speak TLS at `https://127.0.0.1:"), "{}", ended.err);
    assert!(ended.err.contains("hint: this port may be one for plain `http://`"), "{}", ended.err);
    assert!(!ended.err.contains("trying again") && !ended.err.contains("client error"), "{}", ended.err);
}

#[test]
fn each_failure_has_its_code_and_a_hint() {
    let (_runtime, server) = serve(|asked| match asked.path.as_str() {
        "/401" => Reply::sized("401 Unauthorized", &[("WWW-Authenticate", "Bearer")], ""),
        "/403" => Reply::sized("403 Forbidden", &[], "permission denied"),
        "/404" => Reply::sized("404 Not Found", &[], ""),
        "/500" => Reply::sized("500 Internal Server Error", &[], ""),
        "/short" => Reply::sized("200 OK", &[], HELLO).cut_after(3),
        "/wrong" => Reply::sized("200 OK", &DIGEST, "hello scitokenz\n"),
        "/html" => Reply::sized("200 OK", &[("Content-Type", "text/html")], "<html>log in</html>"),
        "/circle" => Reply::sized("302 Found", &[("Location", "/circle")], ""),
        _ => Reply { delay: Duration::from_secs(30), ..Reply::sized("200 OK", &[], "") },
    });
    let directory = tempfile::tempdir().unwrap();
    for (path, code) in [
        ("401", 8),
        ("403", 8),
        ("404", 9),
        ("500", 13),
        ("short", 10),
        ("wrong", 12),
        ("html", 8),
        ("circle", 14),
        ("slow", 5),
    ] {
        let url = server.url(path);
        let ended = get(directory.path(), &["--retry", "0", "--max-time", "3", url.as_str()]);
        assert_eq!(ended.code, code, "{path}: {}", ended.err);
        assert!(ended.err.contains("hint: ") || ended.err.contains("next: "), "{path}: {}", ended.err);
        assert!(!directory.path().join(path).exists(), "{path}");
    }
    for (arguments, code) in [
        (&["http://127.0.0.1:9/f", "--retry", "0"][..], 4),
        (&["http://127.0.0.1:9/f", "--retry", "0", "--retry-exit-code"], 11),
        (&["https://user:secret@h/f"], 2),
        (&["nonsense"], 2),
        (&["http://127.0.0.1:9/"], 2),
        (&["http://127.0.0.1:9/f", "-P", "missing"], 3),
        (&["http://127.0.0.1:9/f", "-o", "."], 3),
        (&["--checksum", "whirlpool", "http://127.0.0.1:9/f"], 2),
        (&["-i", "missing.txt"], 3),
        (&["http://me:secret@127.0.0.1:port/f"], 2),
        (&["http://127.0.0.1:port/f#secret"], 2),
    ] {
        let ended = get(directory.path(), arguments);
        assert_eq!(ended.code, code, "{arguments:?}: {}", ended.err);
        assert!(!ended.err.contains("secret"));
    }
}

#[test]
fn no_token_where_one_is_required_has_its_own_code() {
    let (_runtime, server) = serve(|asked| Reply::honest(asked, HELLO, &[]));
    let directory = tempfile::tempdir().unwrap();
    let mut command = scitoken(directory.path());
    command.env_remove("BEARER_TOKEN").env("XDG_RUNTIME_DIR", directory.path());
    command.env("BEARER_TOKEN_FILE", directory.path().join("missing"));
    let ended = run(command.args(["get", "--attach", "required", "--retry", "0", server.url("f").as_str()]));
    assert_eq!(ended.code, 7, "{}", ended.err);
    assert!(server.seen().is_empty());
    let ended = get(directory.path(), &["--no-auth", server.url("f").as_str()]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(!server.seen()[0].headers.contains_key("authorization"));
}

#[test]
fn a_list_with_bad_lines_downloads_the_good_ones_and_ends_with_the_worst_code() {
    let (_runtime, server) = serve(|asked| match asked.path.as_str() {
        "/gone" => Reply::sized("404 Not Found", &[], ""),
        _ => Reply::honest(asked, asked.path.as_bytes(), &[]),
    });
    let directory = tempfile::tempdir().unwrap();
    let url = |path: &str| server.url(path).to_string();
    let list = format!("{}\n  out=sub/a\n# note\n{}\nnonsense\n{}\n", url("a"), url("gone"), url("b"));
    fs_err::write(directory.path().join("list"), list).unwrap();
    let ended = get(directory.path(), &["-i", "list", "--json", "-j", "2"]);
    assert_eq!(ended.code, 2, "{}", ended.err);
    assert!(ended.err.contains("line 5: `nonsense` is not a URL"), "{}", ended.err);
    assert_eq!(fs_err::read(directory.path().join("sub/a")).unwrap(), b"/a");
    assert_eq!(fs_err::read(directory.path().join("b")).unwrap(), b"/b");
    let events: Vec<Value> = ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary = events.last().unwrap();
    assert_eq!((&summary["files"], &summary["failed"]), (&Value::from(2), &Value::from(2)));
    let failed = events.iter().filter(|event| event["event"] == "failed");
    let mut exits: Vec<_> = failed.clone().map(|event| event["exit"].as_u64().unwrap()).collect();
    exits.sort_unstable();
    assert_eq!(exits, [2, 9]);
    assert!(failed.clone().all(|event| event["retryable"] == false));
}

#[test]
fn two_addresses_with_the_same_last_part_are_refused_before_anything_is_fetched() {
    let (_runtime, server) = serve(|asked| Reply::honest(asked, HELLO, &DIGEST));
    let directory = tempfile::tempdir().unwrap();
    let ended = get(directory.path(), &[server.url("a/f").as_str(), server.url("b/f").as_str()]);
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("/a/f`") && ended.err.contains("/b/f`"), "{}", ended.err);
    assert!(server.seen().is_empty());
}

#[test]
fn a_list_that_names_a_place_twice_downloads_to_it_once() {
    let (_runtime, server) = serve(|asked| Reply::honest(asked, HELLO, &DIGEST));
    let directory = tempfile::tempdir().unwrap();
    let list = format!("{}\n{}\n  out=f\n", server.url("a/f"), server.url("g"));
    fs_err::write(directory.path().join("list"), list).unwrap();
    let ended = get(directory.path(), &["-i", "list"]);
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("file 1 of this run") && ended.err.contains("/g`"), "{}", ended.err);
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn ten_thousand_files_of_which_one_is_broken() {
    let (_runtime, server) = serve(|asked| {
        if asked.path == "/f5000" {
            Reply::sized("404 Not Found", &[], "")
        } else {
            Reply::honest(asked, HELLO, &[])
        }
    });
    let directory = tempfile::tempdir().unwrap();
    let list: Vec<_> = (0..10_000).map(|n| server.url(&format!("f{n}")).to_string()).collect();
    fs_err::write(directory.path().join("list"), list.join("\n")).unwrap();
    let ended =
        run(scitoken(directory.path()).args(["get", "-i", "list", "-P", "out", "--create-dirs", "-j", "16"]));
    assert_eq!(ended.code, 9, "{}", ended.err);
    assert!(ended.err.contains("9999 files, 1 failed"), "{}", ended.err);
    assert_eq!(fs_err::read_dir(directory.path().join("out")).unwrap().count(), 9_999);
}

#[cfg(unix)]
#[test]
fn a_signal_flushes_the_state_and_the_next_run_goes_on() {
    let (_runtime, server) = serve(|asked| {
        let mut reply = Reply::honest(asked, &vec![7; 1_000_000], &[("ETag", "\"v1\"")]);
        if asked.range().is_none() {
            reply.trickle = Some((50_000, Duration::from_secs(60)));
        }
        reply
    });
    // A batch system sends SIGTERM; a shell's loop ends only if the program dies of SIGINT itself.
    for (signal, code, died_of) in [("-TERM", Some(11), None), ("-INT", None, Some(2))] {
        let directory = tempfile::tempdir().unwrap();
        let program = assert_cmd::cargo::cargo_bin("scitoken");
        let url = server.url("f").to_string();
        let mut child = std::process::Command::new(program)
            .args(["get", "-q", &url])
            .current_dir(directory.path())
            .env("HOME", directory.path())
            .spawn()
            .unwrap();
        let part = directory.path().join("f.part");
        while fs_err::metadata(&part).map_or(0, |metadata| metadata.len()) == 0 {
            assert_eq!(child.try_wait().unwrap(), None, "it ended before it wrote anything");
            std::thread::sleep(Duration::from_millis(5));
        }
        // What has come is written at once, and noted when the signal comes.
        std::thread::sleep(Duration::from_millis(200));
        let killed = std::process::Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(killed.unwrap().success());
        let status = child.wait().unwrap();
        assert_eq!((status.code(), status.signal()), (code, died_of), "{signal}");
        assert!(directory.path().join("f.part.json").exists() && !directory.path().join("f").exists());
        let ended = get(directory.path(), &[&url]);
        assert_eq!(ended.code, 0, "{}", ended.err);
        assert!(server.ranges().last().unwrap().as_ref().is_some_and(|range| range.start > 0));
        assert_eq!(fs_err::read(directory.path().join("f")).unwrap(), vec![7; 1_000_000]);
    }
}

#[test]
fn a_dry_run_sends_no_request() {
    let directory = tempfile::tempdir().unwrap();
    let ended =
        get(directory.path(), &["--dry-run", "http://127.0.0.1:9/a?authz=secret", "http://127.0.0.1:9/b"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(ended.out.lines().count(), 2);
    assert!(ended.out.contains("/a?authz=…  ->  a") && !ended.out.contains("secret"));
}

#[test]
fn settings_come_from_the_file_and_the_environment() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("scitoken.toml");
    fs_err::write(&config, "[transfer]\njobs = 9\n[host.\"127.0.0.1\"]\nno-auth = true\n").unwrap();
    let mut command = scitoken(directory.path());
    command.env("SCITOKEN_CONFIG", &config).env("SCITOKEN_RETRY", "3");
    let ended = run(command.args(["config", "show"]));
    assert_eq!(ended.code, 0, "{}", ended.err);
    let line =
        |key: &str| ended.out.lines().find(|line| line.starts_with(key)).unwrap_or_default().to_owned();
    assert!(line("transfer.jobs").contains("= 9") && line("transfer.jobs").contains("file `"));
    assert!(line("transfer.retry ").contains("= 3") && line("transfer.retry ").contains("environment"));
    assert!(line("transfer.streams").contains("default"));
    assert!(ended.out.contains("127.0.0.1"));
}

#[test]
fn uploads_listings_and_the_rest_work_as_typed() {
    let (_runtime, server) = serve(|asked| match asked.method.as_str() {
        "PUT" | "MKCOL" => Reply::sized("201 Created", &[], ""),
        "DELETE" => Reply::sized("204 No Content", &[], ""),
        "PROPFIND" => Reply::sized(
            "207 Multi-Status",
            &[],
            "<D:multistatus xmlns:D=\"DAV:\"><D:response><D:href>/d/f</D:href><D:propstat><D:prop>\
             <D:getcontentlength>16</D:getcontentlength></D:prop></D:propstat></D:response></D:multistatus>",
        ),
        _ => Reply::honest(asked, HELLO, &DIGEST),
    });
    let directory = tempfile::tempdir().unwrap();
    fs_err::write(directory.path().join("f"), HELLO).unwrap();
    let url = |path: &str| server.url(path).to_string();
    for (arguments, expected) in [
        (vec!["put", "f", &url("d/")], ""),
        (vec!["ls", &url("d")], "f\n"),
        (vec!["ls", "--json", &url("d")], "\"length\":16"),
        (vec!["stat", &url("d/f")], "16 bytes"),
        (vec!["checksum", &url("d/f")], "adler32:355f0612"),
        (vec!["mkdir", &url("d/new")], ""),
        (vec!["rm", &url("d/f")], ""),
        (vec!["completions", "bash"], "complete"),
        (vec!["man"], ".TH scitoken"),
    ] {
        let ended = run(scitoken(directory.path()).args(&arguments));
        assert_eq!(ended.code, 0, "{arguments:?}: {}", ended.err);
        assert!(ended.out.contains(expected), "{arguments:?}: {}", ended.out);
    }
    assert_eq!(server.seen()[0].path, "/d/f", "the file's name was added");
}

#[test]
fn a_full_disk_has_its_own_code_and_leaves_no_file() {
    let (_runtime, server) = serve(|asked| Reply::honest(asked, &vec![7; 1_000_000], &[]));
    let directory = tempfile::tempdir().unwrap();
    let url = server.url("f").to_string();
    if Path::new("/dev/full").exists() {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let mut program = std::process::Command::new(assert_cmd::cargo::cargo_bin("scitoken"));
        let program = program.args(["get", "-q", "-o", "-", &url]).env("HOME", directory.path()).stdout(full);
        assert_eq!(program.status().unwrap().code(), Some(3));
    }
    // A disk of 256 KiB, where this machine lets us make one.
    let line = format!(
        "mkdir disk && mount -t tmpfs -o size=256k none disk && echo mounted && \
         {} get --retry 0 -P disk {url}; code=$?; ls disk; exit $code",
        assert_cmd::cargo::cargo_bin("scitoken").display()
    );
    let ended = run(Command::new("unshare")
        .args(["-rm", "sh", "-c", &line])
        .current_dir(directory.path())
        .env("HOME", directory.path()));
    if ended.out.starts_with("mounted") {
        assert_eq!((ended.code, ended.out.as_str()), (3, "mounted\n"), "{}", ended.err);
        assert!(ended.err.contains("No space left on device"), "{}", ended.err);
    }
}

#[test]
fn a_directory_is_removed_only_when_that_is_said() {
    let (_runtime, server) = serve(|asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("PROPFIND", "/blind" | "/blind/") => Reply::sized("403 Forbidden", &[], ""),
        ("PROPFIND", "/gone") => Reply::sized("404 Not Found", &[], ""),
        ("PROPFIND", _) => Reply::sized(
            "207 Multi-Status",
            &[],
            "<D:multistatus xmlns:D=\"DAV:\"><D:response><D:href>/d/</D:href><D:propstat><D:prop><D:resourcetype>\
             <D:collection/></D:resourcetype></D:prop></D:propstat></D:response></D:multistatus>",
        ),
        _ => Reply::sized("204 No Content", &[], ""),
    });
    let directory = tempfile::tempdir().unwrap();
    for (arguments, path, code) in [
        (&["rm"][..], "d", 2),
        (&["rm", "-r"], "d", 0),
        (&["rm"], "blind", 2),
        (&["rm"], "blind/", 2),
        (&["rm"], "gone", 9),
    ] {
        let before = server.seen().iter().filter(|asked| asked.method == "DELETE").count();
        let ended = run(scitoken(directory.path()).args(arguments).arg(server.url(path).as_str()));
        assert_eq!(ended.code, code, "{path}: {}", ended.err);
        let removed = server.seen().iter().filter(|asked| asked.method == "DELETE").count() - before;
        assert_eq!(removed, usize::from(code == 0), "{path}");
    }
}

#[test]
fn htcondor_gets_a_result_for_each_file() {
    let (_runtime, server) = serve(|asked| match asked.path.as_str() {
        "/gone" => Reply::sized("404 Not Found", &[], ""),
        _ => Reply::honest(asked, HELLO, &DIGEST),
    });
    let directory = tempfile::tempdir().unwrap();
    let orders = format!(
        "[ Url = \"{}\"; LocalFileName = \"one\" ]\n[ Url = \"{}\"; LocalFileName = \"two\" ]\n",
        server.url("f?authz=secret"),
        server.url("gone")
    );
    fs_err::write(directory.path().join("in"), orders).unwrap();
    let ended = run(scitoken(directory.path()).args(["condor-plugin", "-infile", "in", "-outfile", "out"]));
    assert_eq!(ended.code, 9, "{}", ended.err);
    let results = fs_err::read_to_string(directory.path().join("out")).unwrap();
    let lines: Vec<_> = results.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].contains("TransferSuccess = true") && lines[0].contains("TransferFileBytes = 16"));
    assert!(lines[1].contains("TransferSuccess = false") && lines[1].contains("404 Not Found"));
    assert!(!results.contains("secret"));
    assert_eq!(fs_err::read(directory.path().join("one")).unwrap(), HELLO);
    let ended = run(scitoken(directory.path()).args(["condor-plugin", "-classad"]));
    assert!(ended.out.contains("MultipleFileSupport = true"));
}
