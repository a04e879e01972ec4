//! Why a token could not be verified.

use std::sync::Arc;

use super::super::{InvalidMetadata, Issuer, Refusal};
use crate::keys::fetch::FetchError;

/// A token was not verified: it is bad, or its issuer's keys are not to be had.
///
/// A server answers `401` to the first and `503` to the second.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The token is refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The keys of the token's issuer, which is trusted, cannot be had, and none are kept that are still good.
    #[error("the keys of issuer `{issuer}` are not to be had")]
    Keys {
        /// The issuer.
        issuer: Issuer,
        /// Why.
        #[source]
        source: Arc<KeysError>,
    },
}

impl VerifyError {
    /// The rule that the token broke, if it was the token's fault.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            Self::Keys { .. } => None,
        }
    }
}

/// Why the keys of an issuer are not to be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// The metadata, or the keys, cannot be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The metadata is not believed.
    #[error("`{url}` cannot be believed")]
    Metadata {
        /// Where it came from.
        url: String,
        /// Why.
        #[source]
        source: InvalidMetadata,
    },
    /// There is no metadata in any of the places where it could be.
    #[error("the issuer has no metadata in any of the usual places, the first of which is `{url}`")]
    NoMetadata {
        /// The place that is asked first.
        url: String,
        /// What happened there.
        #[source]
        source: FetchError,
    },
    /// The key set has no key in it that can be used.
    #[error("`{url}` has no key in it that can be used")]
    NoKeys {
        /// Where it came from.
        url: String,
    },
    /// The work was cut short by the end of the program.
    #[error("the work was cut short")]
    Interrupted,
}

impl KeysError {
    /// Whether the same may work later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Fetch(error) | Self::NoMetadata { source: error, .. } => error.is_transient(),
            Self::Interrupted => true,
            Self::Metadata { .. } | Self::NoKeys { .. } => false,
        }
    }
}
