//! The tokens of the two sides of a copy.

use http::Method;
use reqwest_middleware::{ClientBuilder, Extension};
use reqwest_scitokens::auth::AuthOptions;
use reqwest_scitokens::source::TokenSource;
use reqwest_scitokens::{Discovery, SharedTokenSource, SourceError, TokenRequest};
use scitoken_types::{AccessToken, LifetimeFit, Origin, SafeUrl, TokenFit, TokenNeed};
use std::time::SystemTime;
use url::Url;

use crate::downloader::Downloader;
use crate::error::{FailureKind, RetryAction, TransferError};

/// Where the token of a side comes from.
#[derive(Clone, Debug)]
pub(crate) enum SideTokens {
    /// Looked for: one whose audience is another server is not used.
    Found(SharedTokenSource),
    /// The user's choice for this side.
    Given(SharedTokenSource),
}

impl Default for SideTokens {
    fn default() -> Self {
        Self::Found(Discovery::new().into())
    }
}

/// The tokens of a source whose audience fits the server.
#[derive(Debug)]
struct FittingTokens(SharedTokenSource);

impl TokenSource for FittingTokens {
    async fn token(&self, request: &TokenRequest<'_>) -> Result<Option<AccessToken>, SourceError> {
        let Some(token) = self.0.token(request).await? else { return Ok(None) };
        let need = TokenNeed::new(request.url(), request.now());
        if TokenFit::of(&token, &need).audience.fits() {
            return Ok(Some(token));
        }
        request.note(|| "a token is meant for other servers");
        Ok(None)
    }
}

impl SideTokens {
    fn source(&self) -> SharedTokenSource {
        match self {
            Self::Found(source) => FittingTokens(source.clone()).into(),
            Self::Given(source) => source.clone(),
        }
    }

    /// Returns the downloader with these tokens for its own requests.
    pub(crate) fn apply(&self, downloader: &Downloader) -> Downloader {
        let options = AuthOptions::new().token(self.source());
        // The servers of an object have tokens of their own, and are named by a director.
        let options = match self {
            Self::Found(_) => options,
            Self::Given(_) => options.named_by_server(),
        };
        // A later extension replaces an earlier one.
        let client = ClientBuilder::from_client(downloader.client().clone()).with_init(Extension(options));
        downloader.with_client(client.build())
    }

    /// Returns the token that another server may use at `url`; `None` where none was found, or the server has no TLS.
    ///
    /// # Errors
    /// [`FailureKind::NoToken`] when the source fails, or its token is not valid now.
    pub(crate) async fn token_for(
        &self,
        url: &Url,
        method: &Method,
        now: SystemTime,
    ) -> Result<Option<AccessToken>, TransferError> {
        let is_protected = Origin::try_from(url).is_ok_and(|origin| origin.is_trustworthy());
        let Ok(request) = TokenRequest::new(url) else { return Ok(None) };
        if !is_protected {
            return Ok(None);
        }
        let unusable = |what: &str| {
            let message = format!("the token for `{}` {what}", SafeUrl::new(url));
            TransferError::new(FailureKind::NoToken, RetryAction::OtherToken, message)
        };
        let found = self.source().token(&request.at(now).with_method(method)).await;
        let found = found.map_err(|error| unusable("cannot be used").with_source(error))?;
        let Some(token) = found else { return Ok(None) };
        match TokenFit::of(&token, &TokenNeed::new(url, now)).lifetime {
            LifetimeFit::Expired => Err(unusable("has expired")),
            LifetimeFit::NotYet => Err(unusable("is not valid yet")),
            LifetimeFit::Valid | LifetimeFit::ExpiresSoon | LifetimeFit::Unreadable => Ok(Some(token)),
        }
    }
}
