//! A token that the program was given.

use super::{SourceError, TokenRequest, TokenSource};
use crate::token::AccessToken;

/// Always the same token.
///
/// It is given to every server that is asked for; which of them may have it is decided where it is attached.
#[derive(Clone, Debug)]
pub struct FixedSource(AccessToken);

impl FixedSource {
    /// Gives this token.
    pub fn new(token: AccessToken) -> Self {
        let token = match token.found_in() {
            Some(_) => token,
            None => token.with_found_in("the program itself"),
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
