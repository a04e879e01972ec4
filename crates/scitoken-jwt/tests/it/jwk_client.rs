//! The kept key set of an issuer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use scitoken_jwt::fetch::Fetcher;
use scitoken_jwt::keys::{Algorithm, JwkSet, KeyKind, SigningKey};
use scitoken_jwt::{self, Encoder, JwkClient, JwtError, Validation};
use scitoken_types::sys::ManualClock;
use serde_json::json;
use url::Url;

/// An issuer whose keys can be changed, and that counts the requests.
#[derive(Clone, Default)]
struct Issuer {
    answer: Arc<Mutex<Answer>>,
    asked: Arc<AtomicUsize>,
    /// How long an answer takes, in milliseconds.
    delay: Arc<AtomicU64>,
}

#[derive(Clone, Default)]
enum Answer {
    #[default]
    Down,
    Away,
    Text(String),
}

impl Issuer {
    fn set(&self, answer: Answer) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    fn publish(&self, keys: &[(&str, &SigningKey)]) {
        let set: JwkSet = keys.iter().map(|(id, key)| key.to_jwk().unwrap().with_key_id(id)).collect();
        self.set(Answer::Text(set.to_public_json()));
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    async fn answer(self) -> Response {
        self.asked.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(self.delay.load(Ordering::SeqCst))).await;
        match self.answer.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            Answer::Down => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            Answer::Away => Redirect::temporary("/other").into_response(),
            Answer::Text(text) => text.into_response(),
        }
    }

    async fn serve(&self) -> Url {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks", listener.local_addr().unwrap());
        let issuer = self.clone();
        let router = Router::new().fallback(move || issuer.clone().answer());
        tokio::spawn(async move { axum::serve(listener, router).await });
        url.parse().unwrap()
    }
}

fn client(url: Url, clock: &ManualClock) -> JwkClient {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let fetcher = Fetcher::new(http).dangerously_allow_http_on_loopback().refuse_redirects();
    JwkClient::with_fetcher(url, fetcher).with_clock(clock.clone())
}

fn token(key: &SigningKey, key_id: &str) -> String {
    Encoder::new(Algorithm::EdDsa).key_id(key_id).encode(&json!({"sub": "me"}), key).unwrap()
}

fn name<T>(result: &Result<T, JwtError>) -> &'static str {
    result.as_ref().err().map_or("ok", JwtError::pyjwt_name)
}

struct Scene {
    issuer: Issuer,
    clock: ManualClock,
    client: JwkClient,
    first: SigningKey,
    second: SigningKey,
}

async fn scene() -> Scene {
    let issuer = Issuer::default();
    issuer.delay.store(20, Ordering::SeqCst);
    let clock = ManualClock::at_epoch_seconds(1_000_000);
    let client = client(issuer.serve().await, &clock);
    let key = || SigningKey::generate(KeyKind::Ed25519).unwrap();
    let (first, second) = (key(), key());
    issuer.publish(&[("one", &first)]);
    Scene { issuer, clock, client, first, second }
}

#[tokio::test]
async fn a_token_is_verified_with_the_key_that_it_names() {
    let Scene { issuer, clock, client, first, .. } = scene().await;
    let token = token(&first, "one");
    for _ in 0..3 {
        let key = client.signing_key_of_token(&token).await.unwrap();
        let claims = scitoken_jwt::decode(&token, &key, &Validation::new()).unwrap();
        assert_eq!(claims.text("sub"), Some("me"));
        clock.advance(Duration::from_secs(100));
    }
    assert_eq!(issuer.asked(), 1);
    clock.advance(Duration::from_secs(1));
    client.key_set().await.unwrap();
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test]
async fn an_unknown_name_is_looked_for_once_within_the_cooldown() {
    let Scene { issuer, clock, client, first, second } = scene().await;
    assert_eq!(name(&client.signing_key("two").await), "PyJWKClientError");
    assert_eq!(issuer.asked(), 1);
    issuer.publish(&[("one", &first), ("two", &second)]);
    assert_eq!(name(&client.signing_key("two").await), "PyJWKClientError");
    assert_eq!(issuer.asked(), 1);
    clock.advance(Duration::from_secs(30));
    assert_eq!(name(&client.signing_key("two").await), "ok");
    assert_eq!(issuer.asked(), 2);
    for n in 0..50 {
        assert_eq!(name(&client.signing_key(&format!("invented-{n}")).await), "PyJWKClientError");
    }
    assert_eq!(issuer.asked(), 2);
    assert_eq!(name(&client.signing_key("one").await), "ok");
}

#[tokio::test]
async fn without_a_cooldown_every_unknown_name_is_looked_for() {
    let Scene { issuer, client, .. } = scene().await;
    let client = client.with_cooldown(Duration::ZERO);
    for _ in 0..3 {
        assert_eq!(name(&client.signing_key("two").await), "PyJWKClientError");
    }
    assert_eq!(issuer.asked(), 3);
}

#[tokio::test]
async fn the_last_good_set_is_used_while_the_issuer_is_down() {
    let Scene { issuer, clock, client, .. } = scene().await;
    client.signing_key("one").await.unwrap();
    issuer.set(Answer::Down);
    clock.advance(Duration::from_secs(301));
    for _ in 0..5 {
        client.signing_key("one").await.unwrap();
    }
    assert_eq!(issuer.asked(), 2, "the issuer is not asked during the cool-down");
    clock.advance(Duration::from_secs(3_600));
    assert_eq!(name(&client.signing_key("one").await), "PyJWKClientConnectionError");
}

#[tokio::test]
async fn a_failed_look_for_an_unknown_name_keeps_the_set() {
    let Scene { issuer, clock, client, .. } = scene().await;
    client.signing_key("one").await.unwrap();
    clock.advance(Duration::from_secs(40));
    issuer.set(Answer::Text("<html>".to_owned()));
    assert_eq!(name(&client.signing_key("two").await), "PyJWKClientError");
    assert_eq!(issuer.asked(), 2);
    client.signing_key("one").await.unwrap();
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test]
async fn without_grace_a_stale_set_is_an_error_as_in_pyjwt() {
    let Scene { issuer, clock, client, .. } = scene().await;
    let client = client.with_grace(Duration::ZERO);
    client.signing_key("one").await.unwrap();
    issuer.set(Answer::Down);
    clock.advance(Duration::from_secs(301));
    assert_eq!(name(&client.signing_key("one").await), "PyJWKClientConnectionError");
    issuer.publish(&[("one", &SigningKey::generate(KeyKind::P256).unwrap())]);
    clock.advance(Duration::from_secs(30));
    assert_eq!(client.signing_key("one").await.unwrap().algorithm(), Algorithm::Es256);
}

#[tokio::test]
async fn however_many_ask_at_once_one_fetch_is_under_way() {
    for (is_up, wanted) in [(true, "ok"), (false, "PyJWKClientConnectionError")] {
        let Scene { issuer, client, .. } = scene().await;
        if !is_up {
            issuer.set(Answer::Down);
        }
        let client = Arc::new(client);
        let mut asking = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let client = Arc::clone(&client);
            asking.spawn(async move { client.signing_key("one").await });
        }
        for result in asking.join_all().await {
            assert_eq!(name(&result), wanted);
        }
        assert_eq!(issuer.asked(), 1);
    }
}

#[tokio::test]
async fn an_issuer_that_never_had_keys_is_not_asked_during_the_cooldown_either() {
    for (answer, wanted) in [
        (Answer::Down, "PyJWKClientConnectionError"),
        (Answer::Text(r#"{"keys":[]}"#.to_owned()), "PyJWKSetError"),
    ] {
        let Scene { issuer, clock, client, first, .. } = scene().await;
        issuer.set(answer);
        let client = Arc::new(client);
        let mut asking = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let client = Arc::clone(&client);
            asking.spawn(async move { client.signing_key("one").await });
        }
        for result in asking.join_all().await {
            assert_eq!(name(&result), wanted);
        }
        for _ in 0..20 {
            assert_eq!(name(&client.signing_key("one").await), wanted);
        }
        assert_eq!(issuer.asked(), 1);
        issuer.publish(&[("one", &first)]);
        clock.advance(Duration::from_secs(30));
        assert_eq!(name(&client.signing_key("one").await), "ok");
    }
}

#[tokio::test]
async fn a_caller_that_gives_up_leaves_the_others_waiting_for_one_fetch() {
    let Scene { issuer, client, .. } = scene().await;
    issuer.delay.store(60_000, Ordering::SeqCst);
    let client = Arc::new(client);
    let ask = || {
        let client = Arc::clone(&client);
        tokio::spawn(async move { client.signing_key("one").await })
    };
    let leader = ask();
    while issuer.asked() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let follower = ask();
    tokio::task::yield_now().await;
    issuer.delay.store(0, Ordering::SeqCst);
    leader.abort();
    assert_eq!(name(&follower.await.unwrap()), "ok");
    assert_eq!(issuer.asked(), 2);
}

#[tokio::test]
async fn odd_answers_have_the_names_of_pyjwt() {
    for (answer, wanted) in [
        (Answer::Text("<html>".to_owned()), "PyJWKClientError"),
        (Answer::Text("[]".to_owned()), "PyJWKClientError"),
        (Answer::Text(r#"{"keys":[]}"#.to_owned()), "PyJWKSetError"),
        (Answer::Text(r#"{"keys":[{"kty":"dog"},5]}"#.to_owned()), "PyJWKSetError"),
        (Answer::Away, "PyJWKClientConnectionError"),
        (Answer::Down, "PyJWKClientConnectionError"),
    ] {
        let Scene { issuer, client, .. } = scene().await;
        issuer.set(answer);
        assert_eq!(name(&client.key_set().await), wanted);
    }
    let Scene { client, first, .. } = scene().await;
    let nameless = scitoken_jwt::encode(&json!({}), &first, Algorithm::EdDsa).unwrap();
    assert_eq!(name(&client.signing_key_of_token(nameless).await), "PyJWKClientError");
    assert_eq!(name(&client.signing_key_of_token("x").await), "DecodeError");
}
