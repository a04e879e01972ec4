//! Apache and nginx, which answer 401 with a challenge; their logs tell what they received.

use futures_util::stream;
use http::{StatusCode, Version};
use reqwest::{Body, Response};
use reqwest_scitokens::{Attach, RedirectTrust, ResponseExt, Session};

use super::{HOUR, access_token, after_a_pause, session, session_with};
use crate::lab::WebServer::{self, Apache, Nginx};
use crate::lab::{self, APACHE, Lab, NGINX, Server};

fn apache(location: &str, mark: &str) -> String {
    format!("{APACHE}/{location}/hello.txt?{mark}")
}

fn nginx(location: &str, mark: &str) -> String {
    format!("{NGINX}/{location}/hello.txt?{mark}")
}

fn asking(lab: &Lab, token: &str) -> Session {
    let session = session_with(lab, access_token(token)).attach(Attach::OnChallenge);
    session.build().expect("a session can be built")
}

async fn get(session: &Session, url: String) -> Response {
    session.get(url).send().await.expect("the server answers")
}

/// Status and presence of a token, for each request with the mark.
async fn seen(lab: &Lab, server: WebServer, mark: &str, count: usize) -> Vec<(u16, bool)> {
    let line = |line: &String| {
        let mut words = line.split(' ').skip(2);
        let status = words.next().and_then(|status| status.parse().ok()).expect("a status");
        (status, words.next() == Some("auth=yes"))
    };
    lab.seen(server, mark, count).await.iter().map(line).collect()
}

#[test]
fn a_challenge_is_answered_once_over_the_same_connection_and_remembered() {
    lab::inside(&[Server::Web], async |lab| {
        for (location, mark) in [("oauth20", "openidc-once"), ("oauth2mod", "oauth2-once")] {
            let session = asking(&lab, &lab.keys().token().sign());
            for _ in 0..3 {
                let response = get(&session, apache(location, mark)).await;
                assert_eq!(response.text().await.expect("all of the file"), "hello apache\n");
            }
            // a bare request and its replay, then one round trip each
            let expected = [(401, false), (200, true), (200, true), (200, true)];
            assert_eq!(seen(&lab, Apache, mark, 4).await, expected);
            let lines = lab.seen(Apache, mark, 4).await;
            let requests: Vec<_> = lines.iter().filter_map(|line| line.rsplit('/').next()).collect();
            assert_eq!(requests, ["0", "1", "2", "3"], "all on one connection: {lines:?}");
        }
    });
}

#[test]
fn by_default_the_token_comes_with_the_first_request() {
    lab::inside(&[Server::Web], async |lab| {
        let session = session_with(&lab, access_token(&lab.keys().token().sign()));
        let session = session.build().expect("a session can be built");
        assert_eq!(get(&session, apache("oauth20", "first")).await.status(), StatusCode::OK);
        assert_eq!(seen(&lab, Apache, "first", 1).await, [(200, true)]);
    });
}

#[test]
fn invalid_token_is_answered_with_the_one_that_the_file_has_now() {
    lab::inside(&[Server::Web], async |lab| {
        let keys = lab.keys();
        let file = lab.token_file("forged", &keys.token().forged().sign());
        let session = session(&lab, &file).auth(|auth| auth.poll_interval(HOUR)).build();
        let session = session.expect("a session can be built");
        assert_eq!(get(&session, apache("oauth20", "stale")).await.status(), StatusCode::UNAUTHORIZED);
        lab.token_file("forged", &keys.token().sign());
        after_a_pause().await;
        assert_eq!(get(&session, apache("oauth20", "fresh")).await.status(), StatusCode::OK);
        // the same token never goes twice
        assert_eq!(seen(&lab, Apache, "stale", 1).await, [(401, true)]);
        assert!(seen(&lab, Apache, "fresh", 1).await.ends_with(&[(200, true)]));
    });
}

#[test]
fn every_form_of_a_bearer_challenge_is_answered() {
    lab::inside(&[Server::Web], async |lab| {
        for form in ["bare", "lower", "list", "negotiate"] {
            let mark = format!("form-{form}");
            let response = get(&asking(&lab, "good"), apache(&format!("hand/{form}"), &mark)).await;
            assert_eq!(response.status(), StatusCode::OK, "{form}");
            assert_eq!(seen(&lab, Apache, &mark, 2).await, [(401, false), (200, true)], "{form}");
        }
    });
}

#[test]
fn a_401_that_does_not_ask_for_a_token_is_the_answer() {
    lab::inside(&[Server::Web], async |lab| {
        for (location, mark) in
            [("hand/nochallenge", "silent"), ("hand/basic", "basic"), ("openidc", "browser")]
        {
            let response = get(&asking(&lab, "good"), apache(location, mark)).await;
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{location}");
            assert_eq!(seen(&lab, Apache, mark, 1).await, [(401, false)], "{location}");
        }
    });
}

#[test]
fn insufficient_scope_is_explained_and_the_same_token_not_sent_again() {
    lab::inside(&[Server::Web], async |lab| {
        let token = lab.keys().token().scope("storage.modify:/").sign();
        let session = session_with(&lab, access_token(&token)).build().expect("a session can be built");
        for (location, mark, status) in [("scope", "scope-401", 401), ("scope403", "scope-403", 403)] {
            let response = get(&session, apache(location, mark)).await;
            let explained = response.explain().expect("a refusal can be explained").to_string();
            assert!(explained.contains("scope") && !explained.contains(&token), "{explained}");
            assert_eq!(seen(&lab, Apache, mark, 1).await, [(status, true)], "{location}");
        }
    });
}

#[test]
fn a_stream_has_its_token_from_the_first_byte_and_is_never_sent_again() {
    lab::inside(&[Server::Web], async |lab| {
        for (token, mark, expected) in [("good", "stream-good", 405), ("bad", "stream-bad", 401)] {
            let stream = stream::iter([Ok::<_, std::io::Error>("seven b")]);
            let put = asking(&lab, token).put(apache("hand/bare", mark)).body(Body::wrap_stream(stream));
            let response = put.send().await.expect("the server answers");
            // Apache takes no uploads there, which it says to those only who may ask
            assert_eq!(response.status(), expected);
            assert_eq!(seen(&lab, Apache, mark, 1).await, [(expected, true)]);
        }
    });
}

#[test]
fn a_challenge_over_http_2_is_answered_once_on_the_same_connection() {
    lab::inside(&[Server::Web], async |lab| {
        let session = asking(&lab, &lab.keys().token().sign());
        let response = get(&session, nginx("auth", "h2")).await;
        assert_eq!((response.status(), response.version()), (StatusCode::OK, Version::HTTP_2));
        assert_eq!(seen(&lab, Nginx, "h2", 2).await, [(401, false), (200, true)]);
        let lines = lab.seen(Nginx, "h2", 2).await;
        let connection =
            |line: &String| line.split("on=").nth(1).and_then(|on| on.split('/').next().map(str::to_owned));
        assert_eq!(connection(&lines[0]), connection(&lines[1]), "{lines:?}");
    });
}

#[test]
fn a_challenge_on_an_answer_of_success_is_none() {
    lab::inside(&[Server::Web], async |lab| {
        let response = get(&asking(&lab, "good"), nginx("open", "success")).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(seen(&lab, Nginx, "success", 1).await, [(200, false)]);
    });
}

#[test]
fn a_redirect_keeps_the_token_at_home_and_loses_it_to_another_host() {
    lab::inside(&[Server::Web], async |lab| {
        let token = lab.keys().token().audience("https://wlcg.cern.ch/jwt/v1/any").sign();
        let session = session_with(&lab, access_token(&token)).build().expect("a session can be built");
        assert_eq!(get(&session, nginx("here", "home")).await.status(), StatusCode::OK);
        assert_eq!(seen(&lab, Nginx, "home", 2).await, [(307, true), (200, true)]);
        // localhost sends on to 127.0.0.1
        assert_eq!(get(&session, nginx("elsewhere", "away")).await.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(seen(&lab, Nginx, "away", 2).await, [(307, true), (401, false)]);

        let trust = RedirectTrust::Hosts(vec!["https://127.0.0.1:8460".parse().expect("a pattern")]);
        let session = session_with(&lab, access_token(&token)).redirect_trust(trust);
        let session = session.build().expect("a session can be built");
        assert_eq!(get(&session, nginx("elsewhere", "trusted")).await.status(), StatusCode::OK);
        assert_eq!(seen(&lab, Nginx, "trusted", 2).await, [(307, true), (200, true)]);
    });
}
