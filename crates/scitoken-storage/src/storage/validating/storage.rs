//! The storage that applies the rules.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::super::error::{Kind, StorageError};
use super::super::renewal_lock::RenewalLock;
use super::super::token_storage::{TokenStorage, completed};
use super::super::validation::TokenValidationError;
use super::validator::{TokenDataValidator, TokenValidationContext};
use crate::entry::{TokenDataMap, TokenStorageData};
use crate::oauth::TokenResponse;

/// A storage that runs validators before it stores and after it reads.
///
/// * A store: every validator's [`before_store`](TokenDataValidator::before_store) in order, then the inner
///   storage. After the first error nothing is stored.
/// * A read: the inner storage, then every [`after_retrieve`](TokenDataValidator::after_retrieve) in order. Reading
///   an absent entry fails with [`TokenValidationError::MissingToken`], before any validator runs.
/// * A removal runs no validator.
///
/// It remembers the identity of its tokens: from the inner storage when it is created, else from the first data that
/// is stored. Unlike in the SDK, data that was refused does not set the identity.
///
/// ```
/// use scitoken_storage::{MemoryTokenStorage, NotExpiredValidator, TokenStorage, TokenStorageData, ValidatingTokenStorage};
///
/// let storage = ValidatingTokenStorage::new(MemoryTokenStorage::new())?.with_validator(NotExpiredValidator::new());
/// storage.store_token_data(TokenStorageData::new("rs", "scope", "AT", 1_000))?;
/// assert!(storage.get_token_data("rs").unwrap_err().to_string().contains("expired at 1970-01-01T00:16:40Z"));
/// # Ok::<(), scitoken_storage::StorageError>(())
/// ```
#[derive(Debug)]
pub struct ValidatingTokenStorage<S> {
    inner: S,
    validators: Vec<Box<dyn TokenDataValidator>>,
    identity_id: Mutex<Option<String>>,
}

#[derive(Clone, Copy)]
enum Hook {
    BeforeStore,
    AfterRetrieve,
}

impl<S: TokenStorage> ValidatingTokenStorage<S> {
    /// Wraps a storage, without validators.
    ///
    /// # Errors
    /// When the storage cannot be read, or has tokens of several identities.
    pub fn new(inner: S) -> Result<Self, StorageError> {
        let tokens = inner.get_token_data_by_resource_server()?;
        let identity_id = identity_of(&tokens).map_err(|kind| kind.at(inner.label()))?.map(str::to_owned);
        Ok(Self { inner, validators: Vec::new(), identity_id: Mutex::new(identity_id) })
    }

    /// Adds a validator; it runs after those added before.
    pub fn with_validator(mut self, validator: impl TokenDataValidator) -> Self {
        self.validators.push(Box::new(validator));
        self
    }

    /// Returns the identity of the storage's tokens, if known.
    pub fn identity_id(&self) -> Option<String> {
        self.identity_id.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns the inner storage.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Runs the validators in order; returns the identity that the data names.
    fn validate<'t>(&self, hook: Hook, tokens: &'t TokenDataMap) -> Result<Option<&'t str>, StorageError> {
        let prior = self.identity_id();
        let found = identity_of(tokens).map_err(|kind| kind.at(self.label()))?;
        let context =
            TokenValidationContext { prior_identity_id: prior.as_deref(), token_data_identity_id: found };
        for validator in &self.validators {
            match hook {
                Hook::BeforeStore => validator.before_store(tokens, &context),
                Hook::AfterRetrieve => validator.after_retrieve(tokens, &context),
            }
            .map_err(|error| Kind::Validation(error).at(self.label()))?;
        }
        Ok(found)
    }

    /// Remembers the identity, unless it is known already.
    fn remember_identity(&self, identity_id: Option<&str>) {
        let mut known = self.identity_id.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_none() {
            *known = identity_id.map(str::to_owned);
        }
    }
}

impl<S: TokenStorage> TokenStorage for ValidatingTokenStorage<S> {
    fn namespace(&self) -> &str {
        self.inner.namespace()
    }

    fn label(&self) -> String {
        self.inner.label()
    }

    fn store_token_data_by_resource_server(&self, tokens: &TokenDataMap) -> Result<(), StorageError> {
        let identity_id = self.validate(Hook::BeforeStore, tokens)?;
        self.inner.store_token_data_by_resource_server(tokens)?;
        self.remember_identity(identity_id);
        Ok(())
    }

    fn get_token_data_by_resource_server(&self) -> Result<TokenDataMap, StorageError> {
        let tokens = self.inner.get_token_data_by_resource_server()?;
        let identity_id = self.validate(Hook::AfterRetrieve, &tokens)?;
        self.remember_identity(identity_id);
        Ok(tokens)
    }

    fn get_token_data(&self, resource_server: &str) -> Result<Option<TokenStorageData>, StorageError> {
        let Some(data) = self.inner.get_token_data(resource_server)? else {
            let missing = TokenValidationError::MissingToken {
                what: "token data",
                resource_server: resource_server.to_owned(),
            };
            return Err(Kind::Validation(missing).at(self.label()));
        };
        // Under the name inside the entry, as in the SDK.
        let tokens = TokenDataMap::from(data.clone());
        let identity_id = self.validate(Hook::AfterRetrieve, &tokens)?;
        self.remember_identity(identity_id);
        Ok(Some(data))
    }

    fn remove_token_data(&self, resource_server: &str) -> Result<bool, StorageError> {
        self.inner.remove_token_data(resource_server)
    }

    fn prepare(&self) -> Result<(), StorageError> {
        self.inner.prepare()
    }

    fn try_lock_for_renewal(&self) -> Result<Option<RenewalLock>, StorageError> {
        self.inner.try_lock_for_renewal()
    }

    /// A refresh does not change the identity: the known one stays, whatever the answer says.
    fn store_token_response(&self, response: &TokenResponse) -> Result<(), StorageError> {
        let tokens = response.token_data().map_err(|error| Kind::Response(error).at(self.label()))?;
        let tokens = if response.is_refresh() {
            let identity_id = self.identity_id();
            let tokens = completed(&self.inner, tokens)?;
            match identity_id {
                Some(known) => {
                    tokens.into_iter().map(|(name, data)| (name, data.with_identity(Some(&known)))).collect()
                }
                None => tokens,
            }
        } else {
            tokens
        };
        self.store_token_data_by_resource_server(&tokens)
    }
}

/// Returns the identity that the entries name; entries without one are ignored.
fn identity_of(tokens: &TokenDataMap) -> Result<Option<&str>, Kind> {
    let identities: BTreeSet<_> = tokens.iter().filter_map(|(_, data)| data.identity_id()).collect();
    if identities.len() > 1 {
        return Err(Kind::MixedIdentities(
            identities.into_iter().map(scitoken_types::redact::text).collect(),
        ));
    }
    Ok(identities.into_iter().next())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::SystemTime;

    use super::super::super::memory::MemoryTokenStorage;
    use super::super::UnchangingIdentityIdValidator;
    use super::*;
    use crate::storage::IdentityValidationError;

    #[derive(Clone, Debug)]
    struct RecordingValidator {
        name: &'static str,
        refuses: bool,
        seen: Arc<Mutex<Vec<String>>>,
    }

    impl RecordingValidator {
        fn record(&self, hook: &str, tokens: &TokenDataMap, context: &TokenValidationContext<'_>) -> bool {
            let names = tokens.iter().map(|(name, _)| name).collect::<Vec<_>>().join(",");
            self.seen.lock().unwrap().push(format!(
                "{} {hook} [{names}] {:?}>{:?}",
                self.name, context.prior_identity_id, context.token_data_identity_id
            ));
            self.refuses
        }
    }

    impl TokenDataValidator for RecordingValidator {
        fn before_store(
            &self,
            tokens: &TokenDataMap,
            context: &TokenValidationContext<'_>,
        ) -> Result<(), TokenValidationError> {
            if self.record("store", tokens, context) {
                Err(TokenValidationError::other("no"))
            } else {
                Ok(())
            }
        }

        fn after_retrieve(
            &self,
            tokens: &TokenDataMap,
            context: &TokenValidationContext<'_>,
        ) -> Result<(), TokenValidationError> {
            self.record("retrieve", tokens, context);
            Ok(())
        }
    }

    fn recording(name: &'static str, refuses: bool) -> RecordingValidator {
        RecordingValidator { name, refuses, seen: Arc::default() }
    }

    fn data(resource_server: &str) -> TokenStorageData {
        TokenStorageData::new(resource_server, "scope", "AT", 1_000)
    }

    #[test]
    fn hooks_run_in_order_around_the_inner_storage() {
        let first = recording("first", false);
        let second = RecordingValidator { name: "second", ..first.clone() };
        let storage = ValidatingTokenStorage::new(MemoryTokenStorage::new())
            .unwrap()
            .with_validator(first.clone())
            .with_validator(second);
        storage.store_token_data(data("rs").with_identity_id("A")).unwrap();
        storage.get_token_data("rs").unwrap();
        storage.remove_token_data("rs").unwrap();
        storage.get_token_data_by_resource_server().unwrap();
        assert!(storage.get_token_data("rs").unwrap_err().to_string().contains("no token data for `rs`"));
        assert_eq!(
            *first.seen.lock().unwrap(),
            [
                "first store [rs] None>Some(\"A\")",
                "second store [rs] None>Some(\"A\")",
                "first retrieve [rs] Some(\"A\")>Some(\"A\")",
                "second retrieve [rs] Some(\"A\")>Some(\"A\")",
                "first retrieve [] Some(\"A\")>None",
                "second retrieve [] Some(\"A\")>None",
            ]
        );
    }

    #[test]
    fn a_refused_store_stores_nothing_runs_no_other_validator_and_sets_no_identity() {
        let inner = MemoryTokenStorage::new();
        let later = recording("later", false);
        let storage = ValidatingTokenStorage::new(inner.clone())
            .unwrap()
            .with_validator(recording("first", true))
            .with_validator(later.clone());
        let error = storage.store_token_data(data("rs").with_identity_id("A")).unwrap_err();
        assert!(error.validation().is_some());
        assert!(later.seen.lock().unwrap().is_empty());
        assert!(inner.get_token_data_by_resource_server().unwrap().is_empty());
        assert_eq!(storage.identity_id(), None);
    }

    #[test]
    fn tokens_of_several_identities_are_refused_wherever_they_come_from() {
        let inner = MemoryTokenStorage::new();
        let storage = ValidatingTokenStorage::new(inner.clone()).unwrap();
        let mixed: TokenDataMap =
            [data("a").with_identity_id("A"), data("b").with_identity_id("B"), data("c")]
                .into_iter()
                .collect();
        assert!(storage.store_token_data_by_resource_server(&mixed).is_err());
        inner.store_token_data_by_resource_server(&mixed).unwrap();
        let error = ValidatingTokenStorage::new(inner).unwrap_err();
        assert!(error.to_string().contains("several identities: A, B"), "{error}");
    }

    #[test]
    fn a_refresh_keeps_the_known_identity_and_the_refresh_token() {
        let storage = ValidatingTokenStorage::new(MemoryTokenStorage::new())
            .unwrap()
            .with_validator(UnchangingIdentityIdValidator);
        storage.store_token_data(data("rs").with_identity_id("A").with_refresh_token("RT")).unwrap();
        let answer = r#"{"access_token": "AT2", "resource_server": "rs", "expires_in": 5}"#;
        let response = TokenResponse::from_json(answer, SystemTime::UNIX_EPOCH).unwrap();
        storage.store_token_response(&response.clone().for_refresh().with_identity_id("B")).unwrap();
        let stored = storage.get_token_data("rs").unwrap().unwrap();
        assert_eq!(
            (stored.identity_id(), stored.expose_refresh_token(), stored.expose_access_token()),
            (Some("A"), Some("RT"), "AT2")
        );
        let error = storage.store_token_response(&response.with_identity_id("B")).unwrap_err();
        assert!(matches!(
            error.validation(),
            Some(TokenValidationError::Identity(IdentityValidationError::Mismatch { .. }))
        ));
    }
}
