//! A thousand runs with faults in the storage and in the answers.

use super::*;
use crate::storage::faults::{Faults, memory_directory};

/// An issuer that rotates refresh tokens: the newest one is valid, and an older one revokes the login.
struct Issuer {
    /// The number of the newest refresh token.
    newest: std::sync::Mutex<u32>,
    faults: Faults,
}

impl Issuer {
    /// Answers a form; a third of the answers is unusable in one way or another.
    fn answer(&self, form: &str) -> Reply {
        let mut newest = self.newest.lock().unwrap();
        assert!(
            form.contains(&format!("refresh_token=rt{}&", *newest)),
            "an old refresh token was used: {form}"
        );
        if self.faults.hits() {
            // Refused before anything was rotated.
            return match self.faults.next() % 3 {
                0 => Reply::NoConnection,
                1 => Reply::json(503, ""),
                _ => Reply::json(429, r#"{"error": "slow_down"}"#),
            };
        }
        *newest += 1;
        let n = *newest;
        let members = match self.faults.next() % 12 {
            0 => format!(r#""refresh_token": "rt{n}""#),
            1 => format!(r#""access_token": "AT{n}", "token_type": "mac", "refresh_token": "rt{n}""#),
            2 => format!(
                r#""access_token": "AT{n}", "refresh_token": "rt{n}", "scope": [1], "expires_in": "soon""#
            ),
            3 => format!(r#""access_token": "AT{n}", "refresh_token": "rt{n}", "id_token": {{}}, "x": "cut"#),
            4 => format!(r#""access_token": "AT {n}", "refresh_token": "rt{n}""#),
            5 => format!(
                r#""access_token": "AT{n}", "refresh_token": "rt{n}", "resource_server": "x",
                    "other_tokens": [{{"access_token": "B", "resource_server": "y"}}]"#
            ),
            _ => format!(r#""access_token": "AT{n}", "refresh_token": "rt{n}", "expires_in": 5"#),
        };
        Reply::json(200, &format!("{{{members}}}"))
    }
}

#[tokio::test]
async fn no_renewal_loses_a_refresh_token_in_a_thousand_runs_with_faults() {
    let directory = memory_directory();
    let (mut tokens, mut errors, mut rescued) = (0, 0, 0);
    for seed in 0..1_000_u64 {
        let path = directory.path().join(format!("{seed}.json"));
        let sound = JsonTokenStorage::new(&path);
        sound.store_token_data(entry("AT1", 1_000)).unwrap();
        let storage = JsonTokenStorage::new(&path).with_faults(Arc::new(Faults::seeded(seed, 5)));
        let issuer =
            Arc::new(Issuer { newest: std::sync::Mutex::new(1), faults: Faults::seeded(seed + 7_000, 4) });
        let answering = Arc::clone(&issuer);
        let fake = Fake::answering(move |form| answering.answer(form));
        let clock = ManualClock::at_epoch_seconds(1_000);
        let source =
            StoredSource::new(storage, "rs").with_renewal(fake::client(&fake).with_clock(clock.clone()));
        for _ in 0..6 {
            match ask(&source, &clock, None).await {
                Ok(_) => tokens += 1,
                Err(_) => errors += 1,
            }
            clock.advance(Duration::from_secs(6));
            let pending = source.pending_entry().await;
            let newest = pending.unwrap_or_else(|| sound.get_token_data("rs").unwrap().unwrap());
            let expected = format!("rt{}", issuer.newest.lock().unwrap());
            assert_eq!(newest.expose_refresh_token(), Some(expected.as_str()), "{seed}");
        }
        // At the end of the program the last one is in the storage, or handed back.
        let unsaved = source.finish().await.err();
        rescued += usize::from(unsaved.is_some());
        let newest = match unsaved {
            Some(unsaved) => unsaved.tokens().get("rs").unwrap().clone(),
            None => sound.get_token_data("rs").unwrap().unwrap(),
        };
        let expected = format!("rt{}", issuer.newest.lock().unwrap());
        assert_eq!(newest.expose_refresh_token(), Some(expected.as_str()), "{seed}");
        assert!(source.finish().await.is_ok() && source.pending_entry().await.is_none(), "{seed}");
    }
    assert!(tokens > 1_000 && errors > 500 && rescued > 10, "{tokens} {errors} {rescued}");
}
