//! Tokens of odd shapes: where the verdict of the crate `jsonwebtoken`, with our provider, differs from ours.

use base64::prelude::*;
use jsonwebtoken::DecodingKey;
use scitoken_jwt::bridge::install_default;
use scitoken_jwt::keys::{Algorithm, KeyKind, SigningKey};
use scitoken_jwt::{Validation, decode};
use serde_json::Value;

/// The verdicts of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdicts {
    Accepted,
    Refused,
    /// docs/jsonwebtoken.md, "Where the validations differ", has a row for it.
    OnlyOurs,
    OnlyTheirs,
}
use Verdicts::{Accepted, OnlyOurs, OnlyTheirs, Refused};

fn part(text: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(text)
}

fn signed(key: &SigningKey, header: &str, claims: &str) -> String {
    let message = format!("{header}.{claims}");
    let signature = key.sign(Algorithm::Es256, message.as_bytes()).unwrap();
    format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

fn verdicts(key: &SigningKey, token: &str) -> Verdicts {
    let ours = decode(token, &key.verifying_key(), &Validation::new().allow(Algorithm::Es256)).is_ok();
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::ES256);
    validation.leeway = 0;
    validation.required_spec_claims.clear();
    validation.validate_nbf = true;
    let decoding = DecodingKey::try_from(&key.verifying_key()).unwrap();
    let theirs = jsonwebtoken::decode::<Value>(token, &decoding, &validation).is_ok();
    match (ours, theirs) {
        (true, true) => Accepted,
        (false, false) => Refused,
        (true, false) => OnlyOurs,
        (false, true) => OnlyTheirs,
    }
}

const CLAIMS: &str = r#"{"sub":"a","exp":4102444800}"#;

#[test]
fn odd_headers_have_one_verdict_but_for_listed_reasons() {
    install_default().unwrap();
    let key = SigningKey::generate(KeyKind::P256).unwrap();
    let deep = format!(r#"{{"alg":"ES256","a":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    for (header, expected) in [
        (r#"{"alg":"ES256"}"#, Accepted),
        (r#"{"alg":"ES256","typ":null}"#, Accepted),
        (r#"{"alg":"ES256","typ":"at+jwt","cty":"JWT"}"#, Accepted),
        (r#"{"alg":"ES256","kid":""}"#, Accepted),
        (r#"{"alg":"ES256","b64":true,"x":"a"}"#, Accepted),
        (r#" {"\u0061lg" : "ES256"} "#, Accepted),
        (r#"{"alg":"ES256","x":"a","x":"b"}"#, Accepted),
        (r#"{"alg":"none"}"#, Refused),
        (r#"{"alg":"ES256","alg":"none"}"#, Refused),
        (r#"{"alg":"es256"}"#, Refused),
        (r#"{"alg":"HS256"}"#, Refused),
        (r#"{"alg":"ES384"}"#, Refused),
        (r#"{"alg":"ES256K"}"#, Refused),
        (r#"{"alg":"RS256"}"#, Refused),
        (r#"{"alg":["ES256"]}"#, Refused),
        (r#"{"alg":null}"#, Refused),
        ("{}", Refused),
        ("null", Refused),
        ("", Refused),
        (r#"["ES256"]"#, Refused),
        (r"{'alg':'ES256'}", Refused),
        (r#"{"alg":"ES256",}"#, Refused),
        (r#"{"alg":"ES256"}x"#, Refused),
        (r#"{"alg":"ES256","kid":5}"#, Refused),
        (r#"{"alg":"ES256","crit":"x"}"#, Refused),
        // extensions that must be understood
        (r#"{"alg":"ES256","crit":["exp"],"exp":1}"#, OnlyTheirs),
        (r#"{"alg":"ES256","crit":[]}"#, OnlyTheirs),
        (r#"{"alg":"ES256","crit":null}"#, OnlyTheirs),
        (r#"{"alg":"ES256","crit":["b64"],"b64":false}"#, OnlyTheirs),
        (r#"{"alg":"ES256","b64":false}"#, OnlyTheirs),
        (r#"{"alg":"ES256","kid":null}"#, OnlyTheirs),
        // repeated members
        (r#"{"alg":"ES256","alg":"ES256"}"#, OnlyOurs),
        (r#"{"alg":"none","alg":"ES256"}"#, OnlyOurs),
        (r#"{"alg":"ES256","kid":"a","kid":"b"}"#, OnlyOurs),
        // parameters that are not needed, of a wrong type
        (r#"{"alg":"ES256","typ":5}"#, OnlyOurs),
        (r#"{"alg":"ES256","jwk":5}"#, OnlyOurs),
        (r#"{"alg":"ES256","x5c":5}"#, OnlyOurs),
        (r#"{"alg":"ES256","zip":5}"#, OnlyOurs),
        (r#"{"alg":"ES256","nonce":1}"#, OnlyOurs),
        // JSON that Python reads
        ("\u{feff}{\"alg\":\"ES256\"}", OnlyOurs),
        (r#"{"alg":"ES256","a":NaN}"#, OnlyOurs),
        (r#"{"alg":"ES256","a":1e999}"#, OnlyOurs),
        (r#"{"alg":"ES256","a":"\ud800"}"#, OnlyOurs),
        (&deep, OnlyOurs),
    ] {
        let token = signed(&key, &part(header), &part(CLAIMS));
        assert_eq!(verdicts(&key, &token), expected, "{header}");
        let forged = format!("{}AAAA", &token[..token.len() - 4]);
        assert_eq!(verdicts(&key, &forged), Refused, "{header}, with another signature");
    }
}

#[test]
fn odd_claims_and_parts_have_one_verdict_but_for_listed_reasons() {
    install_default().unwrap();
    let key = SigningKey::generate(KeyKind::P256).unwrap();
    let header = part(r#"{"alg":"ES256","typ":"JWT"}"#);
    for (claims, expected) in [
        ("{}", Accepted),
        (r#"{"x":1,"x":2}"#, Accepted),
        (r#"{"exp":4102444800.5}"#, Accepted),
        (r#"{"nbf":1.5}"#, Accepted),
        ("[]", Refused),
        ("null", Refused),
        ("", Refused),
        (r#"{"exp":-1}"#, Refused),
        (r#"{"nbf":1e99}"#, Refused),
        (r#"{"aud":"x"}"#, Refused),
        (r#"{"exp":4102444800,"exp":1}"#, Refused),
        (r#"{"sub":"a","sub":"b"}"#, OnlyOurs),
        (r#"{"exp":1,"exp":4102444800}"#, OnlyOurs),
        (r#"{"exp":1e99}"#, OnlyOurs),
        (r#"{"aud":[]}"#, OnlyOurs),
        (r#"{"a":Infinity}"#, OnlyOurs),
        ("\u{feff}{}", OnlyOurs),
    ] {
        assert_eq!(verdicts(&key, &signed(&key, &header, &part(claims))), expected, "{claims}");
    }
    let good = signed(&key, &header, &part(CLAIMS));
    let (message, signature) = good.rsplit_once('.').unwrap();
    for (token, expected) in [
        (good.clone(), Accepted),
        (format!("{good}\n"), Refused),
        (format!(" {good}"), Refused),
        (format!("{good}.x"), Refused),
        (format!("{message}."), Refused),
        (message.to_owned(), Refused),
        (String::new(), Refused),
        (format!("{message}.{}", &signature[4..]), Refused),
        (format!("{message}.{signature}AAAA"), Refused),
        (format!("{good}=="), OnlyOurs),
        (signed(&key, &header, &format!("{}==", part(CLAIMS))), OnlyOurs),
    ] {
        assert_eq!(verdicts(&key, &token), expected, "{token}");
    }
}
