//! The token is shown to nobody: not by Debug, not by Display, not in errors, not in the logs of whole runs.

use std::error::Error as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::header;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest_scitokens::sys::Env;
use reqwest_scitokens::{
    AccessToken, Attach, AuthMiddleware, AuthOptions, Chain, CommandSource, Discovery, Error, FileSource,
    FixedSource, HostMap, RequestBuilderExt as _, ResponseExt as _, SharedTokenSource, SourceError,
    TokenRequest,
};
use serde_json::json;

use crate::support::clients::{foreign, session, session_knowing, wrapped};
use crate::support::logs::Logs;
use crate::support::secrecy::{OPAQUE, assert_silent, forms};
use crate::support::server::Place;
use crate::support::xrootd::Release;
use crate::support::{Reply, Script, Server, XRootD, tokens};
use crate::{chain, write_token};

fn jwt() -> String {
    tokens::jwt(&json!({
        "wlcg.ver": "1.0", "iss": "https://issuer.test", "sub": "alice", "jti": "8f1c4c8e-0b4e-4a4e",
        "aud": "https://elsewhere.test", "exp": tokens::in_an_hour(), "scope": "storage.read:/vo",
    }))
}

#[test]
fn the_search_finds_what_it_looks_for() {
    for token in [OPAQUE.to_owned(), jwt()] {
        let encoded = STANDARD_NO_PAD.encode(format!("Bearer {token}"));
        for shown in [token.clone(), encoded, utf8_percent_encode(&token, NON_ALPHANUMERIC).to_string()] {
            assert!(forms(&token).iter().any(|form| shown.contains(form)), "{shown}");
        }
    }
}

// ---- types

#[tokio::test]
async fn no_public_type_tells_the_token() {
    for text in [OPAQUE.to_owned(), jwt()] {
        let token = AccessToken::new(text.clone()).unwrap().with_found_in("file /x");
        let mut url = url::Url::parse(&format!("https://h.test/f?authz=Bearer%20{text}#{text}")).unwrap();
        url.set_password(Some(&text)).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        write_token(&path, &text);
        let env = Env::given([("BEARER_TOKEN", text.as_str())]);
        let discovery = Discovery::new().with_env(env.clone()).with_tmp(directory.path());
        let fixed = FixedSource::new(token.clone());
        let shared = SharedTokenSource::from(fixed.clone());
        let file = FileSource::new(&path);
        let chain_of_all = Chain::new().then(fixed.clone()).then(Script::new(&["-"]));
        let map = HostMap::new().with("h.test".parse().unwrap(), fixed.clone()).otherwise(fixed.clone());
        let command = CommandSource::new("token-tool").args(["--password", text.as_str()]);
        let request = TokenRequest::new(&url).unwrap().with_rejected(&token);
        let survey = discovery.survey(&request);
        let options = AuthOptions::new().token(token.clone()).attach(Attach::Required);
        let middleware = AuthMiddleware::new(token.clone());
        let builder = AuthMiddleware::builder(token.clone());
        let session_builder = session(token.clone());
        let session = session(token.clone()).build().unwrap();
        let error = SourceError::expired(&token, std::time::SystemTime::UNIX_EPOCH);
        let shown = [
            format!("{token:?} {token:#?}"),
            format!("{:?}", token.clone().with_expiry(std::time::SystemTime::UNIX_EPOCH)),
            format!("{env:?} {discovery:?} {survey:?}"),
            format!("{:?}", survey.findings().iter().map(|f| f.describe(request.now())).collect::<Vec<_>>()),
            format!("{fixed:?} {shared:?} {file:?} {chain_of_all:?} {map:?} {command:?}"),
            format!("{request:?} {request:#?}"),
            format!("{options:?} {options:#?} {middleware:?} {middleware:#?} {builder:?}"),
            format!("{session_builder:?} {session:?} {session:#?} {:?}", session.client()),
            format!("{error} {error:?} {:?}", error.hint()),
            format!("{} {:?}", reqwest_scitokens::SafeUrl::new(&url), reqwest_scitokens::SafeUrl::new(&url)),
        ];
        for shown in shown {
            assert_silent(&shown, &text);
            assert_silent(&shown, OPAQUE);
        }
    }
}

#[tokio::test]
async fn no_trace_and_no_explanation_tells_a_token() {
    for token in [OPAQUE.to_owned(), jwt()] {
        for status in [401, 403] {
            let challenge = format!("Bearer realm=\"{token}\", error=\"invalid_token\"");
            let server = Server::http(move |_| {
                Reply::new(status).header(header::WWW_AUTHENTICATE, &challenge).header(header::SERVER, "x")
            })
            .await;
            let session = session(Script::new(&[&token])).build().unwrap();
            let url = server.url(&format!("/f?authz=Bearer%20{token}"));
            for url in [url, server.url(&format!("/vo/{token}/f")), server.url("/f")] {
                let response = session.get(url).send().await.unwrap();
                let trace = response.auth_trace().unwrap();
                let explained = response.explain().unwrap();
                let shown = format!("{trace} {trace:?} {trace:#?} {explained} {explained:?}");
                // A server that says the token in its own words, or a path that is one, is beyond knowing for
                // opaque tokens; a JWT is known by its shape.
                if token == OPAQUE {
                    assert!(!shown.contains(&format!("authz=Bearer%20{token}")), "{shown}");
                } else {
                    assert_silent(&shown, &token);
                }
            }
        }
    }
}

// ---- errors

#[tokio::test]
async fn no_error_of_a_request_tells_the_token_in_its_address() {
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let hanging_up = Server::http(|_| Reply::hang_up()).await;
    let loop_server = Server::http(|seen| Reply::redirect(302, &seen.target)).await;
    let unknown = Place::https("localhost")
        .tls(crate::support::tls::unknown_authority().acceptor())
        .start(|_| Reply::ok(""))
        .await;
    for token in [OPAQUE.to_owned(), jwt()] {
        let query = format!("/f?authz=Bearer%20{}", utf8_percent_encode(&token, NON_ALPHANUMERIC));
        let addresses = [
            format!("http://{gone}{query}").parse().unwrap(),
            hanging_up.url(&query),
            loop_server.url(&query),
            unknown.url(&query),
        ];
        for url in addresses {
            let client = session(Script::new(&[&token])).build().unwrap();
            let error = client.get(url.clone()).send().await.unwrap_err();
            assert_silent(&chain(&error), &token);
        }
    }
}

#[tokio::test]
async fn no_error_of_a_redirect_tells_the_token_in_its_location() {
    for token in [OPAQUE.to_owned(), jwt()] {
        let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        for location in [
            format!("http://{gone}/f?authz=Bearer%20{token}"),
            format!("http://localhost:1/f?access_token={token}"),
            format!("https://me:{token}@localhost:1/f"),
            format!("ftp://localhost/{token}"),
            format!("file:///{token}"),
            format!("https://localhost:1/f#{token}"),
            format!("https://[{token}/"),
        ] {
            let location_sent = location.clone();
            let server = Server::https(move |_| Reply::redirect(302, &location_sent)).await;
            let session = session(Script::new(&[&token])).build().unwrap();
            let error = session.get(server.url("/start")).send().await.unwrap_err();
            assert_silent(&chain(&error), &token);
            if let Some(found) = Error::find(&error) {
                assert_silent(&format!("{found} {found:?} {:?}", found.hint()), &token);
            }
        }
    }
}

#[tokio::test]
async fn no_error_of_a_source_tells_what_it_read() {
    for token in [OPAQUE.to_owned(), jwt()] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        let server = Server::http(|_| Reply::ok("")).await;
        let contents = [
            format!("Bearer {token}"),
            format!("{token}\n{token}"),
            format!("{{\"refresh_token\": \"{token}\"}}"),
            format!("{{\"access_token\": \"{token}"),
            format!("{{\"access_token\": \" x {token}\"}}"),
            format!("\u{feff}{token}"),
            format!("{token} trailing"),
            format!("\"{token}\""),
        ];
        for content in contents {
            write_token(&path, &content);
            let sources = [
                SharedTokenSource::from(FileSource::new(&path)),
                Discovery::new()
                    .with_env(Env::given([("BEARER_TOKEN", &content)]))
                    .with_tmp("/nowhere")
                    .into(),
                Discovery::new()
                    .with_env(Env::given([("BEARER_TOKEN_FILE", &path)]))
                    .with_tmp("/nowhere")
                    .into(),
            ];
            for source in sources {
                let session = session(source).attach(Attach::Required).build().unwrap();
                if let Err(error) = session.get(server.url("/f")).send().await {
                    assert_silent(&chain(&error), &token);
                    assert_silent(&format!("{:?}", Error::find(&error).unwrap().hint()), &token);
                }
            }
        }
    }
}

#[cfg(unix)]
#[tokio::test]
async fn no_error_of_a_command_tells_a_jwt_that_it_printed() {
    let token = jwt();
    let server = Server::http(|_| Reply::ok("")).await;
    for line in [
        format!("echo the token {token} is bad >&2; exit 1"),
        format!("echo token={token}"),
        format!("echo {token}; echo {token}"),
        format!("exit 3 # {token}"),
    ] {
        let session = session(CommandSource::shell(line)).attach(Attach::Required).build().unwrap();
        let error = session.get(server.url("/f")).send().await.unwrap_err();
        assert_silent(&chain(&error), &token);
    }
}

#[test]
fn no_error_about_a_text_tells_the_text() {
    for text in ["Bearer secretsecretsecret", "secretsecretsecret secret", "secretsecretsecret\n"] {
        let error = AccessToken::new(text).unwrap_err();
        let shown = format!("{error} {error:?} {:?}", error.source());
        assert!(!shown.contains("secretsecretsecret"), "{shown}");
    }
}

// ---- logs

/// Runs through everything that a request can meet, with this token.
async fn full_run(token: &str) {
    // found, attached, refused, replaced
    let server = Server::https(|seen| Reply::protected(seen, "fresh")).await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    write_token(&path, token);
    let discovery = Discovery::new().with_env(Env::given([("BEARER_TOKEN_FILE", &path)]));
    let session = session(discovery).build().unwrap();
    session.get(server.url("/f")).send().await.unwrap();
    session.get(server.url("/f")).attach(Attach::OnChallenge).send().await.unwrap();
    session.put(server.url("/f")).body("x").token(AccessToken::new(token).unwrap()).send().await.unwrap();
    write_token(&path, "fresh");

    // a foreign client
    let plain = Server::http(|_| Reply::challenge("Bearer")).await;
    wrapped(Script::new(&[token, "other"])).get(plain.url("/f")).send().await.unwrap();

    // redirects with the token in the address, and to strangers
    let data = XRootD::data_server(Release::V5_5_3, token).await;
    let manager =
        XRootD::manager(Release::V5_5_3, data.url("").as_str().trim_end_matches('/').to_owned()).await;
    let xrootd = crate::support::clients::session(Script::new(&[token])).build().unwrap();
    xrootd.get(manager.url("/vo/hello.txt")).send().await.unwrap();
    let plain_data = data.url_as("http", "127.0.0.1", "").as_str().trim_end_matches('/').to_owned();
    let downgrading = XRootD::manager(Release::V6_1, plain_data).await;
    xrootd.get(downgrading.url("/vo/hello.txt")).send().await.unwrap_err();
    xrootd.put(data.url("/vo/new")).body(vec![0; 200_000]).send().await.ok();
    let stranger = Place::https("stranger.test").start(|_| Reply::challenge("Bearer")).await;
    let location = stranger.url("/f").to_string();
    let first = Place::https("site.test").start(move |_| Reply::redirect(307, &location)).await;
    let strict = session_knowing(Script::new(&[token]), &[&first, &stranger]).build().unwrap();
    strict.get(first.url("/f")).send().await.unwrap();

    // sources that are broken
    write_token(&path, &format!("Bearer {token}"));
    let broken = crate::support::clients::session(FileSource::new(&path)).build().unwrap();
    broken.get(server.url("/f")).send().await.unwrap();
    broken.get(server.url("/f")).attach(Attach::Required).send().await.unwrap_err();
}

/// Mistake 34: requests-scitokens logs the whole `Authorization` header.
#[tokio::test]
async fn the_trace_logs_of_full_runs_do_not_tell_the_token() {
    for token in [OPAQUE.to_owned(), jwt()] {
        let logs = Logs::capture();
        full_run(&token).await;
        let text = logs.text();
        assert!(text.contains("reqwest_scitokens"), "nothing of ours was logged:\n{text}");
        assert_silent(&text, &token);
    }
}

#[tokio::test]
async fn what_we_log_ourselves_has_neither_queries_nor_passwords() {
    let logs = Logs::capture();
    let server = Server::http(|_| Reply::challenge("Bearer")).await;
    let mut url = server.url("/f?authz=querysecret&x=othersecret");
    url.set_password(Some("passwordsecret")).unwrap();
    let session = session(Script::new(&["a", "b"])).build().unwrap();
    session.get(server.url("/f?authz=querysecret&x=othersecret")).send().await.unwrap();
    session.get(url).send().await.unwrap();
    for line in logs.text().lines().filter(|line| line.contains("reqwest_scitokens")) {
        for secret in ["querysecret", "othersecret", "passwordsecret"] {
            assert!(!line.contains(secret), "{line}");
        }
    }
    drop(foreign());
}
