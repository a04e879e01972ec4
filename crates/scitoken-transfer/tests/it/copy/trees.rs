//! Many copies at once, and directory trees.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use scitoken_test_support::chaos_server::Reply;
use scitoken_test_support::copy_sites::{CopySites, Manners};
use scitoken_transfer::copy::RemoteCopy;
use scitoken_transfer::{FailureKind, FileNumber};

use super::{PAIRS, copier};

const FOUR: NonZeroUsize = NonZeroUsize::new(4).unwrap();

#[tokio::test]
async fn a_tree_is_copied_with_its_empty_directories() {
    for pair in PAIRS {
        let sites = CopySites::start(pair).await;
        let files = ["/d/a", "/d/sub dir/b", "/d/sub dir/deep/c#1", "/d/100%/é"];
        for file in files {
            sites.store(0, file, file.as_bytes());
        }
        sites.store(0, "/d/empty/x", b"");
        let mut failures = Vec::new();
        let copied = copier()
            .copy_tree(
                &sites.url(0, "/d"),
                &sites.url(1, "/copy/of"),
                FileNumber(0),
                FOUR,
                |copy| copy,
                |url, result| {
                    if let Err(error) = result {
                        failures.push((url.to_string(), error.to_string()));
                    }
                },
            )
            .await;
        assert!(failures.is_empty(), "{pair:?}: {failures:?}");
        assert_eq!(copied, 5, "{pair:?}");
        for file in files {
            let target = file.replacen("/d/", "/copy/of/", 1);
            assert_eq!(sites.file(1, &target).as_deref(), Some(file.as_bytes()), "{pair:?} {target}");
        }
        assert!(sites.directories(1).contains(&"/copy/of/sub dir/deep/".to_owned()));
    }
}

#[tokio::test]
async fn each_file_of_many_has_its_own_result() {
    let sites = CopySites::start([Manners::DCache, Manners::DCache]).await;
    for n in 0..20 {
        sites.store(0, &format!("/d/{n}"), n.to_string().as_bytes());
    }
    sites.change(1, |asked, honest| {
        if asked.method == "COPY" && asked.path.ends_with('7') {
            Reply::sized("409 Conflict", &[], "no\n")
        } else {
            honest
        }
    });
    let copies = (0..21).map(|n| {
        RemoteCopy::new(sites.url(0, &format!("/d/{n}")), sites.url(1, &format!("/d/{n}")))
            .unwrap()
            .with_number(FileNumber(n))
    });
    let mut results = BTreeMap::new();
    copier()
        .copy_all(copies, FOUR, |url, result| {
            let name = url.path().rsplit('/').next().unwrap_or_default().to_owned();
            results.insert(name, result.map(|copied| copied.length).map_err(|error| error.kind()));
        })
        .await;
    assert_eq!(results.len(), 21);
    for (name, result) in results {
        let expected = match name.as_str() {
            "7" | "17" => Err(FailureKind::Rejected),
            "20" => Err(FailureKind::NotFound),
            _ => Ok(name.len() as u64),
        };
        assert_eq!(result, expected, "{name}");
    }
}

#[tokio::test]
async fn a_tree_without_permission_to_write_says_so_once() {
    let sites = CopySites::start([Manners::XRootD6, Manners::XRootD6]).await;
    sites.store(0, "/d/a", b"a");
    let copier = copier().with_destination_token(scitoken_test_support::Script::new(&["wrong"]));
    let mut failures = Vec::new();
    let files = copier
        .copy_tree(
            &sites.url(0, "/d"),
            &sites.url(1, "/x"),
            FileNumber(0),
            FOUR,
            |copy| copy,
            |_, result| {
                failures.push(result.unwrap_err().kind());
            },
        )
        .await;
    assert_eq!((files, failures), (0, vec![FailureKind::Refused]));
}

#[tokio::test]
async fn a_tree_is_not_copied_into_itself() {
    let sites = CopySites::start([Manners::XRootD6, Manners::XRootD6]).await;
    sites.store(0, "/d/a", b"a");
    for target in ["/d/copy", "/d//copy/deep/", "/%64/copy", "/d", "/d/"] {
        let mut failures = Vec::new();
        let source = sites.url(0, "/d");
        let mut target_url = source.clone();
        target_url.set_path(target);
        let files = copier()
            .copy_tree(
                &source,
                &target_url,
                FileNumber(0),
                FOUR,
                |copy| copy,
                |_, result| {
                    failures.push(result.unwrap_err().kind());
                },
            )
            .await;
        assert_eq!((files, failures), (0, vec![FailureKind::Usage]), "{target}");
    }
    assert!(sites.seen(0).is_empty(), "no server is asked");
}
