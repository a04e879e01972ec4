//! Rules on what goes into a storage and what comes out.

mod consent;
mod error;
mod requirement;
mod validators;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

pub use consent::{Consent, ConsentError, ConsentSource, Consents};
pub use error::{IdentityValidationError, TokenValidationError};
pub use requirement::{InvalidRequirement, ScopeRequirement};
pub use validators::{
    HasRefreshTokensValidator, NotExpiredValidator, ScopeRequirementsValidator, UnchangingIdentityIdValidator,
};

use super::error::{Kind, StorageError};
use super::lock::RenewalLock;
use super::map::TokenDataMap;
use super::{TokenResponse, TokenStorage, TokenStorageData};

/// A rule on token data.
///
/// Implement what the rule is about; the other hook allows everything.
pub trait TokenDataValidator: std::fmt::Debug + Send + Sync + 'static {
    /// Looks at token data before it is stored; an error keeps it out.
    fn before_store(
        &self,
        tokens: &TokenDataMap,
        context: &TokenValidationContext<'_>,
    ) -> Result<(), TokenValidationError> {
        let _ = (tokens, context);
        Ok(())
    }

    /// Looks at token data that was read; an error keeps it from the caller.
    fn after_retrieve(
        &self,
        tokens: &TokenDataMap,
        context: &TokenValidationContext<'_>,
    ) -> Result<(), TokenValidationError> {
        let _ = (tokens, context);
        Ok(())
    }
}

/// Whose tokens the storage and the data at hand hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenValidationContext<'a> {
    /// The identity that the storage held tokens of before, if any.
    pub prior_identity_id: Option<&'a str>,
    /// The identity that the data at hand belongs to, if it says so.
    pub token_data_identity_id: Option<&'a str>,
}

/// A storage that asks validators before it stores and after it reads.
///
/// * A store: every validator's [`before_store`](TokenDataValidator::before_store) in order, then the inner
///   storage. The first objection ends it, and nothing is stored.
/// * A read: the inner storage, then every [`after_retrieve`](TokenDataValidator::after_retrieve) in order. Reading
///   an entry that is not there is [`TokenValidationError::MissingToken`], before any validator is asked.
/// * A removal asks nobody.
///
/// It remembers whose tokens it holds: from what is in the inner storage when it is made, else from the first data
/// that was stored. Unlike in the SDK, data that was refused leaves no trace.
///
/// ```
/// use reqwest_scitokens::storage::{
///     MemoryTokenStorage, NotExpiredValidator, TokenStorage, TokenStorageData, ValidatingTokenStorage,
/// };
///
/// let storage = ValidatingTokenStorage::new(MemoryTokenStorage::new())?.with_validator(NotExpiredValidator::new());
/// storage.store_token_data(TokenStorageData::new("rs", "scope", "AT", 1_000))?;
/// assert!(storage.get_token_data("rs").unwrap_err().to_string().contains("expired at 1970-01-01T00:16:40Z"));
/// # Ok::<(), reqwest_scitokens::storage::StorageError>(())
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
    /// Wraps a storage, with no validator yet.
    ///
    /// # Errors
    /// When the storage cannot be read, or holds tokens of several identities.
    pub fn new(inner: S) -> Result<Self, StorageError> {
        let tokens = inner.get_token_data_by_resource_server()?;
        let identity_id = identity_of(&tokens).map_err(|kind| kind.at(inner.place()))?.map(str::to_owned);
        Ok(Self { inner, validators: Vec::new(), identity_id: Mutex::new(identity_id) })
    }

    /// Adds a validator; it is asked after those added before.
    pub fn with_validator(mut self, validator: impl TokenDataValidator) -> Self {
        self.validators.push(Box::new(validator));
        self
    }

    /// Whose tokens the storage holds, if known.
    pub fn identity_id(&self) -> Option<String> {
        self.identity_id.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The storage inside.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    /// Asks the validators in order. Gives the identity that the data belongs to.
    fn validate<'t>(&self, hook: Hook, tokens: &'t TokenDataMap) -> Result<Option<&'t str>, StorageError> {
        let prior = self.identity_id();
        let found = identity_of(tokens).map_err(|kind| kind.at(self.place()))?;
        let context =
            TokenValidationContext { prior_identity_id: prior.as_deref(), token_data_identity_id: found };
        for validator in &self.validators {
            match hook {
                Hook::BeforeStore => validator.before_store(tokens, &context),
                Hook::AfterRetrieve => validator.after_retrieve(tokens, &context),
            }
            .map_err(|error| Kind::Validation(error).at(self.place()))?;
        }
        Ok(found)
    }

    /// Remembers whose tokens these are, unless that is known already.
    fn learn(&self, identity_id: Option<&str>) {
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

    fn place(&self) -> String {
        self.inner.place()
    }

    fn store_token_data_by_resource_server(&self, tokens: &TokenDataMap) -> Result<(), StorageError> {
        let identity_id = self.validate(Hook::BeforeStore, tokens)?;
        self.inner.store_token_data_by_resource_server(tokens)?;
        self.learn(identity_id);
        Ok(())
    }

    fn get_token_data_by_resource_server(&self) -> Result<TokenDataMap, StorageError> {
        let tokens = self.inner.get_token_data_by_resource_server()?;
        let identity_id = self.validate(Hook::AfterRetrieve, &tokens)?;
        self.learn(identity_id);
        Ok(tokens)
    }

    fn get_token_data(&self, resource_server: &str) -> Result<Option<TokenStorageData>, StorageError> {
        let Some(data) = self.inner.get_token_data(resource_server)? else {
            let missing = TokenValidationError::MissingToken {
                what: "token data",
                resource_server: resource_server.to_owned(),
            };
            return Err(Kind::Validation(missing).at(self.place()));
        };
        // Under the entry's own name, as in the SDK.
        let tokens = TokenDataMap::from(data.clone());
        let identity_id = self.validate(Hook::AfterRetrieve, &tokens)?;
        self.learn(identity_id);
        Ok(Some(data))
    }

    fn remove_token_data(&self, resource_server: &str) -> Result<bool, StorageError> {
        self.inner.remove_token_data(resource_server)
    }

    fn try_lock_for_renewal(&self) -> Result<Option<RenewalLock>, StorageError> {
        self.inner.try_lock_for_renewal()
    }

    /// A refresh does not change whose tokens they are: the known identity stays, whatever the answer says.
    fn store_token_response(&self, response: &TokenResponse) -> Result<(), StorageError> {
        let tokens = response.token_data().map_err(|error| Kind::Response(error).at(self.place()))?;
        let tokens = if response.is_refresh() {
            let identity_id = self.identity_id();
            let tokens = super::completed(&self.inner, tokens)?;
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

/// The one identity that token data belongs to; entries that do not say so are nobody's.
fn identity_of(tokens: &TokenDataMap) -> Result<Option<&str>, Kind> {
    let identities: BTreeSet<_> = tokens.iter().filter_map(|(_, data)| data.identity_id()).collect();
    if identities.len() > 1 {
        return Err(Kind::MixedIdentities(identities.into_iter().map(crate::redact::text).collect()));
    }
    Ok(identities.into_iter().next())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::SystemTime;

    use super::super::MemoryTokenStorage;
    use super::*;

    #[derive(Clone, Debug)]
    struct Witness {
        name: &'static str,
        refuses: bool,
        seen: Arc<Mutex<Vec<String>>>,
    }

    impl Witness {
        fn say(&self, hook: &str, tokens: &TokenDataMap, context: &TokenValidationContext<'_>) -> bool {
            let names = tokens.iter().map(|(name, _)| name).collect::<Vec<_>>().join(",");
            self.seen.lock().unwrap().push(format!(
                "{} {hook} [{names}] {:?}>{:?}",
                self.name, context.prior_identity_id, context.token_data_identity_id
            ));
            self.refuses
        }
    }

    impl TokenDataValidator for Witness {
        fn before_store(
            &self,
            tokens: &TokenDataMap,
            context: &TokenValidationContext<'_>,
        ) -> Result<(), TokenValidationError> {
            if self.say("store", tokens, context) { Err(TokenValidationError::other("no")) } else { Ok(()) }
        }

        fn after_retrieve(
            &self,
            tokens: &TokenDataMap,
            context: &TokenValidationContext<'_>,
        ) -> Result<(), TokenValidationError> {
            self.say("retrieve", tokens, context);
            Ok(())
        }
    }

    fn witness(name: &'static str, refuses: bool) -> Witness {
        Witness { name, refuses, seen: Arc::default() }
    }

    fn data(resource_server: &str) -> TokenStorageData {
        TokenStorageData::new(resource_server, "scope", "AT", 1_000)
    }

    #[test]
    fn hooks_run_in_order_around_the_inner_storage() {
        let first = witness("first", false);
        let second = Witness { name: "second", ..first.clone() };
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
    fn a_store_that_is_refused_stores_nothing_asks_nobody_else_and_pins_no_identity() {
        let inner = MemoryTokenStorage::new();
        let later = witness("later", false);
        let storage = ValidatingTokenStorage::new(inner.clone())
            .unwrap()
            .with_validator(witness("first", true))
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
