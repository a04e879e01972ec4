//! Another source for each server, so that several VOs work in one process.

use super::{SharedTokenSource, SourceError, TokenRequest, TokenSource};
use scitoken_types::AccessToken;
use scitoken_types::OriginPattern;

/// Which source is asked for which origin.
///
/// The narrowest pattern that matches decides: an exact host before `*.domain`, a longer domain before a shorter
/// one, a pattern with a port before one without. Equal ones: the first that was added. A pattern without a scheme is one
/// for `https`; a server on this machine without TLS is `http://127.0.0.1`.
///
/// ```
/// use reqwest_scitokens::{Discovery, FileSource, HostMap};
///
/// let map = HostMap::new()
///     .with("*.ligo.org".parse()?, FileSource::new("/tmp/bt_u1000-ligo"))
///     .with("*.cern.ch".parse()?, FileSource::new("/tmp/bt_u1000-cms"))
///     .without("public.ligo.org".parse()?)
///     .otherwise(Discovery::new());
/// # Ok::<(), reqwest_scitokens::types::InvalidPattern>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct HostMap {
    entries: Vec<(OriginPattern, Option<SharedTokenSource>)>,
    otherwise: Option<SharedTokenSource>,
}

impl HostMap {
    /// Returns a map without entries: no server gets a token.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the tokens for origins that match the pattern from this source.
    pub fn with(mut self, pattern: OriginPattern, source: impl Into<SharedTokenSource>) -> Self {
        self.entries.push((pattern, Some(source.into())));
        self
    }

    /// Sends no token to origins that match the pattern.
    pub fn without(mut self, pattern: OriginPattern) -> Self {
        self.entries.push((pattern, None));
        self
    }

    /// Takes the tokens for origins that match no pattern from this source.
    pub fn otherwise(mut self, source: impl Into<SharedTokenSource>) -> Self {
        self.otherwise = Some(source.into());
        self
    }

    fn source_for(&self, request: &TokenRequest<'_>) -> Option<&SharedTokenSource> {
        match OriginPattern::narrowest(&self.entries, |(pattern, _)| pattern, request.origin()) {
            Some((_, source)) => source.as_ref(),
            None => self.otherwise.as_ref(),
        }
    }
}

impl TokenSource for HostMap {
    async fn token(&self, request: &TokenRequest<'_>) -> Result<Option<AccessToken>, SourceError> {
        match self.source_for(request) {
            Some(source) => source.token(request).await,
            None => Ok(None),
        }
    }

    fn is_cheap(&self, request: &TokenRequest<'_>) -> bool {
        self.source_for(request).is_none_or(|source| source.is_cheap(request))
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    async fn ask(map: &HostMap, url: &str) -> Option<String> {
        let url = Url::parse(url).unwrap();
        let token = map.token(&TokenRequest::new(&url).unwrap()).await.unwrap();
        token.map(|t| t.expose_secret().to_owned())
    }

    fn token(text: &str) -> AccessToken {
        AccessToken::new(text).unwrap()
    }

    #[tokio::test]
    async fn the_narrowest_pattern_decides() {
        let map = HostMap::new()
            .with("*.org".parse().unwrap(), token("org"))
            .with("*.ligo.org".parse().unwrap(), token("ligo"))
            .with("data.ligo.org".parse().unwrap(), token("data"))
            .with("data.ligo.org:8443".parse().unwrap(), token("port"))
            .with("data.ligo.org".parse().unwrap(), token("later"))
            .without("public.ligo.org".parse().unwrap());
        for (url, expected) in [
            ("https://x.org", Some("org")),
            ("https://a.b.ligo.org", Some("ligo")),
            ("https://data.ligo.org", Some("data")),
            ("https://data.ligo.org:8443", Some("port")),
            ("https://public.ligo.org", None),
            ("https://example.com", None),
            ("http://data.ligo.org", None),
        ] {
            assert_eq!(ask(&map, url).await.as_deref(), expected, "{url}");
        }
        let map = map.otherwise(token("rest"));
        assert_eq!(ask(&map, "https://example.com").await.as_deref(), Some("rest"));
        assert_eq!(ask(&map, "https://public.ligo.org").await, None);
    }
}
