//! Which token goes to which server of a federation.

use scitoken_test_support::federation::FederationServer::{Cache, Director, Origin};
use scitoken_test_support::federation::{FakeFederation, ISSUER, TOKEN, refuse};
use scitoken_test_support::tokens::{in_an_hour, jwt};
use scitoken_test_support::{Script, chaos_server};
use scitoken_transfer::FailureKind;
use serde_json::json;

use super::{clients_with, clients_without_tokens, url};

const DATA: &[u8] = b"protected data\n";

fn authorizations(fake: &FakeFederation) -> Vec<Option<String>> {
    let servers = [Director, Cache(0), Cache(1), Origin];
    let seen = servers.into_iter().flat_map(|server| fake.seen(server));
    seen.map(|asked: chaos_server::Asked| asked.headers.get("authorization").cloned()).collect()
}

async fn fetch(
    fake: &FakeFederation,
    source: Script,
    path: &str,
) -> Result<Vec<u8>, scitoken_transfer::TransferError> {
    let (federation, downloader) = clients_with(source);
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("f");
    federation.download(&downloader, &url(fake, path), &target, |download| download).await?;
    Ok(fs_err::read(target).unwrap())
}

#[tokio::test]
async fn a_public_object_is_fetched_without_the_token_that_was_found() {
    let fake = FakeFederation::start(&[("/public/f", DATA)]).await;
    assert_eq!(fetch(&fake, Script::new(&[TOKEN]), "/public/f").await.unwrap(), DATA);
    assert_eq!(authorizations(&fake), [None, None, None], "document, director, cache");
}

#[tokio::test]
async fn a_token_goes_to_the_cache_by_header_and_never_to_the_director() {
    let fake = FakeFederation::start(&[("/protected/f", DATA)]).await;
    assert_eq!(fetch(&fake, Script::new(&[TOKEN]), "/protected/f").await.unwrap(), DATA);
    assert_eq!(authorizations(&fake), [None, None, Some(format!("Bearer {TOKEN}"))]);
    assert_eq!(fake.lines(Cache(0)), ["GET /protected/f"], "nothing in the URL");
}

#[tokio::test]
async fn a_missing_token_is_an_error_before_any_cache_is_asked() {
    let fake = FakeFederation::start(&[("/protected/dir/f", DATA)]).await;
    let error = fetch(&fake, Script::new(&["-"]), "/protected/dir/f").await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::NoToken);
    let text = error.to_string();
    assert!(
        text.contains(ISSUER) && text.contains("storage.read:/dir/f") && text.contains("/protected"),
        "{text}"
    );
    assert!(fake.seen(Cache(0)).is_empty() && fake.seen(Cache(1)).is_empty());
}

#[tokio::test]
async fn tokens_that_do_not_fit_the_namespace_are_not_sent() {
    let claims = |changes: serde_json::Value| {
        let mut claims = json!({"iss": ISSUER, "aud": "ANY", "exp": in_an_hour(), "scope": "storage.read:/"});
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        jwt(&claims)
    };
    for (token, fits) in [
        (claims(json!({})), true),
        (claims(json!({"scope": "storage.read:/dir"})), true),
        (claims(json!({"scope": "read:/dir", "ver": "scitoken:2.0"})), true),
        (claims(json!({"iss": format!("{ISSUER}/")})), true),
        (claims(json!({"scope": "storage.read:/di"})), false),
        (claims(json!({"scope": "storage.read:/protected/dir"})), false),
        (claims(json!({"scope": "storage.modify:/"})), false),
        (claims(json!({"iss": "https://other.example"})), false),
        (claims(json!({"exp": 1_000})), false),
    ] {
        let fake = FakeFederation::start(&[("/protected/dir/f", DATA)]).await;
        fake.accept(&token);
        let result = fetch(&fake, Script::new(&[&token]), "/protected/dir/f").await;
        if fits {
            assert_eq!(result.unwrap(), DATA, "{token}");
        } else {
            assert_eq!(result.unwrap_err().kind(), FailureKind::NoToken, "{token}");
            assert!(authorizations(&fake).iter().all(Option::is_none), "{token}");
        }
    }
}

#[tokio::test]
async fn a_token_that_was_replaced_is_read_again() {
    let fake = FakeFederation::start(&[("/protected/f", DATA)]).await;
    fake.accept("new");
    // The first answer is for the check that a token exists.
    assert_eq!(fetch(&fake, Script::new(&["old", "old", "new"]), "/protected/f").await.unwrap(), DATA);
    let all = authorizations(&fake);
    assert_eq!(all.iter().flatten().collect::<Vec<_>>(), ["Bearer old", "Bearer new"]);
}

#[tokio::test]
async fn a_refused_token_is_final_after_each_cache_refused_it() {
    let fake = FakeFederation::start(&[("/protected/f", DATA)]).await;
    fake.accept("other");
    let error = fetch(&fake, Script::new(&[TOKEN]), "/protected/f").await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::Refused);
    assert_eq!((fake.lines(Cache(0)).len(), fake.lines(Cache(1)).len()), (1, 1));
    assert!(fake.lines(Origin).is_empty());
}

#[tokio::test]
async fn a_cache_that_refuses_a_public_object_is_passed_over() {
    let fake = FakeFederation::start(&[("/public/f", DATA)]).await;
    fake.change(Cache(0), |_, _| refuse("403 Forbidden"));
    assert_eq!(fetch(&fake, Script::new(&[TOKEN]), "/public/f").await.unwrap(), DATA);
    assert!(authorizations(&fake).iter().all(Option::is_none));
}

#[tokio::test]
async fn the_token_of_a_shared_link_is_sent_as_a_header_only() {
    let fake = FakeFederation::start(&[("/protected/f", DATA)]).await;
    let (federation, downloader) = clients_without_tokens();
    let name = format!("{}?authz={TOKEN}", fake.name("/protected/f")).parse().unwrap();
    let directory = tempfile::tempdir().unwrap();
    federation.download(&downloader, &name, directory.path().join("f"), |download| download).await.unwrap();
    assert_eq!(authorizations(&fake), [None, None, Some(format!("Bearer {TOKEN}"))]);
    let seen = [Director, Cache(0)].map(|server| fake.lines(server).join(" ")).join(" ");
    assert!(!seen.contains("authz") && !seen.contains(TOKEN), "{seen}");
}
