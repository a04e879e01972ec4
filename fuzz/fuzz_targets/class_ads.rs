//! The file that HTCondor gives to a transfer plugin.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scitoken_transfer::class_ad::{ClassAd, read_class_ads};

fuzz_target!(|input: (&str, &str)| {
    let (text, value) = input;
    if let Ok(ads) = read_class_ads(text) {
        for ad in ads {
            // An ad is one line, whatever is in it.
            let written = ad.to_string();
            assert!(!written.contains(['\n', '\r', '\0']), "{written:?}");
        }
    }
    let ad = ClassAd::default().with_text("A", value).with("B", 7);
    let again = read_class_ads(&ad.to_string()).expect("it is our own");
    let kept: String = value.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect();
    assert_eq!(again[0].text("a"), Some(kept.as_str()));
});
