//! Remembered answers that are not those of the object: a namespace below the remembered one, and servers that changed.

use scitoken_test_support::Script;
use scitoken_test_support::chaos_server::Reply;
use scitoken_test_support::federation::FederationServer::{self, Cache, Director, Origin};
use scitoken_test_support::federation::{FakeFederation, TOKEN, refuse};
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

/// Makes the director name another origin for the objects below `/public/inner`, which the usual one refuses.
fn move_inner(fake: &FakeFederation, refusal: &'static str) {
    let (usual, other) = (fake.server_url(Origin), fake.server_url(Cache(1)));
    fake.change(Director, move |asked, honest| {
        if !asked.path.starts_with("/public/inner") {
            return honest;
        }
        let head = honest.head.replace(usual.as_str(), other.as_str());
        Reply { head: head.replace("namespace=/public,", "namespace=/public/inner,"), ..honest }
    });
    fake.change(
        Origin,
        move |asked, honest| {
            if asked.path.starts_with("/public/inner") { refuse(refusal) } else { honest }
        },
    );
}

/// The requests of a method that a server received.
fn of_method(fake: &FakeFederation, server: FederationServer, method: &str) -> Vec<String> {
    fake.lines(server).into_iter().filter(|line| line.starts_with(method)).collect()
}

#[tokio::test]
async fn an_object_is_stored_at_its_own_origin_though_another_one_is_remembered() {
    for refusal in ["403 Forbidden", "404 Not Found", "405 Method Not Allowed", "503 Service Unavailable"] {
        let fake = FakeFederation::start(&[]).await;
        move_inner(&fake, refusal);
        let (federation, downloader) = clients_with(Script::new(&[TOKEN]));
        let file = tempfile::NamedTempFile::new().unwrap();
        fs_err::write(file.path(), DATA).unwrap();
        for path in ["/public/f", "/public/inner/g"] {
            federation
                .upload(&downloader, file.path(), &url(&fake, path), |upload| upload)
                .await
                .unwrap_or_else(|error| panic!("{refusal}: {error}"));
            assert_eq!(fake.object(path).as_deref(), Some(DATA), "{refusal}");
        }
        assert_eq!(of_method(&fake, Director, "PUT"), ["PUT /public/f", "PUT /public/inner/g"], "{refusal}");
        assert_eq!(of_method(&fake, Cache(1), "PUT"), ["PUT /public/inner/g"], "{refusal}");
        // And once the namespace is known, without a detour.
        let before = fake.lines(Origin).len();
        let again = url(&fake, "/public/inner/h");
        federation.upload(&downloader, file.path(), &again, |upload| upload).await.unwrap();
        assert_eq!(fake.lines(Origin).len(), before, "{refusal}");
    }
}

#[tokio::test]
async fn an_object_is_removed_at_its_own_origin_though_another_one_is_remembered() {
    for recursive in [false, true] {
        let fake = FakeFederation::start(&[("/public/f", DATA), ("/public/inner/g", DATA)]).await;
        move_inner(&fake, "404 Not Found");
        let (federation, downloader) = clients_with(Script::new(&[TOKEN]));
        for path in ["/public/f", "/public/inner/g"] {
            let name = url(&fake, path);
            let removed = if recursive {
                federation.remove_recursively(&downloader, &name).await
            } else {
                federation.remove(&downloader, &name).await
            };
            removed.unwrap_or_else(|error| {
                panic!(
                    "{path}: {error}, {:?} {:?} {:?}",
                    fake.lines(Director),
                    fake.lines(Origin),
                    fake.lines(Cache(1))
                )
            });
            assert_eq!(fake.object(path), None, "{path}");
        }
        let asked = of_method(&fake, Director, "DELETE");
        assert_eq!(asked, ["DELETE /public/f", "DELETE /public/inner/g"]);
        assert_eq!(of_method(&fake, Cache(1), "DELETE"), ["DELETE /public/inner/g"]);
    }
}

#[tokio::test]
async fn a_change_that_the_object_s_own_origin_refuses_is_sent_to_no_other_one() {
    let fake = FakeFederation::start(&[("/public/f", DATA), ("/public/g", DATA)]).await;
    let (federation, downloader) = clients_with(Script::new(&[TOKEN]));
    federation.remove(&downloader, &url(&fake, "/public/f")).await.unwrap();
    fake.change(
        Origin,
        |asked, honest| {
            if asked.method == "DELETE" { refuse("403 Forbidden") } else { honest }
        },
    );
    let error = federation.remove(&downloader, &url(&fake, "/public/g")).await.unwrap_err();
    assert_eq!(error.kind(), FailureKind::Refused);
    // The director was asked again, and names the same origin: one refusal is enough.
    assert_eq!(of_method(&fake, Director, "DELETE").len(), 2);
    assert_eq!(of_method(&fake, Origin, "DELETE"), ["DELETE /public/f", "DELETE /public/g"]);
    assert!(
        of_method(&fake, Cache(0), "DELETE").is_empty() && of_method(&fake, Cache(1), "DELETE").is_empty()
    );
}
