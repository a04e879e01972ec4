//! `scitoken token` and `scitoken keys`, as a person would type them.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;

/// A directory with an issuer's keys, and nothing else in the environment.
pub(crate) struct Desk {
    dir: tempfile::TempDir,
}

pub(crate) const ISSUER: &str = "https://issuer.example";
const AT: &str = "2033-05-18T03:33:20Z";

pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Answer {
    fn json(&self) -> Value {
        assert_eq!(self.out.lines().count(), 1, "{}", self.out);
        serde_json::from_str(&self.out).unwrap()
    }
}

impl Desk {
    pub(crate) fn new() -> Self {
        let desk = Self { dir: tempfile::tempdir().unwrap() };
        let made = desk.run(
            &[
                "keys",
                "generate",
                "--kid",
                "k1",
                "--private",
                "key.pem",
                "--public",
                "pub.pem",
                "--jwks",
                "jwks.json",
            ],
            "",
        );
        assert_eq!((made.code, made.out.as_str()), (0, "made key k1 for ES256\n"), "{}", made.err);
        desk
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn run(&self, arguments: &[&str], input: &str) -> Answer {
        self.run_with(arguments, input, &[])
    }

    /// The program, with this directory as its home and nothing else in its environment.
    pub(crate) fn command(&self) -> std::process::Command {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("scitoken"));
        command.env_clear().env("HOME", self.dir.path()).current_dir(self.dir.path());
        command.env("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt");
        command
    }

    fn run_with(&self, arguments: &[&str], input: &str, env: &[(&str, &Path)]) -> Answer {
        let mut command = Command::from_std(self.command());
        let output = command.envs(env.iter().copied()).args(arguments).write_stdin(input).output().unwrap();
        Answer {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    pub(crate) fn token(&self, more: &[&str]) -> String {
        let arguments = [
            &[
                "token",
                "create",
                "--key",
                "key.pem",
                "--kid",
                "k1",
                "--issuer",
                ISSUER,
                "--claim",
                "sub=alice",
            ],
            more,
        ]
        .concat();
        let made = self.run(&arguments, "");
        assert_eq!(made.code, 0, "{}", made.err);
        made.out
    }
}

#[test]
fn a_token_is_made_verified_enforced_and_listed() {
    let desk = Desk::new();
    let token =
        desk.token(&["--scope", "read:/data", "--scope", "write:/data/mine", "--audience", "https://h"]);
    let good = desk.run(&["token", "verify", "-", "--jwks", "jwks.json", "--issuer", ISSUER], &token);
    assert_eq!(good.code, 0, "{}", good.err);
    assert_eq!(
        good.out,
        "valid: a SciTokens 2.0 token, signed by https://issuer.example with key k1, subject alice\n"
    );
    let enforce = |op: &str, path: &str| {
        let question = [
            "token",
            "enforce",
            "-",
            "--key",
            "pub.pem",
            "--audience",
            "https://h",
            "--op",
            op,
            "--path",
            path,
        ];
        desk.run(&question, &token)
    };
    assert_eq!(enforce("read", "/data/x").out, "yes: the token permits read on /data/x\n");
    let no = enforce("write", "/data/x");
    assert_eq!((no.code, no.out.as_str()), (1, ""));
    let amount = "allows this: required is `write` on `/data/x`, and it has `read:/data write:/data/mine`";
    assert!(no.err.contains("refused: no scope of the token ") && no.err.contains(amount), "{}", no.err);
    for hostile in ["/data/../etc", "/data/%2e%2e/etc", "relative", "/data/%00", "/data/..%2fetc"] {
        let no = enforce("read", hostile);
        assert_eq!((no.code, no.out.as_str()), (1, ""), "{hostile}: {}", no.err);
    }
    let acls = desk.run(&["token", "acls", "-", "--key", "pub.pem", "--audience", "https://h"], &token);
    assert_eq!(acls.out, "read:/data\nwrite:/data/mine\n");
    let elsewhere = desk.run(&["token", "acls", "-", "--key", "pub.pem", "--audience", "https://i"], &token);
    assert_eq!(elsewhere.code, 1);
    let unnamed = desk.run(&["token", "acls", "-", "--key", "pub.pem"], &token);
    assert!(unnamed.err.contains("hint: pass the server's name with `--audience`"), "{}", unnamed.err);
    let any = desk.run(&["token", "acls", "-", "--key", "pub.pem", "--any-audience"], &token);
    assert_eq!(any.code, 0);
}

#[test]
fn programs_get_one_object() {
    let desk = Desk::new();
    let token = desk.token(&["--scope", "read:/data"]);
    let good = desk.run(&["token", "verify", "-", "--jwks", "jwks.json", "--json"], &token).json();
    assert_eq!((&good["ok"], &good["claims"]["sub"]), (&Value::from(true), &Value::from("alice")));
    let late = desk.run(
        &["token", "verify", "-", "--jwks", "jwks.json", "--json", "--at", "2099-01-01T00:00:00Z"],
        &token,
    );
    assert_eq!(late.code, 1);
    let late = late.json();
    assert_eq!((&late["ok"], &late["reason"]), (&Value::from(false), &Value::from("expired")));
    assert!(late["error"].is_string());
    let question =
        ["token", "enforce", "-", "--key", "pub.pem", "--any-audience", "--op", "read", "--path", "/x"];
    let no = desk.run(&[&question[..], &["--json"]].concat(), &token);
    assert_eq!((no.code, &no.json()["reason"]), (1, &Value::from("not_granted")));
    let none = desk.run(&["token", "verify", "missing.jwt", "--json"], "");
    assert_eq!((none.code, &none.json()["ok"]), (3, &Value::from(false)));
}

#[test]
fn a_token_is_found_where_batch_systems_leave_it() {
    let desk = Desk::new();
    let token = desk.token(&["--scope", "read:/data"]);
    fs_err::write(desk.path("here"), format!("\n {token}\n")).unwrap();
    let question = ["token", "verify", "--jwks", "jwks.json"];
    let found = desk.run_with(&question, "", &[("BEARER_TOKEN_FILE", &desk.path("here"))]);
    assert_eq!(found.code, 0, "{}", found.err);
    let nothing = desk.run_with(&question, "", &[("XDG_RUNTIME_DIR", &desk.path("no/such"))]);
    if nothing.code != 7 {
        // There may be a token in /tmp/bt_u<uid> on this machine.
        assert!(nothing.code == 1 || nothing.code == 0);
    }
    assert_eq!(desk.run(&["token", "verify", "here", "--jwks", "jwks.json"], "").code, 0);
}

#[test]
fn a_token_on_the_command_line_is_warned_about() {
    let desk = Desk::new();
    let token = desk.token(&["--scope", "read:/data"]);
    let answer = desk.run(&["token", "verify", token.trim(), "--jwks", "jwks.json"], "");
    assert_eq!(answer.code, 0);
    assert!(answer.err.contains("other users of this machine can read"), "{}", answer.err);
    assert!(!answer.err.contains(token.trim()));
}

#[test]
fn a_token_is_shown_claim_by_claim() {
    let desk = Desk::new();
    let token = desk.token(&[
        "--profile",
        "wlcg",
        "--scope",
        "storage.read:/vo",
        "--claim",
        "wlcg.groups=[\"/vo\"]",
        "--at",
        AT,
        "--lifetime",
        "7200",
    ]);
    let shown =
        desk.run(&["token", "show", "-", "--at", "2033-05-18T04:33:20Z", "--jwks", "jwks.json"], &token);
    assert_eq!(shown.code, 0, "{}", shown.err);
    for line in [
        "signature  valid",
        "profile    wlcg:1.0",
        "issuer     https://issuer.example",
        "subject    alice",
        "issued     2033-05-18T03:33:20Z, 1 h ago",
        "expires    2033-05-18T05:33:20Z, in 1 h",
        "scope      storage.read:/vo",
        "groups     /vo",
    ] {
        assert!(shown.out.lines().any(|shown| shown == line), "{line}\n{}", shown.out);
    }
    let unchecked = desk.run(&["token", "show", "-"], &token);
    assert!(unchecked.out.contains("signature  not checked"), "{}", unchecked.out);
    let opaque = desk.run(&["token", "show", "-"], "gt-abc\n");
    assert_eq!(
        opaque.out,
        "an opaque token of 6 characters, from standard input: only its server can read it\n"
    );
}

#[test]
fn a_token_that_cannot_be_made_names_the_missing_claim() {
    let desk = Desk::new();
    let create = |more: &[&str]| {
        let base = ["token", "create", "--key", "key.pem", "--issuer", ISSUER, "--scope", "read:/a"];
        desk.run(&[&base[..], more].concat(), "")
    };
    let answer = create(&[]);
    assert_eq!(answer.code, 2);
    assert!(
        answer.err.contains("requires the claim `sub`") && answer.err.contains("--claim sub="),
        "{}",
        answer.err
    );
    assert!(create(&["--claim", "sub=a", "--profile", "wlcg"]).err.contains("`--kid`"));
    assert!(
        create(&["--claim", "sub=a", "--lifetime", "0"]).err.contains("a lifetime of 0 s is not possible")
    );
    assert_eq!(create(&["--scope", "read:relative", "--claim", "sub=a"]).code, 2);
    assert_eq!(create(&["--profile", "wlcg9", "--claim", "sub=a"]).code, 2);
    let http =
        desk.run(&["token", "create", "--key", "key.pem", "--issuer", "http://h", "--scope", "read:/a"], "");
    assert!(http.err.contains("is not https"), "{}", http.err);
    let public = desk.run(&["token", "create", "--key", "pub.pem", "--issuer", ISSUER], "");
    assert_eq!(public.code, 3, "{}", public.err);
}

#[test]
fn a_token_of_another_issuer_or_key_is_refused() {
    let (desk, other) = (Desk::new(), Desk::new());
    let token = desk.token(&["--scope", "read:/data"]);
    let foreign = ["token", "verify", "-", "--jwks", "jwks.json", "--issuer", "https://other.example"];
    let answer = desk.run(&foreign, &token);
    assert_eq!(answer.code, 1);
    assert!(answer.err.contains("is not trusted; trusted: "), "{}", answer.err);
    let answer = other.run(&["token", "verify", "-", "--key", "pub.pem"], &token);
    assert!(answer.err.contains("the signature does not verify with the issuer"), "{}", answer.err);
    assert_eq!(desk.run(&["token", "verify", "-", "--key", "pub.pem"], "rubbish").code, 1);
    assert_eq!(desk.run(&["token", "verify", "-", "--key", "pub.pem"], "").code, 7);
}

#[test]
fn a_profile_given_as_a_flag_is_required() {
    let desk = Desk::new();
    let token = desk.token(&["--scope", "read:/data"]);
    let verify =
        |profile| desk.run(&["token", "verify", "-", "--key", "pub.pem", "--profile", profile], &token);
    assert_eq!(verify("scitokens2").code, 0);
    let refused = verify("wlcg");
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("the token follows SciTokens 2.0; accepted: "), "{}", refused.err);
}

/// In the Python library a bad token has exit code 0 like a good one, and 65,536 names are all that keys can have.
#[test]
fn a_refused_token_has_its_own_exit_code_and_key_files_have_long_names() {
    let desk = Desk::new();
    let token = desk.token(&["--scope", "read:/data"]);
    let verify = |token: &str| desk.run(&["token", "verify", "-", "--key", "pub.pem"], token).code;
    assert_eq!((verify(&token), verify("a.b.c"), verify("")), (0, 1, 7));
    let set = desk.run(&["keys", "jwks", "pub.pem"], "");
    let key = &set.json()["keys"][0];
    assert_eq!(key["kid"].as_str().unwrap().len(), 16);
    for coordinate in ["x", "y"] {
        assert!(!key[coordinate].as_str().unwrap().contains('='), "base64url of a JWK has no padding");
    }
}

#[test]
fn a_token_is_signed_with_the_requested_algorithm_or_not_at_all() {
    let desk = Desk::new();
    let rsa = desk.run(
        &[
            "keys",
            "generate",
            "--alg",
            "RS256",
            "--kid",
            "r",
            "--private",
            "rsa.pem",
            "--public",
            "rsa.pub",
            "--jwks",
            "rsa.json",
        ],
        "",
    );
    assert_eq!(rsa.code, 0, "{}", rsa.err);
    let create = |key: &str, more: &[&str]| {
        let base = ["token", "create", "--key", key, "--kid", "r", "--issuer", ISSUER, "--claim", "sub=a"];
        desk.run(&[&base[..], &["--scope", "read:/a"], more].concat(), "")
    };
    let verify = |token: &str, more: &[&str]| {
        desk.run(&[&["token", "verify", "-", "--jwks", "rsa.json"][..], more].concat(), token)
    };
    assert_eq!(verify(&create("rsa.pem", &[]).out, &["--alg", "rs256"]).code, 0);
    let made = create("rsa.pem", &["--alg", "ps384"]);
    assert_eq!(made.code, 0, "{}", made.err);
    let refused = verify(&made.out, &[]);
    assert!(refused.err.contains("signed with `PS384`; accepted: `RS256`, `ES256`"), "{}", refused.err);
    let for_rs256 = verify(&made.out, &["--alg", "PS384"]);
    let reason = "publishes no PS384 key `r`; it publishes `r`; its key of that name is for `RS256`";
    assert!(for_rs256.err.contains(reason), "{}", for_rs256.err);
    let for_any = ["token", "verify", "-", "--key", "rsa.pub", "--alg", "PS384"];
    assert_eq!(desk.run(&for_any, &made.out).code, 0);
    let wrong = create("key.pem", &["--alg", "RS256"]);
    assert_eq!(wrong.code, 3);
    for words in
        ["`RS256` requires another kind of key (RSA key) than this one (P-256 key)", "the key fits `ES256`"]
    {
        assert!(wrong.err.contains(words), "{}", wrong.err);
    }
    for none in ["none", "HS256", "rsa"] {
        let unknown = create("key.pem", &["--alg", none]);
        assert_eq!(unknown.code, 2);
        assert!(unknown.err.contains("use one of RS256"), "{}", unknown.err);
    }
}

#[test]
fn keys_given_as_a_file_are_not_cached() {
    let desk = Desk::new();
    let token = desk.token(&["--scope", "read:/data"]);
    for keys in [["--key", "pub.pem"], ["--jwks", "jwks.json"]] {
        assert_eq!(desk.run(&[&["token", "verify", "-"][..], &keys].concat(), &token).code, 0);
    }
    let kept = desk.run(&["keys", "cache", "list"], "");
    assert_eq!((kept.code, kept.out.as_str()), (0, ""));
    assert!(!desk.path(".cache").exists());
}

#[test]
fn cached_keys_are_listed_used_and_removed() {
    let desk = Desk::new();
    let token = desk.token(&["--scope", "read:/data"]);
    let added = desk.run(&["keys", "cache", "add", ISSUER, "--jwks", "jwks.json"], "");
    assert_eq!(added.code, 0, "{}", added.err);
    let listed = desk.run(&["keys", "cache", "list"], "");
    assert!(listed.out.starts_with("https://issuer.example  valid until 20"), "{}", listed.out);
    assert!(listed.out.ends_with("keys: k1\n"), "{}", listed.out);
    let used = desk.run(&["token", "verify", "-"], &token);
    assert_eq!(used.code, 0, "{}", used.err);
    assert!(desk.run(&["token", "show", "-"], &token).out.contains("signature  valid"));
    let json = desk.run(&["keys", "cache", "list", "--json"], "").json();
    assert_eq!(json["issuers"][0]["keys"][0], "k1");
    assert_eq!(desk.run(&["keys", "cache", "remove", ISSUER], "").code, 0);
    assert_eq!(desk.run(&["keys", "cache", "remove", ISSUER], "").code, 9);
    assert_eq!(desk.run(&["keys", "cache", "list"], "").out, "");
    fs_err::write(
        desk.path("rubbish"),
        "no database at all, and quite a bit longer than it would have to be",
    )
    .unwrap();
    let broken = desk.run(&["keys", "cache", "list", "--key-cache", "rubbish"], "");
    assert_eq!(broken.code, 3);
    assert!(broken.err.contains("if this persists, remove it"), "{}", broken.err);
}

#[test]
fn an_unreachable_issuer_has_another_exit_code_than_a_refused_token() {
    let desk = Desk::new();
    let issuer = "https://127.0.0.1:1";
    let create =
        ["token", "create", "--key", "key.pem", "--kid", "k1", "--issuer", issuer, "--claim", "sub=a"];
    let token = desk.run(&[&create[..], &["--scope", "read:/a"]].concat(), "").out;
    let answer = desk.run(&["token", "verify", "-"], &token);
    assert_eq!(answer.code, 4, "{}", answer.err);
    assert!(answer.err.contains("hint: pass the issuer's keys"), "{}", answer.err);
    assert_eq!(desk.run(&["keys", "cache", "refresh", issuer], "").code, 4);
}

#[test]
fn a_private_key_is_for_the_user_alone_and_never_overwritten() {
    let desk = Desk::new();
    let key = fs_err::read_to_string(desk.path("key.pem")).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs_err::metadata(desk.path("key.pem")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let again = desk.run(&["keys", "generate", "--private", "key.pem"], "");
    assert_eq!(again.code, 15);
    assert_eq!(fs_err::read_to_string(desk.path("key.pem")).unwrap(), key);
    let printed = desk.run(&["keys", "generate", "--alg", "rs256"], "");
    assert!(printed.out.starts_with("-----BEGIN PRIVATE KEY-----\n"), "{}", printed.out);
}

#[test]
fn a_key_set_has_public_halves_only() {
    let desk = Desk::new();
    let made = desk.run(&["keys", "generate", "--kid", "k2", "--private-jwk", "key2.json"], "");
    assert_eq!(made.code, 0, "{}", made.err);
    let set = desk.run(&["keys", "jwks", "first=key.pem", "key2.json", "jwks.json", "pub.pem"], "");
    assert_eq!(set.code, 0, "{}", set.err);
    let set = set.json();
    let keys = set["keys"].as_array().unwrap();
    let names: Vec<_> = keys.iter().map(|key| key["kid"].as_str().unwrap()).collect();
    assert_eq!(names[..3], ["first", "k2", "k1"]);
    assert_eq!(names[3].len(), 16);
    assert!(keys.iter().all(|key| key.get("d").is_none()));
    let token = [
        "token",
        "create",
        "--key",
        "key2.json",
        "--issuer",
        ISSUER,
        "--claim",
        "sub=a",
        "--scope",
        "read:/a",
    ];
    assert_eq!(desk.run(&token, "").code, 0, "a JWK brings its own name");
}

#[test]
fn a_trusted_issuer_is_required_before_a_permission_is_granted() {
    let desk = Desk::new();
    let token = desk.token(&["--scope", "read:/data"]);
    // The token's own issuer would do, and its keys are cached.
    assert_eq!(desk.run(&["keys", "cache", "add", ISSUER, "--jwks", "jwks.json"], "").code, 0);
    let enforce = ["token", "enforce", "-", "--any-audience", "--op", "read", "--path", "/data"];
    let acls = ["token", "acls", "-", "--any-audience"];
    for question in [&enforce[..], &acls[..]] {
        let answer = desk.run(question, &token);
        assert_eq!(answer.code, 2, "{}", answer.err);
        assert!(answer.err.contains("no trusted issuer given"), "{}", answer.err);
        assert!(answer.err.contains("hint: pass `--issuer URL`"), "{}", answer.err);
        let json = desk.run(&[question, &["--json"]].concat(), &token);
        assert_eq!((json.code, &json.json()["ok"]), (2, &Value::from(false)));
        assert_eq!(desk.run(&[question, &["--issuer", ISSUER]].concat(), &token).code, 0);
    }
}

#[test]
fn a_key_counts_for_every_issuer_that_is_named() {
    let desk = Desk::new();
    let token = desk.token(&["--scope", "read:/data"]);
    let question = ["token", "verify", "-", "--key", "pub.pem", "--issuer", "https://first.example"];
    let answer = desk.run(&[&question[..], &["--issuer", ISSUER]].concat(), &token);
    assert_eq!(answer.code, 0, "{}", answer.err);
}

#[test]
fn verifying_at_another_time_does_not_age_the_cached_keys() {
    let desk = Desk::new();
    let token = desk.token(&["--scope", "read:/data", "--at", AT]);
    assert_eq!(desk.run(&["keys", "cache", "add", ISSUER, "--jwks", "jwks.json"], "").code, 0);
    let shown = desk.run(&["token", "show", "-", "--at", AT], &token);
    assert!(shown.out.contains("signature  valid"), "{}{}", shown.out, shown.err);
}

#[test]
fn a_token_that_is_shown_and_refused_is_not_called_ok() {
    let (desk, other) = (Desk::new(), Desk::new());
    let token = desk.token(&["--scope", "read:/data"]);
    let shown = other.run(&["token", "show", "-", "--key", "pub.pem"], &token);
    assert_eq!(shown.code, 1, "{}", shown.out);
    assert!(shown.out.contains("refused: the signature does not verify with the issuer"), "{}", shown.out);
    let json = other.run(&["token", "show", "-", "--key", "pub.pem", "--json"], &token);
    assert_eq!(json.code, 1);
    let json = json.json();
    assert_eq!((&json["ok"], &json["reason"]), (&Value::from(false), &Value::from("signature")));
    assert_eq!(json["subject"], "alice");
}

#[test]
fn programs_get_one_object_for_a_key_set_too() {
    let desk = Desk::new();
    let set = desk.run(&["keys", "jwks", "--json", "pub.pem"], "").json();
    assert_eq!((&set["ok"], set["keys"].as_array().map(Vec::len)), (&Value::from(true), Some(1)));
    let none = desk.run(&["keys", "jwks", "--json", "missing.pem"], "");
    assert_eq!((none.code, &none.json()["ok"]), (3, &Value::from(false)));
}

#[test]
fn keys_are_cached_for_the_given_lifetime_only() {
    let desk = Desk::new();
    for lifetime in ["60", "400000"] {
        let question = ["keys", "cache", "add", ISSUER, "--jwks", "jwks.json", "--lifetime", lifetime];
        let answer = desk.run(&question, "");
        assert_eq!(answer.code, 2, "{}", answer.err);
        assert!(answer.err.contains("3600..=345600"), "{}", answer.err);
    }
}

#[test]
fn a_leeway_tolerates_clocks_that_differ_and_the_amount_is_shown() {
    let desk = Desk::new();
    let now = scitoken_types::sys::epoch_seconds(scitoken_types::sys::SharedClock::default().now());
    let create =
        ["token", "create", "--key", "key.pem", "--kid", "k1", "--issuer", ISSUER, "--scope", "read:/a"];
    let made = desk.run(&[&create[..], &["--claim", "sub=a", "--lifetime", "600"]].concat(), "");
    assert_eq!(made.code, 0, "{}", made.err);
    let at = |seconds: u64| (now + seconds).to_string();
    let verify = |at: &str, leeway: &[&str]| {
        let base = ["token", "verify", "-", "--jwks", "jwks.json", "--at", at];
        desk.run(&[&base[..], leeway].concat(), &made.out)
    };
    assert_eq!(verify(&at(590), &[]).code, 0);
    let expired = verify(&at(720), &[]);
    assert!(expired.code != 0 && expired.err.contains("the token expired "), "{}", expired.err);
    assert!(expired.err.contains("ago"), "{}", expired.err);
    assert_eq!(verify(&at(720), &["--leeway", "200"]).code, 0);
    assert_ne!(verify(&at(1_000), &["--leeway", "200"]).code, 0);
    assert_eq!(verify(&at(720), &["--leeway", "301"]).code, 2, "a leeway is at most 300 s");
    let enforce = |leeway: &[&str]| {
        let at = at(720);
        let base = ["token", "enforce", "-", "--jwks", "jwks.json", "--issuer", ISSUER, "--at", &at];
        let server = ["--any-audience", "--op", "read", "--path", "/a/b"];
        desk.run(&[&base[..], &server, leeway].concat(), &made.out)
    };
    assert_ne!(enforce(&[]).code, 0);
    assert_eq!(enforce(&["--leeway", "200"]).code, 0, "{}", enforce(&["--leeway", "200"]).err);
}

#[test]
fn a_hostile_path_is_answered_no_with_a_reason() {
    let desk = Desk::new();
    let token = desk.token(&["--scope", "read:/data"]);
    let question = [
        "token",
        "enforce",
        "-",
        "--key",
        "pub.pem",
        "--any-audience",
        "--op",
        "read",
        "--path",
        "/data/../etc",
    ];
    let no = desk.run(&[&question[..], &["--json"]].concat(), &token);
    assert_eq!((no.code, &no.json()["reason"]), (1, &Value::from("invalid_path")));
}

#[test]
fn scopes_are_given_one_by_one_or_separated_by_blanks() {
    let desk = Desk::new();
    let scope = |arguments: &[&str]| {
        let token = desk.token(arguments);
        desk.run(&["token", "show", "-", "--json"], &token).json()["scope"].clone()
    };
    let both = Value::from("read:/a write:/b");
    assert_eq!(scope(&["--scope", "read:/a write:/b"]), both);
    assert_eq!(scope(&["--scope", "  read:/a   write:/b "]), both);
    assert_eq!(scope(&["--scope", "read:/a", "--scope", "write:/b"]), both);
    assert_eq!(scope(&["--scope", "read:/a%20b"]), Value::from("read:/a%20b"));
}

#[test]
fn a_scope_that_the_profile_does_not_know_is_a_warning() {
    let desk = Desk::new();
    let create = |profile: &str, scope: &str| {
        let create =
            ["token", "create", "--key", "key.pem", "--kid", "k1", "--issuer", ISSUER, "--claim", "sub=a"];
        let more =
            ["--claim", "client_id=c", "--audience", "https://h", "--profile", profile, "--scope", scope];
        let ended = desk.run(&[&create[..], &more].concat(), "");
        assert_eq!(ended.code, 0, "{profile} {scope}: {}", ended.err);
        ended.err
    };
    for (profile, scope, warned) in [
        ("wlcg", "read:/a", true),
        ("wlcg", "storage.read:/a", false),
        ("scitokens2", "read:/a", false),
        ("scitokens2", "storage.read:/a", true),
        ("at+jwt", "storage.read:/a", false),
        ("AT+JWT", "read:/a", false),
    ] {
        assert_eq!(create(profile, scope).contains("do not know the scope"), warned, "{profile} {scope}");
    }
}

#[test]
fn the_url_of_a_check_is_read_as_by_every_command() {
    let desk = Desk::new();
    let token = desk.token(&["--scope", "read:/", "--audience", "https://se.example"]);
    let check = |url: &str| desk.run(&["token", "check", url, "-"], &token).code;
    assert_eq!(check("davs://se.example/f"), 0);
    assert_eq!(check("davs://other.example/f"), 1, "the audience is compared");
    for url in ["root://se.example/f", "xyz://se.example/f", "se.example/f", "https://se.example/f#x"] {
        assert_eq!(check(url), 2, "{url}");
    }
    for url in ["davs://se.example/f", "https://se.example/f"] {
        assert_ne!(desk.run(&["token", "where", url], "").code, 2, "{url}");
    }
}

#[test]
fn compat_is_named_only_where_it_changes_the_answer() {
    let desk = Desk::new();
    let enforce = |token: &str, more: &[&str]| {
        let base = ["token", "enforce", "-", "--key", "pub.pem", "--any-audience", "--op", "read", "--path"];
        desk.run(&[&base[..], more].concat(), token)
    };
    let wlcg = desk.token(&["--profile", "wlcg", "--audience", "https://h", "--scope", "storage.read:/data"]);
    let no = enforce(&wlcg, &["/data"]);
    assert!(no.code == 1 && no.err.contains("`--compat`"), "{}", no.err);
    assert_eq!(enforce(&wlcg, &["/data", "--compat"]).code, 0);
    let elsewhere = enforce(&wlcg, &["/other"]);
    assert!(elsewhere.code == 1 && !elsewhere.err.contains("--compat"), "{}", elsewhere.err);
    let wrong = desk.run(&["token", "verify", "-", "--key", "pub.pem", "--profile", "foo"], &wlcg);
    assert!(wrong.err.contains("`at+jwt`"), "{}", wrong.err);
    let right = desk.run(&["token", "verify", "-", "--key", "pub.pem", "--profile", "WLCG"], &wlcg);
    assert_eq!(right.code, 0, "{}", right.err);
}
