//! RSA keys of unusual numbers through the bridge: one verdict with our own verification, and errors that say what is
//! wrong.

use base64::prelude::*;
use jsonwebtoken::{Algorithm as Theirs, DecodingKey, EncodingKey};
use scitoken_jwt::bridge::{BridgeError, PROVIDER, verify_once};
use scitoken_jwt::keys::{Algorithm, Jwk, KeyError, KeyKind, SigningKey, VerifyingKey, Weakness, sha256};
use serde_json::{Map, Value, json};

fn number(key: &Value, name: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap()
}

fn length(content: &[u8]) -> Vec<u8> {
    let bytes = content.len().to_be_bytes();
    let digits = bytes.iter().skip_while(|byte| **byte == 0).copied().collect::<Vec<u8>>();
    match (content.len(), u8::try_from(digits.len()).unwrap()) {
        (0, _) => vec![0],
        (..0x80, _) => digits,
        (_, count) => [vec![0x80 | count], digits].concat(),
    }
}

fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag], &length(content)[..], content].concat()
}

fn unsigned(number: &[u8]) -> Vec<u8> {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let is_negative = number.get(zeros).is_none_or(|first| first & 0x80 != 0);
    tagged(2, &[&[0; 1][..usize::from(is_negative)], &number[zeros..]].concat())
}

fn pkcs1(n: &[u8], e: &[u8]) -> Vec<u8> {
    tagged(0x30, &[unsigned(n), unsigned(e)].concat())
}

fn spki(pkcs1: &[u8]) -> Vec<u8> {
    let algorithm =
        [&tagged(6, &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01])[..], &[5, 0]].concat();
    tagged(0x30, &[tagged(0x30, &algorithm), tagged(3, &[&[0], pkcs1].concat())].concat())
}

/// The forms in which a `DecodingKey` holds an RSA key, with a name each.
fn forms(n: &[u8], e: &[u8]) -> [(&'static str, DecodingKey); 3] {
    [
        ("numbers", DecodingKey::from_rsa_raw_components(n, e)),
        ("PKCS#1", DecodingKey::from_rsa_der(&pkcs1(n, e))),
        ("SubjectPublicKeyInfo", DecodingKey::from_rsa_der(&spki(&pkcs1(n, e)))),
    ]
}

/// Our own keys of these numbers: from a JWK and from DER.
fn own(n: &[u8], e: &[u8]) -> [Result<VerifyingKey, KeyError>; 2] {
    let encoded = |number| BASE64_URL_SAFE_NO_PAD.encode(number);
    let jwk = Jwk::parse(json!({"kty": "RSA", "n": encoded(n), "e": encoded(e)}).to_string()).unwrap();
    [jwk.verifying_key().cloned(), VerifyingKey::from_der(pkcs1(n, e))]
}

/// What both say about a signature of `message`: `Ok`, or why not.
fn verdict(n: &[u8], e: &[u8], algorithm: Algorithm, signature: &[u8]) -> Result<(), KeyError> {
    let verdicts = own(n, e).map(|key| key.and_then(|key| key.verify(algorithm, b"message", signature)));
    assert_eq!(verdicts[0], verdicts[1], "from a JWK and from DER");
    let theirs = Theirs::try_from(algorithm).unwrap();
    for (form, key) in forms(n, e) {
        let verified = match (PROVIDER.verifier_factory)(&theirs, &key) {
            Ok(verifier) => verifier.verify(b"message", &signature.to_vec()).is_ok(),
            Err(_) => false,
        };
        assert_eq!(verified, verdicts[0].is_ok(), "{form}: {:?}", verdicts[0]);
        match (VerifyingKey::try_from(&key), &verdicts[0]) {
            (Ok(key), told) => {
                assert_eq!(&verify_once(&key, algorithm, b"message", signature), told, "{form}");
            }
            (Err(BridgeError::Key(told)), _) => assert_eq!(Err(told), verdicts[0], "{form}"),
            (Err(other), _) => panic!("{form}: {other}"),
        }
    }
    let [verdict, _] = verdicts;
    verdict
}

fn sizes() -> Map<String, Value> {
    let sizes: Map<String, Value> =
        serde_json::from_str(include_str!("../data/keys/rsa.sizes.json")).unwrap();
    assert_eq!(sizes.len(), 9);
    sizes
}

#[test]
fn each_size_has_one_verdict_and_says_why_it_is_refused() {
    for (name, key) in sizes() {
        let (n, e) = (number(&key, "n"), number(&key, "e"));
        for (algorithm, signature) in key["signatures"].as_object().unwrap() {
            let algorithm: Algorithm = algorithm.parse().unwrap();
            let signature = BASE64_URL_SAFE_NO_PAD.decode(signature.as_str().unwrap()).unwrap();
            let legacy = matches!(algorithm, Algorithm::Rs256 | Algorithm::Rs512);
            let expected = match name.as_str() {
                "1024" if !legacy => Err(KeyError::TooWeak(Weakness::ShortRsa { bits: 1_024 })),
                "2047" if !legacy => Err(KeyError::TooWeak(Weakness::ShortRsa { bits: 2_047 })),
                "8193" | "16384" => Err(KeyError::Malformed {
                    kind: KeyKind::Rsa,
                    problem: "it has more than 8192 bits, which is not supported",
                }),
                _ => Ok(()),
            };
            assert_eq!(verdict(&n, &e, algorithm, &signature), expected, "{name} {algorithm}");
            // leading zeros are not part of a number
            let (zeros_n, zeros_e) = ([&[0; 300], &n[..]].concat(), [&[0; 3], &e[..]].concat());
            assert_eq!(verdict(&zeros_n, &zeros_e, algorithm, &signature), expected, "{name} {algorithm}");
            let forged = verdict(&n, &e, algorithm, &signature[1..]);
            assert_eq!(forged, expected.and(Err(KeyError::BadSignature)), "{name} {algorithm}");
        }
    }
}

#[test]
fn each_size_signs_or_says_why_not() {
    for (name, key) in sizes() {
        let pkcs8 = number(&key, "pkcs8");
        let signer = SigningKey::from_der(&pkcs8);
        let expected = match name.as_str() {
            "1024" | "2047" => {
                format!("the RSA key has {name} bits; at least 2048 are required (NIST SP 800-131A)")
            }
            "8193" | "16384" => {
                "the RSA key is malformed: it has more than 8192 bits, which is not supported".to_owned()
            }
            _ => String::new(),
        };
        let told = signer.as_ref().map_or_else(ToString::to_string, |_| String::new());
        assert_eq!(told, expected, "{name}");
        for algorithm in KeyKind::Rsa.algorithms().iter().copied() {
            let theirs = Theirs::try_from(algorithm).unwrap();
            let key = EncodingKey::from_rsa_der(&pkcs8);
            match (PROVIDER.signer_factory)(&theirs, &key) {
                Err(error) => {
                    assert!(error.to_string().contains(&expected) && !expected.is_empty(), "{error}");
                }
                Ok(bridged) => {
                    let signature = bridged.try_sign(b"message").unwrap();
                    let public = signer.as_ref().unwrap().verifying_key();
                    assert_eq!(
                        public.verify(algorithm, b"message", &signature),
                        Ok(()),
                        "{name} {algorithm}"
                    );
                }
            }
        }
    }
}

#[test]
fn numbers_that_are_no_key_are_named() {
    let key = &sizes()["2048"];
    let (n, e) = (number(key, "n"), number(key, "e"));
    let mut even = n.clone();
    *even.last_mut().unwrap() &= 0xfe;
    let huge = vec![0xff; 1_000_000];
    for (n, e, told) in [
        (&[][..], &e[..], "its modulus is zero"),
        (&[0; 256], &e, "its modulus is zero"),
        (&[3], &e, "has 2 bits"),
        (&n[..127], &e, "has 1016 bits"),
        (&even, &e, "its modulus is even"),
        (&huge, &e, "more than 8192 bits"),
        (&n, &[], "its exponent is zero"),
        (&n, &[0, 0], "its exponent is zero"),
        (&n, &[1], "any signature would verify"),
        (&n, &[0, 0, 1], "any signature would verify"),
        (&n, &[2], "its exponent is even"),
        (&n, &[1, 0, 0], "its exponent is even"),
        (&n, &[3, 0xff, 0xff, 0xff, 0xff], "more than 33 bits"),
        (&n, &n, "more than 33 bits"),
        (&n, &huge, "more than 33 bits"),
    ] {
        for algorithm in KeyKind::Rsa.algorithms().iter().copied() {
            let error = verdict(n, e, algorithm, &[0x5a; 256]).unwrap_err();
            assert!(error.to_string().contains(told), "{told}: {error}");
        }
    }
    for exponent in [&[3][..], &[5], &[1, 0xff, 0xff, 0xff, 0xff]] {
        assert_eq!(verdict(&n, exponent, Algorithm::Rs256, &[0x5a; 256]), Err(KeyError::BadSignature));
    }
}

/// With the exponent 1, the padded hash is its own signature (RFC 8017 section 9.2).
#[test]
fn a_key_with_the_exponent_1_does_not_accept_the_signature_that_everyone_can_make() {
    let n = number(&sizes()["2048"], "n");
    let prefix = [0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 0x20];
    let hash = [&prefix[..], &sha256("message")].concat();
    let forged = [&[0, 1][..], &vec![0xff; 256 - 3 - hash.len()], &[0], &hash].concat();
    assert!(verdict(&n, &[1], Algorithm::Rs256, &forged).is_err());
    assert_eq!(verdict(&n, &[3], Algorithm::Rs256, &forged), Err(KeyError::BadSignature));
}

#[test]
fn trailing_bytes_in_any_layer_are_no_key() {
    let key = &sizes()["2048"];
    let (n, e) = (number(key, "n"), number(key, "e"));
    let good = pkcs1(&n, &e);
    assert!(VerifyingKey::try_from(&DecodingKey::from_rsa_der(&spki(&good))).is_ok());
    let third = tagged(0x30, &[unsigned(&n), unsigned(&e), unsigned(&[5])].concat());
    let negative = tagged(0x30, &[tagged(2, &n), unsigned(&e)].concat());
    let info = spki(&good);
    let longer = tagged(0x30, &[&info[4..], &[5, 0]].concat());
    let padded = tagged(0x30, &[tagged(2, &[&[0, 0], &n[..]].concat()), unsigned(&e)].concat());
    let within = spki(&[&good[..], &[0]].concat());
    for der in [
        [&good[..], &[0]].concat(),
        [&info[..], &[0]].concat(),
        good[..good.len() - 1].to_vec(),
        longer,
        within,
        spki(&third),
        third,
        spki(&negative),
        negative,
        padded,
        tagged(0x30, &[]),
        tagged(0x30, &unsigned(&n)),
    ] {
        let error = VerifyingKey::try_from(&DecodingKey::from_rsa_der(&der)).unwrap_err();
        assert!(matches!(error, BridgeError::Key(_)), "{error}");
        assert_eq!(BridgeError::Key(VerifyingKey::from_der(&der).unwrap_err()), error);
    }
}
