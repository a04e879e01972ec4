//! A Metalink document, from anywhere.
#![no_main]

use std::path::Component;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(files) = scitoken_transfer::read_metalink(text) {
        for file in files.into_iter().flatten() {
            assert!(!file.urls.is_empty(), "a file without an address");
            assert!(file.urls.iter().all(|url| matches!(url.scheme(), "http" | "https")));
            if let Some(name) = &file.out {
                assert!(
                    name.components().all(|part| matches!(part, Component::Normal(_))),
                    "{name:?} leaves"
                );
            }
        }
    }
});
