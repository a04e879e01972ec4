//! The four validators of the SDK.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::super::validation::{IdentityValidationError, ScopeRequirement, TokenValidationError};
use super::consent::{ConsentSource, Consents};
use super::validator::{TokenDataValidator, TokenValidationContext};
use crate::entry::TokenDataMap;
use scitoken_types::sys::SharedClock;

/// Refuses to return expired tokens. A token is valid in its last second.
///
/// ```
/// use scitoken_storage::{MemoryTokenStorage, NotExpiredValidator, ValidatingTokenStorage};
///
/// let storage = ValidatingTokenStorage::new(MemoryTokenStorage::new())?.with_validator(NotExpiredValidator::new());
/// # let _ = storage;
/// # Ok::<(), scitoken_storage::StorageError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct NotExpiredValidator {
    clock: SharedClock,
}

impl NotExpiredValidator {
    /// Creates a validator that uses the system clock.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the clock.
    pub fn with_clock(self, clock: impl Into<SharedClock>) -> Self {
        Self { clock: clock.into() }
    }
}

impl TokenDataValidator for NotExpiredValidator {
    fn after_retrieve(
        &self,
        tokens: &TokenDataMap,
        _context: &TokenValidationContext<'_>,
    ) -> Result<(), TokenValidationError> {
        let now = self.clock.now();
        match tokens.iter().find(|(_, data)| data.expires_at() < now) {
            Some((resource_server, data)) => Err(TokenValidationError::Expired {
                resource_server: resource_server.to_owned(),
                expiration: data.expires_at(),
            }),
            None => Ok(()),
        }
    }
}

/// Refuses to return token data without a refresh token. An empty refresh token counts as one, as in the SDK.
#[derive(Clone, Copy, Debug, Default)]
pub struct HasRefreshTokensValidator;

impl TokenDataValidator for HasRefreshTokensValidator {
    fn after_retrieve(
        &self,
        tokens: &TokenDataMap,
        _context: &TokenValidationContext<'_>,
    ) -> Result<(), TokenValidationError> {
        match tokens.iter().find(|(_, data)| !data.has_refresh_token()) {
            Some((resource_server, _)) => Err(TokenValidationError::MissingToken {
                what: "refresh token",
                resource_server: resource_server.to_owned(),
            }),
            None => Ok(()),
        }
    }
}

/// Refuses to store token data without an identity, or of another identity than before.
#[derive(Clone, Copy, Debug, Default)]
pub struct UnchangingIdentityIdValidator;

impl TokenDataValidator for UnchangingIdentityIdValidator {
    fn before_store(
        &self,
        _tokens: &TokenDataMap,
        context: &TokenValidationContext<'_>,
    ) -> Result<(), TokenValidationError> {
        let new_id = context.token_data_identity_id.ok_or(IdentityValidationError::Missing)?;
        match context.prior_identity_id {
            Some(stored_id) if stored_id != new_id => Err(IdentityValidationError::Mismatch {
                stored_id: stored_id.to_owned(),
                new_id: new_id.to_owned(),
            }
            .into()),
            _ => Ok(()),
        }
    }
}

/// Refuses to store or return tokens without the required scopes. If the data names an identity and a
/// [`ConsentSource`] is set, it also refuses to return tokens without the consents that the scopes depend on.
///
/// Consents that met the requirements are remembered. Those that did not are looked up again, because the user may have
/// consented since.
///
/// ```
/// use scitoken_storage::ScopeRequirementsValidator;
///
/// let validator = ScopeRequirementsValidator::new().with_requirements("transfer.api.globus.org", ["urn:x:all".parse()?]);
/// # let _ = validator;
/// # Ok::<(), scitoken_storage::InvalidScopeRequirement>(())
/// ```
#[derive(Debug)]
pub struct ScopeRequirementsValidator {
    requirements: BTreeMap<String, Vec<ScopeRequirement>>,
    source: Option<Box<dyn ConsentSource>>,
    known: Mutex<Option<Consents>>,
}

impl ScopeRequirementsValidator {
    /// Creates a validator without requirements.
    pub fn new() -> Self {
        Self { requirements: BTreeMap::new(), source: None, known: Mutex::new(None) }
    }

    /// Requires scopes of the token of one resource server.
    pub fn with_requirements(
        mut self,
        resource_server: impl Into<String>,
        scopes: impl IntoIterator<Item = ScopeRequirement>,
    ) -> Self {
        self.requirements.entry(resource_server.into()).or_default().extend(scopes);
        self
    }

    /// Sets the source of consents. Without a source, dependencies of scopes are not checked.
    pub fn with_consents(mut self, source: impl ConsentSource) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    fn check_roots(&self, tokens: &TokenDataMap) -> Result<(), TokenValidationError> {
        for (resource_server, data) in tokens.iter() {
            let unmet: Vec<_> = self
                .required(resource_server)
                .iter()
                .filter(|requirement| !data.scopes().any(|scope| scope == requirement.scope()))
                .cloned()
                .collect();
            if !unmet.is_empty() {
                let resource_server = resource_server.to_owned();
                return Err(TokenValidationError::UnmetScopes { resource_server, unmet });
            }
        }
        Ok(())
    }

    fn check_dependencies(
        &self,
        tokens: &TokenDataMap,
        identity_id: Option<&str>,
    ) -> Result<(), TokenValidationError> {
        let (Some(source), Some(identity_id)) = (&self.source, identity_id) else { return Ok(()) };
        for (resource_server, _) in tokens.iter() {
            let deep = || self.required(resource_server).iter().filter(|r| !r.dependencies().is_empty());
            let met_before = {
                let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                deep().all(|requirement| known.as_ref().is_some_and(|consents| consents.meets(requirement)))
            };
            if met_before {
                continue;
            }
            let consents = source.consents(identity_id).map_err(|source| TokenValidationError::Other {
                message: format!("failed to look up the consents for `{resource_server}`"),
                source: Some(source),
            })?;
            let unmet: Vec<_> = deep().filter(|requirement| !consents.meets(requirement)).cloned().collect();
            if !unmet.is_empty() {
                let resource_server = resource_server.to_owned();
                return Err(TokenValidationError::UnmetDependentScopes { resource_server, unmet });
            }
            *self.known.lock().unwrap_or_else(PoisonError::into_inner) = Some(consents);
        }
        Ok(())
    }

    fn required(&self, resource_server: &str) -> &[ScopeRequirement] {
        self.requirements.get(resource_server).map(Vec::as_slice).unwrap_or_default()
    }
}

impl Default for ScopeRequirementsValidator {
    fn default() -> Self {
        Self::new()
    }
}

impl TokenDataValidator for ScopeRequirementsValidator {
    fn before_store(
        &self,
        tokens: &TokenDataMap,
        _context: &TokenValidationContext<'_>,
    ) -> Result<(), TokenValidationError> {
        self.check_roots(tokens)
    }

    fn after_retrieve(
        &self,
        tokens: &TokenDataMap,
        context: &TokenValidationContext<'_>,
    ) -> Result<(), TokenValidationError> {
        self.check_roots(tokens)?;
        self.check_dependencies(tokens, context.token_data_identity_id)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::consent::{Consent, ConsentError};
    use super::*;
    use crate::entry::TokenStorageData;
    use scitoken_types::sys::ManualClock;

    const UNKNOWN_IDENTITY: TokenValidationContext<'_> =
        TokenValidationContext { prior_identity_id: None, token_data_identity_id: None };

    fn tokens(scope: &str) -> TokenDataMap {
        TokenStorageData::new("rs", scope, "AT", 1_000).into()
    }

    #[test]
    fn a_token_is_valid_in_its_last_second() {
        let clock = ManualClock::at_epoch_seconds(1_000);
        let validator = NotExpiredValidator::new().with_clock(clock.clone());
        assert!(validator.after_retrieve(&tokens("s"), &UNKNOWN_IDENTITY).is_ok());
        clock.advance(std::time::Duration::from_secs(1));
        let error = validator.after_retrieve(&tokens("s"), &UNKNOWN_IDENTITY).unwrap_err();
        assert_eq!(error.to_string(), "the token for `rs` expired at 1970-01-01T00:16:40Z");
        assert!(validator.before_store(&tokens("s"), &UNKNOWN_IDENTITY).is_ok());
    }

    #[test]
    fn an_extreme_expiry_is_reported_without_a_panic() {
        let ancient: TokenDataMap = TokenStorageData::new("rs", "s", "AT", i64::MIN).into();
        let error = NotExpiredValidator::new().after_retrieve(&ancient, &UNKNOWN_IDENTITY).unwrap_err();
        assert!(error.to_string().contains("expired at"), "{error}");
    }

    #[test]
    fn an_empty_refresh_token_is_one() {
        let data = TokenStorageData::new("rs", "s", "AT", 1_000);
        let validator = HasRefreshTokensValidator;
        assert_eq!(
            validator.after_retrieve(&data.clone().into(), &UNKNOWN_IDENTITY).unwrap_err().to_string(),
            "no refresh token for `rs`"
        );
        assert!(validator.after_retrieve(&data.with_refresh_token("").into(), &UNKNOWN_IDENTITY).is_ok());
    }

    #[test]
    fn an_identity_must_be_named_and_must_not_change() {
        let check = |prior_identity_id, token_data_identity_id| {
            let context = TokenValidationContext { prior_identity_id, token_data_identity_id };
            UnchangingIdentityIdValidator.before_store(&tokens("s"), &context)
        };
        assert!(check(None, Some("A")).is_ok());
        assert!(check(Some("A"), Some("A")).is_ok());
        assert!(check(Some("A"), None).unwrap_err().to_string().contains("openid"));
        assert!(check(Some("A"), Some("a")).unwrap_err().to_string().contains("`a`"));
    }

    #[test]
    fn required_scopes_are_looked_for_word_by_word() {
        let validator = ScopeRequirementsValidator::new()
            .with_requirements("rs", ["a".parse().unwrap(), "b[c]".parse().unwrap()]);
        assert!(validator.before_store(&tokens("x\u{a0}b\ta"), &UNKNOWN_IDENTITY).is_ok());
        assert_eq!(
            validator.before_store(&tokens("a bb"), &UNKNOWN_IDENTITY).unwrap_err().to_string(),
            "unmet scope requirements for `rs`: `b[c]`"
        );
        let other: TokenDataMap = TokenStorageData::new("other", "", "AT", 1).into();
        assert!(validator.before_store(&other, &UNKNOWN_IDENTITY).is_ok());
        assert!(validator.after_retrieve(&tokens("a b"), &UNKNOWN_IDENTITY).is_ok());
    }

    #[derive(Debug, Clone, Default)]
    struct Lookup(Arc<AtomicUsize>);

    impl ConsentSource for Lookup {
        fn consents(&self, identity_id: &str) -> Result<Consents, ConsentError> {
            assert_eq!(identity_id, "A");
            // The user consents between the first and the second look-up.
            let roots = [Consent::new(1, "b", [1])];
            let deep = [Consent::new(2, "c", [1, 2])];
            Ok(match self.0.fetch_add(1, Ordering::SeqCst) {
                0 => roots.into_iter().collect(),
                1 => roots.into_iter().chain(deep).collect(),
                _ => return Err("asked too often".into()),
            })
        }
    }

    #[test]
    fn consents_are_looked_up_until_they_suffice_and_then_remembered() {
        let lookup = Lookup::default();
        let validator = ScopeRequirementsValidator::new()
            .with_requirements("rs", ["b[c]".parse().unwrap()])
            .with_consents(lookup.clone());
        let known = TokenValidationContext { prior_identity_id: None, token_data_identity_id: Some("A") };
        assert!(
            validator.after_retrieve(&tokens("b"), &UNKNOWN_IDENTITY).is_ok(),
            "without an identity no consents are looked up"
        );
        assert!(matches!(
            validator.after_retrieve(&tokens("b"), &known),
            Err(TokenValidationError::UnmetDependentScopes { .. })
        ));
        assert!(validator.after_retrieve(&tokens("b"), &known).is_ok());
        assert!(validator.after_retrieve(&tokens("b"), &known).is_ok());
        assert_eq!(lookup.0.load(Ordering::SeqCst), 2);
    }
}
