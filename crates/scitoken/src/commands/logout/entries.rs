//! A logout of entries of a storage.

use std::time::SystemTime;

use scitoken_storage::oauth::{OAuthClient, OAuthError};
use scitoken_storage::{RenewalLock, TokenDataMap, TokenStorage, TokenStorageData};
use scitoken_types::sys::{Clock as _, SystemClock};
use serde_json::json;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::hints;
use crate::oauth;
use crate::output;
use crate::sanitize;
use crate::storage::{StoragePlace, failure, lock};

/// Revokes the tokens of entries and removes those entries. One that fails does not keep the others.
pub(super) struct EntryRemoval<'a> {
    context: &'a Context,
    storage: &'a dyn TokenStorage,
    place: StoragePlace<'a>,
    tokens: TokenDataMap,
    failures: Vec<Failure>,
    /// A concurrent refresh would store a token that is not revoked.
    _lock: RenewalLock,
}

impl<'a> EntryRemoval<'a> {
    /// Locks the storage and reads it.
    pub(super) fn new(
        context: &'a Context,
        storage: &'a dyn TokenStorage,
        place: StoragePlace<'a>,
    ) -> Result<Self, Failure> {
        let lock = lock(storage)?;
        let tokens = storage.get_token_data_by_resource_server().map_err(|error| failure(&error))?;
        Ok(Self { context, storage, place, tokens, failures: Vec::new(), _lock: lock })
    }

    /// Returns the entries that the storage had at first.
    pub(super) fn tokens(&self) -> &TokenDataMap {
        &self.tokens
    }

    /// Removes the entries of these resource servers, or all.
    pub(super) async fn remove_named(
        mut self,
        client: &OAuthClient,
        names: &[String],
    ) -> Result<Exit, Failure> {
        let names: Vec<String> = if names.is_empty() {
            self.tokens.iter().map(|(name, _)| name.to_owned()).collect()
        } else {
            names.to_vec()
        };
        if names.is_empty() {
            return Err(Failure::new(Exit::NoToken, format!("{} is empty", self.storage.label())));
        }
        for name in names {
            self.remove(client, &name).await?;
        }
        self.finish()
    }

    /// Removes an entry; fails only if its result cannot be written.
    pub(super) async fn remove(&mut self, client: &OAuthClient, name: &str) -> Result<(), Failure> {
        let removed = if let Some(data) = self.tokens.get(name) {
            self.revoke_and_remove(client, name, data).await
        } else {
            let (storage, shown) = (self.storage.label(), sanitize::line(name));
            Err(Failure::new(Exit::NoToken, format!("{storage} has no entry `{shown}`")))
        };
        match removed {
            Ok(()) => {
                let shown = sanitize::line(name);
                let members = json!({ "resource_server": name });
                self.context.output.result(&format!("logged out of `{shown}`"), members)?;
            }
            Err(failure) => self.add_failure(failure),
        }
        Ok(())
    }

    /// Notes that an entry is not removed.
    pub(super) fn add_failure(&mut self, failure: Failure) {
        self.failures.push(failure);
    }

    /// Reports what failed, and returns the most severe exit code.
    pub(super) fn finish(mut self) -> Result<Exit, Failure> {
        let Some(last) = self.failures.pop() else { return Ok(Exit::Ok) };
        if self.failures.is_empty() {
            return Err(last);
        }
        let reported = self.failures.iter().chain([&last]).map(|failure| failure.report(self.context.output));
        Ok(reported.fold(Exit::Ok, Exit::more_severe))
    }

    async fn revoke_and_remove(
        &self,
        client: &OAuthClient,
        name: &str,
        data: &TokenStorageData,
    ) -> Result<(), Failure> {
        let revoked = client.revoke_entry(data).await.map_err(|error| {
            let shown = sanitize::line(name);
            oauth::failure(&error)
                .with_missing_subject(&[], &shown)
                .with_further_hint(&hints::remove_entry(name, &self.place.flags()))
        })?;
        if let Some(error) = revoked.unrevoked_access_token().filter(|_| is_valid(data, SystemClock.now())) {
            warn_of_unrevoked(&format!("of `{}`", sanitize::line(name)), error);
        }
        self.storage.remove_token_data(name).map_err(|error| failure(&error))?;
        Ok(())
    }
}

fn is_valid(data: &TokenStorageData, now: SystemTime) -> bool {
    data.expires_at() > now
}

/// Says that an access token is still valid.
pub(super) fn warn_of_unrevoked(which: &str, error: &OAuthError) {
    output::warn(&format!("the access token {which} is valid until it expires: {error}"));
}
