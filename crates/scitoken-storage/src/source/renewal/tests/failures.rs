//! What a failed renewal costs.

use super::*;

#[tokio::test]
async fn after_a_server_error_the_endpoint_is_not_asked_for_five_seconds_and_the_old_token_is_used() {
    let scene = scene(
        stored(entry("AT1", 1_010)),
        [Reply::json(503, ""), Reply::NoConnection, Reply::json(500, ""), rotated("AT2", "rt2")],
    );
    for _ in 0..3 {
        assert_eq!(scene.ask(None).await.unwrap(), some("AT1"));
    }
    assert_eq!(scene.fake.seen().len(), 1);
    scene.clock.advance(Duration::from_secs(5));
    assert_eq!(scene.ask(None).await.unwrap(), some("AT1"));
    assert_eq!(scene.fake.seen().len(), 2);
    scene.clock.advance(Duration::from_secs(5));
    for _ in 0..2 {
        let error = scene.ask(None).await.unwrap_err();
        assert!(error.to_string().contains("failed to renew"), "{error}");
    }
    assert_eq!(scene.fake.seen().len(), 3);
    scene.clock.advance(Duration::from_secs(5));
    assert_eq!(scene.ask(None).await.unwrap(), some("AT2"));
}

#[tokio::test]
async fn a_clock_that_jumps_costs_a_renewal_at_most() {
    let far = UNIX_EPOCH + Duration::from_secs(1_000_000);
    let scene = scene(
        stored(entry("AT1", 2_000)),
        [Reply::json(503, ""), rotated("AT2", "rt2"), rotated("AT3", "rt3")],
    );
    scene.clock.set(far);
    assert!(scene.ask(None).await.is_err());
    // Back again: the failure is not one of the future, and the token is good.
    scene.clock.set(UNIX_EPOCH + Duration::from_secs(1_000));
    assert_eq!(scene.ask(None).await.unwrap(), some("AT1"));
    assert_eq!(scene.ask(Some("AT1")).await.unwrap(), some("AT2"));
    scene.clock.set(far);
    assert_eq!(scene.ask(None).await.unwrap(), some("AT3"));
    assert_eq!(scene.kept().0, "AT3");
}

#[tokio::test]
async fn a_rejected_token_is_not_a_fallback() {
    let scene = scene(stored(entry("AT1", 9_000)), [Reply::json(503, "")]);
    assert!(scene.ask(Some("AT1")).await.is_err());
}

#[tokio::test]
async fn an_invalid_refresh_token_is_not_tried_again_before_the_next_login() {
    let scene = scene(stored(entry("AT1", 1_000)), [invalid_grant(), rotated("AT3", "rt3")]);
    for _ in 0..2 {
        let error = scene.ask(None).await.unwrap_err();
        assert!(error.hint().unwrap().to_string().contains("log in again"), "{error:?}");
        scene.clock.advance(Duration::from_secs(3_600));
    }
    assert_eq!(scene.fake.seen(), [with("rt1")]);
    scene.storage.store_token_data(entry("AT2", 1_000).with_refresh_token("rt2")).unwrap();
    assert_eq!(scene.ask(None).await.unwrap(), some("AT3"));
    assert_eq!(scene.fake.seen(), [with("rt1"), with("rt2")]);
}

#[tokio::test]
async fn a_refusal_for_another_reason_than_the_refresh_token_is_temporary() {
    let refusal = |code: &str| Reply::json(401, &format!(r#"{{"error": "{code}"}}"#));
    let page = Reply::html(404, "<html>down for maintenance</html>");
    let scene = scene(stored(entry("AT1", 1_000)), [refusal("invalid_client"), page, rotated("AT2", "rt2")]);
    for _ in 0..2 {
        assert!(scene.ask(None).await.is_err());
        scene.clock.advance(Duration::from_secs(5));
    }
    assert_eq!(scene.ask(None).await.unwrap(), some("AT2"));
}

#[tokio::test]
async fn without_a_refresh_token_a_token_is_used_until_it_expires() {
    let scene = scene(stored(TokenStorageData::new("rs", "s", "AT1", 1_010)), []);
    assert_eq!(scene.ask(None).await.unwrap(), some("AT1"));
    scene.clock.advance(Duration::from_secs(10));
    let error = scene.ask(None).await.unwrap_err();
    assert!(
        error.is_expired() && error.hint().unwrap().to_string().contains("no refresh token"),
        "{error:?}"
    );
}
