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
