//! Cases on which the reference libraries and the storage servers differ, each with the safe outcome.

use std::time::Duration;

use super::*;
use scitoken_types::sys::ManualClock;
use scitoken_types::{InvalidCapability, InvalidPath, ResourcePath};

const NOW: u64 = 1_700_000_000;

fn verified(json: &str) -> Result<VerifiedToken, AuthorizationError> {
    let claims = Claims::parse(json.to_owned(), None)?;
    claims.check_required()?;
    Ok(VerifiedToken::new(claims, None))
}

fn token(more: &str) -> VerifiedToken {
    let json = format!(
        r#"{{"iss":"https://iss.example","sub":"alice","exp":{},"nbf":{NOW},"iat":{NOW},{more}}}"#,
        NOW + 600
    );
    verified(&json).unwrap()
}

fn scitokens2(scope: &str) -> VerifiedToken {
    token(&format!(r#""ver":"scitoken:2.0","aud":"https://aud.example","scope":"{scope}""#))
}

fn wlcg(scope: &str) -> VerifiedToken {
    token(&format!(r#""wlcg.ver":"1.0","aud":"https://aud.example","scope":"{scope}""#))
}

fn builder() -> EnforcerBuilder {
    Enforcer::builder("https://iss.example".parse().unwrap())
        .audience("https://aud.example")
        .clock(ManualClock::at_epoch_seconds(NOW))
}

fn compat() -> Enforcer {
    builder().vocabulary(Vocabulary::Compat).build()
}

fn ask(
    enforcer: &Enforcer,
    token: &VerifiedToken,
    authorization: &str,
    path: &str,
) -> Result<(), AuthorizationError> {
    enforcer.test(token, Access::to(authorization, &path.parse().unwrap()))
}

fn read(scope: &str, path: &str) -> Result<(), AuthorizationError> {
    ask(&builder().build(), &scitokens2(scope), "read", path)
}

fn acls(enforcer: &Enforcer, token: &VerifiedToken) -> Vec<String> {
    enforcer.acls(token).unwrap().iter().map(ToString::to_string).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "so that a question can stand in its place")]
fn is_malformed(result: Result<(), AuthorizationError>, expected: InvalidPath) -> bool {
    matches!(result, Err(AuthorizationError::MalformedScope { reason: InvalidCapability::Path(reason), .. }) if reason == expected)
}

#[test]
fn a_sibling_that_begins_alike_is_another_path() {
    assert_eq!(read("read:/john", "/johnathan"), Err(AuthorizationError::NotGranted));
}

#[test]
fn a_path_includes_itself_and_what_is_beneath() {
    assert_eq!(read("read:/john", "/john"), Ok(()));
    assert_eq!(read("read:/john", "/john/file"), Ok(()));
}

#[test]
fn a_scope_that_climbs_is_refused() {
    for scope in [
        "read:/home/user1/..",
        "read:/foo/%2e%2e/bar",
        "read:/foo/%2E%2e/bar",
        "read:/foo/.%2e/bar",
        "read:/foo/%2e./bar",
    ] {
        for path in ["/home/user2", "/bar", "/"] {
            assert!(is_malformed(read(scope, path), InvalidPath::DotDot), "{scope} {path}");
        }
    }
}

#[test]
fn a_scope_that_climbs_after_two_decodings_gives_no_acl() {
    let token = scitokens2("read:/foo/%252e%252e/bar");
    assert!(is_malformed(builder().build().acls(&token).map(|_| ()), InvalidPath::DotDot));
    assert!(is_malformed(read("read:/foo/%252e%252e/bar", "/bar"), InvalidPath::DotDot));
}

#[test]
fn an_encoded_slash_is_refused() {
    assert!(is_malformed(read("read:/a%2fb", "/a/b"), InvalidPath::Separator));
}

#[test]
fn escapes_are_decoded_as_utf_8() {
    assert_eq!(read("read:/a%20b", "/a b"), Ok(()));
    assert_eq!(read("read:/%c3%bc", "/ü"), Ok(()));
}

#[test]
fn empty_components_do_not_count() {
    assert_eq!(read("read://foo//bar", "/foo/bar"), Ok(()));
}

#[test]
fn a_slash_at_the_end_means_the_directory_only() {
    assert_eq!(read("read:/foo/", "/foo"), Err(AuthorizationError::NotGranted));
    assert_eq!(read("read:/foo/", "/foo/x"), Ok(()));
    assert_eq!(read("read:/foo/", "/foobar"), Err(AuthorizationError::NotGranted));
    let create = wlcg("storage.create:/foo/bar/");
    let enforcer = builder().build();
    assert_eq!(ask(&enforcer, &create, "storage.create", "/foo/bar"), Err(AuthorizationError::NotGranted));
    assert_eq!(ask(&enforcer, &create, "storage.create", "/foo/bar/x"), Ok(()));
}

#[test]
fn a_request_that_climbs_cannot_even_be_asked() {
    for path in ["/foo/../etc", "/foo/%2E%2E/etc", "/foo/%2e%2e/etc", "/foo/%252e%252e/etc"] {
        assert_eq!(path.parse::<ResourcePath>(), Err(InvalidPath::DotDot), "{path}");
    }
    assert_eq!(ResourcePath::from_decoded("/foo/../etc"), Err(InvalidPath::DotDot));
}

#[test]
fn a_scope_without_the_path_that_it_needs_voids_the_token() {
    for scope in [
        "read",
        "read:",
        "write",
        "storage.read",
        "storage.read:",
        "storage.create",
        "storage.create:",
        "storage.modify",
        "storage.modify:",
        "storage.stage",
        "storage.poll",
    ] {
        let void = Err(AuthorizationError::ScopeWithoutPath { scope: scope.to_owned() });
        for token in
            [scitokens2(&format!("read:/data {scope}")), wlcg(&format!("storage.read:/data {scope}"))]
        {
            assert_eq!(ask(&builder().build(), &token, "read", "/etc/passwd"), void, "{scope}");
            assert_eq!(ask(&compat(), &token, "read", "/data"), void, "{scope}");
            assert_eq!(builder().build().acls(&token).map(|_| ()), void, "{scope}");
        }
    }
}

#[test]
fn a_relative_path_is_refused() {
    assert!(is_malformed(read("read:foo", "/foo"), InvalidPath::Relative));
}

#[test]
fn compute_needs_no_path() {
    let submit = Access::everywhere("compute.create");
    assert_eq!(builder().build().test(&wlcg("compute.create"), submit), Ok(()));
    assert_eq!(
        builder().build().test(&wlcg("compute.create:/a"), submit),
        Err(AuthorizationError::NotGranted)
    );
    assert_eq!(builder().build().test(&wlcg("compute.read"), submit), Err(AuthorizationError::NotGranted));
}

#[test]
fn the_order_of_scopes_does_not_matter() {
    for scope in ["write:/../x read:/foo", "read:/foo write:/../x"] {
        assert!(is_malformed(read(scope, "/foo/a"), InvalidPath::DotDot), "{scope}");
    }
}

#[test]
fn an_empty_authorization_is_never_granted() {
    assert_eq!(
        ask(&builder().build(), &scitokens2("read:/foo"), "", "/x"),
        Err(AuthorizationError::EmptyAuthorization)
    );
}

#[test]
fn authorizations_are_compared_with_their_case() {
    assert_eq!(read("READ:/foo", "/foo"), Err(AuthorizationError::NotGranted));
}

#[test]
fn storage_create_does_not_allow_overwriting() {
    let token = wlcg("storage.create:/d");
    assert_eq!(ask(&compat(), &token, "create", "/d/f"), Ok(()));
    for authorization in ["write", "modify", "storage.modify"] {
        assert_eq!(ask(&compat(), &token, authorization, "/d/f"), Err(AuthorizationError::NotGranted));
    }
}

#[test]
fn storage_modify_includes_creating() {
    let token = wlcg("storage.modify:/d");
    assert_eq!(ask(&builder().build(), &token, "storage.create", "/d/f"), Ok(()));
    for authorization in ["create", "write", "modify", "storage.create", "storage.modify"] {
        assert_eq!(ask(&compat(), &token, authorization, "/d/f"), Ok(()), "{authorization}");
    }
    assert_eq!(ask(&compat(), &token, "read", "/d/f"), Err(AuthorizationError::NotGranted));
}

#[test]
fn staging_does_not_include_reading() {
    for version in ["1.0", "1.1", "1.2", "1.3"] {
        let token = token(&format!(
            r#""wlcg.ver":"{version}","aud":"https://aud.example","scope":"storage.stage:/d""#
        ));
        assert_eq!(ask(&compat(), &token, "read", "/d"), Err(AuthorizationError::NotGranted));
        assert_eq!(ask(&compat(), &token, "storage.read", "/d"), Err(AuthorizationError::NotGranted));
        assert_eq!(ask(&compat(), &token, "storage.stage", "/d"), Ok(()));
    }
}

#[test]
fn three_compute_scopes_are_condor_write() {
    let token = wlcg("compute.modify compute.create compute.cancel");
    assert_eq!(
        acls(&compat(), &token),
        ["compute.modify:/", "compute.create:/", "compute.cancel:/", "condor:/WRITE"]
    );
    assert_eq!(ask(&compat(), &token, "condor", "/WRITE"), Ok(()));
    assert_eq!(ask(&compat(), &token, "condor", "/WRITEUP"), Err(AuthorizationError::NotGranted));
    assert_eq!(ask(&compat(), &token, "condor", "/READ"), Err(AuthorizationError::NotGranted));
    assert_eq!(ask(&builder().build(), &token, "condor", "/WRITE"), Err(AuthorizationError::NotGranted));
    let two = wlcg("compute.modify compute.create");
    assert_eq!(ask(&compat(), &two, "condor", "/WRITE"), Err(AuthorizationError::NotGranted));
    for whole in ["compute.read", "compute.read:/"] {
        assert_eq!(ask(&compat(), &wlcg(whole), "condor", "/READ"), Ok(()), "{whole}");
    }
    // What is granted in one place is not granted for the whole pool.
    assert_eq!(
        ask(&compat(), &wlcg("compute.read:/x"), "condor", "/READ"),
        Err(AuthorizationError::NotGranted)
    );
    let narrow = wlcg("compute.modify:/ compute.create compute.cancel:/x");
    assert_eq!(ask(&compat(), &narrow, "condor", "/WRITE"), Err(AuthorizationError::NotGranted));
}

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
fn a_missing_parent_may_be_made_on_the_way_to_what_may_be_created() {
    let enforcer = builder().build();
    let may =
        |scope: &str, path: &str| enforcer.test(&wlcg(scope), Access::make_parent(&path.parse().unwrap()));
    assert_eq!(may("storage.create:/foo/bar", "/foo"), Ok(()));
    assert_eq!(may("storage.modify:/foo/bar", "/foo"), Ok(()));
    assert_eq!(may("storage.create:/foo/bar", "/foo/bar/x"), Ok(()));
    assert_eq!(may("storage.create:/foo/bar", "/fo"), Err(AuthorizationError::NotGranted));
    assert_eq!(may("storage.read:/foo/bar", "/foo"), Err(AuthorizationError::NotGranted));
}

#[test]
fn scopes_that_are_no_capabilities_grant_nothing_and_void_nothing() {
    let token = wlcg("openid  offline_access urn:globus:auth:scope:transfer storage.read:/a ");
    assert_eq!(ask(&builder().build(), &token, "storage.read", "/a"), Ok(()));
    assert_eq!(acls(&builder().build(), &token), ["openid:/", "offline_access:/", "storage.read:/a"]);
    assert!(token.has_capabilities());
    assert!(!wlcg("openid profile").has_capabilities());
    let tab = wlcg(r"storage.read:/a\tstorage.read:/");
    assert!(matches!(builder().build().acls(&tab), Err(AuthorizationError::MalformedScope { .. })));
}

#[test]
fn a_token_without_scopes_is_for_its_groups_only() {
    let token = token(r#""wlcg.ver":"1.0","aud":"https://aud.example","wlcg.groups":["/cms/uk","atlas"]"#);
    let enforcer = builder().build();
    assert_eq!(enforcer.acls(&token), Err(AuthorizationError::missing("scope")));
    for group in ["/cms/uk", "cms/uk", "/atlas", "atlas"] {
        assert_eq!(enforcer.test_group(&token, group), Ok(()), "{group}");
    }
    for group in ["/cms", "/cms/uk/x", "", "/", "CMS/uk"] {
        assert!(
            matches!(enforcer.test_group(&token, group), Err(AuthorizationError::NotInGroup { .. })),
            "{group}"
        );
    }
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
fn acls_list_each_entry_once_in_the_tokens_order() {
    let token = wlcg("storage.read:/b storage.modify:/a storage.read:/b storage.create:/a");
    assert_eq!(
        acls(&builder().build(), &token),
        ["storage.read:/b", "storage.modify:/a", "storage.create:/a"]
    );
    assert_eq!(
        acls(&compat(), &token),
        [
            "storage.read:/b",
            "read:/b",
            "storage.modify:/a",
            "storage.create:/a",
            "create:/a",
            "modify:/a",
            "write:/a"
        ]
    );
    assert_eq!(
        acls(&compat(), &scitokens2("storage.read:/b")),
        ["storage.read:/b"],
        "only WLCG is translated"
    );
}

#[test]
#[expect(clippy::disallowed_methods, reason = "it is about the time that it takes")]
fn a_token_full_of_scopes_is_listed_in_no_time() {
    // As many as fit into a token; compared one with another they would take a minute.
    let scopes: Vec<String> = (0..9_000).map(|n| format!("a:/{n:x}")).collect();
    let token = wlcg(&scopes.join(" "));
    let started = std::time::Instant::now();
    assert_eq!(builder().build().acls(&token).unwrap().len(), 9_000);
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn an_enforcer_is_for_all_threads() {
    fn is_shared<T: Send + Sync + 'static>() {}
    is_shared::<Enforcer>();
    is_shared::<VerifiedToken>();
    is_shared::<Validator>();
}
