//! Caches that the user prefers to the director's.

use std::str::FromStr;

use scitoken_types::{SafeUrl, redact};
use url::Url;

use crate::federation::answers::below;
use crate::federation::link::usable;
use crate::object_name::object_path::ObjectPath;

/// Caches that are tried before those of the director: `URL,URL`, with `,+` at the end to try the director's afterwards.
///
/// ```
/// use scitoken_transfer::federation::PreferredCaches;
///
/// let caches: PreferredCaches = "https://cache.example.org:8443,+".parse()?;
/// assert_eq!(caches.urls().len(), 1);
/// assert!(caches.appends_director());
/// # Ok::<(), scitoken_transfer::federation::InvalidPreferredCache>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PreferredCaches {
    urls: Vec<Url>,
    appends_director: bool,
}

/// The error for a text that is not a list of caches.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPreferredCache {
    /// An entry is not an https URL without user info.
    #[error("invalid cache `{0}`: expected an https URL without user name and password")]
    Url(String),
    /// The list has no cache.
    #[error("the list of caches is empty")]
    Empty,
    /// `+` is not the last entry.
    #[error("`+` is not the last entry of the list of caches")]
    Plus,
}

impl PreferredCaches {
    /// Returns the URLs of the caches, in their order.
    pub fn urls(&self) -> &[Url] {
        &self.urls
    }

    /// Returns whether the director's servers are tried afterwards.
    pub fn appends_director(&self) -> bool {
        self.appends_director
    }

    /// Returns the URLs of an object: at the preferred caches, then at the director's servers if they are appended.
    pub(crate) fn apply(&self, path: &ObjectPath, director: Vec<Url>) -> Vec<Url> {
        let mut servers: Vec<Url> = self.urls.iter().map(|cache| below(cache, path)).collect();
        if self.appends_director {
            for server in director {
                if !servers.iter().any(|known| known.origin() == server.origin()) {
                    servers.push(server);
                }
            }
        }
        servers
    }
}

impl FromStr for PreferredCaches {
    type Err = InvalidPreferredCache;

    fn from_str(text: &str) -> Result<Self, InvalidPreferredCache> {
        let mut caches = Self { urls: Vec::new(), appends_director: false };
        for entry in text.split([',', ' ']).filter(|entry| !entry.is_empty()) {
            if caches.appends_director {
                return Err(InvalidPreferredCache::Plus);
            }
            if entry == "+" {
                caches.appends_director = true;
                continue;
            }
            let url: Url = entry.parse().map_err(|_| InvalidPreferredCache::Url(redact::text(entry)))?;
            let shown = SafeUrl::new(&url).to_string();
            let mut url = usable(url).ok_or(InvalidPreferredCache::Url(shown))?;
            url.set_query(None);
            caches.urls.push(url);
        }
        if caches.urls.is_empty() { Err(InvalidPreferredCache::Empty) } else { Ok(caches) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(text: &str) -> Vec<String> {
        let caches: PreferredCaches = text.parse().unwrap();
        let director = ["https://c1/ns/f", "https://c2/ns/f"].map(|url| url.parse().unwrap());
        let path = ObjectPath::parse("/ns/f").unwrap();
        caches.apply(&path, director.into()).into_iter().map(String::from).collect()
    }

    #[test]
    fn preferred_caches_come_first_and_the_director_s_follow_a_plus() {
        assert_eq!(applied("https://p:8443/,https://q/pre"), ["https://p:8443/ns/f", "https://q/pre/ns/f"]);
        assert_eq!(applied("https://c2, +"), ["https://c2/ns/f", "https://c1/ns/f"]);
    }

    #[test]
    fn what_is_not_a_list_of_caches_is_rejected() {
        for text in
            ["", "+", ",", "cache", "http://cache.example", "https://u:p@cache", "https://a,+,https://b"]
        {
            assert!(text.parse::<PreferredCaches>().is_err(), "{text}");
        }
    }
}
