//! XRootD's manager, which redirects to a data server.

use std::time::Duration;

use reqwest::header::AUTHORIZATION;
use reqwest::{Method, StatusCode};

use super::{Answer, answer};
use crate::lab::{self, DATA_SERVER, HTTPS_DATA_SERVER, HTTPS_MANAGER, LONELY_MANAGER, Lab, MANAGER, Server};

fn token(lab: &Lab, manager: &str) -> String {
    lab.keys().token().audience(manager).scope("storage.read:/ storage.create:/").sign()
}

async fn ask(lab: &Lab, method: Method, url: &str, token: &str) -> Answer {
    answer(lab.plain().request(method, url).bearer_auth(token)).await
}

#[test]
fn the_token_goes_into_the_location_over_plain_http() {
    lab::inside(&[Server::Cluster], async |lab| {
        let token = token(&lab, MANAGER);
        let url = format!("{MANAGER}/vo/hello.txt");
        let expected = format!("{DATA_SERVER}/vo/hello.txt?authz=Bearer%20{token}");
        let get = ask(&lab, Method::GET, &url, &token).await;
        assert_eq!((get.status, get.connection.as_str()), (StatusCode::FOUND, "Keep-Alive"));
        assert_eq!(get.location, expected);
        let head = ask(&lab, Method::HEAD, &url, &token).await;
        assert_eq!((head.status, head.location), (StatusCode::TEMPORARY_REDIRECT, expected));
        let bare = answer(lab.plain().get(&url)).await;
        assert_eq!(bare.location, format!("{DATA_SERVER}/vo/hello.txt"));
        // and the data server takes it
        assert_eq!(answer(lab.plain().get(get.location)).await.body, "hello scitokens\n");
    });
}

#[test]
fn an_option_makes_the_target_https_and_another_is_not_known_to_5_5() {
    lab::inside(&[Server::Cluster], async |lab| {
        let token = token(&lab, HTTPS_MANAGER);
        let get = ask(&lab, Method::GET, &format!("{HTTPS_MANAGER}/vo/hello.txt"), &token).await;
        // `strip-on-redirect` is in this manager's configuration
        assert_eq!(get.location, format!("{HTTPS_DATA_SERVER}/vo/hello.txt?authz=Bearer%20{token}"));
        let bare = format!("{HTTPS_DATA_SERVER}/vo/hello.txt");
        assert_eq!(answer(lab.plain().get(&bare)).await.status, StatusCode::FORBIDDEN);
        assert_eq!(ask(&lab, Method::GET, &bare, &token).await.status, StatusCode::OK);
    });
}

#[test]
fn blanks_and_letters_stand_in_the_location_as_they_are() {
    lab::inside(&[Server::Cluster], async |lab| {
        let token = token(&lab, MANAGER);
        let url = format!("{MANAGER}/vo/sp%20ace+%C3%A9.txt");
        let get = ask(&lab, Method::GET, &url, &token).await;
        assert_eq!(get.location, format!("{DATA_SERVER}/vo/sp ace+é.txt?authz=Bearer%20{token}"));
    });
}

#[test]
fn a_missing_file_is_a_404_of_the_manager() {
    lab::inside(&[Server::Cluster], async |lab| {
        let token = token(&lab, MANAGER);
        let missing = ask(&lab, Method::GET, &format!("{MANAGER}/vo/nope"), &token).await;
        assert_eq!(missing.status, StatusCode::NOT_FOUND);
        assert_eq!(missing.body.trim_end(), "No servers are available to read the file.");
    });
}

#[test]
fn a_manager_without_data_servers_is_silent_for_long_and_then_says_404() {
    lab::inside(&[Server::LonelyManager], async |lab| {
        let asked = tokio::time::Instant::now();
        let request = lab.plain().get(format!("{LONELY_MANAGER}/vo/hello.txt"));
        let get = answer(request.header(AUTHORIZATION, "Bearer x")).await;
        assert_eq!(get.status, StatusCode::NOT_FOUND);
        assert_eq!(get.body.trim_end(), "Could not run close request.");
        assert!(asked.elapsed() > Duration::from_secs(10), "{:?}", asked.elapsed());
    });
}
