//! XRootD's manager, which sends the client on to a data server, with the token in the URL.

use http::StatusCode;
use reqwest_middleware::RequestBuilder;
use reqwest_scitokens::auth::{CleartextRedirects, Hint};
use reqwest_scitokens::{Error, RedirectTrust, ResponseExt, Session};

use super::{access_token, chain, session_with, wrapped};
use crate::lab::{self, HTTPS_DATA_SERVER, HTTPS_MANAGER, LONELY_MANAGER, Lab, MANAGER, Server};

fn token(lab: &Lab, manager: &str) -> String {
    lab.keys().token().audience(manager).scope("storage.read:/ storage.create:/").sign()
}

fn secure(lab: &Lab) -> (Session, String) {
    let token = token(lab, HTTPS_MANAGER);
    (session_with(lab, access_token(&token)).build().expect("a session can be built"), token)
}

async fn text(request: RequestBuilder) -> String {
    request.send().await.expect("the server answers").text().await.expect("all of the answer")
}

#[test]
fn a_file_comes_over_the_redirect_and_nothing_shows_the_token() {
    lab::inside(&[Server::Cluster], async |lab| {
        let (session, token) = secure(&lab);
        let response = session.get(format!("{HTTPS_MANAGER}/vo/hello.txt")).send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
        assert!(response.url().as_str().starts_with(HTTPS_DATA_SERVER));
        let trace = format!("{:?}", response.auth_trace().expect("a trace"));
        assert!(
            trace.contains(HTTPS_DATA_SERVER) && !trace.contains(&token),
            "{}",
            trace.replace(&token, "<token>")
        );
        assert_eq!(response.text().await.expect("all of the file"), "hello scitokens\n");
    });
}

#[test]
fn a_head_and_an_upload_are_repeated_at_the_data_server() {
    lab::inside(&[Server::Cluster], async |lab| {
        let (session, _) = secure(&lab);
        let head = session.head(format!("{HTTPS_MANAGER}/vo/hello.txt")).send().await.expect("an answer");
        assert_eq!(head.status(), StatusCode::OK);
        assert_eq!(head.headers()["content-length"], "16");
        let put = session.put(format!("{HTTPS_MANAGER}/vo/upload/sent/on")).body("seven b");
        assert_eq!(put.send().await.expect("an answer").status(), StatusCode::OK);
        let stored = fs_err::read(lab.stored_in_cluster("vo/upload/sent/on")).expect("the file was made");
        assert_eq!(stored, b"seven b");
    });
}

#[test]
fn a_refusal_of_the_data_server_is_explained_without_the_token() {
    lab::inside(&[Server::Cluster], async |lab| {
        let token = lab.keys().token().audience(HTTPS_MANAGER).scope("storage.read:/sub").sign();
        let session = session_with(&lab, access_token(&token)).build().expect("a session can be built");
        let response = session.get(format!("{HTTPS_MANAGER}/vo/hello.txt")).send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        let explained = response.explain().expect("a refusal can be explained").to_string();
        assert!(explained.contains("storage.read:/sub") && !explained.contains(&token), "{explained}");
    });
}

#[test]
fn a_manager_as_it_is_by_default_is_not_followed_to_plain_http() {
    lab::inside(&[Server::Cluster], async |lab| {
        let token = token(&lab, MANAGER);
        let session = session_with(&lab, access_token(&token)).build().expect("a session can be built");
        let error =
            session.get(format!("{MANAGER}/vo/hello.txt")).send().await.expect_err("a token in clear");
        let ours = Error::find(&error).expect("an error of ours");
        assert!(ours.is_redirect() && ours.is_insecure_origin(), "{ours:?}");
        assert!(ours.hint() == Some(Hint::RedirectToHttps), "{:?}", ours.hint());
        assert!(!chain(&error).contains(&token));

        let session = session_with(&lab, access_token(&token))
            .redirect(|redirect| redirect.cleartext(CleartextRedirects::Allow));
        let session = session.build().expect("a session can be built");
        assert_eq!(text(session.get(format!("{MANAGER}/vo/hello.txt"))).await, "hello scitokens\n");
    });
}

#[test]
fn a_data_server_that_a_redirect_names_gets_no_header_unless_it_is_trusted() {
    lab::inside(&[Server::Cluster, Server::Web], async |lab| {
        // nginx sends on to XRootD's data server without a token in the URL, as a manager does that strips it
        let start = format!("{}/to-data/vo/hello.txt", lab::NGINX);
        let (session, token) = secure(&lab);
        assert_eq!(session.get(&start).send().await.expect("an answer").status(), StatusCode::FORBIDDEN);
        let trust = RedirectTrust::Hosts(vec![HTTPS_DATA_SERVER.parse().expect("a pattern")]);
        let session = session_with(&lab, access_token(&token)).redirect_trust(trust);
        let session = session.build().expect("a session can be built");
        assert_eq!(text(session.get(&start)).await, "hello scitokens\n");
    });
}

#[test]
fn blanks_and_letters_in_the_location_are_followed() {
    lab::inside(&[Server::Cluster], async |lab| {
        let (session, _) = secure(&lab);
        assert_eq!(text(session.get(format!("{HTTPS_MANAGER}/vo/sp%20ace+%C3%A9.txt"))).await, "x");
    });
}

#[test]
fn a_missing_file_is_a_404() {
    lab::inside(&[Server::Cluster], async |lab| {
        let (session, _) = secure(&lab);
        let response = session.get(format!("{HTTPS_MANAGER}/vo/nope")).send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
    });
}

#[test]
fn a_manager_that_is_silent_for_twenty_seconds_is_waited_for() {
    lab::inside(&[Server::LonelyManager], async |lab| {
        let session = session_with(&lab, access_token(&token(&lab, LONELY_MANAGER)));
        let session = session.build().expect("a session can be built");
        let response = session.get(format!("{LONELY_MANAGER}/vo/hello.txt")).send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
    });
}

#[test]
fn a_wrapped_client_that_follows_redirects_itself_gets_the_file_too() {
    lab::inside(&[Server::Cluster], async |lab| {
        let token = token(&lab, HTTPS_MANAGER);
        let client = lab.builder().http1_title_case_headers().redirect(reqwest::redirect::Policy::default());
        let client = wrapped(client, access_token(&token));
        assert_eq!(text(client.get(format!("{HTTPS_MANAGER}/vo/hello.txt"))).await, "hello scitokens\n");
    });
}
