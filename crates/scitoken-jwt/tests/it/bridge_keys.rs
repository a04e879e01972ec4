//! Keys of every kind and form on their way to the crate `jsonwebtoken` and back.

use base64::prelude::*;
use jsonwebtoken::{Algorithm as Theirs, DecodingKey, EncodingKey, jwk};
use scitoken_jwt::bridge::{BridgeError, PROVIDER};
use scitoken_jwt::keys::{Algorithm, Jwk, JwkSet, KeyError, KeyKind, SigningKey, VerifyingKey};
use serde_json::{Value, json};

fn der(pem: &str) -> Vec<u8> {
    let base64: String = pem.lines().filter(|line| !line.contains("-----") && !line.contains(':')).collect();
    BASE64_STANDARD.decode(base64).unwrap()
}

fn ours(key: &DecodingKey) -> Result<VerifyingKey, BridgeError> {
    VerifyingKey::try_from(key)
}

/// The three families that keep a public key as bytes.
fn in_each_family(bytes: &[u8]) -> [DecodingKey; 3] {
    [DecodingKey::from_rsa_der(bytes), DecodingKey::from_ec_der(bytes), DecodingKey::from_ed_der(bytes)]
}

#[test]
fn a_key_is_of_the_family_that_it_was_made_for() {
    for (place, kind) in [KeyKind::Rsa, KeyKind::P256, KeyKind::Ed25519].into_iter().enumerate() {
        let key = SigningKey::generate(kind).unwrap();
        let (public, private) =
            (der(&key.verifying_key().to_pem().unwrap()), der(&key.expose_pem().unwrap()));
        let signers = [
            EncodingKey::from_rsa_der(&private),
            EncodingKey::from_ec_der(&private),
            EncodingKey::from_ed_der(&private),
        ];
        for (family, (decoding, encoding)) in in_each_family(&public).iter().zip(&signers).enumerate() {
            let algorithm = Theirs::try_from(kind.algorithms()[0]).unwrap();
            let verifier = (PROVIDER.verifier_factory)(&algorithm, decoding);
            let signer = (PROVIDER.signer_factory)(&algorithm, encoding);
            if family == place {
                assert_eq!(ours(decoding).unwrap(), key.verifying_key(), "{kind}");
                assert!(verifier.is_ok() && signer.is_ok(), "{kind}");
            } else {
                let error = ours(decoding).unwrap_err();
                assert!(matches!(error, BridgeError::OtherFamily { .. }), "{kind}: {error}");
                assert!(error.to_string().ends_with(&format!("and it is a {kind}")), "{error}");
                assert!(verifier.is_err() && signer.is_err(), "{kind}");
            }
        }
    }
}

#[test]
fn a_compressed_point_is_the_same_key() {
    for kind in [KeyKind::P256, KeyKind::P384, KeyKind::P521] {
        let key = SigningKey::generate(kind).unwrap();
        let whole: Value = serde_json::from_str(&key.verifying_key().to_jwk().expose_json()).unwrap();
        let number = |name: &str| BASE64_URL_SAFE_NO_PAD.decode(whole[name].as_str().unwrap()).unwrap();
        let (x, y) = (number("x"), number("y"));
        let sign = 2 + (y.last().unwrap() & 1);
        let read = ours(&DecodingKey::from_ec_der(&[&[sign], x.as_slice()].concat())).unwrap();
        assert_eq!(read, key.verifying_key(), "{kind}");
        assert_eq!(serde_json::from_str::<Value>(&read.to_jwk().expose_json()).unwrap(), whole, "{kind}");
        let signature = key.sign(kind.algorithms()[0], b"m").unwrap();
        read.verify(kind.algorithms()[0], b"m", &signature).unwrap();
        let uncompressed = ours(&DecodingKey::from_ec_der(&[&[4], &x[..], &y[..]].concat())).unwrap();
        assert_eq!(uncompressed, key.verifying_key(), "{kind}");
    }
}

#[test]
fn what_is_no_public_key_of_these_kinds_is_named() {
    let p256 = SigningKey::generate(KeyKind::P256).unwrap();
    let encrypted = der(include_str!("../data/keys/rsa.encrypted.pem"));
    let ed448 = der(include_str!("../data/keys/ed448.pub.pem"));
    for key in in_each_family(&encrypted) {
        assert_eq!(ours(&key).unwrap_err(), BridgeError::Key(KeyError::Encrypted));
    }
    assert_eq!(
        SigningKey::try_from(&EncodingKey::from_rsa_der(&encrypted)).unwrap_err(),
        BridgeError::Key(KeyError::Encrypted)
    );
    for private in [
        der(&p256.expose_pem().unwrap()),
        der(include_str!("../data/keys/p256.sec1.pem")),
        der(include_str!("../data/keys/rsa.pkcs1.pem")),
        der(include_str!("../data/keys/ed25519.pkcs8.pem")),
    ] {
        for key in in_each_family(&private) {
            assert_eq!(ours(&key).unwrap_err(), BridgeError::Key(KeyError::NotPublic));
        }
    }
    for key in in_each_family(&ed448) {
        assert!(ours(&key).unwrap_err().to_string().contains("1.3.101.113"), "{key:?}");
    }
    // a point of secp256k1 is as long as one of P-256
    let secp256k1 = der(include_str!("../data/keys/secp256k1.pub.pem"));
    let point = &secp256k1[secp256k1.len() - 65..];
    assert!(ours(&DecodingKey::from_ec_der(point)).unwrap_err().to_string().contains("not a point"));
    let certificate = der(include_str!("../data/keys/rsa.cert.pem"));
    assert_eq!(ours(&DecodingKey::from_rsa_der(&certificate)).unwrap().kind(), KeyKind::Rsa);
}

fn jwk(json: &Value) -> Jwk {
    Jwk::parse(json.to_string()).unwrap()
}

#[test]
fn a_jwk_in_a_lenient_form_is_one_that_the_peer_reads() {
    let key = SigningKey::generate(KeyKind::P256).unwrap().verifying_key();
    let members = |more: &[(&str, Value)]| {
        let mut members: Value = serde_json::from_str(&key.to_jwk().expose_json()).unwrap();
        for (name, value) in more {
            members[*name] = value.clone();
        }
        members
    };
    let padded = format!("{}=", members(&[])["x"].as_str().unwrap());
    let mut without_curve = members(&[("alg", json!("ES256"))]);
    without_curve.as_object_mut().unwrap().remove("crv");
    for json in [
        members(&[("x", json!(padded))]),
        without_curve,
        members(&[
            ("use", json!(5)),
            ("key_ops", json!("verify")),
            ("x5c", json!([1])),
            ("alg", json!(null)),
        ]),
        members(&[("kid", json!(7))]),
    ] {
        let theirs = jwk::Jwk::try_from(&jwk(&json)).unwrap();
        assert_eq!(ours(&DecodingKey::from_jwk(&theirs).unwrap()).unwrap(), key, "{json}");
    }
    let ed = SigningKey::generate(KeyKind::Ed25519).unwrap().verifying_key().to_jwk();
    let mut ed: Value = serde_json::from_str(&ed.expose_json()).unwrap();
    ed["alg"] = "Ed25519".into();
    let theirs = jwk::Jwk::try_from(&jwk(&ed)).unwrap();
    assert_eq!(theirs.common.key_algorithm, Some(jwk::KeyAlgorithm::EdDSA));
    assert!(Jwk::try_from(&theirs).unwrap().is_for(Algorithm::EdDsa));
}

#[test]
fn what_a_jwk_is_for_survives_the_way_there_and_back() {
    let key = SigningKey::generate(KeyKind::Rsa).unwrap().verifying_key().to_jwk();
    for more in [
        json!({}),
        json!({"use": "sig"}),
        json!({"use": "enc"}),
        json!({"use": "other"}),
        json!({"key_ops": ["verify"]}),
        json!({"key_ops": ["encrypt", "unknown"]}),
        json!({"key_ops": []}),
        json!({"use": "sig", "key_ops": ["encrypt"], "alg": "RS256"}),
        json!({"alg": "RS512"}),
        json!({"alg": "RSA-OAEP"}),
        json!({"alg": "ES256"}),
        json!({"alg": "unknown"}),
        json!({"alg": ""}),
    ] {
        let mut json: Value = serde_json::from_str(&key.expose_json()).unwrap();
        json.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let before = jwk(&json);
        let after = Jwk::try_from(&jwk::Jwk::try_from(&before).unwrap()).unwrap();
        for algorithm in Algorithm::ALL {
            assert_eq!(after.is_for(*algorithm), before.is_for(*algorithm), "{more} for {algorithm}");
        }
    }
}

#[test]
fn a_malformed_jwk_is_an_error_here_and_not_later() {
    for json in [
        json!({"kty": "oct", "k": ""}),
        json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"}),
        json!({"kty": "EC", "crv": "P-521", "x": "AAAA", "y": "AAAA"}),
        json!({"kty": "OKP", "crv": "Ed25519", "x": "AAAA"}),
        json!({"kty": "EC", "crv": "P-256", "x5c": ["AAAA"]}),
    ] {
        let error = jwk::Jwk::try_from(&jwk(&json)).unwrap_err();
        assert!(matches!(error, BridgeError::Key(_)), "{json}: {error}");
    }
}

#[test]
fn a_key_without_counterpart_does_not_take_the_set_with_it() {
    let usable = SigningKey::generate(KeyKind::P256).unwrap().verifying_key().to_jwk().with_key_id("usable");
    let odd = SigningKey::generate(KeyKind::Secp256k1).unwrap().verifying_key().to_jwk().with_key_id("odd");
    let set: JwkSet = [odd.clone(), usable].into_iter().collect();
    let theirs = jwk::JwkSet::try_from(&set).unwrap();
    assert!(theirs.find("usable").is_some() && theirs.find("odd").is_none());
    let only: JwkSet = [odd].into_iter().collect();
    let error = jwk::JwkSet::try_from(&only).unwrap_err();
    assert_eq!(error.to_string(), "secp256k1 key has no counterpart in jsonwebtoken");

    let text = json!({"keys": [{"kty": "new", "kid": "odd"}, {"kty": "OKP", "crv": "Ed448", "x": "AAAA"},
        {"kty": "OKP", "crv": "Ed25519", "kid": "usable", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]});
    let mut theirs: jwk::JwkSet = serde_json::from_value(text).unwrap();
    assert_eq!(theirs.keys.len(), 3, "the peer keeps what it does not know");
    let ours = JwkSet::try_from(&theirs).unwrap();
    assert_eq!((ours.len(), ours.with_key_id("usable").count()), (1, 1));
    theirs.keys.truncate(2);
    assert!(JwkSet::try_from(&theirs).unwrap_err().to_string().contains("`new`"));
    let none = jwk::JwkSet { keys: Vec::new() };
    assert!(JwkSet::try_from(&none).unwrap().is_empty());
}
