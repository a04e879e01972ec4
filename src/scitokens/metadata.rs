//! Where an issuer publishes its keys, and what it says about itself there.

use serde::Deserialize;
use url::Url;

use super::Issuer;
use crate::SafeUrl;
use crate::redact;

impl Issuer {
    /// Where the metadata of the issuer can be, in the order in which to ask.
    ///
    /// First the form of OpenID Connect Discovery (section 4), which the WLCG profile demands; then that of RFC 8414
    /// (section 3.1), where the well-known part comes before the issuer's own path; last the same appended, as
    /// scitokens-go has it. A `/` at the end of the issuer is left out before anything is appended.
    ///
    /// ```
    /// use reqwest_scitokens::scitokens::Issuer;
    ///
    /// let issuer: Issuer = "https://issuer.example/vo/".parse()?;
    /// assert_eq!(issuer.metadata_urls()[0].path(), "/vo/.well-known/openid-configuration");
    /// # Ok::<(), reqwest_scitokens::scitokens::InvalidIssuer>(())
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

    /// Reads where the issuer's keys are from its metadata.
    ///
    /// # Errors
    /// [`InvalidMetadata`] when the document is none, another issuer's, or leads to keys that do not come over https.
    pub fn keys_url(&self, metadata: impl AsRef<[u8]>) -> Result<Url, InvalidMetadata> {
        #[derive(Deserialize)]
        struct Document {
            issuer: String,
            jwks_uri: String,
        }

        let document: Document =
            serde_json::from_slice(metadata.as_ref()).map_err(|_| InvalidMetadata::NotMetadata)?;
        if document.issuer != self.as_str() {
            return Err(InvalidMetadata::OtherIssuer(redact::text(&document.issuer)));
        }
        let url = Url::parse(&document.jwks_uri)
            .map_err(|_| InvalidMetadata::InsecureKeys(redact::text(&document.jwks_uri)))?;
        // A test issuer on this machine may have its keys there too, and nowhere else.
        let is_test = self.is_insecure() && url.origin() == self.url().origin();
        if url.scheme() != "https" && !is_test {
            return Err(InvalidMetadata::InsecureKeys(SafeUrl::new(&url).to_string()));
        }
        Ok(url)
    }
}

/// Why a metadata document is not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidMetadata {
    /// The document is no JSON object with `issuer` and `jwks_uri`.
    #[error("the metadata is no JSON object with the texts `issuer` and `jwks_uri`")]
    NotMetadata,
    /// The document is another issuer's (OpenID Connect Discovery section 4.3, RFC 8414 section 3.3).
    #[error("the metadata says that it is of issuer `{0}`")]
    OtherIssuer(String),
    /// The keys are not to be had over https.
    #[error("`jwks_uri` is not an https URL: {0}")]
    InsecureKeys(String),
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
    fn vectors_38_and_39_an_issuer_with_a_path_has_three_and_no_double_slash() {
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
    fn vector_40_mistakes_14_and_15_keys_over_http_and_foreign_metadata_are_refused() {
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
                Err(InvalidMetadata::OtherIssuer(other.to_owned()))
            );
        }
    }

    #[test]
    fn what_is_no_metadata_is_refused() {
        for document in [
            "",
            "[]",
            "null",
            "<html>",
            r#"{"issuer":"https://h"}"#,
            r#"{"issuer":5,"jwks_uri":"https://h"}"#,
            r#"{"issuer":"https://h","issuer":"https://h","jwks_uri":"https://h"}"#,
        ] {
            assert_eq!(keys("https://h", document), Err(InvalidMetadata::NotMetadata), "{document}");
        }
        for uri in ["", "jwks", "file:///etc/passwd", "javascript:x"] {
            assert!(keys("https://h", &format!(r#"{{"issuer":"https://h","jwks_uri":"{uri}"}}"#)).is_err());
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
}
