//! Keys, signers and the errors about tokens show neither the key nor the token.

use scitoken_jwt::keys::{Algorithm, Jwk, KeyKind, SigningKey};
use scitoken_jwt::{self, Validation};
use serde_json::json;

use scitoken_test_support::chain;
use scitoken_test_support::secrecy::assert_silent;

const SECRET: &str = "hunter2-hunter2-hunter2-hunter2-hunter2";

#[test]
fn no_key_tells_itself() {
    let shared = SigningKey::from_secret(SECRET).unwrap();
    assert_silent(&format!("{shared:?} {shared:#?} {:?}", shared.verifying_key()), SECRET);
    let jwk = shared.to_jwk().unwrap();
    assert!(jwk.is_private());
    assert_silent(&format!("{jwk:?} {jwk:#?}"), SECRET);

    let key = SigningKey::generate(KeyKind::P256).unwrap();
    let jwk = key.to_jwk().unwrap();
    let private: serde_json::Value = serde_json::from_str(&jwk.expose_json()).unwrap();
    let private = private["d"].as_str().unwrap();
    assert_silent(&format!("{key:?} {key:#?} {jwk:?} {jwk:#?}"), private);
}

#[test]
fn no_error_about_a_key_tells_the_key() {
    for json in [
        json!({"kty": "oct", "k": [SECRET]}),
        json!({"kty": SECRET, "k": "AAAA"}),
        json!({"kty": "EC", "crv": "P-256", "x": SECRET, "y": SECRET, "d": SECRET}),
        json!({"kty": "OKP", "crv": "Ed25519", "x": "AA", "d": SECRET}),
    ] {
        if let Err(error) = Jwk::parse(json.to_string()).and_then(|jwk| jwk.signing_key()) {
            // Names of types and curves may be told; the numbers of a key may not.
            if json["kty"] != SECRET {
                assert_silent(&chain(&error), SECRET);
            }
        }
        if let Err(error) = SigningKey::from_pem(format!("-----BEGIN PRIVATE KEY-----\n{SECRET}")) {
            assert_silent(&chain(&error), SECRET);
        }
    }
}

#[test]
fn no_error_about_a_token_tells_the_token() {
    let key = SigningKey::from_secret(SECRET).unwrap();
    let claims = json!({"sub": "alice-and-her-long-private-name", "exp": 1, "aud": "https://a.test"});
    let token = scitoken_jwt::encode(&claims, &key, Algorithm::Hs256).unwrap();
    let other = SigningKey::from_secret("another-secret-another-secret-another").unwrap();
    let validation = Validation::new().allow(Algorithm::Hs256);
    let broken =
        [token.clone(), token[..token.len() - 3].to_owned(), format!("{token}!"), token.replace('.', "..")];
    for text in broken {
        for key in [key.verifying_key(), other.verifying_key()] {
            let error = scitoken_jwt::decode(&text, &key, &validation).unwrap_err();
            assert_silent(&chain(&error), &token);
        }
    }
}
