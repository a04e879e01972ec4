//! Which proxy a request passes, and which rule says so.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use reqwest::{ClientBuilder, Proxy};
use url::{Host, Url};

use scitoken_types::sys::Env;
use scitoken_types::{Origin, SafeUrl, names_host};

/// The proxies of an environment: `http_proxy`, `https_proxy` and `all_proxy`, less `no_proxy`, each in either case.
///
/// This machine (`127.0.0.0/8`, `::1`, `localhost`) is never reached through a proxy: a token goes to it without TLS.
/// `HTTP_PROXY` in upper case is ignored where `REQUEST_METHOD` is set: in a CGI program it may be a header of the
/// request.
///
/// Entries of `no_proxy` are separated by commas or blanks: `*`, a name (it and all names under it, with or without a
/// leading dot), `*.domain` (names under it), an address, a network such as `10.0.0.0/8` or `fd00::/8`, each also with a
/// port (`host:8443`, `[::2]:8443`). Case and a trailing dot do not matter.
///
/// ```
/// use reqwest_scitokens::client::{DirectReason, ProxyChoice, ProxyRules};
/// use reqwest_scitokens::types::sys::Env;
///
/// let rules = ProxyRules::from_env(&Env::given([
///     ("https_proxy", "http://proxy.example.org:3128"),
///     ("no_proxy", "*.example.org 10.0.0.0/8"),
/// ]));
/// let direct = rules.choose(&"https://data.example.org/f".parse()?);
/// assert_eq!(direct, ProxyChoice::Direct(DirectReason::NoProxy("*.example.org".to_owned())));
/// let proxied = rules.choose(&"https://elsewhere.org/f".parse()?);
/// assert_eq!(proxied.to_string(), "through `http://proxy.example.org:3128/` (`https_proxy`)");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ProxyRules {
    http: Option<NamedProxy>,
    https: Option<NamedProxy>,
    all: Option<NamedProxy>,
    exceptions: Vec<Exception>,
}

/// A text is not the address of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidProxy {
    /// It names no host.
    #[error("the URL names no host")]
    NoHost,
    /// It is no URL.
    #[error("not a URL: {0}")]
    NotAUrl(url::ParseError),
}

/// How a URL is reached, and by which rule.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyChoice {
    /// Without a proxy.
    Direct(DirectReason),
    /// Through a proxy.
    Through {
        /// The URL of the proxy; it may hold a password. `Display` and `Debug` mask it.
        proxy: Url,
        /// The variable or flag that names it.
        named_by: String,
    },
    /// Not at all: the proxy is neither an `http` nor an `https` proxy. SOCKS is not supported.
    Unsupported {
        /// The proxy.
        proxy: Url,
        /// The variable or flag that names it.
        named_by: String,
    },
}

/// Why a URL is reached without a proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DirectReason {
    /// No proxy is set for the scheme.
    NotConfigured,
    /// The host is this machine.
    ThisMachine,
    /// An entry of `no_proxy` matches.
    NoProxy(String),
}

#[derive(Clone)]
struct NamedProxy {
    url: Url,
    named_by: String,
}

/// An entry of `no_proxy`.
#[derive(Clone, Debug, PartialEq)]
struct Exception {
    text: String,
    host: ExceptHost,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq)]
enum ExceptHost {
    Any,
    /// A name and the names under it.
    Name(String),
    /// Only the names under it.
    Under(String),
    Network {
        address: IpAddr,
        prefix: u32,
    },
}

impl ProxyRules {
    /// Reads the variables; a value that is not a URL is ignored with a warning.
    pub fn from_env(env: &Env) -> Self {
        let text = |name: &str| env.get_non_empty(name)?.into_string().ok();
        let named = |name: &str| {
            let upper = name.to_ascii_uppercase();
            let cgi = name == "http_proxy" && env.get("REQUEST_METHOD").is_some();
            let (variable, value) = match (text(name), cgi) {
                (Some(value), _) => (name.to_owned(), value),
                (None, true) => return None,
                (None, false) => (upper.clone(), text(&upper)?),
            };
            let url = Self::parse_url(&value);
            if let Err(problem) = &url {
                tracing::warn!("ignoring `{variable}`: {problem}");
            }
            Some(NamedProxy { url: url.ok()?, named_by: variable })
        };
        let exceptions = text("no_proxy").or_else(|| text("NO_PROXY")).unwrap_or_default();
        let is_separator = |c: char| c == ',' || c.is_whitespace();
        Self {
            http: named("http_proxy"),
            https: named("https_proxy"),
            all: named("all_proxy"),
            exceptions: exceptions.split(is_separator).filter_map(|entry| entry.parse().ok()).collect(),
        }
    }

    /// Uses this proxy in place of those of the environment; `named_by` says where it is named, for messages. The exceptions
    /// of `no_proxy` still hold.
    pub fn with_proxy(mut self, proxy: Url, named_by: impl Into<String>) -> Self {
        self.all = Some(NamedProxy { url: proxy, named_by: named_by.into() });
        (self.http, self.https) = (None, None);
        self
    }

    /// Parses the address of a proxy: a URL, or a host, for one that speaks `http`.
    ///
    /// ```
    /// use reqwest_scitokens::client::ProxyRules;
    ///
    /// assert_eq!(ProxyRules::parse_url("proxy.example.org:3128")?.as_str(), "http://proxy.example.org:3128/");
    /// assert!(ProxyRules::parse_url("https:///h").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When it is no URL, or names no host.
    pub fn parse_url(text: &str) -> Result<Url, InvalidProxy> {
        if !names_host(text) {
            return Err(InvalidProxy::NoHost);
        }
        let url = if text.contains("://") { text.parse() } else { format!("http://{text}").parse() };
        let url: Url = url.map_err(InvalidProxy::NotAUrl)?;
        if url.has_host() { Ok(url) } else { Err(InvalidProxy::NoHost) }
    }

    /// Returns whether no proxy is set.
    pub fn is_empty(&self) -> bool {
        self.http.is_none() && self.https.is_none() && self.all.is_none()
    }

    /// Decides how a URL is reached.
    pub fn choose(&self, url: &Url) -> ProxyChoice {
        if Origin::try_from(url).is_ok_and(|origin| origin.is_loopback()) {
            return ProxyChoice::Direct(DirectReason::ThisMachine);
        }
        let by_scheme = match url.scheme() {
            "http" => &self.http,
            "https" => &self.https,
            _ => &None,
        };
        let Some(named) = by_scheme.as_ref().or(self.all.as_ref()) else {
            return ProxyChoice::Direct(DirectReason::NotConfigured);
        };
        match self.exceptions.iter().find(|exception| exception.matches(url)) {
            Some(exception) => ProxyChoice::Direct(DirectReason::NoProxy(exception.text.clone())),
            None if matches!(named.url.scheme(), "http" | "https") => {
                ProxyChoice::Through { proxy: named.url.clone(), named_by: named.named_by.clone() }
            }
            None => ProxyChoice::Unsupported { proxy: named.url.clone(), named_by: named.named_by.clone() },
        }
    }

    /// Sets these rules, and no others, in an HTTP client.
    pub(crate) fn apply(&self, http: ClientBuilder) -> ClientBuilder {
        let http = http.no_proxy();
        if self.is_empty() {
            return http;
        }
        let rules = self.clone();
        http.proxy(Proxy::custom(move |url| match rules.choose(url) {
            ProxyChoice::Through { proxy, .. } => Some(proxy),
            ProxyChoice::Direct(_) | ProxyChoice::Unsupported { .. } => None,
        }))
    }
}

impl Exception {
    fn matches(&self, url: &Url) -> bool {
        let Some(host) = url.host() else { return false };
        self.port.is_none_or(|port| url.port_or_known_default() == Some(port))
            && match (&self.host, host) {
                (ExceptHost::Any, _) => true,
                (ExceptHost::Network { address, prefix }, Host::Ipv4(host)) => {
                    in_network(host.into(), *address, *prefix)
                }
                (ExceptHost::Network { address, prefix }, Host::Ipv6(host)) => {
                    in_network(host.into(), *address, *prefix)
                }
                (ExceptHost::Name(name), Host::Domain(host)) => {
                    let host = without_dot(host);
                    host.eq_ignore_ascii_case(name) || is_under(host, name)
                }
                (ExceptHost::Under(name), Host::Domain(host)) => is_under(without_dot(host), name),
                _ => false,
            }
    }
}

impl FromStr for Exception {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
        let rest = if rest.contains("://") { return Err(()) } else { rest };
        if rest == "*" {
            return Ok(Self { text: text.to_owned(), host: ExceptHost::Any, port: None });
        }
        let (host, port) = split_port(rest.strip_suffix('/').unwrap_or(rest));
        let host = host.trim_matches(['[', ']']);
        let host = if let Some((address, prefix)) = network(host) {
            ExceptHost::Network { address, prefix }
        } else {
            let (under, name) = match host.strip_prefix("*.") {
                Some(name) => (true, name),
                None => (false, host.trim_start_matches('.')),
            };
            let name = without_dot(name).to_ascii_lowercase();
            match (name.is_empty() || name.contains('*'), under) {
                (true, _) => return Err(()),
                (false, true) => ExceptHost::Under(name),
                (false, false) => ExceptHost::Name(name),
            }
        };
        Ok(Self { text: text.to_owned(), host, port })
    }
}

/// Splits `host:port`; a bare IPv6 address is left whole.
fn split_port(text: &str) -> (&str, Option<u16>) {
    match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => match port.parse() {
            Ok(port) => (host, Some(port)),
            Err(_) => (text, None),
        },
        _ => (text, None),
    }
}

/// Reads an address or a network.
fn network(text: &str) -> Option<(IpAddr, u32)> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address.trim_matches(['[', ']']), Some(prefix.parse::<u32>().ok()?)),
        None => (text, None),
    };
    let address = address.parse::<IpAddr>().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let prefix = prefix.unwrap_or(most);
    (prefix <= most).then_some((address, prefix))
}

fn in_network(host: IpAddr, network: IpAddr, prefix: u32) -> bool {
    let shifted = |bits: u128, width: u32| bits.checked_shr(width - prefix).unwrap_or(0);
    match (host.to_canonical(), network) {
        (IpAddr::V4(host), IpAddr::V4(network)) => {
            shifted(host.to_bits().into(), 32) == shifted(network.to_bits().into(), 32)
        }
        (IpAddr::V6(host), IpAddr::V6(network)) => {
            shifted(host.to_bits(), 128) == shifted(network.to_bits(), 128)
        }
        _ => false,
    }
}

fn is_under(host: &str, name: &str) -> bool {
    let Some(at) = host.len().checked_sub(name.len()).filter(|at| *at > 1) else { return false };
    host.is_char_boundary(at) && host[at..].eq_ignore_ascii_case(name) && host[..at].ends_with('.')
}

fn without_dot(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

impl fmt::Display for ProxyChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Direct(DirectReason::NotConfigured) => f.write_str("without a proxy"),
            Self::Direct(DirectReason::ThisMachine) => f.write_str("without a proxy (this machine)"),
            Self::Direct(DirectReason::NoProxy(entry)) => {
                write!(f, "without a proxy (`no_proxy` has `{}`)", scitoken_types::redact::text(entry))
            }
            Self::Through { proxy, named_by } => {
                write!(f, "through `{}` (`{named_by}`)", SafeUrl::new(proxy))
            }
            Self::Unsupported { proxy, named_by } => {
                write!(f, "not reached: the proxy `{}` (`{named_by}`) is not supported", SafeUrl::new(proxy))
            }
        }
    }
}

impl fmt::Debug for ProxyChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProxyChoice({self})")
    }
}

impl fmt::Debug for NamedProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", SafeUrl::new(&self.url), self.named_by)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(variables: &[(&str, &str)], url: &str) -> String {
        let env = Env::given(variables.iter().copied());
        ProxyRules::from_env(&env).choose(&url.parse().unwrap()).to_string()
    }

    #[test]
    fn a_proxy_names_its_host() {
        for text in
            ["http://proxy.example:3128", "https://user:pw@proxy", "socks5://h:1080", "localhost:3128", "h"]
        {
            assert!(ProxyRules::parse_url(text).is_ok(), "{text}");
        }
        for text in ["https:///h", "http:h", "http:/h", "http://", ""] {
            assert!(ProxyRules::parse_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_variable_of_the_scheme_names_the_proxy() {
        let both = [("http_proxy", "http://a:1"), ("https_proxy", "b:2"), ("ALL_PROXY", "http://me:pw@c:3")];
        for (variables, url, expected) in [
            (&both[..], "http://h/", "through `http://a:1/` (`http_proxy`)"),
            (&both, "https://h/", "through `http://b:2/` (`https_proxy`)"),
            (&both[2..], "https://h/", "through `http://…@c:3/` (`ALL_PROXY`)"),
            (&both[..1], "https://h/", "without a proxy"),
            (&[("HTTP_PROXY", "http://a:1")], "http://h/", "through `http://a:1/` (`HTTP_PROXY`)"),
            (&[("HTTP_PROXY", "http://a:1"), ("REQUEST_METHOD", "GET")], "http://h/", "without a proxy"),
            (&[("http_proxy", "http://[")], "http://h/", "without a proxy"),
        ] {
            assert_eq!(choose(variables, url), expected, "{variables:?} {url}");
        }
    }

    #[test]
    fn exceptions_are_read_as_curl_documents_them() {
        for (no_proxy, url, direct) in [
            ("*", "https://192.0.2.7/", true),
            ("*", "https://[2001:db8::1]/", true),
            ("x, *", "https://h/", true),
            ("example.org", "https://example.org/", true),
            ("example.org", "https://a.b.example.org/", true),
            ("example.org", "https://notexample.org/", false),
            (".example.org", "https://example.org/", true),
            (".example.org", "https://a.example.org/", true),
            ("*.example.org", "https://a.example.org/", true),
            ("*.example.org", "https://example.org/", false),
            ("EXAMPLE.org.", "https://Example.ORG/", true),
            ("example.org", "https://example.org./", true),
            ("a b\texample.org", "https://example.org/", true),
            ("a,,b , example.org", "https://example.org/", true),
            ("example.org:8443", "https://example.org:8443/", true),
            ("example.org:8443", "https://example.org/", false),
            ("example.org:443", "https://example.org/", true),
            ("192.0.2.7", "https://192.0.2.7/", true),
            ("192.0.2.7:1094", "https://192.0.2.7:1094/", true),
            ("192.0.2.0/24", "https://192.0.2.7/", true),
            ("192.0.2.0/24", "https://192.0.3.7/", false),
            ("192.0.2.0/24", "https://[::ffff:192.0.2.7]/", true),
            ("0.0.0.0/0", "https://192.0.2.7/", true),
            ("192.0.2.0/33", "https://192.0.2.7/", false),
            ("2001:db8::1", "https://[2001:db8::1]/", true),
            ("[2001:db8::1]", "https://[2001:db8::1]:9/", true),
            ("[2001:db8::1]:9", "https://[2001:db8::1]:9/", true),
            ("[2001:db8::1]:9", "https://[2001:db8::1]/", false),
            ("2001:db8::/32", "https://[2001:db8:1::1]/", true),
            ("https://example.org/", "https://example.org/", true),
            ("ex*mple.org", "https://example.org/", false),
            ("", "https://example.org/", false),
        ] {
            let shown = choose(&[("all_proxy", "http://p:1"), ("no_proxy", no_proxy)], url);
            assert_eq!(shown.starts_with("without"), direct, "{no_proxy:?} {url}: {shown}");
        }
        let shown = choose(&[("all_proxy", "http://p:1"), ("NO_PROXY", "a *.b.org")], "https://x.b.org/");
        assert_eq!(shown, "without a proxy (`no_proxy` has `*.b.org`)");
    }

    #[test]
    fn a_given_proxy_replaces_those_of_the_environment_and_socks_is_not_supported() {
        let env = Env::given([
            ("https_proxy", "http://a:1"),
            ("no_proxy", "direct"),
            ("http_proxy", "socks5://s:1080"),
        ]);
        let rules = ProxyRules::from_env(&env);
        let shown = |rules: &ProxyRules, url: &str| rules.choose(&url.parse().unwrap()).to_string();
        assert_eq!(
            shown(&rules, "http://h/"),
            "not reached: the proxy `socks5://s:1080` (`http_proxy`) is not supported"
        );
        assert_eq!(shown(&rules, "http://direct/"), "without a proxy (`no_proxy` has `direct`)");
        let rules = rules.with_proxy("http://me:pw@b:2".parse().unwrap(), "--proxy");
        for url in ["http://h/", "https://h/"] {
            assert_eq!(shown(&rules, url), "through `http://…@b:2/` (`--proxy`)", "{url}");
        }
        assert_eq!(shown(&rules, "https://direct/"), "without a proxy (`no_proxy` has `direct`)");
        assert!(!rules.is_empty() && ProxyRules::default().is_empty());
    }

    #[test]
    fn this_machine_is_exactly_what_is_never_proxied() {
        let variables = [("all_proxy", "http://p:1")];
        for url in
            ["http://localhost:1/", "http://127.9.9.9/", "http://[::1]/", "http://[::ffff:127.0.0.1]:1/"]
        {
            assert_eq!(choose(&variables, url), "without a proxy (this machine)", "{url}");
        }
        for url in
            ["http://localhost.:1/", "http://x.localhost:1/", "http://localhost.evil/", "http://0.0.0.0/"]
        {
            assert!(choose(&variables, url).starts_with("through"), "{url}");
        }
    }
}
