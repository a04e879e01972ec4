//! The server that an audience names.

use url::Url;

/// Returns the origin pattern of the server that an audience names: by a URL, or by a host with or without a port.
pub(super) fn origin_pattern(audience: &str) -> Option<String> {
    let (scheme, rest) = audience.split_once("://").unwrap_or(("", audience));
    let is_host = |text: &str| {
        let (host, port) = text.rsplit_once(':').unwrap_or((text, "1"));
        let is_name =
            host.contains('.') && host.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c));
        is_name && port.parse::<u16>().is_ok()
    };
    match scheme {
        "" => is_host(rest).then(|| rest.to_owned()),
        // The port of another protocol is not that of HTTP.
        "root" | "roots" | "xroot" | "xroots" => {
            let host = rest.split(['/', ':']).next().filter(|host| is_host(host))?;
            Some(host.to_owned())
        }
        _ => {
            let url: Url = audience.parse().ok()?;
            match (url.scheme(), url.port()) {
                ("https", None) => url.host_str().map(str::to_owned),
                ("https" | "http", _) => Some(url.origin().ascii_serialization()),
                _ => None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_of_an_audience_is_named() {
        for (audience, pattern) in [
            ("https://se.example.org", Some("se.example.org")),
            ("https://se.example.org:8443/x", Some("https://se.example.org:8443")),
            ("http://127.0.0.1:80/", Some("http://127.0.0.1")),
            ("se.example.org", Some("se.example.org")),
            ("se.example.org:1094", Some("se.example.org:1094")),
            ("root://se.example.org:1094/", Some("se.example.org")),
            ("https://wlcg.cern.ch/jwt/v1/any", Some("wlcg.cern.ch")),
            ("ANY", None),
            ("urn:globus:x", None),
            ("a b.c", None),
        ] {
            assert_eq!(origin_pattern(audience).as_deref(), pattern, "{audience}");
        }
    }
}
