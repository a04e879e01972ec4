//! Tokens verified with keys of issuers: the whole way over HTTP, with a server that can be told to misbehave.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use base64::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use scitoken_authz::{
    AuthorizationError, CacheTimes, CachedKeys, Issuer, KeyCache, KeysError, KidPolicy, OfflineVerifier,
    Profile, SciToken, TokenSigner, Verifier, VerifyError,
};
use scitoken_jwt::keys::{Algorithm, JwkSet, KeyKind, SigningKey};
use scitoken_types::sys::{Clock, ManualClock};
use serde_json::json;

const NOW: u64 = 1_700_000_000;

/// An issuer on this machine.
#[derive(Clone)]
struct TestIssuer {
    issuer: Issuer,
    behaviour: Arc<Behaviour>,
}

#[derive(Default)]
struct Behaviour {
    base: String,
    /// Answers by path; what is not here is a 404.
    answers: Mutex<Vec<(String, Answer)>>,
    log: Mutex<Vec<String>>,
    requests: AtomicUsize,
}

#[derive(Clone)]
enum Answer {
    Json(String),
    Status(u16),
    Redirect(String),
    Hang,
    Huge,
}

async fn answer(State(behaviour): State<Arc<Behaviour>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    behaviour.requests.fetch_add(1, Ordering::SeqCst);
    behaviour.log.lock().unwrap().push(path.clone());
    let answer =
        behaviour.answers.lock().unwrap().iter().find(|(known, _)| *known == path).map(|(_, a)| a.clone());
    match answer {
        Some(Answer::Json(text)) => text.into_response(),
        Some(Answer::Status(status)) => StatusCode::from_u16(status).unwrap().into_response(),
        Some(Answer::Redirect(to)) => (StatusCode::FOUND, [(header::LOCATION, to)]).into_response(),
        Some(Answer::Hang) => {
            tokio::time::sleep(Duration::from_secs(60)).await;
            StatusCode::OK.into_response()
        }
        Some(Answer::Huge) => "x".repeat(2 * 1024 * 1024).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

impl TestIssuer {
    /// An issuer whose name has this path at its end, and nothing published yet.
    async fn start(path: &str) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let issuer = Issuer::insecure_over_loopback_http(&format!("{base}{path}")).unwrap();
        let behaviour = Arc::new(Behaviour { base, ..Behaviour::default() });
        let app = Router::new().fallback(answer).with_state(Arc::clone(&behaviour));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { issuer, behaviour }
    }

    async fn with_keys(keys: &JwkSet) -> Self {
        let this = Self::start("").await;
        this.publish_metadata("/.well-known/openid-configuration");
        this.publish_keys(keys);
        this
    }

    fn answers(&self, path: &str, answer: Answer) {
        let mut answers = self.behaviour.answers.lock().unwrap();
        answers.retain(|(known, _)| known != path);
        answers.push((path.to_owned(), answer));
    }

    fn publish_metadata(&self, path: &str) {
        let jwks = format!("{}/jwks", self.behaviour.base);
        self.answers(
            path,
            Answer::Json(json!({"issuer": self.issuer.as_str(), "jwks_uri": jwks}).to_string()),
        );
    }

    fn publish_keys(&self, keys: &JwkSet) {
        self.answers("/jwks", Answer::Json(keys.to_public_json()));
    }

    fn break_down(&self) {
        for path in ["/.well-known/openid-configuration", "/jwks"] {
            self.answers(path, Answer::Status(500));
        }
    }

    fn requests(&self) -> usize {
        self.behaviour.requests.load(Ordering::SeqCst)
    }

    fn log(&self) -> Vec<String> {
        self.behaviour.log.lock().unwrap().clone()
    }

    fn verifier(&self, clock: &ManualClock) -> Verifier {
        Verifier::builder(self.issuer.clone(), client()).clock(clock.clone()).build()
    }

    fn token(&self, key: &TestKey) -> String {
        token(&self.issuer, key, NOW)
    }
}

struct TestKey {
    key: SigningKey,
    name: &'static str,
}

impl TestKey {
    fn new(name: &'static str) -> Self {
        Self { key: SigningKey::generate(KeyKind::P256).unwrap(), name }
    }

    fn signer(&self) -> TokenSigner {
        TokenSigner::new(self.key.clone()).unwrap().with_key_id(self.name)
    }
}

fn set(keys: &[&TestKey]) -> JwkSet {
    keys.iter().map(|key| key.key.verifying_key().to_jwk().with_key_id(key.name)).collect()
}

fn draft(issuer: &Issuer, made_at: u64) -> SciToken {
    SciToken::new(Profile::SciTokens2, issuer)
        .subject("alice")
        .scope("read:/data".parse().unwrap())
        .lifetime(Duration::from_secs(30 * 86_400))
        .clock(ManualClock::at_epoch_seconds(made_at))
}

fn token(issuer: &Issuer, key: &TestKey, made_at: u64) -> String {
    draft(issuer, made_at).sign(&key.signer()).unwrap().expose_secret().to_owned()
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

fn clock() -> ManualClock {
    ManualClock::at_epoch_seconds(NOW)
}

fn https() -> Issuer {
    "https://iss.example".parse().unwrap()
}

fn offline(keys: JwkSet) -> OfflineVerifier {
    OfflineVerifier::new(https(), keys).clock(clock())
}

fn keys_error(error: &VerifyError) -> &KeysError {
    match error {
        VerifyError::Keys { source, .. } => source,
        VerifyError::Token(refusal) => panic!("{refusal}"),
        other => panic!("{other}"),
    }
}

/// A token with any header and claims, signed or not.
fn raw(header: &serde_json::Value, claims: &serde_json::Value, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let signed =
        format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
    let signature = sign(signed.as_bytes());
    format!("{signed}.{}", encode(&signature))
}

fn good_claims() -> serde_json::Value {
    json!({"iss":"https://iss.example","sub":"a","aud":"ANY","ver":"scitoken:2.0","scope":"read:/",
           "exp":NOW + 600,"iat":NOW,"nbf":NOW})
}

#[test]
fn a_token_is_made_and_verified_in_every_profile_with_both_algorithms() {
    let rsa = SigningKey::generate(KeyKind::Rsa).unwrap();
    let ec = SigningKey::generate(KeyKind::P256).unwrap();
    for (key, algorithm) in [(rsa, Algorithm::Rs256), (ec, Algorithm::Es256)] {
        let signer = TokenSigner::new(key.clone()).unwrap().with_key_id("k");
        assert_eq!(signer.algorithm(), algorithm);
        let verifier = offline([key.verifying_key().to_jwk().with_key_id("k")].into_iter().collect());
        for profile in [
            Profile::SciTokens1,
            Profile::SciTokens2,
            Profile::WLCG,
            Profile::Wlcg { minor: 3 },
            Profile::AccessToken,
        ] {
            let mut token = draft(&https(), NOW);
            token = match profile {
                Profile::SciTokens2 => token,
                _ => SciToken::new(profile, &https())
                    .subject("alice")
                    .scope("read:/data".parse().unwrap())
                    .clock(ManualClock::at_epoch_seconds(NOW)),
            };
            if profile == Profile::AccessToken {
                token = token.audience("https://h").claim("client_id", "c");
            }
            let good = verifier.verify(token.sign(&signer).unwrap().expose_secret()).unwrap();
            assert_eq!(good.profile(), profile);
            assert_eq!(good.key_id(), Some("k"));
            let again = SciToken::from_verified(&good).clock(clock()).sign(&signer).unwrap();
            assert_eq!(verifier.verify(again.expose_secret()).unwrap().claims().subject(), Some("alice"));
        }
    }
}

/// The crate `scitokens` 0.1 takes the algorithm from the token's header.
#[test]
fn algorithms_come_from_the_configuration_and_the_key() {
    let key = TestKey::new("k");
    let rsa = SigningKey::generate(KeyKind::Rsa).unwrap();
    let pem = key.key.verifying_key().to_pem().unwrap();
    let jwk = key.key.verifying_key().to_jwk().expose_json();
    let verifier = offline(set(&[&key]));
    let header = |algorithm: &str| json!({"alg": algorithm, "kid": "k"});
    let refusal = |token: &str| verifier.verify(token).unwrap_err();

    let is_algorithm = |refusal: AuthorizationError| matches!(refusal, AuthorizationError::Algorithm { .. });
    assert!(is_algorithm(refusal(&raw(&header("none"), &good_claims(), |_| Vec::new()))));
    assert!(is_algorithm(refusal(&draft(&https(), NOW).dangerously_unprotected().unwrap())));
    for text in [pem.as_bytes(), jwk.as_bytes()] {
        let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, text);
        let mac = |message: &[u8]| aws_lc_rs::hmac::sign(&secret, message).as_ref().to_vec();
        assert!(is_algorithm(refusal(&raw(&header("HS256"), &good_claims(), mac))));
        let trusting = offline(set(&[&key])).algorithms([Algorithm::Hs256, Algorithm::Es256]);
        let token = raw(&header("HS256"), &good_claims(), mac);
        assert!(is_algorithm(trusting.verify(&token).unwrap_err()), "HMAC cannot even be configured");
    }
    let rs256 = raw(&header("RS256"), &good_claims(), |message| rsa.sign(Algorithm::Rs256, message).unwrap());
    assert!(matches!(refusal(&rs256), AuthorizationError::UnknownKey { .. }));
    let ps256 = raw(&header("PS256"), &good_claims(), |message| rsa.sign(Algorithm::Ps256, message).unwrap());
    assert!(is_algorithm(refusal(&ps256)));
    let es256 =
        raw(&header("ES256"), &good_claims(), |message| key.key.sign(Algorithm::Es256, message).unwrap());
    assert!(verifier.verify(&es256).is_ok());
    assert!(is_algorithm(offline(set(&[&key])).algorithms([Algorithm::Rs256]).verify(&es256).unwrap_err()));
}

#[test]
fn crit_is_refused_and_so_is_a_changed_token() {
    let key = TestKey::new("k");
    let sign = |message: &[u8]| key.key.sign(Algorithm::Es256, message).unwrap();
    let verifier = offline(set(&[&key]));
    let critical = json!({"alg":"ES256","kid":"k","crit":["foo"],"foo":1});
    assert_eq!(
        verifier.verify(&raw(&critical, &good_claims(), sign)).unwrap_err(),
        AuthorizationError::CriticalHeader
    );
    let good = raw(&json!({"alg":"ES256","kid":"k"}), &good_claims(), sign);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let mut claims = good_claims();
    claims["scope"] = "write:/".into();
    let other = raw(&json!({"alg":"ES256","kid":"k"}), &claims, sign);
    let swapped = format!("{}.{signature}", other.rsplit_once('.').unwrap().0);
    assert_eq!(verifier.verify(&swapped).unwrap_err(), AuthorizationError::Signature);
    for bad in ["", "AAAA", &signature[..80]] {
        assert_eq!(verifier.verify(&format!("{signed}.{bad}")).unwrap_err(), AuthorizationError::Signature);
    }
}

#[test]
fn key_sets_as_peers_publish_them_are_read() {
    let mut key = TestKey::new("k");
    // One in 256 keys has an x that begins with a zero, which some peers leave out.
    let short = (0..20_000).find_map(|_| {
        key.key = SigningKey::generate(KeyKind::P256).unwrap();
        let jwk: serde_json::Value =
            serde_json::from_str(&key.key.verifying_key().to_jwk().expose_json()).unwrap();
        let bytes = |name: &str| BASE64_URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
        (bytes("x")[0] == 0).then(|| (bytes("x")[1..].to_vec(), bytes("y")))
    });
    let (x, y) = short.unwrap();
    let padded = |bytes: &[u8]| BASE64_URL_SAFE.encode(bytes);
    assert!(padded(&y).ends_with('='));
    let jwks = json!({"keys": [
        {"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"},
        {"kty":"OKP","crv":"X25519","x":"AAAA","kid":"k"},
        "what is this",
        {"kty":"EC","crv":"P-256","kid":"k","x":padded(&x),"y":padded(&y),"use":"sig"},
    ]});
    let verifier = offline(JwkSet::parse(jwks.to_string()).unwrap());
    assert!(verifier.verify(&token(&https(), &key, NOW)).is_ok());
}

#[test]
fn a_token_without_kid_needs_the_only_key() {
    let (one, two) = (TestKey::new("one"), TestKey::new("two"));
    let nameless = draft(&https(), NOW).sign(&TokenSigner::new(one.key.clone()).unwrap()).unwrap();
    let nameless = nameless.expose_secret();
    assert!(offline(set(&[&one])).verify(nameless).is_ok());
    assert_eq!(
        offline(set(&[&one, &two])).verify(nameless).unwrap_err(),
        AuthorizationError::AmbiguousKey { candidates: 2 }
    );
    let strict = offline(set(&[&one])).kid_policy(KidPolicy::Required);
    assert!(matches!(strict.verify(nameless), Err(AuthorizationError::MissingClaim { .. })));
}

#[test]
fn a_key_that_is_handed_over_is_the_one_whatever_the_token_calls_it() {
    let (key, other) = (TestKey::new("any name"), TestKey::new("any name"));
    let verifier = OfflineVerifier::with_key(https(), &key.key.verifying_key()).clock(clock());
    assert!(verifier.verify(&token(&https(), &key, NOW)).is_ok());
    assert_eq!(verifier.verify(&token(&https(), &other, NOW)).unwrap_err(), AuthorizationError::Signature);
}

#[test]
fn a_key_that_is_too_short_is_no_key() {
    let pem = include_bytes!("../../../scitoken-jwt/tests/data/keys/rsa1024.pub.pem");
    let key = scitoken_jwt::keys::VerifyingKey::from_pem(pem).unwrap();
    let verifier = offline([key.to_jwk().with_key_id("k")].into_iter().collect());
    let token = raw(&json!({"alg":"RS256","kid":"k"}), &good_claims(), |_| vec![0; 128]);
    let error = verifier.verify(&token).unwrap_err();
    assert!(matches!(error, AuthorizationError::UnusableKey { .. }), "{error:?}");
    assert!(error.to_string().contains("1024 bits; at least 2048 are required"), "{error}");
}

#[test]
fn bad_input_is_refused_quickly_and_by_name() {
    let key = TestKey::new("k");
    let sign = |message: &[u8]| key.key.sign(Algorithm::Es256, message).unwrap();
    let verifier = offline(set(&[&key]));
    assert_eq!(verifier.verify(&"a.".repeat(500_000)).unwrap_err(), AuthorizationError::TooLong);
    let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
    let header = encode(r#"{"alg":"ES256","kid":"k"}"#);
    let payload = |text: &str| {
        let signed = format!("{header}.{}", encode(text));
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(sign(signed.as_bytes())))
    };
    let deep = format!(r#"{{"iss":"https://iss.example","x":{}"#, "{\"a\":".repeat(5_000));
    assert_eq!(
        verifier.verify(&payload(&deep)).unwrap_err(),
        AuthorizationError::NotJson { part: "payload" }
    );
    let twice = r#"{"iss":"https://iss.example","sub":"a","sub":"b"}"#;
    assert_eq!(
        verifier.verify(&payload(twice)).unwrap_err(),
        AuthorizationError::Duplicate { name: "sub".to_owned() }
    );
    for exp in ["1e999", "NaN", "Infinity"] {
        let json = format!(r#"{{"iss":"https://iss.example","exp":{exp}}}"#);
        assert_eq!(
            verifier.verify(&payload(&json)).unwrap_err(),
            AuthorizationError::NotJson { part: "payload" }
        );
    }
    for exp in ["18446744073709551616", "9223372036854775808", "-1", "1e200"] {
        let json = format!(r#"{{"iss":"https://iss.example","exp":{exp}}}"#);
        assert!(
            matches!(
                verifier.verify(&payload(&json)),
                Err(AuthorizationError::WrongType { name: "exp", .. })
            ),
            "{exp}"
        );
    }
}

#[test]
fn a_hostile_issuer_reaches_no_log_as_it_is() {
    let verifier = offline(set(&[&TestKey::new("k")]));
    let claims = json!({"iss": "https://evil/\u{1b}[2J\u{202e}eyJhbGciOiJIUzI1NiJ9.e30.abcdefghijklmnop"});
    let token = raw(&json!({"alg":"ES256","kid":"k"}), &claims, |_| vec![0; 64]);
    let shown = verifier.verify(&token).unwrap_err().to_string();
    assert!(!shown.contains(['\u{1b}', '\u{202e}']) && !shown.contains("eyJhbGciOiJ"), "{shown}");
    let long = json!({"iss": format!("https://evil/{}", "a".repeat(10_000))});
    let token = raw(&json!({"alg":"ES256","kid":"k"}), &long, |_| vec![0; 64]);
    assert!(verifier.verify(&token).unwrap_err().to_string().len() < 500);
}

#[test]
fn ten_thousand_keys_are_no_trouble() {
    let key = TestKey::new("k");
    let mut keys: Vec<_> = (0..10_000)
        .map(|n| json!({"kty":"EC","crv":"P-256","kid":format!("{n}"),"x":"AAAA","y":"AAAA"}))
        .collect();
    keys.push(serde_json::from_str(&set(&[&key]).iter().next().unwrap().expose_json()).unwrap());
    let verifier = offline(JwkSet::parse(json!({ "keys": keys }).to_string()).unwrap());
    assert!(verifier.verify(&token(&https(), &key, NOW)).is_ok());
    let nameless = draft(&https(), NOW).sign(&TokenSigner::new(key.key).unwrap()).unwrap();
    assert_eq!(
        verifier.verify(nameless.expose_secret()).unwrap_err(),
        AuthorizationError::AmbiguousKey { candidates: 10_001 }
    );
}

/// The crate `scitokens` 0.1 fetches keys for each token.
#[tokio::test]
async fn keys_are_fetched_once_however_many_ask() {
    let key = TestKey::new("k");
    let issuer = TestIssuer::with_keys(&set(&[&key])).await;
    let verifier = issuer.verifier(&clock());
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (verifier, token) = (verifier.clone(), issuer.token(&key));
            tokio::spawn(async move { verifier.verify(&token).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(issuer.log(), ["/.well-known/openid-configuration", "/jwks"]);
}

#[tokio::test]
async fn a_cancelled_leader_leaves_no_task_waiting() {
    let key = TestKey::new("k");
    let issuer = TestIssuer::with_keys(&set(&[&key])).await;
    issuer.answers("/jwks", Answer::Hang);
    let verifier = issuer.verifier(&clock());
    let (leader, token) = (verifier.clone(), issuer.token(&key));
    let leader = tokio::spawn(async move { leader.verify(&token).await.map(|_| ()) });
    while issuer.requests() < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    leader.abort();
    issuer.publish_keys(&set(&[&key]));
    assert!(verifier.verify(&issuer.token(&key)).await.is_ok());
}

#[tokio::test]
async fn only_trusted_issuers_are_asked_for_keys() {
    let key = TestKey::new("k");
    let (trusted, untrusted) =
        (TestIssuer::with_keys(&set(&[&key])).await, TestIssuer::with_keys(&set(&[&key])).await);
    let verifier = trusted.verifier(&clock());
    let error = verifier.verify(&untrusted.token(&key)).await.unwrap_err();
    assert!(matches!(error.token_error(), Some(AuthorizationError::UntrustedIssuer { .. })));
    assert_eq!((trusted.requests(), untrusted.requests()), (0, 0));
}

#[tokio::test]
async fn metadata_is_found_in_each_of_its_places() {
    let key = TestKey::new("k");
    for (path, place) in [
        ("/b/", "/b/.well-known/openid-configuration"),
        ("/b", "/b/.well-known/openid-configuration"),
        ("/a2", "/.well-known/oauth-authorization-server/a2"),
        ("/a3", "/a3/.well-known/oauth-authorization-server"),
        ("", "/.well-known/oauth-authorization-server"),
    ] {
        let issuer = TestIssuer::start(path).await;
        issuer.publish_metadata(place);
        issuer.publish_keys(&set(&[&key]));
        assert!(issuer.verifier(&clock()).verify(&issuer.token(&key)).await.is_ok(), "{path} {place}");
        assert!(issuer.log().iter().all(|path| !path.contains("//")));
    }
}

#[tokio::test]
async fn an_error_page_in_the_first_place_does_not_hide_the_second() {
    let key = TestKey::new("k");
    for answer in [Answer::Json("<html>".to_owned()), Answer::Status(403), Answer::Status(500)] {
        let issuer = TestIssuer::start("/a").await;
        issuer.answers("/a/.well-known/openid-configuration", answer);
        issuer.publish_metadata("/.well-known/oauth-authorization-server/a");
        issuer.publish_keys(&set(&[&key]));
        assert!(issuer.verifier(&clock()).verify(&issuer.token(&key)).await.is_ok());
    }
}

#[tokio::test]
async fn metadata_that_lies_or_leads_to_http_is_refused() {
    let key = TestKey::new("k");
    let place = "/.well-known/openid-configuration";
    let issuer = TestIssuer::with_keys(&set(&[&key])).await;
    let other =
        json!({"issuer":"https://other.example","jwks_uri":format!("{}/jwks", issuer.behaviour.base)});
    issuer.answers(place, Answer::Json(other.to_string()));
    let error = issuer.verifier(&clock()).verify(&issuer.token(&key)).await.unwrap_err();
    assert!(matches!(keys_error(&error), KeysError::Metadata { .. }), "{error:?}");

    let http = json!({"issuer":issuer.issuer.as_str(),"jwks_uri":"http://keys.example/jwks"});
    issuer.answers(place, Answer::Json(http.to_string()));
    let error = issuer.verifier(&clock()).verify(&issuer.token(&key)).await.unwrap_err();
    assert!(matches!(keys_error(&error), KeysError::Metadata { .. }), "{error:?}");

    issuer.answers(place, Answer::Redirect("http://elsewhere.example/metadata".to_owned()));
    let error = issuer.verifier(&clock()).verify(&issuer.token(&key)).await.unwrap_err();
    assert!(matches!(keys_error(&error), KeysError::Fetch(_)), "{error:?}");
    assert_eq!(issuer.log().iter().filter(|path| *path == "/jwks").count(), 0);
}

/// The crate `scitokens` 0.1 has no time limits.
#[tokio::test]
async fn metadata_that_loops_hangs_or_never_ends_is_given_up() {
    let key = TestKey::new("k");
    let place = "/.well-known/openid-configuration";
    let loops = Answer::Redirect(place.to_owned());
    for answer in [loops, Answer::Hang, Answer::Huge] {
        let issuer = TestIssuer::with_keys(&set(&[&key])).await;
        issuer.answers(place, answer);
        let verifier = Verifier::builder(issuer.issuer.clone(), client())
            .clock(clock())
            .fetch_timeout(Duration::from_millis(300))
            .build();
        let error = verifier.verify(&issuer.token(&key)).await.unwrap_err();
        assert!(matches!(error, VerifyError::Keys { .. }), "{error:?}");
        assert!(issuer.requests() <= 8, "{:?}", issuer.log());
    }
}

#[tokio::test]
async fn a_redirect_within_the_rules_is_followed() {
    let key = TestKey::new("k");
    let issuer = TestIssuer::with_keys(&set(&[&key])).await;
    issuer.publish_metadata("/moved");
    issuer.answers("/.well-known/openid-configuration", Answer::Redirect("/moved".to_owned()));
    assert!(issuer.verifier(&clock()).verify(&issuer.token(&key)).await.is_ok());
}

#[tokio::test]
async fn a_new_key_is_fetched_at_once_and_unknown_ones_at_a_bounded_rate() {
    let (old, new, never) = (TestKey::new("old"), TestKey::new("new"), TestKey::new("never"));
    let issuer = TestIssuer::with_keys(&set(&[&old])).await;
    let clock = clock();
    let verifier = issuer.verifier(&clock);
    verifier.verify(&issuer.token(&old)).await.unwrap();
    clock.advance(Duration::from_secs(61));
    issuer.publish_keys(&set(&[&old, &new]));
    verifier.verify(&issuer.token(&new)).await.unwrap();
    let before = issuer.requests();
    for _ in 0..20 {
        let error = verifier.verify(&issuer.token(&never)).await.unwrap_err();
        assert!(matches!(error.token_error(), Some(AuthorizationError::UnknownKey { .. })));
    }
    assert_eq!(issuer.requests(), before, "asked a moment ago");
    clock.advance(Duration::from_secs(61));
    for _ in 0..20 {
        assert!(verifier.verify(&issuer.token(&never)).await.is_err());
    }
    assert_eq!(issuer.requests(), before + 2, "metadata and keys, once");
}

#[tokio::test]
async fn an_empty_key_set_is_no_poison() {
    let key = TestKey::new("k");
    let issuer = TestIssuer::with_keys(&JwkSet::default()).await;
    let clock = clock();
    let verifier = issuer.verifier(&clock);
    let error = verifier.verify(&issuer.token(&key)).await.unwrap_err();
    assert!(matches!(keys_error(&error), KeysError::NoKeys { .. }), "{error:?}");
    let before = issuer.requests();
    issuer.publish_keys(&set(&[&key]));
    assert!(verifier.verify(&issuer.token(&key)).await.is_err());
    assert_eq!(issuer.requests(), before, "it is left alone for a minute");
    clock.advance(Duration::from_secs(60));
    assert!(verifier.verify(&issuer.token(&key)).await.is_ok());
}

#[tokio::test]
async fn a_dead_issuers_keys_work_until_they_expire() {
    let key = TestKey::new("k");
    let issuer = TestIssuer::with_keys(&set(&[&key])).await;
    let clock = clock();
    let verifier = Verifier::builder(issuer.issuer.clone(), client())
        .clock(clock.clone())
        .cache_times(CacheTimes::default().expire_after(Duration::from_secs(86_400)))
        .remember_tokens(0)
        .build();
    verifier.verify(&issuer.token(&key)).await.unwrap();
    issuer.break_down();
    let before = issuer.requests();
    clock.advance(Duration::from_secs(7 * 3_600));
    for _ in 0..10 {
        verifier.verify(&issuer.token(&key)).await.unwrap();
    }
    wait_for(|| issuer.requests() > before).await;
    let after = settled(|| issuer.requests()).await;
    for _ in 0..10 {
        verifier.verify(&issuer.token(&key)).await.unwrap();
    }
    assert_eq!(issuer.requests(), after, "the issuer is left alone for a minute");
    clock.advance(Duration::from_secs(17 * 3_600));
    let error = verifier.verify(&issuer.token(&key)).await.unwrap_err();
    assert!(matches!(error, VerifyError::Keys { .. }), "after a day they are void");
}

/// A number that has stopped to grow.
async fn settled(number: impl Fn() -> usize) -> usize {
    loop {
        let before = number();
        tokio::time::sleep(Duration::from_millis(250)).await;
        if number() == before {
            return before;
        }
    }
}

async fn wait_for(condition: impl Fn() -> bool) {
    for _ in 0..1_000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it never happened");
}

#[tokio::test]
async fn old_keys_are_refreshed_beside_the_work() {
    let (old, new) = (TestKey::new("old"), TestKey::new("new"));
    let issuer = TestIssuer::with_keys(&set(&[&old])).await;
    let clock = clock();
    let verifier = issuer.verifier(&clock);
    verifier.verify(&issuer.token(&old)).await.unwrap();
    issuer.publish_keys(&set(&[&new]));
    clock.advance(Duration::from_secs(6 * 3_600));
    verifier.verify(&issuer.token(&old)).await.unwrap();
    wait_for(|| issuer.requests() == 4).await;
    wait_for(|| verifier.verify_cached(&issuer.token(&new)).is_some()).await;
    clock.advance(Duration::from_secs(61));
    let error = verifier.verify(&issuer.token(&old)).await.unwrap_err();
    assert!(matches!(error.token_error(), Some(AuthorizationError::UnknownKey { .. })));
}

#[tokio::test]
async fn a_token_seen_before_is_void_when_it_ends_and_when_its_key_is_withdrawn() {
    let (old, new) = (TestKey::new("k"), TestKey::new("k"));
    let issuer = TestIssuer::with_keys(&set(&[&old])).await;
    let clock = clock();
    let verifier = issuer.verifier(&clock);
    let token = issuer.token(&old);
    let short = draft(&issuer.issuer, NOW).lifetime(Duration::from_secs(60)).sign(&old.signer()).unwrap();
    for token in [&token, short.expose_secret()] {
        verifier.verify(token).await.unwrap();
        assert!(verifier.verify_cached(token).unwrap().is_ok());
    }
    clock.advance(Duration::from_secs(60));
    assert!(matches!(
        verifier.verify_cached(short.expose_secret()),
        Some(Err(AuthorizationError::Expired { .. }))
    ));

    assert!(verifier.refresh().await[0].1.is_ok());
    assert!(verifier.verify(&token).await.is_ok(), "the same keys again");
    issuer.publish_keys(&set(&[&new]));
    assert_eq!(*verifier.refresh().await[0].1.as_ref().unwrap(), 1);
    let error = verifier.verify(&token).await.unwrap_err();
    assert_eq!(error.token_error(), Some(&AuthorizationError::Signature), "another key of the same name");
}

#[tokio::test]
async fn a_verifier_reads_the_clock_at_each_token() {
    let key = TestKey::new("k");
    let issuer = TestIssuer::with_keys(&set(&[&key])).await;
    let clock = clock();
    let verifier = issuer.verifier(&clock);
    let early = token(&issuer.issuer, &key, NOW + 100);
    assert!(matches!(
        verifier.verify(&early).await.unwrap_err().token_error(),
        Some(AuthorizationError::NotYetValid { .. })
    ));
    clock.advance(Duration::from_secs(100));
    assert!(verifier.verify(&early).await.is_ok());
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn what_one_process_has_fetched_the_others_need_not() {
    let key = TestKey::new("k");
    let issuer = TestIssuer::with_keys(&set(&[&key])).await;
    let dir = tempfile::tempdir().unwrap();
    let cache = || KeyCache::sqlite(dir.path().join("keys"));
    let verifier = |clock: &ManualClock| {
        Verifier::builder(issuer.issuer.clone(), client()).key_cache(cache()).clock(clock.clone()).build()
    };
    let clock = clock();
    verifier(&clock).verify(&issuer.token(&key)).await.unwrap();
    assert_eq!(issuer.requests(), 2);
    issuer.break_down();
    verifier(&clock).verify(&issuer.token(&key)).await.unwrap();
    assert_eq!(issuer.requests(), 2);
    clock.advance(Duration::from_secs(86_400));
    verifier(&clock).verify(&issuer.token(&key)).await.expect("still good, though the issuer is down");
    clock.advance(Duration::from_secs(86_400));
    assert!(verifier(&clock).verify(&issuer.token(&key)).await.is_err());
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn verification_goes_on_without_its_cache() {
    let key = TestKey::new("k");
    let issuer = TestIssuer::with_keys(&set(&[&key])).await;
    let dir = tempfile::tempdir().unwrap();
    let broken = dir.path().join("keys");
    fs_err::write(
        &broken,
        "no database, and longer than a header of one by a good deal, so that it is looked at",
    )
    .unwrap();
    let verifier = Verifier::builder(issuer.issuer.clone(), client())
        .key_cache(KeyCache::sqlite(broken))
        .clock(clock())
        .build();
    verifier.verify(&issuer.token(&key)).await.unwrap();
}

#[tokio::test]
async fn nothing_that_is_shown_has_the_token_in_it() {
    let key = TestKey::new("k");
    let issuer = TestIssuer::with_keys(&set(&[&key])).await;
    let verifier = issuer.verifier(&clock());
    let token = issuer.token(&key);
    let good = verifier.verify(&token).await.unwrap();
    let shown = format!("{good:?} {verifier:?} {:?}", good.claims());
    for part in token.split('.') {
        assert!(!shown.contains(part));
    }
}

#[tokio::test]
async fn a_refresh_that_hangs_is_one_task_however_many_tokens_come() {
    let key = TestKey::new("k");
    let issuer = TestIssuer::with_keys(&set(&[&key])).await;
    let clock = clock();
    let verifier = issuer.verifier(&clock);
    let token = issuer.token(&key);
    verifier.verify(&token).await.unwrap();
    issuer.answers("/.well-known/openid-configuration", Answer::Hang);
    clock.advance(Duration::from_secs(6 * 3_600));
    let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let (before, asked) = (tasks(), issuer.requests());
    for _ in 0..10_000 {
        assert!(verifier.verify_cached(&token).unwrap().is_ok());
    }
    assert!(tasks() <= before + 1, "{before} tasks have become {}", tasks());
    wait_for(|| issuer.requests() > asked).await;
    assert!(verifier.verify_cached(&token).unwrap().is_ok());
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(issuer.requests(), asked + 1);
}

/// A clock that moves on by two minutes each time it is read, once it is let go.
#[derive(Clone, Debug)]
struct HastyClock(ManualClock, Arc<std::sync::atomic::AtomicBool>);

impl Clock for HastyClock {
    fn now(&self) -> std::time::SystemTime {
        if self.1.load(Ordering::SeqCst) {
            self.0.advance(Duration::from_secs(120));
        }
        self.0.now()
    }
}

#[tokio::test]
async fn dead_keys_are_not_used_when_the_second_look_finds_no_others() {
    let key = TestKey::new("k");
    let issuer = TestIssuer::with_keys(&set(&[&key])).await;
    let hasty = HastyClock(clock(), Arc::default());
    let verifier = Verifier::builder(issuer.issuer.clone(), client()).clock(hasty.clone()).build();
    verifier.verify(&issuer.token(&key)).await.unwrap();
    issuer.break_down();
    hasty.0.advance(Duration::from_secs(2 * 86_400));
    hasty.1.store(true, Ordering::SeqCst);
    let error = verifier.verify(&issuer.token(&key)).await.unwrap_err();
    assert!(matches!(error, VerifyError::Keys { .. }), "{error}");
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_task_that_waited_while_another_found_its_key_in_the_cache_asks_the_issuer() {
    let (kept, new) = (TestKey::new("kept"), TestKey::new("new"));
    let issuer = TestIssuer::with_keys(&set(&[&kept, &new])).await;
    let dir = tempfile::tempdir().unwrap();
    let cache = KeyCache::sqlite(dir.path().join("keys"));
    cache
        .put(&issuer.issuer, CachedKeys::from_set(&set(&[&kept]), CacheTimes::default(), clock().now()))
        .unwrap();
    let verifier = Verifier::builder(issuer.issuer.clone(), client()).key_cache(cache).clock(clock()).build();
    let (first, second) = (issuer.token(&kept), issuer.token(&new));
    let (first, second) = tokio::join!(verifier.verify(&first), verifier.verify(&second));
    assert_eq!(first.unwrap().key_id(), Some("kept"));
    assert_eq!(second.unwrap().key_id(), Some("new"));
}

#[tokio::test]
async fn keys_that_are_put_and_removed_reach_a_running_verifier() {
    let (key, other) = (TestKey::new("k"), TestKey::new("k"));
    let issuer = TestIssuer::with_keys(&set(&[&key])).await;
    let cache = KeyCache::in_memory();
    let verifier =
        Verifier::builder(issuer.issuer.clone(), client()).key_cache(cache.clone()).clock(clock()).build();
    let (token, others) = (issuer.token(&key), issuer.token(&other));
    verifier.verify(&token).await.unwrap();
    let asked = issuer.requests();
    issuer.break_down();
    cache
        .put(&issuer.issuer, CachedKeys::from_set(&set(&[&other]), CacheTimes::default(), clock().now()))
        .unwrap();
    verifier.verify(&others).await.unwrap();
    assert_eq!(issuer.requests(), asked, "they are in the cache");
    assert!(verifier.verify(&token).await.is_err(), "its key is gone, also for tokens that were seen before");
    assert!(cache.remove(&issuer.issuer).unwrap());
    assert!(matches!(verifier.verify(&others).await, Err(VerifyError::Keys { .. })));
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn what_is_put_and_removed_counts_also_where_the_file_cannot_be_written() {
    let (old, new) = (TestKey::new("k"), TestKey::new("k"));
    let issuer = TestIssuer::with_keys(&set(&[&old])).await;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys");
    let cache = KeyCache::sqlite(&path);
    let keep = |key| {
        cache.put(&issuer.issuer, CachedKeys::from_set(&set(&[key]), CacheTimes::default(), clock().now()))
    };
    let verifier =
        Verifier::builder(issuer.issuer.clone(), client()).key_cache(cache.clone()).clock(clock()).build();
    verifier.verify(&issuer.token(&old)).await.unwrap();
    issuer.break_down();
    // This lock lets other connections read but not write.
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(keep(&new).is_err());
    verifier.verify(&issuer.token(&new)).await.unwrap();
    assert!(verifier.verify(&issuer.token(&old)).await.is_err(), "the file still has its key");
    assert!(cache.remove(&issuer.issuer).is_err());
    for key in [&old, &new] {
        let error = verifier.verify(&issuer.token(key)).await.unwrap_err();
        assert!(matches!(error, VerifyError::Keys { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_new_key_of_the_same_name_is_fetched_at_once_but_not_for_each_bad_token() {
    let (old, new, never) = (TestKey::new("k"), TestKey::new("k"), TestKey::new("k"));
    let issuer = TestIssuer::with_keys(&set(&[&old])).await;
    let clock = clock();
    let verifier = issuer.verifier(&clock);
    verifier.verify(&issuer.token(&old)).await.unwrap();
    issuer.publish_keys(&set(&[&new]));
    clock.advance(Duration::from_secs(61));
    let before = issuer.requests();
    verifier.verify(&issuer.token(&new)).await.unwrap();
    assert_eq!(issuer.requests(), before + 2);
    for _ in 0..20 {
        let error = verifier.verify(&issuer.token(&never)).await.unwrap_err();
        assert_eq!(error.token_error(), Some(&AuthorizationError::Signature));
        assert!(verifier.verify_cached(&issuer.token(&never)).unwrap().is_err());
    }
    assert_eq!(issuer.requests(), before + 2, "asked a moment ago");
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn keys_that_another_clock_has_kept_are_fetched_anew() {
    let (withdrawn, key) = (TestKey::new("k"), TestKey::new("k"));
    let issuer = TestIssuer::with_keys(&set(&[&key])).await;
    let dir = tempfile::tempdir().unwrap();
    let cache = || KeyCache::sqlite(dir.path().join("keys"));
    let year = Duration::from_secs(365 * 86_400);
    let record = CachedKeys::from_set(&set(&[&withdrawn]), CacheTimes::default(), clock().now() + year);
    assert!(!record.is_valid_at(clock().now()));
    cache().put(&issuer.issuer, record).unwrap();
    let verifier =
        Verifier::builder(issuer.issuer.clone(), client()).key_cache(cache()).clock(clock()).build();
    verifier.verify(&issuer.token(&key)).await.unwrap();
    assert!(cache().list().unwrap()[0].1.is_valid_at(clock().now()), "and the record is mended");
}

#[test]
fn one_key_of_two_issuers_has_any_name_for_both() {
    let key = TestKey::new("any");
    let other: Issuer = "https://other.example".parse().unwrap();
    let public = key.key.verifying_key();
    let verifier =
        OfflineVerifier::with_key(https(), &public).issuer_with_key(other.clone(), &public).clock(clock());
    for issuer in [https(), other] {
        assert!(verifier.verify(&token(&issuer, &key, NOW)).is_ok(), "{issuer}");
    }
}
