//! Tokens that live for seconds under programs that work for minutes.

use std::process::{Command, Stdio};
use std::time::Duration;

use reqwest_scitokens::{Attach, Session};
use scitoken_storage::StoredSource;
use scitoken_storage::oauth::{OAuthClient, ProviderMetadata};
use scitoken_storage::{JsonTokenStorage, TokenStorage};
use scitoken_types::sys::Env;
use tokio::time::Instant;
use url::Url;

use super::provider::Provider;

/// How long tokens live, in seconds.
const LIFETIME: u32 = 5;
/// How long the programs work.
const SHIFT: Duration = Duration::from_secs(120);

/// A program that needs a resource all the time. It is the other process of the test below.
#[tokio::test]
#[ignore = "run by the test beside it"]
async fn worker() {
    let env = Env::process();
    let variable = |name: &str| env.get(name).expect("set by the test").into_string().unwrap();
    let issuer: Url = variable("WORKER_ISSUER").parse().unwrap();
    let ca = variable("WORKER_CA");
    let plain = Session::builder().attach(Attach::Never).ca_file(&ca).build().unwrap().client().clone();
    let metadata = ProviderMetadata::discover(&plain, &issuer).await.unwrap();
    let client = OAuthClient::new(plain, metadata, "public");
    let storage = JsonTokenStorage::new(variable("WORKER_STORAGE"));
    let source = StoredSource::new(storage, "storage").with_renewal(client);
    let session = Session::builder().source(source).attach(Attach::Required).ca_file(&ca).build().unwrap();
    let resource = issuer.join("resource").unwrap();
    let start = Instant::now();
    while start.elapsed() < SHIFT {
        let response = session.get(resource.clone()).send().await.unwrap();
        assert_eq!(response.status(), 200, "after {:?}", start.elapsed());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn two_processes_share_a_rotating_refresh_token_for_two_minutes() {
    let Some(provider) = Provider::met(LIFETIME) else { return };
    let client = provider.client("public").await;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens.json");
    let tokens = provider.log_in(&client).await.for_resource_server("storage");
    JsonTokenStorage::new(&path).store_token_response(&tokens).unwrap();
    let before = provider.stats().await.granted;

    let workers: Vec<_> = (0..2)
        .map(|_| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--ignored", "--exact", "oauth::renewal::worker"])
                .env("WORKER_ISSUER", provider.issuer().as_str())
                .env("WORKER_CA", provider.ca())
                .env("WORKER_STORAGE", &path)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for worker in workers {
        let output = tokio::task::spawn_blocking(|| worker.wait_with_output().unwrap()).await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }

    let stats = provider.stats().await;
    assert_eq!(stats.refused, 0, "no refresh token was used twice");
    // A token is renewed when a quarter of its life is left; a tenth more for rounding and the start.
    let needed = SHIFT.as_secs_f64() / (f64::from(LIFETIME) * 0.75);
    let renewals = stats.granted - before;
    assert!(f64::from(renewals) <= needed * 1.1 + 2.0, "{renewals} renewals where {needed:.0} are needed");
    assert!(renewals >= 20, "{renewals} renewals are too few to have tested anything");
    assert!(stats.served > 1_000, "{stats:?}");
    assert!(
        stats.turned_away <= renewals,
        "a refusal is answered with another token, never twice: {stats:?}"
    );
    println!("{stats:?}, of which {renewals} renewals");
}
