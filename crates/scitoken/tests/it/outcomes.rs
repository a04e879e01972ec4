//! Exit codes, and output that cannot be written.

use std::process::Stdio;

use scitoken_test_support::chaos_server::Reply;

use crate::support::{DIGEST, HELLO, run, scitoken, serve};

#[test]
fn a_refusal_without_a_token_is_told_from_a_refused_token() {
    let (_runtime, server) = serve(|asked| match asked.path.as_str() {
        "/401" => Reply::sized("401 Unauthorized", &[("WWW-Authenticate", "Bearer")], ""),
        _ => Reply::sized("403 Forbidden", &[], ""),
    });
    let directory = tempfile::tempdir().unwrap();
    for path in ["401", "403"] {
        let url = server.url(path).to_string();
        for command in
            [&["get"][..], &["stat"], &["ls"], &["rm", "-r"], &["checksum"], &["explain"], &["doctor"]]
        {
            let sent = run(scitoken(directory.path()).args(command).arg(&url));
            assert_eq!(sent.code, 8, "{command:?} {path}: {}{}", sent.out, sent.err);
            let none = run(scitoken(directory.path()).env_remove("BEARER_TOKEN").args(command).arg(&url));
            assert_eq!(none.code, 7, "{command:?} {path}: {}{}", none.out, none.err);
            let said = format!("{}{}", none.out, none.err);
            assert!(said.contains("no token was sent"), "{command:?} {path}: {said}");
            let invalid =
                run(scitoken(directory.path()).env("BEARER_TOKEN", "not a token").args(command).arg(&url));
            assert_eq!(invalid.code, 7, "{command:?} {path}: {}{}", invalid.out, invalid.err);
        }
    }
}

#[test]
fn a_token_that_a_redirect_policy_withholds_is_a_matter_of_policy() {
    let (_other_runtime, other) =
        serve(|_| Reply::sized("401 Unauthorized", &[("WWW-Authenticate", "Bearer")], ""));
    let elsewhere = other.url("f").to_string();
    let (_runtime, server) =
        serve(move |_| Reply::sized("302 Found", &[("Location", elsewhere.as_str())], ""));
    let directory = tempfile::tempdir().unwrap();
    for command in ["get", "explain"] {
        let ended = run(scitoken(directory.path()).args([command, server.url("f").as_str()]));
        assert_eq!(ended.code, 14, "{command}: {}{}", ended.out, ended.err);
        assert!(format!("{}{}", ended.out, ended.err).contains("--trust-redirect"), "{command}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_an_error() {
    let (_runtime, server) = serve(|asked| Reply::honest(asked, HELLO, &DIGEST));
    let directory = tempfile::tempdir().unwrap();
    let url = server.url("f").to_string();
    for arguments in [
        &["stat", &url][..],
        &["stat", "--json", &url],
        &["checksum", &url],
        &["get", "--json", "-o", "f", &url],
        &["get", "--dry-run", &url],
        &["explain", &url],
        &["doctor", "--json", &url],
        &["token", "where"],
        &["token", "where", "--json"],
        &["config", "show"],
        &["man"],
        &["completions", "bash"],
        &["keys", "generate"],
        &["--help"],
        &["get", "--help"],
        &["--version"],
    ] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let status = std::process::Command::new(env!("CARGO_BIN_EXE_scitoken"))
            .args(arguments)
            .env_clear()
            .env("HOME", directory.path())
            .env("BEARER_TOKEN", "b3RoZXI")
            .current_dir(directory.path())
            .stdout(full)
            .stderr(Stdio::piped())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&status.stderr).into_owned();
        assert_eq!(status.status.code(), Some(3), "{arguments:?}: {said}");
        assert!(said.contains("No space left"), "{arguments:?}: {said}");
    }
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_ends_a_command_quietly() {
    use std::os::unix::process::ExitStatusExt as _;

    let directory = tempfile::tempdir().unwrap();
    for arguments in
        [&["config", "show"][..], &["man"], &["token", "where"], &["--help"], &["token", "where", "--json"]]
    {
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_scitoken"))
            .args(arguments)
            .env_clear()
            .env("HOME", directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
        assert_eq!(output.status.signal(), Some(13), "{arguments:?} dies of SIGPIPE");
    }
}

#[cfg(unix)]
#[test]
fn a_download_into_a_closed_pipe_ends_quietly() {
    use std::os::unix::process::ExitStatusExt as _;

    let (_runtime, server) = serve(|asked| Reply::honest(asked, &vec![7; 1_000_000], &[]));
    let directory = tempfile::tempdir().unwrap();
    for more in [&[][..], &["--json"], &["--progress", "line"]] {
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_scitoken"))
            .args(["get", "-o", "-", server.url("f").as_str()])
            .args(more)
            .env_clear()
            .env("HOME", directory.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("scitoken:"), "{more:?}: {said}");
        assert_eq!(output.status.signal(), Some(13), "{more:?} dies of SIGPIPE");
    }
}

#[cfg(unix)]
#[test]
fn a_download_goes_to_a_device_and_not_beside_it() {
    let (_runtime, server) = serve(|asked| Reply::honest(asked, HELLO, &DIGEST));
    let directory = tempfile::tempdir().unwrap();
    let url = server.url("f").to_string();
    let ended = run(scitoken(directory.path()).args(["get", "-o", "/dev/null", &url]));
    assert_eq!(ended.code, 0, "{}", ended.err);
    let ended = run(scitoken(directory.path()).args(["get", "-o", "f/", &url]));
    assert!(ended.code == 2 && ended.err.contains("-P DIR"), "{}: {}", ended.code, ended.err);
    assert_eq!(fs_err::read_dir(directory.path()).unwrap().count(), 0, "nothing is left");
}

#[test]
fn a_failure_names_its_file_and_the_summary_counts() {
    let (_runtime, server) = serve(|asked| match asked.path.as_str() {
        "/wrong" => Reply::sized("200 OK", &DIGEST, "hello scitokenz\n"),
        _ => Reply::honest(asked, HELLO, &DIGEST),
    });
    let directory = tempfile::tempdir().unwrap();
    let urls: Vec<String> = ["a", "wrong", "b"].iter().map(|name| server.url(name).to_string()).collect();
    let ended = run(scitoken(directory.path()).args(["get", "--retry", "0"]).args(&urls));
    assert_eq!(ended.code, 12, "{}", ended.err);
    assert!(
        ended.err.lines().any(|line| line.starts_with("scitoken: ") && line.contains("wrong")),
        "{}",
        ended.err
    );
}

#[cfg(unix)]
#[test]
fn a_fifo_or_an_endless_device_is_refused_where_a_file_is_expected() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("ff");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let ff = fifo.to_str().unwrap();
    for file in [ff, "/dev/zero"] {
        for arguments in [
            &["condor-plugin", "-infile", file, "-outfile", "out"][..],
            &["token", "verify", "--issuer", "https://i.test", "--key", file, "-"],
            &["keys", "jwks", file],
            &["keys", "cache", "add", "https://i.test", "--jwks", file],
            &["token", "create", "--key", file, "--issuer", "https://i.test"],
        ] {
            let ended = run(scitoken(directory.path()).args(arguments).write_stdin("a.b.c"));
            assert_ne!(ended.code, 0, "{arguments:?}");
            assert!(ended.code == 3 || ended.err.contains("scitoken: "), "{arguments:?}: {}", ended.err);
        }
        let ended = run(scitoken(directory.path()).env("SCITOKEN_CONFIG", file).args(["config", "show"]));
        assert_eq!(ended.code, 3, "{file}: {}", ended.err);
    }
}

#[test]
fn two_ads_for_one_file_do_not_both_succeed_and_old_results_do_not_stay() {
    let (_runtime, server) = serve(|asked| Reply::honest(asked, HELLO, &DIGEST));
    let directory = tempfile::tempdir().unwrap();
    let ad = |path: &str| format!("[ Url = \"{}\"; LocalFileName = \"same\" ]", server.url(path));
    fs_err::write(directory.path().join("in"), format!("{}\n{}\n", ad("a"), ad("b"))).unwrap();
    fs_err::write(directory.path().join("out"), "[ TransferSuccess = true; TransferUrl = \"stale\" ]\n")
        .unwrap();
    let plugin = ["condor-plugin", "-infile", "in", "-outfile", "out"];
    let ended = run(scitoken(directory.path()).args(plugin));
    assert_ne!(ended.code, 0, "{}", ended.err);
    let results = fs_err::read_to_string(directory.path().join("out")).unwrap();
    assert_eq!(results.matches("TransferSuccess = true").count(), 1, "{results}");
    assert_eq!(results.matches("TransferSuccess = false").count(), 1, "{results}");
    assert!(results.contains("same target") && !results.contains("stale"), "{results}");
    fs_err::write(directory.path().join("in"), "nonsense").unwrap();
    let ended = run(scitoken(directory.path()).args(plugin));
    assert_ne!(ended.code, 0, "{}", ended.err);
    let results = fs_err::read_to_string(directory.path().join("out")).unwrap();
    assert!(!results.contains("TransferSuccess = true"), "{results}");
}

#[test]
fn a_refusal_inside_of_a_listing_or_before_a_removal_says_that_no_token_was_sent() {
    let (_runtime, server) = serve(|asked| match asked.path.as_str() {
        "/d/" => Reply::sized(
            "207 Multi-Status",
            &[],
            "<D:multistatus xmlns:D=\"DAV:\"><D:response><D:href>/d/</D:href><D:propstat><D:prop>\
             <D:resourcetype><D:collection/></D:resourcetype></D:prop></D:propstat></D:response>\
             <D:response><D:href>/d/f</D:href><D:status>HTTP/1.1 403 Forbidden</D:status>\
             <D:responsedescription>members only</D:responsedescription></D:response></D:multistatus>",
        ),
        "/forbidden" => Reply::sized("403 Forbidden", &[], ""),
        _ => Reply::sized("401 Unauthorized", &[], ""),
    });
    let directory = tempfile::tempdir().unwrap();
    for (command, path, with_token) in [("ls", "d/", 8), ("rm", "f", 8), ("rm", "forbidden", 2)] {
        let url = server.url(path).to_string();
        let without = run(scitoken(directory.path()).args([command, &url]).env_remove("BEARER_TOKEN"));
        assert_eq!(without.code, 7, "{command} {path}: {}", without.err);
        assert!(without.err.contains("no token was sent"), "{}", without.err);
        let with = run(scitoken(directory.path()).args([command, &url]));
        assert_eq!(with.code, with_token, "{command} {path}: {}", with.err);
        assert!(command != "ls" || with.err.contains("members only"), "{}", with.err);
    }
    assert!(server.seen().iter().all(|asked| asked.method != "DELETE"));
}

#[test]
fn the_plugin_keeps_to_its_directory_and_to_the_files_of_the_job() {
    let (_runtime, server) = serve(|asked| Reply::honest(asked, HELLO, &DIGEST));
    let above = tempfile::tempdir().unwrap();
    let scratch = above.path().join("scratch");
    fs_err::create_dir(&scratch).unwrap();
    fs_err::write(above.path().join("victim"), "mine").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(above.path(), scratch.join("link")).unwrap();
    let inside = scratch.join("sub").join("abs").display().to_string();
    fs_err::create_dir(scratch.join("sub")).unwrap();
    let names = ["f", ".dot", "./g", &inside, "../victim", "sub/../../victim", "link/victim", "in", "out"];
    let ads = names.map(|name| format!("[ Url = \"{}\"; LocalFileName = \"{name}\" ]\n", server.url("x")));
    fs_err::write(scratch.join("in"), ads.concat()).unwrap();
    let plugin = ["condor-plugin", "-infile", "in", "-outfile", "out"];
    let ended = run(scitoken(&scratch).args(plugin));
    assert_ne!(ended.code, 0);
    let results = fs_err::read_to_string(scratch.join("out")).unwrap();
    let outcomes: Vec<_> = results
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| line.contains("TransferSuccess = true"))
        .collect();
    assert_eq!(outcomes, [true, true, true, true, false, false, false, false, false], "{results}");
    assert_eq!(fs_err::read_to_string(above.path().join("victim")).unwrap(), "mine");
    for name in ["f", ".dot", "g", "sub/abs"] {
        assert_eq!(fs_err::read(scratch.join(name)).unwrap(), HELLO, "{name}");
    }
    // A plugin that cannot start leaves no result of an earlier run.
    for arguments in [&["--no-such-flag"][..], &["-upload", "extra"]] {
        fs_err::write(scratch.join("out"), "[ TransferSuccess = true; ]\n").unwrap();
        let ended = run(scitoken(&scratch).args(plugin).args(arguments));
        let results = fs_err::read_to_string(scratch.join("out")).unwrap();
        assert!(ended.code == 2 && results.contains("TransferSuccess = false"), "{results}");
    }
}

#[test]
fn the_last_line_of_a_list_counts_the_entries_that_could_not_begin() {
    let (_runtime, server) = serve(|asked| match asked.path.as_str() {
        "/missing" => Reply::sized("404 Not Found", &[], ""),
        _ => Reply::honest(asked, HELLO, &DIGEST),
    });
    let directory = tempfile::tempdir().unwrap();
    let list = format!("{0}\nnonsense\n{1}\n{0}\n", server.url("f"), server.url("missing"));
    fs_err::write(directory.path().join("list"), list).unwrap();
    let ended = run(scitoken(directory.path()).args(["get", "-i", "list", "--retry", "0"]));
    assert!(ended.err.contains("1 file, 3 failed, 16 B"), "{}", ended.err);
    fs_err::write(directory.path().join("list"), "nonsense\n").unwrap();
    let ended = run(scitoken(directory.path()).args(["get", "-i", "list"]));
    assert!(ended.code == 2 && ended.err.contains("0 files, 1 failed"), "{}", ended.err);
}
