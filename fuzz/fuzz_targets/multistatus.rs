//! The body of a `207` answer: a listing.
#![no_main]

mod answer;

use answer::{Answer, run};
use libfuzzer_sys::fuzz_target;
use scitoken_transfer::{Downloader, RetryPolicy};

fuzz_target!(|body: &[u8]| {
    let answer =
        Answer { status: 207, headers: vec![("content-type", b"text/xml".into())], body: body.into() };
    let mut once = RetryPolicy::default();
    once.retries = 0;
    let downloader = Downloader::new(answer.client()).with_retry(once);
    let url: url::Url = "https://h/d/".parse().expect("a URL");
    run(async {
        if let Ok(entries) = downloader.list(&url).await {
            for entry in entries {
                assert_eq!(entry.url.host_str(), Some("h"), "an entry of another server");
                assert!(entry.url.path().starts_with("/d/"), "{} is not below", entry.url);
                let shown = [entry.last_modified, entry.etag].into_iter().flatten().collect::<String>();
                assert!(!shown.chars().any(char::is_control), "{shown:?} controls a terminal");
            }
        }
        let mut walk = downloader.walk(url.clone());
        // Every listing is the same, so the tree has no end.
        for _ in 0..64 {
            let Some(found) = walk.next().await else { break };
            if let Ok(found) = found {
                let is_name = |part| matches!(part, std::path::Component::Normal(_));
                assert!(found.path.components().all(is_name), "{:?} leaves", found.path);
            }
        }
        let _ = downloader.stat(&url).await;
    });
});
