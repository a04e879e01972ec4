//! Names of objects in federations on the command line.

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use scitoken_test_support::federation::FederationServer::{Cache, Director, Origin};
use scitoken_test_support::federation::{FakeFederation, ISSUER, TOKEN, refuse};
use scitoken_test_support::{tls, tokens};

const OBJECTS: [(&str, &[u8]); 3] =
    [("/public/dir/a,b #1", b"public"), ("/public/dir/sub/x", b"below"), ("/protected/f", b"protected")];

struct Place {
    fake: FakeFederation,
    directory: tempfile::TempDir,
}

impl Place {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs_err::write(directory.path().join("ca.pem"), tls::ca_pem()).unwrap();
        Self { fake: FakeFederation::start(&OBJECTS).await, directory }
    }

    fn run(&self, arguments: &[&str], token: Option<&str>) -> Output {
        let mut command = Command::cargo_bin("scitoken").unwrap();
        command.env_clear().env("NO_PROXY", "*").current_dir(self.path());
        command.env("SCITOKEN_CACERT", self.path().join("ca.pem"));
        command.env("SCITOKEN_FEDERATION", self.fake.host());
        if let Some(token) = token {
            command.env("BEARER_TOKEN", token);
        }
        command.args(arguments).output().unwrap()
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn file(&self, name: &str) -> Vec<u8> {
        fs_err::read(self.path().join(name)).unwrap()
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn get_takes_names_in_all_forms_and_urls_beside_them() {
    let place = Place::new().await;
    let name = place.fake.name("/public/dir/sub/x");
    let output = place.run(&["get", "-o", "one", &name], None);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(place.file("one"), b"below");
    let output = place.run(&["get", "osdf:///public/dir/a,b #1"], None);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(place.file("a,b #1"), b"public", "the name is that of the object");
    let url = place.fake.server_url(Origin).join("public/dir/a,b%20%231").unwrap();
    let output =
        place.run(&["get", "-P", "more", "--create-dirs", "osdf://public/dir/sub/x", url.as_str()], None);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!((place.file("more/x"), place.file("more/a,b #1")), (b"below".to_vec(), b"public".to_vec()));
    let output = place.run(&["get", "-o", "-", "stash:///public/dir/sub/x"], None);
    assert_eq!(text(&output.stdout), "below");
}

#[tokio::test(flavor = "multi_thread")]
async fn get_sends_a_token_only_where_the_namespace_requires_one() {
    let place = Place::new().await;
    assert_eq!(place.run(&["get", "osdf:///public/dir/sub/x"], Some(TOKEN)).status.code(), Some(0));
    assert_eq!(place.run(&["get", "osdf:///protected/f"], Some(TOKEN)).status.code(), Some(0));
    assert_eq!(place.file("f"), b"protected");
    let sent: Vec<_> =
        place.fake.seen(Cache(0)).iter().map(|asked| asked.headers.contains_key("authorization")).collect();
    assert_eq!(sent, [false, true]);
    assert!(place.fake.seen(Director).iter().all(|asked| !asked.headers.contains_key("authorization")));

    let place = Place::new().await;
    for arguments in [&["get", "osdf:///protected/f"][..], &["get", "--no-auth", "osdf:///protected/f"]] {
        let output = place.run(arguments, None);
        assert_eq!(output.status.code(), Some(7), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains(ISSUER), "{}", text(&output.stderr));
    }
    assert!(place.fake.seen(Cache(0)).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn get_uses_the_caches_of_the_flag_and_the_origin_on_request() {
    let place = Place::new().await;
    let cache = place.fake.server_url(Cache(1));
    let output = place.run(&["get", "--cache", cache.as_str(), "osdf:///public/dir/sub/x"], None);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!((place.fake.lines(Cache(0)).len(), place.fake.lines(Cache(1)).len()), (0, 1));
    let output = place.run(&["get", "--direct", "-o", "d", "osdf:///public/dir/sub/x"], None);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!((place.fake.lines(Cache(1)).len(), place.fake.lines(Origin).len()), (1, 1));
    assert_eq!(place.run(&["get", "--cache", "cache", "osdf:///public/x"], None).status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn get_passes_over_a_failing_cache_and_reports_what_is_missing() {
    let place = Place::new().await;
    place.fake.change(Cache(0), |_, _| refuse("503 Service Unavailable"));
    assert_eq!(place.run(&["get", "osdf:///public/dir/sub/x"], None).status.code(), Some(0));
    for (name, code) in [
        ("osdf:///public/none", 9),
        ("osdf:///nowhere/x", 9),
        ("osdf:///public/a?b", 2),
        ("osdf:///public/../x", 2),
        ("pelican:///x", 2),
        ("osdf:///public/dir/sub/x?authz=t", 2),
    ] {
        let output = place.run(&["get", "-o", "none", name], None);
        assert_eq!(output.status.code(), Some(code), "{name}: {}", text(&output.stderr));
    }
    assert!(!place.path().join("none").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn ls_and_stat_answer_with_names_that_get_takes() {
    let place = Place::new().await;
    let output = place.run(&["ls", "osdf:///public/dir"], None);
    assert_eq!(text(&output.stdout), "a,b #1\nsub/\n", "{}", text(&output.stderr));
    let output = place.run(&["ls", "--json", "osdf:///public/dir"], None);
    let first: serde_json::Value =
        serde_json::from_str(text(&output.stdout).lines().next().unwrap()).unwrap();
    let name = first["url"].as_str().unwrap();
    assert_eq!(name, "osdf:///public/dir/a%2Cb%20%231");
    assert_eq!(place.run(&["get", name], None).status.code(), Some(0));
    let output = place.run(&["stat", "osdf:///public/dir/sub/x", "osdf:///public/dir"], None);
    let lines: Vec<&str> = text(&output.stdout).lines().collect();
    assert!(lines[0].starts_with("osdf:///public/dir/sub/x: file, 5 bytes"), "{lines:?}");
    assert!(lines[1].starts_with("osdf:///public/dir: directory"), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_shows_the_namespace_and_tries_the_first_server() {
    let place = Place::new().await;
    let output = place.run(&["explain", "osdf:///protected/f"], Some(TOKEN));
    let report = text(&output.stdout);
    for expected in [
        "namespace  /protected (requires a token)",
        &format!("issuer     {ISSUER}"),
        "scope      storage.read:/f",
        &format!("server     {}protected/f", place.fake.server_url(Cache(1))),
    ] {
        assert!(report.contains(expected), "{expected}\n{report}{}", text(&output.stderr));
    }
    assert_eq!(output.status.code(), Some(0), "{report}");
    assert!(!report.contains(TOKEN));
    let output = place.run(&["explain", "osdf:///public/dir/sub/x"], Some(TOKEN));
    assert!(text(&output.stdout).contains("public, no token is sent"), "{}", text(&output.stdout));
    let seen = place.fake.seen(Cache(0));
    let public: Vec<_> = seen.iter().filter(|asked| asked.path.starts_with("/public")).collect();
    assert!(!public.is_empty() && public.iter().all(|asked| !asked.headers.contains_key("authorization")));
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_and_doctor_send_no_token_that_get_would_not_send() {
    let place = Place::new().await;
    let foreign = tokens::jwt(&serde_json::json!({
        "iss": "https://evil.example", "scope": "storage.read:/ storage.modify:/", "exp": 9_999_999_999_u64,
    }));
    let narrow = tokens::jwt(&serde_json::json!({
        "iss": ISSUER, "scope": "storage.read:/other", "exp": 9_999_999_999_u64,
    }));
    for token in [&foreign, &narrow] {
        for arguments in [
            &["get", "osdf:///protected/f"][..],
            &["explain", "osdf:///protected/f"],
            &["explain", "--op", "write", "osdf:///protected/f"],
            &["explain", "--op", "delete", "osdf:///protected/f"],
            &["explain", "--op", "list", "osdf:///protected/"],
            &["doctor", "osdf:///protected/f"],
        ] {
            let output = place.run(arguments, Some(token));
            assert_eq!(output.status.code(), Some(7), "{arguments:?}: {}", text(&output.stderr));
        }
    }
    for server in [Cache(0), Cache(1), Origin, Director] {
        assert!(place.fake.seen(server).iter().all(|asked| !asked.headers.contains_key("authorization")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_for_another_server_and_a_default_password_reach_no_server_that_the_director_names() {
    let place = Place::new().await;
    let foreign = tokens::jwt(&serde_json::json!({
        "iss": ISSUER, "scope": "storage.read:/", "aud": "https://other.example", "exp": 9_999_999_999_u64,
    }));
    place.fake.accept(&foreign);
    let output = place.run(&["get", "osdf:///protected/f"], Some(&foreign));
    assert_eq!(output.status.code(), Some(7), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("meant for other servers"), "{}", text(&output.stderr));
    let output = place.run(&["token", "where", "osdf:///protected/f"], Some(&foreign));
    assert_eq!(output.status.code(), Some(7), "{}", text(&output.stdout));
    assert!(!text(&output.stdout).contains("* "), "{}", text(&output.stdout));

    let netrc = place.path().join("netrc");
    fs_err::write(&netrc, "default login me password pw123456\n").unwrap();
    fs_err::set_permissions(&netrc, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    for command in ["get", "stat", "ls", "explain", "doctor"] {
        let name = if command == "ls" { "osdf:///public/dir" } else { "osdf:///public/dir/sub/x" };
        place.run(&[command, "--netrc-file", "netrc", name], None);
        for server in [Cache(0), Cache(1), Origin, Director] {
            let seen = place.fake.seen(server);
            assert!(seen.iter().all(|asked| !asked.headers.contains_key("authorization")), "{command}");
        }
    }
    assert!(!place.fake.seen(Cache(0)).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn put_takes_a_tree_to_the_origin() {
    let place = Place::new().await;
    let token = tokens::jwt(&serde_json::json!({
        "iss": ISSUER, "scope": "storage.create:/ storage.modify:/", "exp": 9_999_999_999_u64,
    }));
    place.fake.accept(&token);
    fs_err::create_dir_all(place.path().join("tree/sub")).unwrap();
    fs_err::write(place.path().join("tree/a"), "one").unwrap();
    fs_err::write(place.path().join("tree/sub/b #1"), "two").unwrap();
    let output = place.run(&["put", "-r", "tree", "osdf:///protected/up/"], Some(&token));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(place.fake.object("/protected/up/tree/a").as_deref(), Some(&b"one"[..]));
    assert_eq!(place.fake.object("/protected/up/tree/sub/b #1").as_deref(), Some(&b"two"[..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_without_a_discovery_document_is_no_missing_object() {
    let place = Place::new().await;
    place.fake.change(Director, |_, _| refuse("404 Not Found"));
    let output = place.run(&["get", "osdf:///public/dir/sub/x"], None);
    assert_eq!(output.status.code(), Some(13), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("is not the host of a federation"), "{}", text(&output.stderr));
    for host in ["https://osg-htc.org", "https://osg-htc.org/", "osg-htc.org"] {
        assert!(host.parse::<scitoken_transfer::federation::FederationHost>().is_ok(), "{host}");
    }
    let output = place.run(&["get", "--federation", "pelican://h/ns", "osdf:///public/x"], None);
    assert!(text(&output.stderr).contains("expected `HOST`"), "{}", text(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_examines_the_server_of_the_operation() {
    let place = Place::new().await;
    let token = tokens::jwt(&serde_json::json!({
        "iss": ISSUER, "scope": "storage.read:/ storage.modify:/", "exp": 9_999_999_999_u64,
    }));
    place.fake.accept(&token);
    for (operation, scope) in [("write", "storage."), ("delete", "storage.modify:/f")] {
        let output = place.run(&["explain", "--op", operation, "osdf:///protected/f"], Some(&token));
        let report = text(&output.stdout);
        let server = format!("server     {}protected/f", place.fake.server_url(Origin));
        assert!(report.contains(&server) && report.contains(scope), "{report}{}", text(&output.stderr));
        assert!(!report.contains("/protected/f (required") && !report.contains('✗'), "{report}");
    }
    assert!(place.fake.seen(Cache(0)).is_empty() && place.fake.seen(Cache(1)).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn get_takes_collections_lists_and_the_name_of_the_object() {
    let place = Place::new().await;
    let output = place.run(&["get", "-r", "-P", "tree", "--create-dirs", "osdf:///public/dir"], None);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(
        (place.file("tree/a,b #1"), place.file("tree/sub/x")),
        (b"public".to_vec(), b"below".to_vec())
    );
    let list = format!(
        "osdf:///public/dir/sub/x\n  out=one\n{}\nosdf:///public/none\n",
        place.fake.name("/protected/f")
    );
    fs_err::write(place.path().join("list"), list).unwrap();
    let output = place.run(&["get", "-i", "list", "-P", "listed", "--create-dirs"], Some(TOKEN));
    assert_eq!(output.status.code(), Some(9), "{}", text(&output.stderr));
    assert_eq!(
        (place.file("listed/one"), place.file("listed/f")),
        (b"below".to_vec(), b"protected".to_vec())
    );
    let output = place.run(&["get", "-J", "osdf:///public/dir/sub/x"], None);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(place.file("x"), b"below");
    let output = place.run(&["get", "-r", "--dry-run", "osdf:///public/dir"], None);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("osdf:///public/dir/sub/x"), "{}", text(&output.stdout));
    let output = place.run(&["get", "-r", "-P", "none", "--create-dirs", "osdf:///nolist/d"], None);
    assert_eq!(output.status.code(), Some(13), "{}", text(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_may_ask_for_everything_below_it() {
    let place = Place::new().await;
    for arguments in [
        &["get", "-P", "tree", "--create-dirs", "osdf:///public/dir?recursive"][..],
        &["get", "-r", "osdf:///public/dir/?recursive=false"],
    ] {
        let output = place.run(arguments, None);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
    }
    for file in ["tree/sub/x", "dir/sub/x"] {
        assert_eq!(place.file(file), b"below");
    }
    let output = place.run(&["get", "-P", "tree", "-r", "osdf:///public/dir/sub/x"], None);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(place.file("tree/x"), b"below", "an object is itself");
    for arguments in [
        &["get", "osdf:///public/dir?recursive", "osdf:///public/dir/sub/x"][..],
        &["get", "-o", "f", "osdf:///public/dir?recursive"],
        &["get", "osdf:///public/dir?pack=tar"],
    ] {
        let output = place.run(arguments, None);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stderr));
    }
    let output = place.run(&["get", "-o", "f", "osdf:///public/dir"], None);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("pass `--recursive`"), "{}", text(&output.stderr));
    for listing in [&["ls", "-r", "osdf:///public/dir"][..], &["ls", "osdf:///public/dir?recursive"]] {
        let output = place.run(listing, None);
        assert_eq!(text(&output.stdout), "a,b #1\nsub/\nsub/x\n", "{}", text(&output.stderr));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_in_front_of_the_scheme_chooses_among_htcondors_tokens() {
    let place = Place::new().await;
    let credentials = place.path().join("credentials");
    fs_err::create_dir(&credentials).unwrap();
    let expiry = tokens::in_an_hour();
    let token = |who: &str| {
        tokens::jwt(&serde_json::json!({
            "iss": ISSUER, "aud": "ANY", "exp": expiry, "scope": "storage.read:/", "sub": who
        }))
    };
    for who in ["scitokens", "igwn_vo"] {
        scitoken_test_support::write_token(&credentials.join(format!("{who}.use")), &token(who));
    }
    for (name, who) in [("osdf:///protected/f", "scitokens"), ("igwn.vo+osdf:///protected/f", "igwn_vo")] {
        place.fake.accept(&token(who));
        let mut command = Command::cargo_bin("scitoken").unwrap();
        command.env_clear().env("NO_PROXY", "*").current_dir(place.path());
        command.env("SCITOKEN_CACERT", place.path().join("ca.pem"));
        command.env("SCITOKEN_FEDERATION", place.fake.host()).env("_CONDOR_CREDS", &credentials);
        let output = command.args(["get", "-o", who, name]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{name}: {}", text(&output.stderr));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn put_rm_and_checksum_go_to_the_servers_of_the_object() {
    let place = Place::new().await;
    fs_err::write(place.path().join("result"), "a result").unwrap();
    let output = place.run(&["put", "--checksum", "md5", "result", "osdf:///protected/runs/"], Some(TOKEN));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(place.fake.object("/protected/runs/result").as_deref(), Some(&b"a result"[..]));
    assert!(text(&output.stderr).contains("osdf:///protected/runs/result"), "{}", text(&output.stderr));
    let output = place.run(&["checksum", "-a", "md5", "osdf:///protected/runs/result"], Some(TOKEN));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stdout).ends_with("osdf:///protected/runs/result\n"), "{}", text(&output.stdout));
    for arguments in [&["put", "result", "osdf:///public/x"][..], &["rm", "osdf:///protected/runs/result"]] {
        let output = place.run(arguments, None);
        assert_eq!(output.status.code(), Some(7), "{arguments:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains("scitoken login --issuer"), "{}", text(&output.stderr));
    }
    assert_eq!(place.run(&["put", "result", "osdf:///readonly/x"], Some(TOKEN)).status.code(), Some(13));
    let output = place.run(&["rm", "osdf:///protected/runs/result"], Some(TOKEN));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(place.fake.object("/protected/runs/result"), None);
    let output = place.run(&["copy", "result", "osdf:///protected/again"], Some(TOKEN));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let output = place.run(&["copy", "osdf:///protected/again", "back"], Some(TOKEN));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(place.file("back"), b"a result");
    assert!(place.fake.seen(Director).iter().all(|asked| !asked.headers.contains_key("authorization")));
}

#[tokio::test(flavor = "multi_thread")]
async fn verbose_lists_the_servers_and_says_which_one_is_next_and_why() {
    let place = Place::new().await;
    place.fake.change(Cache(0), |_, _| refuse("503 Service Unavailable"));
    let [first, second] = [0, 1].map(|n| format!("{}public/dir/sub/x", place.fake.server_url(Cache(n))));
    let output = place.run(&["get", "-v", "osdf:///public/dir/sub/x"], None);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let log = text(&output.stderr);
    let servers = format!("* osdf:///public/dir/sub/x: servers, tried in this order: `{first}`, `{second}`");
    assert!(log.lines().any(|line| line == servers), "{servers}\n{log}");
    let next = format!("`{first}` answered 503 Service Unavailable");
    let next =
        log.lines().find(|line| line.contains(&next) && line.contains("retrying at")).unwrap_or_default();
    assert!(next.contains(&format!("retrying at `{second}`")), "{log}");

    let output = place.run(&["get", "--json", "-o", "y", "osdf:///public/dir/sub/x"], None);
    let events: Vec<serde_json::Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let located = events.iter().find(|event| event["event"] == "located").unwrap();
    assert_eq!(located["servers"], serde_json::json!([first, second]));
    let retrying = events.iter().find(|event| event["event"] == "retrying").unwrap();
    assert_eq!(retrying["next"], second);
    let output = place.run(&["get", "-o", "z", "osdf:///public/dir/sub/x"], None);
    assert!(!text(&output.stderr).contains("tried in this order"), "{}", text(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_without_a_server_says_that_its_origin_may_be_down_and_what_to_do() {
    let place = Place::new().await;
    let output = place.run(&["get", "-o", "f", "osdf:///nowhere/x"], None);
    assert_eq!(output.status.code(), Some(9), "{}", text(&output.stderr));
    for expected in [
        "no server for `osdf:///nowhere/x`: its origin is not online, or no namespace of the federation has this path",
        "No sources found for the requested path",
        "check the name",
    ] {
        assert!(text(&output.stderr).contains(expected), "{expected}\n{}", text(&output.stderr));
    }
    for server in [Cache(0), Cache(1), Origin] {
        place.fake.change(server, |_, _| refuse("503 Service Unavailable"));
    }
    let output = place.run(&["get", "--retry", "0", "-o", "f", "osdf:///public/dir/sub/x"], None);
    assert_eq!(output.status.code(), Some(13), "{}", text(&output.stderr));
    for expected in [
        "none of the 3 servers of `osdf:///public/dir/sub/x` delivers it",
        "503 Service Unavailable",
        "`--cache URL`",
    ] {
        assert!(text(&output.stderr).contains(expected), "{expected}\n{}", text(&output.stderr));
    }
}
