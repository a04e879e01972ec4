//! Our tokens in PyJWT's hands, and PyJWT's in ours.

mod generate;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use scitoken_jwt::keys::{Algorithm, Jwk, KeyKind, SigningKey, VerifyingKey};
use scitoken_jwt::{self as jwt, BoundKey, Encoder, JwtError, Object, Validation};
use serde_json::{Value, json};

use self::generate::{Case, Generator};
use crate::python::Oracle;
use crate::support;

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn pyjwt() -> Option<Oracle> {
    let check = "import cryptography, jwt; assert jwt.__version__ == '2.15.1'";
    support::met("PyJWT", Oracle::start("python/pyjwt.py", check))
}

fn ask(pyjwt: &mut Oracle, questions: &[Value]) -> Vec<Value> {
    questions.iter().map(|question| pyjwt.ask(question)).collect()
}

/// A key of every kind: ours, and the private and public key as text for the peer.
fn keys() -> Vec<(SigningKey, Value, Value)> {
    let kinds =
        [KeyKind::Rsa, KeyKind::P256, KeyKind::P384, KeyKind::P521, KeyKind::Secp256k1, KeyKind::Ed25519];
    let mut keys: Vec<_> = kinds
        .into_iter()
        .map(|kind| {
            let key = SigningKey::generate(kind).unwrap();
            let private = json!({"text": key.expose_pem().unwrap()});
            let public = json!({"text": key.verifying_key().to_pem().unwrap()});
            (key, private, public)
        })
        .collect();
    let secret = json!({ "text": SECRET });
    keys.push((SigningKey::from_secret(SECRET).unwrap(), secret.clone(), secret));
    keys
}

#[test]
fn each_takes_the_others_tokens_for_every_algorithm_and_form_of_key() {
    let Some(mut pyjwt) = pyjwt() else { return };
    let claims = r#"{"sub":"\u00e9","aud":["a"],"exp":4102444800,"n":1.5}"#;
    let mut asked = Vec::new();
    let mut ours = Vec::new();
    for (key, private, public) in keys() {
        for algorithm in key.algorithms() {
            let jwk = key.to_jwk().unwrap().with_algorithm(*algorithm).unwrap();
            let public_jwk = jwk.to_public().unwrap_or_else(|| jwk.clone()).expose_json();
            let token = Encoder::new(*algorithm)
                .key_id("k")
                .encode_object(&Object::parse(claims).unwrap(), &key)
                .unwrap();
            for public in [public.clone(), json!({ "jwk": public_jwk })] {
                asked.push(json!({
                    "do": "decode", "token": BASE64_STANDARD.encode(&token), "key": public,
                    "algorithms": [algorithm.name()], "now": 1e9, "args": {"audience": "a"},
                }));
            }
            for private in [private.clone(), json!({"jwk": jwk.expose_json()})] {
                asked.push(json!({
                    "do": "encode", "claims": claims, "key": private, "algorithm": algorithm.name(),
                    "headers": "{\"kid\":\"k\"}",
                }));
            }
            ours.push((key.clone(), *algorithm, token));
        }
    }
    let answers = ask(&mut pyjwt, &asked);
    assert_eq!(ours.len(), Algorithm::ALL.len());
    for (answers, (key, algorithm, token)) in answers.chunks(4).zip(ours) {
        for decoded in &answers[..2] {
            assert_eq!(decoded["claims"], claims, "{algorithm}: {decoded}");
        }
        for encoded in &answers[2..] {
            let theirs = encoded["token"].as_str().unwrap_or_else(|| panic!("{algorithm}: {encoded}"));
            let validation = Validation::new().allow(algorithm).audience("a");
            let decoded = jwt::decode(theirs, &key.verifying_key(), &validation).unwrap();
            assert_eq!(decoded.to_string(), claims);
            let bound = BoundKey::new(key.verifying_key(), algorithm).unwrap();
            jwt::decode(theirs, &bound, &Validation::new().audience("a")).unwrap();
            // where a signature is the same each time, the whole token is
            if !matches!(key.kind(), KeyKind::P256 | KeyKind::P384 | KeyKind::P521 | KeyKind::Secp256k1)
                && !algorithm.name().starts_with("PS")
            {
                assert_eq!(theirs, token);
            } else {
                assert_eq!(theirs.rsplit_once('.').unwrap().0, token.rsplit_once('.').unwrap().0);
            }
        }
    }
}

#[test]
fn detached_payloads_go_both_ways() {
    let Some(mut pyjwt) = pyjwt() else { return };
    let key = SigningKey::from_secret(SECRET).unwrap();
    let payload = BASE64_STANDARD.encode("{\"a\": 1}");
    let ours = Encoder::new(Algorithm::Hs384).detached().encode_bytes(b"{\"a\": 1}", &key).unwrap();
    let secret = json!({ "text": SECRET });
    let answers = ask(
        &mut pyjwt,
        &[
            json!({"do": "encode-bytes", "payload": payload, "key": secret, "algorithm": "HS384", "detached": true}),
            json!({"do": "decode", "token": BASE64_STANDARD.encode(&ours), "key": secret, "algorithms": ["HS384"],
                "now": 0, "args": {"detached_payload": payload}}),
        ],
    );
    assert_eq!(answers[0]["token"], ours);
    assert_eq!(answers[1]["claims"], r#"{"a":1}"#);
}

/// Our verdict on a case: the claims and the header as JSON, or the name of the exception.
fn verdict(case: &Case, key: &VerifyingKey) -> Result<(String, String), JwtError> {
    let validation = case.validation();
    let show = |header: &Object, claims: &Object| (claims.to_string(), header.to_string());
    if case.verifies() {
        jwt::decode_complete(case.token(), key, &validation).map(|token| show(token.header(), token.claims()))
    } else {
        jwt::decode_unverified(case.token(), &validation).map(|token| show(token.header(), token.claims()))
    }
}

#[test]
fn thousands_of_odd_tokens_get_the_same_verdict() {
    const CASES: usize = 10_000;
    let Some(mut pyjwt) = pyjwt() else { return };
    let key = SigningKey::from_secret(SECRET).unwrap();
    let mut generator = Generator::new(20_261_125, &key);
    let cases: Vec<Case> = (0..CASES).map(|_| generator.case()).collect();
    let asked: Vec<Value> = cases.iter().map(|case| case.question(SECRET)).collect();
    let answers = ask(&mut pyjwt, &asked);
    let mut differences = Vec::new();
    let mut refusals = std::collections::BTreeMap::<String, usize>::new();
    for ((case, question), answer) in cases.iter().zip(&asked).zip(&answers) {
        let ours = verdict(case, &key.verifying_key());
        let agrees = match (&ours, answer["error"].as_str()) {
            (Ok((claims, header)), None) => answer["claims"] == *claims && answer["header"] == *header,
            (Err(error), Some(theirs)) => error.pyjwt_name() == theirs,
            _ => false,
        };
        *refusals.entry(answer["error"].as_str().unwrap_or("ok").to_owned()).or_default() += 1;
        if !agrees {
            let token = String::from_utf8_lossy(case.token()).into_owned();
            differences.push(format!("{token}\n  {question}\n  ours {ours:?}\n  theirs {answer}"));
        }
    }
    assert!(
        differences.is_empty(),
        "{} of {CASES} differ:\n{}",
        differences.len(),
        differences[..differences.len().min(8)].join("\n")
    );
    // the cases are worth something only if they reach every exception
    for name in [
        "ok",
        "InvalidTokenError",
        "DecodeError",
        "InvalidSignatureError",
        "ExpiredSignatureError",
        "ImmatureSignatureError",
        "InvalidAudienceError",
        "InvalidIssuerError",
        "InvalidSubjectError",
        "InvalidJTIError",
        "InvalidIssuedAtError",
        "MissingRequiredClaimError",
        "InvalidAlgorithmError",
    ] {
        let count = refusals.get(name).copied().unwrap_or(0);
        assert!(count >= 20, "only {count} cases are {name}: {refusals:?}");
    }
}

#[test]
fn headers_without_verification_get_the_same_verdict() {
    let Some(mut pyjwt) = pyjwt() else { return };
    let key = SigningKey::from_secret(SECRET).unwrap();
    let mut generator = Generator::new(7_797, &key);
    let tokens: Vec<Vec<u8>> = (0..1_500).map(|_| generator.case().token().to_vec()).collect();
    let asked: Vec<Value> =
        tokens.iter().map(|token| json!({"do": "header", "token": BASE64_STANDARD.encode(token)})).collect();
    for (token, answer) in tokens.iter().zip(ask(&mut pyjwt, &asked)) {
        match jwt::unverified_header(token) {
            Ok(header) => {
                assert_eq!(answer["header"], header.to_string(), "{}", String::from_utf8_lossy(token));
            }
            Err(error) => {
                assert_eq!(answer["error"], error.pyjwt_name(), "{}", String::from_utf8_lossy(token));
            }
        }
    }
}

#[test]
fn whole_tokens_of_odd_claims_and_headers_are_the_same_bytes() {
    let Some(mut pyjwt) = pyjwt() else { return };
    let key = SigningKey::from_secret(SECRET).unwrap();
    let mut generator = Generator::new(7_519, &key);
    let inputs: Vec<(String, String)> =
        (0..1_500).map(|_| (generator.object(), generator.header())).collect();
    let asked: Vec<Value> = inputs
        .iter()
        .map(|(claims, headers)| {
            json!({"do": "encode", "claims": claims, "headers": headers, "key": {"text": SECRET}, "algorithm": "HS256"})
        })
        .collect();
    let mut same = 0;
    for ((claims, headers), answer) in inputs.iter().zip(ask(&mut pyjwt, &asked)) {
        let encoder = Encoder::new(Algorithm::Hs256).headers(&Object::parse(headers).unwrap());
        match encoder.encode_object(&Object::parse(claims).unwrap(), &key) {
            Ok(token) => {
                assert_eq!(answer["token"], token, "{claims} {headers}");
                same += 1;
            }
            Err(error) => assert_eq!(answer["error"], error.pyjwt_name(), "{claims} {headers}"),
        }
    }
    assert!(same > 300, "only {same} tokens were made");
}

#[test]
fn public_keys_as_jwk_get_the_same_verdict() {
    let Some(mut pyjwt) = pyjwt() else { return };
    let ed = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let jwks = [
        json!({"kty":"OKP","crv":"Ed25519","x":ed}),
        json!({"kty":"OKP","crv":"Ed25519","x":ed,"alg":"EdDSA"}),
        json!({"kty":"OKP","crv":"Ed25519","x":ed,"alg":"ES256"}),
        json!({"kty":"OKP","crv":"Ed25519","x":ed,"alg":"foo"}),
        json!({"kty":"OKP","crv":"Ed25519","x":ed,"alg":""}),
        json!({"kty":"OKP","crv":"Ed25519","x":"AAAA"}),
        json!({"kty":"OKP","crv":"Ed25519","x":format!("{ed}AAAA")}),
        json!({"kty":"OKP","crv":"Ed25519"}),
        json!({"kty":"OKP"}),
        json!({"kty":"oct","k":"AAAA"}),
        json!({"kty":"oct","k":""}),
        json!({"kty":"RSA","n":"AQAB","e":"AQAB"}),
        json!({"kty":"RSA","n":"AQAB"}),
        json!({"kty":"EC","crv":"P-256","x":ed,"y":ed}),
        json!({"kty":"EC","crv":"P-999","x":ed,"y":ed}),
        json!({"kty":"EC","crv":"P-256","x":ed}),
        json!({"kty":"dog"}),
        json!({"kty":""}),
        json!({}),
    ];
    let token = jwt::encode_unsecured(&json!({})).unwrap();
    let asked: Vec<Value> = jwks
        .iter()
        .map(|jwk| {
            json!({"do": "decode", "token": BASE64_STANDARD.encode(&token), "key": {"jwk": jwk.to_string()},
                "algorithms": null, "now": 0, "args": {}})
        })
        .collect();
    for (jwk, answer) in jwks.iter().zip(ask(&mut pyjwt, &asked)) {
        let ours = Jwk::parse(jwk.to_string())
            .map_err(JwtError::InvalidKey)
            .and_then(|jwk| BoundKey::from_jwk(&jwk))
            .and_then(|key| jwt::decode(&token, &key, &Validation::new()));
        assert_eq!(answer["error"], ours.unwrap_err().pyjwt_name(), "{jwk}: {answer}");
    }
}

fn data(name: &str) -> String {
    fs_err::read_to_string(std::path::Path::new("../scitoken-jwt/tests/data/keys").join(name)).unwrap()
}

/// What both say of one token: the names of the errors, or `ok`.
struct Both {
    listed: &'static str,
    question: Value,
    theirs: &'static str,
    ours: Result<(), JwtError>,
    wanted: &'static str,
}

/// A token that is to be judged at the epoch, with no arguments.
fn differs(
    listed: &'static str,
    (token, algorithm): (&str, &str),
    (theirs_key, ours_key): (Value, Result<VerifyingKey, JwtError>),
    (theirs, wanted): (&'static str, &'static str),
) -> Both {
    let question = json!({
        "do": "decode", "token": BASE64_STANDARD.encode(token), "key": theirs_key, "algorithms": [algorithm],
        "now": 0, "args": {},
    });
    let ours =
        ours_key.and_then(|key| jwt::decode(token, &key, &Validation::new().allow_name(algorithm)).map(drop));
    Both { listed, question, theirs, ours, wanted }
}

#[test]
fn every_listed_difference_is_real() {
    let Some(mut pyjwt) = pyjwt() else { return };
    let sign = |algorithm: &str, key: Value| json!({"do": "encode", "claims": "{}", "key": key, "algorithm": algorithm, "headers": "{}"});
    let short_x: Value = serde_json::from_str(&data("p256.short-x.json")).unwrap();
    let mut without_primes: Value =
        serde_json::from_str::<Value>(&data("private.jwk.json")).unwrap()["rsa"].clone();
    for prime in ["p", "q", "dp", "dq", "qi"] {
        without_primes.as_object_mut().unwrap().remove(prime);
    }
    let broken = r#"{"kty":"oct","k":"AAAA"} x"#;
    let made = ask(
        &mut pyjwt,
        &[
            sign("ES521", json!({"text": data("p521.pkcs8.pem")})),
            sign("EdDSA", json!({"text": data("ed448.pkcs8.pem")})),
            sign("PS256", json!({"text": data("rsa1024.pkcs8.pem")})),
            sign("RS256", json!({"jwk": without_primes.to_string()})),
            sign("RS256", json!({"text": data("rsa.pkcs8.pem")})),
            sign("HS256", json!({"text": broken})),
            json!({"do": "encode", "claims": "{}", "key": {"text": SECRET}, "algorithm": "HS256", "headers": "{\"alg\":\"\"}"}),
        ],
    );
    let token = |n: usize| made[n]["token"].as_str().unwrap_or_else(|| panic!("{}", made[n]));
    let pem = |file: &str| VerifyingKey::from_pem(data(file)).map_err(JwtError::InvalidKey);
    let text = |file: &str| json!({"text": data(file)});
    let short = short_x["jwk"].to_string();
    let long = jwt::encode(
        &json!({"x": "y".repeat(1 << 20)}),
        &SigningKey::from_secret(SECRET).unwrap(),
        Algorithm::Hs256,
    );
    let secret = || VerifyingKey::from_secret(SECRET).map_err(JwtError::InvalidKey);
    let cases = [
        differs(
            "ES521",
            (token(0), "ES521"),
            (text("p521.pub.pem"), pem("p521.pub.pem")),
            ("ok", "InvalidAlgorithmError"),
        ),
        differs(
            "Ed448",
            (token(1), "EdDSA"),
            (text("ed448.pub.pem"), pem("ed448.pub.pem")),
            ("ok", "InvalidKeyError"),
        ),
        differs(
            "PS256",
            (token(2), "PS256"),
            (text("rsa1024.pub.pem"), pem("rsa1024.pub.pem")),
            ("ok", "InvalidKeyError"),
        ),
        differs(
            "lost leading zeros",
            (token(4), "ES256"),
            (json!({ "jwk": short }), VerifyingKey::from_jwk(&short).map_err(JwtError::InvalidKey)),
            ("InvalidKeyError", "InvalidAlgorithmError"),
        ),
        differs(
            "a certificate",
            (token(4), "RS256"),
            (text("rsa.cert.pem"), pem("rsa.cert.pem")),
            ("InvalidKeyError", "ok"),
        ),
        differs(
            "broken JSON",
            (token(5), "HS256"),
            (json!({"text": broken}), VerifyingKey::from_secret(broken).map_err(JwtError::InvalidKey)),
            ("ok", "InvalidKeyError"),
        ),
        differs(
            "1 MiB",
            (&long.unwrap(), "HS256"),
            (json!({"text": SECRET}), secret()),
            ("ok", "DecodeError"),
        ),
    ];
    let list = fs_err::read_to_string("tests/interop/jwt_differences.md").unwrap();
    let asked: Vec<Value> = cases.iter().map(|case| case.question.clone()).collect();
    for (case, answer) in cases.iter().zip(ask(&mut pyjwt, &asked)) {
        assert!(list.contains(case.listed), "`{}` is not listed", case.listed);
        assert_eq!(answer["error"].as_str().unwrap_or("ok"), case.theirs, "{}: {answer}", case.listed);
        assert_eq!(
            case.ours.as_ref().err().map_or("ok", JwtError::pyjwt_name),
            case.wanted,
            "{}",
            case.listed
        );
    }
    // keys that sign there and not here
    token(3);
    assert!(SigningKey::from_jwk(without_primes.to_string()).is_err());
    assert!(SigningKey::from_pem(data("rsa1024.pkcs8.pem")).is_err());
    // a header that is written there and not here
    assert!(jwt::unverified_header(token(6)).unwrap().text("alg").is_some_and(str::is_empty));
    let encoder = Encoder::new(Algorithm::Hs256).headers(&Object::parse(r#"{"alg":""}"#).unwrap());
    let ours = encoder.encode(&json!({}), &SigningKey::from_secret(SECRET).unwrap()).unwrap();
    assert_eq!(jwt::unverified_header(ours).unwrap().text("alg"), Some("HS256"));
}
