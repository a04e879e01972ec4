//! Uploads.

use super::*;

#[tokio::test]
async fn a_put_succeeds_with_200_or_201() {
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
async fn a_reset_in_the_middle_of_an_upload_may_be_a_refusal_and_the_error_says_so() {
    for release in BOTH {
        let server = XRootD::data_server(release, "good").await;
        for token in ["-", "bad"] {
            let session = session(Script::new(&[token])).build().unwrap();
            let body = vec![b'.'; 3_000_000];
            let error = session.put(server.url("/vo/new")).body(body).send().await.unwrap_err();
            let found = Error::find(&error).unwrap_or_else(|| panic!("none of ours in {}", chain(&error)));
            let said =
                format!("{} {}", chain(found), found.hint().map_or(String::new(), |hint| hint.to_string()));
            assert!(said.contains("refused"), "{said}");
            assert!(chain(&error).to_lowercase().contains("reset") || chain(&error).contains("broken pipe"));
        }
        assert_eq!(server.file("/vo/new"), None);
    }
}

#[tokio::test]
async fn an_upload_carries_its_token_from_the_first_byte() {
    for attach in [Attach::WhenFound, Attach::Required] {
        let server = XRootD::data_server(V5_5_3, "good").await;
        let session = session(Script::new(&["good"])).attach(attach).build().unwrap();
        let response = session.put(server.url("/vo/new")).body(vec![b'.'; 3_000_000]).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(server.file("/vo/new").unwrap().len(), 3_000_000);
    }
}

#[tokio::test]
async fn a_stream_that_was_refused_is_not_sent_again() {
    let server = Server::http(|_| Reply::challenge("Bearer")).await;
    let session = session(Script::new(&["old", "new"])).build().unwrap();
    let body = futures_util::stream::iter([Ok::<_, std::io::Error>("once")]);
    let response = session.put(server.url("/f")).body(Body::wrap_stream(body)).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(server.tokens(), ["old"]);
}

#[tokio::test]
async fn a_copy_is_sent_once_and_its_answer_is_handed_on() {
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
