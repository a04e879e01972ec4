//! This machine, as an address names it.

use std::net::IpAddr;

use url::Host;

/// Returns whether a host is this machine: `127.0.0.0/8`, `::1`, their IPv4-mapped IPv6 forms, and exactly `localhost`.
///
/// Not `localhost.` and not `x.localhost`: resolvers ask the network for these, and proxies are asked for them.
/// The name `localhost` counts only where the connection is then made to a [loopback address](is_loopback_address).
///
/// ```
/// use scitoken_types::is_loopback_host;
/// use url::Host;
///
/// assert!(is_loopback_host(&Host::parse("localhost")?));
/// assert!(is_loopback_host(&Host::parse("[::ffff:127.0.0.1]")?));
/// assert!(!is_loopback_host(&Host::parse("data.localhost")?));
/// # Ok::<(), url::ParseError>(())
/// ```
pub fn is_loopback_host<S: AsRef<str>>(host: &Host<S>) -> bool {
    match host {
        Host::Domain(name) => name.as_ref().eq_ignore_ascii_case("localhost"),
        Host::Ipv4(address) => is_loopback_address((*address).into()),
        Host::Ipv6(address) => is_loopback_address((*address).into()),
    }
}

/// Returns whether an address is this machine: `127.0.0.0/8`, `::1`, or an IPv4-mapped form of the former.
pub fn is_loopback_address(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_exactly_these_hosts() {
        for (host, expected) in [
            ("localhost", true),
            ("LOCALHOST", true),
            ("127.0.0.1", true),
            ("127.255.0.9", true),
            ("0x7f.1", true),
            ("[::1]", true),
            ("[::ffff:127.0.0.1]", true),
            ("[::ffff:7f00:9]", true),
            ("localhost.", false),
            ("a.localhost", false),
            ("localhost.example.org", false),
            ("localhost.localdomain", false),
            ("128.0.0.1", false),
            ("0.0.0.0", false),
            ("[::]", false),
            ("[::2]", false),
            ("[::127.0.0.1]", false),
            ("[::ffff:128.0.0.1]", false),
        ] {
            assert_eq!(is_loopback_host(&Host::parse(host).unwrap()), expected, "{host}");
        }
    }
}
