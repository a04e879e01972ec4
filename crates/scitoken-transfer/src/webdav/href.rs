//! Maps the hrefs of a listing to URLs below the collection: the only place that does so.

use url::Url;

use crate::webdav::child_url::{Segments, child_url, segments};
use crate::webdav::entry::{EntryKind, RemoteEntry};
use crate::webdav::multistatus::Resource;
use scitoken_types::redact;

/// Where a resource of a listing is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mapped {
    /// The listed resource itself.
    Itself(RemoteEntry),
    /// Directly below it.
    Child(RemoteEntry),
    /// Further below, in the member of this name: a listing of its parent has it.
    Deeper(Vec<u8>),
    /// Not below it.
    Outside,
}

/// Maps hrefs to the URL that the caller knows: behind a redirect or a proxy, hrefs name another host, port or prefix,
/// and the URLs of a data server may be valid once only.
#[derive(Debug)]
pub(crate) struct HrefMapper {
    asked: Url,
    /// The paths that name the collection: as asked, as answered, and as the listing names it.
    roots: Vec<Segments>,
    /// Where relative hrefs begin.
    base: Segments,
    is_first: bool,
}

impl HrefMapper {
    /// Creates a mapper for the listing of `asked` that came from `answered`.
    pub(crate) fn new(asked: &Url, answered: &Url) -> Self {
        let base = segments(answered.path()).unwrap_or_default();
        let roots = vec![base.clone(), segments(asked.path()).unwrap_or_default()];
        Self { asked: asked.clone(), roots, base, is_first: true }
    }

    /// Maps one resource.
    pub(crate) fn map(&mut self, resource: Resource) -> Mapped {
        let is_first = std::mem::replace(&mut self.is_first, false);
        let Some(path) = self.resolve(&resource.href) else { return Mapped::Outside };
        // A back end behind a proxy names the collection by its own path, in the first entry. What is below the collection
        // is a member of it, also where it has the collection's own name.
        let is_collection = kind(&resource) == EntryKind::Directory && path.last() == self.roots[1].last();
        if is_first && is_collection && !self.roots.iter().any(|root| path.starts_with(root)) {
            self.roots.push(path.clone());
        }
        let below =
            self.roots.iter().filter_map(|root| path.strip_prefix(&root[..])).min_by_key(|rest| rest.len());
        match below {
            None => Mapped::Outside,
            Some([]) => Mapped::Itself(entry(self.asked.clone(), resource)),
            Some([name]) => match child_url(&self.asked, name, kind(&resource) == EntryKind::Directory) {
                Some(url) => Mapped::Child(entry(url, resource)),
                None => Mapped::Outside,
            },
            Some([name, ..]) => Mapped::Deeper(name.clone()),
        }
    }

    /// Maps the description of the resource that was asked for, whatever its href.
    pub(crate) fn describe(&self, resource: Resource) -> RemoteEntry {
        entry(self.asked.clone(), resource)
    }

    /// Returns the path that an href names. An href without a scheme is a path, even with two slashes at its start, and
    /// neither `?` nor `#` ends it: servers write names without encoding them.
    fn resolve(&self, href: &str) -> Option<Segments> {
        let path = match href.split_once("://") {
            Some((scheme, rest)) if is_scheme(scheme) => {
                if !["http", "https", "dav", "davs"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
                    return None;
                }
                rest.find('/').map_or("", |at| &rest[at..])
            }
            _ if href.starts_with('/') => href,
            _ => {
                let mut path = self.base.clone();
                path.extend(segments(href.strip_prefix("./").unwrap_or(href))?);
                return Some(path);
            }
        };
        segments(path)
    }
}

/// Returns what a resource is. Without a word of the server, a trailing slash names a collection (RFC 4918 section 5.2).
fn kind(resource: &Resource) -> EntryKind {
    let by_name = if resource.href.ends_with('/') { EntryKind::Directory } else { EntryKind::File };
    resource.kind.unwrap_or(by_name)
}

fn entry(url: Url, resource: Resource) -> RemoteEntry {
    let kind = kind(&resource);
    // Foreign text is shown by programs.
    let clean = |text: Option<String>| text.map(|text| redact::text(&text));
    RemoteEntry {
        url,
        kind,
        length: resource.length.filter(|_| kind == EntryKind::File),
        last_modified: clean(resource.last_modified),
        etag: clean(resource.etag),
    }
}

fn is_scheme(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(asked: &str, answered: &str, hrefs: &[&str]) -> Vec<Mapped> {
        let mut mapper = HrefMapper::new(&asked.parse().unwrap(), &answered.parse().unwrap());
        let resource = |href: &&str| Resource {
            href: (*href).to_owned(),
            kind: href.ends_with('/').then_some(EntryKind::Directory),
            ..Resource::default()
        };
        hrefs.iter().map(|href| mapper.map(resource(href))).collect()
    }

    fn child(asked: &str, answered: &str, href: &str) -> Option<String> {
        match map(asked, answered, &["/nowhere", href]).pop() {
            Some(Mapped::Child(entry)) => Some(entry.url.to_string()),
            _ => None,
        }
    }

    #[test]
    fn hrefs_are_mapped_in_every_spelling() {
        for (href, expected) in [
            ("/vo/d/f", "https://h/vo/d/f"),
            ("//vo/d/f", "https://h/vo/d/f"),
            ("///vo//d/f", "https://h/vo/d/f"),
            ("https://pool:2880/vo/d/f", "https://h/vo/d/f"),
            ("http://10.0.0.7/vo/d/f", "https://h/vo/d/f"),
            ("davs://door:2880/vo/d/f", "https://h/vo/d/f"),
            ("f", "https://h/vo/d/f"),
            ("./f", "https://h/vo/d/f"),
            ("/vo/d/run#2.root", "https://h/vo/d/run%232.root"),
            ("/vo/d/a?b", "https://h/vo/d/a%3Fb"),
            ("/vo/d/sp ace+é.txt", "https://h/vo/d/sp%20ace+%C3%A9.txt"),
            ("/vo/d/sp%20ace%2B%c3%a9.txt", "https://h/vo/d/sp%20ace+%C3%A9.txt"),
            ("/vo/d/100%", "https://h/vo/d/100%25"),
            ("/vo/d/a:b", "https://h/vo/d/a:b"),
            ("/vo/%64/f", "https://h/vo/d/f"),
            ("/vo/d/a%2Fb", "https://h/vo/d/a%2Fb"),
            ("/vo/d/back\\slash", "https://h/vo/d/back%5Cslash"),
            ("/vo/d/sub/", "https://h/vo/d/sub/"),
        ] {
            assert_eq!(
                child("https://h/vo/d/", "https://h/vo/d/", href).as_deref(),
                Some(expected),
                "{href}"
            );
            assert_eq!(child("https://h/vo/d", "https://h/vo/d/", href).as_deref(), Some(expected), "{href}");
        }
    }

    #[test]
    fn what_is_not_below_the_collection_is_outside_of_it() {
        for href in [
            "/vo/f",
            "/vo/database",
            "/vo/d/../../etc/passwd",
            "/vo/d/%2e%2e/f",
            "https://evil/f",
            "ftp://h/f",
            "..",
            "/",
        ] {
            let mapped = map("https://h/vo/d/", "https://h/vo/d/", &["/vo/d/", href]).pop();
            assert_eq!(mapped, Some(Mapped::Outside), "{href}");
        }
        assert_eq!(map("https://h/d", "https://h/d", &["/d/", "/d/e/f"])[1], Mapped::Deeper(b"e".to_vec()));
    }

    #[test]
    fn a_collection_is_known_by_the_name_that_its_listing_gives_it() {
        let mapped = map("https://proxy/dav/d/", "https://proxy/dav/d/", &["/export/d/", "/export/d/f"]);
        assert!(matches!(&mapped[0], Mapped::Itself(entry) if entry.url.path() == "/dav/d/"));
        assert!(matches!(&mapped[1], Mapped::Child(entry) if entry.url.path() == "/dav/d/f"));
        // Not by any other name.
        let other = map("https://proxy/dav/d/", "https://proxy/dav/d/", &["/export/e/", "/export/e/f"]);
        assert_eq!(other, [Mapped::Outside, Mapped::Outside]);
    }

    #[test]
    fn a_member_with_the_name_of_its_collection_is_a_member_in_any_order() {
        for hrefs in [&["/d/d/", "/d/", "/d/f"][..], &["/d/d/", "/d/f"], &["/d/", "/d/d/", "/d/f"]] {
            let children: Vec<_> = map("https://h/d/", "https://h/d/", hrefs)
                .into_iter()
                .filter_map(|mapped| match mapped {
                    Mapped::Child(entry) => Some(entry.url.path().to_owned()),
                    _ => None,
                })
                .collect();
            assert_eq!(children, ["/d/d/", "/d/f"], "{hrefs:?}");
        }
    }

    #[test]
    fn the_query_of_the_asked_url_is_kept() {
        let found = child("https://h/vo/?authz=x", "https://pool:2880/vo/", "/vo/f").unwrap();
        assert_eq!(found, "https://h/vo/f?authz=x");
        assert!(child("https://h/", "https://h/", "/f").is_some());
    }
}
