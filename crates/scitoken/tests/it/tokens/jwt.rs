//! `scitoken jwt`, run as a program.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;

fn scitoken(arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("scitoken").unwrap();
    command.arg("jwt").args(arguments);
    command
}

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.path().join(name);
        fs_err::write(&path, content).unwrap();
        path
    }
}

/// Runs a command and gives its exit code and what it wrote.
fn run(command: &mut Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn vectors() -> Value {
    let text =
        fs_err::read_to_string(Path::new("../scitoken-jwt/tests/data/jwt/pyjwt-2.15.1-decode.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// A call of PyJWT's `decode` as a command line.
fn arguments_of(case: &Value) -> Vec<String> {
    let flag = |name: &str, value: &Value| {
        format!("--{name}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    };
    let mut arguments = Vec::new();
    for (name, value) in case["args"].as_object().unwrap() {
        match (name.as_str(), value) {
            ("audience" | "issuer", Value::Array(many)) => {
                arguments.extend(many.iter().map(|one| flag(name, one)));
            }
            ("audience" | "issuer" | "subject" | "leeway", value) => arguments.push(flag(name, value)),
            ("options", options) => {
                for (option, value) in options.as_object().unwrap() {
                    match (option.as_str(), value) {
                        ("strict_aud", Value::Bool(true)) => arguments.push("--strict-audience".to_owned()),
                        ("verify_signature", Value::Bool(false)) => {
                            arguments.push("--no-verify-signature".to_owned());
                        }
                        ("strict_aud" | "verify_signature", Value::Bool(_)) => {}
                        ("require", Value::Array(claims)) => {
                            arguments
                                .extend(claims.iter().map(|c| format!("--require={}", c.as_str().unwrap())));
                        }
                        (check, Value::Bool(is_looked_at)) => {
                            let flag = if *is_looked_at { "check" } else { "skip" };
                            arguments.push(format!("--{flag}={}", check.strip_prefix("verify_").unwrap()));
                        }
                        other => panic!("{other:?}"),
                    }
                }
            }
            other => panic!("{other:?}"),
        }
    }
    arguments
}

#[test]
fn every_vector_gets_the_verdict_of_pyjwt_on_the_command_line() {
    let vectors = vectors();
    let files = Files::new();
    let secret = files.file("secret", vectors["key_utf8"].as_str().unwrap());
    for case in vectors["cases"].as_array().unwrap() {
        let at = vectors["now"].to_string();
        let mut command =
            scitoken(&["decode", "-", "--json", "--alg", "HS256", "--at", &at, "--secret-file"]);
        command.arg(&secret).args(arguments_of(case)).write_stdin(case["token"].as_str().unwrap());
        let (code, out, _) = run(&mut command);
        let answer: Value = serde_json::from_str(&out.replace("\\ud800", "HALF")).unwrap();
        let wanted = case["expect"]["error"].as_str().map(|name| name.strip_suffix("Error").unwrap());
        assert_eq!(answer["ok"], wanted.is_none(), "{case}");
        assert_eq!(answer["error"].as_str(), wanted, "{case}");
        assert_eq!(code, i32::from(wanted.is_some()), "{case}");
        if wanted.is_none() && !case["expect"]["claims"].is_null() {
            assert_eq!(answer["payload"], case["expect"]["claims"], "{case}");
        }
    }
}

#[test]
fn a_refusal_in_json_names_the_exception_of_pyjwt_and_the_claim() {
    let files = Files::new();
    let secret = files.file("secret", "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\n");
    let claims = files.file("claims", r#"{"sub": "é", "exp": 1}"#);
    let (code, token, _) =
        run(scitoken(&["encode", "--kid", "k1", "--secret-file"]).arg(&secret).arg(&claims));
    assert_eq!(code, 0);
    let token = files.file("token", &token);
    let decode = |extra: &[&str]| {
        run(scitoken(&["decode", "--alg", "HS256", "--secret-file"]).arg(&secret).arg(&token).args(extra))
    };
    assert_eq!(
        decode(&["--json"]),
        (
            1,
            concat!(
                r#"{"ok":false,"error":"ExpiredSignature","claim":null,"#,
                r#""message":"the token has expired","#,
                r#""reason":"ExpiredSignature","exit":1,"hint":null}"#,
                "\n"
            )
            .to_owned(),
            String::new()
        )
    );
    let (code, out, err) = decode(&[]);
    assert_eq!((code, out.as_str()), (1, ""));
    assert_eq!(err, "scitoken: the token has expired\n");
    let (_, out, _) = decode(&["--json", "--at", "0", "--require", "aud"]);
    assert!(out.starts_with(r#"{"ok":false,"error":"MissingRequiredClaim","claim":"aud","#), "{out}");
    assert_eq!(
        decode(&["--json", "--skip", "exp"]).1,
        concat!(
            r#"{"ok":true,"header":{"alg":"HS256","kid":"k1","typ":"JWT"},"#,
            r#""payload":{"sub":"\u00e9","exp":1},"claims":{"sub":"\u00e9","exp":1}}"#,
            "\n"
        )
    );
    assert_eq!(decode(&["--at", "1970-01-01T00:00:00Z"]).1, "{\"sub\":\"\\u00e9\",\"exp\":1}\n");
    assert_eq!(decode(&["--no-verify-signature"]).0, 0);
    let (code, out, _) = decode(&["--no-verify-signature", "--check", "exp", "--json"]);
    assert_eq!(code, 1);
    assert!(out.contains("ExpiredSignature"), "{out}");
    let (code, out, _) = run(scitoken(&["header"]).arg(&token));
    assert_eq!((code, out.as_str()), (0, "{\"alg\":\"HS256\",\"kid\":\"k1\",\"typ\":\"JWT\"}\n"));
}

#[test]
fn keys_come_from_files_of_every_form() {
    let files = Files::new();
    let claims = files.file("claims", "{}");
    let data = Path::new("../scitoken-jwt/tests/data/keys");
    let (_, token, _) =
        run(scitoken(&["encode", "--alg", "PS256", "--key"]).arg(data.join("rsa.pkcs8.pem")).arg(&claims));
    let token = files.file("token", &token);
    for key in ["rsa.pub.pem", "rsa.pub.pkcs1.pem", "rsa.cert.pem"] {
        let (code, ..) =
            run(scitoken(&["decode", "--alg", "PS256", "--key"]).arg(data.join(key)).arg(&token));
        assert_eq!(code, 0, "{key}");
    }
    let (code, out, _) = run(scitoken(&["decode", "--json", "--alg", "PS256", "--key"])
        .arg(data.join("p256.pub.pem"))
        .arg(&token));
    assert_eq!(code, 1);
    assert!(out.contains(r#""error":"InvalidKey""#), "{out}");
    let (code, out, _) = run(scitoken(&["decode", "--json", "--alg", "HS256", "--secret-file"])
        .arg(data.join("rsa.pub.pem"))
        .arg(files.file("hs", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.AAAA")));
    assert_eq!(code, 1);
    assert!(out.contains(r#""error":"InvalidKey""#), "{out}");
}

#[test]
fn a_key_set_gives_the_key_that_the_token_names() {
    let files = Files::new();
    let claims = files.file("claims", r#"{"sub":"me"}"#);
    let jwk = r#"{"kty":"OKP","crv":"Ed25519","kid":"k1","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let jwk_file = files.file("jwk", jwk);
    let set = files.file("jwks", &format!(r#"{{"keys":[5,{{"kty":"dog"}},{jwk}]}}"#));
    for (kid, code, error) in
        [(Some("k1"), 0, Value::Null), (None, 0, Value::Null), (Some("k2"), 1, "PyJWKClient".into())]
    {
        let mut encode = scitoken(&["encode", "--key"]);
        encode.arg(&jwk_file).arg(&claims);
        if let Some(kid) = kid {
            encode.args(["--kid", kid]);
        }
        let token = files.file("token", &run(&mut encode).1);
        let (found, out, _) = run(scitoken(&["decode", "--json", "--jwks"]).arg(&set).arg(&token));
        let answer: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((found, &answer["error"]), (code, &error), "{out}");
    }
}

#[test]
fn what_cannot_be_understood_or_read_has_other_exit_codes() {
    let (code, ..) = run(&mut scitoken(&["decode", "--skip", "everything"]));
    assert_eq!(code, 2);
    let (code, ..) = run(&mut scitoken(&["decode", "--at", "soon"]));
    assert_eq!(code, 2);
    let (code, _, err) = run(&mut scitoken(&["decode", "/nowhere/token"]));
    assert_eq!(code, 3);
    assert!(err.contains("/nowhere/token"), "{err}");
    let (code, _, err) = run(scitoken(&["encode"]).write_stdin("{}"));
    assert_eq!(code, 2);
    assert!(err.contains("hint: pass `--secret-file` or `--key`"), "{err}");
    let (code, _, err) =
        run(scitoken(&["decode", "--alg", "HS256"]).write_stdin("eyJhbGciOiJIUzI1NiJ9.e30.AAAA"));
    assert_eq!(code, 1);
    assert!(err.contains("hint: pass the key with"), "{err}");
}

#[test]
fn what_encode_writes_is_what_pyjwt_writes() {
    let files = Files::new();
    let secret = files.file("secret", "0123456789abcdef0123456789abcdef");
    let claims = r#" {"iss":"https://issuer.example", "aud":["a","b"],"exp":4102444800,"sub":"\u00e9"}"#;
    let (_, out, _) =
        run(scitoken(&["encode", "--kid=k1", "--secret-file"]).arg(&secret).write_stdin(claims));
    assert_eq!(
        out,
        "eyJhbGciOiJIUzI1NiIsImtpZCI6ImsxIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwiYXVkIjpb\
         ImEiLCJiIl0sImV4cCI6NDEwMjQ0NDgwMCwic3ViIjoiXHUwMGU5In0.64mo9RbvYZZFd9Xc8NByhwxl12xsKVNX8nSdkSf26l8\n"
    );
    let (_, out, _) = run(scitoken(&["encode", "--unsecured"]).write_stdin(r#"{"a": 1}"#));
    assert_eq!(out, "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJhIjoxfQ.\n");
}
