//! A list of files to download, from anywhere.
#![no_main]

use std::path::Component;

use libfuzzer_sys::fuzz_target;
use scitoken_transfer::DownloadList;

fuzz_target!(|text: &[u8]| {
    let lines = text.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
    for entry in DownloadList::new(text).flatten() {
        assert!(entry.line >= 1 && entry.line <= lines, "line {} of {lines}", entry.line);
        assert!(entry.urls.iter().all(|url| matches!(url.scheme(), "http" | "https")));
        if let Some(name) = &entry.out {
            assert!(name.components().all(|part| matches!(part, Component::Normal(_))), "{name:?} leaves");
        }
        if let Ok(download) = entry.into_download("d") {
            let target = download.target().expect("it has one");
            assert!(target.starts_with("d") && target != std::path::Path::new("d"), "{target:?}");
        }
    }
});
