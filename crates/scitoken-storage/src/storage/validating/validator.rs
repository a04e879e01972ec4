//! The trait of the rules.

use super::super::validation::TokenValidationError;
use crate::entry::TokenDataMap;

/// A rule for token data. The default of both methods accepts everything.
///
/// ```
/// use scitoken_storage::{TokenDataMap, TokenDataValidator, TokenValidationContext, TokenValidationError};
///
/// #[derive(Debug)]
/// struct OneEntry;
///
/// impl TokenDataValidator for OneEntry {
///     fn before_store(
///         &self,
///         tokens: &TokenDataMap,
///         _context: &TokenValidationContext<'_>,
///     ) -> Result<(), TokenValidationError> {
///         if tokens.len() == 1 { Ok(()) } else { Err(TokenValidationError::other("one entry at a time")) }
///     }
/// }
/// ```
pub trait TokenDataValidator: std::fmt::Debug + Send + Sync + 'static {
    /// Validates token data before it is stored; after an error nothing is stored.
    fn before_store(
        &self,
        tokens: &TokenDataMap,
        context: &TokenValidationContext<'_>,
    ) -> Result<(), TokenValidationError> {
        let _ = (tokens, context);
        Ok(())
    }

    /// Validates token data that was read; after an error it is not returned.
    fn after_retrieve(
        &self,
        tokens: &TokenDataMap,
        context: &TokenValidationContext<'_>,
    ) -> Result<(), TokenValidationError> {
        let _ = (tokens, context);
        Ok(())
    }
}

/// The identities of the storage and of the data that is validated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenValidationContext<'a> {
    /// The identity whose tokens the storage had before, if any.
    pub prior_identity_id: Option<&'a str>,
    /// The identity that the data names, if any.
    pub token_data_identity_id: Option<&'a str>,
}
