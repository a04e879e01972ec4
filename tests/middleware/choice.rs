//! Which of several tokens is sent.

use std::time::Duration;

use http::Method;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use reqwest_scitokens::types::sys::{Clock, Env, ManualClock};
use reqwest_scitokens::types::{ResourcePath, authorizations};
use reqwest_scitokens::{Discovery, TokenRequest, TokenSource};
use scitoken_authz::{
    Access, Enforcer, Issuer, OfflineVerifier, Profile, SciToken, TokenSigner, VerifiedToken,
};
use scitoken_jwt::keys::{JwkSet, KeyKind, SigningKey};
use scitoken_test_support::tokens::NOW;
use scitoken_test_support::{Reply, Server, clients, tokens};
use url::Url;

const AUDIENCES: [&str; 4] =
    ["https://data.example:8443", "https://data.example", "data.example", "https://other.example"];
const SCOPES: [&str; 7] = [
    "storage.read:/chtc",
    "storage.read:/chtc/staging",
    "storage.read:/other",
    "storage.create:/chtc",
    "storage.modify:/chtc/staging",
    "storage.modify:/other",
    "storage.read:/staging",
];
const PATHS: [&str; 4] = ["/chtc/staging/f", "/chtc/f", "/other/f", "/f"];
/// Seconds until the token expires.
const LIFETIMES: [i64; 3] = [-100, 30, 3_600];

/// Indices into the lists above.
#[derive(Clone, Debug)]
struct Claims {
    audience: usize,
    scopes: Vec<usize>,
    lifetime: usize,
}

fn claims() -> impl Strategy<Value = Claims> {
    let scopes = proptest::collection::vec(0..SCOPES.len(), 1..4);
    (0..AUDIENCES.len(), scopes, 0..LIFETIMES.len()).prop_map(|(audience, scopes, lifetime)| Claims {
        audience,
        scopes,
        lifetime,
    })
}

struct Site {
    issuer: Issuer,
    signer: TokenSigner,
    verifier: OfflineVerifier,
    enforcer: Enforcer,
    clock: ManualClock,
}

impl Site {
    fn new() -> Self {
        let issuer: Issuer = "https://issuer.example".parse().unwrap();
        let key = SigningKey::generate(KeyKind::P256).unwrap();
        let keys: JwkSet = [key.verifying_key().to_jwk().with_key_id("k1")].into_iter().collect();
        let clock = ManualClock::at_epoch_seconds(NOW);
        let enforcer = AUDIENCES[..3]
            .iter()
            .fold(Enforcer::builder(issuer.clone()), |enforcer, audience| enforcer.audience(*audience))
            .clock(clock.clone())
            .build();
        Self {
            verifier: OfflineVerifier::new(issuer.clone(), keys).clock(clock.clone()),
            signer: TokenSigner::new(key).unwrap().with_key_id("k1"),
            issuer,
            enforcer,
            clock,
        }
    }

    fn issue(&self, claims: &Claims) -> String {
        let issued = ManualClock::at_epoch_seconds(NOW - 1_000);
        let lifetime = u64::try_from(1_000 + LIFETIMES[claims.lifetime]).unwrap();
        let token = SciToken::new(Profile::Wlcg { minor: 0 }, &self.issuer)
            .subject("alice")
            .audience(AUDIENCES[claims.audience])
            .clock(issued)
            .lifetime(Duration::from_secs(lifetime));
        let token =
            claims.scopes.iter().fold(token, |token, scope| token.scope(SCOPES[*scope].parse().unwrap()));
        token.sign(&self.signer).unwrap().expose_secret().to_owned()
    }

    fn accepts(&self, token: &str, method: &Method, path: &str) -> bool {
        let Ok(verified): Result<VerifiedToken, _> = self.verifier.verify(token) else { return false };
        let path: ResourcePath = path.parse().unwrap();
        let names = authorizations(method).unwrap();
        names.iter().any(|name| self.enforcer.test(&verified, Access::to(name, &path)).is_ok())
    }
}

#[test]
fn the_chosen_token_is_one_that_the_server_accepts_whenever_there_is_one() {
    let site = Site::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let accepted = std::cell::Cell::new(0);
    let sets = (
        proptest::collection::vec(claims(), 2..6),
        0..PATHS.len(),
        prop_oneof![Just(Method::GET), Just(Method::PUT), Just(Method::DELETE)],
    );
    let config = Config { cases: 500, failure_persistence: None, ..Config::default() };
    let run = TestRunner::new(config).run(&sets, |(set, path, method)| {
        let directory = tempfile::tempdir().unwrap();
        let issued: Vec<_> = set.iter().map(|claims| site.issue(claims)).collect();
        for (number, token) in issued.iter().enumerate() {
            fs_err::write(directory.path().join(format!("{number}.use")), token).unwrap();
        }
        let discovery = Discovery::new()
            .with_env(Env::given([("_CONDOR_CREDS", directory.path())]))
            .with_tmp(directory.path());
        let url = Url::parse(&format!("https://data.example:8443{}", PATHS[path])).unwrap();
        let request = TokenRequest::new(&url).unwrap().at(site.clock.now()).with_method(&method);
        let chosen = runtime.block_on(discovery.token(&request));
        if issued.iter().any(|token| site.accepts(token, &method, PATHS[path])) {
            let chosen = chosen.unwrap().expect("a token");
            prop_assert!(site.accepts(chosen.expose_secret(), &method, PATHS[path]));
            accepted.set(accepted.get() + 1);
        }
        Ok(())
    });
    run.unwrap();
    assert!(accepted.get() > 50, "only {} sets had a token that the server accepts", accepted.get());
}

/// Audiences of tokens for the server, as sites write them, and two for other servers.
const FORMS: [&[&str]; 12] = [
    &["https://data.example:8443"],
    &["https://data.example:8443/"],
    &["https://data.example"],
    &["data.example"],
    &["data.example."],
    &["DATA.example"],
    &["data.example:1094"],
    &["root://data.example:1094//"],
    &["davs://data.example:8443"],
    &["https://other.example", "data.example"],
    &["https://other.example"],
    &["data.example.evil"],
];
/// Paths below the base path of the issuer, as users write them, and what servers make of them.
const BELOW: [(&str, &str); 8] = [
    ("/a/f", "/a/f"),
    ("/a/./f", "/a/f"),
    ("/a/b/../f", "/a/f"),
    ("/a/%2e/b/%2E%2e/f", "/a/f"),
    ("/a/b/f", "/a/b/f"),
    ("/ab/f", "/ab/f"),
    ("/a%20b/f", "/a%20b/f"),
    ("/", "/"),
];
const BASES: [&str; 3] = ["/", "/ns", "/ns/deep"];
const CAPABILITIES: [(&str, &str); 9] = [
    ("read", "/"),
    ("read", "/a"),
    ("read", "/a/b"),
    ("read", "/ns"),
    ("read", "/a%20b"),
    ("create", "/a"),
    ("modify", "/a"),
    ("modify", "/"),
    ("modify", "/ns/deep/a"),
];

/// A token of a set: its profile, audience, capabilities and lifetime, as indices.
type AnyToken = (bool, usize, Vec<usize>, usize);

fn any_token() -> impl Strategy<Value = AnyToken> {
    let capabilities = proptest::collection::vec(0..CAPABILITIES.len(), 1..4);
    (any::<bool>(), 0..FORMS.len(), capabilities, 0..LIFETIMES.len())
}

fn issue_any(site: &Site, (is_wlcg, form, capabilities, lifetime): &AnyToken) -> String {
    let profile = if *is_wlcg { Profile::Wlcg { minor: 0 } } else { Profile::SciTokens2 };
    let token = SciToken::new(profile, &site.issuer)
        .subject("alice")
        .clock(ManualClock::at_epoch_seconds(NOW - 1_000))
        .lifetime(Duration::from_secs(u64::try_from(1_000 + LIFETIMES[*lifetime]).unwrap()));
    let token = FORMS[*form].iter().fold(token, |token, audience| token.audience(*audience));
    let token = capabilities.iter().fold(token, |token, index| {
        let (access, path) = CAPABILITIES[*index];
        let name = match (is_wlcg, access) {
            (true, access) => format!("storage.{access}"),
            (false, "read") => "read".to_owned(),
            (false, _) => "write".to_owned(),
        };
        token.scope(format!("{name}:{path}").parse().unwrap())
    });
    token.sign(&site.signer).unwrap().expose_secret().to_owned()
}

#[test]
fn below_a_base_path_the_chosen_token_is_accepted_too_whatever_the_profile_and_the_form_of_the_audience() {
    let mut site = Site::new();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let accepted = std::cell::Cell::new(0);
    let methods = prop_oneof![Just(Method::GET), Just(Method::PUT), Just(Method::DELETE)];
    let sets = (proptest::collection::vec(any_token(), 1..6), 0..BELOW.len(), methods);
    let enforcers = BASES.map(|base| {
        let builder = Enforcer::builder(site.issuer.clone()).base_path(base.parse().unwrap());
        let ours = FORMS[..9].iter().flat_map(|form| form.iter());
        ours.fold(builder, |builder, audience| builder.audience(*audience)).clock(site.clock.clone()).build()
    });
    let issuers = [Url::parse("https://issuer.example").unwrap()];
    for (base, enforcer) in enforcers.into_iter().enumerate() {
        site.enforcer = enforcer;
        let site = &site;
        let config = Config { cases: 500, failure_persistence: None, ..Config::default() };
        let run = TestRunner::new(config).run(&sets, |(set, below, method)| {
            let directory = tempfile::tempdir().unwrap();
            let issued: Vec<_> = set.iter().map(|token| issue_any(site, token)).collect();
            for (number, token) in issued.iter().enumerate() {
                fs_err::write(directory.path().join(format!("{number}.use")), token).unwrap();
            }
            let discovery = Discovery::new()
                .with_env(Env::given([("_CONDOR_CREDS", directory.path())]))
                .with_tmp(directory.path());
            let base = BASES[base].trim_end_matches('/');
            let (written, relative) = BELOW[below];
            let url = Url::parse(&format!("https://data.example:8443{base}{written}")).unwrap();
            prop_assert_eq!(url.path(), format!("{base}{relative}"));
            let is_accepted = |token: &str| site.accepts(token, &method, url.path());
            if !issued.iter().any(|token| is_accepted(token)) {
                return Ok(());
            }
            // As a federation asks: for one scope after the other, relative to the base path.
            let chosen = authorizations(&method).unwrap().iter().find_map(|name| {
                let scopes = [format!("{name}:{relative}").parse().unwrap()];
                let request = TokenRequest::new(&url).unwrap().at(site.clock.now()).with_method(&method);
                let request = request.with_scopes(&scopes).with_issuers(&issuers);
                let token = runtime.block_on(discovery.token(&request)).ok()??;
                Some(token).filter(|token| request.fit(token).is_acceptable())
            });
            let chosen = chosen.expect("a token");
            prop_assert!(is_accepted(chosen.expose_secret()), "{:?}", set);
            accepted.set(accepted.get() + 1);
            Ok(())
        });
        run.unwrap();
    }
    assert!(accepted.get() > 150, "only {} sets had a token that the server accepts", accepted.get());
}

#[tokio::test]
async fn requests_for_two_paths_get_each_its_own_token() {
    let server = Server::https(|_| Reply::ok("data")).await;
    let directory = tempfile::tempdir().unwrap();
    let token = |scope| tokens::wlcg("localhost", scope, tokens::in_an_hour());
    let (one, two) = (token("storage.read:/one"), token("storage.read:/two"));
    fs_err::write(directory.path().join("a.use"), &one).unwrap();
    fs_err::write(directory.path().join("b.use"), &two).unwrap();
    let discovery = Discovery::new()
        .with_env(Env::given([("_CONDOR_CREDS", directory.path())]))
        .with_tmp(directory.path());
    let session = clients::session(discovery).build().unwrap();
    let paths = ["/two/f", "/one/f", "/two/g", "/one/g"];
    for path in paths {
        session.get(server.url_as("https", "localhost", path)).send().await.unwrap();
    }
    assert_eq!(server.tokens().iter().collect::<Vec<_>>(), [&two, &one, &two, &one]);
    let sent = paths.map(|path| session.get(server.url_as("https", "localhost", path)).send());
    futures_util::future::join_all(sent).await;
    for seen in &server.seen()[4..] {
        let expected = if seen.path().starts_with("/one") { &one } else { &two };
        assert_eq!(seen.authorization(), Some(format!("Bearer {expected}").as_str()), "{}", seen.path());
    }
    assert_eq!(server.seen().len(), 8);
}
