//! Audiences: which servers a token is meant for.

use std::fmt;

use url::Url;

use crate::origin::Origin;

/// One value of a token's `aud` claim, compared byte by byte.
///
/// Audiences look like URLs and are not: the WLCG profile demands an exact, case-sensitive comparison, so
/// `https://h` and `https://h/` are two.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Audience(String);

impl Audience {
    /// SciTokens 2.0: meant for every server.
    pub const ANY: &'static str = "ANY";
    /// WLCG: meant for every server.
    pub const WLCG_ANY: &'static str = "https://wlcg.cern.ch/jwt/v1/any";

    /// The value as it stands in the claim.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the value means every server, in either profile.
    pub fn is_any(&self) -> bool {
        self.0 == Self::ANY || self.0 == Self::WLCG_ANY
    }

    /// Whether the value names exactly this origin, so that a token may follow a redirect there.
    ///
    /// `https://host:port` names its origin, with or without a path; so does a bare `host:port`, and a bare
    /// `host` the one at port 443. Values that mean every server name none: a token for everybody is no token
    /// for the stranger that a redirect points to.
    pub fn names(&self, origin: &Origin) -> bool {
        if self.is_any() {
            return false;
        }
        let named = if self.0.contains("://") {
            Url::parse(&self.0)
        } else {
            Url::parse(&format!("https://{}", self.0))
        };
        named.is_ok_and(|url| {
            url.username().is_empty()
                && url.password().is_none()
                && Origin::try_from(&url).is_ok_and(|o| o == *origin)
        })
    }
}

impl From<String> for Audience {
    fn from(value: String) -> Self {
        Self(value)
    }
}

impl From<&str> for Audience {
    fn from(value: &str) -> Self {
        Self(value.to_owned())
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The audience that a token for `url` has by custom: scheme and host, without the port.
///
/// This is `requests_scitokens.utils.default_audience`: what IGWN's issuers put into `aud`. An IPv6 host keeps
/// its brackets. `None` when the URL has no host.
///
/// ```
/// # use reqwest_scitokens::default_audience;
/// let url = "https://Secure.example.com:8443/data".parse()?;
/// assert_eq!(default_audience(&url).unwrap().as_str(), "https://secure.example.com");
/// let url = "https://[::1]:8443/data".parse()?;
/// assert_eq!(default_audience(&url).unwrap().as_str(), "https://[::1]");
/// # Ok::<(), url::ParseError>(())
/// ```
pub fn default_audience(url: &Url) -> Option<Audience> {
    Some(Audience(format!("{}://{}", url.scheme(), url.host()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(audience: &str, origin: &str) -> bool {
        Audience::from(audience).names(&Origin::try_from(&Url::parse(origin).unwrap()).unwrap())
    }

    #[test]
    fn an_audience_names_one_origin() {
        assert!(names("https://h:8443", "https://h:8443/f"));
        assert!(names("https://h:8443/", "https://h:8443/f"));
        assert!(names("https://h/path", "https://h/f"));
        assert!(names("h:8443", "https://h:8443"));
        assert!(names("h", "https://h"));
        assert!(names("https://[::1]:1", "https://[::1]:1"));
    }

    #[test]
    fn another_port_scheme_or_name_is_another_server() {
        assert!(!names("https://h", "https://h:8443"));
        assert!(!names("https://h:8443", "http://h:8443"));
        assert!(!names("https://h", "https://sub.h"));
        assert!(!names("https://h@evil", "https://evil"));
        assert!(!names("https://h:8443", "https://h.evil:8443"));
    }

    #[test]
    fn a_token_for_everybody_names_nobody() {
        assert!(!names("ANY", "https://any"));
        assert!(!names(Audience::WLCG_ANY, "https://wlcg.cern.ch"));
        assert!(!names("", "https://h"));
        assert!(!names("cms-storage audience", "https://h"));
    }
}
