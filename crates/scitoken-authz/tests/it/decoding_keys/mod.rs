//! Issuer keys handed to the crate `jsonwebtoken`.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../../examples/axum_jsonwebtoken.rs"]
#[expect(dead_code, reason = "its `main` is not for tests")]
mod example;
mod hostile;
mod service;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect};
use axum::routing::get;
use jsonwebtoken::{Algorithm, Header, Validation};
use scitoken_authz::{AuthorizationError, Issuer, Verifier, VerifyError};
use scitoken_jwt::bridge::install_default;
use scitoken_jwt::keys::{JwkSet, KeyKind, SigningKey};
use scitoken_test_support::logs::Logs;
use scitoken_types::sys::ManualClock;
use serde_json::{Value, json};

/// An issuer with keys that can be replaced, and that counts the requests for them.
#[derive(Clone, Default)]
struct TestIssuer {
    base: Arc<Mutex<String>>,
    keys: Arc<Mutex<Vec<(String, SigningKey)>>>,
    /// What is answered instead of the keys and their address.
    instead: Arc<Mutex<Instead>>,
    requests: Arc<AtomicUsize>,
}

#[derive(Clone, Default)]
enum Instead {
    #[default]
    Nothing,
    Status(StatusCode),
    Body(String),
    /// A body without end, as fast or as slow as it is read.
    Endless(Duration),
    Redirect(String),
    KeysAt(String),
}

impl TestIssuer {
    async fn start() -> Self {
        install_default().unwrap();
        let issuer = Self::default();
        let metadata = |State(issuer): State<Self>| async move {
            let base = issuer.base.lock().unwrap().clone();
            let keys_at = match issuer.instead() {
                Instead::KeysAt(url) => url,
                _ => format!("{base}/jwks"),
            };
            json!({"issuer": base, "jwks_uri": keys_at}).to_string()
        };
        let jwks = |State(issuer): State<Self>| async move {
            issuer.requests.fetch_add(1, Ordering::SeqCst);
            let set: JwkSet = {
                let keys = issuer.keys.lock().unwrap();
                let named = |(kid, key): &(String, SigningKey)| {
                    let jwk = key.verifying_key().to_jwk();
                    if kid.is_empty() { jwk } else { jwk.with_key_id(kid) }
                };
                keys.iter().map(named).collect()
            };
            match issuer.instead() {
                Instead::Nothing | Instead::KeysAt(_) => set.to_public_json().into_response(),
                Instead::Status(status) => status.into_response(),
                Instead::Body(body) => body.into_response(),
                Instead::Redirect(url) => Redirect::temporary(&url).into_response(),
                Instead::Endless(pause) => {
                    let chunks = futures_util::stream::unfold((), move |()| async move {
                        tokio::time::sleep(pause).await;
                        Some((Ok::<_, std::convert::Infallible>(" ".repeat(65_536)), ()))
                    });
                    Body::from_stream(chunks).into_response()
                }
            }
        };
        let app = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/jwks", get(jwks))
            .with_state(issuer.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        *issuer.base.lock().unwrap() = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        issuer
    }

    fn publish(&self, keys: &[(&str, &SigningKey)]) {
        *self.keys.lock().unwrap() =
            keys.iter().map(|(kid, key)| ((*kid).to_owned(), (*key).clone())).collect();
    }

    fn instead(&self) -> Instead {
        self.instead.lock().unwrap().clone()
    }

    fn answer(&self, instead: Instead) {
        *self.instead.lock().unwrap() = instead;
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    fn name(&self) -> String {
        self.base.lock().unwrap().clone()
    }

    fn issuer(&self) -> Issuer {
        Issuer::insecure_over_loopback_http(&self.name()).unwrap()
    }

    fn verifier(&self, clock: ManualClock) -> Verifier {
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        Verifier::builder(self.issuer(), http.build().unwrap()).clock(clock).build()
    }

    fn token(&self, kid: &str, key: &SigningKey) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.kid = Some(kid.to_owned()).filter(|kid| !kid.is_empty());
        let claims =
            json!({"iss": self.name(), "sub": "alice", "aud": "me", "exp": 4_102_444_800_u64, "iat": 1});
        jsonwebtoken::encode(&header, &claims, &key.try_into().unwrap()).unwrap()
    }

    async fn decode(&self, verifier: &Verifier, token: &str) -> Result<Value, VerifyError> {
        let key = verifier.decoding_key(token).await?;
        let mut validation = Validation::new(Algorithm::ES256);
        validation.set_audience(&["me"]);
        validation.set_issuer(&[self.name()]);
        Ok(jsonwebtoken::decode::<Value>(token, &key, &validation).unwrap().claims)
    }
}

fn key() -> SigningKey {
    SigningKey::generate(KeyKind::P256).unwrap()
}

#[tokio::test]
async fn many_tokens_are_decoded_with_one_fetch() {
    let issuer = TestIssuer::start().await;
    let (one, two) = (key(), key());
    issuer.publish(&[("one", &one), ("two", &two)]);
    let verifier = issuer.verifier(ManualClock::at_epoch_seconds(1_000_000));
    for round in 0..50 {
        let (kid, key) = if round % 2 == 0 { ("one", &one) } else { ("two", &two) };
        let claims = issuer.decode(&verifier, &issuer.token(kid, key)).await.unwrap();
        assert_eq!(claims["sub"], "alice");
    }
    assert_eq!(issuer.requests.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn the_signature_of_a_token_is_computed_once_for_its_key_and_for_decode() {
    let issuer = TestIssuer::start().await;
    let own = key();
    issuer.publish(&[("k", &own)]);
    let clock = ManualClock::at_epoch_seconds(1_000_000);
    let verifier = issuer.verifier(clock.clone());
    let times_spared = |logs: &Logs| logs.text().matches("the signature was verified before").count();
    let logs = Logs::capture();
    let token = issuer.token("k", &own);
    for round in 1..=3 {
        issuer.decode(&verifier, &token).await.unwrap();
        assert_eq!(times_spared(&logs), round, "by `decode` only: {}", logs.text());
    }
    // The new key set has the old key: its verdict stands.
    issuer.publish(&[("k", &own), ("next", &key())]);
    assert!(verifier.refresh().await.iter().all(|(_, outcome)| outcome.is_ok()));
    issuer.decode(&verifier, &token).await.unwrap();
    assert_eq!(times_spared(&logs), 5, "{}", logs.text());

    let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    let forgetful =
        Verifier::builder(issuer.issuer(), http.build().unwrap()).clock(clock).remember_tokens(0).build();
    let (logs, token) = (Logs::capture(), issuer.token("k", &own));
    for _ in 0..2 {
        issuer.decode(&forgetful, &token).await.unwrap();
    }
    assert_eq!(times_spared(&logs), 0, "{}", logs.text());
}

#[tokio::test]
async fn a_rotated_key_is_fetched_also_under_its_old_name() {
    let issuer = TestIssuer::start().await;
    let (old, new) = (key(), key());
    issuer.publish(&[("k", &old)]);
    let clock = ManualClock::at_epoch_seconds(1_000_000);
    let verifier = issuer.verifier(clock.clone());
    issuer.decode(&verifier, &issuer.token("k", &old)).await.unwrap();
    issuer.publish(&[("k", &new), ("next", &old)]);
    clock.advance(Duration::from_secs(61));
    issuer.decode(&verifier, &issuer.token("k", &new)).await.unwrap();
    assert_eq!(issuer.requests.load(Ordering::SeqCst), 2);
    issuer.decode(&verifier, &issuer.token("next", &old)).await.unwrap();
    let withdrawn = issuer.decode(&verifier, &issuer.token("k", &old)).await.unwrap_err();
    assert_eq!(withdrawn.token_error(), Some(&AuthorizationError::Signature));
    assert_eq!(issuer.requests.load(Ordering::SeqCst), 2, "one more within the minute would be too many");
}

#[tokio::test]
async fn only_trusted_issuers_are_asked_and_unknown_keys_at_a_bounded_rate() {
    let (issuer, other) = (TestIssuer::start().await, TestIssuer::start().await);
    let own = key();
    issuer.publish(&[("k", &own)]);
    other.publish(&[("k", &own)]);
    let verifier = issuer.verifier(ManualClock::at_epoch_seconds(1_000_000));
    let foreign = verifier.decoding_key(&other.token("k", &own)).await.unwrap_err();
    assert!(matches!(foreign.token_error(), Some(AuthorizationError::UntrustedIssuer { .. })), "{foreign}");
    assert_eq!(other.requests.load(Ordering::SeqCst), 0);
    for number in 0..20 {
        let invented = issuer.token(&format!("invented {number}"), &own);
        let error = verifier.decoding_key(&invented).await.unwrap_err();
        assert!(matches!(error.token_error(), Some(AuthorizationError::UnknownKey { .. })), "{error}");
    }
    assert!(issuer.requests.load(Ordering::SeqCst) <= 2, "{:?}", issuer.requests);
}

#[tokio::test]
async fn keys_are_handed_out_by_kid() {
    let issuer = TestIssuer::start().await;
    let (one, two) = (key(), SigningKey::generate(KeyKind::Rsa).unwrap());
    issuer.publish(&[("one", &one), ("two", &two)]);
    let verifier = issuer.verifier(ManualClock::at_epoch_seconds(1_000_000));
    for (kid, algorithm) in
        [(Some("one"), Algorithm::ES256), (Some("two"), Algorithm::RS256), (None, Algorithm::RS256)]
    {
        assert!(verifier.decoding_key_by_id(&issuer.issuer(), kid, algorithm).await.is_ok(), "{kid:?}");
    }
    for (kid, algorithm) in
        [(Some("one"), Algorithm::RS256), (Some("none"), Algorithm::ES256), (Some("one"), Algorithm::HS256)]
    {
        assert!(
            verifier.decoding_key_by_id(&issuer.issuer(), kid, algorithm).await.is_err(),
            "{kid:?} {algorithm:?}"
        );
    }
}
