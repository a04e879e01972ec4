//! How XRootD refuses.

use super::*;

#[tokio::test]
async fn it_refuses_with_403_and_no_challenge_so_the_token_goes_first() {
    for release in BOTH {
        let server = XRootD::data_server(release, "good").await;
        let session = session(Script::new(&["good"])).build().unwrap();
        let response = session.get(server.url("/vo/hello.txt")).send().await.unwrap();
        assert_eq!(response.text().await.unwrap(), "hello scitokens");
        assert_eq!(tokens_of(&server.seen()), ["good"]);
    }
}

#[tokio::test]
async fn waiting_for_a_challenge_never_ends_well_and_the_trace_tells() {
    let server = XRootD::data_server(V5_5_3, "good").await;
    let session = session(Script::new(&["good"])).attach(Attach::OnChallenge).build().unwrap();
    let response = session.get(server.url("/vo/hello.txt")).send().await.unwrap();
    // Either the refusal without a challenge counts as one for a safe method, or it is the answer: never a loop.
    match response.status() {
        StatusCode::OK => assert_eq!(tokens_of(&server.seen()), ["-", "good"]),
        status => assert_eq!((status, tokens_of(&server.seen())), (StatusCode::FORBIDDEN, texts(&["-"]))),
    }
    assert!(response.auth_trace().is_some());
}

#[tokio::test]
async fn only_the_client_can_explain_a_refusal() {
    let claims = |extra: serde_json::Value| {
        let mut claims = json!({
            "wlcg.ver": "1.0", "iss": "https://issuer.test/vo", "sub": "alice", "exp": tokens::in_an_hour(),
            "aud": "https://wlcg.cern.ch/jwt/v1/any", "scope": "storage.read:/vo",
        });
        claims.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        tokens::jwt(&claims)
    };
    for (token, reason) in [
        (claims(json!({"aud": "https://elsewhere.test"})), "https://elsewhere.test"),
        (claims(json!({"scope": "storage.read:/another/place"})), "storage.read:/another/place"),
        (claims(json!({"scope": "storage.modify:/vo"})), "storage.modify:/vo"),
        (claims(json!({"nbf": tokens::in_an_hour() - 60})), "not"),
        (claims(json!({"iss": "https://unknown.test"})), "https://unknown.test"),
    ] {
        let server = XRootD::data_server(V5_5_3, "good").await;
        let session = session(Script::new(&[&token])).build().unwrap();
        let response = session.get(server.url("/vo/hello.txt")).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        let explained = response.explain().unwrap().to_string();
        assert!(explained.contains(reason), "no `{reason}` in:\n{explained}");
        assert!(!explained.contains(&token));
    }
}

#[tokio::test]
async fn a_missing_file_is_403_without_the_right_token() {
    let server = XRootD::data_server(V5_5_3, "good").await;
    for (token, expected) in [("good", StatusCode::NOT_FOUND), ("-", StatusCode::FORBIDDEN)] {
        let session = session(Script::new(&[token])).build().unwrap();
        let response = session.get(server.url("/vo/nope")).send().await.unwrap();
        assert_eq!(response.status(), expected);
    }
    assert_eq!(tokens_of(&server.seen()), ["good", "-"]);
}

#[tokio::test]
async fn it_closes_after_a_refusal_and_the_retry_goes_over_a_new_connection() {
    for release in BOTH {
        let server = XRootD::data_server(release, "new").await;
        let session = session(Script::new(&["old", "new"])).build().unwrap();
        let response = session.get(server.url("/vo/hello.txt")).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let connections: Vec<_> = server.seen().iter().map(|seen| seen.connection).collect();
        assert_eq!((tokens_of(&server.seen()), connections), (texts(&["old", "new"]), vec![1, 2]));
    }
}

#[tokio::test]
async fn a_refused_put_says_keep_alive_and_closes_and_the_next_request_works() {
    let server = XRootD::data_server(V5_5_3, "good").await;
    let session = session(Script::new(&["bad"])).build().unwrap();
    let refused = session.put(server.url("/vo/new")).body("1234567").send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    refused.bytes().await.unwrap();
    // Time for the client to see the end of the connection.
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.accept("bad");
    let granted = session.put(server.url("/vo/new")).body("1234567").send().await.unwrap();
    assert_eq!(granted.status(), StatusCode::OK);
    assert_eq!(server.file("/vo/new").as_deref(), Some(&b"1234567"[..]));
}

#[tokio::test]
async fn a_401_without_any_challenge_is_the_answer() {
    for (release, status) in [(V5_5_3, 401), (V6_1, 403)] {
        let server = XRootD::data_server(release, "good").await;
        let session = session(Script::new(&["old", "good"])).build().unwrap();
        let copy = Method::from_bytes(b"COPY").unwrap();
        let request = session.request(copy, server.url("/vo/copy")).header("Source", "https://other.test/f");
        let response = request.send().await.unwrap();
        assert_eq!((response.status().as_u16(), tokens_of(&server.seen())), (status, texts(&["old"])));
    }
}

#[tokio::test]
async fn the_scheme_is_bearer_with_one_blank() {
    for release in BOTH {
        let server = XRootD::data_server(release, "good").await;
        let session = session(Script::new(&["good"])).build().unwrap();
        session.get(server.url("/vo/hello.txt")).send().await.unwrap();
        assert_eq!(server.seen()[0].authorization(), Some("Bearer good"));
    }
}

#[tokio::test]
async fn a_session_writes_header_names_as_5_5_wants_them() {
    let server = XRootD::data_server(V5_5_3, "good").await;
    let session = session(Script::new(&["good"])).build().unwrap();
    let whole = session.get(server.url("/vo/hello.txt")).send().await.unwrap();
    assert_eq!(whole.status(), StatusCode::OK);
    let part =
        session.get(server.url("/vo/hello.txt")).header(header::RANGE, "bytes=0-4").send().await.unwrap();
    assert_eq!((part.status(), part.text().await.unwrap().as_str()), (StatusCode::PARTIAL_CONTENT, "hello"));
    let put = session.put(server.url("/vo/new")).body("seven b").send().await.unwrap();
    assert_eq!(put.status(), StatusCode::OK);
    assert_eq!(server.file("/vo/new").as_deref(), Some(&b"seven b"[..]));
    for seen in server.seen() {
        for (name, _) in &seen.headers {
            assert!(
                name.starts_with(|first: char| first.is_ascii_uppercase()),
                "`{name}` is not in title case"
            );
        }
    }
}

#[tokio::test]
async fn a_wrapped_client_with_lower_case_names_is_told_about_them() {
    let server = XRootD::data_server(V5_5_3, "good").await;
    let response = wrapped(Script::new(&["good"])).get(server.url("/vo/hello.txt")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(server.seen()[0].exact("authorization").is_some());
    let explained = response.explain().unwrap();
    assert!(explained.next_steps().contains(&Hint::WriteTitleCaseHeaders), "{explained}");
    assert!(explained.to_string().contains("title case"), "{explained}");
}

#[tokio::test]
async fn a_wrapped_client_in_title_case_is_not_told_about_them_if_it_is_6_1() {
    let server = XRootD::data_server(V6_1, "good").await;
    let response = wrapped(Script::new(&["bad"])).get(server.url("/vo/hello.txt")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let explained = response.explain().unwrap();
    assert!(!explained.next_steps().contains(&Hint::WriteTitleCaseHeaders), "{explained}");
    assert!(!explained.to_string().contains("title case"), "{explained}");
}

#[tokio::test]
async fn the_query_wins_so_no_header_is_sent_beside_a_credential_in_a_redirect() {
    let data = XRootD::data_server(V5_5_3, "good").await;
    let location = data.url("/vo/hello.txt?authz=Bearer%20good").to_string();
    let first = Server::https(move |_| Reply::redirect(302, &location)).await;
    let token = tokens::jwt(&json!({"aud": [first.origin(), "https://localhost"]}));
    let session = session(Script::new(&[&token])).redirect_trust(trusting(&["localhost"])).build().unwrap();
    assert_eq!(session.get(first.url("/f")).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(data.seen()[0].authorization(), None);
    assert_eq!(data.seen()[0].query("authz"), Some("Bearer%20good"));
}

#[tokio::test]
async fn there_is_one_authorization_header_after_a_replay() {
    let server = XRootD::data_server(V5_5_3, "new").await;
    let session = session(Script::new(&["old", "new"])).build().unwrap();
    session.get(server.url("/vo/hello.txt")).send().await.unwrap();
    for seen in server.seen() {
        assert_eq!(seen.all("authorization").len(), 1);
    }
}

#[tokio::test]
async fn public_paths_take_any_token() {
    for release in BOTH {
        let server = XRootD::data_server(release, "good").await;
        for token in ["garbage", "-"] {
            let session = session(Script::new(&[token])).build().unwrap();
            let response = session.get(server.url("/public/f")).send().await.unwrap();
            assert_eq!(response.text().await.unwrap(), "public");
        }
    }
}

#[tokio::test]
async fn an_expired_token_is_not_sent_even_if_the_server_would_still_take_it() {
    let old = tokens::expired("https://localhost");
    let server = XRootD::data_server(V5_5_3, &old).await;
    let session = session(Script::new(&[&old])).build().unwrap();
    session.get(server.url("/vo/hello.txt")).send().await.unwrap();
    assert_eq!(tokens_of(&server.seen()), ["-"]);
}

#[tokio::test]
async fn any_audience_of_either_profile_is_no_reason_to_hold_a_token_back() {
    for claims in [
        json!({"ver": "scitoken:2.0", "aud": "ANY", "scope": "read:/"}),
        json!({"wlcg.ver": "1.0", "aud": "https://wlcg.cern.ch/jwt/v1/any", "scope": "storage.read:/"}),
        json!({"wlcg.ver": "1.0", "scope": "storage.read"}),
    ] {
        let token = tokens::jwt(&claims);
        let server = XRootD::data_server(V5_5_3, &token).await;
        let session = session(Script::new(&[&token])).build().unwrap();
        let response = session.get(server.url("/vo/hello.txt")).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{claims}");
    }
}

#[tokio::test]
async fn the_plain_side_of_the_tls_port_gets_no_token() {
    for release in BOTH {
        let server = XRootD::data_server(release, "good").await;
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let client = resolving(session(Script::new(&["good"])), "site.test", address).build().unwrap();
        client.get(server.url_as("http", "site.test", "/vo/hello.txt")).send().await.ok();
        for seen in server.seen() {
            assert_eq!((seen.transport, seen.authorization()), (Transport::Plain, None));
        }
    }
}

#[tokio::test]
async fn a_server_without_alpn_is_spoken_to_in_http_1_1() {
    let server = XRootD::data_server(V6_1, "good").await;
    let session = session(Script::new(&["good"])).build().unwrap();
    let response = session.get(server.url("/vo/hello.txt")).send().await.unwrap();
    assert_eq!(response.version(), http::Version::HTTP_11);
    assert_eq!(server.seen()[0].transport, Transport::Tls);
}
