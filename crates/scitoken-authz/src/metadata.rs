//! Where an issuer publishes its metadata and keys.

use serde::Deserialize;
use url::Url;

use super::Issuer;
use super::error::differ_in_slash;
use scitoken_types::SafeUrl;
use scitoken_types::redact;

impl Issuer {
    /// Returns the URLs of the issuer's metadata in the order in which to try them.
    ///
    /// First the form of OpenID Connect Discovery (section 4), which the WLCG profile requires; then that of RFC 8414
    /// (section 3.1), with the well-known part before the issuer's path; last the same appended, as scitokens-go
    /// does. A trailing `/` of the issuer is removed first.
    ///
    /// ```
    /// use scitoken_authz::Issuer;
    ///
    /// let issuer: Issuer = "https://issuer.example/vo/".parse()?;
    /// assert_eq!(issuer.metadata_urls()[0].path(), "/vo/.well-known/openid-configuration");
    /// # Ok::<(), scitoken_authz::InvalidIssuer>(())
    /// ```
    pub fn metadata_urls(&self) -> Vec<Url> {
        let own = self.url().path().trim_end_matches('/');
        let mut paths = vec![
            format!("{own}/.well-known/openid-configuration"),
            format!("/.well-known/oauth-authorization-server{own}"),
        ];
        if !own.is_empty() {
            paths.push(format!("{own}/.well-known/oauth-authorization-server"));
        }
        let at = |path: String| {
            let mut url = self.url().clone();
            url.set_path(&path);
            url
        };
        paths.into_iter().map(at).collect()
    }

    /// Reads the URL of the issuer's keys from its metadata.
    ///
    /// # Errors
    /// [`InvalidMetadata`] if the document is malformed, names another issuer, or points to keys that are not served
    /// over https.
    pub fn keys_url(&self, metadata: impl AsRef<[u8]>) -> Result<Url, InvalidMetadata> {
        #[derive(Deserialize)]
        struct MetadataDocument {
            issuer: String,
            jwks_uri: String,
        }

        let metadata = scitoken_types::without_byte_order_mark(metadata.as_ref());
        let document: MetadataDocument = serde_json::from_slice(metadata)
            .map_err(|error| InvalidMetadata::NotMetadata(what_instead(metadata, &error)))?;
        if document.issuer != self.as_str() {
            return Err(InvalidMetadata::OtherIssuer {
                found: redact::text(&document.issuer),
                expected: self.as_str().to_owned(),
            });
        }
        let url = Url::parse(&document.jwks_uri)
            .map_err(|_| InvalidMetadata::NoKeysUrl(redact::text(&document.jwks_uri)))?;
        // A test issuer on this machine may serve its keys from its own origin.
        let is_test = self.is_insecure() && url.origin() == self.url().origin();
        if url.scheme() != "https" && !is_test {
            return Err(InvalidMetadata::InsecureKeys(SafeUrl::new(&url).to_string()));
        }
        Ok(url)
    }
}

/// Why a metadata document is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidMetadata {
    /// The document is not a JSON object with `issuer` and `jwks_uri`.
    #[error("the metadata is not a JSON object with the strings `issuer` and `jwks_uri`: {0}")]
    NotMetadata(String),
    /// The document names another issuer (OpenID Connect Discovery section 4.3, RFC 8414 section 3.3).
    #[error(
        "the metadata is that of issuer `{found}`, expected is `{expected}`{}",
        slash_note(found, expected)
    )]
    OtherIssuer {
        /// The issuer in the document.
        found: String,
        /// The issuer that was asked.
        expected: String,
    },
    /// `jwks_uri` is not an absolute URL.
    #[error("`jwks_uri` is not a URL: `{0}`")]
    NoKeysUrl(String),
    /// The keys are not served over https.
    #[error("`jwks_uri` is not an https URL: {0}")]
    InsecureKeys(String),
}

fn what_instead(document: &[u8], error: &serde_json::Error) -> String {
    scitoken_types::non_json_kind(document)
        .map_or_else(|| redact::text(&error.to_string()), |kind| format!("it is {kind}"))
}

fn slash_note(found: &str, expected: &str) -> &'static str {
    if differ_in_slash(found, expected) { "; they differ in a slash at the end" } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(issuer: &str) -> Vec<String> {
        issuer.parse::<Issuer>().unwrap().metadata_urls().into_iter().map(String::from).collect()
    }

    fn keys(issuer: &str, document: &str) -> Result<String, InvalidMetadata> {
        issuer.parse::<Issuer>().unwrap().keys_url(document).map(String::from)
    }

    #[test]
    fn an_issuer_without_a_path_has_two_places() {
        let expected = [
            "https://h:8443/.well-known/openid-configuration",
            "https://h:8443/.well-known/oauth-authorization-server",
        ];
        assert_eq!(urls("https://h:8443"), expected);
        assert_eq!(urls("https://h:8443/"), expected);
    }

    #[test]
    fn an_issuer_with_a_path_has_three_and_no_double_slash() {
        for issuer in ["https://h/a/b", "https://h/a/b/"] {
            assert_eq!(
                urls(issuer),
                [
                    "https://h/a/b/.well-known/openid-configuration",
                    "https://h/.well-known/oauth-authorization-server/a/b",
                    "https://h/a/b/.well-known/oauth-authorization-server",
                ]
            );
        }
    }

    #[test]
    fn keys_over_http_and_foreign_metadata_are_refused() {
        let issuer = "https://h/a";
        assert_eq!(
            keys(issuer, r#"{"issuer":"https://h/a","jwks_uri":"https://keys.h/jwks"}"#).as_deref(),
            Ok("https://keys.h/jwks")
        );
        assert!(matches!(
            keys(issuer, r#"{"issuer":"https://h/a","jwks_uri":"http://h/jwks"}"#),
            Err(InvalidMetadata::InsecureKeys(_))
        ));
        for other in ["https://h/a/", "https://h", "https://H/a", "https://evil"] {
            assert_eq!(
                keys(issuer, &format!(r#"{{"issuer":"{other}","jwks_uri":"https://h/jwks"}}"#)),
                Err(InvalidMetadata::OtherIssuer { found: other.to_owned(), expected: issuer.to_owned() })
            );
        }
    }

    #[test]
    fn a_document_that_is_not_metadata_is_refused() {
        for document in [
            "",
            "[]",
            "null",
            "<html>",
            r#"{"issuer":"https://h"}"#,
            r#"{"issuer":5,"jwks_uri":"https://h"}"#,
            r#"{"issuer":"https://h","issuer":"https://h","jwks_uri":"https://h"}"#,
        ] {
            let refused = keys("https://h", document);
            assert!(matches!(refused, Err(InvalidMetadata::NotMetadata(_))), "{document}");
        }
        for uri in ["", "jwks", "file:///etc/passwd", "javascript:x"] {
            assert!(keys("https://h", &format!(r#"{{"issuer":"https://h","jwks_uri":"{uri}"}}"#)).is_err());
        }
        for uri in ["", "jwks", "/jwks"] {
            let refused = keys("https://h", &format!(r#"{{"issuer":"https://h","jwks_uri":"{uri}"}}"#));
            assert!(matches!(refused, Err(InvalidMetadata::NoKeysUrl(_))), "{uri}");
        }
    }

    #[test]
    fn a_test_issuer_may_have_its_keys_on_its_own_port_only() {
        let issuer = Issuer::insecure_over_loopback_http("http://127.0.0.1:5").unwrap();
        let keys = |uri: &str| {
            issuer.keys_url(format!(r#"{{"issuer":"http://127.0.0.1:5","jwks_uri":"{uri}"}}"#)).is_ok()
        };
        assert!(keys("http://127.0.0.1:5/jwks"));
        assert!(keys("https://h/jwks"));
        assert!(!keys("http://127.0.0.1:6/jwks"));
        assert!(!keys("http://h/jwks"));
    }

    #[test]
    fn a_refusal_says_what_came_instead_and_names_a_slash() {
        for (document, words) in [
            ("<html>", "it is HTML or XML"),
            ("-----BEGIN CERTIFICATE-----", "it is PEM"),
            ("", "it is empty"),
            (r#"{"issuer":"https://h"}"#, "missing field `jwks_uri`"),
            (r#"{"issuer":"https://h/","jwks_uri":"https://h/k"}"#, "they differ in a slash at the end"),
            (r#"{"issuer":"https://x","jwks_uri":"https://h/k"}"#, "`https://x`, expected is `https://h`"),
        ] {
            let error = keys("https://h", document).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
