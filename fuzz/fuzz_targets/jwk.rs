//! Keys, as JWK, DER and PEM.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scitoken_jwt::BoundKey;
use scitoken_jwt::keys::{Algorithm, Jwk, JwkSet, SigningKey, VerifyingKey};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(jwk) = Jwk::parse(bytes) {
        let again = Jwk::parse(jwk.expose_json()).expect("what was written is read");
        assert_eq!(again.expose_json(), jwk.expose_json());
        assert_eq!(again.kind(), jwk.kind());
        if let Ok(key) = jwk.verifying_key() {
            assert_eq!(key.kind(), jwk.kind());
            assert!(!key.to_jwk().key_id().is_some());
            for algorithm in Algorithm::ALL {
                assert!(key.verify(*algorithm, b"message", b"signature").is_err());
            }
        }
        let _ = BoundKey::from_jwk(&jwk);
        if let Ok(key) = jwk.signing_key() {
            let signature = key.sign(key.algorithms()[0], b"message").expect("it signs");
            key.verifying_key().verify(key.algorithms()[0], b"message", &signature).expect("it verifies");
        }
    }
    if let Ok(set) = JwkSet::parse(bytes) {
        let public = JwkSet::parse(set.to_public_json()).expect("what was written is read");
        assert!(public.len() <= set.len());
        assert!(public.iter().all(|key| !key.is_private()));
    }
    if let Ok(key) = VerifyingKey::from_der(bytes) {
        let pem = key.to_pem().expect("it is public");
        assert_eq!(VerifyingKey::from_pem(pem).expect("what was written is read").kind(), key.kind());
    }
    let _ = SigningKey::from_der(bytes);
    let _ = VerifyingKey::from_pem(bytes);
    let _ = SigningKey::from_pem(bytes);
    let _ = VerifyingKey::from_secret(bytes);
});
