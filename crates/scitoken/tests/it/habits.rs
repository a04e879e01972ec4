//! What users of other programs type.

use serde_json::Value;

use crate::support::{DIGEST, HELLO, run, scitoken, serve};
use scitoken_test_support::chaos_server::Reply;

#[test]
fn a_flag_of_another_program_is_answered_with_the_one_that_does_it_here() {
    let directory = tempfile::tempdir().unwrap();
    for (arguments, expected) in [
        (&["get", "--insecure", "https://h/f"][..], "--cacert"),
        (&["get", "-k", "https://h/f"], "--cacert"),
        (&["get", "-I", "https://h/f"], "scitoken stat"),
        (&["get", "--spider", "https://h/f"], "scitoken stat"),
        (&["get", "-u", "me:hunter2", "https://h/f"], "--netrc-file"),
        (&["get", "--user=me:hunter2", "https://h/f"], "--netrc-file"),
        (&["get", "--oauth2-bearer", "hunter2", "https://h/f"], "--token-file"),
        (&["get", "-A", "x", "https://h/f"], "User-Agent"),
        (&["put", "-d", "x", "https://h/f"], "scitoken put"),
        (&["get", "-X", "DELETE", "https://h/f"], "`rm` (DELETE)"),
        (&["get", "--location-trusted", "https://h/f"], "--trust-redirect"),
        (&["get", "--content-disposition", "https://h/f"], "-J"),
        (&["get", "-c", "https://h/f"], "resumed by default"),
        (&["get", "-nv", "https://h/f"], "-q"),
        (&["get", "-O", "name", "https://h/f"], "-o FILE"),
        (&["get", "-x", "http://proxy:3128", "https://h/f"], "--proxy"),
        (&["get", "-r", "0-99", "https://h/f"], "resumed"),
        (&["get", "-i", "https://h/f"], "scitoken stat"),
        (&["get", "-H", "Authorization: Bearer hunter2", "https://h/f"], "--token-file"),
        (&["https://h/f"], "scitoken get https://h/f"),
        (&["https://h/f?authz=hunter2"], "scitoken get https://h/f"),
        (&["get", "--stall-time", "1e19", "https://h/f"], "too long"),
        (&["get", "https://h/f#x"], "%23"),
    ] {
        let ended = run(scitoken(directory.path()).args(arguments));
        assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{arguments:?}: {}", ended.err);
        assert!(
            ended.err.starts_with("scitoken: ") && ended.err.contains(expected),
            "{arguments:?}: {}",
            ended.err
        );
        assert!(!ended.err.contains("hunter2"), "{arguments:?}: {}", ended.err);
        let json = run(scitoken(directory.path()).args(arguments).arg("--json"));
        let object: Value =
            serde_json::from_str(&json.out).unwrap_or_else(|_| panic!("{arguments:?}: {}", json.out));
        assert_eq!((&object["ok"], &object["exit"]), (&Value::from(false), &Value::from(2)), "{arguments:?}");
        assert!(
            !json.out.contains("hunter2") && !json.err.contains("hunter2"),
            "{arguments:?}: {}",
            json.out
        );
    }
}

#[test]
fn flags_that_are_the_default_are_accepted() {
    let (_runtime, server) = serve(|asked| Reply::honest(asked, HELLO, &DIGEST));
    let directory = tempfile::tempdir().unwrap();
    let url = server.url("f").to_string();
    for flags in
        [&["-L", "-f", "-S"][..], &["-fsSL"], &["-C", "-"], &["-C"], &["-O"], &["--silent", "--location"]]
    {
        let ended = run(scitoken(directory.path()).arg("get").args(flags).arg(&url));
        assert_eq!(ended.code, 0, "{flags:?}: {}", ended.err);
        if flags.iter().any(|flag| flag.contains('s')) {
            assert_eq!(ended.err, "", "{flags:?}");
        }
        fs_err::remove_file(directory.path().join("f")).unwrap();
    }
}

#[test]
fn a_header_of_the_user_goes_to_the_named_server_only() {
    let (_other_runtime, other) = serve(|asked| Reply::honest(asked, HELLO, &[]));
    let elsewhere = other.url("f").to_string();
    let (_runtime, server) = serve(move |asked| match asked.path.as_str() {
        "/moved" => Reply::sized("302 Found", &[("Location", elsewhere.as_str())], ""),
        _ => Reply::honest(asked, HELLO, &[]),
    });
    let directory = tempfile::tempdir().unwrap();
    for path in ["f", "moved"] {
        let url = server.url(path).to_string();
        let ended = run(scitoken(directory.path()).args(["get", "-H", "X-Run: 7", "-o", path, &url]));
        assert_eq!(ended.code, 0, "{}", ended.err);
    }
    let (seen, others) = (server.seen(), other.seen());
    assert!(seen.len() >= 2 && !others.is_empty());
    assert!(
        seen.iter().all(|asked| asked.headers.get("x-run").is_some_and(|value| value == "7")),
        "{seen:?}"
    );
    assert!(others.iter().all(|asked| !asked.headers.contains_key("x-run")), "{others:?}");
}

#[test]
fn verbose_logs_requests_and_very_verbose_headers_without_secrets() {
    let (_runtime, server) = serve(|asked| match asked.path.as_str() {
        "/moved" => Reply::sized("302 Found", &[("Location", "/f?authz=hunter2")], ""),
        _ => Reply::honest(asked, HELLO, &DIGEST),
    });
    let directory = tempfile::tempdir().unwrap();
    let url = server.url("moved").to_string();
    let logged = |level: &str| {
        let ended = run(scitoken(directory.path()).args(["get", level, "-o", "f", &url]));
        assert_eq!(ended.code, 0, "{}", ended.err);
        assert!(!ended.err.contains("hunter2"), "{}", ended.err);
        ended.err
    };
    let lines = logged("-v");
    let requests: Vec<_> = lines.lines().filter(|line| line.starts_with("* GET ")).collect();
    assert_eq!(requests.len(), 2, "a request and a redirect: {lines}");
    assert!(
        requests[0].contains("/moved: 302 Found") && requests[0].contains("token from variable BEARER_TOKEN"),
        "{lines}"
    );
    assert!(requests[1].contains("/f?authz=…: 200 OK") && requests[1].contains(" ms, "), "{lines}");
    assert!(!lines.contains("> authorization"));
    let headers = logged("-vv");
    assert!(headers.contains("> authorization: Bearer …") && headers.contains("< digest: "), "{headers}");
    assert!(logged("-vvv").contains("DEBUG"), "internals");
}

#[test]
fn a_rate_can_be_limited_by_flag_variable_and_file() {
    let (_runtime, server) = serve(|asked| match asked.method.as_str() {
        "PUT" => Reply::sized("201 Created", &[], ""),
        "HEAD" => Reply::new("200 OK", &[("Content-Length", "200000")], ""),
        _ => Reply::honest(asked, &vec![7; 200_000], &[]),
    });
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("scitoken.toml");
    fs_err::write(&config, "[transfer]\nlimit-rate = \"2M\"\n").unwrap();
    let url = server.url("f").to_string();
    let limited = |command: &mut assert_cmd::Command| {
        let ended = run(command.args(["get", "--json", &url]));
        assert_eq!(ended.code, 0, "{}", ended.out);
        let events = ended.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let finished = events.filter(|event| event["event"] == "finished").collect::<Vec<_>>();
        finished[0]["limited"].as_f64().unwrap()
    };
    let program = || scitoken(directory.path());
    assert!(limited(&mut program()) == 0.0, "no limit");
    // 200,000 bytes at 2 MiB/s take 95 ms.
    for command in [program().env("SCITOKEN_CONFIG", &config), program().env("SCITOKEN_LIMIT_RATE", "2048k")]
    {
        let waited = limited(command);
        assert!(waited > 0.05, "{waited}");
    }
    let ended = run(program().args(["get", "--limit-rate", "0", &url]).env("SCITOKEN_LIMIT_RATE", "2M"));
    assert!(
        ended.code == 0 && !ended.err.contains("rate limit"),
        "the flag beats the variable: {}",
        ended.err
    );
    let ended = run(program().args(["get", "--limit-rate", "1m", &url]));
    assert!(ended.code == 0 && ended.err.contains("rate limit 0."), "{}", ended.err);
    let ended = run(program().args(["put", "--limit-rate", "2M", "f", &url]));
    assert_eq!(ended.code, 0, "{}", ended.err);
    for wrong in ["fast", "1KB", "-1"] {
        let ended = run(program().args(["get", &format!("--limit-rate={wrong}"), &url]));
        assert!(ended.code == 2 && ended.err.contains("500K"), "{wrong}: {}", ended.err);
    }
}

#[test]
fn a_command_line_of_another_program_is_answered_with_what_to_type_instead() {
    let directory = tempfile::tempdir().unwrap();
    for (arguments, expected) in [
        (&["-L", "https://h/f"][..], "scitoken get https://h/f"),
        (&["-I", "https://h/f"], "scitoken stat https://h/f"),
        (&["download", "https://h/f"], "scitoken get URL"),
        (&["upload", "f", "https://h/f"], "scitoken put FILE URL"),
        (&["cp", "https://h/f", "."], "scitoken copy SOURCE DESTINATION"),
        (&["get", "-kL", "https://h/f"], "--cacert"),
        (&["get", "-qO-", "https://h/f"], "-o -"),
        (&["get", "https://h/f", "-recursive"], "--recursive"),
        (&["get", "https://h/f", "--ouput=x"], "--output"),
        (&["get", "https://h/f", "out.root"], "`-o out.root`"),
        (&["get", "https://h/f", "."], "`-P .`"),
        (&["get", "https://h/f", "dir/"], "`-P dir/`"),
        (&["get", "https://h/f", "file:///tmp/f"], "`-o /tmp/f`"),
        (&["get", "run1.root", "https://h/f"], "scitoken put run1.root https://h/f"),
        (&["put", "https://h/f", "run1.root"], "scitoken put run1.root https://h/f"),
        (&["put", "https://h/f", "https://g/f"], "scitoken copy https://h/f https://g/f"),
        (&["stat", "h.example.org/f"], "https://h.example.org/f"),
    ] {
        let ended = run(scitoken(directory.path()).args(arguments));
        assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{arguments:?}: {}", ended.err);
        assert!(ended.err.contains(expected), "{arguments:?}: {}", ended.err);
    }
    assert_eq!(fs_err::read_dir(directory.path()).unwrap().count(), 0, "nothing is written");
}
