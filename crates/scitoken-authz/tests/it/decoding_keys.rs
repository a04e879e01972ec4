//! Issuer keys handed to the crate `jsonwebtoken`.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use jsonwebtoken::{Algorithm, Header, Validation};
use scitoken_authz::{AuthorizationError, Issuer, Verifier, VerifyError};
use scitoken_jwt::bridge::install_default;
use scitoken_jwt::keys::{JwkSet, KeyKind, SigningKey};
use scitoken_types::sys::ManualClock;
use serde_json::{Value, json};

/// An issuer with keys that can be replaced, and that counts the requests for them.
#[derive(Clone, Default)]
struct TestIssuer {
    base: Arc<Mutex<String>>,
    keys: Arc<Mutex<Vec<(String, SigningKey)>>>,
    requests: Arc<AtomicUsize>,
}

impl TestIssuer {
    async fn start() -> Self {
        install_default().unwrap();
        let issuer = Self::default();
        let metadata = |State(issuer): State<Self>| async move {
            let base = issuer.base.lock().unwrap().clone();
            json!({"issuer": base, "jwks_uri": format!("{base}/jwks")}).to_string()
        };
        let jwks = |State(issuer): State<Self>| async move {
            issuer.requests.fetch_add(1, Ordering::SeqCst);
            let keys = issuer.keys.lock().unwrap();
            let set: JwkSet =
                keys.iter().map(|(kid, key)| key.verifying_key().to_jwk().with_key_id(kid)).collect();
            set.to_public_json()
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
        header.kid = Some(kid.to_owned());
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
