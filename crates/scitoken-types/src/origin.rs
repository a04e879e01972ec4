//! Origins: the scheme, host and port that a token may be sent to.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use url::{Host, Url};

use crate::is_loopback_host;

/// A scheme, host and port (RFC 6454): the unit in which tokens are trusted to servers.
///
/// Only `http` and `https` URLs have one here. Two URLs that differ in any of the three parts have different
/// origins: `https://h:8443` and `http://h:8443` are two.
///
/// ```
/// use scitoken_types::Origin;
///
/// let url: url::Url = "https://Data.Example.org:443/f?x".parse()?;
/// assert_eq!(Origin::try_from(&url)?.to_string(), "https://data.example.org");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: Scheme,
    // Shared: each request carries its origin from one middleware to the next.
    host: Host<Arc<str>>,
    port: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A URL has no origin that a token could be sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("only `http` and `https` URLs with a host have an origin")]
pub struct NoOrigin;

impl TryFrom<&Url> for Origin {
    type Error = NoOrigin;

    fn try_from(url: &Url) -> Result<Self, NoOrigin> {
        let (scheme, host, port) = parts(url)?;
        let host = match host {
            Host::Domain(name) => Host::Domain(name.into()),
            Host::Ipv4(address) => Host::Ipv4(address),
            Host::Ipv6(address) => Host::Ipv6(address),
        };
        Ok(Self { scheme, host, port })
    }
}

/// Returns the parts of a URL that make its origin.
fn parts(url: &Url) -> Result<(Scheme, Host<&str>, u16), NoOrigin> {
    let scheme = match url.scheme() {
        "https" => Scheme::Https,
        "http" => Scheme::Http,
        _ => return Err(NoOrigin),
    };
    let host = match url.host().ok_or(NoOrigin)? {
        Host::Domain(name) => Host::Domain(without_root_dot(name)),
        address => address,
    };
    Ok((scheme, host, url.port_or_known_default().ok_or(NoOrigin)?))
}

impl Origin {
    /// Returns whether this is the origin of a URL.
    ///
    /// ```
    /// use scitoken_types::Origin;
    ///
    /// let origin = Origin::try_from(&"https://data.example.org/f".parse::<url::Url>()?)?;
    /// assert!(origin.is_of(&"https://data.example.org:443/g".parse()?));
    /// assert!(!origin.is_of(&"http://data.example.org/f".parse()?));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_of(&self, url: &Url) -> bool {
        let host_is = |host: Host<&str>| match (&self.host, host) {
            (Host::Domain(own), Host::Domain(name)) => **own == *name,
            (Host::Ipv4(own), Host::Ipv4(address)) => *own == address,
            (Host::Ipv6(own), Host::Ipv6(address)) => *own == address,
            _ => false,
        };
        parts(url)
            .is_ok_and(|(scheme, host, port)| scheme == self.scheme && port == self.port && host_is(host))
    }

    /// Returns whether the traffic is protected by TLS.
    pub fn is_https(&self) -> bool {
        self.scheme == Scheme::Https
    }

    /// Returns whether a token may travel there: over `https`, or to this machine itself
    /// ([`is_loopback`](Self::is_loopback)).
    pub fn is_trustworthy(&self) -> bool {
        self.is_https() || self.is_loopback()
    }

    /// Returns whether the host is this machine: `127.0.0.0/8`, `::1`, their IPv4-mapped forms and exactly `localhost`.
    pub fn is_loopback(&self) -> bool {
        is_loopback_host(&self.host)
    }

    /// Returns whether both have the same host, whatever their schemes and ports.
    pub fn shares_host_with(&self, other: &Self) -> bool {
        self.host == other.host
    }

    /// Returns the host as a URL writes it: lower case, an IPv6 address in brackets.
    pub fn host(&self) -> String {
        self.host.to_string()
    }

    /// Returns the port; the scheme's default where the URL names none.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the scheme, `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        self.scheme.as_str()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.host)?;
        if self.port != self.scheme.default_port() {
            write!(f, ":{}", self.port)?;
        }
        Ok(())
    }
}

/// A name for one or many origins: `data.example.org`, `*.example.org`, `https://*.example.org:8443`,
/// `192.0.2.7:1094`, `[2001:db8::1]`.
///
/// * A pattern without a scheme means `https`; `http://` must be written out.
/// * A pattern without a port means any port, because the data servers of one site use many.
/// * `*.example.org` means every name under `example.org` at any depth, not `example.org` itself.
/// * There is no `*` for every host.
///
/// ```
/// use scitoken_types::{Origin, OriginPattern};
///
/// let pattern: OriginPattern = "*.physik.uni-bonn.de".parse()?;
/// let url = "https://pool3.physik.uni-bonn.de:2880/f".parse::<url::Url>()?;
/// assert!(pattern.matches(&Origin::try_from(&url)?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OriginPattern {
    scheme: Scheme,
    host: HostPattern,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum HostPattern {
    Exact(Host<Arc<str>>),
    Under(String),
}

/// A text that is not an [`OriginPattern`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an origin pattern: {problem} (write `host`, `*.domain` or `https://host:port`)")]
pub struct InvalidPattern {
    text: String,
    problem: &'static str,
}

impl OriginPattern {
    /// Returns whether the pattern matches `origin`.
    pub fn matches(&self, origin: &Origin) -> bool {
        self.scheme == origin.scheme
            && self.port.is_none_or(|port| port == origin.port)
            && match (&self.host, &origin.host) {
                (HostPattern::Exact(host), there) => host == there,
                (HostPattern::Under(domain), Host::Domain(name)) => name
                    .strip_suffix(domain.as_str())
                    .and_then(|rest| rest.strip_suffix('.'))
                    .is_some_and(|label| !label.is_empty()),
                (HostPattern::Under(_), _) => false,
            }
    }

    /// Returns the entry whose pattern decides for an origin: the narrowest that matches, and of equal ones the first.
    ///
    /// ```
    /// use scitoken_types::{Origin, OriginPattern};
    ///
    /// let entries: [(OriginPattern, _); 2] = [("*.cern.ch".parse()?, "site"), ("eos.cern.ch".parse()?, "host")];
    /// let origin = Origin::try_from(&"https://eos.cern.ch:8443".parse::<url::Url>()?)?;
    /// let narrowest = OriginPattern::narrowest(&entries, |(pattern, _)| pattern, &origin);
    /// assert_eq!(narrowest.map(|(_, value)| *value), Some("host"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn narrowest<'e, E>(
        entries: &'e [E],
        pattern: impl Fn(&'e E) -> &'e Self,
        origin: &Origin,
    ) -> Option<&'e E> {
        // `max_by_key` gives the last of equals, so look from the end.
        let matching = entries.iter().rev().filter(|entry| pattern(entry).matches(origin));
        matching.max_by_key(|entry| pattern(entry).specificity())
    }

    /// Returns how narrow the pattern is: of two that match, a host map uses the one with the larger value.
    pub fn specificity(&self) -> (bool, usize, bool) {
        match &self.host {
            HostPattern::Exact(_) => (true, 0, self.port.is_some()),
            HostPattern::Under(domain) => (false, domain.len(), self.port.is_some()),
        }
    }
}

impl FromStr for OriginPattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        let invalid = |problem| InvalidPattern { text: text.to_owned(), problem };
        let (scheme, rest) = match text.split_once("://") {
            Some(("https", rest)) => (Scheme::Https, rest),
            Some(("http", rest)) => (Scheme::Http, rest),
            Some(_) => return Err(invalid("the scheme must be `https` or `http`")),
            None => (Scheme::Https, text),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '?', '#', '@', '\\']) || rest.chars().any(char::is_whitespace) {
            return Err(invalid("it names more than a host and a port"));
        }
        let (host, port) = split_port(rest).ok_or_else(|| invalid("the port is not a number"))?;
        let (wildcard, name) = match host.strip_prefix("*.") {
            Some(domain) => (true, domain),
            None => (false, host),
        };
        if name.is_empty() || name.contains('*') {
            return Err(invalid("`*` can only stand for the labels before a domain"));
        }
        let host =
            Host::parse(without_root_dot(name)).map_err(|_| invalid("the host is not a valid name"))?;
        let host = match (wildcard, host) {
            (false, Host::Domain(name)) => HostPattern::Exact(Host::Domain(name.into())),
            (false, Host::Ipv4(address)) => HostPattern::Exact(Host::Ipv4(address)),
            (false, Host::Ipv6(address)) => HostPattern::Exact(Host::Ipv6(address)),
            (true, Host::Domain(domain)) => HostPattern::Under(domain),
            (true, Host::Ipv4(_) | Host::Ipv6(_)) => {
                return Err(invalid("an address has no labels before it"));
            }
        };
        Ok(Self { scheme, host, port })
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme.as_str())?;
        match &self.host {
            HostPattern::Exact(host) => write!(f, "{host}")?,
            HostPattern::Under(domain) => write!(f, "*.{domain}")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// `data.example.org.` and `data.example.org` are one host. `localhost.` is not `localhost`: the network may be asked for it.
fn without_root_dot(name: &str) -> &str {
    name.strip_suffix('.').filter(|name| *name != "localhost").unwrap_or(name)
}

/// Splits `host:port`; `None` when what follows the colon is no port. A bare IPv6 address is left whole.
fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    if text.parse::<IpAddr>().is_ok() {
        return Some((text, None));
    }
    match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            Some((host, Some(port.parse().ok()?)))
        }
        _ => Some((text, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(url: &str) -> Origin {
        Origin::try_from(&Url::parse(url).unwrap()).unwrap()
    }

    #[test]
    fn scheme_host_and_port_all_count() {
        assert_eq!(origin("https://H.example/a?b#c"), origin("https://h.example:443"));
        assert_eq!(origin("https://h.example./"), origin("https://h.example"));
        assert_ne!(origin("https://h:8443"), origin("http://h:8443"));
        assert_ne!(origin("https://h:8443"), origin("https://h"));
        assert_ne!(origin("https://a.h"), origin("https://h"));
    }

    #[test]
    fn a_url_has_an_origin_exactly_if_the_origin_that_is_made_of_it_is_the_same() {
        let urls = [
            "https://h.example/f",
            "https://H.example.:443/g?q#x",
            "https://h.example:8443",
            "http://h.example",
            "http://localhost",
            "http://localhost.",
            "http://127.0.0.1:80",
            "http://[::1]",
            "http://[::ffff:127.0.0.1]",
            "ftp://h.example/f",
        ];
        let urls: Vec<_> = urls.iter().map(|url| Url::parse(url).unwrap()).collect();
        for one in urls.iter().filter_map(|url| Origin::try_from(url).ok()) {
            for url in &urls {
                assert_eq!(one.is_of(url), Origin::try_from(url).as_ref() == Ok(&one), "{one} and {url}");
            }
        }
    }

    #[test]
    fn other_schemes_have_no_origin() {
        for url in ["file:///etc/passwd", "data:text/plain,x", "ftp://h/f", "root://h//f"] {
            assert_eq!(Origin::try_from(&Url::parse(url).unwrap()), Err(NoOrigin), "{url}");
        }
    }

    #[test]
    fn https_and_loopback_are_trustworthy() {
        for url in [
            "https://h",
            "http://localhost:1",
            "http://127.9.9.9",
            "http://[::1]:8",
            "http://[::ffff:127.0.0.1]",
            "https://a.localhost",
        ] {
            assert!(origin(url).is_trustworthy(), "{url}");
        }
        for url in [
            "http://h",
            "http://localhost.example",
            "http://a.localhost",
            "http://localhost.",
            "http://128.0.0.1",
            "http://[::2]",
            "http://0.0.0.0",
        ] {
            assert!(!origin(url).is_trustworthy(), "{url}");
        }
    }

    #[test]
    fn patterns_match_hosts_labels_and_ports() {
        let cases = [
            ("data.example.org", "https://data.example.org:1094/f", true),
            ("data.example.org", "http://data.example.org/f", false),
            ("http://data.example.org", "http://data.example.org/f", true),
            ("DATA.example.org", "https://data.example.org/f", true),
            ("*.example.org", "https://a.b.example.org", true),
            ("*.example.org", "https://example.org", false),
            ("*.example.org", "https://evilexample.org", false),
            ("https://*.example.org:8443", "https://a.example.org:8443", true),
            ("https://*.example.org:8443", "https://a.example.org", false),
            ("192.0.2.7:1094", "https://192.0.2.7:1094", true),
            ("[2001:db8::1]:8443", "https://[2001:db8::1]:8443", true),
            ("2001:db8::1", "https://[2001:db8::1]", false),
            ("[2001:db8::1]", "https://[2001:db8::1]:9", true),
        ];
        for (pattern, url, expected) in cases {
            let Ok(parsed) = pattern.parse::<OriginPattern>() else {
                assert!(!expected, "{pattern}");
                continue;
            };
            assert_eq!(parsed.matches(&origin(url)), expected, "{pattern} against {url}");
        }
    }

    #[test]
    fn patterns_for_every_host_or_for_none_are_refused() {
        for text in [
            "",
            "*",
            "*.",
            "a.*",
            "*.*.org",
            "*.192.0.2.7",
            "ftp://h",
            "h/path",
            "u@h",
            "h:port",
            "h:99999",
            "a b",
        ] {
            assert!(text.parse::<OriginPattern>().is_err(), "{text}");
        }
    }

    #[test]
    fn display_leaves_out_the_usual_port() {
        assert_eq!(origin("https://h:443/x").to_string(), "https://h");
        assert_eq!(origin("http://[::1]:8080/x").to_string(), "http://[::1]:8080");
        assert_eq!("*.a.org:1".parse::<OriginPattern>().unwrap().to_string(), "https://*.a.org:1");
    }
}
