//! Remembered answers that are not those of the object: a namespace below the remembered one, and servers that changed.

use scitoken_test_support::Script;
use scitoken_test_support::chaos_server::Reply;
use scitoken_test_support::federation::FederationServer::{Cache, Director};
use scitoken_test_support::federation::{FakeFederation, TOKEN};
use scitoken_transfer::FailureKind;
use scitoken_transfer::federation::Federation;

use super::{clients_with, clients_without_tokens, url};

const DATA: &[u8] = b"data";

/// Makes the director state one namespace for all objects but those below `/public/inner`, which have their own.
fn nest(fake: &FakeFederation, outer_requires: bool) {
    let (outer, inner) = (outer_requires, !outer_requires);
    fake.change(Director, move |asked, honest| {
        let (prefix, requires) = if asked.path.starts_with("/public/inner") {
            ("/public/inner", inner)
        } else {
            ("/public", outer)
        };
        let facts = format!("X-Pelican-Namespace: namespace={prefix}, require-token={requires}");
        let head = honest.head.lines().map(|line| {
            let line = if line.starts_with("X-Pelican-Namespace: ") {
                let listing = line.split(", ").last().unwrap();
                format!("{facts}, {listing}")
            } else {
                line.to_owned()
            };
            line + "\r\n"
        });
        Reply { head: head.collect(), ..honest }
    });
    for cache in [0, 1] {
        fake.change(Cache(cache), move |asked, honest| {
            let requires = if asked.path.starts_with("/public/inner") { inner } else { outer };
            let has_token =
                asked.headers.get("authorization").is_some_and(|value| value == &format!("Bearer {TOKEN}"));
            if requires && !has_token { Reply::sized("403 Forbidden", &[], "") } else { honest }
        });
    }
}

async fn fetch(
    federation: &Federation,
    downloader: &scitoken_transfer::Downloader,
    fake: &FakeFederation,
    path: &str,
) -> Result<Vec<u8>, scitoken_transfer::TransferError> {
    let directory = tempfile::tempdir().unwrap();
    let target = directory.path().join("f");
    federation.download(downloader, &url(fake, path), &target, |download| download).await?;
    Ok(fs_err::read(target).unwrap())
}

#[tokio::test]
async fn an_object_of_a_protected_namespace_below_a_remembered_public_one_is_read_with_its_token() {
    let fake = FakeFederation::start(&[("/public/f", DATA), ("/public/inner/g", DATA)]).await;
    nest(&fake, false);
    let (federation, downloader) = clients_with(Script::new(&[TOKEN]));
    fetch(&federation, &downloader, &fake, "/public/f").await.unwrap();
    fetch(&federation, &downloader, &fake, "/public/inner/g").await.unwrap();
    assert_eq!(fake.lines(Director).last().unwrap(), "GET /public/inner/g");
    // And once the namespace is known, without a detour.
    let before = fake.lines(Cache(0)).len();
    fetch(&federation, &downloader, &fake, "/public/inner/g").await.unwrap();
    assert_eq!(fake.lines(Cache(0)).len(), before + 1);
    let (federation, downloader) = clients_with(Script::new(&[TOKEN]));
    fetch(&federation, &downloader, &fake, "/public/f").await.unwrap();
    let stream = tempfile::NamedTempFile::new().unwrap();
    let file = stream.reopen().unwrap();
    federation
        .download_to(&downloader, &url(&fake, "/public/inner/g"), file, |download| download)
        .await
        .unwrap();
    assert_eq!(fs_err::read(stream.path()).unwrap(), DATA);
}

#[tokio::test]
async fn an_object_of_a_public_namespace_below_a_remembered_protected_one_needs_no_token() {
    let fake = FakeFederation::start(&[("/public/f", DATA), ("/public/inner/g", DATA)]).await;
    nest(&fake, true);
    let (federation, downloader) = clients_with(Script::new(&["-"]));
    let error = fetch(&federation, &downloader, &fake, "/public/f").await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::NoToken);
    fetch(&federation, &downloader, &fake, "/public/inner/g").await.unwrap();
    let sent = fake.seen(Cache(0)).into_iter().chain(fake.seen(Cache(1)));
    assert!(sent.into_iter().all(|asked| !asked.headers.contains_key("authorization")));
}

#[tokio::test]
async fn a_description_asks_the_director_again_where_the_remembered_facts_fail() {
    let fake = FakeFederation::start(&[("/public/f", DATA), ("/public/inner/g", DATA)]).await;
    nest(&fake, false);
    let (federation, downloader) = clients_with(Script::new(&[TOKEN]));
    federation.stat(&downloader, &url(&fake, "/public/f")).await.unwrap();
    let entry = federation.stat(&downloader, &url(&fake, "/public/inner/g")).await.unwrap();
    assert_eq!(entry.length, Some(4));
    let (federation, downloader) = clients_with(Script::new(&[TOKEN]));
    let md5 = "md5".parse().unwrap();
    federation.checksum(&downloader, &url(&fake, "/public/f"), &md5).await.unwrap();
    federation.checksum(&downloader, &url(&fake, "/public/inner/g"), &md5).await.unwrap();
}

#[tokio::test]
async fn which_caches_have_an_object_is_asked_for_each_object() {
    let fake = FakeFederation::start(&[("/public/a", DATA), ("/public/b", DATA)]).await;
    let (federation, _) = clients_without_tokens();
    for path in ["/public/a?prefercached", "/public/b?prefercached", "/public/a", "/public/b"] {
        federation.resolve(&url(&fake, path)).await.unwrap();
    }
    let lines = fake.lines(Director);
    assert_eq!(lines[1..], ["GET /public/a?prefercached", "GET /public/b?prefercached", "GET /public/a"]);
}
