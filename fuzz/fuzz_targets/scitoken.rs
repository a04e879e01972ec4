//! Foreign tokens, and those that an issuer signed unseen.
#![no_main]

use base64::prelude::*;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use scitoken_authz::{AuthorizationError, Enforcer, Issuer, OfflineVerifier, Vocabulary};
use scitoken_jwt::keys::{Algorithm, JwkSet, KeyKind, SigningKey};
use scitoken_types::sys::ManualClock;

static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::generate(KeyKind::Ed25519).expect("a key"));

fn issuer() -> Issuer {
    "https://i".parse().expect("an issuer")
}

static VERIFIER: LazyLock<OfflineVerifier> = LazyLock::new(|| {
    let keys: JwkSet = [KEY.verifying_key().to_jwk()].into_iter().collect();
    OfflineVerifier::new(issuer(), keys)
        .algorithms([Algorithm::EdDsa])
        .clock(ManualClock::at_epoch_seconds(1_000))
});

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        assert!(VERIFIER.verify(text).is_err(), "only this process has the key");
    }
    // The first byte says how much of the rest is header.
    let Some((length, rest)) = bytes.split_first() else { return };
    let (header, payload) = rest.split_at(rest.len().min(usize::from(*length)));
    let header = if header.is_empty() { br#"{"alg":"EdDSA"}"# } else { header };
    let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    let signed = format!("{}.{}", encode(header), encode(payload));
    let signature = KEY.sign(Algorithm::EdDsa, signed.as_bytes()).expect("it signs");
    match VERIFIER.verify(&format!("{signed}.{}", encode(&signature))) {
        Err(refusal) => assert_ne!(refusal, AuthorizationError::Signature, "it is ours"),
        Ok(token) => {
            let end = token.claims().expires_at().expect("no token is without an end");
            assert!(end > std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000));
            assert_eq!(token.issuer(), "https://i");
            let enforcer = Enforcer::builder(issuer())
                .accept_any_audience()
                .vocabulary(Vocabulary::Compat)
                .clock(ManualClock::at_epoch_seconds(1_000))
                .build();
            let _ = enforcer.acls(&token);
        }
    }
});
