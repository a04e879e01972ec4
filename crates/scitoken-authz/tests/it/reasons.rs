//! Refusals name the cause, the amount and what was expected.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use base64::prelude::*;
use scitoken_authz::{AuthorizationError, Enforcer, Issuer, OfflineVerifier, Profile, VerifiedToken};
use scitoken_jwt::keys::{Algorithm, Jwk, JwkSet, KeyKind, SigningKey};
use scitoken_types::sys::ManualClock;
use serde_json::{Value, json};

const NOW: u64 = 1_000_000;

struct Bench {
    key: SigningKey,
    issuer: Issuer,
}

impl Bench {
    fn new() -> Self {
        Self {
            key: SigningKey::generate(KeyKind::P256).unwrap(),
            issuer: "https://iss.example".parse().unwrap(),
        }
    }

    fn keys(&self) -> JwkSet {
        [self.key.verifying_key().to_jwk().with_key_id("k1")].into_iter().collect()
    }

    fn verifier(&self, keys: JwkSet) -> OfflineVerifier {
        OfflineVerifier::new(self.issuer.clone(), keys).clock(ManualClock::at_epoch_seconds(NOW))
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        let mut all = json!({"iss": self.issuer.as_str(), "sub": "alice", "aud": "https://data.example",
            "iat": NOW, "exp": NOW + 600, "scope": "read:/vo"});
        for (name, value) in claims.as_object().unwrap() {
            match value {
                Value::Null => all.as_object_mut().unwrap().remove(name),
                value => all.as_object_mut().unwrap().insert(name.clone(), value.clone()),
            };
        }
        let mut full = json!({"alg": "ES256", "kid": "k1"});
        full.as_object_mut().unwrap().extend(header.as_object().unwrap().clone());
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let signed =
            format!("{}.{}", encode(full.to_string().as_bytes()), encode(all.to_string().as_bytes()));
        let signature = self.key.sign(Algorithm::Es256, signed.as_bytes()).unwrap();
        format!("{signed}.{}", encode(&signature))
    }

    fn refusal(&self, header: &Value, claims: &Value) -> AuthorizationError {
        self.verifier(self.keys()).verify(&self.token(header, claims)).unwrap_err()
    }

    fn verified(&self, claims: &Value) -> VerifiedToken {
        self.verifier(self.keys()).verify(&self.token(&json!({}), claims)).unwrap()
    }
}

#[test]
fn an_issuer_that_differs_in_a_slash_is_named() {
    for (trusted, claimed, words) in [
        (
            "https://iss.example",
            "https://iss.example/",
            "`https://iss.example` is, without a slash at its end",
        ),
        ("https://iss.example/", "https://iss.example", "`https://iss.example/` is, with a slash at its end"),
        ("https://iss.example/vo", "https://iss.example/vo/", "`https://iss.example/vo` is, without a slash"),
        ("https://iss.example", "https://other.example", "trusted: `https://iss.example`"),
    ] {
        let bench = Bench { issuer: trusted.parse().unwrap(), ..Bench::new() };
        let error = bench.refusal(&json!({}), &json!({"iss": claimed}));
        assert!(error.to_string().starts_with(&format!("issuer `{claimed}` is not trusted")), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn a_key_that_is_not_published_is_shown_beside_those_that_are() {
    let bench = Bench::new();
    let error = bench.refusal(&json!({"kid": "k9"}), &json!({}));
    assert_eq!(error.to_string(), "the issuer publishes no ES256 key `k9`; it publishes `k1`");
    let nameless: JwkSet = [bench.key.verifying_key().to_jwk()].into_iter().collect();
    let error = bench.verifier(nameless).verify(&bench.token(&json!({}), &json!({}))).unwrap_err();
    assert!(error.to_string().ends_with("it publishes 1 keys, none of them with a `kid`"), "{error}");
    let other = SigningKey::generate(KeyKind::Rsa).unwrap().verifying_key().to_jwk().with_key_id("k1");
    let error = bench.verifier([other].into_iter().collect());
    let error = error.verify(&bench.token(&json!({}), &json!({}))).unwrap_err();
    assert!(matches!(error, AuthorizationError::UnknownKey { .. }), "{error}");
}

#[test]
fn a_key_of_the_right_name_that_is_for_something_else_is_told_by_its_use() {
    let bench = Bench::new();
    let with = |member: &str, value: Value| {
        let jwk = bench.key.verifying_key().to_jwk().with_key_id("k1").expose_json();
        let mut members: Value = serde_json::from_str(&jwk).unwrap();
        members[member] = value;
        JwkSet::parse(json!({"keys": [members]}).to_string()).unwrap()
    };
    for (keys, words) in [
        (with("use", json!("enc")), "its key of that name is for `use` `enc`"),
        (with("alg", json!("ECDH-ES")), "its key of that name is for `ECDH-ES`"),
        (with("key_ops", json!(["deriveKey"])), "that is not for this algorithm"),
        (with("key_ops", json!([])), "that is not for this algorithm"),
        (with("kid", json!("k2")), "it publishes `k2`"),
        (with("kty", json!("XX")), "and 1 that cannot be used, the first because keys of the type `XX`"),
    ] {
        let error = bench.verifier(keys).verify(&bench.token(&json!({}), &json!({}))).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
    for keys in [
        with("kid", json!("k1")),
        with("use", json!(5)),
        with("key_ops", json!("verify")),
        with("key_ops", json!(["verify", "encrypt"])),
        with("x5c", json!([5])),
        with("x5t", json!({})),
    ] {
        assert!(bench.verifier(keys).verify(&bench.token(&json!({}), &json!({}))).is_ok());
    }
}

#[test]
fn an_audience_that_differs_in_a_slash_and_an_unknown_profile_are_told_beside_what_is_expected() {
    let bench = Bench::new();
    let enforcer = Enforcer::builder(bench.issuer.clone())
        .audience("https://data.example/")
        .clock(ManualClock::at_epoch_seconds(NOW))
        .build();
    let error = enforcer.check_token(&bench.verified(&json!({"ver": "scitoken:2.0"}))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the token is meant for audience `https://data.example`; this server is `https://data.example/`; they differ in a \
         slash at the end"
    );
    let error = bench.refusal(&json!({}), &json!({"ver": "scitoken:9.0"}));
    assert!(error.to_string().contains("`scitoken:9.0`; known are `ver` `scitoken:1.0`"), "{error}");
}

#[test]
fn a_kid_that_is_a_number_names_the_key_of_the_token_too() {
    let bench = Bench::new();
    let jwk = bench.key.verifying_key().to_jwk().with_key_id("7").expose_json();
    let keys = JwkSet::parse(format!("{{\"keys\":[{}]}}", jwk.replace("\"7\"", "7"))).unwrap();
    assert!(bench.verifier(keys).verify(&bench.token(&json!({"kid": "7"}), &json!({}))).is_ok());
}

#[test]
fn a_malformed_key_says_what_is_wrong_and_good_ones_beside_it_still_verify() {
    let bench = Bench::new();
    let certificate = r#"{"kty":"EC","crv":"P-256","kid":"k1","x5c":["MIIB"]}"#;
    let off_curve = r#"{"kty":"EC","crv":"P-256","kid":"k1","x":"AQ","y":"AQ"}"#;
    let no_y = r#"{"kty":"EC","crv":"P-256","kid":"k1","x":"AQ"}"#;
    for (jwk, words) in [
        (certificate, "the JWK has only a certificate (`x5c`)"),
        (off_curve, "it is not a point on its curve"),
        (no_y, "the JWK has no usable `y`"),
    ] {
        let malformed = Jwk::parse(jwk).unwrap();
        let token = bench.token(&json!({}), &json!({}));
        let alone: JwkSet = [malformed.clone()].into_iter().collect();
        let error = bench.verifier(alone).verify(&token).unwrap_err();
        assert!(error.to_string().starts_with("the issuer's key `k1` cannot be used: "), "{error}");
        assert!(error.to_string().contains(words), "{error}");
        let good = bench.key.verifying_key().to_jwk().with_key_id("k1");
        let beside: JwkSet = [malformed, good].into_iter().collect();
        assert!(bench.verifier(beside).verify(&token).is_ok(), "{words}");
    }
}

#[test]
fn algorithms_and_profiles_that_are_not_accepted_are_shown_beside_those_that_are() {
    let bench = Bench::new();
    let error = bench.refusal(&json!({"alg": "PS384"}), &json!({}));
    assert_eq!(error.to_string(), "the token is signed with `PS384`; accepted: `RS256`, `ES256`");
    let error = bench.refusal(&json!({"alg": "none"}), &json!({}));
    assert!(error.to_string().contains("signed with `none`"), "{error}");
    let wlcg = bench.verifier(bench.keys()).profiles([Profile::WLCG, Profile::SciTokens2]);
    let error = wlcg.verify(&bench.token(&json!({}), &json!({}))).unwrap_err();
    assert_eq!(error.to_string(), "the token follows SciTokens 1.0; accepted: `WLCG 1.0`, `SciTokens 2.0`");
}

#[test]
fn a_foreign_audience_is_shown_beside_our_own() {
    let bench = Bench::new();
    let token = bench.verified(&json!({"aud": ["https://one.example", "https://two.example"]}));
    let enforcer = |audiences: &[&str]| {
        let builder = Enforcer::builder(bench.issuer.clone()).clock(ManualClock::at_epoch_seconds(NOW));
        audiences.iter().fold(builder, |builder, audience| builder.audience(*audience)).build()
    };
    assert_eq!(
        enforcer(&["https://data.example"]).check_token(&token).unwrap_err().to_string(),
        "the token is meant for audience `https://one.example`, `https://two.example`; this server is \
         `https://data.example`"
    );
    let error = enforcer(&[]).check_token(&token).unwrap_err();
    assert!(error.to_string().ends_with("this server has no audience configured"), "{error}");
    assert_eq!(enforcer(&["https://two.example"]).check_token(&token), Ok(()));
}

#[test]
fn verifiers_and_enforcers_have_a_leeway_that_is_zero_by_default_and_bounded() {
    let bench = Bench::new();
    let expired = bench.token(&json!({}), &json!({"exp": NOW - 3}));
    let early = bench.token(&json!({}), &json!({"iat": NOW + 2}));
    let not_before = bench.token(&json!({}), &json!({"nbf": NOW + 3}));
    for (token, words) in [
        (&expired, "the token expired 3 s ago"),
        (&early, "`iat` is 2 s ahead; compare the clocks"),
        (&not_before, "`nbf` is 3 s ahead; compare the clocks"),
    ] {
        let error = bench.verifier(bench.keys()).verify(token).unwrap_err();
        assert!(error.is_about_time() && error.to_string().contains(words), "{error}");
        let lenient = bench.verifier(bench.keys()).leeway(Duration::from_secs(5));
        let verified = lenient.verify(token).unwrap();
        let enforcer = |leeway| {
            Enforcer::builder(bench.issuer.clone())
                .audience("https://data.example")
                .leeway(Duration::from_secs(leeway))
                .clock(ManualClock::at_epoch_seconds(NOW))
                .build()
        };
        assert!(enforcer(0).check_token(&verified).is_err());
        assert_eq!(enforcer(5).check_token(&verified), Ok(()));
    }
    let bounded = bench.verifier(bench.keys()).leeway(Duration::MAX);
    let old = |age: u64| bench.token(&json!({}), &json!({"exp": NOW - age}));
    assert!(bounded.verify(&old(299)).is_ok());
    assert!(bounded.verify(&old(301)).is_err());
}

#[test]
fn access_tokens_of_scitokens_cpp_have_no_client_id_and_are_accepted() {
    let bench = Bench::new();
    let verify =
        |header: &Value, claims: &Value| bench.verifier(bench.keys()).verify(&bench.token(header, claims));
    for typ in ["at+jwt", "application/at+jwt", "AT+JWT"] {
        let token = verify(&json!({"typ": typ}), &json!({})).unwrap();
        assert_eq!(token.profile(), Profile::AccessToken, "{typ}");
        assert_eq!(token.claims().get("client_id"), None);
    }
    let with = verify(&json!({"typ": "at+jwt"}), &json!({"client_id": "c"})).unwrap();
    assert_eq!(with.claims().get("client_id").unwrap().as_str(), Some("c"));
    for claim in ["iss", "exp", "iat", "aud", "sub"] {
        let error = verify(&json!({"typ": "at+jwt"}), &json!({claim: null})).unwrap_err();
        assert_eq!(error.to_string(), format!("the token has no `{claim}` claim"));
    }
    let odd = verify(&json!({"typ": "at+jwt"}), &json!({"client_id": 5})).unwrap_err();
    assert!(matches!(odd, AuthorizationError::WrongType { name: "client_id", .. }), "{odd}");
}
