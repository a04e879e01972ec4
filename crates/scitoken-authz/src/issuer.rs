//! Issuers, named by https URLs.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use url::Url;

use scitoken_types::{is_loopback_host, redact};

/// An issuer of tokens: the exact string of its `iss` claim, an https URL.
///
/// Issuers are compared as strings: `https://h` and `https://h/` differ (OpenID Connect Discovery section 4.3, RFC
/// 8414 section 3.3).
///
/// ```
/// use scitoken_authz::Issuer;
///
/// let issuer: Issuer = "https://demo.scitokens.org".parse()?;
/// assert_eq!(issuer.as_str(), "https://demo.scitokens.org");
/// assert!("http://demo.scitokens.org".parse::<Issuer>().is_err());
/// # Ok::<(), scitoken_authz::InvalidIssuer>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Issuer {
    text: Arc<str>,
    url: Url,
}

/// A string that is not an [`Issuer`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidIssuer {
    /// The string is not an absolute URL with a host.
    #[error("issuer `{0}` is not an https URL")]
    NotAUrl(String),
    /// The scheme is not https.
    #[error("issuer `{0}` is not https")]
    NotHttps(String),
    /// The URL has user info, a query or a fragment.
    #[error("issuer `{0}` has user info, a query or a fragment")]
    ExtraParts(String),
    /// A test issuer is not on this machine.
    #[error("issuer `{0}` is not on this machine; plain http is for tests on loopback addresses only")]
    NotLoopback(String),
}

impl Issuer {
    /// Accepts a test issuer at `http://localhost:…` or another loopback address.
    ///
    /// Every process that can listen on that port can issue accepted tokens. Do not use it in production.
    pub fn insecure_over_loopback_http(text: &str) -> Result<Self, InvalidIssuer> {
        let issuer = Self::with_scheme(text, &["http", "https"])?;
        let is_loopback = issuer.url.host().is_some_and(|host| is_loopback_host(&host));
        if issuer.url.scheme() == "http" && !is_loopback {
            return Err(InvalidIssuer::NotLoopback(redact::text(text)));
        }
        Ok(issuer)
    }

    /// Returns the string of the `iss` claim.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns whether this is a test issuer without TLS.
    pub fn is_insecure(&self) -> bool {
        self.url.scheme() != "https"
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    fn with_scheme(text: &str, schemes: &[&str]) -> Result<Self, InvalidIssuer> {
        let url = Url::parse(text).map_err(|_| InvalidIssuer::NotAUrl(redact::text(text)))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidIssuer::ExtraParts(scitoken_types::SafeUrl::new(&url).to_string()));
        }
        if !schemes.contains(&url.scheme()) {
            return Err(InvalidIssuer::NotHttps(redact::text(text)));
        }
        if url.host_str().is_none_or(str::is_empty)
            || !scitoken_types::names_host(text)
            || text.contains(|c: char| c.is_whitespace() || c.is_control())
        {
            return Err(InvalidIssuer::NotAUrl(redact::text(text)));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidIssuer::ExtraParts(scitoken_types::SafeUrl::new(&url).to_string()));
        }
        Ok(Self { text: text.into(), url })
    }
}

impl FromStr for Issuer {
    type Err = InvalidIssuer;

    fn from_str(text: &str) -> Result<Self, InvalidIssuer> {
        Self::with_scheme(text, &["https"])
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Issuer({})", self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_https_urls_name_issuers() {
        assert!("https://h/b/".parse::<Issuer>().is_ok());
        for text in
            ["", "h", "https://", "https:// h", "https://h\n", "ftp://h", "http://localhost", "file:///etc/x"]
        {
            assert!(text.parse::<Issuer>().is_err(), "{text:?}");
        }
        for text in ["https://h?x=1", "https://h#x", "https://me:pw@h"] {
            let error = text.parse::<Issuer>().unwrap_err();
            assert!(matches!(error, InvalidIssuer::ExtraParts(_)), "{text}");
            assert!(!error.to_string().contains("pw"));
        }
    }

    #[test]
    fn a_slash_makes_another_issuer() {
        assert_ne!("https://h".parse::<Issuer>(), "https://h/".parse::<Issuer>());
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for text in ["http://localhost:8080/vo", "http://127.0.0.1", "http://[::1]:1", "https://h"] {
            assert!(Issuer::insecure_over_loopback_http(text).is_ok(), "{text}");
        }
        for text in ["http://h", "http://localhost.evil", "http://127.0.0.1.nip.io", "http://10.0.0.1"] {
            assert!(Issuer::insecure_over_loopback_http(text).is_err(), "{text}");
        }
    }
}
