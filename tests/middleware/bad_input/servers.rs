//! Servers that break the rules.

use super::*;

#[tokio::test]
async fn malformed_challenges_leave_the_servers_answer() {
    for challenge in [
        &b"Bearer realm=\"\xff\xfe\""[..],
        b"Bearer realm=\"",
        b"Bearer \\",
        b"\"Bearer\"",
        b"=Bearer",
        b",,,,",
        b"Bearer realm=\"a\" realm=\"b\" error",
        b"Bearer\tx=y",
    ] {
        let server = Server::http(move |_| Reply::challenge(challenge).body("no")).await;
        let response = send(server.url("/f")).await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(response.text().await.unwrap(), "no");
        assert!(server.seen().len() <= 2);
    }
}

#[tokio::test]
async fn a_challenge_of_a_thousand_parts_is_survived() {
    for part in ["Bearer a=b, ", "Negotiate abc==, ", "a=\"b\\\"\", ", "Basic realm=\"Bearer, "] {
        let challenge = part.repeat(4_000);
        let server = Server::http(move |_| Reply::challenge(&challenge)).await;
        assert_eq!(send(server.url("/f")).await.unwrap().status(), StatusCode::UNAUTHORIZED);
        assert!(server.seen().len() <= 2);
    }
}

#[tokio::test]
async fn header_values_of_a_mebibyte_end_in_an_error_or_an_answer() {
    let huge = "x".repeat(1024 * 1024);
    for (status, header) in [
        ("401 Unauthorized", format!("WWW-Authenticate: Bearer realm=\"{huge}\"")),
        ("401 Unauthorized", format!("WWW-Authenticate: {huge}")),
        ("302 Found", format!("Location: /{huge}")),
        ("200 OK", format!("X-Huge: {huge}")),
    ] {
        let line = format!("HTTP/1.1 {status}");
        let server = Raw::http(move |_| Answer::lines(&[&line, &header], "")).await;
        match send(server.url("/f")).await {
            Ok(response) => assert!(status.starts_with(response.status().as_str())),
            Err(error) => {
                assert!(std::error::Error::source(&error).is_some(), "the cause is lost: {error:?}");
            }
        }
        assert!(server.seen().len() <= 11);
    }
}

#[tokio::test]
async fn a_server_that_closes_after_its_401_is_asked_again_over_a_new_connection() {
    for announced in ["Connection: close", "X-Nothing: 1"] {
        let server = Raw::http(move |seen| match seen.authorization() {
            Some("Bearer other") => Answer::lines(&["HTTP/1.1 200 OK"], "data"),
            _ => {
                Answer::lines(&["HTTP/1.1 401 No", "WWW-Authenticate: Bearer", announced], "no").then_close()
            }
        })
        .await;
        let response = send(server.url("/f")).await.unwrap();
        assert_eq!((response.status(), server.connections()), (StatusCode::OK, 2), "{announced}");
    }
}

#[tokio::test]
async fn a_401_whose_body_breaks_off_is_answered_all_the_same() {
    let server = Raw::http(|seen| match seen.authorization() {
        Some("Bearer other") => Answer::lines(&["HTTP/1.1 200 OK"], "data"),
        _ => Answer::bytes("HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer\r\nContent-Length: 100\r\n\r\nshort")
            .then_close(),
    })
    .await;
    assert_eq!(send(server.url("/f")).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_401_whose_body_never_comes_is_answered_all_the_same() {
    let server = Raw::http(|seen| match seen.authorization() {
        Some("Bearer other") => Answer::lines(&["HTTP/1.1 200 OK"], "data"),
        _ => Answer::bytes("HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer\r\nContent-Length: 100\r\n\r\n")
            .then_hold(),
    })
    .await;
    assert_eq!(send(server.url("/f")).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn a_redirect_whose_body_never_comes_is_followed_all_the_same() {
    let server = Raw::http(|seen| match seen.path() {
        "/end" => Answer::lines(&["HTTP/1.1 200 OK"], "data"),
        _ => Answer::bytes("HTTP/1.1 302 Found\r\nLocation: /end\r\nContent-Length: 100\r\n\r\n").then_hold(),
    })
    .await;
    assert_eq!(send(server.url("/f")).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn answers_that_are_no_http_are_errors_with_a_cause() {
    for bytes in [
        &b"HTTP/1.1 4"[..],
        b"",
        b"HTTP/1.1 401\r",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 999999 OK\r\n\r\n",
    ] {
        let server = Raw::http(move |_| Answer::bytes(bytes).then_close()).await;
        let error = send(server.url("/f")).await.unwrap_err();
        assert!(std::error::Error::source(&error).is_some(), "the cause is lost: {error:?}");
    }
}

#[tokio::test]
async fn an_https_server_of_an_unknown_authority_gets_no_byte_and_the_error_says_why() {
    let place = Place::https("localhost").tls(tls::unknown_authority().acceptor());
    let server = place.start(|_| Reply::ok("data")).await;
    for sent in
        [send(server.url("/f")).await, wrapped(Script::new(&[TOKEN])).get(server.url("/f")).send().await]
    {
        let shown = chain(&sent.unwrap_err());
        assert!(shown.to_lowercase().contains("certificate"), "{shown}");
        assert!(!shown.contains(TOKEN));
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let server = Place::https("localhost").start(|_| Reply::ok("data")).await;
    let client = resolving(session(Script::new(&[TOKEN])), "unnamed.test", server.address()).build().unwrap();
    let error = client.get(server.url_as("https", "unnamed.test", "/f")).send().await.unwrap_err();
    assert!(chain(&error).to_lowercase().contains("certificate"), "{}", chain(&error));
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn texts_of_a_server_cannot_drive_a_terminal() {
    let challenge =
        "Bearer realm=\"\u{9b}31m\u{85}\", error=\"invalid_token\", error_description=\"\u{9b}2J x\"";
    let server = Server::http(move |_| Reply::challenge(challenge)).await;
    let response = send(server.url("/f%1b%5b31m?authz=%1b")).await.unwrap();
    let shown = format!("{}\n{:?}", response.explain().unwrap(), response.auth_trace().unwrap());
    let control = shown.chars().find(|c| c.is_control() && *c != '\n');
    assert_eq!(control, None, "{shown:?}");
}

#[tokio::test]
async fn urls_that_no_token_could_be_sent_to_are_errors() {
    for url in ["ftp://localhost/x", "file:///etc/passwd", "data:,x", "mailto:a@b"] {
        for attach in [Attach::WhenFound, Attach::OnChallenge, Attach::Required] {
            let session = session(Script::new(&[TOKEN])).attach(attach).build().unwrap();
            let error = session.get(url).send().await.unwrap_err();
            assert!(!chain(&error).contains(TOKEN));
        }
    }
    session(Script::new(&[TOKEN])).build().unwrap().get("no url at all").send().await.unwrap_err();
}
