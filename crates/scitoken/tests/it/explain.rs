//! `scitoken explain` and `scitoken doctor`, run as a program.

use std::path::Path;
use std::time::Duration;

use assert_cmd::Command;
use http::header::{CONTENT_RANGE, DATE, HeaderName, SERVER};
use serde_json::Value;
use tokio::runtime::Runtime;

use scitoken_test_support::server::Place;
use scitoken_test_support::xrootd::Release;
use scitoken_test_support::{Reply, Seen, Server, XRootD, secrecy, tls, tokens};

/// The servers run on a runtime of their own: the tests wait for a process.
fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl Ended {
    #[track_caller]
    fn shows(&self, parts: &[&str]) {
        for part in parts {
            assert!(self.out.contains(part), "`{part}` is missing:\n{}\n{}", self.out, self.err);
        }
    }

    fn json(&self) -> Value {
        assert_eq!(self.out.lines().count(), 1, "{}", self.out);
        serde_json::from_str(&self.out).unwrap()
    }
}

/// Runs the program with this token in its environment, and asserts that no output contains it.
#[track_caller]
fn run_with(token: &str, directory: &Path, more: &[(&str, &str)], arguments: &[&str]) -> Ended {
    let mut command = Command::cargo_bin("scitoken").unwrap();
    command.env_clear().env("BEARER_TOKEN", token).env("HOME", directory).current_dir(directory);
    let output = command.envs(more.iter().copied()).args(arguments).timeout(Duration::from_secs(60));
    let output = output.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let ended =
        Ended { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) };
    secrecy::assert_silent(&format!("{}\n{}", ended.out, ended.err), token);
    ended
}

#[track_caller]
fn run(arguments: &[&str]) -> Ended {
    let directory = tempfile::tempdir().unwrap();
    run_with(secrecy::OPAQUE, directory.path(), &[], &[&["-vvv"], arguments].concat())
}

/// A file of 16 bytes, whose server supports ranges and has its adler32.
fn honest(seen: &Seen) -> Reply {
    file(seen).header(SERVER, "test/1.0")
}

fn file(seen: &Seen) -> Reply {
    let reply = match seen.header("range") {
        Some("bytes=0-0") => Reply::new(206).header(CONTENT_RANGE, "bytes 0-0/16").body("h"),
        Some("bytes=15-") => Reply::new(206).header(CONTENT_RANGE, "bytes 15-15/16").body("\n"),
        _ => Reply::ok("hello scitokens\n"),
    };
    match seen.header("want-digest") {
        Some("adler32" | "crc32c") => reply.header(HeaderName::from_static("digest"), "adler32=355f0612"),
        _ => reply,
    }
}

#[test]
fn a_successful_request_is_reported_from_the_token_to_the_answer() {
    let runtime = runtime();
    let server = runtime.block_on(Server::http(honest));
    let ended = run(&["explain", server.url("/vo/f").as_str()]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    ended.shows(&[
        "from variable BEARER_TOKEN: opaque of 39 characters",
        "127.0.0.1: 127.0.0.1",
        "with the token from variable BEARER_TOKEN: 206",
        "206 Partial Content, HTTP/1.1 from 127.0.0.1",
        "test/1.0",
        "`scitoken get http://127.0.0.1",
        "ok: 206 Partial Content (exit code 0)",
    ]);
    let seen = server.seen();
    assert_eq!((seen.len(), seen[0].method.as_str()), (1, "GET"), "one request");
    assert_eq!(seen[0].header("range"), Some("bytes=0-0"));
}

#[test]
fn a_refusal_is_explained_by_the_token() {
    let runtime = runtime();
    let server = runtime.block_on(Server::http(|_| {
        Reply::challenge(r#"Bearer realm="test", error="invalid_token", error_description="too \"old\"""#)
    }));
    let token = tokens::expired("https://elsewhere.test");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    scitoken_test_support::write_token(&file, &token);
    let arguments =
        ["explain", "--token-file", file.to_str().unwrap(), server.url("/vo/f").as_str()].map(str::to_owned);
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let ended = run_with(&token, directory.path(), &[], &arguments);
    // The expired token was not sent, so the server refused a request without one.
    assert_eq!(ended.code, 7, "{}", ended.out);
    ended.shows(&["refused: 401 Unauthorized; no token was sent (exit code 7)", "next"]);
    assert_eq!(ended.out.matches("expired 60 min ago").count(), 1, "said once: {}", ended.out);
    let detailed = run_with(&token, directory.path(), &[], &[&["-v"], &arguments[..]].concat());
    detailed.shows(&["not repeated: ", "cause "]);

    let good = tokens::for_audience("https://elsewhere.test");
    let ended = run_with(&good, directory.path(), &[], &["explain", server.url("/vo/f").as_str()]);
    assert_eq!(ended.code, 8, "{}", ended.out);
    ended.shows(&[
        "audience https://elsewhere.test",
        "by https://issuer.test/vo",
        "challenge: Bearer realm=\"test\", error=\"invalid_token\"",
        "✗ audience",
        "✓ expiry",
        "refused: 401 Unauthorized (exit code 8)",
    ]);
}

#[test]
fn the_same_report_is_available_as_json() {
    let runtime = runtime();
    let server = runtime.block_on(Server::http(|_| Reply::new(403)));
    let ended = run(&["explain", "--json", server.url("/vo/f?authz=secret").as_str()]);
    let report = ended.json();
    assert_eq!((ended.code, &report["exit"], &report["ok"]), (8, &Value::from(8), &Value::from(false)));
    assert_eq!(report["answer"]["status"], 403);
    assert_eq!(report["operation"], "read");
    assert!(!ended.out.contains("secret") && !report["causes"].as_array().unwrap().is_empty());
    assert!(!report["next"].as_array().unwrap().is_empty());
}

#[test]
fn explaining_a_write_changes_nothing_at_the_server() {
    let runtime = runtime();
    let server = runtime.block_on(Server::http(|_| Reply::new(404)));
    let directory = tempfile::tempdir().unwrap();
    let ask = |scope: &str, op: &str| {
        let token = tokens::wlcg(&server.origin(), scope, tokens::in_an_hour());
        let url = server.url("/vo/new");
        run_with(&token, directory.path(), &[], &["explain", "--op", op, url.as_str()])
    };
    let allowed = ask("storage.create:/vo", "write");
    assert_eq!(allowed.code, 0, "{}", allowed.out);
    allowed.shows(&[
        "HEAD instead of PUT: changes nothing",
        "every check for `write` passed",
        "scitoken put FILE",
    ]);
    let refused = ask("storage.read:/", "write");
    assert_eq!(refused.code, 1, "{}", refused.out);
    refused.shows(&["✗ scope", "`write` would be refused: scope"]);
    assert_eq!(ask("storage.modify:/", "delete").code, 9);
    assert_eq!(ask("storage.read:/", "list").code, 9);
    let methods: Vec<_> = server.seen().into_iter().map(|seen| seen.method).collect();
    assert_eq!(methods, ["HEAD", "HEAD", "HEAD", "PROPFIND"]);
}

#[test]
fn each_outcome_has_its_code_and_a_next_step() {
    let runtime = runtime();
    let server = runtime.block_on(Server::http(|seen| match seen.path() {
        "/404" => Reply::new(404),
        "/500" => Reply::new(500),
        "/circle" => Reply::redirect(302, "/circle"),
        "/ftp" => Reply::redirect(302, "ftp://h/f"),
        "/bye" => Reply::hang_up(),
        _ => Reply::new(416),
    }));
    for (path, code, said) in [
        ("/404", 9, "scitoken ls http://127.0.0.1"),
        ("/500", 13, "another server"),
        ("/circle", 14, "in a loop"),
        ("/ftp", 14, "`ftp:`"),
        ("/bye", 4, "closed the connection"),
        ("/empty", 0, "the file is empty"),
    ] {
        let ended = run(&["explain", server.url(path).as_str()]);
        assert_eq!(ended.code, code, "{path}: {}", ended.out);
        ended.shows(&[said, "next "]);
        assert!(ended.out.contains("sent "), "{path}: {}", ended.out);
    }
    for (arguments, code, said) in [
        (&["explain", "http://127.0.0.1:9/f"][..], 4, "nothing listens on this port"),
        (&["explain", "https://no-such-host.invalid/f"], 4, "`getent hosts no-such-host.invalid`"),
        (&["doctor", "http://127.0.0.1:9/f"], 4, "nothing listens on this port"),
    ] {
        let ended = run(arguments);
        assert_eq!(ended.code, code, "{arguments:?}: {}", ended.out);
        ended.shows(&[said]);
    }
    for arguments in [
        &["explain", "nonsense"][..],
        &["explain", "https://user:secret@h/f"],
        &["explain", "ftp://h/f"],
        &["doctor", "mailto:x@y"],
    ] {
        let ended = run(arguments);
        assert_eq!(ended.code, 2, "{arguments:?}: {}", ended.out);
        assert!(ended.err.contains("hint: ") && !ended.err.contains("secret"), "{}", ended.err);
    }
}

#[test]
fn a_missing_token_where_one_is_required_sends_nothing() {
    let runtime = runtime();
    let server = runtime.block_on(Server::http(honest));
    let missing = ["--token-file", "missing"];
    let ended =
        run(&[&["explain", "--attach", "required"], &missing[..], &[server.url("/f").as_str()]].concat());
    assert_eq!(ended.code, 7, "{}", ended.out);
    ended.shows(&["none sent", "missing"]);
    assert!(server.seen().is_empty());
}

#[test]
fn an_untrusted_authority_is_named_with_the_certificates_and_the_flags() {
    let runtime = runtime();
    let server =
        runtime.block_on(Place::https("localhost").tls(tls::unknown_authority().acceptor()).start(honest));
    let url = server.url("/vo/f");
    for command in ["explain", "doctor"] {
        let ended = run(&[command, url.as_str()]);
        assert_eq!(ended.code, 4, "{}", ended.out);
        ended.shows(&[
            "TLS 1.3",
            "signed by CN=authority of a test run",
            "for localhost, a.localhost",
            "valid from",
            "the certificate authority `CN=authority of a test run",
            "--cacert FILE",
            "--capath DIR",
            "X509_CERT_DIR",
            "UnknownIssuer",
        ]);
    }
    assert!(server.seen().is_empty(), "nothing was sent to an untrusted server");

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    fs_err::write(&file, &tls::unknown_authority().ca_pem).unwrap();
    let ended = run(&["explain", "--cacert", file.to_str().unwrap(), url.as_str()]);
    assert_eq!(ended.code, 0, "{}", ended.out);
    ended.shows(&["TLS 1.3", "h2", "ok: 206"]);
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn a_redirect_shows_which_server_got_the_token() {
    let runtime = runtime();
    let target = runtime.block_on(Place::http().at("127.0.0.2").start(|_| Reply::new(403)));
    let location = target.url("/vo/f").to_string();
    let server = runtime.block_on(Server::http(move |_| Reply::redirect(307, &location)));
    let ended = run(&["explain", server.url("/vo/f").as_str()]);
    // The redirect policy withheld the token.
    assert_eq!(ended.code, 14, "{}", ended.out);
    ended.shows(&[
        "1. GET http://127.0.0.1",
        "with the token from variable BEARER_TOKEN: 307",
        "2. GET http://127.0.0.2",
        "without a token (the redirect target is not trusted with it): 403",
        "--trust-redirect",
    ]);
    assert_eq!(target.tokens(), ["-"]);
}

#[test]
fn the_doctor_examines_ranges_checksums_and_the_clock() {
    let runtime = runtime();
    let server =
        runtime.block_on(Server::http(|seen| honest(seen).header(DATE, "Sun, 06 Nov 1994 08:49:37 GMT")));
    let url = server.url("/vo/f");
    let ended = run(&["doctor", url.as_str()]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    ended.shows(&[
        concat!("scitoken ", env!("CARGO_PKG_VERSION")),
        "set: BEARER_TOKEN, HOME",
        "proxy        none",
        "IPv4         127.0.0.1:",
        "IPv6         no such address",
        "yes, `bytes=0-0`: 206, bytes 0-0/16",
        "yes, `bytes=15-`: 206, bytes 15-15/16",
        "adler32: adler32 in `digest`",
        "crc32c: no: adler32 in `digest` instead",
        "md5: no",
        "behind this machine's",
        "ok: 206 Partial Content; but the clocks differ (exit code 0)",
    ]);
    let directory = tempfile::tempdir().unwrap();
    let short = run_with(secrecy::OPAQUE, directory.path(), &[], &["doctor", url.as_str()]);
    short.shows(&["set: BEARER_TOKEN, HOME", "md5, sha-256: no", "but the clocks differ (exit code 0)"]);
    assert!(
        !short.out.contains("not set") && short.out.matches("the clocks differ").count() == 1,
        "{}",
        short.out
    );
    assert!(ended.out.contains("not set: BEARER_TOKEN_FILE"), "the details by `-v`: {}", ended.out);
    assert!(server.seen().iter().all(|seen| matches!(seen.method.as_str(), "GET" | "HEAD")));
    let report = run(&["doctor", "--json", url.as_str()]).json();
    let doctor = &report["doctor"];
    assert_eq!((&doctor["ranges"]["works"], &report["ok"]), (&Value::from(true), &Value::from(true)));
    assert_eq!(doctor["digests"][0]["offered"], true);
    assert_eq!(doctor["machine"]["program"], "scitoken");
}

#[test]
fn the_doctor_shows_no_secret_of_the_environment() {
    let runtime = runtime();
    let server = runtime.block_on(Server::http(|seen| {
        // A server that echoes the token.
        Reply::new(401).header(SERVER, seen.authorization().unwrap_or("none"))
    }));
    let directory = tempfile::tempdir().unwrap();
    let more = [("https_proxy", "http://me:hunter2@proxy.test:3128"), ("SCITOKEN_AUDIENCE", "hunter2")];
    for (arguments, code) in
        [(["doctor", "--no-auth"], [7, 7]), (["doctor", "--json"], [8, 8]), (["explain", "-vvv"], [8, 8])]
    {
        let url = server.url("/vo/f?access_token=hunter2");
        let plain = server.url("/vo/f");
        for (url, code) in [url.as_str(), plain.as_str()].into_iter().zip(code) {
            let arguments = [&arguments[..], &[url]].concat();
            let ended = run_with(secrecy::OPAQUE, directory.path(), &more, &arguments);
            assert_eq!(ended.code, code, "{arguments:?} {url} {}", ended.out);
            assert!(!ended.out.contains("hunter2") && !ended.err.contains("hunter2"), "{}", ended.out);
        }
    }
    let ended = run_with(secrecy::OPAQUE, directory.path(), &more, &["doctor", "https://far.test/f"]);
    assert_eq!(ended.code, 4, "{}", ended.out);
    ended.shows(&[
        "proxy        http://…@proxy.test:3128 (from `https_proxy`)",
        "the proxy cannot be reached",
    ]);
    assert!(!ended.out.contains("hunter2"));
}

#[test]
fn known_problems_of_an_old_xrootd_are_in_the_report() {
    let runtime = runtime();
    let server = runtime.block_on(Server::http(|seen| {
        // 5.5.3 answers so to any range without an end.
        let reply = match seen.header("range") {
            Some("bytes=15-") => Reply::new(206).header(CONTENT_RANGE, "bytes 15--1/16"),
            _ => file(seen),
        };
        reply.header(SERVER, "XrootD/v5.5.3")
    }));
    let ended = run(&["doctor", server.url("/vo/f").as_str()]);
    assert_eq!(ended.code, 0, "{}", ended.out);
    ended.shows(&[
        "server       XrootD/v5.5.3",
        "no, `bytes=15-`: 206, but bytes 15--1/16",
        "title case",
        "`curl -C -` leaves a short file",
        "ok: 206 Partial Content; but ranges without an end do not work",
    ]);
}

#[test]
fn the_peculiarities_of_xrootd_do_not_confuse_the_doctor() {
    let runtime = runtime();
    for release in [Release::V5_5_3, Release::V6_1] {
        let server = runtime.block_on(XRootD::data_server(release, secrecy::OPAQUE));
        let url = server.url_as("http", "127.0.0.1", "/vo/hello.txt");
        let ended = run(&["doctor", url.as_str()]);
        assert_eq!(ended.code, 0, "{}", ended.out);
        ended.shows(&["verdict      ok"]);
        let directory = tempfile::tempdir().unwrap();
        let ended = run_with("b3RoZXIgdG9rZW4", directory.path(), &[], &["doctor", url.as_str()]);
        assert_eq!(ended.code, 8, "{}", ended.out);
        ended.shows(&["not tried: the file cannot be read", "the token is opaque"]);
    }
}
