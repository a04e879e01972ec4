//! The tower layer in front of an axum server, asked over HTTP.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use axum::Router;
use axum::extract::Extension;
use axum::routing::any;
use reqwest::{Method, StatusCode};
use scitoken_authz::{
    AuthorizeLayer, CacheTimes, CachedKeys, Enforcer, Issuer, KeyCache, OfflineVerifier, Profile,
    Requirement, SciToken, TokenSigner, VerifiedToken, Verifier, Vocabulary,
};
use scitoken_jwt::keys::{JwkSet, KeyKind, SigningKey};
use scitoken_types::sys::{ManualClock, SharedClock};
use scitoken_types::{HumanDuration, ResourcePath};

struct Server {
    base: String,
    issuer: Issuer,
    key: SigningKey,
}

impl Server {
    async fn start() -> Self {
        let key = SigningKey::generate(KeyKind::P256).unwrap();
        let issuer: Issuer = "https://iss.invalid".parse().unwrap();
        let dead: Issuer = "https://dead.invalid".parse().unwrap();
        let keys: JwkSet = [key.verifying_key().to_jwk().with_key_id("k")].into_iter().collect();
        let cache = KeyCache::in_memory();
        let now = SharedClock::default().now();
        cache.put(&issuer, CachedKeys::from_set(&keys, CacheTimes::default(), now)).unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let verifier =
            Verifier::builder(issuer.clone(), client).issuer(dead.clone()).key_cache(cache).build();
        let enforcer = Enforcer::builder(issuer.clone())
            .issuer(dead)
            .audience("https://data.example")
            .vocabulary(Vocabulary::Compat)
            .build();
        let layer = AuthorizeLayer::new(verifier, enforcer, |request, path| {
            match (path.components().next(), &request.method) {
                (Some("public"), _) => Requirement::nothing(),
                (Some("whoami"), _) => Requirement::any_token(),
                (Some("jobs"), _) => Requirement::everywhere("compute.create"),
                (Some("members"), _) => Requirement::group("/vo"),
                (Some("shared"), _) => Requirement::access("read", path).or(Requirement::group("/vo")),
                (_, method) if method.as_str() == "MKCOL" => Requirement::make_parent(path),
                (_, &Method::GET) => Requirement::access("read", path),
                _ => Requirement::access("write", path).or(Requirement::access("create", path)),
            }
        })
        .realm("data.example");
        let whoami = |token: Option<Extension<VerifiedToken>>| async move {
            token.map_or("nobody".to_owned(), |token| token.claims().subject().unwrap_or("?").to_owned())
        };
        let app = Router::new().fallback(any(whoami)).layer(layer);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { base, issuer, key }
    }

    fn token(&self, scope: &str) -> String {
        self.token_of(&self.issuer, scope)
    }

    fn token_of(&self, issuer: &Issuer, scope: &str) -> String {
        let signer = TokenSigner::new(self.key.clone()).unwrap().with_key_id("k");
        let token = SciToken::new(Profile::WLCG, issuer)
            .subject("alice")
            .audience("https://data.example")
            .claim("scope", scope);
        format!("Bearer {}", token.sign(&signer).unwrap().expose_secret())
    }

    async fn ask(&self, method: Method, path: &str, authorization: &[&str]) -> (StatusCode, String, String) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut request = client.request(method, format!("{}{path}", self.base));
        for value in authorization {
            request = request.header("authorization", *value);
        }
        let response = request.send().await.unwrap();
        let challenge = response.headers().get("www-authenticate");
        let challenge = challenge.map_or(String::new(), |value| value.to_str().unwrap().to_owned());
        (response.status(), challenge, response.text().await.unwrap())
    }
}

#[tokio::test]
async fn a_request_with_a_token_for_it_is_let_in_and_the_server_knows_whose_it_is() {
    let server = Server::start().await;
    let read = server.token("storage.read:/vo storage.create:/vo/new");
    for (method, path) in [
        (Method::GET, "/vo/file"),
        (Method::GET, "/vo/a%20file?x=/etc"),
        (Method::PUT, "/vo/new/file"),
        (Method::GET, "/whoami"),
    ] {
        let (status, _, body) = server.ask(method, path, &[&read]).await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, "alice"), "{path}");
    }
    let (status, _, body) = server.ask(Method::GET, "/public/x", &[]).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "nobody"));
}

#[tokio::test]
async fn a_request_without_a_token_is_told_the_scope_to_bring() {
    let server = Server::start().await;
    for authorization in [&[][..], &["Basic YTpi"]] {
        let (status, challenge, body) = server.ask(Method::GET, "/vo/file", authorization).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert_eq!(challenge, "Bearer realm=\"data.example\", scope=\"read:/vo/file\"");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["scope"], "read:/vo/file");
        assert_eq!(body.get("error"), None, "a request without a token gets no error code");
    }
}

#[tokio::test]
async fn a_token_for_something_else_is_forbidden_with_the_scope_that_would_do() {
    let server = Server::start().await;
    let read = server.token("storage.read:/vo");
    for (method, path, scope) in [
        (Method::GET, "/vobis", "read:/vobis"),
        (Method::PUT, "/vo/file", "write:/vo/file"),
        (Method::GET, "/a%22b", "read:/a%22b"),
    ] {
        let (status, challenge, body) = server.ask(method, path, &[&read]).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["error"], "insufficient_scope");
        assert_eq!((&body["scope"], &body["token_scope"]), (&scope.into(), &"storage.read:/vo".into()));
        assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
        assert!(challenge.ends_with(&format!("scope=\"{scope}\"")), "{challenge}");
    }
}

#[tokio::test]
async fn a_bad_token_is_refused_by_name() {
    let server = Server::start().await;
    let good = server.token("storage.read:/vo");
    let untrusted = server.token_of(&"https://evil.example".parse().unwrap(), "storage.read:/vo");
    let changed = format!("{}AAAA", &good[..good.len() - 4]);
    for (token, words) in [
        (untrusted.as_str(), "issuer `https://evil.example` is not trusted; trusted: `https://iss.invalid`"),
        (&changed, "the signature does not verify"),
        ("Bearer rubbish", "not a signed JWT: it has no dots, so it is opaque"),
    ] {
        let (status, challenge, _) = server.ask(Method::GET, "/vo/file", &[token]).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert!(challenge.contains("error=\"invalid_token\"") && challenge.contains(words), "{challenge}");
        assert!(!challenge.contains("scope="), "{challenge}");
    }
}

#[tokio::test]
async fn a_request_that_cannot_be_understood_is_a_bad_one() {
    let server = Server::start().await;
    let (good, other) = (server.token("storage.read:/vo"), server.token("storage.read:/vo"));
    let (status, ..) = server.ask(Method::GET, "/vo/file", &[&good, &good]).await;
    assert_eq!(status, StatusCode::OK, "the same header twice is one token");
    for (path, authorization) in [
        ("/vo/file", &["Bearer"][..]),
        ("/vo/file", &[&good, &other]),
        ("/vo/%2e%2e/etc", &[&good]),
        ("/vo/%252e%252e/etc", &[&good]),
        ("/vo%2ffile", &[&good]),
        ("/public/%2e%2e%2fvo", &[]),
    ] {
        let (status, challenge, _) = server.ask(Method::GET, path, authorization).await;
        // The client resolves `%2e%2e` itself, and asks for `/etc`.
        let expected = if path == "/vo/%2e%2e/etc" { StatusCode::FORBIDDEN } else { StatusCode::BAD_REQUEST };
        assert_eq!(status, expected, "{path}");
        assert!(challenge.contains("error="), "{challenge}");
    }
}

#[tokio::test]
async fn keys_that_cannot_be_obtained_are_a_503() {
    let server = Server::start().await;
    let token = server.token_of(&"https://dead.invalid".parse().unwrap(), "storage.read:/vo");
    let (status, challenge, _) = server.ask(Method::GET, "/vo/file", &[&token]).await;
    assert_eq!((status, challenge.as_str()), (StatusCode::SERVICE_UNAVAILABLE, ""));
}

#[tokio::test]
async fn a_good_token_without_any_scope_is_forbidden_not_refused() {
    let server = Server::start().await;
    let signer = TokenSigner::new(server.key.clone()).unwrap().with_key_id("k");
    let token =
        SciToken::new(Profile::WLCG, &server.issuer).subject("alice").audience("https://data.example");
    let token = format!("Bearer {}", token.sign(&signer).unwrap().expose_secret());
    let (status, challenge, _) = server.ask(Method::GET, "/vo/file", &[&token]).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(challenge.contains("error=\"insufficient_scope\""), "{challenge}");
    assert!(challenge.ends_with("scope=\"read:/vo/file\""), "{challenge}");
}

#[tokio::test]
async fn a_demand_can_be_for_everywhere_for_a_directory_on_the_way_or_for_a_group() {
    let server = Server::start().await;
    let mkcol = || Method::from_bytes(b"MKCOL").unwrap();
    let (create, submit) = (server.token("storage.create:/vo/run1/out"), server.token("compute.create"));
    let somewhere = server.token("compute.create:/queue");
    for (method, path, token, expected) in [
        (Method::POST, "/jobs", &submit, Ok(())),
        (Method::POST, "/jobs", &somewhere, Err("compute.create")),
        (Method::POST, "/jobs", &create, Err("compute.create")),
        (mkcol(), "/vo", &create, Ok(())),
        (mkcol(), "/vo/run1/", &create, Ok(())),
        (mkcol(), "/vo/run2", &create, Err("storage.create:/vo/run2")),
        (mkcol(), "/vo", &submit, Err("storage.create:/vo")),
    ] {
        let (status, challenge, _) = server.ask(method, path, &[token]).await;
        match expected {
            Ok(()) => assert_eq!(status, StatusCode::OK, "{path} {challenge}"),
            Err(scope) => {
                assert_eq!(status, StatusCode::FORBIDDEN, "{path}");
                assert!(challenge.ends_with(&format!("scope=\"{scope}\"")), "{challenge}");
            }
        }
    }
}

#[tokio::test]
async fn groups_do_not_count_beside_capabilities() {
    let server = Server::start().await;
    let token = |scope: &str, groups: &[&str]| {
        let signer = TokenSigner::new(server.key.clone()).unwrap().with_key_id("k");
        let token = SciToken::new(Profile::WLCG, &server.issuer)
            .subject("alice")
            .audience("https://data.example")
            .claim("scope", scope)
            .claim("wlcg.groups", groups.to_vec());
        format!("Bearer {}", token.sign(&signer).unwrap().expose_secret())
    };
    let (member, untrusted) = (token("openid", &["/vo"]), token("openid", &["/vo/sub"]));
    let restricted = token("storage.read:/elsewhere", &["/vo"]);
    for (path, token, expected) in [
        ("/members", &member, StatusCode::OK),
        ("/members", &untrusted, StatusCode::FORBIDDEN),
        ("/members", &restricted, StatusCode::OK),
        ("/shared/file", &member, StatusCode::OK),
        ("/shared/file", &untrusted, StatusCode::FORBIDDEN),
        ("/shared/file", &restricted, StatusCode::FORBIDDEN),
    ] {
        assert_eq!(server.ask(Method::GET, path, &[token]).await.0, expected, "{path}");
    }
    let (_, challenge, _) = server.ask(Method::GET, "/members", &[&untrusted]).await;
    assert!(challenge.ends_with("scope=\"wlcg.groups:/vo\""), "{challenge}");
}

#[tokio::test]
async fn a_request_target_that_is_no_path_is_not_taken_for_one() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let server = Server::start().await;
    let token = server.token("storage.read:/");
    let ask = |line: &'static str, authorization: String| {
        let host = server.base.trim_start_matches("http://").to_owned();
        async move {
            let mut stream = tokio::net::TcpStream::connect(&host).await.unwrap();
            let request =
                format!("{line} HTTP/1.1\r\nhost: {host}\r\n{authorization}connection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answer.split(' ').nth(1).unwrap_or_default().to_owned()
        }
    };
    let authorization = format!("authorization: {token}\r\n");
    assert_eq!(ask("OPTIONS *", String::new()).await, "401", "not the rule of some path");
    assert_eq!(ask("OPTIONS *", authorization.clone()).await, "200");
    assert_eq!(ask("CONNECT host.example:443", authorization.clone()).await, "400");
    assert_eq!(ask("GET http://host.example/public/x", String::new()).await, "200");
    assert_eq!(ask("GET http://host.example", String::new()).await, "401", "the root");
    assert_eq!(ask("GET *", authorization).await, "400");
}

#[tokio::test]
async fn an_offline_verifier_fetches_nothing_and_each_issuer_keeps_to_its_base_path() {
    let key = SigningKey::generate(KeyKind::P256).unwrap();
    let issuer: Issuer = "https://iss.invalid".parse().unwrap();
    let enforcer = Enforcer::builder(issuer.clone())
        .base_path("/vo".parse().unwrap())
        .audience("https://data.example")
        .build();
    let verifier = OfflineVerifier::with_key(issuer.clone(), &key.verifying_key());
    let layer = AuthorizeLayer::new(verifier, enforcer, |_, path| Requirement::access("read", path));
    let app = Router::new().fallback(any(|| async {})).layer(layer);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let token = SciToken::new(Profile::SciTokens2, &issuer)
        .audience("https://data.example")
        .subject("me")
        .claim("scope", "read:/data")
        .sign(&TokenSigner::new(key).unwrap())
        .unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for (path, status) in [("/vo/data/f", 200), ("/data/f", 403), ("/vo/other", 403)] {
        let request = client.get(format!("{base}{path}")).bearer_auth(token.expose_secret());
        assert_eq!(request.send().await.unwrap().status().as_u16(), status, "{path}");
    }
}

/// A server whose service answers with the path that was authorized.
async fn path_server(leeway: Duration, clock: ManualClock) -> (String, SciToken, TokenSigner) {
    let key = SigningKey::generate(KeyKind::P256).unwrap();
    let issuer: Issuer = "https://iss.invalid".parse().unwrap();
    let enforcer =
        Enforcer::builder(issuer.clone()).audience("https://data.example").clock(clock.clone()).build();
    let verifier =
        OfflineVerifier::with_key(issuer.clone(), &key.verifying_key()).leeway(leeway).clock(clock.clone());
    let layer = AuthorizeLayer::new(verifier, enforcer, |_, path| match path.components().next() {
        Some("public") => Requirement::nothing(),
        _ => Requirement::access("read", path),
    });
    let served = |Extension(path): Extension<ResourcePath>| async move { path.to_string() };
    let app = Router::new().fallback(any(served)).layer(layer);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let token = SciToken::new(Profile::SciTokens2, &issuer)
        .audience("https://data.example")
        .subject("me")
        .claim("scope", "read:/vo")
        .clock(clock);
    (base, token, TokenSigner::new(key).unwrap())
}

#[tokio::test]
async fn the_service_gets_the_path_that_was_authorized() {
    let clock = ManualClock::at_epoch_seconds(1_000_000);
    let (base, token, signer) = path_server(Duration::ZERO, clock).await;
    let token = token.sign(&signer).unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for (path, expected) in [
        ("/vo/file", "/vo/file"),
        ("/vo//a%20b", "/vo/a%20b"),
        ("/vo/%66ile", "/vo/file"),
        ("/public/x", "/public/x"),
    ] {
        let response =
            client.get(format!("{base}{path}")).bearer_auth(token.expose_secret()).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert_eq!(response.text().await.unwrap(), expected, "{path}");
    }
}

#[tokio::test]
async fn a_path_that_another_program_may_read_as_climbing_is_refused() {
    let clock = ManualClock::at_epoch_seconds(1_000_000);
    let (base, token, signer) = path_server(Duration::ZERO, clock).await;
    let token = token.sign(&signer).unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    for path in [
        "/vo/..;/etc",
        "/vo/..%3b/etc",
        "/vo/..;x=y/etc",
        "/vo/%2e%2e;/etc",
        "/vo/..%5cetc",
        "/public/..;/vo",
    ] {
        let response =
            client.get(format!("{base}{path}")).bearer_auth(token.expose_secret()).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{path}");
    }
}

#[tokio::test]
async fn the_leeway_of_the_verifier_applies_to_the_whole_layer() {
    for (leeway, age, expected) in [(0, 599, 200), (0, 600, 401), (30, 629, 200), (30, 630, 401)] {
        let clock = ManualClock::at_epoch_seconds(1_000_000);
        let (base, token, signer) = path_server(Duration::from_secs(leeway), clock.clone()).await;
        let token = token.sign(&signer).unwrap();
        clock.advance(Duration::from_secs(age));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.get(format!("{base}/vo/f")).bearer_auth(token.expose_secret());
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), expected, "{age} s with a leeway of {leeway} s");
        let body = response.text().await.unwrap();
        let late = format!("expired {:#} ago", HumanDuration::from_secs(age.saturating_sub(600)));
        assert_eq!(body.contains(&late), expected == 401, "{body}");
    }
}
