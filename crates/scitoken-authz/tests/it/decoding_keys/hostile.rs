//! Issuers that fail, are slow, answer too much or something else, and tokens that name keys of their own.

use base64::prelude::*;

use super::*;

const NOW: u64 = 1_000_000;

async fn started(keys: &[(&str, &SigningKey)]) -> (TestIssuer, ManualClock, Verifier) {
    let issuer = TestIssuer::start().await;
    issuer.publish(keys);
    let clock = ManualClock::at_epoch_seconds(NOW);
    let verifier = issuer.verifier(clock.clone());
    (issuer, clock, verifier)
}

/// Asks for the key of each token at once and returns the numbers of successes and failures.
async fn ask_all(verifier: &Verifier, tokens: Vec<String>) -> (usize, usize) {
    let asked = tokens.into_iter().map(|token| {
        let verifier = verifier.clone();
        tokio::spawn(async move { verifier.decoding_key(&token).await.is_ok() })
    });
    let (mut good, mut bad) = (0, 0);
    for answer in asked.collect::<Vec<_>>() {
        *(if answer.await.unwrap() { &mut good } else { &mut bad }) += 1;
    }
    (good, bad)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_verifications_while_the_key_rotates_are_one_fetch_and_no_failure() {
    let (old, new) = (key(), key());
    let (issuer, clock, verifier) = started(&[("old", &old)]).await;
    let old_token = issuer.token("old", &old);
    assert_eq!(ask_all(&verifier, vec![old_token.clone(); 100]).await, (100, 0));
    assert_eq!(issuer.requests(), 1, "the first fetch, however many wait");
    issuer.publish(&[("old", &old), ("new", &new)]);
    clock.advance(Duration::from_secs(61));
    let new_token = issuer.token("new", &new);
    let tokens =
        (0..1_000).map(|round| if round % 2 == 0 { &old_token } else { &new_token }.clone()).collect();
    assert_eq!(ask_all(&verifier, tokens).await, (1_000, 0));
    assert_eq!(issuer.requests(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_storm_of_unknown_keys_and_forged_signatures_is_one_request_a_minute() {
    let (own, foreign) = (key(), key());
    let (issuer, clock, verifier) = started(&[("k", &own)]).await;
    let good = issuer.token("k", &own);
    issuer.decode(&verifier, &good).await.unwrap();
    for minute in 1..=3 {
        clock.advance(Duration::from_secs(61));
        let storm = |round: usize| match round % 3 {
            0 => issuer.token(&format!("invented {round}"), &foreign),
            1 => issuer.token("k", &foreign),
            _ => good.clone(),
        };
        assert_eq!(ask_all(&verifier, (0..999).map(storm).collect()).await, (333, 666));
        assert_eq!(issuer.requests(), 1 + minute);
    }
}

#[tokio::test]
async fn keys_outlive_their_issuer_for_two_days() {
    let own = key();
    let (issuer, clock, verifier) = started(&[("k", &own)]).await;
    let good = issuer.token("k", &own);
    issuer.decode(&verifier, &good).await.unwrap();
    issuer.answer(Instead::Status(StatusCode::SERVICE_UNAVAILABLE));
    clock.advance(Duration::from_secs(47 * 3_600));
    issuer.decode(&verifier, &good).await.unwrap();
    clock.advance(Duration::from_secs(2 * 3_600));
    let error = verifier.decoding_key(&good).await.unwrap_err();
    assert!(matches!(error, VerifyError::Keys { .. }), "{error}");
    assert!(verifier.decoding_key(&good).await.is_err());
    let asked = issuer.requests();
    assert!(asked <= 4, "{asked}");
    issuer.answer(Instead::Nothing);
    clock.advance(Duration::from_secs(61));
    issuer.decode(&verifier, &good).await.unwrap();
}

#[tokio::test]
async fn a_key_that_is_no_longer_published_ends_with_the_next_refresh() {
    let (old, new) = (key(), key());
    let (issuer, clock, verifier) = started(&[("old", &old), ("new", &new)]).await;
    let token = issuer.token("old", &old);
    issuer.decode(&verifier, &token).await.unwrap();
    issuer.publish(&[("new", &new)]);
    issuer.decode(&verifier, &token).await.unwrap();
    clock.advance(Duration::from_secs(6 * 3_600));
    // The refresh runs beside the token that makes it due.
    issuer.decode(&verifier, &issuer.token("new", &new)).await.unwrap();
    let waiting = async {
        while verifier.decoding_key(&token).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap();
    let error = verifier.decoding_key(&token).await.unwrap_err();
    assert!(matches!(error.token_error(), Some(AuthorizationError::UnknownKey { .. })), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_no_key_set_leaves_the_keys_that_were_there_and_says_what_it_was() {
    let own = key();
    let many = {
        let jwk = own.verifying_key().to_jwk().with_key_id("k").expose_json();
        format!(r#"{{"keys":[{}]}}"#, vec![jwk; 10_000].join(","))
    };
    for (instead, told) in [
        (Instead::Body(many), "is larger than 1048576 bytes"),
        (Instead::Endless(Duration::ZERO), "is larger than 1048576 bytes"),
        (Instead::Endless(Duration::from_secs(60)), "took longer than"),
        (Instead::Redirect("http://keys.example/jwks".to_owned()), "http"),
        (Instead::Redirect("file:///etc/passwd".to_owned()), "http"),
        (Instead::KeysAt("http://keys.example/jwks".to_owned()), "http"),
        (Instead::KeysAt("https://me:secret@keys.example/jwks".to_owned()), ""),
        (Instead::Status(StatusCode::NOT_FOUND), "404"),
        (Instead::Body(r#"{"keys":[]}"#.to_owned()), "key"),
        (Instead::Body("<html>".to_owned()), "HTML"),
    ] {
        let issuer = TestIssuer::start().await;
        issuer.publish(&[("k", &own)]);
        let clock = ManualClock::at_epoch_seconds(NOW);
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let verifier = Verifier::builder(issuer.issuer(), http.build().unwrap())
            .clock(clock.clone())
            .fetch_timeout(Duration::from_millis(500))
            .build();
        issuer.answer(instead.clone());
        let error = verifier.decoding_key(&issuer.token("k", &own)).await.unwrap_err();
        let VerifyError::Keys { source, .. } = &error else { panic!("{error}") };
        let reasons = format!("{source} {:?}", std::error::Error::source(source).map(ToString::to_string));
        assert!(reasons.contains(told) && !reasons.contains("secret"), "{told}: {reasons}");
        issuer.answer(Instead::Nothing);
        clock.advance(Duration::from_secs(61));
        issuer.decode(&verifier, &issuer.token("k", &own)).await.unwrap();
        issuer.answer(instead);
        clock.advance(Duration::from_secs(61));
        let unknown = verifier.decoding_key(&issuer.token("other", &own)).await.unwrap_err();
        assert!(matches!(unknown.token_error(), Some(AuthorizationError::UnknownKey { .. })), "{unknown}");
        issuer.decode(&verifier, &issuer.token("k", &own)).await.unwrap();
    }
}

#[tokio::test]
async fn keys_that_share_a_name_or_have_none_are_found_by_the_signature_or_refused() {
    let (one, two, nameless) = (key(), key(), key());
    let (issuer, _, verifier) = started(&[("k", &one), ("k", &two), ("", &nameless)]).await;
    issuer.decode(&verifier, &issuer.token("k", &one)).await.unwrap();
    issuer.decode(&verifier, &issuer.token("k", &two)).await.unwrap();
    let error = verifier.decoding_key(&issuer.token("", &nameless)).await.unwrap_err();
    assert!(matches!(error.token_error(), Some(AuthorizationError::AmbiguousKey { .. })), "{error}");
    let (issuer, _, verifier) = started(&[("", &nameless)]).await;
    issuer.decode(&verifier, &issuer.token("", &nameless)).await.unwrap();
}

#[tokio::test]
async fn a_token_with_critical_extensions_or_repeated_members_gets_no_key() {
    let own = key();
    let (issuer, _, verifier) = started(&[("k", &own)]).await;
    let good = issuer.token("k", &own);
    let claims = good.split('.').nth(1).unwrap();
    for header in [
        r#"{"alg":"ES256","kid":"k","crit":["b64"],"b64":false}"#,
        r#"{"alg":"ES256","kid":"k","kid":"k"}"#,
        r#"{"alg":"HS256","kid":"k"}"#,
        r#"{"alg":"none","kid":"k"}"#,
    ] {
        let message = format!("{}.{claims}", BASE64_URL_SAFE_NO_PAD.encode(header));
        let signature = own.sign(scitoken_jwt::keys::Algorithm::Es256, message.as_bytes()).unwrap();
        let token = format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature));
        let error = verifier.decoding_key(&token).await.unwrap_err();
        assert!(error.token_error().is_some(), "{header}: {error}");
    }
    assert_eq!(issuer.requests(), 0, "none of them is worth a request");
}
