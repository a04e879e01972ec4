//! Which tokens count at all: profiles, audiences, issuers, times.

use super::*;

#[test]
fn a_newer_minor_version_of_wlcg_is_accepted() {
    for version in ["1.0", "1.1", "1.3"] {
        let token = token(&format!(
            r#""wlcg.ver":"{version}","aud":"https://aud.example","scope":"storage.read:/d""#
        ));
        assert_eq!(ask(&builder().build(), &token, "storage.read", "/d"), Ok(()));
    }
    assert!(matches!(verified(r#"{"wlcg.ver":"2.0"}"#), Err(AuthorizationError::UnknownProfile { .. })));
    assert!(matches!(verified(r#"{"wlcg.ver":1.0}"#), Err(AuthorizationError::WrongType { .. })));
}

#[test]
fn both_spellings_are_one_profile() {
    for version in ["scitoken:2.0", "scitokens:2.0", "scitoken:1.0", "scitokens:1.0"] {
        let token = token(&format!(r#""ver":"{version}","aud":"https://aud.example","scope":"read:/foo""#));
        assert_eq!(ask(&builder().build(), &token, "read", "/foo"), Ok(()));
    }
    assert!(matches!(verified(r#"{"ver":"scitoken:3.0"}"#), Err(AuthorizationError::UnknownProfile { .. })));
}

#[test]
fn without_an_audience_there_is_neither_test_nor_acl() {
    let json = format!(
        r#"{{"iss":"https://iss.example","exp":{},"iat":{NOW},"ver":"scitoken:2.0","scope":"read:/"}}"#,
        NOW + 600
    );
    assert_eq!(verified(&json).map(|_| ()), Err(AuthorizationError::missing("aud")));
    let unchecked = VerifiedToken::new(Claims::parse(json, None).unwrap(), None);
    assert_eq!(ask(&builder().build(), &unchecked, "read", "/"), Err(AuthorizationError::missing("aud")));
    assert_eq!(builder().build().acls(&unchecked), Err(AuthorizationError::missing("aud")));
}

fn audience(profile: &str, aud: &str) -> Result<(), AuthorizationError> {
    builder().build().check_token(&token(&format!(r#"{profile},"aud":{aud}"#)))
}

#[test]
fn each_profile_has_its_own_word_for_every_server() {
    let (v2, wlcg, v1) = (r#""ver":"scitoken:2.0""#, r#""wlcg.ver":"1.0""#, r#""ver":"scitoken:1.0""#);
    let wlcg_any = r#""https://wlcg.cern.ch/jwt/v1/any""#;
    assert_eq!(audience(v2, r#""ANY""#), Ok(()));
    assert_eq!(audience(v2, r#"["x","ANY"]"#), Ok(()));
    assert_eq!(audience(wlcg, wlcg_any), Ok(()));
    for (profile, aud) in
        [(v2, r#""any""#), (wlcg, r#""ANY""#), (v2, wlcg_any), (v1, r#""ANY""#), (v1, wlcg_any), (v2, "[]")]
    {
        assert!(
            matches!(audience(profile, aud), Err(AuthorizationError::WrongAudience { .. })),
            "{profile} {aud}"
        );
    }
}

#[test]
fn an_audience_is_compared_byte_by_byte() {
    for aud in [r#""https://aud.example/""#, r#""HTTPS://aud.example""#, r#""https://aud.example:443""#] {
        assert!(
            matches!(audience(r#""ver":"scitoken:2.0""#, aud), Err(AuthorizationError::WrongAudience { .. })),
            "{aud}"
        );
    }
}

#[test]
fn a_server_without_an_audience_accepts_no_token_that_names_one() {
    let nameless =
        Enforcer::builder("https://iss.example".parse().unwrap()).clock(ManualClock::at_epoch_seconds(NOW));
    let token = scitokens2("read:/");
    assert!(matches!(
        ask(&nameless.clone().build(), &token, "read", "/"),
        Err(AuthorizationError::NoAudienceConfigured { .. })
    ));
    assert_eq!(ask(&nameless.accept_any_audience().build(), &token, "read", "/"), Ok(()));
}

#[test]
fn the_enforcer_refuses_unknown_claims_of_scitokens_1_only() {
    let enforcer = builder().build();
    let old = token(r#""scope":"read:/foo","foo":1"#);
    assert_eq!(
        ask(&enforcer, &old, "read", "/foo"),
        Err(AuthorizationError::UnknownClaim { claim: "foo".to_owned() })
    );
    let new = token(r#""scope":"read:/foo","foo":1,"ver":"scitoken:2.0","aud":"ANY""#);
    assert_eq!(ask(&enforcer, &new, "read", "/foo"), Ok(()));
    let knowing = builder().validator(Validator::new().claim("foo", |_| Ok(()))).build();
    assert_eq!(ask(&knowing, &old, "read", "/foo"), Ok(()));
}

#[test]
fn an_old_enforcer_reads_the_clock_at_each_question() {
    let clock = ManualClock::at_epoch_seconds(NOW);
    let enforcer = builder().clock(clock.clone()).build();
    let token = scitokens2("read:/foo");
    assert_eq!(ask(&enforcer, &token, "read", "/foo"), Ok(()));
    clock.advance(Duration::from_secs(3_600));
    assert!(matches!(ask(&enforcer, &token, "read", "/foo"), Err(AuthorizationError::Expired { .. })));
    let json = format!(
        r#"{{"iss":"https://iss.example","exp":{},"iat":{},"ver":"scitoken:2.0","aud":"ANY","scope":"read:/"}}"#,
        NOW + 9_000,
        NOW + 3_500
    );
    let made_since = verified(&json).unwrap();
    assert_eq!(ask(&enforcer, &made_since, "read", "/foo"), Ok(()));
}

#[test]
fn an_issuer_that_is_not_named_is_refused_and_several_may_be() {
    let untrusted = token(r#""ver":"scitoken:2.0","aud":"ANY","scope":"read:/""#);
    let other = Enforcer::builder("https://other.example".parse().unwrap())
        .audience("https://aud.example")
        .clock(ManualClock::at_epoch_seconds(NOW));
    assert!(matches!(
        other.clone().build().check_token(&untrusted),
        Err(AuthorizationError::UntrustedIssuer { .. })
    ));
    let both = other.issuer("https://iss.example".parse().unwrap()).build();
    assert_eq!(both.check_token(&untrusted), Ok(()));
}

#[test]
fn a_token_that_ends_too_soon_or_has_the_wrong_profile_is_refused() {
    let token = scitokens2("read:/");
    let patient = builder().time_left(Duration::from_secs(601)).build();
    assert_eq!(
        patient.check_token(&token),
        Err(AuthorizationError::EndsTooSoon {
            left: Duration::from_secs(600),
            wanted: Duration::from_secs(601)
        })
    );
    assert_eq!(builder().time_left(Duration::from_secs(600)).build().check_token(&token), Ok(()));
    let wlcg_only = builder().profiles([Profile::Wlcg { minor: 3 }]).build();
    assert!(matches!(wlcg_only.check_token(&token), Err(AuthorizationError::ProfileNotAccepted { .. })));
    assert_eq!(wlcg_only.check_token(&wlcg("storage.read:/")), Ok(()));
}

#[test]
fn an_enforcer_is_for_all_threads() {
    fn is_shared<T: Send + Sync + 'static>() {}
    is_shared::<Enforcer>();
    is_shared::<VerifiedToken>();
    is_shared::<Validator>();
}
