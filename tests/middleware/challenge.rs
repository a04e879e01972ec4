//! Challenges of every shape, from what the server received after them.

use http::{StatusCode, header};
use reqwest_scitokens::{Attach, SourceError, TokenRequest, TokenSource};
use scitoken_types::AccessToken;

use scitoken_test_support::clients::session;
use scitoken_test_support::texts;
use scitoken_test_support::{Reply, Script, Server};

/// What the server saw after it answered these challenges to everything but the token `new`.
async fn after(values: &[&[u8]]) -> Vec<String> {
    let values: Vec<Vec<u8>> = values.iter().map(|value| value.to_vec()).collect();
    let server = Server::http(move |seen| match seen.authorization() {
        Some("Bearer new") => Reply::ok("data"),
        _ => {
            values.iter().fold(Reply::new(401), |reply, value| reply.header(header::WWW_AUTHENTICATE, value))
        }
    })
    .await;
    let session = session(Script::new(&["old", "new"])).build().unwrap();
    session.get(server.url("/f")).send().await.unwrap();
    server.tokens()
}

/// In requests-scitokens a challenge with any parameter, as RFC 6750 has them, ends in a `TypeError`.
#[tokio::test]
async fn a_bearer_challenge_anywhere_and_in_any_case_is_answered() {
    for values in [
        &[&b"Bearer"[..]][..],
        &[b"bearer"],
        &[b"BEARER"],
        &[b"BeArEr realm=x"],
        &[b"Bearer realm=\"\""],
        &[b"Bearer  realm = \"a\" , error = \"invalid_token\""],
        &[b"Bearer realm=\"a\",error=\"invalid_token\""],
        &[b"Bearer scope=\"a b c\""],
        &[b"Basic realm=\"x\", Bearer"],
        &[b"Basic realm=\"x\",Bearer realm=\"y\""],
        &[b"Basic realm=\"Bearer\", bearer"],
        &[b"Basic realm=\"a\\\"b, c\", Bearer realm=\"y\""],
        &[b"Bearer realm=\"y\", Basic realm=\"x\""],
        &[b"Basic realm=\"x\"", b"Bearer realm=\"y\""],
        &[b"Bearer realm=\"y\"", b"Basic realm=\"x\""],
        &[b"Negotiate", b"NTLM", b"bearer"],
        &[b"Negotiate abc==, Bearer realm=\"x\""],
        &[b"Negotiate YII=, Bearer"],
        &[b"Bearer", b"Bearer realm=\"again\""],
        &[b", , Bearer"],
        &[b"Bearer,"],
        &[b"Bearer realm=unquoted value with blanks"],
        &[b"Bearer realm=\"not closed"],
        &[b"Bearer =,=,="],
        &[b"Bearer realm=\"caf\xe9\""],
        &[b"Bearer realm=\"caf\xc3\xa9\""],
        &[b"Bearer authorization_uri=https://login.test/x, realm=y"],
        &[b"\tBearer realm=\"tab\""],
    ] {
        let shown: Vec<_> = values.iter().map(|value| String::from_utf8_lossy(value)).collect();
        assert_eq!(after(values).await, ["old", "new"], "{shown:?}");
    }
}

#[tokio::test]
async fn what_only_contains_the_word_is_no_bearer_challenge() {
    for values in [
        &[][..],
        &[&b""[..]],
        &[b"Basic realm=\"Bearer\""],
        &[b"Basic realm=\"x, Bearer y\""],
        &[b"Basic realm=\"x\\\", Bearer \""],
        &[b"Negotiate Bearer"],
        &[b"Negotiate Bearer=="],
        &[b"Bearerish realm=\"x\""],
        &[b"X-Bearer realm=\"x\""],
        &[b"Digest realm=\"x\", qop=Bearer"],
    ] {
        let shown: Vec<_> = values.iter().map(|value| String::from_utf8_lossy(value)).collect();
        assert_eq!(after(values).await, ["old"], "{shown:?}");
    }
}

#[tokio::test]
async fn a_challenge_travels_to_the_source() {
    let challenge = r#"Bearer realm="r", scope="storage.read:/a storage.modify:/b", error="invalid_token""#;
    let server = Server::http(move |_| Reply::challenge(challenge)).await;
    let source = Script::new(&["old", "new"]);
    session(source.clone()).build().unwrap().get(server.url("/f")).send().await.unwrap();
    let asked = source.asked();
    assert_eq!((asked.len(), asked[0].challenged, asked[0].rejected.as_deref()), (2, false, None));
    assert_eq!(asked[1].challenge_scope.as_deref(), Some("storage.read:/a storage.modify:/b"));
    assert_eq!((asked[1].challenged, asked[1].rejected.as_deref()), (true, Some("old")));
}

#[tokio::test]
async fn no_address_in_a_challenge_is_ever_visited() {
    let bait = Server::http(|_| Reply::ok("caught")).await;
    let address = bait.url("/token");
    let challenge = format!(
        r#"Bearer realm="{address}", service="{address}", authorization_uri="{address}", resource_metadata="{address}", resource="{address}""#
    );
    let server = Server::http(move |_| Reply::challenge(&challenge)).await;
    for attach in [Attach::WhenFound, Attach::OnChallenge, Attach::Required] {
        let session = session(Script::new(&["a", "b"])).attach(attach).build().unwrap();
        assert_eq!(session.get(server.url("/f")).send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    }
    assert_eq!((bait.connections(), bait.tokens()), (0, texts(&[])));
}

#[tokio::test]
async fn a_challenge_to_a_head_is_answered_as_well() {
    let server = Server::protected("new").await;
    let session = session(Script::new(&["old", "new"])).build().unwrap();
    assert_eq!(session.head(server.url("/f")).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(server.tokens(), ["old", "new"]);
}

/// Gives `scoped` where a challenge asks for the scope `write:/vo`, and `plain` otherwise.
#[derive(Debug)]
struct ByScope;

impl TokenSource for ByScope {
    async fn token(&self, request: &TokenRequest<'_>) -> Result<Option<AccessToken>, SourceError> {
        let asked =
            request.challenge().is_some_and(|c| c.scopes().any(|scope| scope.as_str() == "write:/vo"));
        Ok(Some(AccessToken::new(if asked { "scoped" } else { "plain" })?))
    }
}

#[tokio::test]
async fn the_scope_of_a_malformed_challenge_chooses_the_token() {
    let values: [&[u8]; 9] = [
        b"Bearer  realm=\"r\",  scope=\"write:/vo\"",
        b"Bearer\trealm = \"r\",scope = \"write:/vo\"",
        "Bearer error_description=\"l\u{e4}uft ab\", scope=\"write:/vo\"".as_bytes(),
        b"Bearer error_description=\"\xff\xfe\", scope=\"write:/vo\"",
        b"Bearer realm=\"r\" error=\"insufficient_scope\" scope=\"write:/vo\"",
        b"Bearer realm=\"r\"; scope=\"write:/vo\"",
        b"Bearer dG9r==, Bearer scope=\"write:/vo\"",
        b"Negotiate YIIabc=, Bearer scope=write:/vo",
        b"Bearer scope='write:/vo', realm=\"without an end",
    ];
    for value in values {
        let shown = String::from_utf8_lossy(value);
        let server = Server::http(move |seen| match seen.authorization() {
            Some("Bearer scoped") => Reply::ok("data"),
            _ => Reply::new(401).header(header::WWW_AUTHENTICATE, value),
        })
        .await;
        let session = session(ByScope).build().unwrap();
        let response = session.get(server.url("/vo/f")).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{shown}");
        assert_eq!(server.tokens(), ["plain", "scoped"], "{shown}");
    }
}
