//! Keys and signatures against what Python's `cryptography` wrote.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use proptest::prelude::*;
use scitoken_jwt::keys::{
    Algorithm, Jwk, JwkSet, KeyError, KeyKind, RsaSize, SigningKey, VerifyingKey, Weakness,
};
use serde_json::{Value, json};

fn data(name: &str) -> String {
    fs_err::read_to_string(Path::new("tests/data/keys").join(name)).unwrap()
}

fn unbase64(text: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(text).unwrap()
}

fn signatures() -> BTreeMap<String, BTreeMap<String, String>> {
    serde_json::from_str(&data("signatures.json")).unwrap()
}

fn key_named(name: &str) -> VerifyingKey {
    match name {
        "secret" => VerifyingKey::from_secret("0123456789abcdef0123456789abcdef").unwrap(),
        file => VerifyingKey::from_pem(data(file)).unwrap(),
    }
}

#[test]
fn signatures_of_a_peer_verify_and_changed_ones_do_not() {
    let mut seen = 0;
    for (name, signatures) in signatures() {
        let key = key_named(&name);
        for (algorithm, signature) in signatures {
            let algorithm: Algorithm = algorithm.parse().unwrap();
            let mut signature = unbase64(&signature);
            assert_eq!(key.verify(algorithm, b"message", &signature), Ok(()), "{name} {algorithm}");
            assert_eq!(key.verify(algorithm, b"massage", &signature), Err(KeyError::BadSignature));
            signature[5] ^= 1;
            assert_eq!(key.verify(algorithm, b"message", &signature), Err(KeyError::BadSignature));
            signature.truncate(signature.len() - 1);
            assert_eq!(key.verify(algorithm, b"message", &signature), Err(KeyError::BadSignature));
            assert_eq!(key.verify(algorithm, b"message", &[]), Err(KeyError::BadSignature));
            seen += 1;
        }
    }
    assert_eq!(seen, 16);
}

#[test]
fn a_key_does_the_algorithms_of_its_kind_and_no_others() {
    for (name, signatures) in signatures() {
        let key = key_named(&name);
        for algorithm in Algorithm::ALL.iter().copied().filter(|algorithm| !key.supports(*algorithm)) {
            let signature = unbase64(signatures.values().next().unwrap());
            let wrong = KeyError::WrongKind { algorithm, kind: key.kind() };
            assert_eq!(key.verify(algorithm, b"message", &signature), Err(wrong));
        }
    }
}

#[test]
fn every_form_of_a_key_is_the_same_key() {
    let rsa = unbase64(&signatures()["rsa.pub.pem"]["PS384"]);
    for file in ["rsa.pub.pem", "rsa.pub.pkcs1.pem", "rsa.cert.pem", "rsa.pkcs8.pem", "rsa.pkcs1.pem"] {
        let key = VerifyingKey::from_pem(data(file)).unwrap();
        assert_eq!(key.verify(Algorithm::Ps384, b"message", &rsa), Ok(()), "{file}");
        assert_eq!(key, key_named("rsa.pub.pem"));
    }
    for (kind, stem) in [
        (KeyKind::P256, "p256"),
        (KeyKind::P384, "p384"),
        (KeyKind::P521, "p521"),
        (KeyKind::Secp256k1, "secp256k1"),
    ] {
        let public = VerifyingKey::from_pem(data(&format!("{stem}.pub.pem"))).unwrap();
        for form in ["pkcs8", "sec1"] {
            let key = SigningKey::from_pem(data(&format!("{stem}.{form}.pem"))).unwrap();
            assert_eq!(key.kind(), kind);
            let signature = key.sign(key.algorithms()[0], b"m").unwrap();
            assert_eq!(public.verify(key.algorithms()[0], b"m", &signature), Ok(()), "{stem} {form}");
        }
    }
    let key = SigningKey::from_pem(data("ed25519.pkcs8.pem")).unwrap();
    let signature = unbase64(&signatures()["ed25519.pub.pem"]["EdDSA"]);
    assert_eq!(key.sign(Algorithm::EdDsa, b"message"), Ok(signature));
}

#[test]
fn what_cannot_be_used_says_what_it_is() {
    let private = |file: &str| SigningKey::from_pem(data(file)).unwrap_err();
    assert_eq!(private("rsa.encrypted.pem"), KeyError::Encrypted);
    assert_eq!(private("rsa.encrypted.pkcs1.pem"), KeyError::Encrypted);
    assert_eq!(private("ed25519.openssh.pem"), KeyError::OpenSsh);
    assert_eq!(private("rsa.pub.pem"), KeyError::NotPrivate);
    assert_eq!(private("rsa.cert.pem"), KeyError::NotPrivate);
    assert_eq!(private("signatures.json"), KeyError::NotPem);
    assert_eq!(
        VerifyingKey::from_pem(data("ed448.pub.pem")).unwrap_err().to_string(),
        "keys of the type `1.3.101.113` are not supported"
    );
    assert_eq!(VerifyingKey::from_der([0x30, 0x00]).unwrap_err(), KeyError::NotDer);
}

#[test]
fn a_public_key_never_becomes_an_hmac_secret() {
    for file in ["rsa.pub.pem", "rsa.cert.pem", "p256.pub.pem", "private.jwk.json", "p256.short-x.json"] {
        assert!(matches!(VerifyingKey::from_secret(data(file)), Err(KeyError::NotSecret { .. })), "{file}");
    }
    let der = pem_content(&data("rsa.pub.pem"));
    assert!(matches!(VerifyingKey::from_secret(&der), Err(KeyError::NotSecret { .. })));
    let der = pem_content(&data("rsa.cert.pem"));
    assert!(matches!(SigningKey::from_secret(&der), Err(KeyError::NotSecret { .. })));
}

fn pem_content(text: &str) -> Vec<u8> {
    let lines: String = text.lines().filter(|line| !line.starts_with("--")).collect();
    base64::prelude::BASE64_STANDARD.decode(lines).unwrap()
}

#[test]
fn small_rsa_keys_verify_what_the_library_has_and_are_known_to_be_weak() {
    let key = VerifyingKey::from_pem(data("rsa1024.pub.pem")).unwrap();
    let weak = Weakness::ShortRsa { bits: 1024 };
    assert_eq!(key.weakness(Algorithm::Rs256), Some(weak));
    assert_eq!(key.verify(Algorithm::Ps256, b"message", &[0; 128]), Err(KeyError::TooWeak(weak)));
    assert_eq!(key_named("rsa.pub.pem").weakness(Algorithm::Rs256), None);
}

#[test]
fn private_jwks_of_a_peer_sign() {
    let jwks: BTreeMap<String, Value> = serde_json::from_str(&data("private.jwk.json")).unwrap();
    for (name, algorithm) in
        [("rsa", Algorithm::Ps512), ("p521", Algorithm::Es512), ("ed25519", Algorithm::EdDsa)]
    {
        let jwk = Jwk::parse(jwks[name].to_string()).unwrap();
        let signature = jwk.signing_key().unwrap().sign(algorithm, b"m").unwrap();
        assert_eq!(jwk.verifying_key().unwrap().verify(algorithm, b"m", &signature), Ok(()));
        // what we write of it is what the peer wrote
        let ours: Value =
            serde_json::from_str(&jwk.signing_key().unwrap().to_jwk().unwrap().expose_json()).unwrap();
        for (member, value) in ours.as_object().unwrap() {
            assert_eq!(&jwks[name][member], value, "{name} {member}");
        }
    }
}

#[test]
fn private_halves_that_do_not_fit_are_refused() {
    let jwks: BTreeMap<String, Value> = serde_json::from_str(&data("private.jwk.json")).unwrap();
    for name in ["rsa", "p521", "ed25519"] {
        let mut jwk = jwks[name].clone();
        let changed = jwk["d"].as_str().unwrap().replacen('O', "P", 1);
        let changed = if jwk["d"] == changed { changed.replacen('A', "B", 1) } else { changed };
        assert_ne!(jwk["d"], changed);
        jwk["d"] = Value::from(changed);
        assert!(matches!(SigningKey::from_jwk(jwk.to_string()), Err(KeyError::Malformed { .. })), "{name}");
        jwk.as_object_mut().unwrap().remove("d");
        assert_eq!(SigningKey::from_jwk(jwk.to_string()).unwrap_err(), KeyError::NotPrivate);
    }
}

#[test]
fn lost_zeros_and_padding_are_no_obstacle() {
    let short: Value = serde_json::from_str(&data("p256.short-x.json")).unwrap();
    let signature = unbase64(short["signature"].as_str().unwrap());
    let mut jwk = short["jwk"].clone();
    assert!(unbase64(jwk["x"].as_str().unwrap()).len() < 32);
    let verify = |jwk: &Value| {
        VerifyingKey::from_jwk(jwk.to_string())?.verify(Algorithm::Es256, b"message", &signature)
    };
    assert_eq!(verify(&jwk), Ok(()));
    jwk["y"] = Value::from(format!("{}=", jwk["y"].as_str().unwrap()));
    assert_eq!(verify(&jwk), Ok(()));
    jwk["y"] = Value::from(format!("AA{}", "B".repeat(60)));
    assert!(matches!(verify(&jwk), Err(KeyError::Malformed { .. })));
}

#[test]
fn malformed_jwks_are_errors_and_never_panics() {
    for (json, wanted) in [
        (
            json!({"kty":"OKP","crv":"Ed25519","x":"AAAA"}),
            "the Ed25519 key is malformed: its bytes are not 32",
        ),
        (json!({"kty":"OKP","crv":"Ed25519","x":5}), "the JWK has no usable `x`"),
        (json!({"kty":"OKP","crv":"Ed25519","x":"*"}), "the JWK has no usable `x`"),
        (json!({"kty":"OKP","crv":"X25519","x":"AAAA"}), "keys of the type `X25519` are not supported"),
        (json!({"kty":"OKP"}), "the JWK has no usable `crv`"),
        (
            json!({"kty":"EC","crv":"P-256","x":"AA","y":"AA"}),
            "the P-256 key is malformed: it is not a point on its curve",
        ),
        (json!({"kty":"RSA","n":"AA","e":"AQAB"}), "the RSA key is malformed: its modulus is zero"),
        (
            json!({"kty":"RSA","n":"AQAB","e":"AQAB"}),
            "the RSA key has 17 bits; at least 2048 are required (NIST SP 800-131A)",
        ),
        (json!({"kty":"RSA","n":"","e":""}), "the RSA key is malformed: its modulus is zero"),
        (json!({"kty":"oct","k":""}), "the HMAC secret is empty"),
        (json!({"kty":"dog"}), "keys of the type `dog` are not supported"),
        (json!({"x":"AAAA"}), "the JWK has no usable `kty`"),
        (json!([1]), "invalid JWK: invalid type: sequence, expected a map at line 1 column 0"),
    ] {
        let error = VerifyingKey::from_jwk(json.to_string()).unwrap_err();
        assert_eq!(error.to_string(), wanted, "{json}");
    }
}

#[test]
fn what_we_generate_goes_out_and_comes_back() {
    let mut keys = vec![SigningKey::generate_rsa(RsaSize::Bits3072).unwrap()];
    for kind in [
        KeyKind::Rsa,
        KeyKind::P256,
        KeyKind::P384,
        KeyKind::P521,
        KeyKind::Secp256k1,
        KeyKind::Ed25519,
        KeyKind::Secret,
    ] {
        let key = SigningKey::generate(kind).unwrap();
        assert_eq!(key.kind(), kind);
        keys.push(key);
    }
    for key in keys {
        let algorithm = key.algorithms()[0];
        let signature = key.sign(algorithm, b"m").unwrap();
        let jwk = key.to_jwk().unwrap();
        assert!(jwk.is_private());
        let mut copies = vec![SigningKey::from_jwk(jwk.expose_json()).unwrap()];
        if key.kind() == KeyKind::Secret {
            assert_eq!(key.expose_pem().err(), Some(KeyError::NoPem));
            assert!(jwk.to_public().is_none());
        } else {
            copies.push(SigningKey::from_pem(key.expose_pem().unwrap()).unwrap());
            let public = jwk.to_public().unwrap();
            assert!(!public.is_private());
            assert_eq!(public.signing_key().err(), Some(KeyError::NotPrivate));
            assert_eq!(public.verifying_key().unwrap().verify(algorithm, b"m", &signature), Ok(()));
            let pem = VerifyingKey::from_pem(key.verifying_key().to_pem().unwrap()).unwrap();
            assert_eq!(pem.verify(algorithm, b"m", &signature), Ok(()));
        }
        for copy in copies {
            assert_eq!(copy.verifying_key().verify(algorithm, b"m", &signature), Ok(()));
            assert_eq!(copy.verifying_key(), key.verifying_key());
            assert_ne!(copy.verifying_key(), SigningKey::generate(KeyKind::Ed25519).unwrap().verifying_key());
        }
    }
}

#[test]
fn nothing_that_is_shown_holds_a_secret() {
    let key = SigningKey::from_secret("0123456789abcdef0123456789abcdef").unwrap();
    let jwk = key.to_jwk().unwrap().with_key_id("k1").with_algorithm(Algorithm::Hs256).unwrap();
    let set: JwkSet = [jwk.clone()].into_iter().collect();
    assert_eq!(format!("{jwk:?}"), "Jwk(shared secret, kid \"k1\", alg \"HS256\", private)");
    for shown in [format!("{key:?} {jwk:?} {set:?} {:?}", key.verifying_key()), set.to_public_json()] {
        assert!(!shown.contains("0123"), "{shown}");
        assert!(!shown.contains("MDEy"), "{shown}");
    }
}

fn set_of(keys: &Value) -> JwkSet {
    JwkSet::parse(json!({ "keys": keys }).to_string()).unwrap()
}

#[test]
fn a_set_is_searched_by_name_and_algorithm() {
    let ed = |kid: Value, extra: (&str, Value)| {
        let mut jwk =
            json!({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":kid});
        jwk[extra.0] = extra.1;
        jwk
    };
    let set = set_of(&json!([
        null,
        ["not", "an", "object"],
        {"kty":"EC","crv":"P-999","kid":"a"},
        {"kty":"EC","crv":"P-256","kid":"a","x":"AA","y":"AA"},
        ed(json!("a"), ("n1", json!(1))),
        ed(json!("a"), ("use", json!("enc"))),
        ed(json!("a"), ("alg", json!("ES256"))),
        ed(json!("a"), ("key_ops", json!(["encrypt"]))),
        ed(json!("a"), ("alg", json!("EdDSA"))),
        ed(json!(7), ("use", json!("sig"))),
        {"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
    ]));
    assert_eq!((set.len(), set.skipped()), (8, 3));
    assert_eq!(set.with_key_id("a").count(), 6);
    assert_eq!(set.candidates(Some("a"), Algorithm::EdDsa).count(), 2);
    assert_eq!(set.candidates(Some("b"), Algorithm::EdDsa).count(), 0);
    assert_eq!(set.candidates(None, Algorithm::EdDsa).count(), 4);
    let es256: Vec<_> = set.candidates(Some("a"), Algorithm::Es256).collect();
    assert_eq!(es256.len(), 1);
    assert!(es256[0].verifying_key().is_err());
}

#[test]
fn what_is_no_set_is_refused() {
    for text in [
        "",
        "[]",
        "{}",
        r#"{"keys":{}}"#,
        r#"{"keys":null}"#,
        r#"{"keys":[]} x"#,
        "<html>",
        r#"{"keys":[],"keys":[]}"#,
    ] {
        assert!(matches!(JwkSet::parse(text), Err(KeyError::NotJwkSet { .. })), "{text}");
    }
    assert!(JwkSet::parse(r#"{"keys":[],"x":1}"#).unwrap().is_empty());
    let many = format!(r#"{{"keys":[{}0]}}"#, "0,".repeat(JwkSet::MAX_KEYS));
    assert_eq!(
        JwkSet::parse(many).unwrap_err(),
        KeyError::TooLarge { limit: JwkSet::MAX_KEYS, unit: "keys" }
    );
}

#[test]
fn ten_thousand_keys_are_searched_without_parsing_them() {
    let n = "A".repeat(342);
    let keys: Vec<Value> =
        (0..10_000).map(|i| json!({"kty":"RSA","kid":format!("k{i}"),"n":n,"e":"AQAB"})).collect();
    let set = set_of(&Value::from(keys));
    assert_eq!(set.len(), 10_000);
    assert_eq!(set.candidates(Some("k9999"), Algorithm::Rs256).count(), 1);
    assert_eq!(set.candidates(None, Algorithm::Rs256).count(), 10_000);
}

#[test]
fn a_published_set_has_public_members_only() {
    let key = SigningKey::generate(KeyKind::P256).unwrap();
    let set: JwkSet = [key.to_jwk().unwrap().with_key_id("k1").for_signatures()].into_iter().collect();
    let published: Value = serde_json::from_str(&set.to_public_json()).unwrap();
    let members: Vec<&String> = published["keys"][0].as_object().unwrap().keys().collect();
    assert_eq!(members, ["kty", "crv", "x", "y", "kid", "use"]);
}

proptest! {
    #[test]
    fn no_bytes_make_a_key_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = VerifyingKey::from_der(&bytes);
        let _ = SigningKey::from_der(&bytes);
        let _ = VerifyingKey::from_pem(&bytes);
        let _ = VerifyingKey::from_jwk(&bytes);
        let _ = VerifyingKey::from_secret(&bytes);
    }

    #[test]
    fn no_damage_to_a_key_makes_it_panic(place in 0usize..2_000, byte in any::<u8>(), cut in 0usize..3) {
        for file in ["rsa.pkcs8.pem", "p256.sec1.pem", "ed25519.pkcs8.pem", "rsa.cert.pem", "p521.pub.pem"] {
            let mut der = pem_content(&data(file));
            let place = place % der.len();
            der[place] = byte;
            if cut == 0 {
                der.truncate(place);
            }
            let _ = VerifyingKey::from_der(&der);
            if let Ok(key) = SigningKey::from_der(&der) {
                let _ = key.sign(key.algorithms()[0], b"m");
            }
        }
    }
}
