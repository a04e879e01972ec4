//! Tokens of strangers.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use reqwest_scitokens::jwt::{self, Check, Validation};
use reqwest_scitokens::keys::{Algorithm, VerifyingKey};
use reqwest_scitokens::sys::ManualClock;

static KEY: LazyLock<VerifyingKey> = LazyLock::new(|| VerifyingKey::from_secret([7; 32]).expect("a secret"));

fuzz_target!(|bytes: &[u8]| {
    let everything = Check::ALL.into_iter().fold(Validation::new(), Validation::check);
    let everything = everything
        .allow(Algorithm::Hs256)
        .audience("a")
        .issuer("i")
        .subject("s")
        .require("exp")
        .clock(ManualClock::at_epoch_seconds(1_000));
    let header = jwt::unverified_header(bytes);
    if let Ok(token) = jwt::decode_unverified(bytes, &everything) {
        assert!(header.is_ok(), "a token that is read has a header that is read");
        assert!(token.claims().contains("exp"));
    }
    assert!(jwt::decode(bytes, &*KEY, &everything).is_err(), "nobody but us has the key");
});
