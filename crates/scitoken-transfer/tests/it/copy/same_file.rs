//! Copies of a file onto itself, which a server would empty before it reads it.

use scitoken_test_support::Script;
use scitoken_test_support::chaos_server::Reply;
use scitoken_test_support::copy_sites::{CopySites, Manners, TOKENS};
use scitoken_transfer::copy::{Copied, Copier, CopyRoute, RemoteCopy};
use scitoken_transfer::{Checksum, FailureKind, TransferError, Verification};
use url::Url;

use super::{DATA, copied, downloader, sites};

/// The same file by another port of its server: the fake speaks TLS and plain HTTP at one.
fn other_url(sites: &CopySites, path: &str) -> Url {
    let mut url = sites.url(1, path);
    url.set_scheme("http").unwrap();
    url
}

async fn onto(sites: &CopySites, source: &str, checksum: Checksum) -> Result<Copied, TransferError> {
    let copier = Copier::new(&downloader())
        .with_source_token(Script::new(&[TOKENS[1]]))
        .with_destination_token(Script::new(&[TOKENS[1]]));
    let copy = RemoteCopy::new(other_url(sites, source), sites.url(1, "/d/f")).unwrap();
    copier.copy(&copy.with_checksum(checksum)).await
}

#[test]
fn a_file_has_one_name_in_all_spellings_of_its_url() {
    let source: Url = "https://h/a/f".parse().unwrap();
    for same in ["https://h/a/%66", "https://h/a//f", "https://h//a/f", "https://H:443/a/f"] {
        let failure = RemoteCopy::new(source.clone(), same.parse().unwrap()).unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Usage, "{same}: {failure}");
    }
    for other in ["https://h/a/g", "https://g/a/f", "https://h/a%2Ff"] {
        assert!(RemoteCopy::new(source.clone(), other.parse().unwrap()).is_ok(), "{other}");
    }
}

#[tokio::test]
async fn a_destination_on_the_same_host_with_the_same_digest_is_left_as_it_is() {
    let sites = CopySites::start([Manners::XRootD6, Manners::XRootD6]).await;
    sites.store(1, "/d/f", DATA);
    let copied = onto(&sites, "/d/f", Checksum::Auto).await.unwrap();
    assert_eq!((copied.route, copied.length), (CopyRoute::Unneeded, DATA.len() as u64));
    assert!(matches!(copied.verification, Verification::Verified(_)));
    assert!(sites.copies(1).is_empty() && sites.file(1, "/d/f").as_deref() == Some(DATA));
}

#[tokio::test]
async fn a_destination_on_the_same_host_with_the_same_entity_tag_is_refused_where_no_digest_tells() {
    let sites = CopySites::start([Manners::XRootD6, Manners::XRootD6]).await;
    sites.store(1, "/d/f", DATA);
    sites.change(1, |asked, honest| match asked.method.as_str() {
        "HEAD" => Reply::sized("200 OK", &[("ETag", "\"1\"")], DATA),
        _ => honest,
    });
    for checksum in [Checksum::Auto, Checksum::None, Checksum::Require] {
        let failure = onto(&sites, "/d/f", checksum.clone()).await.unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Usage, "{checksum:?}: {failure}");
    }
    assert!(sites.copies(1).is_empty() && sites.file(1, "/d/f").as_deref() == Some(DATA));
}

#[tokio::test]
async fn another_file_on_the_same_host_is_replaced() {
    let sites = sites([Manners::XRootD6, Manners::XRootD6]).await;
    sites.store(1, "/d/f", b"other data of the same length\n");
    assert_eq!(copied(&sites).await.unwrap().route, CopyRoute::Pulled);
    assert_eq!(sites.file(1, "/d/f").as_deref(), Some(DATA));
}
