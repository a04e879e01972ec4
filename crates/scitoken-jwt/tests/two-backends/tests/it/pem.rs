//! PEM and DER that `jsonwebtoken` reads itself, and what becomes of the keys in our provider.

use std::fs;
use std::path::Path;

use base64::prelude::*;
use jsonwebtoken::errors::Error;
use jsonwebtoken::{Algorithm as Theirs, DecodingKey, EncodingKey, Header, Validation};
use scitoken_jwt::bridge::install_default;
use scitoken_jwt::keys::{KeyKind, SigningKey, VerifyingKey};
use serde_json::{Value, json};

use super::process::alone;

fn data(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/keys").join(name)).unwrap()
}

type Readers<K> = [fn(&[u8]) -> Result<K, Error>; 3];
const DECODING: Readers<DecodingKey> =
    [DecodingKey::from_rsa_pem, DecodingKey::from_ec_pem, DecodingKey::from_ed_pem];
const ENCODING: Readers<EncodingKey> =
    [EncodingKey::from_rsa_pem, EncodingKey::from_ec_pem, EncodingKey::from_ed_pem];
const ALGORITHMS: [Theirs; 6] =
    [Theirs::RS256, Theirs::PS384, Theirs::ES256, Theirs::ES384, Theirs::EdDSA, Theirs::HS256];

#[test]
fn each_file_is_the_key_that_it_is_here_or_an_error() {
    alone("pem::each_file_is_the_key_that_it_is_here_or_an_error", || {
        install_default().unwrap();
        let (mut public, mut private) = (0, 0);
        let names = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/keys")).unwrap();
        for name in names.map(|entry| entry.unwrap().file_name().into_string().unwrap()) {
            let pem = data(&name);
            for read in DECODING {
                let Ok(key) = read(&pem) else { continue };
                for algorithm in ALGORITHMS {
                    let token = format!("{}.e30.AAAA", header(algorithm));
                    assert!(
                        jsonwebtoken::decode::<Value>(&token, &key, &Validation::new(algorithm)).is_err()
                    );
                }
                // a point of secp256k1 is as long as one of P-256, and not on its curve
                if let Ok(key) = VerifyingKey::try_from(&key) {
                    assert_eq!(key, VerifyingKey::from_pem(&pem).unwrap(), "{name}");
                    public += 1;
                }
            }
            for read in ENCODING {
                let Ok(key) = read(&pem) else { continue };
                for algorithm in ALGORITHMS {
                    let _ = jsonwebtoken::encode(&Header::new(algorithm), &json!({}), &key);
                }
                if let Ok(key) = SigningKey::try_from(&key) {
                    let own = SigningKey::from_pem(&pem).unwrap();
                    assert_eq!(key.verifying_key(), own.verifying_key(), "{name}");
                    private += 1;
                }
            }
        }
        assert!(public >= 6 && private >= 5, "{public} {private}");
    });
}

fn header(algorithm: Theirs) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(json!({"alg": format!("{algorithm:?}")}).to_string())
}

#[test]
fn of_several_keys_in_one_file_the_first_is_read() {
    alone("pem::of_several_keys_in_one_file_the_first_is_read", || {
        install_default().unwrap();
        let keys =
            [KeyKind::P256, KeyKind::P256, KeyKind::Rsa].map(|kind| SigningKey::generate(kind).unwrap());
        let pems = keys.each_ref().map(|key| key.verifying_key().to_pem().unwrap());
        let several = pems.concat();
        let key = DecodingKey::from_ec_pem(several.as_bytes()).unwrap();
        assert_eq!(VerifyingKey::try_from(&key).unwrap(), keys[0].verifying_key());
        assert_eq!(VerifyingKey::from_pem(&several).unwrap(), keys[0].verifying_key());
        assert!(DecodingKey::from_rsa_pem(several.as_bytes()).is_err(), "the first one is no RSA key");
        // of a private key we take the public half, which `jsonwebtoken` refuses
        let mixed = format!("{}{}", keys[0].expose_pem().unwrap(), pems[1]);
        assert!(DecodingKey::from_ec_pem(mixed.as_bytes()).is_err());
        assert_eq!(VerifyingKey::from_pem(&mixed).unwrap(), keys[0].verifying_key());
    });
}

#[test]
fn a_private_key_in_the_place_of_a_public_one_verifies_nothing() {
    alone("pem::a_private_key_in_the_place_of_a_public_one_verifies_nothing", || {
        install_default().unwrap();
        let pem = data("rsa.pkcs8.pem");
        let encoding = EncodingKey::from_rsa_pem(&pem).unwrap();
        let token = jsonwebtoken::encode(&Header::new(Theirs::RS256), &json!({}), &encoding).unwrap();
        let decoding = DecodingKey::from_rsa_pem(&pem).unwrap();
        let error =
            jsonwebtoken::decode::<Value>(&token, &decoding, &Validation::new(Theirs::RS256)).unwrap_err();
        assert!(error.to_string().contains("this is a private key"), "{error}");
    });
}
