//! Audiences: which servers a token is meant for.

use std::fmt;

use url::{Host, Url};

use crate::Origin;

/// One value of a token's `aud` claim, compared byte by byte.
///
/// The WLCG profile requires an exact, case-sensitive comparison, so `https://h` and `https://h/` are two audiences.
///
/// ```
/// use scitoken_types::{Audience, Origin};
///
/// let server = Origin::try_from(&"https://data.example.org/f".parse::<url::Url>()?)?;
/// assert!(Audience::from("https://data.example.org").names(&server));
/// assert!(Audience::from("https://wlcg.cern.ch/jwt/v1/any").is_any());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Audience(String);

impl Audience {
    /// SciTokens 2.0: meant for every server.
    pub const ANY: &'static str = "ANY";
    /// WLCG: meant for every server.
    pub const WLCG_ANY: &'static str = "https://wlcg.cern.ch/jwt/v1/any";

    /// Returns the value as it is in the claim.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether the value means every server, in either profile.
    pub fn is_any(&self) -> bool {
        self.0 == Self::ANY || self.0 == Self::WLCG_ANY
    }

    /// Returns whether the value names exactly this origin, so that a token may follow a redirect there.
    ///
    /// `https://host:port` names its origin, with or without a path; so does a bare `host:port`, and a bare
    /// `host` the one at port 443. Values that mean every server name none: such a token must not follow a
    /// redirect to an untrusted origin.
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

/// How an audience fits the server of a URL; the better fit is the lesser value.
///
/// This is for the *choice* of a token among several. Whether a token may follow a redirect is decided by
/// [`Audience::names`] alone.
///
/// ```
/// use scitoken_types::{Audience, AudienceFit};
///
/// let url = "https://se.example.org:8443/f".parse()?;
/// let fit = |audience| AudienceFit::best(&[Audience::from(audience)], &url, None);
/// assert_eq!(fit("https://se.example.org:8443"), AudienceFit::Exact);
/// assert_eq!(fit("se.example.org"), AudienceFit::Host);
/// assert_eq!(fit("root://se.example.org//"), AudienceFit::Host);
/// assert_eq!(fit("https://other.example.org"), AudienceFit::Foreign);
/// # Ok::<(), url::ParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AudienceFit {
    /// It names the origin, is the [usual audience](default_audience), or is the one that was required.
    Exact,
    /// It names the host, with another port or scheme (`https`, `http`, `davs`, `dav`, `root`), or without any.
    Host,
    /// It means every server.
    Any,
    /// The token has no audience.
    Unstated,
    /// It names other servers.
    Foreign,
}

impl AudienceFit {
    /// Returns the best fit among a token's audiences. With a `required` audience only that one counts, and those that
    /// mean every server.
    pub fn best(audiences: &[Audience], url: &Url, required: Option<&Audience>) -> Self {
        let fits = audiences.iter().map(|audience| match required {
            _ if audience.is_any() => Self::Any,
            Some(required) if audience == required => Self::Exact,
            Some(_) => Self::Foreign,
            None => audience.fit(url),
        });
        fits.min().unwrap_or(Self::Unstated)
    }

    /// Returns whether the token may be chosen.
    pub fn fits(self) -> bool {
        self != Self::Foreign
    }
}

impl fmt::Display for AudienceFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exact => "its audience names the server",
            Self::Host => "its audience names the host, with another port or scheme",
            Self::Any => "its audience is every server",
            Self::Unstated => "it has no audience",
            Self::Foreign => "its audience names other servers",
        })
    }
}

impl Audience {
    fn fit(&self, url: &Url) -> AudienceFit {
        let is_exact = Origin::try_from(url).is_ok_and(|origin| self.names(&origin))
            || default_audience(url).is_some_and(|usual| usual == *self);
        let host = url.host_str().and_then(|host| Host::parse(host.trim_end_matches('.')).ok());
        match (is_exact, self.host(), host) {
            (true, ..) => AudienceFit::Exact,
            (false, Some(named), Some(host)) if named == host => AudienceFit::Host,
            _ => AudienceFit::Foreign,
        }
    }

    /// The host that the audience names, if it is a URL of a data server or a bare host.
    fn host(&self) -> Option<Host> {
        const SCHEMES: [&str; 8] = ["https", "http", "davs", "dav", "root", "roots", "xroot", "xroots"];
        // Without brackets it is no part of a URL.
        if let Ok(address) = self.0.parse() {
            return Some(Host::Ipv6(address));
        }
        let text = if self.0.contains("://") { self.0.clone() } else { format!("https://{}", self.0) };
        let url = Url::parse(&text).ok().filter(|url| SCHEMES.contains(&url.scheme()))?;
        let has_user = !url.username().is_empty() || url.password().is_some();
        // The host of a `root` URL is not normalized by the parser.
        let host = url.host_str().filter(|_| !has_user)?;
        Host::parse(host.trim_end_matches('.')).ok()
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

/// Returns the usual audience of a token for `url`: scheme and host, without the port.
///
/// This is `requests_scitokens.utils.default_audience`: what IGWN's issuers put into `aud`. An IPv6 host keeps
/// its brackets. `None` when the URL has no host.
///
/// ```
/// # use scitoken_types::default_audience;
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
    fn a_host_fits_for_the_choice_of_a_token_and_is_not_trusted_with_redirects() {
        let url = Url::parse("https://se.example.org:8443/f").unwrap();
        let fit = |audience: &str| AudienceFit::best(&[Audience::from(audience)], &url, None);
        for audience in [
            "se.example.org",
            "se.example.org/",
            "SE.example.org",
            "se.example.org.",
            "se.example.org:1094",
            "https://se.example.org/",
            "https://se.example.org:443/",
            "davs://se.example.org:8443",
            "root://SE.example.org:1094//",
            "http://se.example.org",
        ] {
            assert_eq!(fit(audience), AudienceFit::Host, "{audience}");
            assert!(!names(audience, "https://se.example.org:8443/f"), "{audience}");
        }
        for audience in ["https://se.example.org", "https://se.example.org:8443/", "se.example.org:8443"] {
            assert_eq!(fit(audience), AudienceFit::Exact, "{audience}");
        }
        for audience in [
            "example.org",
            "x.se.example.org",
            "se.example.org.evil",
            "https://se.example.org@evil",
            "evil/se.example.org",
            "ftp://se.example.org",
            "",
            "cms audience",
        ] {
            assert_eq!(fit(audience), AudienceFit::Foreign, "{audience}");
        }
        assert_eq!(fit("ANY"), AudienceFit::Any);
        assert_eq!(AudienceFit::best(&[], &url, None), AudienceFit::Unstated);
        let required = Audience::from("other");
        let both = [Audience::from("https://se.example.org:8443"), required.clone()];
        assert_eq!(AudienceFit::best(&both, &url, Some(&required)), AudienceFit::Exact);
        assert_eq!(AudienceFit::best(&both[..1], &url, Some(&required)), AudienceFit::Foreign);
    }

    #[test]
    fn an_ipv6_address_fits_in_every_spelling() {
        let url = Url::parse("https://[2001:db8::1]:8443/f").unwrap();
        let fit = |audience: &str| AudienceFit::best(&[Audience::from(audience)], &url, None);
        for audience in [
            "2001:db8::1",
            "2001:DB8:0:0::1",
            "[2001:db8::1]",
            "[2001:db8::1]:443",
            "root://[2001:0db8::1]:1094//",
        ] {
            assert_eq!(fit(audience), AudienceFit::Host, "{audience}");
            assert!(!names(audience, "https://[2001:db8::1]:8443/f"), "{audience}");
        }
        for audience in ["2001:db8::2", "[2001:db8::1", "2001:db8::1:8443", "::"] {
            assert_eq!(fit(audience), AudienceFit::Foreign, "{audience}");
        }
    }

    #[test]
    fn an_audience_for_every_server_names_no_origin() {
        assert!(!names("ANY", "https://any"));
        assert!(!names(Audience::WLCG_ANY, "https://wlcg.cern.ch"));
        assert!(!names("", "https://h"));
        assert!(!names("cms-storage audience", "https://h"));
    }
}
