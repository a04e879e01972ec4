//! The discovery document of a federation.

use scitoken_types::{Origin, SafeUrl};
use serde_json::{Map, Value};
use url::Url;

use crate::error::{FailureKind, RetryAction, TransferError};

/// The path of the document below the federation's host.
pub(crate) const WELL_KNOWN: &str = ".well-known/pelican-configuration";

/// What the discovery document of a federation states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FederationMetadata {
    director: Option<Url>,
    jwks: Option<Url>,
}

impl FederationMetadata {
    /// Returns the URL of the director; `None` where the federation's host itself serves the objects.
    pub fn director(&self) -> Option<&Url> {
        self.director.as_ref()
    }

    /// Returns the URL of the federation's own keys.
    pub fn jwks(&self) -> Option<&Url> {
        self.jwks.as_ref()
    }

    /// Reads the document that came from `url`.
    pub(crate) fn parse(url: &Url, document: &[u8]) -> Result<Self, TransferError> {
        let invalid = |what: String| {
            let message = format!("`{}` {what}", SafeUrl::new(url));
            TransferError::new(FailureKind::Server, RetryAction::OtherSource, message)
        };
        let document: Map<String, Value> = serde_json::from_slice(document)
            .map_err(|_| invalid("returned no discovery document of a federation".to_owned()))?;
        let text = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default().trim();
        let director = match text("director_endpoint") {
            "" => None,
            endpoint => Some(
                director(endpoint)
                    .ok_or_else(|| invalid("names a director that is not an https URL".to_owned()))?,
            ),
        };
        Ok(Self { director, jwks: text("jwks_uri").parse().ok() })
    }
}

fn director(endpoint: &str) -> Option<Url> {
    let mut url: Url = endpoint.parse().ok()?;
    let origin = Origin::try_from(&url).ok()?;
    if !origin.is_trustworthy() || !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    url.set_query(None);
    url.set_fragment(None);
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn director(document: &str) -> Result<Option<String>, String> {
        let url = "https://h/.well-known/pelican-configuration".parse().unwrap();
        FederationMetadata::parse(&url, document.as_bytes())
            .map(|metadata| metadata.director().map(ToString::to_string))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_director_is_an_https_url_or_the_host_itself() {
        for (document, expected) in [
            (r#"{"director_endpoint": "https://d.example:8444/x?y#z"}"#, Some("https://d.example:8444/x")),
            (r#"{"director_endpoint": "http://127.0.0.1:8444"}"#, Some("http://127.0.0.1:8444/")),
            (r#"{"director_endpoint": "https://d", "jwks_uri": 5, "new": []}"#, Some("https://d/")),
            (r#"{"director_endpoint": ""}"#, None),
            (r#"{"director_endpoint": null}"#, None),
            ("{}", None),
        ] {
            assert_eq!(director(document), Ok(expected.map(str::to_owned)), "{document}");
        }
    }

    #[test]
    fn a_director_without_tls_and_a_page_are_errors() {
        for document in [
            r#"{"director_endpoint": "http://d.example"}"#,
            r#"{"director_endpoint": "https://u:p@d.example"}"#,
            r#"{"director_endpoint": "d.example"}"#,
        ] {
            assert!(director(document).unwrap_err().contains("not an https URL"), "{document}");
        }
        for document in ["", "<html>", "[]", "null", "5"] {
            assert!(director(document).unwrap_err().contains("no discovery document"), "{document}");
        }
    }
}
