//! Variables that have no usable token.

use super::*;

#[tokio::test]
async fn the_classic_mistakes_never_reach_a_server() {
    for (value, reason) in [
        ("/tmp/bt_u1000", "path"),
        ("Bearer secretsecretsecret", "Bearer"),
        ("secretsecretsecret\nsecretsecretsecret", "line"),
        ("-----BEGIN CERTIFICATE-----\nMIIC", "X.509"),
        ("hvs.CAESIJsecretsecretsecret", "ault"),
        ("secret secretsecretsecret", ""),
    ] {
        let server = Server::http(|_| Reply::ok("public")).await;
        let discovery = Discovery::new().with_env(Env::given([("BEARER_TOKEN", value)])).with_tmp("/nowhere");
        let source = SharedTokenSource::from(discovery);
        session(source.clone()).build().unwrap().get(server.url("/f")).send().await.unwrap();
        let session = session(source).attach(Attach::Required).build().unwrap();
        let shown = chain(&session.get(server.url("/f")).send().await.unwrap_err());
        assert!(shown.contains("BEARER_TOKEN") && shown.contains(reason), "no `{reason}` in: {shown}");
        assert!(!shown.contains(TOKEN), "{shown}");
        assert_eq!(server.authorizations(), [None]);
    }
}

#[test]
fn texts_that_are_no_token_cannot_become_one() {
    for text in ["", " ", "a b", "a\nb", "a\r\nX-Injected: 1", "t\u{f6}ken", "\0", "\"x\"", "a,b"] {
        AccessToken::new(text).unwrap_err();
    }
    AccessToken::new("x".repeat(100_000)).unwrap_err();
}
