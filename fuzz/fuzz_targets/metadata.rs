//! Issuers' names, and their metadata.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scitoken_authz::Issuer;

fuzz_target!(|input: (&str, &str)| {
    let (name, metadata) = input;
    if let Ok(issuer) = name.parse::<Issuer>() {
        assert_eq!(issuer.as_str(), name);
        for url in issuer.metadata_urls() {
            assert_eq!(url.scheme(), "https");
            assert!(url.path().contains("/.well-known/"));
        }
        if let Ok(url) = issuer.keys_url(metadata) {
            assert_eq!(url.scheme(), "https");
        }
    }
    let issuer: Issuer = "https://i".parse().expect("an issuer");
    if let Ok(url) = issuer.keys_url(metadata) {
        assert_eq!(url.scheme(), "https");
    }
});
