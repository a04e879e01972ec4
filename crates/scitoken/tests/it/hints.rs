//! Each hint is followed as it is written, and helps.

use std::path::Path;

use scitoken_test_support::chaos_server::{Asked, Reply};

use crate::support::{DIGEST, Ended, HELLO, TOKEN, run, scitoken, serve};

/// Serves `/f` to all requests, `/private` to those with a token, and takes uploads into directories that were created.
fn answer(asked: &Asked) -> Reply {
    match (asked.method.as_str(), asked.path.as_str()) {
        (_, "/private") if !asked.headers.contains_key("authorization") => {
            Reply::sized("401 Unauthorized", &[("WWW-Authenticate", "Bearer")], "")
        }
        ("PUT", _) => Reply::sized("201 Created", &[], ""),
        (_, "/gone") => Reply::sized("404 Not Found", &[], ""),
        (_, "/none") => Reply::honest(asked, HELLO, &[]),
        _ => Reply::honest(asked, HELLO, &DIGEST),
    }
}

/// Runs the program without a token.
fn without_token(directory: &Path, arguments: &[&str]) -> Ended {
    run(scitoken(directory).env_remove("BEARER_TOKEN").args(arguments))
}

fn hint(ended: &Ended) -> &str {
    let hints: Vec<_> = ended.err.lines().filter_map(|line| line.strip_prefix("hint: ")).collect();
    assert_eq!(hints.len(), 1, "one hint: {}", ended.err);
    hints[0]
}

#[test]
fn a_missing_token_is_given_the_way_that_the_hint_says() {
    let (_runtime, server) = serve(answer);
    let directory = tempfile::tempdir().unwrap();
    let url = server.url("private").to_string();
    scitoken_test_support::write_token(&directory.path().join("token"), TOKEN);
    for (flags, follow, expected) in [
        (
            &["--attach", "required"][..],
            &["--attach", "required", "--token-file", "token"][..],
            "`--token-file FILE`",
        ),
        (&["--no-auth"], &["--token-file", "token"], "leave out `--no-auth`"),
        (
            &["--attach", "never"],
            &["--attach", "when-found", "--token-file", "token"],
            "`--attach when-found`",
        ),
    ] {
        let refused = without_token(directory.path(), &[&["get", &url, "-o", "p"], flags].concat());
        assert_eq!(refused.code, 7, "{flags:?}: {}", refused.err);
        assert!(hint(&refused).contains(expected), "{flags:?}: {}", refused.err);
        assert!(!refused.err.contains("the request was sent without a token"), "said once: {}", refused.err);
        let followed = without_token(directory.path(), &[&["get", &url, "-o", "p"], follow].concat());
        assert_eq!(followed.code, 0, "{follow:?}: {}", followed.err);
    }
    let searched = without_token(directory.path(), &["get", &url, "-o", "q"]);
    assert_eq!(hint(&searched), "`scitoken token where` lists the searched places");
    let listed = without_token(directory.path(), &["token", "where"]);
    assert!(listed.out.contains("BEARER_TOKEN_FILE"), "{}", listed.out);
}

#[test]
fn flags_of_get_that_a_hint_names_do_what_it_says() {
    let (_runtime, server) = serve(answer);
    let directory = tempfile::tempdir().unwrap();
    let at = |path: &str| server.url(path).to_string();
    let (f, none) = (at("f"), at("none"));
    fs_err::create_dir(directory.path().join("dir")).unwrap();
    fs_err::write(directory.path().join("kept"), HELLO).unwrap();
    for (command, code, expected, follow) in [
        (
            &["get", &f, "-o", "new/f"][..],
            3,
            "--create-dirs",
            &["get", &f, "-o", "new/f", "--create-dirs"][..],
        ),
        (&["get", &f, "-o", "dir"], 3, "-P DIR", &["get", &f, "-P", "dir"]),
        (
            &["get", &f, "-o", "kept", "--no-clobber"],
            15,
            "leave out `--no-clobber`",
            &["get", &f, "-o", "kept"],
        ),
        (
            &["get", &f, "-o", "kept", "--no-clobber"],
            15,
            "-o FILE",
            &["get", &f, "-o", "other", "--no-clobber"],
        ),
        (
            &["get", &none, "-o", "n", "--checksum", "require"],
            12,
            "--checksum auto",
            &["get", &none, "-o", "n", "--checksum", "auto"],
        ),
        (
            &["get", &none, "-o", "n", "--checksum", "require"],
            12,
            "--checksum ALG:VALUE",
            &["get", &none, "-o", "n", "--checksum", "adler32:355f0612"],
        ),
        (
            &["get", &f, "-o", "m", "--checksum", "md5"],
            12,
            "--checksum adler32",
            &["get", &f, "-o", "m", "--checksum", "adler32"],
        ),
        (&["get", &f, &none, "-o", "x"], 2, "-P DIR", &["get", &f, &none, "-P", "dir"]),
        (
            &["get", &f, "--cacert", "missing.pem"],
            2,
            "--cacert FILE",
            &["get", &f, "--cacert", "ca.pem", "-o", "c"],
        ),
        (
            &["get", &f, "-n", "-o", "y"],
            3,
            "--netrc-file FILE",
            &["get", &f, "--netrc-file", "netrc", "-o", "y"],
        ),
        (&["get", &f, "--rety", "1"], 2, "--retry", &["get", &f, "--retry", "1"]),
        (&["gett", &f], 2, "get", &["get", &f]),
        (&["get", &f, "-J"], 15, "`--overwrite`", &["get", &f, "-J", "--overwrite"]),
        (&["get", &f, "--checksum", "sha9"], 2, "--help", &["get", "--help"]),
    ] {
        fs_err::write(directory.path().join("ca.pem"), scitoken_test_support::tls::ca_pem()).unwrap();
        scitoken_test_support::write_token(
            &directory.path().join("netrc"),
            "machine h.test login me password x\n",
        );
        let failed = run(scitoken(directory.path()).args(command));
        assert_eq!(failed.code, code, "{command:?}: {}", failed.err);
        assert!(hint(&failed).contains(expected), "{command:?}: {}", failed.err);
        let followed = run(scitoken(directory.path()).args(follow));
        assert_eq!(followed.code, 0, "{follow:?}: {}", followed.err);
    }
}

#[test]
fn a_typo_in_the_settings_is_answered_with_the_names_that_exist() {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("scitoken.toml");
    for (text, expected) in [
        ("[transfer]\njob = 1\n", "`jobs`"),
        ("[connect]\nca-cert = \"x\"\n", "`cacert`"),
        ("[federation]\ncache = \"x\"\n", "`caches`"),
        ("[transfers]\njobs = 1\n", "`transfer`"),
    ] {
        fs_err::write(&config, text).unwrap();
        let ended = run(scitoken(directory.path()).env("SCITOKEN_CONFIG", &config).args(["config", "show"]));
        assert!(ended.code == 2 && ended.err.contains(expected), "{text}: {}", ended.err);
        assert!(!ended.err.contains("scitoken config show"), "the command that fails by it: {}", ended.err);
    }
}

#[test]
fn a_token_in_the_place_of_a_file_is_piped_in_as_the_hint_says() {
    let directory = tempfile::tempdir().unwrap();
    let token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJtZSJ9.";
    let ended = run(scitoken(directory.path()).args(["jwt", "header", token]));
    assert!(ended.code == 2 && hint(&ended).contains("pass `-`"), "{}", ended.err);
    assert!(!ended.err.contains(token), "{}", ended.err);
    let followed = run(scitoken(directory.path()).args(["jwt", "header", "-"]).write_stdin(token));
    assert_eq!(followed.code, 0, "{}", followed.err);
}

#[test]
fn an_upload_is_not_promised_to_resume() {
    // Never answers.
    let (_runtime, server) =
        serve(|_| Reply { delay: std::time::Duration::from_secs(600), ..Reply::default() });
    let directory = tempfile::tempdir().unwrap();
    fs_err::write(directory.path().join("a"), HELLO).unwrap();
    let ended =
        run(scitoken(directory.path()).args(["put", "a", server.url("f").as_str(), "--max-time", "0.3"]));
    assert_eq!(ended.code, 5, "{}", ended.err);
    assert!(hint(&ended).contains("--max-time") && !ended.err.contains("resumes"), "{}", ended.err);
}

#[test]
fn a_variable_that_names_no_token_is_told_to_be_corrected_and_not_to_be_set() {
    let (_runtime, server) = serve(answer);
    let directory = tempfile::tempdir().unwrap();
    let url = server.url("private").to_string();
    scitoken_test_support::write_token(&directory.path().join("token"), TOKEN);
    for name in ["BEARER_TOKEN_FILE", "SCITOKEN_FILE"] {
        let get = |file: &str| {
            let mut command = scitoken(directory.path());
            command.env_remove("BEARER_TOKEN").env(name, directory.path().join(file));
            run(command.args(["get", &url, "-o", "p", "--attach", "required"]))
        };
        let refused = get("nofile");
        assert_eq!(refused.code, 7, "{name}: {}", refused.err);
        assert!(hint(&refused).starts_with(&format!("let `{name}` name a file")), "{}", refused.err);
        assert_eq!(refused.err.matches("does not exist").count(), 1, "warned once: {}", refused.err);
        let followed = get("token");
        assert_eq!(followed.code, 0, "{name}: {}", followed.err);
    }
}

#[test]
fn a_command_does_not_recommend_itself() {
    let directory = tempfile::tempdir().unwrap();
    // A port that nothing listens on.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = format!("http://{}/f", listener.local_addr().unwrap());
    drop(listener);
    let stat = run(scitoken(directory.path()).args(["stat", "--retry", "0", &closed]));
    assert!(stat.code == 4 && hint(&stat).contains("scitoken doctor"), "{}", stat.err);
    for (command, other) in [("doctor", "cause"), ("explain", "scitoken doctor")] {
        for more in [&[][..], &["--json"]] {
            let ended = run(scitoken(directory.path()).args([command, &closed]).args(more));
            let said = format!("{}{}", ended.out, ended.err);
            assert!(ended.code == 4 && said.contains(other), "{command}: {said}");
            assert!(!said.contains(&format!("`scitoken {command} ")), "{command} {more:?}: {said}");
        }
    }
    let (_runtime, server) = serve(answer);
    let missing = server.url("gone").to_string();
    let listed = run(scitoken(directory.path()).args(["ls", &missing]));
    assert!(listed.code == 9 && !listed.err.contains("scitoken ls"), "{}", listed.err);
    let named = run(scitoken(directory.path()).args(["stat", &missing]));
    assert!(named.code == 9 && named.err.contains("scitoken ls"), "{}", named.err);
}

#[test]
fn an_unknown_host_in_a_redirect_is_named_and_no_firewall_is_blamed() {
    let (_runtime, server) = serve(|_| {
        Reply::sized("307 Temporary Redirect", &[("Location", "https://data1.invalid:1094/f")], "")
    });
    let directory = tempfile::tempdir().unwrap();
    for command in ["explain", "doctor"] {
        let ended = run(scitoken(directory.path()).args([command, server.url("f").as_str()]));
        assert_eq!(ended.code, 4, "{command}: {}", ended.out);
        for expected in ["the server redirects to `data1.invalid:1094`", "`getent hosts data1.invalid`"] {
            assert!(ended.out.contains(expected), "{command}: {}", ended.out);
        }
        assert!(!ended.out.contains("firewall"), "{command}: {}", ended.out);
    }
}

#[test]
fn a_scope_without_a_path_is_answered_with_the_form_of_the_profile() {
    let directory = tempfile::tempdir().unwrap();
    let made = run(scitoken(directory.path()).args(["keys", "generate", "--private", "key.pem"]));
    assert_eq!(made.code, 0, "{}", made.err);
    let base = [
        "token",
        "create",
        "--key",
        "key.pem",
        "--kid",
        "k",
        "--issuer",
        "https://i.test",
        "--claim",
        "sub=me",
    ];
    let more = ["--claim", "client_id=c", "--audience", "https://h.test"];
    for (profile, wrong, right) in [
        ("scitokens2", "read", "read:/"),
        ("scitokens2", "write", "write:/"),
        ("scitokens2", "read:vo", "read:/vo"),
        ("wlcg", "storage.read", "storage.read:/"),
        ("wlcg", "read", "storage.read:/"),
    ] {
        let create = |scope: &str| {
            run(scitoken(directory.path()).args(base).args(more).args([
                "--profile",
                profile,
                "--scope",
                scope,
            ]))
        };
        let refused = create(wrong);
        assert_eq!(refused.code, 2, "{profile} {wrong}: {}", refused.err);
        assert!(hint(&refused).contains(&format!("`{right}")), "{profile} {wrong}: {}", refused.err);
        let followed = create(right);
        assert_eq!(followed.code, 0, "{profile} {right}: {}", followed.err);
    }
}

#[test]
fn a_missing_certificate_authority_is_the_same_failure_in_each_command() {
    let directory = tempfile::tempdir().unwrap();
    let url = "https://localhost:1/f";
    for command in [
        &["get", url][..],
        &["ls", url],
        &["doctor", url],
        &["login", "--issuer", "https://localhost:1", "--client-id", "c", "--storage", "json:tokens"],
        &["keys", "cache", "refresh", "https://localhost:1"],
        &["gafaelfawr", "token-info", "https://localhost:1"],
    ] {
        let ended = run(scitoken(directory.path()).args(command).args(["--cacert", "nofile"]));
        assert_eq!(ended.code, 2, "{command:?}: {}", ended.err);
        assert!(ended.err.contains("from `nofile`: the file does not exist"), "{command:?}: {}", ended.err);
        assert!(hint(&ended).contains("pass `--cacert FILE`"), "{command:?}: {}", ended.err);
    }
}

#[cfg(unix)]
#[test]
fn a_token_file_that_others_can_write_to_is_refused_with_the_command_that_helps() {
    use std::os::unix::fs::PermissionsExt as _;

    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tok");
    fs_err::write(&path, "c2VjcmV0").unwrap();
    fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).unwrap();
    let command = format!("run `chmod go-w {}`", path.display());
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_scitoken"))
            .args(arguments)
            .env_clear()
            .env("HOME", directory.path())
            .env("BEARER_TOKEN_FILE", &path)
            .current_dir(directory.path())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        format!("{}{}", text(&output.stdout), text(&output.stderr))
    };
    let (_runtime, server) =
        serve(|_| Reply::sized("401 Unauthorized", &[("WWW-Authenticate", "Bearer")], ""));
    let url = server.url("f").to_string();
    let named = path.display().to_string();
    for arguments in [
        &["get", "-o", "-", &url][..],
        &["get", "-o", "-", &url, "--token-file", &named],
        &["token", "where"],
        &["token", "where", &url],
    ] {
        let shown = run(arguments);
        assert!(shown.contains(&command), "{arguments:?}: {shown}");
    }
}
