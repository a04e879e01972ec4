//! Objects as sources and destinations of copies between servers.

use reqwest_scitokens::SharedTokenSource;
use url::Url;

use crate::error::{FailureKind, TransferError};
use crate::federation::handle::Federation;
use crate::federation::tokens::ObjectAccess;
use crate::object_name::url::FederationUrl;

/// The server at one end of a copy, and the tokens for it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CopyPlace {
    /// The URL of the object at the server.
    pub url: Url,
    /// Tokens that fit the namespace; none where it requires none.
    pub tokens: SharedTokenSource,
}

impl Federation {
    /// Returns the server from which an object is copied: its origin, which can send it to others, or a cache where the
    /// namespace does not allow direct reads.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve); [`FailureKind::NoToken`] when the namespace requires a token and none fits.
    pub async fn copy_source(&self, url: &FederationUrl) -> Result<CopyPlace, TransferError> {
        let object = match self.resolve_origins(url).await {
            Err(failure) if failure.kind() == FailureKind::Rejected => self.resolve(url).await?,
            resolved => resolved?,
        };
        let tokens = self.tokens_for(&object, ObjectAccess::Read).await?;
        Ok(CopyPlace { url: object.servers()[0].clone(), tokens })
    }

    /// Returns the origin to which an object is copied.
    ///
    /// # Errors
    /// As [`resolve_for_writing`](Self::resolve_for_writing); [`FailureKind::NoToken`] when no token permits to store the
    /// object.
    pub async fn copy_destination(&self, url: &FederationUrl) -> Result<CopyPlace, TransferError> {
        let object = self.resolve_for_writing(url).await?;
        let tokens = self.tokens_for(&object, ObjectAccess::Write).await?;
        Ok(CopyPlace { url: object.servers()[0].clone(), tokens })
    }
}
