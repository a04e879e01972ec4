//! Keys, sets and validations as a hostile or careless user of the crate `jsonwebtoken` makes them: one verdict with our
//! own verification, and no panic.

use base64::prelude::*;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm as Theirs, DecodingKey, EncodingKey, Header, Validation, jwk, jws};
use scitoken_jwt::bridge::{PROVIDER, install_default};
use scitoken_jwt::keys::{Algorithm, Jwk, JwkSet, KeyKind, SigningKey, VerifyingKey};
use serde_json::{Value, json};

fn text(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Verifies through the bridge.
fn verifies(algorithm: Theirs, key: &DecodingKey, message: &[u8], signature: &[u8]) -> bool {
    (PROVIDER.verifier_factory)(&algorithm, key)
        .is_ok_and(|verifier| verifier.verify(message, &signature.to_vec()).is_ok())
}

fn validation(algorithms: &[Theirs]) -> Validation {
    let mut validation = Validation::new(algorithms.first().copied().unwrap_or_default());
    validation.algorithms = algorithms.to_vec();
    validation.required_spec_claims.clear();
    validation
}

fn token(key: &SigningKey, algorithm: Theirs) -> String {
    jsonwebtoken::encode(&Header::new(algorithm), &json!({"sub": "a"}), &EncodingKey::try_from(key).unwrap())
        .unwrap()
}

#[test]
fn curves_without_counterpart_or_in_the_wrong_type_of_key_never_verify() {
    install_default().unwrap();
    let (x, y) = (text([9; 32]), text([9; 32]));
    let secp256k1 = SigningKey::generate(KeyKind::Secp256k1).unwrap().verifying_key().to_jwk();
    let p521 = SigningKey::generate(KeyKind::P521).unwrap().verifying_key().to_jwk();
    let secp256k1: Value = serde_json::from_str(&secp256k1.expose_json()).unwrap();
    let p521: Value = serde_json::from_str(&p521.expose_json()).unwrap();
    for (json, is_known_here) in [
        (json!({"kty": "OKP", "crv": "X25519", "x": x}), false),
        (json!({"kty": "OKP", "crv": "Ed448", "x": text([9; 57])}), false),
        (json!({"kty": "OKP", "crv": "P-256", "x": x}), false),
        (json!({"kty": "EC", "crv": "Ed25519", "x": x, "y": y}), false),
        (json!({"kty": "EC", "crv": "P-256", "x": x, "y": y}), false),
        (json!({"kty": "EC", "crv": "p-256", "x": x, "y": y}), false),
        (json!({"kty": "ec", "crv": "P-256", "x": x, "y": y}), false),
        (json!({"kty": "EC", "crv": "P-256", "x": x}), false),
        (json!({"kty": "EC", "x": x, "y": y}), false),
        (json!({"kty": "RSA", "n": x}), false),
        (json!({"kty": "RSA", "e": "AQAB"}), false),
        (json!({"kty": "oct"}), false),
        (json!({"kty": "oct", "k": 5}), false),
        (json!({"kty": ["RSA"], "n": x, "e": "AQAB"}), false),
        (json!({}), false),
        (secp256k1, true),
        (p521, true),
    ] {
        let here = Jwk::parse(json.to_string()).and_then(|key| key.verifying_key().cloned());
        assert_eq!(here.is_ok(), is_known_here, "{json}");
        let Ok(theirs) = serde_json::from_value::<jwk::Jwk>(json.clone()) else { continue };
        let back = Jwk::try_from(&theirs).and_then(|key| Ok(key.verifying_key()?.clone()));
        assert_eq!(back.is_ok(), is_known_here, "{json}");
        let Ok(key) = DecodingKey::from_jwk(&theirs) else { continue };
        for algorithm in [Theirs::ES256, Theirs::ES384, Theirs::EdDSA, Theirs::RS256, Theirs::HS256] {
            assert!(!verifies(algorithm, &key, b"m", &[9; 64]), "{json} {algorithm:?}");
        }
    }
}

#[test]
fn a_set_with_repeated_and_missing_names_keeps_them_all() {
    let keys: Vec<_> =
        (0..4).map(|_| SigningKey::generate(KeyKind::P256).unwrap().verifying_key().to_jwk()).collect();
    let names = [Some("k"), Some("k"), None, Some("\u{202e}ключ\u{0}")];
    let with_name =
        |(key, name): (&Jwk, Option<&str>)| name.map_or(key.clone(), |name| key.clone().with_key_id(name));
    let set: JwkSet = keys.iter().zip(names).map(with_name).collect();
    let theirs = jwk::JwkSet::try_from(&set).unwrap();
    let ids: Vec<_> = theirs.keys.iter().map(|key| key.common.key_id.as_deref()).collect();
    assert_eq!(ids, names);
    let first = theirs.find("k").unwrap();
    assert_eq!(Jwk::try_from(first).unwrap().verifying_key(), keys[0].verifying_key());
    let back = JwkSet::try_from(&theirs).unwrap();
    assert_eq!((back.len(), back.with_key_id("k").count()), (4, 2));
    assert_eq!(back.candidates(None, Algorithm::Es256).count(), 4);
}

#[test]
fn what_a_key_is_for_is_lost_in_a_decoding_key_and_kept_in_a_jwk() {
    let signer = SigningKey::generate(KeyKind::P256).unwrap();
    let signature = signer.sign(Algorithm::Es256, b"m").unwrap();
    let json: Value = serde_json::from_str(&signer.verifying_key().to_jwk().expose_json()).unwrap();
    for (member, value) in [
        ("use", json!("enc")),
        ("key_ops", json!(["encrypt"])),
        ("alg", json!("ES384")),
        ("alg", json!("ECDH-ES")),
    ] {
        let mut json = json.clone();
        json[member] = value;
        let theirs: jwk::Jwk = serde_json::from_value(json.clone()).unwrap();
        assert!(!Jwk::try_from(&theirs).unwrap().is_for(Algorithm::Es256), "{json}");
        // `jsonwebtoken` does not look at these members either
        let key = DecodingKey::from_jwk(&theirs).unwrap();
        assert!(verifies(Theirs::ES256, &key, b"m", &signature), "{json}");
        assert!(!verifies(Theirs::ES384, &key, b"m", &signature), "{json}");
    }
}

#[test]
fn secrets_of_every_length_have_one_verdict_and_keys_are_not_secrets() {
    let pem = SigningKey::generate(KeyKind::Rsa).unwrap().verifying_key().to_pem().unwrap();
    let block: String = pem.lines().filter(|line| !line.contains("-----")).collect();
    let der = BASE64_STANDARD.decode(block).unwrap();
    let jwk = SigningKey::generate(KeyKind::P256).unwrap().verifying_key().to_jwk().expose_json();
    let long = vec![b'k'; 1_000_000];
    for (secret, is_secret) in [
        (&b""[..], false),
        (b"\0", true),
        (b"k", true),
        (&[0; 64], true),
        (&long, true),
        (pem.as_bytes(), false),
        (&der, false),
        (jwk.as_bytes(), false),
        ("пароль\u{0}".as_bytes(), true),
    ] {
        let own = SigningKey::from_secret(secret);
        assert_eq!(own.is_ok(), is_secret);
        let (encoding, decoding) = (EncodingKey::from_secret(secret), DecodingKey::from_secret(secret));
        for algorithm in [Theirs::HS256, Theirs::HS384, Theirs::HS512] {
            let signer = (PROVIDER.signer_factory)(&algorithm, &encoding);
            assert_eq!(signer.is_ok(), is_secret);
            let Ok(signer) = signer else {
                assert!(!verifies(algorithm, &decoding, b"m", b""));
                continue;
            };
            let signature = signer.try_sign(b"m").unwrap();
            let ours = Algorithm::try_from(algorithm).unwrap();
            assert_eq!(own.as_ref().unwrap().sign(ours, b"m").unwrap(), signature);
            assert!(verifies(algorithm, &decoding, b"m", &signature));
            for wrong in [&b""[..], &signature[1..], &[&signature[..], b"\0"].concat()] {
                assert!(!verifies(algorithm, &decoding, b"m", wrong));
            }
        }
        assert!(!verifies(Theirs::RS256, &decoding, b"m", b""));
    }
}

/// `jsonwebtoken` refuses every token if one of the algorithms is not of the key's family.
#[test]
fn algorithms_of_several_families_are_narrowed_to_those_of_the_key() {
    install_default().unwrap();
    let (ec, rsa) =
        (SigningKey::generate(KeyKind::P256).unwrap(), SigningKey::generate(KeyKind::Rsa).unwrap());
    let mixed = [Theirs::ES256, Theirs::RS256, Theirs::HS256];
    for (key, algorithm) in [(&ec, Theirs::ES256), (&rsa, Theirs::RS256)] {
        let token = token(key, algorithm);
        let decoding = DecodingKey::try_from(&key.verifying_key()).unwrap();
        let decoded = |validation: &Validation| {
            jsonwebtoken::decode::<Value>(&token, &decoding, validation)
                .map_err(jsonwebtoken::errors::Error::into_kind)
        };
        let mut validation = validation(&mixed);
        assert_eq!(decoded(&validation).unwrap_err(), ErrorKind::InvalidAlgorithm);
        validation.algorithms.retain(|algorithm| algorithm.family() == decoding.family());
        assert_eq!(decoded(&validation).unwrap().claims["sub"], "a");
        validation.algorithms.clear();
        assert_eq!(decoded(&validation).unwrap_err(), ErrorKind::InvalidAlgorithm);
        // the public key as the secret of HMAC
        let pem = key.verifying_key().to_pem().unwrap();
        assert!(
            jsonwebtoken::encode(&Header::default(), &json!({}), &EncodingKey::from_secret(pem.as_bytes()))
                .is_err()
        );
    }
}

#[test]
fn signatures_of_other_forms_and_of_zeros_are_refused() {
    for (kind, ours, theirs) in
        [(KeyKind::P256, Algorithm::Es256, Theirs::ES256), (KeyKind::P384, Algorithm::Es384, Theirs::ES384)]
    {
        let key = SigningKey::generate(kind).unwrap();
        let public = key.verifying_key();
        let decoding = DecodingKey::try_from(&public).unwrap();
        let good = key.sign(ours, b"m").unwrap();
        assert!(verifies(theirs, &decoding, b"m", &good));
        let (r, s) = good.split_at(good.len() / 2);
        let integer = |number: &[u8]| [&[2, u8::try_from(number.len()).unwrap() + 1, 0], number].concat();
        let numbers = [integer(r), integer(s)].concat();
        let der = [&[0x30, u8::try_from(numbers.len()).unwrap()][..], &numbers].concat();
        let zeros = vec![0; good.len()];
        let ones = vec![0xff; good.len()];
        let padded = [&[0], r, &[0], s].concat();
        for signature in [&der, &zeros, &ones, &padded, &[&good[..], &[0]].concat()] {
            assert!(!verifies(theirs, &decoding, b"m", signature), "{signature:?}");
            assert!(public.verify(ours, b"m", signature).is_err());
        }
    }
}

#[test]
fn a_jws_in_parts_has_the_verdict_of_the_token() {
    install_default().unwrap();
    let key = SigningKey::generate(KeyKind::P256).unwrap();
    let decoding = DecodingKey::try_from(&key.verifying_key()).unwrap();
    let encoding = EncodingKey::try_from(&key).unwrap();
    let good = jws::encode(&Header::new(Theirs::ES256), Some(&json!({"sub": "a"})), &encoding).unwrap();
    let decodes =
        |jws: &jws::Jws<Value>| jws::decode::<Value>(jws, &decoding, &validation(&[Theirs::ES256])).is_ok();
    assert!(decodes(&good));
    let changed = |change: fn(&mut jws::Jws<Value>)| {
        let mut jws = good.clone();
        change(&mut jws);
        decodes(&jws)
    };
    assert!(!changed(|jws| jws.payload.clear()));
    assert!(!changed(|jws| jws.signature.clear()));
    assert!(!changed(|jws| jws.protected.clear()));
    assert!(!changed(|jws| jws.protected = text(r#"{"alg":"none"}"#)));
    assert!(!changed(|jws| jws.protected = text(r#"{"alg":"HS256"}"#)));
    // a dot moved from one part into the other is the same message, but no base64
    assert!(!changed(|jws| {
        jws.payload = format!("{}.{}", jws.protected, jws.payload);
        jws.protected.clear();
    }));
}

#[test]
fn a_private_key_verifies_nothing() {
    for (kind, theirs) in
        [(KeyKind::Rsa, Theirs::RS256), (KeyKind::P256, Theirs::ES256), (KeyKind::Ed25519, Theirs::EdDSA)]
    {
        let key = SigningKey::generate(kind).unwrap();
        let encoding = EncodingKey::try_from(&key).unwrap();
        let signature = key.sign(Algorithm::try_from(theirs).unwrap(), b"m").unwrap();
        for private in [
            DecodingKey::from_rsa_der(encoding.as_bytes()),
            DecodingKey::from_ec_der(encoding.as_bytes()),
            DecodingKey::from_ed_der(encoding.as_bytes()),
        ] {
            assert!(!verifies(theirs, &private, b"m", &signature), "{kind}");
            assert!(VerifyingKey::try_from(&private).is_err(), "{kind}");
        }
    }
}
