//! Clients that were registered on demand, kept beside the tokens that they obtained.

use std::time::SystemTime;

use crate::entry::TokenStorageData;
use crate::oauth::RegisteredClient;
use crate::storage::{StorageError, TokenStorage};

/// The clients that issuers have registered for this user (RFC 7591), in a storage: one for the next login at each issuer, and
/// one for each entry with tokens, which it obtained and alone can renew.
///
/// Use a namespace of its own, such as [`NAMESPACE`](Self::NAMESPACE): an entry has the client's id in place of an access
/// token, and its secret in place of a refresh token.
///
/// ```
/// use std::time::SystemTime;
/// use scitoken_storage::login::RegisteredClients;
/// use scitoken_storage::oauth::RegisteredClient;
/// use scitoken_storage::MemoryTokenStorage;
///
/// let storage = MemoryTokenStorage::new();
/// let clients = RegisteredClients::new(&storage);
/// clients.store("https://iss.example", &RegisteredClient::from_json(r#"{"client_id": "c"}"#)?)?;
/// assert_eq!(clients.get("https://iss.example", SystemTime::now())?.unwrap().client_id(), "c");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RegisteredClients<'s>(&'s dyn TokenStorage);

impl<'s> RegisteredClients<'s> {
    /// The namespace for a storage that has tokens as well.
    pub const NAMESPACE: &'static str = "oauth-clients";

    /// Keeps clients in a storage.
    pub fn new(storage: &'s dyn TokenStorage) -> Self {
        Self(storage)
    }

    /// Returns the client of an issuer, unless its secret has expired.
    pub fn get(&self, issuer: &str, now: SystemTime) -> Result<Option<RegisteredClient>, StorageError> {
        let entry = self.0.get_token_data(key(issuer))?;
        let client = entry.map(|entry| RegisteredClient::from_entry(&entry));
        Ok(client.filter(|client| client.secret_expires_at().is_none_or(|end| end > now)))
    }

    /// Stores the client of an issuer.
    pub fn store(&self, issuer: &str, client: &RegisteredClient) -> Result<(), StorageError> {
        self.0.store_token_data(client.to_entry(key(issuer)))
    }

    /// Returns the client that obtained the tokens of an entry, `ISSUER#PATH`; for an entry of earlier versions, that of its
    /// issuer.
    pub fn of_entry(&self, name: &str, now: SystemTime) -> Result<Option<RegisteredClient>, StorageError> {
        match self.get(name, now)? {
            Some(client) => Ok(Some(client)),
            None => self.get(issuer_of(name), now),
        }
    }

    /// Stores the client that obtained the tokens of an entry.
    pub fn store_for_entry(&self, name: &str, client: &RegisteredClient) -> Result<(), StorageError> {
        self.store(name, client)
    }

    /// Keeps the client of an issuer with those of the entries that have none of their own, before another one takes its place.
    pub fn keep_for<'e>(
        &self,
        entries: impl IntoIterator<Item = &'e str>,
        issuer: &str,
    ) -> Result<(), StorageError> {
        let Some(known) = self.0.get_token_data(key(issuer))? else { return Ok(()) };
        let known = RegisteredClient::from_entry(&known);
        let is_meant = |name: &&str| name.contains('#') && key(issuer_of(name)) == key(issuer);
        for name in entries.into_iter().filter(is_meant) {
            if self.0.get_token_data(key(name))?.is_none() {
                self.store_for_entry(name, &known)?;
            }
        }
        Ok(())
    }

    /// Removes the client of an issuer.
    pub fn remove(&self, issuer: &str) -> Result<bool, StorageError> {
        self.0.remove_token_data(key(issuer))
    }
}

/// A slash at the end makes no other issuer here.
fn key(issuer: &str) -> &str {
    issuer.trim_end_matches('/')
}

/// Returns the issuer of an entry.
fn issuer_of(name: &str) -> &str {
    name.split_once('#').map_or(name, |(issuer, _)| issuer)
}

impl RegisteredClient {
    fn to_entry(&self, issuer: &str) -> TokenStorageData {
        let end = self.secret_expires_at().map_or(0, scitoken_types::sys::epoch_seconds);
        let end = i64::try_from(end).unwrap_or(i64::MAX);
        let entry = TokenStorageData::new(issuer, "", self.client_id(), end);
        let entry = match self.expose_secret() {
            Some(secret) => entry.with_refresh_token(secret),
            None => entry,
        };
        match self.auth_method_name() {
            Some(method) => entry.with_token_type(method),
            None => entry,
        }
    }

    fn from_entry(entry: &TokenStorageData) -> Self {
        let end = (entry.expires_at_seconds() > 0).then(|| entry.expires_at());
        Self::from_parts(entry.expose_access_token(), entry.expose_refresh_token(), end, entry.token_type())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::storage::{JsonTokenStorage, MemoryTokenStorage};

    #[test]
    fn a_new_client_of_an_issuer_does_not_take_the_place_of_those_that_obtained_tokens() {
        let storage = MemoryTokenStorage::new();
        let clients = RegisteredClients::new(&storage);
        let client = |id: &str| RegisteredClient::new(id, Some("s"));
        let [old, own, new] = ["old", "own", "new"].map(client);
        let [a, b, c] = ["https://i#/a", "https://i#/b", "https://other#/c"];
        clients.store("https://i/", &old).unwrap();
        clients.store_for_entry(b, &own).unwrap();
        clients.keep_for([a, b, c], "https://i").unwrap();
        clients.store("https://i", &new).unwrap();
        let now = SystemTime::UNIX_EPOCH;
        let of = |entry| clients.of_entry(entry, now).unwrap().map(|client| client.client_id().to_owned());
        assert_eq!([of(a), of(b), of(c)].map(Option::unwrap_or_default), ["old", "own", ""]);
        assert_eq!(of("https://i#/new").as_deref(), Some("new"));
    }

    #[test]
    fn a_client_comes_back_as_it_was_and_for_its_issuer_only() {
        let storage = MemoryTokenStorage::new();
        let clients = RegisteredClients::new(&storage);
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        for json in [
            r#"{"client_id":"a"}"#,
            r#"{"client_id":"a","client_secret":"s","client_secret_expires_at":0}"#,
            r#"{"client_id":"a","client_secret":"s","client_secret_expires_at":1001,"token_endpoint_auth_method":"client_secret_post"}"#,
        ] {
            let client = RegisteredClient::from_json(json).unwrap();
            clients.store("https://i/", &client).unwrap();
            let kept = clients.get("https://i", now).unwrap().unwrap();
            assert_eq!(kept.expose_json().as_str(), client.expose_json().as_str(), "{json}");
            assert!(clients.get("https://j", now).unwrap().is_none());
        }
        assert!(
            clients.get("https://i", now + Duration::from_secs(1)).unwrap().is_none(),
            "its secret expired"
        );
        assert!(clients.remove("https://i").unwrap());
        assert!(clients.get("https://i", now).unwrap().is_none());
    }

    #[test]
    fn clients_are_not_among_the_tokens_of_the_same_file() {
        let directory = tempfile::tempdir().unwrap();
        let storage = JsonTokenStorage::new(directory.path().join("tokens.json"));
        let beside = storage.with_namespace(RegisteredClients::NAMESPACE);
        let client = RegisteredClient::from_json(r#"{"client_id":"a"}"#).unwrap();
        RegisteredClients::new(&beside).store("https://i", &client).unwrap();
        assert!(storage.get_token_data_by_resource_server().unwrap().is_empty());
    }
}
