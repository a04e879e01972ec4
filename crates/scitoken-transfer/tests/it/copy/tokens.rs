//! Which token goes to which server.

use scitoken_test_support::chaos_server::{ChaosServer, Reply};
use scitoken_test_support::copy_sites::{CopySites, Manners, TOKENS};
use scitoken_test_support::tokens::{expired, for_audience};
use scitoken_test_support::{Script, secrecy};
use scitoken_transfer::FailureKind;
use scitoken_transfer::copy::{Copier, CopyMode, RemoteCopy};

use super::{DATA, PAIRS, copied, copier, downloader, job, sites};

/// The value that the active server was to send to the other one.
fn handed_over(sites: &CopySites, site: usize) -> Vec<String> {
    let copies = sites.copies(site);
    let lines = copies.iter().flat_map(|asked| asked.lines.clone());
    lines
        .filter(|line| {
            line.to_ascii_lowercase().starts_with("transferheader") || line.starts_with("Copy-Header")
        })
        .collect()
}

#[tokio::test]
async fn each_server_gets_its_own_token_and_only_the_active_one_the_other_s() {
    for pair in PAIRS {
        for (mode, active) in [(CopyMode::Pull, 1), (CopyMode::Push, 0)] {
            let sites = sites(pair).await;
            copier().copy(&job(&sites).with_mode(mode)).await.unwrap();
            for (site, token) in TOKENS.iter().enumerate() {
                let own = [format!("Bearer {token}")];
                assert_eq!(
                    sites.authorizations(site).into_iter().collect::<Vec<_>>(),
                    own,
                    "{pair:?} {mode:?}"
                );
            }
            let given = handed_over(&sites, active);
            assert_eq!(given.len(), 1, "{given:?}");
            assert!(given[0].ends_with(&format!("Bearer {}", TOKENS[1 - active])), "{given:?}");
            // Neither in any other header, nor in a URL.
            let text = format!("{:?}", sites.seen(1 - active));
            secrecy::assert_silent(&text, TOKENS[active]);
        }
    }
}

#[tokio::test]
async fn xrootd_5_gets_the_header_in_a_form_that_it_reads() {
    let sites = sites([Manners::XRootD5, Manners::XRootD5]).await;
    copied(&sites).await.unwrap();
    assert_eq!(handed_over(&sites, 1), [format!("Copy-Header: Authorization: Bearer {}", TOKENS[0])]);
    let options = sites.seen(1).iter().filter(|asked| asked.method == "OPTIONS").count();
    assert_eq!(options, 1);
}

#[tokio::test]
async fn a_found_token_for_another_server_is_not_sent_and_the_right_ones_are() {
    let sites = sites([Manners::XRootD6, Manners::XRootD6]).await;
    let foreign = for_audience("https://other.example.org");
    let failure = Copier::new(&downloader())
        .with_tokens(Script::new(&[&foreign]))
        .copy(&job(&sites))
        .await
        .unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Refused, "{failure}");
    assert!(sites.authorizations(0).is_empty() && sites.authorizations(1).is_empty());
    // Given for one side, the audience is the user's decision.
    sites.accept(0, &foreign);
    let copier = Copier::new(&downloader()).with_source_token(Script::new(&[&foreign]));
    copier.with_destination_token(Script::new(&[TOKENS[1]])).copy(&job(&sites)).await.unwrap();
    assert_eq!(sites.file(1, "/d/f").as_deref(), Some(DATA));
}

#[tokio::test]
async fn a_public_source_needs_no_token() {
    for pair in PAIRS {
        let sites = CopySites::start(pair).await;
        sites.store(0, "/public/f", DATA);
        let copy = RemoteCopy::new(sites.url(0, "/public/f"), sites.url(1, "/d/f")).unwrap();
        let copier = Copier::new(&downloader()).with_tokens(Script::new(&["-"]));
        copier.with_destination_token(Script::new(&[TOKENS[1]])).copy(&copy).await.unwrap();
        assert!(handed_over(&sites, 1).is_empty() && sites.authorizations(0).is_empty(), "{pair:?}");
    }
}

#[tokio::test]
async fn an_expired_token_is_an_error_before_any_server_is_asked_to_copy() {
    let sites = sites([Manners::XRootD6, Manners::XRootD6]).await;
    sites.accept(0, "whatever the source accepts");
    sites.store(0, "/public/f", DATA);
    let copy = RemoteCopy::new(sites.url(0, "/public/f"), sites.url(1, "/d/f")).unwrap();
    let copier = copier().with_source_token(Script::new(&[&expired("https://localhost")]));
    let failure = copier.copy(&copy).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::NoToken, "{failure}");
    assert!(failure.to_string().contains("has expired"), "{failure}");
    assert!(sites.copies(0).is_empty() && sites.copies(1).is_empty());
}

#[tokio::test]
async fn a_redirect_target_gets_the_other_token_only_with_the_server_s_own() {
    for (trusted, status) in [(false, 307), (true, 307), (false, 308), (true, 302)] {
        let sites = sites([Manners::DCache, Manners::DCache]).await;
        // A data server to which the destination redirects, and which says what it got.
        let data_server =
            ChaosServer::start(|_| Reply::sized("500 Internal Server Error", &[], "broken\n")).await;
        let target = data_server.https_url("d/f");
        let location = target.to_string();
        sites.change(1, move |asked, honest| {
            if asked.method == "COPY" {
                return Reply::sized(&format!("{status} Redirect"), &[("Location", &location)], "");
            }
            honest
        });
        let token =
            if trusted { for_audience(&target.origin().ascii_serialization()) } else { TOKENS[1].to_owned() };
        sites.accept(1, &token);
        let copier = copier().with_destination_token(Script::new(&[&token]));
        copier.copy(&job(&sites)).await.unwrap_err();
        let seen = data_server.seen();
        assert!(seen.iter().all(|asked| asked.method == "COPY") && !seen.is_empty());
        for asked in seen {
            assert_eq!(asked.headers.contains_key("authorization"), trusted);
            assert_eq!(
                asked.headers.contains_key("transferheaderauthorization"),
                trusted,
                "{:?}",
                asked.lines
            );
        }
    }
}

#[tokio::test]
async fn no_token_is_handed_over_without_tls() {
    let sites = sites([Manners::DCache, Manners::DCache]).await;
    let mut destination = sites.url(1, "/d/f");
    destination.set_scheme("http").unwrap();
    destination.set_host(Some("storage.example")).unwrap();
    let copy = RemoteCopy::new(sites.url(0, "/d/f"), destination).unwrap();
    let failure = copier().copy(&copy).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::TokenWithheld, "{failure}");
    assert!(sites.copies(0).is_empty() && sites.copies(1).is_empty());
}

#[tokio::test]
async fn a_server_that_repeats_the_token_in_its_failure_is_masked() {
    for pair in PAIRS {
        let sites = sites(pair).await;
        sites.change(1, |asked, honest| {
            if asked.method == "COPY" {
                let words = format!("failure: sent {} and got 403\n", asked.lines.join(", "));
                return scitoken_test_support::copy_sites::chunked("201 Created", &[], &words);
            }
            honest
        });
        let failure = copied(&sites).await.unwrap_err();
        let text = scitoken_test_support::chain(&failure);
        secrecy::assert_silent(&text, TOKENS[0]);
        secrecy::assert_silent(&text, TOKENS[1]);
        assert_eq!(failure.kind(), FailureKind::Refused, "{text}");
    }
}
