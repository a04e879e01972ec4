//! Properties of all scopes, paths and payloads, generated.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use base64::prelude::*;
use std::sync::LazyLock;

use proptest::prelude::*;
use scitoken_authz::{
    Access, Enforcer, Issuer, OfflineVerifier, Profile, SciToken, TokenSigner, VerifiedToken, Vocabulary,
};
use scitoken_jwt::keys::{Algorithm, JwkSet, KeyKind, SigningKey};
use scitoken_types::ResourcePath;
use serde_json::json;

static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate(KeyKind::P256).unwrap());

fn issuer() -> Issuer {
    "https://iss.example".parse().unwrap()
}

fn verifier() -> OfflineVerifier {
    let keys: JwkSet = [KEY.verifying_key().to_jwk()].into_iter().collect();
    OfflineVerifier::new(issuer(), keys)
}

fn token(profile: Profile, scope: &str) -> Option<VerifiedToken> {
    let signer = TokenSigner::new(KEY.clone()).unwrap().with_key_id("k");
    let token = SciToken::new(profile, &issuer()).subject("a").claim("scope", scope).sign(&signer).ok()?;
    let keys = [KEY.verifying_key().to_jwk().with_key_id("k")].into_iter().collect();
    Some(OfflineVerifier::new(issuer(), keys).verify(token.expose_secret()).unwrap())
}

fn enforcer(vocabulary: Vocabulary) -> Enforcer {
    Enforcer::builder(issuer()).accept_any_audience().vocabulary(vocabulary).build()
}

/// Few names, so that paths often meet.
fn component() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[ab]{1,2}",
        1 => Just("..".to_owned()),
        1 => Just("%2e%2E".to_owned()),
        1 => Just("%61".to_owned()),
        1 => Just(".".to_owned()),
        1 => Just(String::new()),
        1 => "\\PC{0,4}",
    ]
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(component(), 0..5).prop_map(|components| format!("/{}", components.join("/")))
}

fn scope() -> impl Strategy<Value = String> {
    const NAMES: &[&str] = &[
        "read",
        "write",
        "storage.read",
        "storage.create",
        "storage.modify",
        "storage.stage",
        "compute.read",
        "compute.create",
        "compute.modify",
        "compute.cancel",
    ];
    let plain =
        prop::collection::vec("[ab]{1,2}", 0..4).prop_map(|components| format!("/{}", components.join("/")));
    (prop::sample::select(NAMES), plain, any::<bool>()).prop_map(|(name, path, has_path)| {
        if has_path || !name.starts_with("compute") { format!("{name}:{path}") } else { name.to_owned() }
    })
}

fn asked() -> impl Strategy<Value = (&'static str, ResourcePath)> {
    const NAMES: &[&str] = &[
        "read",
        "write",
        "create",
        "modify",
        "condor",
        "storage.read",
        "storage.create",
        "storage.modify",
        "storage.stage",
        "compute.read",
        "compute.create",
    ];
    let places = prop_oneof![
        prop::collection::vec("[ab]{1,2}", 0..4).prop_map(|c| format!("/{}", c.join("/"))),
        Just("/READ".to_owned()),
        Just("/WRITE".to_owned()),
    ];
    (prop::sample::select(NAMES), places.prop_map(|path| path.parse().unwrap()))
}

fn profile() -> impl Strategy<Value = Profile> {
    prop_oneof![Just(Profile::WLCG), Just(Profile::SciTokens2)]
}

fn vocabulary() -> impl Strategy<Value = Vocabulary> {
    prop_oneof![Just(Vocabulary::Native), Just(Vocabulary::Compat)]
}

proptest! {
    #[test]
    fn a_path_that_is_shown_is_the_same_path(text in path()) {
        if let Ok(path) = text.parse::<ResourcePath>() {
            prop_assert_eq!(path.to_string().parse::<ResourcePath>(), Ok(path));
        }
    }

    #[test]
    fn no_path_has_anything_in_it_that_climbs(text in path()) {
        if let Ok(path) = text.parse::<ResourcePath>() {
            let climbs = |c: &str| c == ".." || c == "." || c.is_empty() || c.contains(['/', '\\', '\0']);
            prop_assert!(!path.components().any(climbs));
        }
    }

    #[test]
    fn what_is_contained_begins_with_the_same_components(a in path(), b in path()) {
        let (Ok(a), Ok(b)) = (a.parse::<ResourcePath>(), b.parse::<ResourcePath>()) else { return Ok(()) };
        prop_assert!(a.contains(&a));
        if a.contains(&b) {
            let (a, b): (Vec<_>, Vec<_>) = (a.components().collect(), b.components().collect());
            prop_assert!(b.starts_with(&a));
        }
    }

    #[test]
    fn containing_is_transitive(a in path(), b in path(), c in path()) {
        let parse = |text: &str| text.parse::<ResourcePath>();
        let (Ok(a), Ok(b), Ok(c)) = (parse(&a), parse(&b), parse(&c)) else { return Ok(()) };
        prop_assert!(!(a.contains(&b) && b.contains(&c)) || a.contains(&c));
    }

    #[test]
    fn the_order_of_scopes_changes_nothing(
        profile in profile(), scopes in prop::collection::vec(scope(), 1..6), question in asked(),
        vocabulary in vocabulary(),
    ) {
        let mut backwards = scopes.clone();
        backwards.reverse();
        let enforcer = enforcer(vocabulary);
        let access = Access::to(question.0, &question.1);
        let verdict = |scopes: &[String]| {
            token(profile, &scopes.join(" ")).map(|token| enforcer.test(&token, access).is_ok())
        };
        prop_assert_eq!(verdict(&scopes), verdict(&backwards));
    }

    #[test]
    fn another_good_scope_takes_nothing_away(
        profile in profile(), scopes in prop::collection::vec(scope(), 1..6), more in scope(), question in asked(),
        vocabulary in vocabulary(),
    ) {
        let enforcer = enforcer(vocabulary);
        let access = Access::to(question.0, &question.1);
        let few = token(profile, &scopes.join(" ")).unwrap();
        let many = token(profile, &format!("{} {more}", scopes.join(" "))).unwrap();
        prop_assert!(enforcer.test(&few, access).is_err() || enforcer.test(&many, access).is_ok());
    }

    #[test]
    fn the_list_and_the_test_say_the_same(
        profile in profile(), scopes in prop::collection::vec(scope(), 1..6), question in asked(),
        vocabulary in vocabulary(),
    ) {
        let enforcer = enforcer(vocabulary);
        let token = token(profile, &scopes.join(" ")).unwrap();
        let acls = enforcer.acls(&token).unwrap();
        let listed = acls.iter().any(|acl| acl.authorization() == question.0 && acl.path().contains(&question.1));
        prop_assert_eq!(enforcer.test(&token, Access::to(question.0, &question.1)).is_ok(), listed);
    }

    #[test]
    fn a_scope_of_any_text_is_handled_without_a_panic(scope in "\\PC{0,40}", prefix in prop::sample::select(&["", "read:/", "storage.read:"][..])) {
        let claims = json!({"iss":"https://iss.example","aud":"ANY","ver":"scitoken:2.0","exp":9_999_999_999_u64,
            "iat":1,"scope":format!("{prefix}{scope}")});
        let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        let signed = format!("{}.{}", encode(r#"{"alg":"ES256"}"#), encode(&claims.to_string()));
        let signature = KEY.sign(Algorithm::Es256, signed.as_bytes()).unwrap();
        let token = format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature));
        let token = verifier().verify(&token).unwrap();
        let path = "/a".parse().unwrap();
        let _ = enforcer(Vocabulary::Compat).test(&token, Access::to("read", &path));
        let _ = enforcer(Vocabulary::Native).acls(&token);
    }

    #[test]
    fn a_token_of_any_text_is_refused_without_a_panic(text in "\\PC{0,200}", parts in prop::collection::vec("[A-Za-z0-9_-]{0,40}", 0..6)) {
        prop_assert!(verifier().verify(&text).is_err());
        prop_assert!(verifier().verify(&parts.join(".")).is_err());
    }

    #[test]
    fn a_payload_of_any_json_is_handled_without_a_panic(claim in prop::sample::select(&["exp", "aud", "scope", "ver", "iss", "wlcg.ver", "wlcg.groups"][..]), value in "[\\[\\]{}\",:0-9eE+.a-z-]{0,20}") {
        let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        let payload = format!(r#"{{"iss":"https://iss.example","{claim}":{value}}}"#);
        let signed = format!("{}.{}", encode(r#"{"alg":"ES256"}"#), encode(&payload));
        let signature = KEY.sign(Algorithm::Es256, signed.as_bytes()).unwrap();
        let token = format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature));
        prop_assert!(verifier().verify(&token).is_err());
    }
}
