//! Every line of `--json` follows `docs/output.schema.json`.

use std::collections::BTreeSet;
use std::path::Path;

use scitoken_test_support::chaos_server::{Asked, Reply};
use scitoken_test_support::gafaelfawr::INFO;
use serde_json::Value;

use crate::support::{DIGEST, Ended, HELLO, listing, run, scitoken, serve};

fn validator() -> jsonschema::Validator {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/output.schema.json");
    let schema: Value = serde_json::from_str(&fs_err::read_to_string(path).unwrap()).unwrap();
    jsonschema::draft202012::new(&schema).unwrap()
}

/// Answers as a WebDAV server, as an OAuth issuer whose user has confirmed, and as Gafaelfawr.
fn answer(asked: &Asked) -> Reply {
    let issuer = format!("http://{}", asked.headers["host"]);
    let json = |text: String| Reply::sized("200 OK", &[("Content-Type", "application/json")], text);
    match (asked.method.as_str(), asked.path.as_str()) {
        (_, path) if path.contains("403") => Reply::sized("403 Forbidden", &[], ""),
        (_, path) if path.contains("404") => Reply::sized("404 Not Found", &[], ""),
        ("PROPFIND", path) if path.ends_with('/') => listing("", path, &["f"]),
        ("PROPFIND", path) => Reply::sized(
            "207 Multi-Status",
            &[("Content-Type", "text/xml")],
            format!(
                "<D:multistatus xmlns:D=\"DAV:\"><D:response><D:href>{path}</D:href><D:propstat><D:prop>\
                 <D:resourcetype/><D:getcontentlength>16</D:getcontentlength></D:prop>\
                 <D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>"
            ),
        ),
        ("MKCOL" | "MOVE" | "PUT", _) => Reply::sized("201 Created", &[], ""),
        ("DELETE", _) => Reply::sized("204 No Content", &[], ""),
        (_, "/.well-known/openid-configuration") => json(format!(
            r#"{{"issuer": "{issuer}", "token_endpoint": "{issuer}/token", "revocation_endpoint": "{issuer}/revoke",
                "device_authorization_endpoint": "{issuer}/device"}}"#
        )),
        (_, "/device") => json(format!(
            r#"{{"device_code": "DC", "user_code": "UC", "verification_uri": "{issuer}/v", "expires_in": 60, "interval": 1}}"#
        )),
        (_, "/token") => json(
            r#"{"access_token": "AT-1234567890", "token_type": "Bearer", "expires_in": 600, "scope": "openid"}"#.to_owned(),
        ),
        (_, "/revoke") => json("{}".to_owned()),
        (_, "/auth/api/v1/token-info") => json(INFO.to_owned()),
        (_, "/auth/api/v1/user-info") => json(r#"{"username": "u", "name": "N"}"#.to_owned()),
        (_, "/auth/api/v1/users/someuser/tokens") => json(format!("[{INFO}]")),
        _ => Reply::honest(asked, HELLO, &DIGEST),
    }
}

/// Command lines that succeed, in this order, with what goes to standard input after `<`.
const SUCCESSES: &str = "\
get -o f {f}
get --skip-existing=size -o f {f}
get --dry-run {f} -o f
get --dry-run -J {f}
put a {f}
put -r empty {url}/empty
copy {f} c
stat {f}
ls {url}/d/
ls -r {url}/d/
mkdir {url}/d/
rm {f}
rm -f {url}/404
mv --force {f} {url}/g
checksum {f}
explain {f}
doctor {f}
keys generate --kid k1 --private key.pem --public pub.pem --jwks jwks.json
keys jwks pub.pem
keys cache list
keys cache add https://i.test --jwks jwks.json
keys cache list
keys cache remove https://i.test
keys cache refresh
token where
token where {f}
token show
token check {f}
token create --key key.pem --kid k1 --issuer https://i.test --scope read:/ --claim sub=me --audience https://h
token verify token.jwt --key pub.pem
token enforce token.jwt --key pub.pem --audience https://h --op read --path /f
token acls token.jwt --key pub.pem --audience https://h
jwt encode - --secret-file hmac.key --alg HS256 < {\"sub\": \"me\"}
jwt header token.jwt
jwt decode token.jwt --key pub.pem --alg ES256 --audience https://h
store put --storage json:tokens < {entry}
store list --storage json:tokens
store get rs --storage json:tokens
store import --from json:tokens --storage sqlite:tokens.db
store migrate --storage json:tokens
store remove rs --storage json:tokens
login --issuer {url} --client-id me --bearer-file bearer
logout --issuer {url} --client-id me --bearer-file bearer
gafaelfawr token-info {url}
gafaelfawr user-info {url}
gafaelfawr tokens {url}
config show
man
man --directory man
completions bash
condor-plugin --classad
condor-plugin --infile orders --outfile results";

/// Command lines that fail.
const FAILURES: &str = "\
get -o x --retry 0 {url}/404
get {f} {url}/403 {url}/404 --retry 0
get --no-such-flag
put a {url}/403
put nofile {f}
copy {url}/404 {url}/g
stat {f} {url}/404
ls {url}/404
mkdir {url}/403/
rm {url}/404
mv {url}/404 {f}
checksum {url}/404
explain {url}/403
explain nonsense
doctor {url}/404
token where http:///
token show nofile
token check nonsense
token verify token.jwt --key other.pem
token enforce token.jwt --key pub.pem --audience https://h --op write --path /f
token enforce --op read --path /../x --issuer https://i.test
token acls token.jwt --key other.pem
token create --key nofile --issuer https://i.test
keys generate
keys jwks nofile
keys cache list --key-cache nofile
keys cache add https://i.test --jwks nofile
keys cache remove https://i.test
keys cache refresh {f}
jwt header a
jwt decode a
jwt encode nofile --secret-file hmac.key --alg HS256
store put --storage json:tokens < no entry
store list --storage json:nofile
store get rs --storage json:nofile
store import --from json:nofile --storage json:tokens
store migrate --storage json:nofile
store remove rs --storage json:nofile
login --issuer {f} --client-id me --bearer-file bearer
logout --issuer {f} --client-id me --bearer-file nofile
gafaelfawr token-info {url}/403
gafaelfawr user-info {url}/403
gafaelfawr tokens {url}/403
config show --no-such-flag
man --directory a/b
completions nosuchshell
condor-plugin --infile nofile --outfile results
{f}";

#[test]
fn every_command_follows_the_schema_when_it_succeeds_and_when_it_fails() {
    let validator = validator();
    let (_runtime, server) = serve(answer);
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| fs_err::write(directory.path().join(name), text).unwrap();
    file("a", "hello scitokens\n");
    file("hmac.key", &"k".repeat(64));
    fs_err::create_dir(directory.path().join("empty")).unwrap();
    let url = server.url("").to_string().trim_end_matches('/').to_owned();
    file("orders", &format!("[ Url = \"{url}/f\"; LocalFileName = \"{}/p\" ]\n", directory.path().display()));
    let entry =
        r#"{"resource_server": "rs", "scope": "", "access_token": "AT", "expires_at_seconds": 4000000000}"#;
    let leaves = leaf_commands(directory.path());
    let mut wrong = Vec::new();
    for (lines, succeeds) in [(SUCCESSES, true), (FAILURES, false)] {
        let mut untested = leaves.clone();
        for line in lines.lines() {
            let (line, input) = line.split_once(" < ").unwrap_or((line, ""));
            let line = line.replace("{f}", "{url}/f").replace("{url}", &url);
            let words: Vec<&str> = line.split(' ').collect();
            for count in 1..=words.len().min(3) {
                untested.remove(&words[..count].join("-"));
            }
            let mut command = scitoken(directory.path());
            if line.starts_with("gafaelfawr") {
                command.env("BEARER_TOKEN", "gt-MLF5MB3Peg79wEC0BY8U8Q.ChbkqEyp3EIJ2e_1Sqff3w");
            }
            let input = input.replace("{entry}", entry);
            let ended = run(command.args(&words).arg("--json").write_stdin(input));
            wrong.extend(
                problem(&validator, &ended, succeeds, words.len() > 3)
                    .map(|what| format!("{line}: {what}: {} {}{}", ended.code, ended.out, ended.err)),
            );
            if line.starts_with("token create") && succeeds {
                let made: Value = serde_json::from_str(&ended.out).unwrap();
                file("token.jwt", made["token"].as_str().unwrap());
                let other = run(scitoken(directory.path()).args([
                    "keys",
                    "generate",
                    "--private",
                    "other.key",
                    "--public",
                    "other.pem",
                ]));
                assert_eq!(other.code, 0, "{}", other.err);
            }
        }
        assert!(untested.is_empty(), "commands without a line here: {untested:?}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Says what is wrong with the output of a command.
fn problem(
    validator: &jsonschema::Validator,
    ended: &Ended,
    succeeds: bool,
    has_several: bool,
) -> Option<String> {
    if (ended.code == 0) != succeeds {
        return Some("the exit code".to_owned());
    }
    if ended.out.is_empty() {
        return Some("no JSON".to_owned());
    }
    let mut last = Value::Null;
    for text in ended.out.lines() {
        let Ok(value) = serde_json::from_str(text) else { return Some(format!("not JSON: {text}")) };
        if let Err(error) = validator.validate(&value) {
            return Some(format!("{error} in {text}"));
        }
        last = value;
    }
    if last.get("exit").is_some_and(|exit| *exit != ended.code) {
        return Some("another exit code in the last line".to_owned());
    }
    // With several files, the last line is about the last of them.
    let contradicts = last.get("ok").is_some_and(|ok| *ok != succeeds);
    (contradicts && !has_several).then(|| "`ok` is not what the exit code says".to_owned())
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
