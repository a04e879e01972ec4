//! A client that is registered on demand logs in against a real server, and its tokens are renewed from the storage.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest_scitokens::Attach;
use scitoken_storage::login::LoginTarget;
use scitoken_storage::oauth::{ClientRegistration, GrantRequest, ProviderMetadata, RegisteredClient};
use scitoken_storage::{JsonTokenStorage, StoredSource, TokenStorage as _};
use scitoken_test_support::clients::session;
use scitoken_test_support::{Reply, Script, Seen, Server};

fn at(seen: &Seen, path: &str) -> String {
    format!("http://{}{path}", seen.header("host").unwrap())
}

/// The issuer of a namespace: registers clients, and forgets none.
async fn issuer() -> Server {
    let polls = Arc::new(AtomicUsize::new(0));
    Server::http(move |seen| {
        let body = String::from_utf8_lossy(&seen.body).into_owned();
        let registered = seen.authorization() == Some("Basic YzE6cHctaHVzaA==");
        match seen.target.as_str() {
            "/ns/.well-known/openid-configuration" => Reply::ok(format!(
                r#"{{"issuer": "{}", "token_endpoint": "{}", "device_authorization_endpoint": "{}",
                    "registration_endpoint": "{}", "jwks_uri": 5}}"#,
                at(seen, "/ns"),
                at(seen, "/ns/token"),
                at(seen, "/ns/device"),
                at(seen, "/ns/register")
            )),
            "/ns/register" => {
                assert!(body.contains("device_code") && body.contains("storage.read:/d offline_access"), "{body}");
                Reply::new(201).body(
                    r#"{"client_id": "c1", "client_secret": "pw-hush", "client_secret_expires_at": 0,
                        "registration_client_uri": null, "grant_types": "x"}"#,
                )
            }
            _ if !registered => Reply::new(401).body(r#"{"error": "invalid_client"}"#),
            "/ns/device" => Reply::ok(
                r#"{"device_code": "dc", "user_code": "UC", "verification_uri": "https://iss.example/d",
                    "expires_in": 60, "interval": 1}"#,
            ),
            "/ns/token" if body.contains("refresh_token=rt1") => Reply::ok(
                r#"{"access_token": "at2", "refresh_token": "rt2", "token_type": "Bearer", "expires_in": 600}"#,
            ),
            "/ns/token" if polls.fetch_add(1, Ordering::SeqCst) == 0 => {
                Reply::ok(r#"{"error": "authorization_pending"}"#)
            }
            "/ns/token" => Reply::ok(
                r#"{"access_token": "at1", "refresh_token": "rt1", "token_type": "Bearer", "expires_in": 0}"#,
            ),
            other => panic!("{other}"),
        }
    })
    .await
}

#[tokio::test]
async fn a_client_registered_on_demand_logs_in_and_its_tokens_are_renewed() {
    let issuer = issuer().await;
    let http = session(Script::new(&[])).attach(Attach::Never).build().unwrap().client().clone();
    let directory = tempfile::tempdir().unwrap();
    let storage = JsonTokenStorage::new(directory.path().join("tokens.json"));
    let target = LoginTarget::storage(storage.clone()).prepare().unwrap();

    let metadata = ProviderMetadata::discover(&http, &issuer.url("/ns")).await.unwrap();
    let scopes = ["storage.read:/d", "offline_access"].map(|scope| scope.parse().unwrap());
    let [read, offline] = scopes;
    let registered = ClientRegistration::new("scitoken").with_scope(read).with_scope(offline);
    let registered = registered.register(&http, &metadata).await.unwrap();
    let kept = RegisteredClient::from_json(&registered.expose_json()).unwrap();

    let client = kept.client(http, metadata);
    let authorization = client.authorize_device(&GrantRequest::new()).await.unwrap();
    assert_eq!(authorization.user_code(), "UC");
    let tokens = client.wait_for_authorization(authorization).await.unwrap().for_resource_server("ns");
    target.store(tokens.token_data().unwrap()).unwrap();
    assert_eq!(storage.get_token_data("ns").unwrap().unwrap().expose_refresh_token(), Some("rt1"));

    let data = Server::protected("at2").await;
    let session = session(StoredSource::new(storage.clone(), "ns").with_renewal(client)).build().unwrap();
    assert_eq!(session.get(data.url("/f")).send().await.unwrap().status(), 200);
    assert_eq!(storage.get_token_data("ns").unwrap().unwrap().expose_refresh_token(), Some("rt2"));
    let paths: Vec<_> = issuer.seen().into_iter().map(|seen| seen.target).collect();
    assert_eq!(
        paths,
        [
            "/ns/.well-known/openid-configuration",
            "/ns/register",
            "/ns/device",
            "/ns/token",
            "/ns/token",
            "/ns/token"
        ]
    );
}
