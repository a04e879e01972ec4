//! No output shows a token: types, errors, traces, logs.

use std::error::Error as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::header;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest_scitokens::auth::AuthOptions;
use reqwest_scitokens::source::{ChainSource, CommandSource, FixedSource};
use reqwest_scitokens::{
    Attach, AuthMiddleware, Discovery, Error, FileSource, HostMap, RedirectTrust, RequestBuilderExt as _,
    ResponseExt as _, SharedTokenSource, SourceError, TokenRequest,
};
use scitoken_types::AccessToken;
use scitoken_types::sys::Env;
use serde_json::json;

use scitoken_test_support::clients::{foreign, session, session_knowing, wrapped};
use scitoken_test_support::logs::Logs;
use scitoken_test_support::secrecy::{OPAQUE, assert_silent, forms};
use scitoken_test_support::server::Place;
use scitoken_test_support::xrootd::Release;
use scitoken_test_support::{Reply, Script, Server, XRootD, tokens};
use scitoken_test_support::{chain, write_token};

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
async fn no_public_type_shows_the_token() {
    for text in [OPAQUE.to_owned(), jwt()] {
        let token = AccessToken::new(text.clone()).unwrap().with_origin_label("file /x");
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
        let chain_of_all = ChainSource::new().then(fixed.clone()).then(Script::new(&["-"]));
        let map = HostMap::new().with("h.test".parse().unwrap(), fixed.clone()).otherwise(fixed.clone());
        let command = CommandSource::new("token-tool").args(["--password", text.as_str()]);
        let request = TokenRequest::new(&url).unwrap().with_rejected(&token);
        let report = discovery.report(&request);
        let options = AuthOptions::new().token(token.clone()).attach(Attach::Required);
        let middleware = AuthMiddleware::new(token.clone());
        let builder = AuthMiddleware::builder(token.clone());
        let session_builder = session(token.clone());
        let session = session(token.clone()).build().unwrap();
        let error = SourceError::expired(&token, std::time::SystemTime::UNIX_EPOCH);
        let shown = [
            format!("{token:?} {token:#?}"),
            format!("{:?}", token.clone().with_expiry(std::time::SystemTime::UNIX_EPOCH)),
            format!("{env:?} {discovery:?} {report:?}"),
            format!("{:?}", report.findings().iter().map(|f| f.describe(request.now())).collect::<Vec<_>>()),
            format!("{fixed:?} {shared:?} {file:?} {chain_of_all:?} {map:?} {command:?}"),
            format!("{request:?} {request:#?}"),
            format!("{options:?} {options:#?} {middleware:?} {middleware:#?} {builder:?}"),
            format!("{session_builder:?} {session:?} {session:#?} {:?}", session.client()),
            format!("{error} {error:?} {:?}", error.hint()),
            format!("{} {:?}", scitoken_types::SafeUrl::new(&url), scitoken_types::SafeUrl::new(&url)),
        ];
        for shown in shown {
            assert_silent(&shown, &text);
            assert_silent(&shown, OPAQUE);
        }
    }
}

#[tokio::test]
async fn no_trace_and_no_explanation_shows_a_token() {
    for token in [OPAQUE.to_owned(), jwt()] {
        for status in [401, 403] {
            let challenge = format!("Bearer realm=\"{token}\", error=\"invalid_token\", {token}=\"x\"");
            let server_name = format!("echo/{token}");
            let server = Server::http(move |_| {
                Reply::new(status)
                    .header(header::WWW_AUTHENTICATE, &challenge)
                    .header(header::SERVER, &server_name)
            })
            .await;
            let session = session(Script::new(&[&token])).build().unwrap();
            let url = server.url(&format!("/f?authz=Bearer%20{token}"));
            for url in [url, server.url(&format!("/vo/{token}/f")), server.url("/f")] {
                let response = session.get(url).send().await.unwrap();
                let trace = response.auth_trace().unwrap();
                let explained = response.explain().unwrap();
                let shown = format!("{trace} {trace:?} {trace:#?} {explained} {explained:?}");
                assert_silent(&shown, &token);
            }
        }
    }
}

// ---- errors

#[tokio::test]
async fn no_error_of_a_request_shows_the_token_in_its_url() {
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let hanging_up = Server::http(|_| Reply::hang_up()).await;
    let loop_server = Server::http(|seen| Reply::redirect(302, &seen.target)).await;
    let unknown = Place::https("localhost")
        .tls(scitoken_test_support::tls::unknown_authority().acceptor())
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
async fn no_error_of_a_redirect_shows_the_token_in_its_location() {
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
async fn no_error_of_a_source_shows_what_it_read() {
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
async fn no_error_of_a_command_shows_a_jwt_that_it_printed() {
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
fn no_error_about_a_text_shows_the_text() {
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

    // redirects with the token in the address, and to untrusted origins
    let data = XRootD::data_server(Release::V5_5_3, token).await;
    let manager =
        XRootD::manager(Release::V5_5_3, data.url("").as_str().trim_end_matches('/').to_owned()).await;
    let xrootd = scitoken_test_support::clients::session(Script::new(&[token])).build().unwrap();
    xrootd.get(manager.url("/vo/hello.txt")).send().await.unwrap();
    let plain_data = data.url_as("http", "127.0.0.1", "").as_str().trim_end_matches('/').to_owned();
    let downgrading = XRootD::manager(Release::V6_1, plain_data).await;
    xrootd.get(downgrading.url("/vo/hello.txt")).send().await.unwrap_err();
    xrootd.put(data.url("/vo/new")).body(vec![0; 200_000]).send().await.ok();
    let untrusted = Place::https("untrusted.test").start(|_| Reply::challenge("Bearer")).await;
    let location = untrusted.url("/f").to_string();
    let first = Place::https("site.test").start(move |_| Reply::redirect(307, &location)).await;
    let strict = session_knowing(Script::new(&[token]), &[&first, &untrusted]).build().unwrap();
    strict.get(first.url("/f")).send().await.unwrap();

    // sources that are broken
    write_token(&path, &format!("Bearer {token}"));
    let broken = scitoken_test_support::clients::session(FileSource::new(&path)).build().unwrap();
    broken.get(server.url("/f")).send().await.unwrap();
    broken.get(server.url("/f")).attach(Attach::Required).send().await.unwrap_err();
}

/// requests-scitokens logs the whole `Authorization` header.
#[tokio::test]
async fn the_trace_logs_of_full_runs_do_not_show_the_token() {
    for token in [OPAQUE.to_owned(), jwt()] {
        let logs = Logs::capture();
        full_run(&token).await;
        let text = logs.text();
        assert!(text.contains("reqwest_scitokens"), "nothing of ours was logged:\n{text}");
        assert_silent(&text, &token);
    }
}

#[tokio::test]
async fn the_librarys_own_logs_have_neither_queries_nor_passwords() {
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

#[tokio::test]
async fn no_text_shows_a_token_that_a_redirect_or_a_second_refusal_repeats() {
    let (refused, replacement) = ("opaque-refused-0123456789", "opaque-replacement-0123456789");
    let target = Server::http(move |seen| {
        // The answer to the second token repeats the first.
        let last = seen.authorization().unwrap_or_default().to_owned();
        Reply::challenge(format!("Bearer realm=\"{refused}\", error_description=\"{last}\""))
    })
    .await;
    for form in [refused.to_owned(), STANDARD_NO_PAD.encode(refused), format!("%6f{}", &refused[1..])] {
        let location = target.url(&format!("/{form}/f?again={form}")).to_string();
        let first = Server::http(move |_| Reply::redirect(302, &location)).await;
        let trust = RedirectTrust::Hosts(vec!["http://127.0.0.1".parse().unwrap()]);
        let session = session(Script::new(&[refused, refused, replacement])).redirect_trust(trust);
        let session = session.auth(|auth| auth.poll_interval(Duration::ZERO)).build().unwrap();
        let logs = Logs::capture();
        let response = session.get(first.url("/start")).send().await.unwrap();
        let (trace, explained) = (response.auth_trace().unwrap(), response.explain().unwrap());
        assert_eq!(trace.attempts().len(), 3, "{trace}");
        let url = response.url().to_string();
        let shown = format!("{trace} {trace:#?} {explained} {explained:?} {url} {}", logs.text());
        assert!(shown.contains("following a redirect"), "the logs are missing");
        for secret in [refused, replacement, &form] {
            assert_silent(&shown, secret);
        }
    }
}

#[tokio::test]
async fn no_error_of_a_redirect_shows_a_token_in_any_form() {
    let token = "opaque-sent-0123456789";
    for form in [token.to_owned(), STANDARD_NO_PAD.encode(token), format!("%6F{}", &token[1..])] {
        for location in [
            format!("http://untrusted.test/{form}/f"),
            format!("http://untrusted.test/f?x={form}"),
            format!("http://untrusted.test/f?%61uthz=Bearer%20{form}"),
            format!("{token}:nothing"),
        ] {
            let server = Server::http({
                let location = location.clone();
                move |_| Reply::redirect(302, &location)
            })
            .await;
            let session = session(Script::new(&[token])).build().unwrap();
            let error = session.get(server.url("/start")).send().await.unwrap_err();
            assert!(Error::find(&error).unwrap().is_redirect(), "{location}: {error}");
            assert_silent(&chain(&error), token);
            assert_silent(&chain(&error), &form);
        }
    }
}
