//! `examples/axum_jsonwebtoken.rs` as a service that clients ask.

use scitoken_jwt::keys::Algorithm as Ours;

use super::*;

/// Starts the example for this issuer and returns its URL.
async fn service(issuer: &TestIssuer) -> String {
    let verifier = issuer.verifier(ManualClock::at_epoch_seconds(1_000_000));
    let app = example::app(verifier, &issuer.issuer(), "me");
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

async fn ask(url: &str, token: &str) -> (StatusCode, String) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let response = client.get(url).bearer_auth(token).send().await.unwrap();
    (response.status(), response.text().await.unwrap())
}

fn token(issuer: &TestIssuer, kid: &str, algorithm: Ours, key: &SigningKey, change: &Value) -> String {
    let mut header = Header::new(algorithm.try_into().unwrap());
    header.kid = Some(kid.to_owned());
    let mut claims = json!({"iss": issuer.name(), "sub": "alice", "aud": "me", "exp": 4_102_444_800_u64});
    claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    jsonwebtoken::encode(&header, &claims, &key.try_into().unwrap()).unwrap()
}

#[tokio::test]
async fn the_example_accepts_tokens_of_each_family_that_it_names() {
    let issuer = TestIssuer::start().await;
    let (ec, rsa) = (key(), SigningKey::generate(KeyKind::Rsa).unwrap());
    issuer.publish(&[("ec", &ec), ("rsa", &rsa)]);
    let url = service(&issuer).await;
    for (kid, algorithm, key) in [("ec", Ours::Es256, &ec), ("rsa", Ours::Rs256, &rsa)] {
        let good = token(&issuer, kid, algorithm, key, &json!({}));
        for _ in 0..2 {
            assert_eq!(ask(&url, &good).await, (StatusCode::OK, "hello alice\n".to_owned()), "{algorithm}");
        }
        for change in [json!({"aud": "other"}), json!({"exp": 1}), json!({"iss": "https://other.example"})] {
            let bad = token(&issuer, kid, algorithm, key, &change);
            assert_eq!(ask(&url, &bad).await.0, StatusCode::UNAUTHORIZED, "{change}");
        }
    }
    let other_algorithm = token(&issuer, "rsa", Ours::Ps256, &rsa, &json!({}));
    let other_key = token(&issuer, "ec", Ours::Es256, &key(), &json!({}));
    for bad in [&other_algorithm, &other_key, "", "e30.e30.", "eyJhbGciOiJub25lIn0.e30."] {
        assert_eq!(ask(&url, bad).await.0, StatusCode::UNAUTHORIZED, "{bad}");
    }
    assert_eq!(issuer.requests(), 1);
}

#[tokio::test]
async fn the_example_says_that_the_issuer_and_not_the_token_is_at_fault() {
    let issuer = TestIssuer::start().await;
    issuer.answer(Instead::Status(StatusCode::BAD_GATEWAY));
    let url = service(&issuer).await;
    let own = key();
    let token = token(&issuer, "k", Ours::Es256, &own, &json!({}));
    assert_eq!(ask(&url, &token).await.0, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_key_that_is_for_another_use_is_not_handed_out() {
    let issuer = TestIssuer::start().await;
    let own = key();
    let verifier = issuer.verifier(ManualClock::at_epoch_seconds(1_000_000));
    for (member, value) in [("use", json!("enc")), ("key_ops", json!(["encrypt"])), ("alg", json!("ES384"))] {
        let mut jwk: Value =
            serde_json::from_str(&own.verifying_key().to_jwk().with_key_id(member).expose_json()).unwrap();
        jwk[member] = value;
        issuer.answer(Instead::Body(json!({"keys": [jwk]}).to_string()));
        assert!(verifier.refresh().await.iter().all(|(_, outcome)| outcome.is_ok()), "{jwk}");
        let error = verifier.decoding_key(&issuer.token(member, &own)).await.unwrap_err();
        assert!(matches!(error.token_error(), Some(AuthorizationError::UnknownKey { .. })), "{jwk}: {error}");
        let by_id = verifier.decoding_key_by_id(&issuer.issuer(), Some(member), Algorithm::ES256).await;
        assert!(by_id.is_err(), "{jwk}");
    }
}
