//! `Content-Disposition`, and what else a `HEAD` answers.
#![no_main]

mod answer;

use answer::{Answer, run};
use libfuzzer_sys::fuzz_target;
use scitoken_transfer::{Checksum, Downloader, RetryPolicy};

fuzz_target!(|values: (&[u8], &[u8], &[u8])| {
    let headers = vec![
        ("content-disposition", values.0.into()),
        ("digest", values.1.into()),
        ("repr-digest", values.2.into()),
    ];
    let mut once = RetryPolicy::default();
    once.retries = 0;
    let downloader =
        Downloader::new(Answer { status: 200, headers, body: Vec::new() }.client()).with_retry(once);
    let url = "https://h/f".parse().expect("a URL");
    let Ok(probe) = run(downloader.probe(&url, &Checksum::Auto)) else { return };
    if let Some(Ok(name)) = probe.file_name {
        assert!(!name.starts_with(['.', '-']), "{name:?} is an option or a setting");
        assert!(!name.contains(['/', '\\', '\0']) && !name.chars().any(char::is_control), "{name:?}");
        assert!(!name.is_empty() && name.len() <= 256, "{name:?}");
    }
    for digest in probe.digests {
        let written = digest.to_string();
        assert_eq!(written.parse::<scitoken_transfer::Digest>().ok(), Some(digest), "{written}");
    }
});
