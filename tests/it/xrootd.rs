//! Facts about real servers, numbered as they were recorded: each against a server with those manners.

use std::time::Duration;

use http::{Method, StatusCode, header};
use reqwest::Body;
use reqwest_scitokens::{AccessToken, Attach, Error, OriginPattern, RedirectTrust, ResponseExt as _};
use serde_json::json;

use crate::support::clients::{around, foreign, resolving, session, wrapped};
use crate::support::listener::Transport;
use crate::support::server::Place;
use crate::support::xrootd::Release::{self, V5_5_3, V6_1};
use crate::support::{Reply, Script, Seen, Server, XRootD, tokens};
use crate::{chain, texts};

const BOTH: [Release; 2] = [V5_5_3, V6_1];

fn trusting(hosts: &[&str]) -> RedirectTrust {
    RedirectTrust::Hosts(hosts.iter().map(|host| host.parse::<OriginPattern>().unwrap()).collect())
}

/// What each request had as `Authorization`, without the scheme; `-` for none.
fn tokens_of(seen: &[Seen]) -> Vec<String> {
    let token = |seen: &Seen| {
        let value = seen.authorization().map(|value| value.strip_prefix("Bearer ").unwrap_or(value));
        value.unwrap_or("-").to_owned()
    };
    seen.iter().map(token).collect()
}

// ---- signals

#[tokio::test]
async fn fact_01_it_refuses_with_403_and_no_challenge_so_the_token_goes_first() {
    for release in BOTH {
        let server = XRootD::data_server(release, "good").await;
        let session = session(Script::new(&["good"])).build().unwrap();
        let response = session.get(server.url("/vo/hello.txt")).send().await.unwrap();
        assert_eq!(response.text().await.unwrap(), "hello scitokens");
        assert_eq!(tokens_of(&server.seen()), ["good"]);
    }
}

#[tokio::test]
async fn fact_01_waiting_for_a_challenge_never_ends_well_and_the_trace_tells() {
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
async fn fact_02_only_the_client_can_explain_a_refusal() {
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
async fn fact_03_a_missing_file_is_403_without_the_right_token() {
    let server = XRootD::data_server(V5_5_3, "good").await;
    for (token, expected) in [("good", StatusCode::NOT_FOUND), ("-", StatusCode::FORBIDDEN)] {
        let session = session(Script::new(&[token])).build().unwrap();
        let response = session.get(server.url("/vo/nope")).send().await.unwrap();
        assert_eq!(response.status(), expected);
    }
    assert_eq!(tokens_of(&server.seen()), ["good", "-"]);
}

#[tokio::test]
async fn fact_04_it_closes_after_a_refusal_and_the_retry_goes_over_a_new_connection() {
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
async fn fact_04_a_refused_put_says_keep_alive_and_closes_and_the_next_request_works() {
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
async fn fact_05_a_401_without_any_challenge_is_the_answer() {
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
async fn fact_06_the_scheme_is_bearer_with_one_blank() {
    for release in BOTH {
        let server = XRootD::data_server(release, "good").await;
        let session = session(Script::new(&["good"])).build().unwrap();
        session.get(server.url("/vo/hello.txt")).send().await.unwrap();
        assert_eq!(server.seen()[0].authorization(), Some("Bearer good"));
    }
}

#[tokio::test]
async fn fact_07_a_session_writes_header_names_as_5_5_wants_them() {
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
async fn fact_07_a_wrapped_client_with_lower_case_names_is_told_about_them() {
    let server = XRootD::data_server(V5_5_3, "good").await;
    let response = wrapped(Script::new(&["good"])).get(server.url("/vo/hello.txt")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(server.seen()[0].exact("authorization").is_some());
    let explained = response.explain().unwrap().to_string();
    assert!(explained.contains("http1_title_case_headers"), "{explained}");
}

#[tokio::test]
async fn fact_07_a_wrapped_client_in_title_case_is_not_told_about_them_if_it_is_6_1() {
    let server = XRootD::data_server(V6_1, "good").await;
    let response = wrapped(Script::new(&["bad"])).get(server.url("/vo/hello.txt")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let explained = response.explain().unwrap().to_string();
    assert!(!explained.contains("http1_title_case_headers"), "{explained}");
}

#[tokio::test]
async fn fact_08_the_query_wins_so_no_header_is_sent_beside_a_credential_in_a_redirect() {
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
async fn fact_09_there_is_one_authorization_header_after_a_replay() {
    let server = XRootD::data_server(V5_5_3, "new").await;
    let session = session(Script::new(&["old", "new"])).build().unwrap();
    session.get(server.url("/vo/hello.txt")).send().await.unwrap();
    for seen in server.seen() {
        assert_eq!(seen.all("authorization").len(), 1);
    }
}

#[tokio::test]
async fn fact_10_public_paths_take_any_token() {
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
async fn fact_11_a_token_that_has_ended_is_not_sent_even_if_the_server_would_still_take_it() {
    let old = tokens::expired("https://localhost");
    let server = XRootD::data_server(V5_5_3, &old).await;
    let session = session(Script::new(&[&old])).build().unwrap();
    session.get(server.url("/vo/hello.txt")).send().await.unwrap();
    assert_eq!(tokens_of(&server.seen()), ["-"]);
}

#[tokio::test]
async fn fact_12_any_audience_of_either_profile_is_no_reason_to_hold_a_token_back() {
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
async fn fact_13_the_plain_side_of_the_tls_port_gets_no_token() {
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
async fn fact_14_a_server_without_alpn_is_spoken_to_in_http_1_1() {
    let server = XRootD::data_server(V6_1, "good").await;
    let session = session(Script::new(&["good"])).build().unwrap();
    let response = session.get(server.url("/vo/hello.txt")).send().await.unwrap();
    assert_eq!(response.version(), http::Version::HTTP_11);
    assert_eq!(server.seen()[0].transport, Transport::Tls);
}

// ---- redirects of a manager

#[tokio::test]
async fn fact_15_get_is_redirected_with_302_and_the_rest_with_307() {
    for release in BOTH {
        let data = XRootD::data_server(release, "good").await;
        let address = data.url("").as_str().trim_end_matches('/').to_owned();
        let manager = XRootD::manager(release, address).await;
        let session = session(Script::new(&["good"])).build().unwrap();
        let get = session.get(manager.url("/vo/hello.txt")).send().await.unwrap();
        assert_eq!(get.text().await.unwrap(), "hello scitokens");
        assert_eq!(session.head(manager.url("/vo/hello.txt")).send().await.unwrap().status(), StatusCode::OK);
        let put = session.put(manager.url("/vo/new")).body("seven b").send().await.unwrap();
        assert!(put.status().is_success());
        assert_eq!(data.file("/vo/new").as_deref(), Some(&b"seven b"[..]));
        let methods: Vec<_> = data.seen().iter().map(|seen| seen.method.clone()).collect();
        assert_eq!(methods, ["GET", "HEAD", "PUT"]);
        assert_eq!(manager.connections(), 1, "a redirect keeps the connection");
    }
}

#[tokio::test]
async fn fact_16_the_token_in_the_location_is_used_once_and_shown_nowhere() {
    let token = tokens::for_audience("https://localhost");
    let data = XRootD::data_server(V5_5_3, "another").await;
    let manager = XRootD::manager(V5_5_3, data.url("").as_str().trim_end_matches('/').to_owned()).await;
    let session = session(Script::new(&[&token])).build().unwrap();
    let response = session.get(manager.url("/vo/hello.txt")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let there = &data.seen()[0];
    assert_eq!(there.query("authz"), Some(format!("Bearer%20{token}").as_str()));
    assert_eq!(there.authorization(), None);
    let shown = format!("{:?}\n{}", response.auth_trace().unwrap(), response.explain().unwrap());
    assert!(!shown.contains(&token), "{shown}");
    assert!(shown.contains("authz=…"), "{shown}");
}

#[tokio::test]
async fn fact_16_an_error_at_the_end_of_a_redirect_does_not_show_the_token() {
    let token = tokens::for_audience("https://localhost");
    // Nobody listens at the port that was free a moment ago.
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let manager = XRootD::manager(V5_5_3, format!("https://localhost:{gone}")).await;
    let session = session(Script::new(&[&token])).build().unwrap();
    let error = session.get(manager.url("/vo/hello.txt")).send().await.unwrap_err();
    assert!(!chain(&error).contains(&token), "{}", chain(&error));
}

#[tokio::test]
async fn fact_17_https_to_http_with_the_token_in_the_address_is_refused() {
    for release in BOTH {
        let data = XRootD::data_server(release, "good").await;
        let plain = data.url_as("http", "127.0.0.1", "").as_str().trim_end_matches('/').to_owned();
        let manager = XRootD::manager(release, plain).await;
        let session = session(Script::new(&["good"])).build().unwrap();
        let error = session.get(manager.url("/vo/hello.txt")).send().await.unwrap_err();
        let found = Error::find(&error).unwrap();
        assert!(found.is_redirect(), "{found:?}");
        assert!(found.hint().is_some_and(|hint| hint.contains('`')), "{found:?}");
        assert!(data.seen().is_empty());
        assert!(!chain(&error).contains("authz=Bearer%20good"));
    }
}

#[tokio::test]
async fn fact_18_a_manager_that_strips_the_token_needs_a_host_that_the_user_trusts() {
    let data = XRootD::data_server(V6_1, "good").await;
    let address = data.url_as("https", "127.0.0.1", "").as_str().trim_end_matches('/').to_owned();
    let manager = XRootD::stripping_manager(address).await;
    let by_default = session(Script::new(&["good"])).build().unwrap();
    let refused = by_default.get(manager.url("/vo/hello.txt")).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let explained = refused.explain().unwrap().to_string();
    assert!(explained.contains("127.0.0.1"), "{explained}");

    let trusting = session(Script::new(&["good"])).redirect_trust(trusting(&["127.0.0.1"])).build().unwrap();
    let granted = trusting.get(manager.url("/vo/hello.txt")).send().await.unwrap();
    assert_eq!(granted.status(), StatusCode::OK);
    assert_eq!(tokens_of(&data.seen()), ["-", "good"]);
    assert!(data.seen().iter().all(|seen| seen.query("authz").is_none()));
}

#[tokio::test]
async fn fact_19_blanks_and_letters_in_a_location_are_followed() {
    for release in BOTH {
        let data = XRootD::data_server(release, "good").await;
        let manager = XRootD::manager(release, data.url("").as_str().trim_end_matches('/').to_owned()).await;
        let session = session(Script::new(&["good"])).build().unwrap();
        let response = session.get(manager.url("/vo/sp ace+é.txt?foo=bar&x=1")).send().await.unwrap();
        assert_eq!(response.text().await.unwrap(), "é");
        let there = &data.seen()[0];
        assert_eq!(there.path(), "/vo/sp%20ace+%C3%A9.txt");
        assert_eq!((there.query("foo"), there.query("x")), (Some("bar"), Some("1")));
    }
}

/// This one takes as long as the real server: no time limit of ours may be shorter than its silence.
#[tokio::test]
async fn fact_20_a_manager_may_be_silent_for_twenty_seconds() {
    let manager = XRootD::lonely_manager(Duration::from_millis(20_500)).await;
    let session = session(Script::new(&["good"])).build().unwrap();
    let begin = tokio::time::Instant::now();
    let response = session.get(manager.url("/vo/hello.txt")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(response.text().await.unwrap(), "Could not run close request.");
    assert!(begin.elapsed() > Duration::from_secs(20));
}

// ---- uploads

#[tokio::test]
async fn fact_33_a_put_succeeds_with_200_or_201() {
    for (release, status) in [(V5_5_3, 200), (V6_1, 201)] {
        let server = XRootD::data_server(release, "good").await;
        let session = session(Script::new(&["good"])).build().unwrap();
        let response = session.put(server.url("/vo/a/b/new")).body("content").send().await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.text().await.unwrap(), ":-)");
        assert_eq!(server.file("/vo/a/b/new").as_deref(), Some(&b"content"[..]));
    }
}

#[tokio::test]
async fn fact_34_a_reset_in_the_middle_of_an_upload_may_be_a_refusal_and_the_error_says_so() {
    for release in BOTH {
        let server = XRootD::data_server(release, "good").await;
        for token in ["-", "bad"] {
            let session = session(Script::new(&[token])).build().unwrap();
            let body = vec![b'.'; 3_000_000];
            let error = session.put(server.url("/vo/new")).body(body).send().await.unwrap_err();
            let found = Error::find(&error).unwrap_or_else(|| panic!("none of ours in {}", chain(&error)));
            let said = format!("{} {}", chain(found), found.hint().unwrap_or_default());
            assert!(said.contains("refused"), "{said}");
            assert!(chain(&error).to_lowercase().contains("reset") || chain(&error).contains("broken pipe"));
        }
        assert_eq!(server.file("/vo/new"), None);
    }
}

#[tokio::test]
async fn fact_34_an_upload_carries_its_token_from_the_first_byte() {
    for attach in [Attach::WhenFound, Attach::Required] {
        let server = XRootD::data_server(V5_5_3, "good").await;
        let session = session(Script::new(&["good"])).attach(attach).build().unwrap();
        let response = session.put(server.url("/vo/new")).body(vec![b'.'; 3_000_000]).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(server.file("/vo/new").unwrap().len(), 3_000_000);
    }
}

#[tokio::test]
async fn fact_35_a_stream_that_was_refused_is_not_sent_again() {
    let server = Server::http(|_| Reply::challenge("Bearer")).await;
    let session = session(Script::new(&["old", "new"])).build().unwrap();
    let body = futures_util::stream::iter([Ok::<_, std::io::Error>("once")]);
    let response = session.put(server.url("/f")).body(Body::wrap_stream(body)).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(server.tokens(), ["old"]);
}

#[tokio::test]
async fn fact_36_a_copy_is_sent_once_and_its_answer_is_handed_on() {
    for (release, status) in [(V5_5_3, 201), (V6_1, 202)] {
        let server = XRootD::data_server(release, "good").await;
        let session = session(Script::new(&["good"])).build().unwrap();
        let copy = Method::from_bytes(b"COPY").unwrap();
        let request = session
            .request(copy, server.url("/vo/copy"))
            .header("Source", "https://other.test/f")
            .header("TransferHeaderAuthorization", "Bearer other");
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), status);
        assert!(response.text().await.unwrap().ends_with("success: Created\n"));
        let seen = &server.seen()[0];
        assert_eq!(seen.header("TransferHeaderAuthorization"), Some("Bearer other"));
        assert_eq!(seen.authorization(), Some("Bearer good"));
    }
}

// ---- challenges

#[tokio::test]
async fn fact_37_every_challenge_that_was_seen_is_answered_once() {
    for challenge in [
        r#"Bearer realm="lab realm", error="invalid_request", error_description="No bearer token found in the request""#,
        r#"Bearer error="invalid_request", error_description="No bearer token found in the request""#,
        r#"Bearer error="invalid_token", error_description="JWT token could not be validated""#,
        r#"Bearer error="invalid_token", error_description="Token could not be verified.""#,
        r#"Bearer error="insufficient_scope", error_description="Different scope(s) or other claims required""#,
        "Bearer",
        "bearer realm=x",
    ] {
        let server = Server::http(move |seen| match seen.authorization() {
            Some("Bearer new") => Reply::ok("data"),
            _ => Reply::challenge(challenge),
        })
        .await;
        let session = session(Script::new(&["old", "new"])).build().unwrap();
        let response = session.get(server.url("/f")).send().await.unwrap();
        assert_eq!(
            (response.status(), server.tokens()),
            (StatusCode::OK, texts(&["old", "new"])),
            "{challenge}"
        );
    }
}

#[tokio::test]
async fn fact_37_invalid_request_to_a_bare_request_is_answered_with_the_token() {
    let server = Server::http(|seen| match seen.authorization() {
        Some("Bearer t") => Reply::ok("data"),
        _ => Reply::challenge(r#"Bearer error="invalid_request""#),
    })
    .await;
    let session = session(Script::new(&["t"])).attach(Attach::OnChallenge).build().unwrap();
    assert_eq!(session.get(server.url("/f")).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(server.tokens(), ["-", "t"]);
}

#[tokio::test]
async fn fact_37_a_401_without_challenge_for_a_failed_claim_is_final() {
    let server = Server::http(|_| Reply::new(401)).await;
    let session = session(Script::new(&["old", "new"])).build().unwrap();
    let response = session.get(server.url("/f")).send().await.unwrap();
    assert_eq!((response.status(), server.tokens()), (StatusCode::UNAUTHORIZED, texts(&["old"])));
}

#[tokio::test]
async fn fact_38_insufficient_scope_never_sends_the_same_token_again() {
    for challenge in
        [r#"Bearer error="insufficient_scope""#, r#"Bearer error="insufficient_scope", scope="a b""#]
    {
        for status in [401, 403] {
            let server =
                Server::http(move |_| Reply::new(status).header(header::WWW_AUTHENTICATE, challenge)).await;
            let session = session(Script::new(&["t"])).build().unwrap();
            let response = session.get(server.url("/f")).send().await.unwrap();
            assert_eq!((response.status().as_u16(), server.tokens()), (status, texts(&["t"])));
        }
    }
}

#[tokio::test]
async fn fact_39_bearer_counts_in_a_list_and_in_a_second_header() {
    let list = r#"Basic realm="a, Bearer realm=b", Bearer realm="q\"uote", scope="storage.read:/ storage.modify:/x", error=invalid_token"#;
    for values in [vec!["Negotiate", r#"Bearer realm="two, headers", error="invalid_token""#], vec![list]] {
        let server = Server::http(move |seen| match seen.authorization() {
            Some("Bearer new") => Reply::ok("data"),
            _ => values
                .iter()
                .fold(Reply::new(401), |reply, value| reply.header(header::WWW_AUTHENTICATE, value)),
        })
        .await;
        let session = session(Script::new(&["old", "new"])).build().unwrap();
        assert_eq!(session.get(server.url("/f")).send().await.unwrap().status(), StatusCode::OK);
        assert_eq!(server.tokens(), ["old", "new"]);
    }
}

#[tokio::test]
async fn fact_40_a_challenge_on_a_200_is_no_challenge() {
    let server = Server::http(|_| {
        Reply::ok("data").header(header::WWW_AUTHENTICATE, r#"Bearer realm="nginx", error="invalid_token""#)
    })
    .await;
    let source = Script::new(&["old", "new"]);
    let session = session(source.clone()).build().unwrap();
    assert_eq!(session.get(server.url("/f")).send().await.unwrap().text().await.unwrap(), "data");
    assert_eq!((server.tokens(), source.calls()), (texts(&["old"]), 1));
}

#[tokio::test]
async fn fact_41_a_challenge_over_http2_is_answered() {
    let server = Server::https(|seen| Reply::protected(seen, "t")).await;
    let session = session(Script::new(&["t"])).attach(Attach::OnChallenge).build().unwrap();
    let response = session.get(server.url("/f")).send().await.unwrap();
    assert_eq!((response.status(), response.version()), (StatusCode::OK, http::Version::HTTP_2));
    assert_eq!(server.tokens(), ["-", "t"]);
}

#[tokio::test]
async fn fact_42_the_replay_reuses_the_connection() {
    for place in [Place::http(), Place::https("localhost")] {
        let server = place
            .start(|seen| match seen.authorization() {
                Some("Bearer t") => Reply::ok("data"),
                _ => Reply::challenge("Bearer").body(vec![b'x'; 421]),
            })
            .await;
        let session = session(Script::new(&["t"])).attach(Attach::OnChallenge).build().unwrap();
        session.get(server.url("/f")).send().await.unwrap();
        assert_eq!((server.tokens(), server.connections()), (texts(&["-", "t"]), 1));
    }
}

#[tokio::test]
async fn a_token_of_the_caller_works_against_5_5_on_a_client_in_title_case() {
    use reqwest_scitokens::{AuthMiddleware, RequestBuilderExt as _};
    let server = XRootD::data_server(V5_5_3, "good").await;
    let client = around(foreign().http1_title_case_headers(), AuthMiddleware::new(Script::new(&["-"])));
    let request = client.get(server.url("/vo/hello.txt")).token(AccessToken::new("good").unwrap());
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
}
