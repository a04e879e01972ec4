//! Discovery from end to end: what is where batch systems leave tokens, and what the server then receives.

use std::path::Path;
use std::time::Duration;

use http::StatusCode;
use reqwest_middleware::ClientWithMiddleware;
use reqwest_scitokens::{AuthMiddleware, Discovery, HostMap};
use scitoken_types::sys::{Env, ManualClock};
use serde_json::json;

use scitoken_test_support::clients::{around, foreign, session};
use scitoken_test_support::{Reply, Script, Server, tokens};
use scitoken_test_support::{texts, write_token};

/// A home for tokens: a directory, and variables that name places in it.
struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn discovery(&self, variables: &[(&str, &Path)]) -> Discovery {
        Discovery::new()
            .with_env(Env::given(variables.iter().copied()))
            .with_uid(1000)
            .with_tmp(self.0.path())
    }
}

async fn sent(discovery: Discovery) -> Vec<String> {
    let server = Server::http(|_| Reply::ok("")).await;
    session(discovery).build().unwrap().get(server.url("/f")).send().await.unwrap();
    server.tokens()
}

#[tokio::test]
async fn the_places_of_the_wlcg_come_in_their_order() {
    let home = Home::new();
    let runtime = home.path("run");
    fs_err::create_dir(&runtime).unwrap();
    write_token(&home.path("bt_u1000"), "from-tmp\n");
    assert_eq!(sent(home.discovery(&[("XDG_RUNTIME_DIR", &runtime)])).await, ["from-tmp"]);
    write_token(&runtime.join("bt_u1000"), "\t from-runtime \r\n");
    assert_eq!(sent(home.discovery(&[("XDG_RUNTIME_DIR", &runtime)])).await, ["from-runtime"]);
    write_token(&home.path("named"), "from-named-file");
    let named = home.path("named");
    let variables: &[(&str, &Path)] = &[("XDG_RUNTIME_DIR", &runtime), ("BEARER_TOKEN_FILE", &named)];
    assert_eq!(sent(home.discovery(variables)).await, ["from-named-file"]);
    let variables = [variables, &[("BEARER_TOKEN", Path::new("from-variable"))]].concat();
    assert_eq!(sent(home.discovery(&variables)).await, ["from-variable"]);
}

#[tokio::test]
async fn the_token_of_htcondor_is_taken_out_of_its_json() {
    let home = Home::new();
    let credentials = home.path("creds");
    fs_err::create_dir(&credentials).unwrap();
    write_token(&credentials.join("scitokens.use"), r#"{"access_token": "from-condor", "expires_in": 1200}"#);
    assert_eq!(sent(home.discovery(&[("_CONDOR_CREDS", &credentials)])).await, ["from-condor"]);
}

#[tokio::test]
async fn the_credential_of_htcondor_that_is_meant_for_the_server_is_chosen() {
    let (one, two) = (Server::http(|_| Reply::ok("")).await, Server::http(|_| Reply::ok("")).await);
    let home = Home::new();
    let credentials = home.path("creds");
    fs_err::create_dir(&credentials).unwrap();
    let (for_one, for_two) = (tokens::for_audience(&one.origin()), tokens::for_audience(&two.origin()));
    write_token(&credentials.join("a.use"), &for_one);
    write_token(&credentials.join("b.use"), &for_two);
    let session = session(home.discovery(&[("_CONDOR_CREDS", &credentials)])).build().unwrap();
    for server in [&one, &two, &one] {
        session.get(server.url("/f")).send().await.unwrap();
    }
    assert_eq!((one.tokens(), two.tokens()), (vec![for_one.clone(), for_one], vec![for_two]));
}

#[expect(clippy::disallowed_methods, reason = "files have the times of the machine")]
fn machine_clock() -> ManualClock {
    ManualClock::new(std::time::SystemTime::now())
}

fn client(discovery: Discovery, clock: &ManualClock) -> ClientWithMiddleware {
    around(foreign(), AuthMiddleware::builder(discovery).clock(clock.clone()).build())
}

#[tokio::test]
async fn a_token_that_is_replaced_under_a_running_job_is_used_a_second_later() {
    let (home, clock) = (Home::new(), machine_clock());
    let server = Server::http(|_| Reply::ok("")).await;
    write_token(&home.path("bt_u1000"), "first");
    let client = client(home.discovery(&[]), &clock);
    client.get(server.url("/f")).send().await.unwrap();
    write_token(&home.path("bt_u1000"), "other");
    clock.advance(Duration::from_secs(2));
    client.get(server.url("/f")).send().await.unwrap();
    assert_eq!(server.tokens(), ["first", "other"]);
}

#[tokio::test]
async fn a_token_that_is_rewritten_in_place_with_the_same_size_is_noticed() {
    let (home, clock) = (Home::new(), machine_clock());
    let server = Server::http(|_| Reply::ok("")).await;
    write_token(&home.path("bt_u1000"), "first");
    let client = client(home.discovery(&[]), &clock);
    client.get(server.url("/f")).send().await.unwrap();
    fs_err::write(home.path("bt_u1000"), "other").unwrap();
    clock.advance(Duration::from_secs(2));
    client.get(server.url("/f")).send().await.unwrap();
    assert_eq!(server.tokens(), ["first", "other"]);
}

#[tokio::test]
async fn a_token_that_vanishes_is_not_sent_any_more() {
    let (home, clock) = (Home::new(), machine_clock());
    let server = Server::http(|_| Reply::ok("")).await;
    write_token(&home.path("bt_u1000"), "first");
    let client = client(home.discovery(&[]), &clock);
    client.get(server.url("/f")).send().await.unwrap();
    fs_err::remove_file(home.path("bt_u1000")).unwrap();
    clock.advance(Duration::from_secs(2));
    client.get(server.url("/f")).send().await.unwrap();
    assert_eq!(server.tokens(), ["first", "-"]);
}

#[tokio::test]
async fn a_token_that_appears_in_a_place_of_more_weight_is_used() {
    let (home, clock) = (Home::new(), machine_clock());
    let server = Server::http(|_| Reply::ok("")).await;
    let named = home.path("named");
    write_token(&home.path("bt_u1000"), "from-tmp");
    let client = client(home.discovery(&[("BEARER_TOKEN_FILE", &named)]), &clock);
    client.get(server.url("/f")).send().await.unwrap();
    write_token(&named, "from-named-file");
    clock.advance(Duration::from_secs(2));
    client.get(server.url("/f")).send().await.unwrap();
    assert_eq!(server.tokens(), ["from-tmp", "from-named-file"]);
}

#[tokio::test]
async fn an_expired_token_gives_way_to_a_good_one_of_a_later_place() {
    let home = Home::new();
    write_token(&home.path("named"), &tokens::expired("https://x.test"));
    write_token(&home.path("bt_u1000"), "good");
    let named = home.path("named");
    assert_eq!(sent(home.discovery(&[("BEARER_TOKEN_FILE", &named)])).await, ["good"]);
}

#[tokio::test]
async fn a_map_of_hosts_gives_each_server_its_own_token_and_other_servers_none() {
    let servers = [
        Server::http(|seen| Reply::protected(seen, "one")).await,
        Server::http(|seen| Reply::protected(seen, "two")).await,
        Server::http(|_| Reply::ok("")).await,
        Server::http(|_| Reply::ok("")).await,
    ];
    let pattern = |server: &Server| format!("http://{}", server.address()).parse().unwrap();
    let map = HostMap::new()
        .with(pattern(&servers[0]), Script::new(&["one"]))
        .with(pattern(&servers[1]), Script::new(&["two"]))
        .without(pattern(&servers[2]))
        .otherwise(Script::new(&["rest"]));
    let session = session(map).build().unwrap();
    for server in &servers {
        assert_eq!(session.get(server.url("/f")).send().await.unwrap().status(), StatusCode::OK);
    }
    let sent: Vec<_> = servers.iter().flat_map(Server::tokens).collect();
    assert_eq!(sent, texts(&["one", "two", "-", "rest"]));
}

#[tokio::test]
async fn no_claim_is_required_of_a_token() {
    for claims in [json!({}), json!({"exp": "soon", "aud": 5, "scope": []}), json!({"iss": null})] {
        let home = Home::new();
        let token = tokens::jwt(&claims);
        write_token(&home.path("bt_u1000"), &token);
        assert_eq!(sent(home.discovery(&[])).await, [token]);
    }
}
