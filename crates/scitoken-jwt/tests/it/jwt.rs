//! Tokens as PyJWT 2.15.1 makes and judges them.

use std::path::Path;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use proptest::prelude::*;
use scitoken_jwt::keys::{Algorithm, Jwk, KeyError, KeyKind, SigningKey, VerifyingKey};
use scitoken_jwt::{self, BoundKey, ClaimCheck, Encoder, JwtError, Key, Object, Validation};
use scitoken_types::sys::ManualClock;
use serde_json::{Value, json};

const K32: &str = "0123456789abcdef0123456789abcdef";
const RFC_8037: &str = r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

fn signer() -> SigningKey {
    SigningKey::from_secret(K32).unwrap()
}

fn hs256() -> Validation {
    Validation::new().allow(Algorithm::Hs256)
}

/// At the time 1000.
fn at_1000() -> Validation {
    hs256().clock(ManualClock::at_epoch_seconds(1_000))
}

/// A token with this very header, but for an `alg` that is added where it has none.
fn token(header: &str, claims: &str) -> String {
    let header = match header.strip_prefix('{') {
        Some(rest) if !header.contains("\"alg\"") => {
            format!("{{\"alg\":\"HS256\"{}{rest}", if rest == "}" { "" } else { "," })
        }
        _ => header.to_owned(),
    };
    let signed =
        format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(header), BASE64_URL_SAFE_NO_PAD.encode(claims));
    let signature = signer().sign(Algorithm::Hs256, signed.as_bytes()).unwrap();
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

fn verdict(claims: &str, validation: &Validation) -> &'static str {
    name(&scitoken_jwt::decode(token("{}", claims), &signer().verifying_key(), validation))
}

fn name<T>(result: &Result<T, JwtError>) -> &'static str {
    result.as_ref().err().map_or("ok", JwtError::pyjwt_name)
}

/// A call of PyJWT's `decode`, as the vectors write it.
fn validation_of(case: &Value, vectors: &Value) -> Validation {
    let now = Duration::from_secs_f64(vectors["now"].as_f64().unwrap());
    let mut validation = Validation::new().clock(ManualClock::new(SystemTime::UNIX_EPOCH + now));
    for algorithm in vectors["algorithms"].as_array().unwrap() {
        validation = validation.allow_name(algorithm.as_str().unwrap());
    }
    let texts = |value: &Value| -> Vec<String> {
        value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    for (argument, value) in case["args"].as_object().unwrap() {
        validation = match (argument.as_str(), value) {
            ("audience", Value::String(audience)) => validation.audience(audience),
            ("audience", many) => validation.audiences(texts(many)),
            ("issuer", Value::String(issuer)) => validation.issuer(issuer),
            ("issuer", many) => validation.issuers(texts(many)),
            ("subject", subject) => validation.subject(subject.as_str().unwrap()),
            ("leeway", seconds) => validation.leeway_seconds(seconds.as_f64().unwrap()),
            ("options", options) => {
                options.as_object().unwrap().iter().fold(validation, |validation, option| {
                    match (option.0.as_str(), option.1) {
                        ("strict_aud", Value::Bool(true)) => validation.strict_audience(),
                        ("strict_aud" | "verify_signature", Value::Bool(_)) => validation,
                        ("require", claims) => {
                            texts(claims).into_iter().fold(validation, Validation::require)
                        }
                        (name, Value::Bool(is_looked_at)) => {
                            let check = ClaimCheck::of_claim(name.strip_prefix("verify_").unwrap()).unwrap();
                            if *is_looked_at { validation.check(check) } else { validation.skip(check) }
                        }
                        other => panic!("{other:?}"),
                    }
                })
            }
            other => panic!("{other:?}"),
        };
    }
    validation
}

#[test]
fn every_vector_gets_the_verdict_of_pyjwt() {
    let text = fs_err::read_to_string(Path::new("tests/data/jwt/pyjwt-2.15.1-decode.json")).unwrap();
    let vectors: Value = serde_json::from_str(&text).unwrap();
    let key = VerifyingKey::from_secret(vectors["key_utf8"].as_str().unwrap()).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    assert!(cases.len() >= 60);
    for case in cases {
        let (token, validation) = (case["token"].as_str().unwrap(), validation_of(case, &vectors));
        let result = if case["args"]["options"]["verify_signature"] == false {
            scitoken_jwt::decode_unverified(token, &validation).map(scitoken_jwt::Unverified::into_claims)
        } else {
            scitoken_jwt::decode(token, &key, &validation)
        };
        let wanted = case["expect"]["error"].as_str().unwrap_or("ok");
        assert_eq!(name(&result), wanted, "{}: {result:?}", case["name"]);
        if let (Ok(claims), false) = (result, case["expect"]["claims"].is_null()) {
            let claims: Value = claims.to_type().unwrap();
            assert_eq!(claims, case["expect"]["claims"], "{}", case["name"]);
        }
    }
}

#[test]
fn what_is_encoded_is_what_pyjwt_encodes() {
    let claims =
        json!({"iss": "https://issuer.example", "aud": ["a", "b"], "exp": 4_102_444_800_u64, "sub": "é"});
    assert_eq!(
        Encoder::new(Algorithm::Hs256).key_id("k1").encode(&claims, &signer()).unwrap(),
        "eyJhbGciOiJIUzI1NiIsImtpZCI6ImsxIiwidHlwIjoiSldUIn0.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwiYXVkIjpb\
         ImEiLCJiIl0sImV4cCI6NDEwMjQ0NDgwMCwic3ViIjoiXHUwMGU5In0.64mo9RbvYZZFd9Xc8NByhwxl12xsKVNX8nSdkSf26l8"
    );
    let ed25519 = SigningKey::from_jwk(RFC_8037).unwrap();
    assert_eq!(
        scitoken_jwt::encode(&json!({"a": 1}), &ed25519, Algorithm::EdDsa).unwrap(),
        "eyJhbGciOiJFZERTQSIsInR5cCI6IkpXVCJ9.eyJhIjoxfQ.lpeUjprDsTEQ9wvvI5io5w1JNHS3HlMM7iGdPn-XKQ4ttAAM4Gk6jrYlbvi5\
         tLX5l_PnpNIItcXxQVGR7tGHDg"
    );
}

#[test]
fn a_token_without_signature_is_made_and_never_verified() {
    let token = scitoken_jwt::encode_unsecured(&json!({"a": 1})).unwrap();
    assert_eq!(token, "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.eyJhIjoxfQ.");
    let none = Validation::new().allow_name("none");
    assert_eq!(name(&scitoken_jwt::decode(&token, Key::none(), &none)), "InvalidSignatureError");
    assert_eq!(name(&scitoken_jwt::decode(&token, &signer().verifying_key(), &none)), "InvalidKeyError");
    assert_eq!(
        name(&scitoken_jwt::decode(&token, &signer().verifying_key(), &hs256())),
        "InvalidAlgorithmError"
    );
    assert_eq!(
        scitoken_jwt::decode_unverified(&token, &Validation::new()).unwrap().claims().to_string(),
        r#"{"a":1}"#
    );
}

#[test]
fn a_detached_payload_is_verified_beside_its_token() {
    let token = Encoder::new(Algorithm::Hs256).detached().encode_bytes(b"$.02", &signer()).unwrap();
    assert_eq!(
        token,
        "eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il0sInR5cCI6IkpXVCJ9..AmevrGkGesGRdy0-mnMP1fmuSf-92BXl7\
         dbYYMLoCdE"
    );
    let key = signer().verifying_key();
    let signed = scitoken_jwt::verify(&token, &key, &hs256().detached_payload("$.02")).unwrap();
    assert_eq!(signed.payload(), b"$.02");
    assert_eq!(
        name(&scitoken_jwt::verify(&token, &key, &hs256().detached_payload("$.03"))),
        "InvalidSignatureError"
    );
    assert_eq!(name(&scitoken_jwt::verify(&token, &key, &hs256())), "DecodeError");
    let attached = scitoken_jwt::encode(&json!({}), &signer(), Algorithm::Hs256).unwrap();
    assert_eq!(name(&scitoken_jwt::decode(&attached, &key, &hs256().detached_payload("{}"))), "DecodeError");
    let claims = Encoder::new(Algorithm::Hs256).detached().encode(&json!({"sub": "me"}), &signer()).unwrap();
    let validation = hs256().detached_payload(r#"{"sub":"me"}"#);
    assert_eq!(scitoken_jwt::decode(&claims, &key, &validation).unwrap().text("sub"), Some("me"));
    assert_eq!(
        scitoken_jwt::decode_unverified(&claims, &validation).unwrap().claims().text("sub"),
        Some("me")
    );
}

#[test]
fn the_example_of_rfc_7515_is_expired_and_otherwise_good() {
    let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leG\
         FtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let key = VerifyingKey::from_jwk(
        r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}"#,
    )
    .unwrap();
    assert_eq!(name(&scitoken_jwt::decode(token, &key, &hs256())), "ExpiredSignatureError");
    let claims = scitoken_jwt::decode(token, &key, &hs256().skip(ClaimCheck::Expiry)).unwrap();
    assert_eq!(claims.to_string(), r#"{"iss":"joe","exp":1300819380,"http://example.com/is_root":true}"#);
}

#[test]
fn odd_headers_are_refused_whatever_the_signature() {
    for (header, wanted) in [
        (r#"{"crit":["foo"]}"#, "InvalidTokenError"),
        (r#"{"crit":["foo"],"foo":1}"#, "InvalidTokenError"),
        (r#"{"crit":[]}"#, "InvalidTokenError"),
        (r#"{"crit":"b64"}"#, "InvalidTokenError"),
        (r#"{"crit":null}"#, "InvalidTokenError"),
        (r#"{"crit":["b64"]}"#, "InvalidTokenError"),
        (r#"{"crit":[["b64"]]}"#, "InvalidTokenError"),
        (r#"{"kid":null}"#, "InvalidTokenError"),
        (r#"{"kid":""}"#, "ok"),
        (r#"{"typ":"at+jwt","cty":5,"jku":[]}"#, "ok"),
    ] {
        let token = token(header, "{}");
        assert_eq!(
            name(&scitoken_jwt::decode(&token, &signer().verifying_key(), &hs256())),
            wanted,
            "{header}"
        );
        let header = scitoken_jwt::unverified_header(&token);
        assert_eq!(name(&header), wanted);
    }
    let b64_uncritical = ["eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2V9", "e30", "AA"].join(".");
    assert_eq!(name(&scitoken_jwt::unverified_header(&b64_uncritical)), "DecodeError");
    let b64_uncritical = b64_uncritical.replace("e30", "");
    assert_eq!(name(&scitoken_jwt::unverified_header(&b64_uncritical)), "ok");
    assert_eq!(
        name(&scitoken_jwt::decode(&b64_uncritical, &signer().verifying_key(), &hs256())),
        "InvalidTokenError"
    );
}

#[test]
fn audience_issuer_subject_and_id_are_checked_as_by_pyjwt() {
    for (claims, validation, wanted) in [
        (r#"{"aud":5}"#, at_1000().audience("a"), "InvalidAudienceError"),
        (r#"{"aud":""}"#, at_1000().audience("a"), "MissingRequiredClaimError"),
        (r#"{"aud":[]}"#, at_1000(), "ok"),
        (r#"{"iss":["i"]}"#, at_1000().issuer("i"), "InvalidIssuerError"),
        (r#"{"iss":"j"}"#, at_1000().issuers(["i", "j"]), "ok"),
        (r#"{"iss":"i"}"#, at_1000().issuers([""; 0]), "InvalidIssuerError"),
        (r#"{"iss":5}"#, at_1000(), "ok"),
        ("{}", at_1000().issuer("i"), "MissingRequiredClaimError"),
        (r#"{"sub":null}"#, at_1000(), "InvalidSubjectError"),
        ("{}", at_1000().subject("s"), "ok"),
        (r#"{"jti":5}"#, at_1000(), "InvalidJTIError"),
    ] {
        assert_eq!(verdict(claims, &validation), wanted, "{claims}");
    }
}

#[test]
fn times_are_checked_as_by_pyjwt() {
    for (claims, leeway, wanted) in [
        (r#"{"exp":1000}"#, 0.0, "ExpiredSignatureError"),
        (r#"{"exp":1001}"#, 0.0, "ok"),
        (r#"{"exp":991}"#, 10.0, "ok"),
        (r#"{"exp":990}"#, 10.0, "ExpiredSignatureError"),
        (r#"{"exp":990}"#, 10.6, "ok"),
        (r#"{"exp":1005}"#, -10.0, "ExpiredSignatureError"),
        (r#"{"exp":"abc"}"#, 0.0, "DecodeError"),
        (r#"{"exp":null}"#, 0.0, "DecodeError"),
        (r#"{"exp":[]}"#, 0.0, "DecodeError"),
        (r#"{"exp":Infinity}"#, 0.0, "DecodeError"),
        (r#"{"exp":" 4_102_444_800 "}"#, 0.0, "ok"),
        (r#"{"nbf":"x"}"#, 0.0, "DecodeError"),
        (r#"{"nbf":1001}"#, 0.0, "ImmatureSignatureError"),
        (r#"{"nbf":1001}"#, 1.0, "ok"),
        (r#"{"nbf":1000.9}"#, 0.0, "ok"),
        (r#"{"iat":1001}"#, 0.0, "ImmatureSignatureError"),
        (r#"{"iat":"x"}"#, 0.0, "InvalidIssuedAtError"),
        (r#"{"iat":{}}"#, 0.0, "InvalidIssuedAtError"),
        (r#"{"iat":1000000000000000000000000000000000000000000}"#, 0.0, "ImmatureSignatureError"),
        (r#"{"exp":1000000000000000000000000000000000000000000}"#, 0.0, "ok"),
    ] {
        assert_eq!(verdict(claims, &at_1000().leeway_seconds(leeway)), wanted, "{claims} {leeway}");
    }
}

#[test]
fn base64_is_strict_but_for_padding_that_fits() {
    let key = signer().verifying_key();
    let good = scitoken_jwt::encode(&json!({"a": 1}), &signer(), Algorithm::Hs256).unwrap();
    let judge = |token: &str| name(&scitoken_jwt::decode(token, &key, &hs256()));
    assert_eq!(judge(&good), "ok");
    assert_eq!(judge(&format!("{good}=")), "ok");
    assert_eq!(judge(&format!("{good}==")), "DecodeError");
    assert_eq!(judge(&format!("{good}===")), "DecodeError");
    assert_eq!(judge(&format!("{good}\n")), "DecodeError");
    assert_eq!(judge(&format!(" {good}")), "DecodeError");
    assert_eq!(judge(&format!("{good}.")), "DecodeError");
    let (rest, last) = good.split_at(good.len() - 1);
    let twin = char::from(last.as_bytes()[0] + 1);
    assert_eq!(judge(&format!("{rest}{twin}")), "DecodeError");
    for token in ["", ".", "..", "a.b", "a.b.c.d.e", "eyJhbGciOiJIUzI1NiJ9", "é.é.é"] {
        assert_eq!(judge(token), "DecodeError", "{token}");
        assert_eq!(name(&scitoken_jwt::unverified_header(token)), "DecodeError");
        assert_eq!(name(&scitoken_jwt::decode_unverified(token, &Validation::new())), "DecodeError");
    }
}

#[test]
fn the_key_decides_which_algorithms_are_possible() {
    let rsa = SigningKey::generate(KeyKind::Rsa).unwrap();
    let token = scitoken_jwt::encode(&json!({}), &rsa, Algorithm::Rs512).unwrap();
    let jwk = rsa.to_jwk().unwrap().to_public().unwrap();
    let bound = BoundKey::from_jwk(&jwk.with_algorithm(Algorithm::Rs256).unwrap()).unwrap();
    let validation = Validation::new().allow(Algorithm::Rs512);
    assert_eq!(name(&scitoken_jwt::decode(&token, &bound, &validation)), "InvalidAlgorithmError");
    assert_eq!(name(&scitoken_jwt::decode(&token, &bound, &Validation::new())), "InvalidAlgorithmError");
    assert_eq!(name(&scitoken_jwt::decode(&token, &rsa.verifying_key(), &validation)), "ok");
    assert_eq!(name(&scitoken_jwt::decode(&token, &rsa.verifying_key(), &Validation::new())), "DecodeError");
    let token = scitoken_jwt::encode(&json!({}), &rsa, Algorithm::Rs256).unwrap();
    assert_eq!(name(&scitoken_jwt::decode(&token, &bound, &Validation::new())), "ok");
    // the classic: the public key's text as a secret
    let pem = rsa.verifying_key().to_pem().unwrap();
    assert!(matches!(VerifyingKey::from_secret(&pem), Err(KeyError::NotSecret { .. })));
    let forged = token_with_alg("HS256");
    assert_eq!(name(&scitoken_jwt::decode(forged, &rsa.verifying_key(), &hs256())), "InvalidKeyError");
}

fn token_with_alg(alg: &str) -> String {
    token(&format!("{{\"alg\":{alg:?}}}"), "{}")
}

#[test]
fn unknown_algorithms_are_refused_by_name() {
    let key = signer().verifying_key();
    let foo = token_with_alg("foo");
    assert_eq!(name(&scitoken_jwt::decode(&foo, &key, &hs256())), "InvalidAlgorithmError");
    let error = scitoken_jwt::decode(&foo, &key, &hs256().allow_name("foo")).unwrap_err();
    assert_eq!(error.to_string(), "the token's algorithm is not allowed: `foo` is not supported");
    assert_eq!(
        name(&scitoken_jwt::decode(token_with_alg(""), &key, &hs256().allow_name(""))),
        "InvalidAlgorithmError"
    );
}

#[test]
fn malformed_jwks_are_errors_and_never_panics() {
    let short = Jwk::parse(r#"{"kty":"OKP","crv":"Ed25519","x":"AAAA"}"#).unwrap();
    assert_eq!(name(&BoundKey::from_jwk(&short)), "InvalidKeyError");
    let odd = Jwk::parse(r#"{"kty":"oct","k":"AAAA","alg":"HS257"}"#).unwrap();
    assert_eq!(name(&BoundKey::from_jwk(&odd)), "PyJWKError");
    let other = Jwk::parse(r#"{"kty":"oct","k":"AAAA","alg":"RS256"}"#).unwrap();
    assert_eq!(name(&BoundKey::from_jwk(&other)), "InvalidKeyError");
}

#[test]
fn a_weak_key_is_refused_where_that_is_asked_for() {
    let weak = SigningKey::from_secret("short").unwrap();
    let token = scitoken_jwt::encode(&json!({}), &weak, Algorithm::Hs256).unwrap();
    assert_eq!(name(&scitoken_jwt::decode(&token, &weak.verifying_key(), &hs256())), "ok");
    let error =
        scitoken_jwt::decode(&token, &weak.verifying_key(), &hs256().enforce_key_strength()).unwrap_err();
    assert_eq!(error.pyjwt_name(), "InvalidKeyError");
    let strict = Encoder::new(Algorithm::Hs256).enforce_key_strength();
    assert_eq!(name(&strict.encode(&json!({}), &weak)), "InvalidKeyError");
}

#[test]
fn the_signature_comes_before_the_claims_and_the_required_ones_first() {
    let other = SigningKey::from_secret([7; 32]).unwrap().verifying_key();
    let token = token("{}", r#"{"exp":1,"iat":5000}"#);
    assert_eq!(name(&scitoken_jwt::decode(&token, &other, &at_1000().require("x"))), "InvalidSignatureError");
    let error =
        scitoken_jwt::decode(&token, &signer().verifying_key(), &at_1000().require("exp").require("x"))
            .unwrap_err();
    assert!(matches!(&error, JwtError::MissingRequiredClaim { claim } if claim == "x"));
    assert_eq!(error.to_string(), "the token has no `x` claim, which is required");
    assert!(error.is_invalid_token() && !error.is_decode());
}

#[test]
fn errors_and_tokens_show_no_secrets() {
    let token = token("{}", r#"{"secret":"hush"}"#);
    let decoded = scitoken_jwt::decode_complete(&token, &signer().verifying_key(), &hs256()).unwrap();
    let shown = format!("{:?} {decoded:?} {:?}", decoded.claims(), signer());
    assert!(!shown.contains("hush") && !shown.contains(K32), "{shown}");
}

#[test]
fn typed_claims_come_out_of_the_object() {
    #[derive(serde::Deserialize)]
    struct Claims {
        sub: String,
        exp: u64,
    }
    let claims = Object::parse(r#"{"sub":"me","exp":5,"exp":6}"#).unwrap();
    let typed: Claims = claims.to_type().unwrap();
    assert_eq!((typed.sub.as_str(), typed.exp), ("me", 6));
    let error = Object::parse(r#"{"sub":5,"exp":5}"#).unwrap().to_type::<Claims>().err().unwrap();
    assert_eq!(error.pyjwt_name(), "TypeError");
    assert!(error.to_string().contains("invalid type"), "{error}");
}

proptest! {
    #[test]
    fn whatever_is_encoded_is_decoded(sub in ".*", n in any::<i64>(), x in any::<f64>(), kid in ".*") {
        let x = if x.is_finite() { x } else { 0.5 };
        let claims = json!({"sub": sub, "n": n, "x": x, "list": [null, true, {"é": "\u{7f}😀"}]});
        let encoder = Encoder::new(Algorithm::Hs512).key_id(&kid);
        let token = encoder.encode(&claims, &signer()).unwrap();
        prop_assert!(token.is_ascii());
        let validation = Validation::new().allow(Algorithm::Hs512);
        let decoded = scitoken_jwt::decode_complete(&token, &signer().verifying_key(), &validation).unwrap();
        prop_assert_eq!(decoded.claims().text("sub"), Some(sub.as_str()));
        prop_assert_eq!(encoder.encode_object(decoded.claims(), &signer()).unwrap(), token);
        prop_assert_eq!(decoded.header().text("kid"), Some(kid.as_str()));
    }

    #[test]
    fn no_bytes_make_a_token_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = scitoken_jwt::decode_unverified(&bytes, &Validation::new());
        let _ = Object::parse(&bytes);
    }

    #[test]
    fn no_changed_byte_goes_unnoticed(place in 0usize..1_000, byte in any::<u8>()) {
        let good = scitoken_jwt::encode(&json!({"sub": "me"}), &signer(), Algorithm::Hs256).unwrap();
        let mut bytes = good.into_bytes();
        let place = place % bytes.len();
        prop_assume!(bytes[place] != byte);
        bytes[place] = byte;
        prop_assert!(scitoken_jwt::decode(&bytes, &signer().verifying_key(), &hs256()).is_err());
    }
}
