//! Renewals against a server that stands in the HTTP client.

mod answers;
mod failures;
mod faults;
mod once;
mod storing;

use std::time::UNIX_EPOCH;

use super::super::StoredSource;
use super::*;
use crate::oauth::fake;
use crate::oauth::fake::{Fake, Reply};
use crate::{JsonTokenStorage, MemoryTokenStorage, RenewalLock, StorageError, TokenDataMap, TokenStorage};
use reqwest_scitokens::TokenSource as _;
use scitoken_types::sys::ManualClock;

fn answer(access: &str, more: &str) -> Reply {
    Reply::json(
        200,
        &format!(r#"{{"access_token": "{access}", "token_type": "Bearer", "expires_in": 600{more}}}"#),
    )
}

fn rotated(access: &str, refresh: &str) -> Reply {
    answer(access, &format!(", \"refresh_token\": \"{refresh}\""))
}

fn invalid_grant() -> Reply {
    Reply::json(400, r#"{"error": "invalid_grant"}"#)
}

/// A form that renews with this refresh token.
fn with(refresh: &str) -> String {
    format!("POST https://iss.example/token - grant_type=refresh_token&refresh_token={refresh}&client_id=me")
}

fn entry(access: &str, end: i64) -> TokenStorageData {
    TokenStorageData::new("rs", "scope", access, end).with_refresh_token("rt1").with_identity_id("A")
}

struct Scene<S> {
    storage: S,
    fake: Fake,
    clock: ManualClock,
    source: StoredSource,
}

fn scene<S: TokenStorage + Clone>(storage: S, replies: impl IntoIterator<Item = Reply>) -> Scene<S> {
    let (fake, clock) = (Fake::new(replies), ManualClock::at_epoch_seconds(1_000));
    let client = fake::client(&fake).with_clock(clock.clone());
    let source = StoredSource::new(storage.clone(), "rs").with_renewal(client);
    Scene { storage, fake, clock, source }
}

fn stored(data: TokenStorageData) -> MemoryTokenStorage {
    let storage = MemoryTokenStorage::new();
    storage.store_token_data(data).unwrap();
    storage
}

impl<S: TokenStorage> Scene<S> {
    async fn ask(&self, rejected: Option<&str>) -> Result<Option<String>, SourceError> {
        ask(&self.source, &self.clock, rejected).await
    }

    fn kept(&self) -> (String, Option<String>) {
        let data = self.storage.get_token_data("rs").unwrap().unwrap();
        (data.expose_access_token().to_owned(), data.expose_refresh_token().map(str::to_owned))
    }
}

async fn ask(
    source: &StoredSource,
    clock: &ManualClock,
    rejected: Option<&str>,
) -> Result<Option<String>, SourceError> {
    use scitoken_types::sys::Clock as _;
    let url = "https://h/f".parse().unwrap();
    let rejected = rejected.map(|token| AccessToken::new(token).unwrap());
    let mut request = TokenRequest::new(&url).unwrap().at(clock.now());
    if let Some(rejected) = &rejected {
        request = request.with_rejected(rejected);
    }
    Ok(source.token(&request).await?.map(|token| token.expose_secret().to_owned()))
}

#[expect(clippy::unnecessary_wraps, reason = "what it is compared with")]
fn some(token: &str) -> Option<String> {
    Some(token.to_owned())
}
