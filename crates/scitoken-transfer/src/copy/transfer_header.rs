//! The headers that the active server sends to the other one.

use async_trait::async_trait;
use http::header::{AUTHORIZATION, SERVER};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Request, Response};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware, Next};
use scitoken_types::{AccessToken, Origin};
use url::Url;

use crate::error::{FailureKind, RetryAction, TransferError};

/// How a server reads the headers that it is to send to the other one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum TransferHeaderForm {
    /// `TransferHeaderNAME: value`, as the WLCG's text on third-party copies has it.
    #[default]
    Prefix,
    /// `Copy-Header: NAME: value`, which XRootD 5 reads as well. Before 5.7 it compares `TransferHeader` with its capitals,
    /// which the HTTP client cannot write.
    CopyHeader,
}

impl TransferHeaderForm {
    /// Chooses by the answer of the server: only XRootD before 6 states its version.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let server = headers.get(SERVER).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if server.to_ascii_lowercase().starts_with("xrootd/v") { Self::CopyHeader } else { Self::Prefix }
    }

    fn header(self, name: &str, value: &[u8]) -> Option<(HeaderName, HeaderValue)> {
        let (name, value) = match self {
            Self::Prefix => (format!("TransferHeader{name}"), value.to_vec()),
            Self::CopyHeader => {
                ("copy-header".to_owned(), [title_case(name).as_bytes(), b": ", value].concat())
            }
        };
        Some((name.parse().ok()?, HeaderValue::from_bytes(&value).ok()?))
    }
}

/// Returns a header name with its usual capitals, which XRootD 5 requires.
fn title_case(name: &str) -> String {
    let mut starts_word = true;
    let cased = name.chars().map(|c| {
        let cased = if starts_word { c.to_ascii_uppercase() } else { c };
        starts_word = c == '-';
        cased
    });
    cased.collect()
}

/// Adds the headers for the other server to a `COPY`, where the server that receives it may have them; innermost.
#[derive(Debug)]
struct TransferHeaders {
    /// The server that the user named.
    named: Origin,
    headers: Vec<(HeaderName, HeaderValue)>,
}

#[async_trait]
impl Middleware for TransferHeaders {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let origin = Origin::try_from(request.url()).ok();
        // A redirect target that got the active server's token is trusted with the other one as well.
        let is_trusted = request.headers().contains_key(AUTHORIZATION);
        let is_protected = origin.as_ref().is_some_and(Origin::is_trustworthy);
        if is_protected && (origin.as_ref() == Some(&self.named) || is_trusted) {
            for (name, value) in &self.headers {
                request.headers_mut().append(name.clone(), value.clone());
            }
        }
        next.run(request, extensions).await
    }
}

/// Returns the client with these headers for the other server, for requests to `active`.
///
/// # Errors
/// [`FailureKind::TokenWithheld`] when the active server has no TLS and a token would be sent to it.
pub(crate) fn with_transfer_headers(
    client: &ClientWithMiddleware,
    active: &Url,
    form: TransferHeaderForm,
    token: Option<&AccessToken>,
    more: &[(HeaderName, HeaderValue)],
) -> Result<ClientWithMiddleware, TransferError> {
    let failure = |kind, message: String| TransferError::new(kind, RetryAction::GiveUp, message);
    let named = Origin::try_from(active).map_err(|error| failure(FailureKind::Usage, error.to_string()))?;
    if token.is_some() && !named.is_trustworthy() {
        let message = format!("a token of the other server is not sent to `{named}`: it has no TLS");
        return Err(failure(FailureKind::TokenWithheld, message));
    }
    let mut headers = Vec::new();
    for (name, value) in more {
        headers.extend(form.header(name.as_str(), value.as_bytes()));
    }
    if let Some(token) = token {
        headers.extend(form.header("authorization", token.header().as_bytes()).map(|(name, mut value)| {
            value.set_sensitive(true);
            (name, value)
        }));
    }
    Ok(ClientBuilder::from_client(client.clone()).with(TransferHeaders { named, headers }).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(server: &'static str) -> TransferHeaderForm {
        TransferHeaderForm::of(&HeaderMap::from_iter([(SERVER, HeaderValue::from_static(server))]))
    }

    #[test]
    fn only_xrootd_5_gets_the_older_form() {
        for server in ["XrootD/v5.5.3", "XrootD/v5.6.9", "xrootd/v4.12"] {
            assert_eq!(form(server), TransferHeaderForm::CopyHeader, "{server}");
        }
        for server in ["XRootD", "dCache/9.2.1", "nginx", "", "StoRM"] {
            assert_eq!(form(server), TransferHeaderForm::Prefix, "{server}");
        }
    }

    #[test]
    fn names_have_their_usual_capitals_where_they_count() {
        let written = |form: TransferHeaderForm, name: &str| {
            let (name, value) = form.header(name, b"v").unwrap();
            format!("{name}: {}", value.to_str().unwrap())
        };
        assert_eq!(written(TransferHeaderForm::CopyHeader, "x-trace-id"), "copy-header: X-Trace-Id: v");
        assert_eq!(written(TransferHeaderForm::Prefix, "range"), "transferheaderrange: v");
    }
}
