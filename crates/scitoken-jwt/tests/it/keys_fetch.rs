//! Documents of issuers over HTTP, from a server on this machine.

use std::error::Error as _;
use std::io::Write as _;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use scitoken_jwt::fetch::Fetcher;
use scitoken_types::AccessToken;
use serde_json::{Value, json};
use url::Url;

use scitoken_test_support::{Reply, Server, clients};

const KEYS: &str =
    r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn encoded(encoding: &'static str, body: Vec<u8>) -> Response {
    ([("content-encoding", encoding)], body).into_response()
}

async fn answer(request: Request) -> Response {
    let path = request.uri().path().to_owned();
    match path.as_str() {
        "/keys" => {
            let keys = json!({"keys": [{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]});
            keys.to_string().into_response()
        }
        "/headers" => {
            let shown =
                |headers: &HeaderMap| headers.keys().map(|name| name.as_str().to_owned()).collect::<Vec<_>>();
            json!(shown(request.headers())).to_string().into_response()
        }
        "/away" => Redirect::temporary("/keys").into_response(),
        "/elsewhere" => Redirect::temporary("http://localhost.example/keys").into_response(),
        "/large" => "x".repeat(2_000).into_response(),
        "/slow" => {
            tokio::time::sleep(Duration::from_secs(30)).await;
            "{}".into_response()
        }
        "/page" => "<!doctype html><title>404</title>".into_response(),
        "/pem" => "-----BEGIN PUBLIC KEY-----\n".into_response(),
        "/one" => r#"{"kty":"OKP","crv":"Ed25519","x":"AA"}"#.into_response(),
        "/metadata" => r#"{"issuer":"https://h","jwks_uri":"https://h/k"}"#.into_response(),
        "/gzip" => encoded("gzip", gzip(KEYS.as_bytes())),
        "/gzip-unsaid" => gzip(KEYS.as_bytes()).into_response(),
        "/mark" => format!("\u{feff}{KEYS}").into_response(),
        "/list" => r#"[{"kty":"OKP","crv":"Ed25519","x":"AA"}]"#.into_response(),
        "/keys-object" => r#"{"keys":{"k1":{"kty":"OKP"}}}"#.into_response(),
        "/no-keys" => r#"{"error":"unauthorized"}"#.into_response(),
        "/x-gzip" => encoded("X-GZIP", gzip(KEYS.as_bytes())),
        "/not-gzip" => encoded("gzip", [&[0x1f, 0x8b][..], b"broken"].concat()),
        "/already-decoded" => encoded("gzip", KEYS.into()),
        "/bomb" => encoded("gzip", gzip(&vec![b' '; 8 * 1024 * 1024])),
        "/deflate" => encoded("Deflate", zlib(KEYS.as_bytes())),
        "/deflate-bare" => encoded("deflate", deflate(KEYS.as_bytes())),
        "/deflate-decoded" => encoded("deflate", KEYS.into()),
        "/not-deflate" => encoded("deflate", vec![0xff; 40]),
        "/deflate-bomb" => encoded("deflate", zlib(&vec![b' '; 8 * 1024 * 1024])),
        "/br" => encoded("br", KEYS.into()),
        "/asked" => {
            let asked =
                request.headers().get("accept-encoding").map(|value| value.to_str().unwrap().to_owned());
            json!(asked).to_string().into_response()
        }
        "/trailing" => "{} x".into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn server() -> Url {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    base.parse().unwrap()
}

fn fetcher() -> Fetcher {
    let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    let client = http.build().unwrap();
    Fetcher::new(client).dangerously_allow_http_on_loopback()
}

#[tokio::test]
async fn a_key_set_is_fetched_and_redirects_to_it_are_followed() {
    let base = server().await;
    for path in ["/keys", "/away"] {
        assert_eq!(fetcher().key_set(&base.join(path).unwrap()).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn the_request_carries_no_credentials() {
    let base = server().await;
    let session = clients::session(AccessToken::new("secret").unwrap()).build().unwrap();
    let answer = session.get(base.join("/headers").unwrap()).send().await.unwrap();
    assert!(answer.text().await.unwrap().contains("auth"));
    let fetcher = Fetcher::new(session.http_client().clone()).dangerously_allow_http_on_loopback();
    let headers: Vec<String> = fetcher.json(&base.join("/headers").unwrap()).await.unwrap();
    assert!(headers.contains(&"accept".to_owned()));
    assert!(!headers.iter().any(|name| name == "authorization" || name == "cookie"), "{headers:?}");
}

#[tokio::test]
async fn answers_beyond_the_limits_are_refused() {
    let base = server().await;
    let error = fetcher().with_limit(1_999).get(&base.join("/large").unwrap()).await.unwrap_err();
    assert!(error.to_string().ends_with("/large` is larger than 1999 bytes"), "{error}");
    assert_eq!(
        fetcher().with_limit(2_000).get(&base.join("/large").unwrap()).await.unwrap().body.len(),
        2_000
    );
    let fetcher = fetcher().with_timeout(Duration::from_millis(50));
    let error = fetcher.get(&base.join("/slow").unwrap()).await.unwrap_err();
    assert!(error.is_transient());
    assert!(error.to_string().ends_with("/slow` took longer than 50ms"), "{error}");
}

#[tokio::test]
async fn answers_that_are_no_document_say_why() {
    let base = server().await;
    let error = fetcher().get(&base.join("/nothing").unwrap()).await.unwrap_err();
    assert_eq!(error.status(), Some(StatusCode::NOT_FOUND));
    let error = fetcher().json::<Value>(&base.join("/trailing").unwrap()).await.unwrap_err();
    assert!(error.is_malformed());
    assert_eq!(error.source().unwrap().to_string(), "trailing characters at line 1 column 4");
    let error = fetcher().key_set(&base.join("/headers").unwrap()).await.unwrap_err();
    assert!(error.to_string().ends_with("/headers` is not a key set"), "{error}");
    let error = fetcher().get(&"http://127.0.0.1:1/keys".parse().unwrap()).await.unwrap_err();
    assert!(error.is_transient());
    assert!(error.source().is_some());
}

#[tokio::test]
async fn plain_http_is_for_this_machine_by_hand_only() {
    let base = server().await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    assert!(Fetcher::new(client).get(&base.join("/keys").unwrap()).await.is_err());
}

/// Keys over `https`, and the way there from `https`: directly, or through a server without TLS in between.
async fn way_to_keys(through_http: bool) -> (Vec<Server>, Url) {
    let keys = Server::https(|_| Reply::ok(KEYS)).await;
    let mut next = keys.url("/keys").to_string();
    let mut servers = vec![keys];
    if through_http {
        let between = Server::http(move |_| Reply::redirect(302, &next)).await;
        next = between.url("/between").to_string();
        servers.push(between);
    }
    let first = Server::https(move |_| Reply::redirect(302, &next)).await;
    let url = first.url("/start");
    servers.push(first);
    (servers, url)
}

#[tokio::test]
async fn a_session_passes_through_nothing_but_https() {
    let session = clients::session(AccessToken::new("secret").unwrap()).build().unwrap();
    let fetcher = Fetcher::new(session.http_client().clone());
    let (_servers, url) = way_to_keys(false).await;
    assert_eq!(fetcher.key_set(&url).await.unwrap().len(), 1);
    let (servers, url) = way_to_keys(true).await;
    let error = fetcher.key_set(&url).await.unwrap_err();
    assert!(error.to_string().contains("is not https"), "{error}");
    assert!(servers[0].seen().is_empty() && servers[1].seen().is_empty(), "no server without TLS is asked");
}

#[tokio::test]
async fn a_client_that_follows_by_itself_is_told_to_leave_it() {
    let fetcher = Fetcher::new(clients::foreign().build().unwrap());
    for through_http in [false, true] {
        let (_servers, url) = way_to_keys(through_http).await;
        let error = fetcher.key_set(&url).await.unwrap_err();
        assert!(error.to_string().contains("build it with `redirect::Policy::none()`"), "{error}");
    }
}

#[tokio::test]
async fn identity_is_requested_and_compression_is_decoded_where_it_comes_all_the_same() {
    let base = server().await;
    let asked: Value = fetcher().json(&base.join("/asked").unwrap()).await.unwrap();
    assert_eq!(asked, json!("identity"));
    for path in [
        "/gzip",
        "/x-gzip",
        "/already-decoded",
        "/gzip-unsaid",
        "/mark",
        "/deflate",
        "/deflate-bare",
        "/deflate-decoded",
    ] {
        assert_eq!(fetcher().key_set(&base.join(path).unwrap()).await.unwrap().len(), 1, "{path}");
    }
    for (path, words) in [
        ("/not-gzip", "is not compressed as it claims"),
        ("/not-deflate", "is not compressed as it claims"),
        ("/br", "is encoded as `br`"),
        ("/bomb", "is larger than"),
        ("/deflate-bomb", "is larger than"),
    ] {
        let error = fetcher().get(&base.join(path).unwrap()).await.unwrap_err();
        assert!(error.is_malformed() && error.to_string().contains(words), "{error}");
    }
}

#[tokio::test]
async fn a_document_that_is_not_a_key_set_is_told_what_it_is() {
    let base = server().await;
    for (path, words) in [
        ("/page", "it is HTML or XML"),
        ("/pem", "it is PEM"),
        ("/one", "it is a single key"),
        ("/metadata", "it is the metadata of an issuer"),
        ("/list", "it is a list"),
        ("/keys-object", "its `keys` is not a list"),
        ("/no-keys", "it has no `keys`"),
        ("/large", "expected value"),
    ] {
        let error = fetcher().key_set(&base.join(path).unwrap()).await.unwrap_err();
        let cause = error.source().unwrap().to_string();
        assert!(cause.contains(words), "{path}: {cause}");
    }
}
