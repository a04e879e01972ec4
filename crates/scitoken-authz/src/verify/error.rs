//! Why a token could not be verified.

use std::sync::Arc;

use crate::{AuthorizationError, InvalidMetadata, Issuer};
use scitoken_jwt::fetch::FetchError;
use scitoken_jwt::keys::KeyError;

/// Why a token was not verified: it is invalid, or the keys of its issuer are not available.
///
/// A server answers `401` to the first and `503` to the second.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The token is invalid.
    #[error(transparent)]
    Token(#[from] AuthorizationError),
    /// The keys of the token's issuer, which is trusted, could not be obtained, and no unexpired ones are cached.
    #[error("failed to obtain the keys of issuer `{issuer}`")]
    Keys {
        /// The issuer.
        issuer: Issuer,
        /// The cause.
        #[source]
        source: Arc<KeysError>,
    },
}

impl VerifyError {
    /// Returns the rule that the token broke, if the token is the cause.
    pub fn token_error(&self) -> Option<&AuthorizationError> {
        match self {
            Self::Token(refusal) => Some(refusal),
            Self::Keys { .. } => None,
        }
    }
}

/// Why the keys of an issuer could not be obtained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// The metadata or the keys could not be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The metadata is refused.
    #[error("the metadata at `{url}` is refused")]
    Metadata {
        /// The URL of the metadata.
        url: String,
        /// The cause.
        #[source]
        source: InvalidMetadata,
    },
    /// No metadata exists at any of the well-known URLs.
    #[error("found no issuer metadata at `{url}` or any other well-known URL")]
    NoMetadata {
        /// The URL that is tried first.
        url: String,
        /// The error there.
        #[source]
        source: FetchError,
    },
    /// The document at `jwks_uri` is not a key set.
    #[error("the document at `{url}` is not a key set")]
    KeySet {
        /// The URL of the key set.
        url: String,
        /// What it is instead.
        #[source]
        source: KeyError,
    },
    /// The key set has no usable key.
    #[error("the key set at `{url}` has no usable key; {skipped} were skipped")]
    NoKeys {
        /// The URL of the key set.
        url: String,
        /// How many members were skipped.
        skipped: usize,
        /// Why the first of them was skipped.
        #[source]
        source: Option<KeyError>,
    },
    /// The fetch was interrupted by the end of the runtime.
    #[error("the fetch was interrupted")]
    Interrupted,
}

impl KeysError {
    /// Returns whether a policy of this library stopped the request: keys are fetched over `https` only, and without
    /// credentials.
    pub fn is_refused_by_policy(&self) -> bool {
        match self {
            Self::Fetch(error) | Self::NoMetadata { source: error, .. } => error.is_refused_by_policy(),
            Self::Metadata { source, .. } => matches!(source, InvalidMetadata::InsecureKeys(_)),
            Self::KeySet { .. } | Self::NoKeys { .. } | Self::Interrupted => false,
        }
    }

    /// Returns whether a later attempt may succeed.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Fetch(error) | Self::NoMetadata { source: error, .. } => error.is_transient(),
            Self::Interrupted => true,
            Self::Metadata { .. } | Self::KeySet { .. } | Self::NoKeys { .. } => false,
        }
    }
}
