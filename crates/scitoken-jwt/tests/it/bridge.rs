//! The crate `jsonwebtoken` as a peer, with our provider and with a backend of its own.

use std::collections::{BTreeMap, HashSet};

use base64::prelude::*;
use jsonwebtoken::crypto::{CryptoProvider, aws_lc};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{AlgorithmFamily, DecodingKey, EncodingKey, Header, jwk};
use scitoken_jwt::bridge::{BridgeError, PROVIDER, install_default};
use scitoken_jwt::keys::{Algorithm, Jwk, JwkSet, KeyKind, SigningKey, VerifyingKey};
use scitoken_jwt::{Validation, decode, encode};
use scitoken_types::sys::{SharedClock, epoch_seconds};
use serde_json::{Value, json};

type Theirs = jsonwebtoken::Algorithm;

/// The algorithms that both have.
fn common() -> Vec<(Algorithm, Theirs)> {
    Algorithm::ALL.iter().filter_map(|ours| Some((*ours, Theirs::try_from(*ours).ok()?))).collect()
}

fn key_for(algorithm: Algorithm) -> SigningKey {
    SigningKey::generate(algorithm.key_kind()).unwrap()
}

fn peer_validation(algorithm: Theirs) -> jsonwebtoken::Validation {
    let mut validation = jsonwebtoken::Validation::new(algorithm);
    validation.leeway = 0;
    validation.required_spec_claims = HashSet::new();
    validation.validate_nbf = true;
    validation
}

/// Verifies with a provider, without the process-wide one.
fn verifies(provider: &CryptoProvider, algorithm: Theirs, key: &DecodingKey, token: &str) -> bool {
    let (message, signature) = token.rsplit_once('.').unwrap();
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    (provider.verifier_factory)(&algorithm, key)
        .is_ok_and(|verifier| verifier.verify(message.as_bytes(), &signature).is_ok())
}

#[test]
fn twelve_algorithms_are_common_and_the_others_are_named() {
    assert_eq!(common().len(), 12);
    for (ours, theirs) in common() {
        assert_eq!(Algorithm::try_from(theirs), Ok(ours));
        assert_eq!(format!("{theirs:?}"), ours.name());
    }
    for ours in [Algorithm::Es512, Algorithm::Es256K] {
        let error = Theirs::try_from(ours).unwrap_err();
        assert_eq!(error.to_string(), format!("`{ours}` has no counterpart in jsonwebtoken"));
    }
}

#[test]
fn tokens_are_read_both_ways_with_each_algorithm() {
    install_default().unwrap();
    let claims = json!({"sub": "alice", "exp": 4_102_444_800_u64});
    for (ours, theirs) in common() {
        let key = key_for(ours);
        let (encoding, decoding) =
            (EncodingKey::try_from(&key).unwrap(), DecodingKey::try_from(&key.verifying_key()).unwrap());
        let own_token = encode(&claims, &key, ours).unwrap();
        let there = jsonwebtoken::decode::<Value>(&own_token, &decoding, &peer_validation(theirs)).unwrap();
        assert_eq!(there.claims, claims, "{ours}");
        let peer_token = jsonwebtoken::encode(&Header::new(theirs), &claims, &encoding).unwrap();
        let validation = Validation::new().allow(ours);
        let here = decode(&peer_token, &key.verifying_key(), &validation).unwrap();
        assert_eq!(here.text("sub"), Some("alice"), "{ours}");
        // their own backend agrees, with the converted keys
        assert!(verifies(&aws_lc::DEFAULT_PROVIDER, theirs, &decoding, &own_token), "{ours}");
        let signer = (aws_lc::DEFAULT_PROVIDER.signer_factory)(&theirs, &encoding).unwrap();
        let message = peer_token.rsplit_once('.').unwrap().0;
        let signature = signer.try_sign(message.as_bytes()).unwrap();
        key.verifying_key().verify(ours, message.as_bytes(), &signature).unwrap();
    }
}

#[test]
fn keys_survive_the_way_there_and_back() {
    for kind in [KeyKind::Secret, KeyKind::Rsa, KeyKind::P256, KeyKind::P384, KeyKind::Ed25519] {
        let key = SigningKey::generate(kind).unwrap();
        let back = SigningKey::try_from(&EncodingKey::try_from(&key).unwrap()).unwrap();
        assert_eq!(back.verifying_key(), key.verifying_key(), "{kind}");
        let public = DecodingKey::try_from(&key.verifying_key()).unwrap();
        assert_eq!(VerifyingKey::try_from(&public).unwrap(), key.verifying_key(), "{kind}");
        let jwk = key.verifying_key().to_jwk().with_key_id("k");
        let theirs = jwk::Jwk::try_from(&jwk).unwrap();
        assert_eq!(theirs.common.key_id.as_deref(), Some("k"), "{kind}");
        let ours = Jwk::try_from(&theirs).unwrap();
        assert_eq!(ours.verifying_key().unwrap(), &key.verifying_key(), "{kind}");
        let set: JwkSet = [jwk].into_iter().collect();
        let sets = JwkSet::try_from(&jwk::JwkSet::try_from(&set).unwrap()).unwrap();
        assert_eq!(sets.with_key_id("k").count(), 1, "{kind}");
    }
}

#[test]
fn the_private_half_of_a_jwk_never_crosses() {
    let key = SigningKey::generate(KeyKind::P256).unwrap();
    let theirs = jwk::Jwk::try_from(&key.to_jwk().unwrap()).unwrap();
    let json = serde_json::to_value(&theirs).unwrap();
    assert_eq!(json.get("d"), None);
    assert!(json.get("x").is_some());
}

#[test]
fn what_has_no_counterpart_is_named() {
    for kind in [KeyKind::P521, KeyKind::Secp256k1] {
        let key = SigningKey::generate(kind).unwrap();
        for error in [
            EncodingKey::try_from(&key).map(drop).unwrap_err(),
            DecodingKey::try_from(&key.verifying_key()).map(drop).unwrap_err(),
        ] {
            assert_eq!(error.to_string(), format!("{kind} has no counterpart in jsonwebtoken"));
        }
    }
    let odd = SigningKey::generate(KeyKind::Secp256k1).unwrap().verifying_key().to_jwk();
    assert!(matches!(jwk::Jwk::try_from(&odd), Err(BridgeError::NoCounterpart { .. })));
    let pem = SigningKey::generate(KeyKind::P256).unwrap().verifying_key().to_pem().unwrap();
    let error = VerifyingKey::try_from(&DecodingKey::from_secret(pem.as_bytes())).unwrap_err();
    assert!(matches!(error, BridgeError::Key(_)), "a public key is never taken for a secret: {error}");
}

#[test]
fn a_key_that_is_too_short_or_malformed_is_an_error_and_no_panic() {
    for theirs in [Theirs::RS256, Theirs::PS512, Theirs::ES256, Theirs::ES384, Theirs::EdDSA] {
        for bytes in [&b""[..], b"x", &[4; 65], &[0; 97], &[0x30, 0x82]] {
            let keys = [
                DecodingKey::from_rsa_der(bytes),
                DecodingKey::from_rsa_raw_components(bytes, bytes),
                DecodingKey::from_ec_der(bytes),
                DecodingKey::from_ed_der(bytes),
            ];
            for key in keys {
                assert!(!verifies(&PROVIDER, theirs, &key, "e30.e30.AAAA"), "{theirs:?}");
            }
            for key in [
                EncodingKey::from_rsa_der(bytes),
                EncodingKey::from_ec_der(bytes),
                EncodingKey::from_ed_der(bytes),
            ] {
                assert!((PROVIDER.signer_factory)(&theirs, &key).is_err(), "{theirs:?}");
            }
        }
    }
    let short = DecodingKey::from_secret(b"short");
    let signer = (PROVIDER.signer_factory)(&Theirs::HS256, &EncodingKey::from_secret(b"short")).unwrap();
    let signature = BASE64_URL_SAFE_NO_PAD.encode(signer.try_sign(b"e30.e30").unwrap());
    assert!(verifies(&PROVIDER, Theirs::HS256, &short, &format!("e30.e30.{signature}")));
    let pem = include_bytes!("../data/keys/rsa1024.pub.pem");
    let small = DecodingKey::try_from(&VerifyingKey::from_pem(pem).unwrap()).unwrap();
    assert!(!verifies(&PROVIDER, Theirs::PS256, &small, "e30.e30.AAAA"));
}

#[test]
fn a_key_never_does_the_algorithm_of_another_kind() {
    let rsa = SigningKey::generate(KeyKind::Rsa).unwrap();
    let (encoding, decoding) =
        (EncodingKey::try_from(&rsa).unwrap(), DecodingKey::try_from(&rsa.verifying_key()).unwrap());
    for theirs in [Theirs::HS256, Theirs::ES256, Theirs::EdDSA] {
        let refused = (PROVIDER.verifier_factory)(&theirs, &decoding).err().unwrap();
        assert_eq!(refused.kind(), &ErrorKind::InvalidAlgorithm, "{theirs:?}");
        assert!((PROVIDER.signer_factory)(&theirs, &encoding).is_err(), "{theirs:?}");
    }
}

#[test]
fn thumbprints_and_public_halves_are_those_of_the_peer() {
    install_default().unwrap();
    for (kind, theirs) in [
        (KeyKind::P256, Theirs::ES256),
        (KeyKind::P384, Theirs::ES384),
        (KeyKind::Ed25519, Theirs::EdDSA),
        (KeyKind::Rsa, Theirs::RS256),
    ] {
        let key = SigningKey::generate(kind).unwrap();
        let encoding = EncodingKey::try_from(&key).unwrap();
        let from_private = jwk::Jwk::from_encoding_key(&encoding, theirs).unwrap();
        let other_curve = if theirs == Theirs::ES256 { Theirs::ES384 } else { Theirs::ES256 };
        let is_mislabelled = jwk::Jwk::from_encoding_key(&encoding, other_curve).is_ok();
        let at_peer = aws_lc::DEFAULT_PROVIDER.key_utils.ec_pub_components_from_private_key;
        assert_eq!(
            is_mislabelled,
            encoding.family() != AlgorithmFamily::Ec || at_peer(encoding.as_bytes(), other_curve).is_ok(),
            "{kind}"
        );
        assert_eq!(
            Jwk::try_from(&from_private).unwrap().verifying_key().unwrap(),
            &key.verifying_key(),
            "{kind}"
        );
        for hash in [jwk::ThumbprintHash::SHA256, jwk::ThumbprintHash::SHA384, jwk::ThumbprintHash::SHA512] {
            assert!(from_private.thumbprint(hash).unwrap().len() >= 43, "{kind}");
        }
    }
    let digest = (PROVIDER.key_utils.compute_digest)(b"abc", jwk::ThumbprintHash::SHA256).unwrap();
    let peer =
        (aws_lc::DEFAULT_PROVIDER.key_utils.compute_digest)(b"abc", jwk::ThumbprintHash::SHA256).unwrap();
    assert_eq!(digest, peer);
}

/// Why the two may disagree about a token: ours follows PyJWT.
fn reason(claims: &Value, ours: bool) -> Option<&'static str> {
    let is_int = |name: &str| claims.get(name).is_none_or(Value::is_u64);
    let now = epoch_seconds(SharedClock::default().now());
    let later = |name: &str| claims.get(name).and_then(Value::as_u64).is_some_and(|time| time > now);
    match claims {
        _ if !ours && claims.get("iat").is_some_and(|iat| !iat.is_u64()) => {
            Some("a malformed `iat` is refused")
        }
        _ if !ours && later("iat") => Some("an `iat` in the future is refused"),
        _ if !is_int("exp") || !is_int("nbf") => {
            Some("times in strings, booleans, null or with a sign are Python's `int()`")
        }
        _ if !ours && claims.get("sub").is_some_and(|sub| !sub.is_string()) => {
            Some("a `sub` that is not a string is refused")
        }
        _ if !ours && claims.get("jti").is_some_and(|jti| !jti.is_string()) => {
            Some("a `jti` that is not a string is refused")
        }
        _ if !ours && claims.get("iss").is_none_or(|iss| !iss.is_string()) => {
            Some("a missing or malformed `iss` is refused where one is expected")
        }
        _ if !ours && claims.get("aud").is_none_or(|aud| !aud.is_string()) => {
            Some("a missing or malformed `aud` is refused where one is expected")
        }
        _ => None,
    }
}

#[test]
fn a_thousand_tokens_have_the_verdict_of_the_peers_validation_but_for_listed_reasons() {
    install_default().unwrap();
    let key = SigningKey::generate(KeyKind::P256).unwrap();
    let decoding = DecodingKey::try_from(&key.verifying_key()).unwrap();
    let now = epoch_seconds(SharedClock::default().now());
    let times = [
        None,
        Some(json!(now + 1_000)),
        Some(json!(now - 1_000)),
        Some(json!((now + 1_000).to_string())),
        Some(json!(now + 2_000)),
        Some(json!(-5)),
        Some(Value::Null),
        Some(json!(true)),
    ];
    let texts = [
        None,
        Some(json!("right")),
        Some(json!("wrong")),
        Some(json!(["right", "wrong"])),
        Some(json!(5)),
        Some(json!([])),
    ];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut pick = |many: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % many as u64).unwrap()
    };
    let (mut agreed, mut differences) = ([0, 0], BTreeMap::<&str, usize>::new());
    for _ in 0..1_000 {
        let mut claims = json!({});
        // two in three are plain, or hardly any token would be good in every claim
        for (name, values, plain) in [
            ("exp", &times[..], 1),
            ("nbf", &times[..], 2),
            ("iat", &times[..], 2),
            ("aud", &texts[..], 1),
            ("iss", &texts[..], 1),
            ("sub", &texts[..], 1),
            ("jti", &texts[..], 1),
        ] {
            let value = if pick(4) > 0 { &values[plain] } else { &values[pick(values.len())] };
            if let Some(value) = value {
                claims[name] = value.clone();
            }
        }
        let mut token = encode_any(&claims, &key);
        if pick(10) == 0 {
            token = format!("{}AAAA", &token[..token.len() - 4]);
        }
        let validation =
            Validation::new().allow(Algorithm::Es256).audience("right").issuer("right").subject("right");
        let ours = decode(&token, &key.verifying_key(), &validation).is_ok();
        let mut peer = peer_validation(Theirs::ES256);
        peer.set_audience(&["right"]);
        peer.set_issuer(&["right"]);
        peer.sub = Some("right".to_owned());
        let theirs = jsonwebtoken::decode::<Value>(&token, &decoding, &peer).is_ok();
        if ours == theirs {
            agreed[usize::from(ours)] += 1;
        } else {
            let reason = reason(&claims, ours);
            *differences.entry(reason.unwrap_or_else(|| panic!("ours {ours}: {claims}"))).or_default() += 1;
        }
    }
    assert!(agreed[0] > 300 && agreed[1] > 50, "{agreed:?} {differences:?}");
    assert!(differences.len() >= 5, "each listed reason occurs: {differences:?}");
}

/// Signs claims that our encoder would refuse.
fn encode_any(claims: &Value, key: &SigningKey) -> String {
    let part = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    let signed = format!("{}.{}", part(r#"{"alg":"ES256","typ":"JWT"}"#), part(&claims.to_string()));
    let signature = key.sign(Algorithm::Es256, signed.as_bytes()).unwrap();
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}
