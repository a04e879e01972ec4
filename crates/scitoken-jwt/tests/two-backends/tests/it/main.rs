//! What our provider does where two backends of `jsonwebtoken` are enabled, and what happens without it.

mod pem;
mod process;
mod tokens;

use std::panic::catch_unwind;
use std::sync::Barrier;
use std::thread;

use jsonwebtoken::crypto::{CryptoProvider, aws_lc, rust_crypto};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, jwk};
use process::alone;
use scitoken_jwt::bridge::{AlreadyInstalled, PROVIDER, install_default};
use serde_json::{Value, json};

fn round_trip() -> Result<Value, jsonwebtoken::errors::Error> {
    let (encoding, decoding) = (EncodingKey::from_secret(b"short"), DecodingKey::from_secret(b"short"));
    let claims = json!({"sub": "alice", "exp": 4_102_444_800_u64});
    let token = jsonwebtoken::encode(&Header::default(), &claims, &encoding)?;
    Ok(jsonwebtoken::decode::<Value>(&token, &decoding, &Validation::default())?.claims)
}

/// Returns the text of the panic.
fn panic_of<T>(work: impl FnOnce() -> T + std::panic::UnwindSafe) -> String {
    let panic = catch_unwind(work).err().expect("it does not panic");
    panic.downcast_ref::<String>().expect("its text is a `String`").clone()
}

#[test]
fn without_it_the_first_token_panics_and_then_it_is_too_late() {
    alone("without_it_the_first_token_panics_and_then_it_is_too_late", || {
        // what needs no cryptography needs no provider
        let header = jsonwebtoken::decode_header("eyJhbGciOiJIUzI1NiJ9.e30.AAAA").unwrap();
        assert_eq!(header.alg, Algorithm::HS256);
        let told = panic_of(round_trip);
        assert!(
            told.contains("Could not automatically determine the process-level CryptoProvider"),
            "{told}"
        );
        assert!(told.contains("Call CryptoProvider::install_default()"), "{told}");
        // the use settled that there is none, for the rest of the process
        let error = install_default().unwrap_err();
        assert_eq!(error, AlreadyInstalled);
        assert!(error.to_string().contains("installed or used before"), "{error}");
        assert_eq!(panic_of(round_trip), told);
        let key: jwk::Jwk = serde_json::from_value(json!({"kty": "oct", "k": "AAAA"})).unwrap();
        let told = panic_of(move || key.thumbprint(jwk::ThumbprintHash::SHA256));
        assert!(told.contains("does not support JWKs"), "{told}");
    });
}

#[test]
fn installed_twice_it_is_one_and_others_come_too_late() {
    alone("installed_twice_it_is_one_and_others_come_too_late", || {
        for _ in 0..3 {
            assert_eq!(install_default(), Ok(()));
            assert_eq!(round_trip().unwrap()["sub"], "alice");
        }
        assert!(PROVIDER.install_default().is_err(), "the method of `jsonwebtoken` succeeds once");
        assert!(aws_lc::DEFAULT_PROVIDER.install_default().is_err());
        assert_eq!(install_default(), Ok(()));
    });
}

#[test]
fn installed_by_the_method_of_jsonwebtoken_it_is_not_recognised() {
    alone("installed_by_the_method_of_jsonwebtoken_it_is_not_recognised", || {
        PROVIDER.install_default().unwrap();
        assert_eq!(install_default(), Err(AlreadyInstalled));
        let empty = jsonwebtoken::crypto::sign(b"m", &EncodingKey::from_secret(b""), Algorithm::HS256);
        assert!(empty.is_err(), "it is ours");
        assert_eq!(round_trip().unwrap()["sub"], "alice");
    });
}

#[test]
fn after_another_provider_it_is_an_error_and_the_other_one_stays() {
    alone("after_another_provider_it_is_an_error_and_the_other_one_stays", || {
        aws_lc::DEFAULT_PROVIDER.install_default().unwrap();
        for _ in 0..3 {
            assert_eq!(install_default(), Err(AlreadyInstalled));
        }
        // an empty secret is refused by our provider only
        let empty = jsonwebtoken::crypto::sign(b"m", &EncodingKey::from_secret(b""), Algorithm::HS256);
        assert!(empty.is_ok());
        assert_eq!(round_trip().unwrap()["sub"], "alice");
        // the static works without being installed
        assert!((PROVIDER.signer_factory)(&Algorithm::HS256, &EncodingKey::from_secret(b"")).is_err());
    });
}

#[test]
fn many_threads_may_install_it_at_once() {
    alone("many_threads_may_install_it_at_once", || {
        let barrier = Barrier::new(16);
        thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    barrier.wait();
                    assert_eq!(install_default(), Ok(()));
                    assert_eq!(round_trip().unwrap()["sub"], "alice");
                });
            }
        });
    });
}

#[test]
fn of_two_providers_that_are_installed_at_once_one_is_and_each_is_told() {
    alone("of_two_providers_that_are_installed_at_once_one_is_and_each_is_told", || {
        let barrier = Barrier::new(12);
        let outcomes: Vec<(bool, bool)> = thread::scope(|scope| {
            let threads: Vec<_> = (0..12)
                .map(|number| {
                    let barrier = &barrier;
                    scope.spawn(move || {
                        let others: [&'static CryptoProvider; 2] =
                            [&aws_lc::DEFAULT_PROVIDER, &rust_crypto::DEFAULT_PROVIDER];
                        barrier.wait();
                        match number % 3 {
                            2 => (true, install_default().is_ok()),
                            other => (false, others[other].install_default().is_ok()),
                        }
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let ours: Vec<bool> = outcomes.iter().filter(|(ours, _)| *ours).map(|(_, good)| *good).collect();
        let others = outcomes.iter().filter(|(ours, good)| !ours && *good).count();
        let is_ours =
            jsonwebtoken::crypto::sign(b"m", &EncodingKey::from_secret(b""), Algorithm::HS256).is_err();
        assert!(ours.iter().all(|good| *good == is_ours), "{outcomes:?}");
        assert_eq!(others, usize::from(!is_ours), "{outcomes:?}");
        assert_eq!(round_trip().unwrap()["sub"], "alice");
    });
}
