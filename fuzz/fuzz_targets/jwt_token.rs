//! Tokens from anywhere.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use scitoken_jwt::keys::{Algorithm, VerifyingKey};
use scitoken_jwt::{ClaimCheck, Validation};
use scitoken_types::sys::ManualClock;

static KEY: LazyLock<VerifyingKey> = LazyLock::new(|| VerifyingKey::from_secret([7; 32]).expect("a secret"));

fuzz_target!(|bytes: &[u8]| {
    let everything = ClaimCheck::ALL.into_iter().fold(Validation::new(), Validation::check);
    let everything = everything
        .allow(Algorithm::Hs256)
        .audience("a")
        .issuer("i")
        .subject("s")
        .require("exp")
        .clock(ManualClock::at_epoch_seconds(1_000));
    let header = scitoken_jwt::unverified_header(bytes);
    if let Ok(token) = scitoken_jwt::decode_unverified(bytes, &everything) {
        assert!(header.is_ok(), "a token that is read has a header that is read");
        assert!(token.claims().contains("exp"));
    }
    assert!(scitoken_jwt::decode(bytes, &*KEY, &everything).is_err(), "only this process has the key");
});
