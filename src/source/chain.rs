//! Several sources, one after the other.

use super::{SharedTokenSource, SourceError, TokenRequest, TokenSource};
use scitoken_types::AccessToken;

/// Asks one source after the other until one has a token.
///
/// * A source that has no token is skipped.
/// * A source that fails ends the search with its error, so that no other identity than the configured one is used.
/// * A token that has expired, is about to, or was just refused by the server is used only if no later source has a
///   better one.
///
/// ```
/// use reqwest_scitokens::source::ChainSource;
/// use reqwest_scitokens::{Discovery, FileSource};
///
/// let source = ChainSource::new().then(FileSource::new("/run/job/token")).then(Discovery::new());
/// # let _ = source;
/// ```
#[derive(Clone, Debug, Default)]
pub struct ChainSource(Vec<SharedTokenSource>);

impl ChainSource {
    /// Returns a chain without sources, which has no token.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a source to the end.
    pub fn then(mut self, source: impl Into<SharedTokenSource>) -> Self {
        self.0.push(source.into());
        self
    }
}

impl TokenSource for ChainSource {
    async fn token(&self, request: &TokenRequest<'_>) -> Result<Option<AccessToken>, SourceError> {
        let mut best = BestSoFar::default();
        for source in &self.0 {
            if let Some(token) = best.consider(source.token(request).await, request)? {
                return Ok(Some(token));
            }
        }
        best.conclude()
    }

    fn is_cheap(&self, request: &TokenRequest<'_>) -> bool {
        self.0.iter().all(|source| source.is_cheap(request))
    }
}

/// The best token so far that does not end a search.
#[derive(Debug, Default)]
pub(super) struct BestSoFar {
    short_lived: Option<AccessToken>,
    refused: Option<AccessToken>,
    expired: Option<SourceError>,
}

impl BestSoFar {
    /// Takes one source's answer; returns the token or the error that ends the search.
    pub(super) fn consider(
        &mut self,
        answer: Result<Option<AccessToken>, SourceError>,
        request: &TokenRequest<'_>,
    ) -> Result<Option<AccessToken>, SourceError> {
        let token = match answer {
            Ok(Some(token)) => token,
            Ok(None) => return Ok(None),
            Err(error) if error.is_expired() => {
                self.expired.get_or_insert(error);
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        if request.rejected() == Some(&token) {
            self.refused.get_or_insert(token);
        } else if token.is_expired_at(request.now()) {
            self.expired.get_or_insert(SourceError::expired(&token, request.now()));
        } else if !token.is_valid_for(request.min_validity(), request.now()) {
            self.short_lived.get_or_insert(token);
        } else {
            return Ok(Some(token));
        }
        Ok(None)
    }

    /// Returns the answer when no source had a better token.
    pub(super) fn conclude(self) -> Result<Option<AccessToken>, SourceError> {
        match (self.short_lived.or(self.refused), self.expired) {
            (Some(token), _) => Ok(Some(token)),
            (None, Some(error)) => Err(error),
            (None, None) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use url::Url;

    use super::*;
    use crate::source::FixedSource;

    #[derive(Debug)]
    struct Broken;

    impl TokenSource for Broken {
        async fn token(&self, _: &TokenRequest<'_>) -> Result<Option<AccessToken>, SourceError> {
            Err(SourceError::new("broken"))
        }
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn ending(text: &str, end: u64) -> FixedSource {
        FixedSource::new(AccessToken::new(text).unwrap().with_expiry(at(end)))
    }

    async fn ask(chain: ChainSource, rejected: Option<&str>) -> Result<Option<String>, String> {
        let url = Url::parse("https://h").unwrap();
        let rejected = rejected.map(|text| AccessToken::new(text).unwrap());
        let mut request = TokenRequest::new(&url).unwrap().at(at(1_000));
        if let Some(rejected) = &rejected {
            request = request.with_rejected(rejected);
        }
        let answer = chain.token(&request).await;
        answer.map(|t| t.map(|t| t.expose_secret().to_owned())).map_err(|e| e.to_string())
    }

    #[tokio::test]
    async fn the_first_good_token_wins() {
        let chain =
            ChainSource::new().then(ChainSource::new()).then(ending("a", 2_000)).then(ending("b", 2_000));
        assert_eq!(ask(chain, None).await, Ok(Some("a".into())));
    }

    #[tokio::test]
    async fn a_failing_source_ends_the_search() {
        let chain = ChainSource::new().then(Broken).then(ending("a", 2_000));
        assert_eq!(ask(chain, None).await, Err("broken".into()));
    }

    #[tokio::test]
    async fn an_expired_token_is_skipped_and_reported_if_there_is_no_other() {
        let chain = ChainSource::new().then(ending("old", 900)).then(ending("new", 2_000));
        assert_eq!(ask(chain, None).await, Ok(Some("new".into())));
        let error = ask(ChainSource::new().then(ending("old", 900)).then(ChainSource::new()), None)
            .await
            .unwrap_err();
        assert_eq!(error, "the token in the program itself expired 100 s ago");
    }

    #[tokio::test]
    async fn a_short_lived_token_is_used_when_there_is_no_other() {
        let chain = ChainSource::new().then(ending("short", 1_030)).then(ending("long", 2_000));
        assert_eq!(ask(chain, None).await, Ok(Some("long".into())));
        let chain = ChainSource::new().then(ending("short", 1_030)).then(ending("old", 900));
        assert_eq!(ask(chain, None).await, Ok(Some("short".into())));
    }

    #[tokio::test]
    async fn after_a_refused_token_comes_the_next() {
        let chain = ChainSource::new().then(ending("a", 2_000)).then(ending("b", 2_000));
        assert_eq!(ask(chain.clone(), Some("a")).await, Ok(Some("b".into())));
        assert_eq!(ask(ChainSource::new().then(ending("a", 2_000)), Some("a")).await, Ok(Some("a".into())));
    }
}
