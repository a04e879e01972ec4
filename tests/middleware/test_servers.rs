//! The servers of the tests do what they say, seen with a client that has nothing of ours in it.

use std::time::Duration;

use reqwest::{Certificate, Client, StatusCode};

use scitoken_test_support::server::Place;
use scitoken_test_support::xrootd::Release;
use scitoken_test_support::{Answer, Raw, Reply, Server, XRootD, listener, tls};

fn bare() -> reqwest::ClientBuilder {
    let ca = Certificate::from_pem(tls::ca_pem().as_bytes()).unwrap();
    Client::builder().tls_certs_only([ca]).no_proxy().redirect(reqwest::redirect::Policy::none())
}

#[tokio::test]
async fn header_names_are_remembered_in_their_case_and_order() {
    let server = Server::http(|_| Reply::ok("x")).await;
    let client = bare().http1_title_case_headers().build().unwrap();
    for _ in 0..2 {
        client.post(server.url("/a?b=c")).header("x-one", "1").body("body").send().await.unwrap();
    }
    for seen in server.seen() {
        assert_eq!(
            (seen.method.as_str(), seen.target.as_str(), &seen.body[..]),
            ("POST", "/a?b=c", &b"body"[..])
        );
        assert_eq!(seen.headers[0], ("X-One".to_owned(), "1".to_owned()));
        assert_eq!(seen.exact("Content-Length"), Some("4"));
        assert_eq!(seen.exact("content-length"), None);
    }
    assert_eq!((server.seen().len(), server.connections()), (2, 1));
}

#[tokio::test]
async fn tls_offers_http2_and_the_same_port_serves_plain_http() {
    let server = Server::https(|_| Reply::ok("x")).await;
    let client = bare().build().unwrap();
    client.get(server.url("/")).send().await.unwrap();
    client.get(server.url_as("http", "127.0.0.1", "/")).send().await.unwrap();
    let seen = server.seen();
    assert_eq!((seen[0].version, seen[0].transport), (http::Version::HTTP_2, listener::Transport::Tls));
    assert_eq!((seen[1].version, seen[1].transport), (http::Version::HTTP_11, listener::Transport::Plain));
}

#[tokio::test]
async fn names_reach_their_servers_at_other_addresses() {
    let one = Place::https("site.test").start(|_| Reply::ok("one")).await;
    let port = one.address().port();
    let two = Place::https("data.site.test").at("127.0.0.2").port(port).start(|_| Reply::ok("two")).await;
    let client =
        bare().resolve(one.name(), one.address()).resolve(two.name(), two.address()).build().unwrap();
    for (server, expected) in [(&one, "one"), (&two, "two")] {
        assert_eq!(client.get(server.url("/")).send().await.unwrap().text().await.unwrap(), expected);
    }
}

#[tokio::test]
#[should_panic(expected = "an expectation that was not met")]
async fn a_panic_of_a_handler_fails_the_test() {
    let server = Server::http(|_| panic!("an expectation that was not met")).await;
    bare().build().unwrap().get(server.url("/")).send().await.unwrap_err();
}

#[tokio::test]
async fn raw_answers_are_sent_as_they_are() {
    let server = Raw::http(|_| Answer::lines(&["HTTP/1.1 401 Odd", "WWW-Authenticate : x"], "hi")).await;
    let slow =
        Raw::http(|_| Answer::bytes("HTTP/1.1 200").after(Duration::from_millis(5)).then_close()).await;
    let client = bare().build().unwrap();
    client.get(server.url("/")).send().await.unwrap_err();
    client.get(slow.url("/")).send().await.unwrap_err();
    assert_eq!((server.seen().len(), slow.seen().len()), (1, 1));
}

#[tokio::test]
async fn xrootd_5_5_looks_at_the_case_of_names_and_6_1_does_not() {
    for (release, expected) in [(Release::V5_5_3, StatusCode::FORBIDDEN), (Release::V6_1, StatusCode::OK)] {
        let server = XRootD::data_server(release, "good").await;
        let url = server.url("/vo/hello.txt");
        let lower = bare().build().unwrap().get(url.clone()).bearer_auth("good").send().await.unwrap();
        assert_eq!((lower.status(), lower.version()), (expected, http::Version::HTTP_11));
        let client = bare().http1_title_case_headers().build().unwrap();
        let title = client.get(url).bearer_auth("good").send().await.unwrap();
        assert_eq!(title.text().await.unwrap(), "hello scitokens");
    }
}
