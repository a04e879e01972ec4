//! A given token.

use super::{SourceError, TokenRequest, TokenSource};
use scitoken_types::AccessToken;

/// A source that always returns the same token.
///
/// It returns the token for every server; the middleware decides which of them may receive it.
///
/// ```
/// use reqwest_scitokens::AccessToken;
/// use reqwest_scitokens::source::FixedSource;
///
/// let source = FixedSource::new(AccessToken::new("c2VjcmV0")?);
/// # let _ = source;
/// # Ok::<(), reqwest_scitokens::types::InvalidToken>(())
/// ```
#[derive(Clone, Debug)]
pub struct FixedSource(AccessToken);

impl FixedSource {
    /// Returns a source of this token.
    pub fn new(token: AccessToken) -> Self {
        let token = match token.origin_label() {
            Some(_) => token,
            None => token.with_origin_label("the program itself"),
        };
        Self(token)
    }
}

impl From<AccessToken> for super::SharedTokenSource {
    fn from(token: AccessToken) -> Self {
        let source = FixedSource::new(token);
        Self { fixed: Some(source.0.clone()), source: std::sync::Arc::new(source) }
    }
}

impl TokenSource for FixedSource {
    async fn token(&self, request: &TokenRequest<'_>) -> Result<Option<AccessToken>, SourceError> {
        if self.0.is_expired_at(request.now()) {
            return Err(SourceError::expired(&self.0, request.now()));
        }
        Ok(Some(self.0.clone()))
    }
}
