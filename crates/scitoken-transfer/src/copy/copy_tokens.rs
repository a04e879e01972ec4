//! The tokens of one attempt to copy a file.

use http::Method;
use scitoken_types::AccessToken;
use url::Url;

use crate::copy::copier::Copier;
use crate::copy::job::CopyRoute;
use crate::error::TransferError;

/// The tokens of one attempt, as far as another server may use them.
#[derive(Debug)]
pub(crate) struct CopyTokens {
    source: Option<AccessToken>,
    destination: Option<AccessToken>,
}

impl CopyTokens {
    /// Returns the token that the server that moves the data needs at the other one.
    pub(crate) fn into_handed_over(self, route: CopyRoute) -> Option<AccessToken> {
        match route {
            CopyRoute::Pushed => self.destination,
            CopyRoute::Pulled | CopyRoute::Streamed | CopyRoute::Unneeded => self.source,
        }
    }
}

impl Copier {
    /// Reads the tokens of both sides.
    ///
    /// # Errors
    /// [`FailureKind::NoToken`] when a source of tokens fails, or its token is not valid now.
    pub(crate) async fn read_tokens(
        &self,
        source: &Url,
        destination: &Url,
    ) -> Result<CopyTokens, TransferError> {
        let now = self.source.downloader.now();
        Ok(CopyTokens {
            source: self.source.tokens.token_for(source, &Method::GET, now).await?,
            destination: self.destination.tokens.token_for(destination, &Method::PUT, now).await?,
        })
    }
}
