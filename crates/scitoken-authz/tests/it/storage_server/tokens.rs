//! Tokens that are refused, and what the refusal says.

use super::*;

#[tokio::test]
async fn a_token_for_another_audience_or_time_is_refused_with_the_reason() {
    let server = Server::start().await;
    let token = |audiences: &[&str]| {
        let token = SciToken::new(Profile::WLCG, &issuer());
        audiences.iter().fold(token, |token, audience| token.audience(*audience))
    };
    for (audiences, status) in [
        (&["https://wlcg.cern.ch/jwt/v1/any"][..], 404),
        (&[AUDIENCE, "random"], 404),
        (&["random"], 401),
        (&["https://fake.audience:8443", "random"], 401),
        (&["https://data.example/"], 401),
    ] {
        let token = server.sign(token(audiences), "storage.read:/", &[]);
        let answer = server.ask("GET", "/absent", &token).await;
        assert_eq!(answer.status.as_u16(), status, "{audiences:?}: {answer:?}");
        if status == 401 {
            assert!(answer.header("www-authenticate").contains(r#"error="invalid_token""#), "{answer:?}");
            assert!(answer.body.contains("audience"), "{answer:?}");
        }
    }
    let past = SharedClock::default().now() - Duration::from_secs(620);
    let expired = token(&[AUDIENCE]).clock(ManualClock::new(past)).lifetime(Duration::from_secs(600));
    let expired = server.sign(expired, "storage.read:/", &[]);
    let answer = server.ask("GET", "/absent", &expired).await;
    assert!(answer.status == 401 && answer.body.contains("expired"), "{answer:?}");
}

#[tokio::test]
async fn clocks_may_differ_by_the_leeway() {
    let server = Server::start_with(Duration::from_secs(60), None).await;
    for (issued, lifetime, status) in
        [(-620_i64, 600, 404), (-900, 600, 401), (30, 600, 404), (200, 600, 401)]
    {
        let offset = Duration::from_secs(issued.unsigned_abs());
        let now = SharedClock::default().now();
        let at = if issued < 0 { now - offset } else { now + offset };
        let token = SciToken::new(Profile::WLCG, &issuer()).audience(AUDIENCE);
        let token = token.clock(ManualClock::new(at)).lifetime(Duration::from_secs(lifetime));
        let token = server.sign(token, "storage.read:/", &[]);
        assert_eq!(server.status("GET", "/absent", &token).await, status, "issued {issued} s from now");
    }
}

#[tokio::test]
async fn a_refusal_names_the_scope_as_the_token_would_have_it() {
    let server = Server::start().await;
    server.write("/d/f", "old");
    let answer = send(server.client.get(format!("{}/d/f", server.base))).await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("www-authenticate"), r#"Bearer realm="storage", scope="storage.read:/d/f""#);
    assert!(answer.body.contains("requires a bearer token"), "{answer:?}");
    let answer = server.ask("PUT", "/d/f", &server.token("storage.create:/d", &[])).await;
    assert_eq!(answer.status, 403);
    assert!(answer.header("www-authenticate").contains(r#"error="insufficient_scope""#), "{answer:?}");
    assert!(answer.header("www-authenticate").contains(r#"scope="storage.modify:/d/f""#), "{answer:?}");
    assert!(answer.body.contains("storage.create:/d"), "what the token has: {answer:?}");
    let answer = server.ask("GET", "/d/f", "no.t.oken").await;
    assert_eq!(answer.status, 401, "{answer:?}");
    assert_eq!(server.status("GET", "/../outside", &server.token("storage.read:/", &[])).await, 404);
    assert_eq!(server.status("GET", "/d/%2e%2e%2fd", &server.token("storage.read:/", &[])).await, 400);
}
