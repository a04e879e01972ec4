//! Many requests at once: one question to the source, no request left without an answer.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use http::StatusCode;
use reqwest_middleware::ClientWithMiddleware;
use reqwest_scitokens::{
    Attach, AuthMiddleware, RequestBuilderExt as _, SessionBuilder, SourceError, TokenRequest, TokenSource,
};
use scitoken_types::AccessToken;
use scitoken_types::sys::ManualClock;
use serde_json::json;
use tokio::sync::{Barrier, Notify};
use tokio::task::JoinSet;
use tokio::time::timeout;
use url::Url;

use scitoken_test_support::clients::{around, foreign, session};
use scitoken_test_support::sources::Step;
use scitoken_test_support::{Reply, Script, Server, tokens};

const LONG: Duration = Duration::from_secs(30);

/// A session whose clock stands still: on a busy machine sixty-four requests take longer than the second after which a
/// source is asked again.
fn still(source: &Script) -> SessionBuilder {
    session(source.clone()).auth(|auth| auth.clock(ManualClock::at_epoch_seconds(tokens::NOW)))
}

async fn get(client: &ClientWithMiddleware, url: Url) -> StatusCode {
    client.get(url).send().await.unwrap().status()
}

/// Waits until something is so, a little at a time.
async fn until(mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    timeout(LONG, waiting).await.unwrap();
}

#[tokio::test]
async fn sixty_four_refusals_at_once_fetch_one_token() {
    let all_there = Arc::new(Barrier::new(64));
    let server = Server::http(move |seen| {
        let all_there = Arc::clone(&all_there);
        match seen.authorization() {
            Some("Bearer fresh") => Reply::ok("data"),
            _ => Reply::challenge("Bearer").after(async move {
                all_there.wait().await;
            }),
        }
    })
    .await;
    let source = Script::slow(&["stale", "fresh", "wrong"], Duration::from_millis(20));
    let session = still(&source).build().unwrap();
    let statuses = join_all((0..64).map(|n| get(session.client(), server.url(&format!("/{n}"))))).await;
    assert!(statuses.iter().all(|status| *status == StatusCode::OK), "{statuses:?}");
    let sent = server.tokens();
    assert_eq!(sent.iter().filter(|token| *token == "stale").count(), 64);
    assert_eq!(sent.iter().filter(|token| *token == "fresh").count(), 64);
    assert_eq!(source.calls(), 2);
}

#[tokio::test]
async fn sixty_four_requests_to_a_new_server_ask_once_under_on_challenge() {
    let server = Server::protected("t").await;
    let source = Script::slow(&["t"], Duration::from_millis(20));
    let session = still(&source).attach(Attach::OnChallenge).build().unwrap();
    let statuses = join_all((0..64).map(|_| get(session.client(), server.url("/f")))).await;
    assert!(statuses.iter().all(|status| *status == StatusCode::OK));
    assert_eq!(source.calls(), 1);
}

#[tokio::test]
async fn sixty_four_requests_share_one_failure() {
    let server = Server::http(|_| Reply::ok("public")).await;
    let source = Script::steps([Step::Fails("broken")]);
    let session = still(&source).build().unwrap();
    join_all((0..64).map(|_| get(session.client(), server.url("/f")))).await;
    assert_eq!((source.calls(), server.tokens()), (1, vec!["-".to_owned(); 64]));
}

#[tokio::test]
async fn after_a_cancelled_question_the_next_request_asks() {
    let server = Server::protected("t").await;
    let source = Script::gated(&["t"]);
    let session = session(source.clone()).build().unwrap();
    let start = |requests: &mut JoinSet<StatusCode>| {
        let (client, url) = (session.client().clone(), server.url("/f"));
        requests.spawn(async move { get(&client, url).await })
    };
    let mut requests = JoinSet::new();
    let leader = start(&mut requests);
    until(|| source.calls() == 1).await;
    for _ in 0..8 {
        start(&mut requests);
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    leader.abort();
    source.release(8);
    let mut granted = 0;
    while let Some(ended) = timeout(LONG, requests.join_next()).await.unwrap() {
        granted += usize::from(ended.is_ok_and(|status| status == StatusCode::OK));
    }
    assert_eq!((granted, source.calls()), (8, 2));
}

#[tokio::test]
async fn after_a_cancelled_question_about_a_refusal_the_next_request_asks() {
    let server = Server::protected("fresh").await;
    let source = Script::gated(&["stale", "fresh"]);
    source.release(1);
    let session = session(source.clone()).build().unwrap();
    let mut requests = JoinSet::new();
    let mut aborts = Vec::new();
    for _ in 0..8 {
        let (client, url) = (session.client().clone(), server.url("/f"));
        aborts.push(requests.spawn(async move { get(&client, url).await }));
    }
    until(|| source.calls() == 2 && server.seen().len() == 8).await;
    // One of them asks, seven wait; whoever is cut, the others go on.
    for abort in &aborts[..4] {
        abort.abort();
    }
    source.release(8);
    let mut granted = 0;
    while let Some(ended) = timeout(LONG, requests.join_next()).await.unwrap() {
        granted += usize::from(ended.is_ok_and(|status| status == StatusCode::OK));
    }
    assert_eq!(granted, 4);
    assert!(source.calls() <= 3, "{}", source.calls());
}

#[tokio::test]
async fn a_late_refusal_of_an_old_token_does_not_wipe_the_fresh_one() {
    let gate = Arc::new(Notify::new());
    let hold = Arc::clone(&gate);
    let server = Server::http(move |seen| match (seen.authorization(), seen.path()) {
        (Some("Bearer fresh"), _) => Reply::ok("data"),
        (_, "/slow") => {
            let hold = Arc::clone(&hold);
            Reply::challenge("Bearer").after(async move { hold.notified().await })
        }
        _ => Reply::challenge("Bearer"),
    })
    .await;
    let source = Script::new(&["stale", "fresh", "wrong"]);
    let session = session(source.clone()).build().unwrap();
    let (client, url) = (session.client().clone(), server.url("/slow"));
    let slow = tokio::spawn(async move { get(&client, url).await });
    until(|| server.seen().len() == 1).await;
    assert_eq!(get(session.client(), server.url("/quick")).await, StatusCode::OK);
    gate.notify_one();
    assert_eq!(timeout(LONG, slow).await.unwrap().unwrap(), StatusCode::OK);
    assert_eq!(server.tokens(), ["stale", "stale", "fresh", "fresh"]);
    assert_eq!(source.calls(), 2);
}

/// Is silent for ever about one port, and quick about the others.
#[derive(Debug)]
struct SilentAbout(u16, Arc<Notify>);

impl TokenSource for SilentAbout {
    async fn token(&self, request: &TokenRequest<'_>) -> Result<Option<AccessToken>, SourceError> {
        if request.url().port() == Some(self.0) {
            self.1.notify_one();
            std::future::pending::<()>().await;
        }
        Ok(Some(AccessToken::new("t")?))
    }
}

#[tokio::test]
async fn a_source_that_hangs_for_one_server_holds_up_no_other() {
    let (silent, quick) = (Server::protected("t").await, Server::protected("t").await);
    let asked = Arc::new(Notify::new());
    let session = session(SilentAbout(silent.address().port(), Arc::clone(&asked))).build().unwrap();
    let (client, url) = (session.client().clone(), silent.url("/f"));
    let hanging = tokio::spawn(async move { client.get(url).send().await });
    timeout(LONG, asked.notified()).await.unwrap();
    let quickly = timeout(LONG, get(session.client(), quick.url("/f"))).await.unwrap();
    assert_eq!((quickly, silent.connections()), (StatusCode::OK, 0));
    hanging.abort();
}

/// Gives the audience itself as the token.
#[derive(Debug)]
struct ByAudience;

impl TokenSource for ByAudience {
    async fn token(&self, request: &TokenRequest<'_>) -> Result<Option<AccessToken>, SourceError> {
        tokio::time::sleep(Duration::from_millis(5)).await;
        Ok(request.audience().map(|audience| AccessToken::new(audience.as_str())).transpose()?)
    }
}

#[tokio::test]
async fn requests_for_two_audiences_at_once_do_not_mix_their_tokens() {
    let server = Server::http(|seen| {
        let wanted = format!("Bearer {}", &seen.path()[1..]);
        Reply::new(if seen.authorization() == Some(wanted.as_str()) { 200 } else { 500 })
    })
    .await;
    let session = session(ByAudience).build().unwrap();
    let statuses = join_all((0..32).map(|n| {
        let audience = ["one", "two"][n % 2];
        let request = session.get(server.url(&format!("/{audience}"))).audience(audience);
        async { request.send().await.unwrap().status() }
    }))
    .await;
    assert!(statuses.iter().all(|status| *status == StatusCode::OK), "{statuses:?}");
}

// ---- time

/// A client with this source and this clock.
fn timed(source: &Script, clock: &ManualClock) -> ClientWithMiddleware {
    around(foreign(), AuthMiddleware::builder(source.clone()).clock(clock.clone()).build())
}

#[tokio::test]
async fn a_source_is_asked_again_after_a_second_because_tokens_are_replaced() {
    let server = Server::http(|_| Reply::ok("public")).await;
    let (source, clock) = (Script::new(&["a", "b"]), ManualClock::at_epoch_seconds(tokens::NOW));
    let client = timed(&source, &clock);
    for step in [0, 500, 2_000, 0] {
        clock.advance(Duration::from_millis(step));
        get(&client, server.url("/f")).await;
    }
    assert_eq!((server.tokens(), source.calls()), (scitoken_test_support::texts(&["a", "a", "b", "b"]), 2));
}

#[tokio::test]
async fn an_old_token_is_kept_while_it_is_valid_if_its_renewal_fails() {
    let server = Server::http(|_| Reply::ok("public")).await;
    let ending = tokens::jwt(&json!({"exp": tokens::NOW + 30}));
    let source = Script::steps([Step::Token(ending.clone()), Step::Fails("the renewal is broken")]);
    let clock = ManualClock::at_epoch_seconds(tokens::NOW);
    let client = timed(&source, &clock);
    for step in [0, 5, 5, 25] {
        clock.advance(Duration::from_secs(step));
        get(&client, server.url("/f")).await;
    }
    assert_eq!(server.tokens(), [ending.as_str(), &ending, &ending, "-"]);
    assert!(source.calls() >= 3, "it is asked again while the token is about to end");
}

#[tokio::test]
async fn a_token_that_ends_soon_is_replaced_before_it_ends() {
    let server = Server::http(|_| Reply::ok("public")).await;
    let ending = tokens::jwt(&json!({"exp": tokens::NOW + 90}));
    let next = tokens::jwt(&json!({"exp": tokens::NOW + 3600}));
    let (source, clock) = (Script::new(&[&ending, &next]), ManualClock::at_epoch_seconds(tokens::NOW));
    let client = timed(&source, &clock);
    get(&client, server.url("/f")).await;
    clock.advance(Duration::from_secs(45));
    get(&client, server.url("/f")).await;
    assert_eq!(server.tokens(), [ending, next]);
}

#[tokio::test]
async fn a_token_with_a_maximum_age_is_not_asked_for_in_between() {
    #[derive(Debug, Clone, Default)]
    struct Dear(Arc<std::sync::atomic::AtomicUsize>);

    impl TokenSource for Dear {
        async fn token(&self, _: &TokenRequest<'_>) -> Result<Option<AccessToken>, SourceError> {
            self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            Ok(Some(AccessToken::new("dear")?.with_max_age(Duration::from_secs(600))))
        }
    }

    let server = Server::http(|_| Reply::ok("public")).await;
    let (source, clock) = (Dear::default(), ManualClock::at_epoch_seconds(tokens::NOW));
    let client = around(foreign(), AuthMiddleware::builder(source.clone()).clock(clock.clone()).build());
    for _ in 0..4 {
        clock.advance(Duration::from_secs(100));
        get(&client, server.url("/f")).await;
    }
    assert_eq!(source.0.load(std::sync::atomic::Ordering::SeqCst), 1);
    clock.advance(Duration::from_secs(600));
    get(&client, server.url("/f")).await;
    assert_eq!(source.0.load(std::sync::atomic::Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_refused_token_is_not_handed_out_again_while_it_is_cached() {
    let server = Server::protected("new").await;
    let (source, clock) = (Script::new(&["old", "new"]), ManualClock::at_epoch_seconds(tokens::NOW));
    let client = timed(&source, &clock);
    for _ in 0..3 {
        assert_eq!(get(&client, server.url("/f")).await, StatusCode::OK);
    }
    assert_eq!(server.tokens(), ["old", "new", "new", "new"]);
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_freeze_the_cache() {
    let server = Server::http(|_| Reply::ok("public")).await;
    let (source, clock) = (Script::new(&["a", "b", "c"]), ManualClock::at_epoch_seconds(tokens::NOW));
    let client = timed(&source, &clock);
    for seconds in [0, 3600, 7200] {
        clock.set(std::time::UNIX_EPOCH + Duration::from_secs(tokens::NOW - seconds));
        get(&client, server.url("/f")).await;
    }
    assert_eq!(server.tokens(), ["a", "b", "c"]);
}

/// Panics the first time.
#[derive(Debug, Default)]
struct Clumsy(std::sync::atomic::AtomicBool);

impl TokenSource for Clumsy {
    async fn token(&self, _: &TokenRequest<'_>) -> Result<Option<AccessToken>, SourceError> {
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(self.0.swap(true, std::sync::atomic::Ordering::SeqCst), "a source of the test stumbles");
        Ok(Some(AccessToken::new("t")?))
    }
}

#[tokio::test]
async fn a_source_that_panics_takes_one_request_with_it_and_no_more() {
    let server = Server::protected("t").await;
    let session = session(Clumsy::default()).build().unwrap();
    let mut requests = JoinSet::new();
    for _ in 0..8 {
        let (client, url) = (session.client().clone(), server.url("/f"));
        requests.spawn(async move { get(&client, url).await });
    }
    let mut granted = 0;
    while let Some(ended) = timeout(LONG, requests.join_next()).await.unwrap() {
        granted += usize::from(ended.is_ok_and(|status| status == StatusCode::OK));
    }
    assert_eq!(granted, 7);
}

#[tokio::test]
async fn requests_that_wait_share_the_answer_even_if_it_is_not_kept() {
    let server = Server::protected("t").await;
    let source = Script::slow(&["t"], Duration::from_millis(100));
    let middleware = AuthMiddleware::builder(source.clone()).poll_interval(Duration::ZERO).build();
    let client = around(foreign(), middleware);
    let statuses = join_all((0..64).map(|_| get(&client, server.url("/f")))).await;
    assert!(statuses.iter().all(|status| *status == StatusCode::OK));
    assert_eq!(source.calls(), 1);
    get(&client, server.url("/f")).await;
    assert_eq!(source.calls(), 2);
}
