//! A stored token under the whole client: refused once, refused twice, and never shown.

use reqwest_scitokens::{Attach, ResponseExt as _};
use scitoken_storage::StoredSource;
use scitoken_storage::oauth::{OAuthClient, ProviderMetadata};
use scitoken_storage::{MemoryTokenStorage, TokenStorage, TokenStorageData};

use scitoken_test_support::chain;
use scitoken_test_support::clients::session;
use scitoken_test_support::logs::Logs;
use scitoken_test_support::{Reply, Script, Server};

const FAR: i64 = 4_102_444_800;

/// A source whose first token is `at1`, renewed at this server.
fn source(issuer: &Server) -> (StoredSource, MemoryTokenStorage) {
    let storage = MemoryTokenStorage::new();
    let entry = TokenStorageData::new("data", "s", "at1-hush", FAR).with_refresh_token("rt1-hush");
    storage.store_token_data(entry).unwrap();
    let http = session(Script::new(&[])).attach(Attach::Never).build().unwrap();
    let metadata = ProviderMetadata::new(issuer.url("").as_str(), issuer.url("/token"));
    let client = OAuthClient::new(&http, metadata, "me").with_secret("pw-hush");
    (StoredSource::new(storage.clone(), "data").with_renewal(client), storage)
}

fn renewed() -> Reply {
    Reply::ok(
        r#"{"access_token": "at2-hush", "refresh_token": "rt2-hush", "token_type": "Bearer", "expires_in": 600}"#,
    )
}

#[tokio::test]
async fn a_token_that_is_refused_is_renewed_and_the_request_sent_once_more() {
    let issuer = Server::http(|_| renewed()).await;
    let data = Server::http(|seen| Reply::protected(seen, "at2-hush")).await;
    let (source, storage) = source(&issuer);
    let session = session(source).build().unwrap();
    for _ in 0..3 {
        let response = session.get(data.url("/f")).send().await.unwrap();
        assert_eq!(response.status(), 200);
    }
    assert_eq!(data.tokens(), ["at1-hush", "at2-hush", "at2-hush", "at2-hush"]);
    assert_eq!(issuer.seen().len(), 1);
    let form = String::from_utf8_lossy(&issuer.seen()[0].body).into_owned();
    assert_eq!(form, "grant_type=refresh_token&refresh_token=rt1-hush");
    let kept = storage.get_token_data("data").unwrap().unwrap();
    assert_eq!(kept.expose_refresh_token(), Some("rt2-hush"));
}

#[tokio::test]
async fn a_server_that_refuses_the_renewed_token_too_is_asked_no_third_time() {
    let issuer = Server::http(|_| renewed()).await;
    let data = Server::http(|_| Reply::challenge("Bearer error=\"invalid_token\"")).await;
    let session = session(source(&issuer).0).build().unwrap();
    let response = session.get(data.url("/f")).send().await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(data.tokens(), ["at1-hush", "at2-hush"]);
    assert_eq!(issuer.seen().len(), 1);
}

#[tokio::test]
async fn a_renewal_that_fails_leaves_the_servers_own_answer_and_tells_no_secret() {
    let logs = Logs::capture();
    let issuer = Server::http(|_| Reply::new(400).body(r#"{"error": "invalid_grant"}"#)).await;
    let data = Server::http(|_| Reply::challenge("Bearer")).await;
    let (source, _) = source(&issuer);
    let session = session(source.clone()).build().unwrap();
    let response = session.get(data.url("/f")).send().await.unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(data.tokens(), ["at1-hush"]);
    let trace = format!("{:?}", response.auth_trace());

    let url = data.url("/f");
    let rejected = scitoken_types::AccessToken::new("at1-hush").unwrap();
    let request = reqwest_scitokens::TokenRequest::new(&url).unwrap().with_rejected(&rejected);
    let error = reqwest_scitokens::TokenSource::token(&source, &request).await.unwrap_err();
    let all = format!("{} {trace} {source:?} {}", chain(&error), logs.text());
    assert!(all.contains("invalid_grant") && !all.contains("hush"), "{all}");
}
