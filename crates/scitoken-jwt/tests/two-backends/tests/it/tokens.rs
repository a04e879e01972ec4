//! Tokens of each algorithm, with both backends enabled and our provider installed: its verdicts are those of
//! `VerifyingKey::verify`, and both backends agree about tokens and keys that are not unusual.

use base64::prelude::*;
use jsonwebtoken::crypto::{CryptoProvider, aws_lc, rust_crypto};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm as Theirs, DecodingKey, EncodingKey, Header, Validation};
use scitoken_jwt::bridge::install_default;
use scitoken_jwt::keys::{Algorithm, KeyKind, SigningKey, VerifyingKey};
use serde_json::{Value, json};

use super::process::alone;

fn common() -> Vec<(Algorithm, Theirs)> {
    let common: Vec<_> =
        Algorithm::ALL.iter().filter_map(|ours| Some((*ours, Theirs::try_from(*ours).ok()?))).collect();
    assert_eq!(common.len(), 12);
    common
}

fn decodes(token: &str, key: &DecodingKey, algorithm: Theirs) -> Result<Value, ErrorKind> {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    match jsonwebtoken::decode::<Value>(token, key, &validation) {
        Ok(token) => Ok(token.claims),
        Err(error) => Err(error.into_kind()),
    }
}

fn own_verdict(token: &str, key: &VerifyingKey, algorithm: Algorithm) -> bool {
    let (message, signature) = token.rsplit_once('.').unwrap();
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    key.verify(algorithm, message.as_bytes(), &signature).is_ok()
}

/// Signs with a provider that is not installed.
fn signed_by(provider: &CryptoProvider, algorithm: Theirs, key: &EncodingKey) -> String {
    let header = json!({"alg": format!("{algorithm:?}")}).to_string();
    let message =
        format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(header), BASE64_URL_SAFE_NO_PAD.encode("{}"));
    let signer = (provider.signer_factory)(&algorithm, key).unwrap();
    let signature = signer.try_sign(message.as_bytes()).unwrap();
    format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

fn verified_by(provider: &CryptoProvider, algorithm: Theirs, key: &DecodingKey, token: &str) -> bool {
    let (message, signature) = token.rsplit_once('.').unwrap();
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    (provider.verifier_factory)(&algorithm, key)
        .is_ok_and(|verifier| verifier.verify(message.as_bytes(), &signature).is_ok())
}

#[test]
fn each_algorithm_signs_and_verifies_and_both_backends_agree() {
    alone("tokens::each_algorithm_signs_and_verifies_and_both_backends_agree", || {
        install_default().unwrap();
        let claims = json!({"sub": "alice"});
        for (ours, theirs) in common() {
            let key = SigningKey::generate(ours.key_kind()).unwrap();
            let public = key.verifying_key();
            let (encoding, decoding) =
                (EncodingKey::try_from(&key).unwrap(), DecodingKey::try_from(&public).unwrap());
            let token = jsonwebtoken::encode(&Header::new(theirs), &claims, &encoding).unwrap();
            assert_eq!(decodes(&token, &decoding, theirs).unwrap(), claims, "{ours}");
            assert!(own_verdict(&token, &public, ours), "{ours}");
            for backend in [&aws_lc::DEFAULT_PROVIDER, &rust_crypto::DEFAULT_PROVIDER] {
                assert!(verified_by(backend, theirs, &decoding, &token), "{ours}");
                let token = signed_by(backend, theirs, &encoding);
                assert!(decodes(&token, &decoding, theirs).is_ok(), "{ours}");
                assert!(own_verdict(&token, &public, ours), "{ours}");
            }
        }
    });
}

#[test]
fn wrong_keys_and_signatures_are_errors() {
    alone("tokens::wrong_keys_and_signatures_are_errors", || {
        install_default().unwrap();
        let kinds = [KeyKind::Secret, KeyKind::Rsa, KeyKind::P256, KeyKind::P384, KeyKind::Ed25519];
        let others = kinds.map(|kind| SigningKey::generate(kind).unwrap());
        for (ours, theirs) in common() {
            let key = SigningKey::generate(ours.key_kind()).unwrap();
            let encoding = EncodingKey::try_from(&key).unwrap();
            let token = jsonwebtoken::encode(&Header::new(theirs), &json!({}), &encoding).unwrap();
            for other in &others {
                let public = other.verifying_key();
                let refused = decodes(&token, &DecodingKey::try_from(&public).unwrap(), theirs).unwrap_err();
                let is_same_kind = other.kind() == ours.key_kind();
                let expected =
                    if is_same_kind { ErrorKind::InvalidSignature } else { ErrorKind::InvalidAlgorithm };
                assert_eq!(refused, expected, "{ours} with {}", other.kind());
                assert!(!own_verdict(&token, &public, ours), "{ours} with {}", other.kind());
            }
            let decoding = DecodingKey::try_from(&key.verifying_key()).unwrap();
            let (message, signature) = token.rsplit_once('.').unwrap();
            for forged in ["", "AAAA", &signature[4..], &"A".repeat(100_000)] {
                let forged = format!("{message}.{forged}");
                assert!(decodes(&forged, &decoding, theirs).is_err(), "{ours}");
                assert!(!own_verdict(&forged, &key.verifying_key(), ours), "{ours}");
            }
        }
    });
}

#[test]
fn short_and_malformed_keys_are_errors_and_no_panic() {
    alone("tokens::short_and_malformed_keys_are_errors_and_no_panic", || {
        install_default().unwrap();
        let token = |theirs| {
            let header = json!({"alg": format!("{theirs:?}")}).to_string();
            format!("{}.e30.AAAA", BASE64_URL_SAFE_NO_PAD.encode(header))
        };
        for (_, theirs) in common() {
            for bytes in [&b""[..], b"x", &[4; 32], &[4; 65], &[0; 97], &[0x30, 0x82], &[0xff; 5_000]] {
                for key in [
                    DecodingKey::from_secret(bytes),
                    DecodingKey::from_rsa_der(bytes),
                    DecodingKey::from_rsa_raw_components(bytes, bytes),
                    DecodingKey::from_rsa_raw_components(bytes, &[1, 0, 1]),
                    DecodingKey::from_ec_der(bytes),
                    DecodingKey::from_ed_der(bytes),
                ] {
                    assert!(decodes(&token(theirs), &key, theirs).is_err(), "{theirs:?}");
                }
                for key in [
                    EncodingKey::from_rsa_der(bytes),
                    EncodingKey::from_ec_der(bytes),
                    EncodingKey::from_ed_der(bytes),
                ] {
                    let signed = jsonwebtoken::encode(&Header::new(theirs), &json!({}), &key);
                    assert!(signed.is_err(), "{theirs:?}");
                }
            }
        }
    });
}

#[test]
fn a_short_rsa_key_verifies_what_it_verifies_here_and_does_not_sign() {
    alone("tokens::a_short_rsa_key_verifies_what_it_verifies_here_and_does_not_sign", || {
        install_default().unwrap();
        let encoding =
            EncodingKey::from_rsa_pem(include_bytes!("../../../data/keys/rsa1024.pkcs8.pem")).unwrap();
        let pem = include_bytes!("../../../data/keys/rsa1024.pub.pem");
        let (public, decoding) =
            (VerifyingKey::from_pem(pem).unwrap(), DecodingKey::from_rsa_pem(pem).unwrap());
        for (ours, theirs) in common().into_iter().filter(|(ours, _)| ours.key_kind() == KeyKind::Rsa) {
            let refused = jsonwebtoken::encode(&Header::new(theirs), &json!({}), &encoding).unwrap_err();
            assert!(refused.to_string().contains("at least 2048 are required"), "{refused}");
            // PS512 does not fit into 1024 bits
            if theirs == Theirs::PS512 {
                continue;
            }
            let token = signed_by(&rust_crypto::DEFAULT_PROVIDER, theirs, &encoding);
            let expected = matches!(ours, Algorithm::Rs256 | Algorithm::Rs512);
            assert_eq!(own_verdict(&token, &public, ours), expected, "{ours}");
            assert_eq!(decodes(&token, &decoding, theirs).is_ok(), expected, "{ours}");
        }
    });
}
