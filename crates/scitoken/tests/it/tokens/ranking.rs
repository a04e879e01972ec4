//! Which token goes to a URL, and why: `token where`, `token check`, `token show` and `explain` agree with `get`.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Ended, HELLO, run, scitoken, serve};
use scitoken_test_support::chaos_server::Reply;
use scitoken_test_support::tokens::{in_an_hour, jwt};

/// The directory of a job with HTCondor's tokens and settings.
struct Job(tempfile::TempDir);

impl Job {
    fn new(tokens: &[(&str, Value)]) -> Self {
        let job = Self(tempfile::tempdir().unwrap());
        fs_err::create_dir(job.path("creds")).unwrap();
        for (name, claims) in tokens {
            fs_err::write(job.path("creds").join(name), jwt(claims)).unwrap();
        }
        job
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn settings(self, text: &str) -> Self {
        fs_err::write(self.path("scitoken.toml"), text).unwrap();
        self
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        let mut command = scitoken(self.0.path());
        command.env_remove("BEARER_TOKEN").env("_CONDOR_CREDS", self.path("creds"));
        command.env("XDG_RUNTIME_DIR", self.path("run"));
        // A token in `/tmp/bt_u<uid>` would come before HTCondor's.
        command.env("BEARER_TOKEN_FILE", self.path("none"));
        if self.path("scitoken.toml").exists() {
            command.env("SCITOKEN_CONFIG", self.path("scitoken.toml"));
        }
        run(command.args(arguments))
    }

    fn json(&self, arguments: &[&str]) -> (i32, Value) {
        let ended = self.run(&[arguments, &["--json"]].concat());
        (
            ended.code,
            serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("{} {}", ended.out, ended.err)),
        )
    }
}

fn claims(audience: &str, scope: &str) -> Value {
    json!({ "aud": audience, "scope": scope, "exp": in_an_hour() })
}

fn three_scopes() -> Job {
    Job::new(&[
        ("a.use", claims("se.example.org", "storage.read:/other")),
        ("b.use", claims("se.example.org", "storage.read:/chtc")),
        ("c.use", claims("se.example.org", "storage.create:/chtc")),
        ("d.use", claims("https://elsewhere.example", "storage.read:/chtc")),
        ("e.use", json!({ "aud": "se.example.org", "scope": "storage.read:/chtc", "exp": 1_000_000_000 })),
    ])
}

fn has_token_in_tmp() -> bool {
    scitoken_types::sys::effective_uid().is_some_and(|uid| Path::new(&format!("/tmp/bt_u{uid}")).exists())
}

#[test]
fn the_tokens_are_ranked_for_the_url_and_the_operation_and_each_place_has_its_reason() {
    if has_token_in_tmp() {
        return;
    }
    let job = three_scopes();
    for (url, op, sent) in [
        ("https://se.example.org:8443/chtc/f", "read", "b.use"),
        ("davs://se.example.org/chtc/f", "list", "b.use"),
        ("https://se.example.org/chtc/f", "write", "c.use"),
        ("https://se.example.org/other/f", "read", "a.use"),
    ] {
        let ended = job.run(&["token", "where", url, "--op", op]);
        assert_eq!(ended.code, 0, "{}", ended.err);
        let ranking: Vec<_> = ended.out.lines().skip_while(|line| !line.starts_with("tokens for")).collect();
        assert_eq!(ranking.len(), 6, "{}", ended.out);
        assert!(ranking[1].contains(sent) && ranking[1].contains("sent: it fits best"), "{}", ended.out);
        assert!(ranking[1].contains("its audience names the"), "{}", ended.out);
        assert!(ranking[1].contains("its scopes cover the request"), "{}", ended.out);
        assert!(ended.out.contains("d.use`: not sent: it is meant for other servers"), "{}", ended.out);
        assert!(ranking[5].contains("e.use`: not sent: it has expired"), "{}", ended.out);

        let (code, answer) = job.json(&["token", "where", url, "--op", op]);
        let ranking = answer["ranking"].as_array().unwrap();
        assert_eq!((code, ranking.len()), (0, 5));
        assert!(ranking[0]["place"].as_str().unwrap().ends_with(sent), "{answer}");
        assert_eq!((&ranking[0]["sent"], &ranking[0]["access"]), (&json!(true), &json!("covers")));
        assert!(ranking[1..].iter().all(|token| token["sent"] == false && token["why"].is_string()));
        let check = job.run(&["token", "check", url, "--op", op]);
        assert_eq!(check.code, 0, "{}", check.out);
    }
    let none = job.run(&["token", "check", "https://third.example/chtc/f"]);
    assert_eq!(none.code, 7, "{}", none.out);
    assert!(none.err.contains("none of the 5 tokens that were found fits"), "{}", none.err);
    let ended = job.run(&["token", "where", "https://third.example/chtc/f"]);
    assert_eq!(ended.code, 7, "{}", ended.out);
    assert!(ended.out.matches("not sent").count() == 5, "{}", ended.out);
}

#[test]
fn a_token_that_the_search_finds_first_is_sent_whatever_it_says_and_the_ranking_tells() {
    let job = three_scopes();
    fs_err::write(job.path("none"), jwt(&claims("https://elsewhere.example", "storage.read:/x"))).unwrap();
    let ended = job.run(&["token", "where", "https://se.example.org/chtc/f"]);
    let first = ended.out.lines().find(|line| line.starts_with("  1. ")).unwrap();
    for part in ["none`: sent: the search finds it first", "names other servers", "other paths"] {
        assert!(first.contains(part), "{}", ended.out);
    }
    assert!(ended.out.contains("b.use`: not sent: the search finds another one first"), "{}", ended.out);
    assert_eq!(job.run(&["token", "check", "https://se.example.org/chtc/f"]).code, 1);

    // What is no token ends the search.
    fs_err::write(job.path("none"), "\"in quotes\"").unwrap();
    let ended = job.run(&["token", "where", "https://se.example.org/chtc/f"]);
    assert_eq!(ended.code, 7, "{}", ended.out);
    assert_eq!(ended.out.matches("not sent: the search ends before it").count(), 5, "{}", ended.out);
}

#[test]
fn a_source_of_the_settings_without_a_token_is_told_by_the_exit_code_and_its_reason() {
    for (entry, words) in [
        ("token-file = \"missing\"", "missing"),
        ("token-file = \"quoted\"", "quotation marks"),
        ("token-command = \"exit 3\"", "exit"),
        ("json = \"broken\"\nresource-server = \"rs\"", "broken"),
        ("json = \"none.json\"\nresource-server = \"rs\"", "none.json` does not exist"),
        ("oidc-agent = \"lab\"", "`OIDC_SOCK` is not set"),
    ] {
        let job = three_scopes().settings(&format!("[host.\"se.example.org\"]\n{entry}\n"));
        fs_err::write(job.path("quoted"), "\"token\"").unwrap();
        fs_err::write(job.path("broken"), "[").unwrap();
        let ended = job.run(&["token", "where", "https://se.example.org/chtc/f"]);
        assert_eq!(ended.code, 7, "{entry}: {} {}", ended.out, ended.err);
        assert!(
            format!("{}{}", ended.out, ended.err).contains(words),
            "{entry}: {} {}",
            ended.out,
            ended.err
        );
        let (code, answer) = job.json(&["token", "where", "https://se.example.org/chtc/f"]);
        assert_eq!((code, answer["ok"].as_bool()), (7, Some(false)), "{entry}: {answer}");
        assert!(answer["error"].is_string(), "{entry}: {answer}");
    }
}

#[test]
fn the_source_of_the_settings_is_shown_checked_and_sent_alike() {
    let (_runtime, server) = serve(|asked| Reply::honest(asked, HELLO, &[]));
    let url = server.url("vo/f").to_string();
    let origin = format!("http://127.0.0.1:{}", server.url("").port().unwrap());
    let token = jwt(&claims(&origin, "storage.read:/vo"));
    for (number, entry) in
        ["token-file = \"mine\"", "token-command = \"cat mine\"", "no-auth = true"].iter().enumerate()
    {
        let job = three_scopes().settings(&format!("[host.\"http://127.0.0.1\"]\n{entry}\n"));
        fs_err::write(job.path("mine"), &token).unwrap();
        let sends = number < 2;
        let code = if sends { 0 } else { 7 };
        let ended = job.run(&["token", "where", &url]);
        assert_eq!(ended.code, code, "{entry}: {} {}", ended.out, ended.err);
        assert!(
            ended.out.contains("the settings name a source for this server, which comes first"),
            "{}",
            ended.out
        );
        if sends {
            assert!(ended.out.contains("its token is sent; expires in"), "{}", ended.out);
            assert!(
                ended.out.contains("its audience names the server; its scopes cover the request"),
                "{}",
                ended.out
            );
        } else {
            assert!(ended.out.contains("no token is sent"), "{}", ended.out);
        }
        let (_, answer) = job.json(&["token", "where", &url]);
        assert_eq!(answer["ranking"].as_array().unwrap().len(), usize::from(sends), "{answer}");
        assert_eq!(job.run(&["token", "check", &url]).code, code);
        let shown = job.run(&["token", "show", &url]);
        assert_eq!(shown.code, code, "{}", shown.err);
        assert_eq!(shown.out.contains("scope      storage.read:/vo"), sends, "{}", shown.out);
        assert_eq!(job.run(&["get", "-o", "f", &url]).code, 0);
        let sent = server.seen().last().unwrap().headers.get("authorization").cloned();
        assert_eq!(sent, sends.then(|| format!("Bearer {token}")), "{entry}");
    }
    // Without a URL the settings cannot count, which the hint says.
    let job = Job::new(&[]).settings("[host.\"a.example\"]\ntoken-file = \"mine\"\n");
    if !has_token_in_tmp() {
        let shown = job.run(&["token", "show"]);
        assert_eq!(shown.code, 7);
        assert!(shown.err.contains("pass the URL of the server"), "{}", shown.err);
    }
}

#[test]
fn explain_looks_for_the_token_of_the_operation_and_not_of_its_probe() {
    if has_token_in_tmp() {
        return;
    }
    let (_runtime, server) = serve(|asked| Reply::honest(asked, HELLO, &[]));
    let url = server.url("chtc/f").to_string();
    let job = Job::new(&[
        ("a.use", claims("127.0.0.1", "storage.read:/chtc")),
        ("b.use", claims("127.0.0.1", "storage.modify:/chtc")),
    ]);
    for (op, file) in [("read", "a.use"), ("list", "a.use"), ("write", "b.use"), ("delete", "b.use")] {
        let ended = job.run(&["explain", &url, "--op", op]);
        let line = ended.out.lines().find(|line| line.starts_with("token")).unwrap();
        assert!(line.contains(file), "{op}: {}", ended.out);
        let sent = server.seen().last().unwrap().headers["authorization"].clone();
        let expected = fs_err::read_to_string(job.path("creds").join(file)).unwrap();
        assert_eq!(sent, format!("Bearer {expected}"), "{op}");
    }
}

#[test]
fn every_command_reads_addresses_alike() {
    let job = Job::new(&[]);
    fs_err::write(job.path("t"), jwt(&claims("https://elsewhere.example", "storage.read:/"))).unwrap();
    let commands: [&[&str]; 12] = [
        &["token", "check"],
        &["token", "where"],
        &["token", "show"],
        &["explain"],
        &["doctor"],
        &["get"],
        &["stat"],
        &["ls"],
        &["rm"],
        &["mkdir"],
        &["checksum"],
        &["put", "t"],
    ];
    for command in commands {
        for (url, hint) in [
            ("root://se.example.org//vo/f", "`https://se.example.org:1094/vo/f`"),
            ("xroot://se.example.org:1095//vo/f", "`https://se.example.org:1095/vo/f`"),
            ("srm://se.example.org/f", "WebDAV address"),
            ("xyz://se.example.org/f", "write `https://host/path`"),
        ] {
            let ended = job.run(&[command, &[url]].concat());
            assert_eq!(ended.code, 2, "{command:?} {url}: {} {}", ended.out, ended.err);
            assert!(ended.err.contains("is not supported"), "{command:?}: {}", ended.err);
            assert!(ended.err.contains(hint), "{command:?}: {}", ended.err);
        }
    }
    let foreign = job.run(&["token", "check", "davs://se.example.org:8443/f", "t"]);
    assert_eq!(foreign.code, 1, "{}", foreign.out);
    assert!(foreign.out.contains("✗ audience"), "{}", foreign.out);
    for (aud, code) in [("se.example.org", 0), ("root://se.example.org//", 0), ("https://se.example.org/", 0)]
    {
        fs_err::write(job.path("t"), jwt(&claims(aud, "storage.read:/"))).unwrap();
        assert_eq!(job.run(&["token", "check", "davs://se.example.org:8443/f", "t"]).code, code, "{aud}");
        // No token is sent without TLS, so none is said to pass.
        let plain = job.run(&["token", "check", "dav://se.example.org:8443/f", "t"]);
        assert_eq!(plain.code, 1, "{}", plain.out);
        assert!(plain.out.contains("✗ transport: plain http (required: https)"), "{}", plain.out);
        assert_eq!(job.run(&["token", "where", "dav://se.example.org:8443/f"]).code, 14);
    }
}

#[test]
fn show_names_what_the_profile_specifies_and_the_token_lacks() {
    let job = Job::new(&[]);
    let show = |payload: Value, typ: &str| {
        use base64::prelude::*;
        let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let token = format!("{}.{}.c2ln", part(json!({ "alg": "ES256", "typ": typ })), part(payload));
        fs_err::write(job.path("t"), token).unwrap();
        let ended = job.run(&["token", "show", "t"]);
        assert_eq!(ended.code, 0, "{}", ended.err);
        ended.out
    };
    let peer = json!({ "iss": "https://i", "sub": "s", "aud": "h", "iat": 1, "exp": in_an_hour(), "jti": "j", "scope": "read:/" });
    let shown = show(peer.clone(), "at+jwt");
    assert!(
        shown.contains("lacks      `client_id`, which at+jwt specifies; servers accept the token"),
        "{shown}"
    );
    let mut whole = peer.clone();
    whole["client_id"] = json!("me");
    assert!(!show(whole, "at+jwt").contains("lacks"));
    let mut wlcg = peer.clone();
    wlcg["wlcg.ver"] = json!("1.0");
    wlcg.as_object_mut().unwrap().remove("aud");
    assert!(show(wlcg, "JWT").contains("`aud`, which WLCG 1.0 specifies; servers refuse such a token"));
    assert!(!show(peer, "JWT").contains("lacks"), "a token without a version states no profile");
}
