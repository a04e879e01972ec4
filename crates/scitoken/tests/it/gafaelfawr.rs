//! `scitoken gafaelfawr` against a server that answers as Gafaelfawr's API does.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

use std::process::Output;

use assert_cmd::Command;

use scitoken_test_support::gafaelfawr::{GafaelfawrServer, INFO};

const TOKEN: &str = "gt-MLF5MB3Peg79wEC0BY8U8Q.ChbkqEyp3EIJ2e_1Sqff3w";

fn scitoken(arguments: &[&str], server: &GafaelfawrServer, token: Option<&str>) -> Output {
    let mut command = Command::cargo_bin("scitoken").unwrap();
    command.env_clear().env("NO_PROXY", "*").arg("gafaelfawr").args(arguments).arg(server.url.as_str());
    if let Some(token) = token {
        command.env("BEARER_TOKEN", token);
    }
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn token_info_is_shown_line_by_line_or_as_json() {
    let server = GafaelfawrServer::answering((200, &[], INFO)).await;
    let output = scitoken(&["token-info"], &server, Some(TOKEN));
    assert_eq!(
        text(&output.stdout),
        "key        MLF5MB3Peg79wEC0BY8U8Q\nuser       someuser\ntype       user\nname       laptop token\n\
         scopes     read:all user:token\ncreated    2021-03-05T23:15:30Z\nexpires    2021-03-29T02:48:50Z\n"
    );
    assert_eq!((text(&output.stderr), output.status.code()), ("", Some(0)));
    let output = scitoken(&["token-info", "--json", "--basic"], &server, Some(TOKEN));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["scopes"][1], "user:token");
    assert_eq!(server.seen(), ["GET /auth/api/v1/token-info"; 2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn user_info_is_shown_without_what_would_move_the_cursor() {
    let body = r#"{"username": "u", "name": "A\u001b[2J B", "uid": 5, "groups": [{"name": "g", "id": 7}]}"#;
    let server = GafaelfawrServer::answering((200, &[], body)).await;
    let output = scitoken(&["user-info"], &server, Some(TOKEN));
    assert_eq!(text(&output.stdout), "user       u\nname       A [2J B\nuid        5\ngroup      g (7)\n");
    assert_eq!(server.seen(), ["GET /auth/api/v1/user-info"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_those_of_the_user_or_of_the_one_that_is_named() {
    let list: &'static str = format!("[{INFO},{INFO}]").leak();
    let server =
        GafaelfawrServer::answering_at(&[("/token-info", (200, &[], INFO)), ("/tokens", (200, &[], list))])
            .await;
    let output = scitoken(&["tokens"], &server, Some(TOKEN));
    assert_eq!(text(&output.stdout).matches("laptop token").count(), 2);
    scitoken(&["tokens", "--username", "other", "--json"], &server, Some(TOKEN));
    let seen = server.seen();
    assert_eq!(seen[1..], ["GET /auth/api/v1/users/someuser/tokens", "GET /auth/api/v1/users/other/tokens"]);
    assert_eq!(scitoken(&["tokens", "--username", "a-b"], &server, Some(TOKEN)).status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_failure_has_its_code_and_says_what_to_do() {
    let invalid: &[(&str, &str)] = &[("www-authenticate", r#"Bearer realm="h", error="invalid_token""#)];
    let body = r#"{"detail": [{"msg": "Token is not valid", "type": "invalid_token"}]}"#;
    let scopes: &[(&str, &str)] = &[(
        "www-authenticate",
        r#"Bearer realm="h", error="insufficient_scope", scope="exec:test exec:admin""#,
    )];
    let csrf = r#"{"detail": [{"msg": "m", "type": "invalid_csrf"}]}"#;
    for (answer, code, hint) in [
        ((401, invalid, body), 8, "cannot be renewed"),
        ((403, scopes, ""), 8, "use a token with the scopes `exec:admin exec:test`"),
        ((403, &[], "<html>"), 8, "create another token on the token page"),
        ((403, &[], csrf), 8, "send a token instead"),
        ((403, &[("x-error-status", "429")], ""), 11, "try again later"),
        ((404, &[], ""), 9, ""),
        ((500, &[], ""), 13, ""),
        ((200, &[("content-type", "text/html")], "<html>"), 13, "login page"),
    ] {
        let server = GafaelfawrServer::answering(answer).await;
        let output = scitoken(&["token-info"], &server, Some(TOKEN));
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{told}");
        assert!(told.contains(hint) && !told.contains("ChbkqEyp"), "{told}");
        assert_eq!(text(&output.stdout), "");
    }
    let server = GafaelfawrServer::answering((403, &[], "<html>")).await;
    let output = scitoken(&["user-info"], &server, Some(TOKEN));
    assert!(text(&output.stderr).contains("`scitoken gafaelfawr token-info`"), "{}", text(&output.stderr));
    let server = GafaelfawrServer::answering((200, &[], INFO)).await;
    assert_eq!(scitoken(&["token-info"], &server, None).status.code(), Some(7));
    assert!(server.seen().is_empty(), "nothing is asked without a token");
}
