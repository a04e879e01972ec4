//! Issuers: who makes tokens, named by an https URL.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use url::Url;

use crate::redact;

/// An issuer of tokens: the exact text of its `iss` claim, which is an https URL.
///
/// Two issuers are the same when their texts are: `https://h` and `https://h/` are two (OpenID Connect Discovery
/// section 4.3, RFC 8414 section 3.3).
///
/// ```
/// use reqwest_scitokens::scitokens::Issuer;
///
/// let issuer: Issuer = "https://demo.scitokens.org".parse()?;
/// assert_eq!(issuer.as_str(), "https://demo.scitokens.org");
/// assert!("http://demo.scitokens.org".parse::<Issuer>().is_err());
/// # Ok::<(), reqwest_scitokens::scitokens::InvalidIssuer>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Issuer {
    text: Arc<str>,
    url: Url,
}

/// A text that names no [`Issuer`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidIssuer {
    /// The text is no absolute URL with a host.
    #[error("issuer `{0}` is not an https URL")]
    NotAUrl(String),
    /// The scheme is another than https.
    #[error("issuer `{0}` is not https; keys that come over plain http can be anybody's")]
    NotHttps(String),
    /// The URL has user info, a query or a fragment.
    #[error("issuer `{0}` has user info, a query or a fragment, which no issuer has")]
    Decorated(String),
    /// An issuer for tests that is not on this machine.
    #[error("issuer `{0}` is not on this machine; plain http is for tests over the loopback device only")]
    NotLoopback(String),
}

impl Issuer {
    /// Takes a test issuer at `http://localhost:…` or another loopback address.
    ///
    /// Whoever can listen on that port can make tokens that are accepted. Never in production.
    pub fn insecure_over_loopback_http(text: &str) -> Result<Self, InvalidIssuer> {
        let issuer = Self::with_scheme(text, &["http", "https"])?;
        let is_loopback = match issuer.url.host() {
            Some(url::Host::Domain(name)) => name == "localhost",
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        if issuer.url.scheme() == "http" && !is_loopback {
            return Err(InvalidIssuer::NotLoopback(redact::text(text)));
        }
        Ok(issuer)
    }

    /// The text of the `iss` claim.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether this is a test issuer that is reached without TLS.
    pub fn is_insecure(&self) -> bool {
        self.url.scheme() != "https"
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    fn with_scheme(text: &str, schemes: &[&str]) -> Result<Self, InvalidIssuer> {
        let url = Url::parse(text).map_err(|_| InvalidIssuer::NotAUrl(redact::text(text)))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(InvalidIssuer::Decorated(crate::SafeUrl::new(&url).to_string()));
        }
        if !schemes.contains(&url.scheme()) {
            return Err(InvalidIssuer::NotHttps(redact::text(text)));
        }
        if url.host_str().is_none_or(str::is_empty)
            || text.contains(|c: char| c.is_whitespace() || c.is_control())
        {
            return Err(InvalidIssuer::NotAUrl(redact::text(text)));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidIssuer::Decorated(crate::SafeUrl::new(&url).to_string()));
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
            assert!(matches!(error, InvalidIssuer::Decorated(_)), "{text}");
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
