//! Input that nobody should send: each gives a documented error or the server's own answer, never a hang, a panic,
//! a leaked token or a lost cause.

use std::path::Path;
use std::time::Duration;

use http::StatusCode;
use reqwest::Response;
use reqwest_scitokens::sys::Env;
use reqwest_scitokens::{
    AccessToken, Attach, CommandSource, Discovery, Error, FileSource, ResponseExt as _, SharedTokenSource,
};

use crate::support::clients::{resolving, session, wrapped};
use crate::support::server::Place;
use crate::support::{Answer, Raw, Reply, Script, Server, tls};
use crate::{chain, texts, write_token};

type Sent = Result<Response, reqwest_middleware::Error>;

const TOKEN: &str = "secretsecretsecret";

/// Sends a GET with [`TOKEN`], and fails the test if it takes long or tells the token.
async fn send(url: url::Url) -> Sent {
    let session = session(Script::new(&[TOKEN, "other"])).build().unwrap();
    let sent = tokio::time::timeout(Duration::from_secs(20), session.get(url).send()).await;
    let sent = sent.expect("the request hangs");
    if let Err(error) = &sent {
        assert!(!chain(error).contains(TOKEN), "{}", chain(error));
    }
    sent
}

// ---- servers

#[tokio::test]
async fn malformed_challenges_leave_the_servers_answer() {
    for challenge in [
        &b"Bearer realm=\"\xff\xfe\""[..],
        b"Bearer realm=\"",
        b"Bearer \\",
        b"\"Bearer\"",
        b"=Bearer",
        b",,,,",
        b"Bearer realm=\"a\" realm=\"b\" error",
        b"Bearer\tx=y",
    ] {
        let server = Server::http(move |_| Reply::challenge(challenge).body("no")).await;
        let response = send(server.url("/f")).await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.text().await.unwrap(), "no");
        assert!(server.seen().len() <= 2);
    }
}

#[tokio::test]
async fn a_challenge_of_a_thousand_parts_is_survived() {
    for part in ["Bearer a=b, ", "Negotiate abc==, ", "a=\"b\\\"\", ", "Basic realm=\"Bearer, "] {
        let challenge = part.repeat(4_000);
        let server = Server::http(move |_| Reply::challenge(&challenge)).await;
        assert_eq!(send(server.url("/f")).await.unwrap().status(), StatusCode::UNAUTHORIZED);
        assert!(server.seen().len() <= 2);
    }
}

#[tokio::test]
async fn header_values_of_a_mebibyte_end_in_an_error_or_an_answer() {
    let huge = "x".repeat(1024 * 1024);
    for (status, header) in [
        ("401 Unauthorized", format!("WWW-Authenticate: Bearer realm=\"{huge}\"")),
        ("401 Unauthorized", format!("WWW-Authenticate: {huge}")),
        ("302 Found", format!("Location: /{huge}")),
        ("200 OK", format!("X-Huge: {huge}")),
    ] {
        let line = format!("HTTP/1.1 {status}");
        let server = Raw::http(move |_| Answer::lines(&[&line, &header], "")).await;
        match send(server.url("/f")).await {
            Ok(response) => assert!(status.starts_with(response.status().as_str())),
            Err(error) => {
                assert!(std::error::Error::source(&error).is_some(), "the cause is lost: {error:?}");
            }
        }
        assert!(server.seen().len() <= 11);
    }
}

#[tokio::test]
async fn a_server_that_closes_after_its_401_is_asked_again_over_a_new_connection() {
    for announced in ["Connection: close", "X-Nothing: 1"] {
        let server = Raw::http(move |seen| match seen.authorization() {
            Some("Bearer other") => Answer::lines(&["HTTP/1.1 200 OK"], "data"),
            _ => {
                Answer::lines(&["HTTP/1.1 401 No", "WWW-Authenticate: Bearer", announced], "no").then_close()
            }
        })
        .await;
        let response = send(server.url("/f")).await.unwrap();
        assert_eq!((response.status(), server.connections()), (StatusCode::OK, 2), "{announced}");
    }
}

#[tokio::test]
async fn a_401_whose_body_breaks_off_is_answered_all_the_same() {
    let server = Raw::http(|seen| match seen.authorization() {
        Some("Bearer other") => Answer::lines(&["HTTP/1.1 200 OK"], "data"),
        _ => Answer::bytes("HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer\r\nContent-Length: 100\r\n\r\nshort")
            .then_close(),
    })
    .await;
    assert_eq!(send(server.url("/f")).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_401_whose_body_never_comes_is_answered_all_the_same() {
    let server = Raw::http(|seen| match seen.authorization() {
        Some("Bearer other") => Answer::lines(&["HTTP/1.1 200 OK"], "data"),
        _ => Answer::bytes("HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer\r\nContent-Length: 100\r\n\r\n")
            .then_hold(),
    })
    .await;
    assert_eq!(send(server.url("/f")).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_redirect_whose_body_never_comes_is_followed_all_the_same() {
    let server = Raw::http(|seen| match seen.path() {
        "/end" => Answer::lines(&["HTTP/1.1 200 OK"], "data"),
        _ => Answer::bytes("HTTP/1.1 302 Found\r\nLocation: /end\r\nContent-Length: 100\r\n\r\n").then_hold(),
    })
    .await;
    assert_eq!(send(server.url("/f")).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn answers_that_are_no_http_are_errors_with_a_cause() {
    for bytes in [
        &b"HTTP/1.1 4"[..],
        b"",
        b"HTTP/1.1 401\r",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 999999 OK\r\n\r\n",
    ] {
        let server = Raw::http(move |_| Answer::bytes(bytes).then_close()).await;
        let error = send(server.url("/f")).await.unwrap_err();
        assert!(std::error::Error::source(&error).is_some(), "the cause is lost: {error:?}");
    }
}

#[tokio::test]
async fn an_https_server_of_an_unknown_authority_gets_no_byte_and_the_error_says_why() {
    let place = Place::https("localhost").tls(tls::unknown_authority().acceptor());
    let server = place.start(|_| Reply::ok("data")).await;
    for sent in
        [send(server.url("/f")).await, wrapped(Script::new(&[TOKEN])).get(server.url("/f")).send().await]
    {
        let shown = chain(&sent.unwrap_err());
        assert!(shown.to_lowercase().contains("certificate"), "{shown}");
        assert!(!shown.contains(TOKEN));
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let server = Place::https("localhost").start(|_| Reply::ok("data")).await;
    let client = resolving(session(Script::new(&[TOKEN])), "unnamed.test", server.address()).build().unwrap();
    let error = client.get(server.url_as("https", "unnamed.test", "/f")).send().await.unwrap_err();
    assert!(chain(&error).to_lowercase().contains("certificate"), "{}", chain(&error));
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn texts_of_a_server_cannot_drive_a_terminal() {
    let challenge =
        "Bearer realm=\"\u{9b}31m\u{85}\", error=\"invalid_token\", error_description=\"\u{9b}2J x\"";
    let server = Server::http(move |_| Reply::challenge(challenge)).await;
    let response = send(server.url("/f%1b%5b31m?authz=%1b")).await.unwrap();
    let shown = format!("{}\n{:?}", response.explain().unwrap(), response.auth_trace().unwrap());
    let control = shown.chars().find(|c| c.is_control() && *c != '\n');
    assert_eq!(control, None, "{shown:?}");
}

#[tokio::test]
async fn urls_that_no_token_could_be_sent_to_are_errors() {
    for url in ["ftp://localhost/x", "file:///etc/passwd", "data:,x", "mailto:a@b"] {
        for attach in [Attach::WhenFound, Attach::OnChallenge, Attach::Required] {
            let session = session(Script::new(&[TOKEN])).attach(attach).build().unwrap();
            let error = session.get(url).send().await.unwrap_err();
            assert!(!chain(&error).contains(TOKEN));
        }
    }
    session(Script::new(&[TOKEN])).build().unwrap().get("no url at all").send().await.unwrap_err();
}

// ---- token files

/// What comes of a token file: nothing that is no token reaches the server, and an error that names the file if a
/// token is required.
async fn useless(path: &Path, reason: &str) {
    let file = || SharedTokenSource::from(FileSource::new(path));
    let env = Env::given([("BEARER_TOKEN_FILE", path)]);
    let nowhere = tempfile::tempdir().unwrap();
    let discovery = || {
        let found = Discovery::new().with_env(env.clone()).with_tmp(nowhere.path());
        SharedTokenSource::from(found)
    };
    for source in [file(), discovery()] {
        let server = Server::http(|_| Reply::ok("public")).await;
        let by_default = session(source.clone()).build().unwrap();
        let sent =
            tokio::time::timeout(Duration::from_secs(20), by_default.get(server.url("/f")).send()).await;
        assert_eq!(sent.expect("it hangs").unwrap().text().await.unwrap(), "public");
        assert_eq!(server.tokens(), ["-"], "{reason}");

        let required = session(source).attach(Attach::Required).build().unwrap();
        let error = required.get(server.url("/f")).send().await.unwrap_err();
        let shown = chain(&error);
        assert!(Error::find(&error).unwrap().is_no_token(), "{shown}");
        assert!(shown.contains(path.to_str().unwrap()), "the path is not named: {shown}");
        assert!(shown.contains(reason), "no `{reason}` in: {shown}");
        assert!(!shown.contains(TOKEN), "{shown}");
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_file_of_bytes_that_are_no_text() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    fs_err::write(&path, [TOKEN.as_bytes(), b"\xff\xfe"].concat()).unwrap();
    useless(&path, "").await;
}

#[tokio::test]
async fn a_file_with_two_lines() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    write_token(&path, &format!("{TOKEN}\n{TOKEN}\n"));
    useless(&path, "line").await;
}

#[tokio::test]
async fn a_file_with_a_token_of_a_hundred_kilobytes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    write_token(&path, &"x".repeat(100_000));
    useless(&path, "").await;
}

#[tokio::test]
async fn a_file_of_two_mebibytes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    write_token(&path, &" ".repeat(2 * 1024 * 1024));
    useless(&path, "1 MiB").await;
}

#[tokio::test]
async fn a_file_with_the_word_bearer() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    write_token(&path, &format!("Bearer {TOKEN}"));
    useless(&path, "Bearer").await;
}

#[tokio::test]
async fn a_directory_instead_of_a_file() {
    let directory = tempfile::tempdir().unwrap();
    useless(directory.path(), "regular file").await;
}

#[tokio::test]
async fn a_missing_file() {
    let directory = tempfile::tempdir().unwrap();
    useless(&directory.path().join("nowhere"), "").await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_that_leads_nowhere() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    std::os::unix::fs::symlink(directory.path().join("nowhere"), &path).unwrap();
    useless(&path, "").await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_fifo_that_nobody_writes_to() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    useless(&path, "regular file").await;
}

/// A regular file whose reading fails even for root.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_that_cannot_be_read() {
    useless(Path::new("/proc/self/mem"), "read").await;
}

// ---- token commands

/// What comes of a token command: no token, an error that tells `reason` if one is required.
async fn useless_command(command: CommandSource, reason: &str) {
    let server = Server::http(|_| Reply::ok("public")).await;
    let source = SharedTokenSource::from(command);
    for attach in [Attach::WhenFound, Attach::Required] {
        let session = session(source.clone()).attach(attach).build().unwrap();
        let sent = tokio::time::timeout(Duration::from_secs(20), session.get(server.url("/f")).send()).await;
        match (attach, sent.expect("it hangs")) {
            (Attach::WhenFound, sent) => assert_eq!(sent.unwrap().status(), StatusCode::OK),
            (_, sent) => {
                let shown = chain(&sent.unwrap_err());
                assert!(shown.contains(reason), "no `{reason}` in: {shown}");
                assert!(!shown.contains(TOKEN), "{shown}");
            }
        }
    }
    assert_eq!(server.tokens(), ["-"]);
}

#[cfg(unix)]
mod commands {
    use super::*;

    fn shell(line: &str) -> CommandSource {
        CommandSource::shell(line).with_time_limit(Duration::from_secs(2))
    }

    #[tokio::test]
    async fn one_that_hangs() {
        useless_command(CommandSource::shell("sleep 60").with_time_limit(Duration::from_millis(200)), "")
            .await;
    }

    #[tokio::test]
    async fn one_whose_child_holds_its_output_open() {
        let line = format!("(sleep 60 &) ; echo {TOKEN} >&2; exit 1");
        useless_command(CommandSource::shell(line).with_time_limit(Duration::from_millis(500)), "").await;
    }

    #[tokio::test]
    async fn one_that_floods_its_output() {
        useless_command(shell("exec yes"), "").await;
    }

    #[tokio::test]
    async fn one_that_floods_its_error_output() {
        useless_command(shell("yes >&2; true"), "").await;
    }

    #[tokio::test]
    async fn one_that_fails() {
        useless_command(shell("echo the vault is sealed >&2; exit 42"), "42").await;
        useless_command(shell("echo the vault is sealed >&2; exit 42"), "the vault is sealed").await;
    }

    #[tokio::test]
    async fn one_that_is_killed() {
        useless_command(shell("kill -9 $$"), "").await;
    }

    #[tokio::test]
    async fn one_that_says_nothing() {
        useless_command(shell("true"), "").await;
    }

    #[tokio::test]
    async fn one_that_says_something_else() {
        useless_command(shell(&format!("echo the token is {TOKEN}")), "").await;
        useless_command(shell(&format!("echo {TOKEN}; echo {TOKEN}")), "line").await;
        useless_command(shell("printf '\\377\\376'"), "").await;
    }

    #[tokio::test]
    async fn one_that_does_not_exist() {
        useless_command(CommandSource::new("/nowhere/token-tool"), "/nowhere/token-tool").await;
    }

    #[tokio::test]
    async fn and_one_that_works() {
        let server = Server::protected(TOKEN).await;
        let session = session(shell(&format!("echo '  {TOKEN}  '"))).build().unwrap();
        assert_eq!(session.get(server.url("/f")).send().await.unwrap().status(), StatusCode::OK);
        assert_eq!(server.tokens(), texts(&[TOKEN]));
    }
}

// ---- tokens in the environment

#[tokio::test]
async fn the_classic_mistakes_never_reach_a_server() {
    for (value, reason) in [
        ("/tmp/bt_u1000", "path"),
        ("Bearer secretsecretsecret", "Bearer"),
        ("secretsecretsecret\nsecretsecretsecret", "line"),
        ("-----BEGIN CERTIFICATE-----\nMIIC", "X.509"),
        ("hvs.CAESIJsecretsecretsecret", "ault"),
        ("secret secretsecretsecret", ""),
    ] {
        let server = Server::http(|_| Reply::ok("public")).await;
        let discovery = Discovery::new().with_env(Env::given([("BEARER_TOKEN", value)])).with_tmp("/nowhere");
        let source = SharedTokenSource::from(discovery);
        session(source.clone()).build().unwrap().get(server.url("/f")).send().await.unwrap();
        let session = session(source).attach(Attach::Required).build().unwrap();
        let shown = chain(&session.get(server.url("/f")).send().await.unwrap_err());
        assert!(shown.contains("BEARER_TOKEN") && shown.contains(reason), "no `{reason}` in: {shown}");
        assert!(!shown.contains(TOKEN), "{shown}");
        assert_eq!(server.authorizations(), [None]);
    }
}

#[test]
fn texts_that_are_no_token_cannot_become_one() {
    for text in ["", " ", "a b", "a\nb", "a\r\nX-Injected: 1", "t\u{f6}ken", "\0", "\"x\"", "a,b"] {
        AccessToken::new(text).unwrap_err();
    }
    AccessToken::new("x".repeat(100_000)).unwrap_err();
}
