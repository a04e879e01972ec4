//! XRootD 5.5.3, alone: it refuses with 403 and sends no challenge.

use std::time::Duration;

use futures_util::stream;
use http::{Method, StatusCode, header};
use reqwest::{Body, Response};
use reqwest_scitokens::auth::{Attempt, ForbiddenReplay};
use reqwest_scitokens::{Attach, Error, RequestBuilderExt, ResponseExt, SharedTokenSource, scitoken_get};

use super::{HOUR, access_token, after_a_pause, chain, no_token, session, session_with, wrapped};
use crate::lab::{self, Lab, Server, XROOTD};

fn hello() -> String {
    format!("{XROOTD}/vo/hello.txt")
}

/// A refusal, explained; that no token is in it is part of every such test.
fn explained(response: &Response, tokens: &[&str]) -> String {
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    let trace = format!("{:?}", response.auth_trace().expect("a trace travels with the response"));
    let explained = response.explain().expect("a refusal can be explained").to_string();
    for token in tokens {
        assert!(!explained.contains(token) && !trace.contains(token), "the token is shown");
    }
    explained
}

/// What a session says about a refusal of this token.
async fn refusal(lab: &Lab, name: &str, token: &str, path: &str) -> String {
    let file = lab.token_file(name, token);
    let session = session(lab, &file).build().expect("a session can be built");
    let response = session.get(format!("{XROOTD}{path}")).send().await.expect("the server answers");
    explained(&response, &[token])
}

#[test]
fn a_file_comes_by_scitoken_get_as_in_a_batch_job() {
    lab::inside_with(
        &[Server::XRootD],
        |lab| {
            let file = lab.token_file("scitoken_get", &lab.keys().token().sign());
            [("BEARER_TOKEN_FILE", file.into()), ("X509_CERT_DIR", lab.pki().hashed().into())]
        },
        async |_| {
            let response = scitoken_get(hello()).await.expect("the server answers");
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(response.text().await.expect("all of the file"), "hello scitokens\n");
        },
    );
}

#[test]
fn a_file_comes_with_the_token_of_bearer_token_file() {
    lab::inside(&[Server::XRootD], async |lab| {
        let file = lab.token_file("session", &lab.keys().token().sign());
        let session = session(&lab, &file).build().expect("a session can be built");
        let response = session.get(hello()).send().await.expect("the server answers");
        let sent = response.auth_trace().expect("a trace").attempts().len();
        assert_eq!((response.status(), sent), (StatusCode::OK, 1));
        assert_eq!(response.text().await.expect("all of the file"), "hello scitokens\n");
    });
}

#[test]
fn a_file_comes_to_callers_that_block() {
    lab::inside(&[Server::XRootD], async |lab| {
        let file = lab.token_file("blocking", &lab.keys().token().sign());
        let builder = session(&lab, &file);
        let caller = std::thread::spawn(move || {
            let session = builder.build_blocking().expect("a session can be built");
            session.get(hello()).send().expect("the server answers").text().expect("all of the file")
        });
        assert_eq!(caller.join().expect("no panic"), "hello scitokens\n");
    });
}

#[test]
fn a_wrapped_client_with_names_in_title_case_gets_the_file() {
    lab::inside(&[Server::XRootD], async |lab| {
        let token = access_token(&lab.keys().token().sign());
        let client = wrapped(lab.builder().http1_title_case_headers(), token);
        let response = client.get(hello()).send().await.expect("the server answers");
        assert_eq!(response.text().await.expect("all of the file"), "hello scitokens\n");
    });
}

#[test]
fn a_wrapped_client_with_names_in_lower_case_is_told_why_it_is_refused() {
    lab::inside(&[Server::XRootD], async |lab| {
        let token = lab.keys().token().sign();
        let client = wrapped(lab.builder(), access_token(&token));
        let response = client.get(hello()).send().await.expect("the server answers");
        let explained = explained(&response, &[&token]);
        assert!(explained.contains("write HTTP/1 header names in title case"), "{explained}");
    });
}

#[test]
fn without_a_token_the_refusal_says_that_none_was_found() {
    lab::inside(&[Server::XRootD], async |lab| {
        let session = session_with(&lab, no_token(&lab)).build().expect("a session can be built");
        let response = session.get(hello()).send().await.expect("the server answers");
        let explained = explained(&response, &[]);
        assert!(explained.contains("without a token: no token found"), "{explained}");
        assert!(explained.contains("next: "), "{explained}");
    });
}

#[test]
fn without_a_token_that_is_required_nothing_is_sent() {
    lab::inside(&[Server::XRootD], async |lab| {
        let session = session_with(&lab, no_token(&lab)).attach(Attach::Required).build();
        let error = session.expect("a session can be built").get(hello()).send().await.expect_err("no token");
        let ours = Error::find(&error).expect("an error of ours");
        assert!(ours.is_no_token() && ours.hint().is_some(), "{}", chain(&error));
    });
}

#[test]
fn an_expired_token_is_explained_as_expired() {
    lab::inside(&[Server::XRootD], async |lab| {
        let token = lab.keys().token().expired().sign();
        let explained = refusal(&lab, "expired", &token, "/vo/hello.txt").await;
        assert!(explained.contains("expired"), "{explained}");
    });
}

#[test]
fn a_token_for_another_server_is_explained_with_both_names() {
    lab::inside(&[Server::XRootD], async |lab| {
        let token = lab.keys().token().audience("https://else.example").sign();
        let explained = refusal(&lab, "audience", &token, "/vo/hello.txt").await;
        assert!(explained.contains("https://else.example") && explained.contains(XROOTD), "{explained}");
    });
}

#[test]
fn a_token_for_another_path_is_explained_with_its_scope_and_the_path() {
    lab::inside(&[Server::XRootD], async |lab| {
        let token = lab.keys().token().scope("storage.read:/sub").sign();
        let explained = refusal(&lab, "path", &token, "/vo/hello.txt").await;
        assert!(
            explained.contains("storage.read:/sub") && explained.contains("/vo/hello.txt"),
            "{explained}"
        );
    });
}

#[test]
fn a_token_file_that_was_replaced_is_used_by_the_next_request() {
    lab::inside(&[Server::XRootD], async |lab| {
        let keys = lab.keys();
        let file = lab.token_file("replaced", &keys.token().scope("storage.read:/sub").sign());
        let session = session(&lab, &file).build().expect("a session can be built");
        let get =
            async |path: &str| session.get(format!("{XROOTD}/vo/{path}")).send().await.expect("an answer");
        assert_eq!(get("sub/deep.txt").await.status(), StatusCode::OK);
        assert_eq!(get("hello.txt").await.status(), StatusCode::FORBIDDEN);
        // the batch system renews the token while the job runs
        lab.token_file("replaced", &keys.token().sign());
        after_a_pause().await;
        let response = get("hello.txt").await;
        let trace = format!("{:?}", response.auth_trace());
        assert_eq!(response.text().await.expect("all of the file"), "hello scitokens\n", "{trace}");
    });
}

#[test]
fn a_refusal_of_a_token_that_was_replaced_meanwhile_is_answered_once_over_a_new_connection() {
    lab::inside(&[Server::XRootD], async |lab| {
        let keys = lab.keys();
        let file = lab.token_file("renewed", &keys.token().scope("storage.read:/sub").sign());
        // looks at the file again only when it is told to
        let session = session(&lab, &file).auth(|auth| auth.poll_interval(HOUR)).build();
        let session = session.expect("a session can be built");
        let deep = session.get(format!("{XROOTD}/vo/sub/deep.txt")).send().await.expect("an answer");
        assert_eq!(deep.status(), StatusCode::OK);
        lab.token_file("renewed", &keys.token().sign());
        let response = session.get(hello()).send().await.expect("an answer");
        let statuses: Vec<_> =
            response.auth_trace().expect("a trace").attempts().iter().map(Attempt::status).collect();
        assert_eq!(statuses, [Some(StatusCode::FORBIDDEN), Some(StatusCode::OK)]);
    });
}

#[test]
fn a_client_that_waits_for_a_challenge_waits_for_ever_here() {
    lab::inside(&[Server::XRootD], async |lab| {
        let token = access_token(&lab.keys().token().sign());
        let session = session_with(&lab, token).attach(Attach::OnChallenge);
        let session = session
            .auth(|auth| auth.forbidden(ForbiddenReplay::Never))
            .build()
            .expect("a session can be built");
        let response = session.get(hello()).send().await.expect("the server answers");
        let attempts = response.auth_trace().expect("a trace").attempts().len();
        assert_eq!((response.status(), attempts), (StatusCode::FORBIDDEN, 1));
    });
}

#[test]
fn a_missing_file_is_a_404_with_the_right_token_only() {
    lab::inside(&[Server::XRootD], async |lab| {
        let token = access_token(&lab.keys().token().sign());
        for (source, expected) in [
            (SharedTokenSource::from(token), StatusCode::NOT_FOUND),
            (SharedTokenSource::from(no_token(&lab)), StatusCode::FORBIDDEN),
        ] {
            let session = session_with(&lab, source).build().expect("a session can be built");
            let response = session.get(format!("{XROOTD}/vo/nope")).send().await.expect("the server answers");
            assert_eq!(response.status(), expected);
        }
    });
}

#[test]
fn a_token_that_has_expired_is_not_sent_although_the_server_would_still_take_it() {
    lab::inside(&[Server::XRootD], async |lab| {
        let token = lab.keys().token().expires_in(3).sign();
        let session = session_with(&lab, access_token(&token)).build().expect("a session can be built");
        let alive = session.get(hello()).send().await.expect("the server answers");
        assert_eq!(alive.status(), StatusCode::OK);
        tokio::time::sleep(Duration::from_secs(4)).await;
        let dead = session.get(hello()).send().await.expect("the server answers");
        let explained = explained(&dead, &[&token]);
        assert!(explained.contains("expired"), "{explained}");
    });
}

#[test]
fn a_401_without_a_challenge_is_the_answer() {
    lab::inside(&[Server::XRootD], async |lab| {
        let token = access_token(&lab.keys().token().sign());
        let session = session_with(&lab, token).build().expect("a session can be built");
        let copy =
            session.request(Method::from_bytes(b"COPY").expect("a method"), format!("{XROOTD}/vo/upload/c"));
        let response =
            copy.header("Source", "https://localhost:1/x").send().await.expect("the server answers");
        let attempts = response.auth_trace().expect("a trace").attempts().len();
        assert_eq!((response.status(), attempts), (StatusCode::UNAUTHORIZED, 1));
    });
}

#[test]
fn ranges_reach_the_server() {
    lab::inside(&[Server::XRootD], async |lab| {
        let token = access_token(&lab.keys().token().sign());
        let session = session_with(&lab, token).build().expect("a session can be built");
        let part = session.get(hello()).header(header::RANGE, "bytes=0-4").send().await.expect("an answer");
        assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT);
        assert_eq!(part.text().await.expect("all of the part"), "hello");
    });
}

#[test]
fn a_header_or_a_query_of_the_callers_own_is_left_alone() {
    lab::inside(&[Server::XRootD], async |lab| {
        let good = lab.keys().token().sign();
        let session = session_with(&lab, access_token(&good)).build().expect("a session can be built");
        let own = session
            .get(hello())
            .header(header::AUTHORIZATION, "Bearer garbage")
            .send()
            .await
            .expect("an answer");
        assert_eq!(own.status(), StatusCode::FORBIDDEN);
        let bad = session_with(&lab, access_token("garbage")).build().expect("a session can be built");
        let own = bad.get(hello()).bearer_auth(&good).send().await.expect("an answer");
        assert_eq!(own.status(), StatusCode::OK);
    });
}

#[test]
fn a_public_file_comes_with_a_token_that_is_good_for_nothing() {
    lab::inside(&[Server::XRootD], async |lab| {
        let session = session_with(&lab, access_token("garbage")).build().expect("a session can be built");
        let response =
            session.get(format!("{XROOTD}/public/pub.txt")).send().await.expect("the server answers");
        assert_eq!(response.text().await.expect("all of the file"), "public\n");
    });
}

#[test]
fn a_token_for_one_request_is_used_for_that_one() {
    lab::inside(&[Server::XRootD], async |lab| {
        let session = session_with(&lab, no_token(&lab)).build().expect("a session can be built");
        let token = access_token(&lab.keys().token().sign());
        let with = session.get(hello()).token(token).send().await.expect("the server answers");
        assert_eq!(with.status(), StatusCode::OK);
        let without = session.get(hello()).send().await.expect("the server answers");
        assert_eq!(without.status(), StatusCode::FORBIDDEN);
    });
}

#[test]
fn uploads_arrive_whole_be_they_bytes_or_a_stream() {
    lab::inside(&[Server::XRootD], async |lab| {
        let token = lab.keys().token().scope("storage.create:/ storage.modify:/").sign();
        let session = session_with(&lab, access_token(&token)).build().expect("a session can be built");
        let put = |path: &str, body: Body| session.put(format!("{XROOTD}/{path}")).body(body);
        let bytes = vec![b'x'; 3 << 20];
        let chunks = stream::iter((0..64).map(|_| Ok::<_, std::io::Error>(vec![b'y'; 32 << 10])));
        for (path, body, length) in [
            ("vo/upload/client/bytes", Body::from(bytes), 3 << 20),
            ("vo/upload/client/stream", Body::wrap_stream(chunks), 2 << 20),
        ] {
            let response = put(path, body).send().await.expect("the server answers");
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(
                fs_err::metadata(lab.stored(path)).expect("the file was made").len(),
                length,
                "{path}"
            );
        }
    });
}

#[test]
fn a_refused_upload_says_that_the_server_may_have_refused_it() {
    lab::inside(&[Server::XRootD], async |lab| {
        let token = lab.keys().token().sign();
        let session = session_with(&lab, access_token(&token)).build().expect("a session can be built");
        let upload = session.put(format!("{XROOTD}/vo/upload/refused")).body(vec![b'x'; 8 << 20]);
        match upload.send().await {
            Err(error) => {
                let ours = Error::find(&error).unwrap_or_else(|| panic!("none of ours in {}", chain(&error)));
                let said = format!("{ours} {}", ours.hint().map_or(String::new(), |hint| hint.to_string()));
                assert!(said.contains("refused"), "{said}");
                assert!(!chain(&error).contains(&token));
            }
            // the answer came before the write failed: a race that the client may win
            Ok(response) => assert_eq!(response.status(), StatusCode::FORBIDDEN),
        }
        assert!(!lab.stored("vo/upload/refused").exists());
    });
}
