//! Whether two URLs name the same file or directory.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use percent_encoding::percent_decode_str;
use url::{Host, Url};

/// What a URL names, without the freedom in how it is written: escapes, empty components of the path, default ports, `davs`
/// for `https`, a slash at the end, and the names of this machine.
///
/// ```
/// use scitoken_transfer::ResourceName;
///
/// let name = |text: &str| text.parse().map(|url| ResourceName::of(&url));
/// assert_eq!(name("https://h/vo//run%31.root")?, name("davs://H:443/vo/run1.root")?);
/// assert!(name("https://h/vo/runs/1/")?.is_below(&name("https://h/vo")?));
/// # Ok::<(), url::ParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ResourceName {
    scheme: String,
    host: String,
    port: Option<u16>,
    path: Vec<Vec<u8>>,
    query: Option<String>,
}

impl ResourceName {
    /// Returns what a URL names.
    pub fn of(url: &Url) -> Self {
        let (scheme, default_port) = match url.scheme() {
            "https" | "davs" => ("https", Some(443)),
            "http" | "dav" => ("http", Some(80)),
            other => (other, None),
        };
        let components = url.path().split('/').map(|part| percent_decode_str(part).collect::<Vec<u8>>());
        Self {
            scheme: scheme.to_owned(),
            host: host_name(url),
            port: url.port().or(default_port),
            path: components.filter(|part| !part.is_empty() && part != b".").collect(),
            query: url.query().map(str::to_owned),
        }
    }

    /// Returns whether it is below a directory, and not that directory itself.
    pub fn is_below(&self, directory: &Self) -> bool {
        (&self.scheme, &self.host, self.port) == (&directory.scheme, &directory.host, directory.port)
            && self.path.len() > directory.path.len()
            && self.path.starts_with(&directory.path)
    }

    /// Returns whether both are on one host, which may serve the same files at several ports.
    pub(crate) fn has_host_of(&self, other: &Self) -> bool {
        self.host == other.host
    }
}

fn host_name(url: &Url) -> String {
    let address = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::from(address),
        Some(Host::Ipv6(address)) => IpAddr::from(address).to_canonical(),
        Some(Host::Domain(name)) => return name.trim_end_matches('.').to_ascii_lowercase(),
        None => return String::new(),
    };
    if address == Ipv4Addr::LOCALHOST || address == Ipv6Addr::LOCALHOST {
        return "localhost".to_owned();
    }
    address.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ResourceName {
        ResourceName::of(&text.parse().unwrap())
    }

    #[test]
    fn one_resource_has_many_spellings() {
        for text in [
            "https://h/a/f",
            "HTTPS://H:443/a/f",
            "https://h./a/f",
            "davs://h/a/f",
            "https://h/a/%66",
            "https://h/%61//f",
            "https://h//a/f",
            "https://h/a/./f",
            "https://h/a/%2e/f",
            "https://h/b/../a/f",
            "https://h/a/f/",
        ] {
            assert_eq!(name(text), name("https://h/a/f"), "{text}");
        }
        for text in ["https://127.0.0.1:9/f", "https://[::1]:9/f", "https://[::ffff:127.0.0.1]:9/f"] {
            assert_eq!(name(text), name("https://localhost:9/f"), "{text}");
        }
        assert_eq!(name("http://h/f"), name("dav://h:80/f"));
        assert_eq!(name("https://h/%C3%BC"), name("https://h/ü"));
    }

    #[test]
    fn other_resources_have_other_names() {
        for text in [
            "http://h/a/f",
            "https://h:444/a/f",
            "https://g/a/f",
            "https://h/a/F",
            "https://h/a%2Ff",
            "https://h/a/%2566",
            "https://h/a",
            "https://h/a/f?x=1",
        ] {
            assert_ne!(name(text), name("https://h/a/f"), "{text}");
        }
        assert_ne!(name("https://127.0.0.2/f"), name("https://localhost/f"));
    }

    #[test]
    fn what_is_below_a_directory_is_found_by_whole_components() {
        let directory = name("https://h/a/d");
        for (text, expected) in [
            ("https://h/a/d/copy", true),
            ("https://h/%61//d/copy/", true),
            ("https://h/a/d/", false),
            ("https://h/a/d2", false),
            ("https://h/a", false),
            ("https://g/a/d/copy", false),
            ("https://h:1/a/d/copy", false),
        ] {
            assert_eq!(name(text).is_below(&directory), expected, "{text}");
        }
        assert!(name("https://h/a").is_below(&name("https://h/")));
    }
}
