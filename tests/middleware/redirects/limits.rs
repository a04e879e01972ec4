//! The number of steps.

use super::*;

/// `/9` redirects to `/8`, and so on; `/0` is the end.
async fn countdown() -> Server {
    Server::http(|seen| match seen.path()[1..].parse::<u32>().unwrap() {
        0 => Reply::ok("data"),
        n => Reply::redirect(302, format!("/{}", n - 1)),
    })
    .await
}

#[tokio::test]
async fn ten_steps_are_followed() {
    let server = countdown().await;
    let session = session(Script::new(&["t"])).build().unwrap();
    assert_eq!(session.get(server.url("/10")).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(server.tokens(), vec!["t"; 11]);
}

#[tokio::test]
async fn the_eleventh_step_is_an_error() {
    let server = countdown().await;
    let session = session(Script::new(&["t"])).build().unwrap();
    let error = session.get(server.url("/11")).send().await.unwrap_err();
    assert!(Error::find(&error).unwrap().is_redirect(), "{error:?}");
    assert_eq!(server.seen().len(), 11);
}

#[tokio::test]
async fn a_loop_is_an_error() {
    let server = Server::http(|_| Reply::redirect(307, "/start")).await;
    let session = session(Script::new(&["t"])).build().unwrap();
    let error = session.put(server.url("/start")).body("x").send().await.unwrap_err();
    assert!(Error::find(&error).unwrap().is_redirect(), "{error:?}");
    assert!(server.seen().len() <= 11);
}
