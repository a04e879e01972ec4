//! Every line of `--json` follows `docs/output.schema.json`.

use std::collections::BTreeSet;
use std::path::Path;

use scitoken_test_support::chaos_server::Reply;
use serde_json::Value;

use crate::support::{DIGEST, HELLO, run, scitoken, serve};

fn validator() -> jsonschema::Validator {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/output.schema.json");
    let schema: Value = serde_json::from_str(&fs_err::read_to_string(path).unwrap()).unwrap();
    jsonschema::draft202012::new(&schema).unwrap()
}

#[test]
fn every_line_of_every_command_follows_the_schema() {
    let validator = validator();
    let (_runtime, server) = serve(|asked| match (asked.method.as_str(), asked.path.as_str()) {
        (_, "/403") => Reply::sized("403 Forbidden", &[], ""),
        (_, "/404") => Reply::sized("404 Not Found", &[], ""),
        ("MKCOL", _) => Reply::sized("201 Created", &[], ""),
        _ => Reply::honest(asked, HELLO, &DIGEST),
    });
    let directory = tempfile::tempdir().unwrap();
    fs_err::write(directory.path().join("a"), "one").unwrap();
    fs_err::create_dir(directory.path().join("empty")).unwrap();
    let url = |path: &str| server.url(path).to_string();
    let (f, forbidden, missing) = (url("f"), url("403"), url("404"));
    let mut lines = 0;
    let mut untested = leaf_commands(directory.path());
    for arguments in [
        &["get", "-o", "f", &f][..],
        &["get", "--skip-existing=size", "-o", "f", &f],
        &["get", "-o", "x", "--retry", "0", &missing],
        &["get", &f, &forbidden, &missing, "--retry", "0"],
        &["get", "--no-such-flag"],
        &["get", "--dry-run", &f, "-o", "f"],
        &["put", "a", &f],
        &["put", "a", &forbidden],
        &["put", "nofile", &f],
        &["copy", &f, &url("g")],
        &["copy", &missing, &url("g")],
        &["stat", &f, &missing],
        &["ls", &f],
        &["mkdir", &url("d/")],
        &["rm", &missing],
        &["mv", &missing, &f],
        &["ls", "-r", &f],
        &["put", "-r", "empty", &url("empty")],
        &["rm", "-f", &missing],
        &["checksum", &f],
        &["checksum", &missing],
        &["explain", &f],
        &["explain", &forbidden],
        &["explain", "nonsense"],
        &["doctor", &f],
        &["doctor", &missing],
        &["token", "where"],
        &["token", "where", &f],
        &["token", "show"],
        &["token", "check", &f],
        &["token", "verify"],
        &["token", "enforce", "--op", "read", "--path", "/../x", "--issuer", "https://i.test"],
        &["token", "acls"],
        &["token", "create", "--key", "nofile", "--issuer", "https://i.test"],
        &["keys", "generate", "--private", "key.pem"],
        &["keys", "generate"],
        &["keys", "jwks", "key.pem"],
        &["keys", "jwks", "nofile"],
        &["keys", "cache", "list"],
        &["keys", "cache", "add", "https://i.test", "key.pem"],
        &["keys", "cache", "refresh", &f],
        &["keys", "cache", "remove", "https://i.test"],
        &["jwt", "header", "a"],
        &["jwt", "decode", "a"],
        &["jwt", "encode", "--unsecured", "claims"],
        &["store", "list", "--storage", "json:nofile"],
        &["store", "list", "--storage", "nofile"],
        &["store", "put", "--storage", "json:tokens", "rs"],
        &["store", "get", "--storage", "json:tokens", "rs"],
        &["store", "remove", "--storage", "json:tokens", "rs"],
        &["store", "import", "--from", "json:nofile", "--storage", "json:tokens"],
        &["store", "migrate", "--storage", "json:nofile"],
        &["login", "--issuer", &f, "--client-id", "me"],
        &["logout", "--issuer", &f, "--client-id", "me", "--bearer-file", "nofile"],
        &["gafaelfawr", "token-info", &f],
        &["gafaelfawr", "user-info", &f],
        &["gafaelfawr", "tokens", &f],
        &["config", "show"],
        &[&f],
    ] {
        for words in 1..=arguments.len().min(3) {
            untested.remove(&arguments[..words].join("-"));
        }
        let ended = run(scitoken(directory.path()).args(arguments).arg("--json"));
        assert!(!ended.out.is_empty(), "{arguments:?} writes JSON, also on failure: {}", ended.err);
        for line in ended.out.lines() {
            let value: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{arguments:?}: {line}"));
            if let Err(error) = validator.validate(&value) {
                panic!("{arguments:?}: {error}\n{line}");
            }
            lines += 1;
        }
        let last: Value = serde_json::from_str(ended.out.lines().last().unwrap()).unwrap();
        if let Some(exit) = last.get("exit") {
            assert_eq!(exit, ended.code, "{arguments:?}: {}", ended.out);
        }
        if last["ok"] == true {
            assert_eq!(ended.code, 0, "{arguments:?}: {}", ended.out);
        }
    }
    assert!(lines > 45);
    // These write a script, a page, and what HTCondor reads.
    for other in ["completions", "man", "condor-plugin"] {
        assert!(untested.remove(other), "{other}");
    }
    assert!(untested.is_empty(), "commands without a line here: {untested:?}");
}

/// The names of the man pages of commands that have no commands below them: `get`, `token-where`.
fn leaf_commands(directory: &Path) -> BTreeSet<String> {
    let ended = run(scitoken(directory).args(["man", "--directory", "man"]));
    assert_eq!(ended.code, 0, "{}", ended.err);
    let pages = fs_err::read_dir(directory.join("man")).unwrap();
    let names: BTreeSet<String> = pages
        .map(|page| page.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_prefix("scitoken-")?.strip_suffix(".1").map(str::to_owned))
        .collect();
    let has_below = |name: &String| names.iter().any(|other| other.starts_with(&format!("{name}-")));
    names.iter().filter(|name| !has_below(name)).cloned().collect()
}

#[test]
fn the_schema_refuses_what_is_no_output() {
    let validator = validator();
    for text in ["{}", "[]", "5", r#"{"ok":1}"#, r#"{"event":"unknown"}"#, r#"{"ok":true,"event":"started"}"#]
    {
        assert!(!validator.is_valid(&serde_json::from_str(text).unwrap()), "{text}");
    }
}
