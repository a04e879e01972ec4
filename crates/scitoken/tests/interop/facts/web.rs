//! Apache and nginx, which do challenge.

use reqwest::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use reqwest::{Client, StatusCode, Version};

use super::{Answer, answer};
use crate::lab::{self, APACHE, Lab, NGINX, Server, WebServer};

async fn get(client: &Client, url: String, token: Option<&str>) -> Answer {
    let request = client.get(url);
    answer(match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    })
    .await
}

fn apache(location: &str) -> String {
    format!("{APACHE}/{location}/hello.txt")
}

/// The one challenge of a refusal.
async fn challenge(lab: &Lab, location: &str, token: Option<&str>) -> String {
    let refused = get(&lab.plain(), apache(location), token).await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{location}");
    refused.challenges.join(" + ")
}

#[test]
fn apache_takes_the_scheme_in_lower_case() {
    lab::inside(&[Server::Web], async |lab| {
        let lower = format!("bearer {}", lab.keys().token().sign());
        let got = answer(lab.plain().get(apache("oauth20")).header(AUTHORIZATION, lower)).await;
        assert_eq!(got.body, "hello apache\n");
    });
}

#[test]
fn the_challenges_of_two_modules() {
    const NONE: &str = r#"error="invalid_request", error_description="No bearer token found in the request"#;
    const INVALID: &str = r#"error="invalid_token", error_description=""#;
    const SCOPE: &str = r#"error="insufficient_scope", error_description="Different scope(s)"#;
    lab::inside(&[Server::Web], async |lab| {
        let other = lab.keys().token().scope("storage.modify:/").sign();
        let garbage = Some("garbage");
        for (location, token, expected) in [
            ("oauth20", None, format!(r#"Bearer realm="lab realm", {NONE}""#)),
            ("oauth2mod", None, format!(r#"Bearer {NONE}.""#)),
            (
                "oauth20",
                garbage,
                format!(r#"Bearer realm="lab realm", {INVALID}JWT token could not be validated""#),
            ),
            ("oauth2mod", garbage, format!(r#"Bearer {INVALID}Token could not be verified.""#)),
            ("scope", Some(other.as_str()), format!(r#"Bearer {SCOPE} or other claims required""#)),
            // the browser's mode, and a refusal by hand: a 401 that has no challenge at all
            ("openidc", garbage, String::new()),
            ("hand/nochallenge", garbage, String::new()),
        ] {
            assert_eq!(challenge(&lab, location, token).await, expected, "{location}");
        }
        let refused = get(&lab.plain(), apache("scope403"), Some(&other)).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN);
        assert!(refused.challenges[0].contains("insufficient_scope"), "{:?}", refused.challenges);
    });
}

#[test]
fn expired_and_forged_look_the_same() {
    lab::inside(&[Server::Web], async |lab| {
        let expired = challenge(&lab, "oauth20", Some(&lab.keys().token().expired().sign())).await;
        let forged = challenge(&lab, "oauth20", Some(&lab.keys().token().forged().sign())).await;
        assert_eq!(expired, forged);
        assert!(expired.contains("invalid_token"), "{expired}");
    });
}

#[test]
fn several_challenges_come_in_one_line_or_in_several() {
    lab::inside(&[Server::Web], async |lab| {
        let list = get(&lab.plain(), apache("hand/list"), None).await;
        assert_eq!(
            list.challenges,
            [
                r#"Basic realm="a, Bearer realm=b", Bearer realm="q\"uote", scope="storage.read:/ storage.modify:/x", error=invalid_token"#
            ],
        );
        let lines = get(&lab.plain(), apache("hand/negotiate"), None).await;
        assert_eq!(lines.challenges, ["Negotiate", r#"Bearer realm="two, headers", error="invalid_token""#]);
    });
}

#[test]
fn a_challenge_can_stand_on_an_answer_of_success() {
    lab::inside(&[Server::Web], async |lab| {
        let got = get(&lab.plain(), format!("{NGINX}/open/hello.txt"), None).await;
        assert_eq!((got.status, got.body.as_str()), (StatusCode::OK, "hello nginx\n"));
        assert_eq!(got.challenges, [r#"Bearer realm="nginx""#]);
    });
}

#[test]
fn a_challenge_over_http_2() {
    lab::inside(&[Server::Web], async |lab| {
        let refused = lab.plain().get(format!("{NGINX}/auth/hello.txt")).send().await.expect("an answer");
        assert_eq!((refused.version(), refused.status()), (Version::HTTP_2, StatusCode::UNAUTHORIZED));
        assert!(refused.headers().contains_key(WWW_AUTHENTICATE));
    });
}

#[test]
fn the_connection_of_a_401_is_used_again_when_its_body_was_read() {
    lab::inside(&[Server::Web], async |lab| {
        let client = lab.plain();
        let token = lab.keys().token().sign();
        let url = || format!("{}?fact42", apache("oauth20"));
        assert_eq!(get(&client, url(), None).await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(get(&client, url(), Some(&token)).await.status, StatusCode::OK);
        // the port of the client, and how many requests the connection had before
        let seen = lab.seen(WebServer::Apache, "fact42", 2).await;
        let connections: Vec<&str> = seen.iter().filter_map(|line| line.split("on=").nth(1)).collect();
        let [refused, granted] = connections[..] else { panic!("{seen:?}") };
        let port = |on: &str| on.split('/').next().map(str::to_owned);
        assert_eq!(port(refused), port(granted), "{seen:?}");
        assert!(granted.ends_with("/1"), "{seen:?}");
    });
}
