//! Which proxy the environment names for a URL, by the library's own rules.

use std::net::IpAddr;

use reqwest_scitokens::SafeUrl;
use reqwest_scitokens::sys::Env;
use serde::Serialize;
use url::{Host, Url};

/// A proxy that a request goes through.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct ProxyUse {
    /// The variable that names it.
    pub(crate) variable: &'static str,
    /// Its address, without a password.
    pub(crate) address: String,
}

/// The proxy for this URL: by its scheme, else `all_proxy`; none for this machine and for what `no_proxy` names.
///
/// `HTTP_PROXY` in capitals does not count in a CGI program, where a stranger can set it.
pub(crate) fn of(url: &Url, env: &Env) -> Option<ProxyUse> {
    let text = |name: &str| env.get_non_empty(name)?.into_string().ok();
    let names: &[&'static str] = match url.scheme() {
        "https" => &["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"],
        _ if env.get("REQUEST_METHOD").is_some() => &["http_proxy", "all_proxy", "ALL_PROXY"],
        _ => &["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
    };
    let (variable, value) = names.iter().find_map(|name| Some((*name, text(name)?)))?;
    let except = text("no_proxy").or_else(|| text("NO_PROXY")).unwrap_or_default();
    let host = url.host()?;
    if is_this_machine(&host) || except.split(',').any(|entry| covers(entry.trim(), &host)) {
        return None;
    }
    let whole = if value.contains("://") { value } else { format!("http://{value}") };
    let address = whole.parse().map_or("something that is no URL".to_owned(), |url: Url| {
        SafeUrl::new(&url).to_string().trim_end_matches('/').to_owned()
    });
    Some(ProxyUse { variable, address })
}

fn is_this_machine(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// Whether an entry of `no_proxy` covers a host: `*`, a name with everything below it, an address, or a network.
fn covers(entry: &str, host: &Host<&str>) -> bool {
    if entry == "*" {
        return true;
    }
    let address = match host {
        Host::Domain(name) => {
            let domain = entry.trim_start_matches('.').to_ascii_lowercase();
            let above = name.strip_suffix(domain.as_str());
            return !domain.is_empty() && above.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        }
        Host::Ipv4(address) => IpAddr::V4(*address),
        Host::Ipv6(address) => IpAddr::V6(*address),
    };
    let Some((network, length)) = entry.split_once('/') else {
        return entry.parse().is_ok_and(|entry: IpAddr| entry == address);
    };
    let (Ok(network), Ok(length)) = (network.parse::<IpAddr>(), length.parse::<u32>()) else { return false };
    match (network, address) {
        (IpAddr::V4(a), IpAddr::V4(b)) if length <= 32 => {
            (u64::from(a.to_bits() ^ b.to_bits()) >> (32 - length)) == 0
        }
        (IpAddr::V6(a), IpAddr::V6(b)) if length <= 128 => {
            (a.to_bits() ^ b.to_bits()).checked_shr(128 - length).unwrap_or(0) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(url: &str, variables: &[(&str, &str)]) -> Option<String> {
        let found = of(&url.parse().unwrap(), &Env::given(variables.iter().copied()));
        found.map(|proxy| format!("{} {}", proxy.variable, proxy.address))
    }

    #[test]
    fn the_scheme_chooses_and_a_password_is_not_shown() {
        let both = [("http_proxy", "one:3128"), ("HTTPS_PROXY", "http://me:pw@two:3128"), ("ALL_PROXY", "x")];
        assert_eq!(used("http://h/f", &both).as_deref(), Some("http_proxy http://one:3128"));
        assert_eq!(used("https://h/f", &both).as_deref(), Some("HTTPS_PROXY http://…@two:3128"));
        assert_eq!(used("https://h/f", &[("ALL_PROXY", "x")]).as_deref(), Some("ALL_PROXY http://x"));
        assert_eq!(used("https://h/f", &[]), None);
        assert_eq!(used("http://h/f", &[("HTTP_PROXY", "x"), ("REQUEST_METHOD", "GET")]), None);
    }

    #[test]
    fn this_machine_and_exceptions_are_reached_directly() {
        for (host, except) in [
            ("localhost", ""),
            ("127.0.0.9", ""),
            ("[::1]", ""),
            ("a.example.org", "example.org"),
            ("example.org", "x, .Example.org"),
            ("h", "*"),
            ("10.1.2.3", "10.1.2.3"),
            ("10.1.2.3", "10.0.0.0/8"),
            ("10.1.2.3", "0.0.0.0/0"),
            ("[fd00::1]", "fd00::/16"),
            ("[fd00::1]", "::/0"),
        ] {
            let variables = [("all_proxy", "proxy:1"), ("no_proxy", except)];
            assert_eq!(used(&format!("http://{host}/f"), &variables), None, "{host} {except}");
        }
        for (host, except) in [("notexample.org", "example.org"), ("10.1.2.3", "11.0.0.0/8,x/y"), ("h", ",.")]
        {
            let variables = [("all_proxy", "proxy:1"), ("no_proxy", except)];
            assert!(used(&format!("http://{host}/f"), &variables).is_some(), "{host} {except}");
        }
    }
}
