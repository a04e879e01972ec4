//! No output of any command contains a secret, whatever a server echoes.

use base64::prelude::*;
use scitoken_test_support::chaos_server::{Asked, Reply};

use crate::support::{scitoken, serve};

const TOKEN: &str = "bGVhay10ZXN0LXRva2VuLW9mLWEtdXNlcg";
const JWT: &str = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJsZWFrIn0.c2lnbmF0dXJlLW9mLWEtbGVhay10ZXN0";

/// Encodes every byte, also those that need no encoding.
fn percent_encoded(text: &str) -> String {
    text.bytes().flat_map(|byte| ['%', hex_digit(byte >> 4), hex_digit(byte & 15)]).collect()
}

fn hex_digit(value: u8) -> char {
    char::from_digit(u32::from(value), 16).unwrap_or_default().to_ascii_uppercase()
}

/// Answers with the credential of the request in every place that a client may show.
fn echo(asked: &Asked) -> Reply {
    let credential = asked.headers.get("authorization").cloned().unwrap_or_default();
    let secret = credential.rsplit(' ').next().unwrap_or_default().to_owned();
    let header = |name: &'static str, value: &str| (name, value.to_owned());
    let percent = percent_encoded(&secret);
    let wrapped = BASE64_STANDARD.encode(&secret);
    let challenge = format!(
        "Bearer realm=\"{secret}\", error=\"invalid_token\", error_description=\"no {secret} or {wrapped}\""
    );
    let owned = match asked.path.split('?').next().unwrap_or_default() {
        "/redirect" => vec![header("Location", &format!("/401/{secret}?x={percent}"))],
        path if path.starts_with("/401") => vec![header("WWW-Authenticate", &challenge)],
        _ => Vec::new(),
    };
    let all = [
        owned,
        vec![
            header("Server", &format!("echo/{secret}")),
            header("ETag", &format!("\"{secret}\"")),
            header("Last-Modified", &secret),
            header("Digest", &format!("adler32={secret}")),
            header("Content-Disposition", &format!("attachment; filename=\"{wrapped}\"")),
        ],
    ]
    .concat();
    let headers: Vec<(&str, &str)> = all.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let body = format!(
        "denied: {credential} {percent} {wrapped} {{\"error\":\"{secret}\",\"detail\":\"{credential}\"}}"
    );
    let status = match asked.path.split(['?', '/']).nth(1).unwrap_or_default() {
        "401" => "401 Unauthorized",
        "403" => "403 Forbidden",
        "redirect" => "302 Found",
        _ => "200 OK",
    };
    Reply::sized(status, &headers, body)
}

/// Asserts that no form of a secret is in a text, also where a line end cuts it.
#[track_caller]
fn assert_hidden(text: &str, secret: &str, what: &str) {
    let joined: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    let percent = percent_encoded(secret);
    for form in
        [secret.to_owned(), percent, BASE64_STANDARD.encode(secret), BASE64_URL_SAFE_NO_PAD.encode(secret)]
    {
        assert!(!text.contains(&form) && !joined.contains(&form), "{what} shows a secret:\n{text}");
    }
}

#[test]
fn no_command_at_any_level_shows_a_secret_that_a_server_echoes() {
    let (_runtime, server) = serve(echo);
    let mut runs = 0;
    for secret in [TOKEN, JWT] {
        let directory = tempfile::tempdir().unwrap();
        fs_err::write(directory.path().join("a"), "one").unwrap();
        for path in ["200", "401/x", "403", "redirect"] {
            let url = server.url(path).to_string();
            fs_err::write(
                directory.path().join("in"),
                format!("[ Url = \"{url}\"; LocalFileName = \"out-of-{}\" ]", path.replace('/', "-")),
            )
            .unwrap();
            for command in [
                &["get", "--retry", "0", "-o", "f"][..],
                &["get", "--retry", "0", "-J"],
                &["get", "-r", "--retry", "0"],
                &["put", "--retry", "0", "a"],
                &["stat", "--retry", "0"],
                &["ls", "-l", "--retry", "0"],
                &["mkdir", "--retry", "0"],
                &["rm", "--retry", "0"],
                &["checksum", "--retry", "0"],
                &["explain"],
                &["doctor"],
                &["condor-plugin", "-infile", "in", "-outfile", "out"],
            ] {
                for level in ["-vvv", "--json"] {
                    let mut program = scitoken(directory.path());
                    program.arg(command[0]).arg(level).args(&command[1..]);
                    program.env("BEARER_TOKEN", secret);
                    if command[0] != "condor-plugin" {
                        program.arg(&url);
                    }
                    let output = program.timeout(std::time::Duration::from_secs(60)).output().unwrap();
                    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
                    said.push_str(&String::from_utf8_lossy(&output.stderr));
                    if let Ok(results) = fs_err::read_to_string(directory.path().join("out")) {
                        said.push_str(&results);
                    }
                    assert!(!said.contains("panicked"), "{command:?} {level} {path}: {said}");
                    assert_hidden(&said, secret, &format!("{command:?} {level} {path}"));
                    runs += 1;
                }
            }
        }
    }
    assert_eq!(runs, 2 * 4 * 12 * 2);
}

#[test]
fn a_token_in_the_place_of_a_file_is_not_shown() {
    let directory = tempfile::tempdir().unwrap();
    for token in [TOKEN, JWT] {
        for arguments in [
            &["get", "--retry", "0", "--token-file", token, "http://127.0.0.1:9/f"][..],
            &["explain", "--token-file", token, "http://127.0.0.1:9/f"],
            &["stat", "--attach", "required", "--token-file", token, "http://127.0.0.1:9/f"],
            &["get", "--retry", "0", "--oauth2-bearer", token, "http://127.0.0.1:9/f"],
            &["get", &format!("http://h:port/f?authz={token}")],
            &["stat", &format!("http://me:{token}@h:port/f")],
        ] {
            for level in ["-vvv", "--json"] {
                let output = scitoken(directory.path()).args(arguments).arg(level).output().unwrap();
                let said = format!(
                    "{}{}",
                    String::from_utf8_lossy(&output.stdout),
                    String::from_utf8_lossy(&output.stderr)
                );
                assert_hidden(&said, token, &format!("{arguments:?}"));
            }
        }
        for arguments in [
            &["token", "where"][..],
            &["token", "show"],
            &["doctor", "http://127.0.0.1:9/f"],
            &["get", "--retry", "0", "http://127.0.0.1:9/f"],
        ] {
            let mut program = scitoken(directory.path());
            let output = program
                .env_remove("BEARER_TOKEN")
                .env("BEARER_TOKEN_FILE", token)
                .args(arguments)
                .output()
                .unwrap();
            let said = format!(
                "{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
            assert_hidden(&said, token, &format!("{arguments:?}"));
        }
    }
}

fn said(program: &mut assert_cmd::Command) -> String {
    let output = program.timeout(std::time::Duration::from_secs(60)).output().unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_token_in_the_place_of_any_other_value_is_not_shown() {
    const STRAY: &str = "AgK8mQz0o7pX2EdYx1b9WwRtPq3uVn5c";
    let directory = tempfile::tempdir().unwrap();
    let assignment = format!("--retry={STRAY}");
    let bearer = format!("Bearer {STRAY}");
    for arguments in [
        &["get", STRAY][..],
        &["get", "--retry", STRAY, "http://127.0.0.1:9/f"],
        &["get", &assignment, "http://127.0.0.1:9/f"],
        &["get", "--checksum", STRAY, "http://127.0.0.1:9/f"],
        &["get", "--retry", "0", "--cacert", STRAY, "http://127.0.0.1:9/f"],
        &["get", "--proxy", STRAY, "http://127.0.0.1:9/f"],
        &["ls", "http://127.0.0.1:9/f", STRAY],
        &["token", STRAY],
        &[STRAY],
        &["token", "show", &bearer],
        &["get", &format!("--{STRAY}"), "http://127.0.0.1:9/f"],
        &["copy", "--transfer-header", STRAY, "http://127.0.0.1:9/f", "http://127.0.0.1:9/g"],
        &["get", "--token-command", &format!("echo no {STRAY} >&2; exit 3"), "http://127.0.0.1:9/f"],
        &["get", "--proxy", &format!("me:{STRAY}@127.0.0.1:9"), "http://h/f"],
    ] {
        for level in ["-vvv", "--json"] {
            let said = said(scitoken(directory.path()).env_remove("BEARER_TOKEN").args(arguments).arg(level));
            assert_hidden(&said, STRAY, &format!("{arguments:?}"));
        }
    }
    for name in ["SCITOKEN_ATTACH", "SCITOKEN_RETRY", "SCITOKEN_CACERT", "SCITOKEN_CAPATH", "X509_CERT_DIR"] {
        for arguments in
            [&["config", "show"][..], &["get", "http://127.0.0.1:9/f"], &["doctor", "http://127.0.0.1:9/f"]]
        {
            let said = said(scitoken(directory.path()).env(name, STRAY).args(arguments));
            assert_hidden(&said, STRAY, &format!("{name} {arguments:?}"));
        }
    }
    for settings in [
        format!("\"{STRAY}\" = 1"),
        format!("[transfer]\nretry = \"{STRAY}\""),
        format!("[host.\"http://127.0.0.1\"]\ntoken-file = \"{STRAY}\""),
    ] {
        let file = directory.path().join("settings.toml");
        fs_err::write(&file, &settings).unwrap();
        for arguments in [&["config", "show"][..], &["get", "--retry", "0", "http://127.0.0.1:9/f"]] {
            let said = said(scitoken(directory.path()).env("SCITOKEN_CONFIG", &file).args(arguments));
            assert_hidden(&said, STRAY, &settings);
        }
    }
}

#[test]
fn a_signed_url_and_a_key_in_a_header_are_hidden_in_what_the_server_says() {
    const SIGNATURE: &str = "f3a9c1d7e5b28460aa17cc93d0e4b6f1";
    let (_runtime, server) = serve(|asked| {
        let key = asked.headers.get("x-api-key").cloned().unwrap_or_default();
        let status = if asked.path.starts_with("/moved") { "302 Found" } else { "403 Forbidden" };
        let signed = format!("/f?X-Amz-Signature={SIGNATURE}");
        let headers = [("Location", signed.as_str()), ("Server", &asked.path), ("X-Trace", &asked.path)];
        Reply::sized(status, &headers, format!("no {} {key}", asked.path))
    });
    let directory = tempfile::tempdir().unwrap();
    let signed = format!("{}?X-Amz-Signature={SIGNATURE}", server.url("f"));
    let key = format!("X-Api-Key: {SIGNATURE}");
    let (plain, moved) = (server.url("f").to_string(), server.url("moved").to_string());
    for arguments in [
        &["get", "--retry", "0", &signed][..],
        &["get", "--retry", "0", &moved, "-o", "f"],
        &["explain", &signed],
        &["doctor", &signed],
        &["get", "--retry", "0", "-H", &key, &plain],
    ] {
        for level in ["-vvv", "--json"] {
            let said = said(scitoken(directory.path()).env_remove("BEARER_TOKEN").args(arguments).arg(level));
            assert!(said.contains("403"), "{arguments:?}: {said}");
            assert_hidden(&said, SIGNATURE, &format!("{arguments:?}"));
        }
    }
}

#[test]
fn cookies_of_a_server_do_not_uncover_the_token() {
    let (_runtime, server) = serve(|asked| {
        let credential = asked.headers.get("authorization").cloned().unwrap_or_default();
        let cookie = |n: usize| {
            let values: Vec<_> = (0..40).map(|m| format!("a{m}=cookie-{n:04}-{m:02}")).collect();
            ("Set-Cookie", values.join("; "))
        };
        let cookies: Vec<_> = (0..50).map(cookie).collect();
        let headers: Vec<(&str, &str)> =
            cookies.iter().map(|(name, value)| (*name, value.as_str())).collect();
        Reply::sized("403 Forbidden", &headers, format!("no {credential}"))
    });
    let directory = tempfile::tempdir().unwrap();
    let url = server.url("f").to_string();
    let said =
        said(scitoken(directory.path()).env("BEARER_TOKEN", TOKEN).args(["get", "--retry", "0", &url]));
    assert!(said.contains("403"), "{said}");
    assert_hidden(&said, TOKEN, "cookies");
}
