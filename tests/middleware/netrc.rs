//! Passwords of `.netrc`: a token always wins.

use http::{StatusCode, header};
use reqwest_scitokens::netrc::Netrc;
use reqwest_scitokens::{Attach, ResponseExt as _, SessionBuilder};

use scitoken_test_support::clients::session;
use scitoken_test_support::server::Place;
use scitoken_test_support::sources::Step;
use scitoken_test_support::{Reply, Script, Server};

const BASIC: &str = "Basic bWU6aHVudGVyMnNlY3JldA==";

fn with_netrc(source: Script, attach: Attach) -> SessionBuilder {
    let netrc = Netrc::parse("default login me password hunter2secret").unwrap();
    session(source).attach(attach).netrc(netrc)
}

async fn challenging() -> Server {
    Server::http(|seen| match seen.authorization() {
        Some("Bearer t" | BASIC) => Reply::ok("data"),
        _ => Reply::challenge("Bearer realm=\"r\", Basic realm=\"r\""),
    })
    .await
}

#[tokio::test]
async fn a_token_wins_over_a_password_however_it_is_attached() {
    for (attach, expected) in [
        (Attach::WhenFound, vec![Some("Bearer t")]),
        (Attach::Required, vec![Some("Bearer t")]),
        (Attach::OnChallenge, vec![None, Some("Bearer t")]),
    ] {
        let server = challenging().await;
        let session = with_netrc(Script::new(&["t"]), attach).build().unwrap();
        let response = session.get(server.url("/f")).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{attach:?}");
        let seen = server.authorizations();
        assert_eq!(seen.iter().map(Option::as_deref).collect::<Vec<_>>(), expected, "{attach:?}");
    }
}

#[tokio::test]
async fn a_password_goes_where_there_is_no_token() {
    for (source, attach) in [
        (Script::new(&["-"]), Attach::WhenFound),
        (Script::new(&["-"]), Attach::OnChallenge),
        (Script::new(&["t"]), Attach::Never),
        (Script::steps([Step::Fails("broken")]), Attach::OnChallenge),
    ] {
        let server = challenging().await;
        let session = with_netrc(source, attach).build().unwrap();
        let response = session.get(server.url("/f")).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{attach:?}");
        assert_eq!(server.authorizations(), [Some(BASIC.to_owned())], "{attach:?}");
        let trace = response.auth_trace().unwrap().to_string();
        assert!(trace.contains("with a password of `.netrc`"), "{trace}");
    }
}

#[tokio::test]
async fn a_token_that_is_refused_is_not_followed_by_a_password() {
    for attach in [Attach::WhenFound, Attach::OnChallenge] {
        let server = Server::http(|seen| match seen.authorization() {
            Some(BASIC) => Reply::ok("data"),
            _ => Reply::challenge("Bearer realm=\"r\""),
        })
        .await;
        let session = with_netrc(Script::new(&["bad"]), attach).build().unwrap();
        let response = session.get(server.url("/f")).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{attach:?}");
        let seen = server.authorizations();
        assert!(!seen.is_empty() && !seen.contains(&Some(BASIC.to_owned())), "{attach:?} {seen:?}");
    }
}

#[tokio::test]
async fn a_token_that_appears_after_a_refused_password_replaces_it() {
    let server = Server::protected("t").await;
    let session = with_netrc(Script::new(&["-", "t"]), Attach::WhenFound).build().unwrap();
    let response = session.get(server.url("/f")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(server.authorizations(), [Some(BASIC.to_owned()), Some("Bearer t".to_owned())]);
}

#[tokio::test]
async fn the_default_entry_does_not_follow_a_redirect_and_a_machine_does() {
    let target = Place::https("untrusted.test").start(|_| Reply::ok("data")).await;
    let location = target.url("/end").to_string();
    let first = Place::https("localhost").start(move |_| Reply::redirect(302, &location)).await;
    let send = async |netrc: &str| {
        let builder =
            scitoken_test_support::clients::session_knowing(Script::new(&["-"]), &[&first, &target]);
        let session = builder.netrc(Netrc::parse(netrc).unwrap()).build().unwrap();
        session.get(first.url("/start")).send().await.unwrap().status()
    };
    assert_eq!(send("default login me password hunter2secret").await, StatusCode::OK);
    // Not at the usual port, so not even an entry of its own is sent.
    assert_eq!(send("machine untrusted.test login me password hunter2secret").await, StatusCode::OK);
    assert_eq!(first.authorizations(), [Some(BASIC.to_owned()), None]);
    assert_eq!(target.authorizations(), [None, None]);
}

#[tokio::test]
async fn no_text_shows_a_password_that_a_server_repeats() {
    let server = Server::http(|_| {
        let echo = format!(
            "Bearer realm=\"{BASIC}\", error_description=\"no hunter2secret\", x=\"bWU6aHVudGVyMnNlY3JldA==\""
        );
        Reply::challenge(echo).header(header::SERVER, "hunter2secret/1")
    })
    .await;
    let session = with_netrc(Script::new(&["-"]), Attach::WhenFound).build().unwrap();
    let response = session.get(server.url("/hunter2secret/f")).send().await.unwrap();
    assert_eq!(server.authorizations(), [Some(BASIC.to_owned())]);
    let (trace, explained) = (response.auth_trace().unwrap(), response.explain().unwrap());
    let shown = format!("{trace} {trace:#?} {explained} {explained:?}");
    for secret in ["hunter2secret", "bWU6aHVudGVyMnNlY3JldA"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    assert_eq!(trace.redactor().redact("user:hunter2secret"), "user:…");
}
