//! Tokens that are replaced while the program runs.

use super::*;

#[tokio::test]
async fn a_token_file_that_is_replaced_while_the_old_one_is_refused_is_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    scitoken_test_support::write_token(&path, "old");
    let file = path.clone();
    let server = Server::http(move |seen| {
        scitoken_test_support::write_token(&file, "new");
        Reply::protected(seen, "new")
    })
    .await;
    let session = session(FileSource::new(&path)).build().unwrap();
    assert_eq!(session.get(server.url("/f")).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(server.tokens(), ["old", "new"]);
}

#[tokio::test]
async fn a_token_of_another_audience_that_the_challenge_asks_for_is_a_better_one() {
    let server = Server::http(|seen| match seen.authorization() {
        Some("Bearer wider") => Reply::ok("data"),
        _ => {
            Reply::challenge(r#"Bearer error="insufficient_scope", scope="storage.modify:/x storage.read:/""#)
        }
    })
    .await;
    let source = Script::new(&["narrow", "wider"]);
    let session = session(source.clone()).build().unwrap();
    assert_eq!(session.get(server.url("/f")).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(source.asked()[1].challenge_scope.as_deref(), Some("storage.modify:/x storage.read:/"));
}
