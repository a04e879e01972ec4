//! What a director states about the namespace of an object.

use http::HeaderMap;
use scitoken_types::{Origin, Scope};
use url::Url;

use crate::federation::link::usable;
use crate::object_name::object_path::ObjectPath;

/// The most issuers of a namespace that are kept.
const MAX_ISSUERS: usize = 16;

/// What a token may have to be permitted to: one of these, in WLCG's or SciTokens' words.
pub(crate) const READ: &[&str] = &["storage.read", "read"];
pub(crate) const WRITE: &[&str] = &["storage.create", "storage.modify", "write"];
pub(crate) const REMOVE: &[&str] = &["storage.modify", "write"];

/// The facts about a namespace: who may read it, with tokens of which issuers, and where it can be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceFacts {
    prefix: ObjectPath,
    requires_token: bool,
    collections_url: Option<Url>,
    issuers: Vec<NamespaceIssuer>,
}

/// An issuer of tokens for a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceIssuer {
    url: Url,
    base_path: Option<ObjectPath>,
    max_scope_depth: Option<u32>,
    strategy: Option<String>,
}

impl NamespaceFacts {
    /// Returns the path that all objects of the namespace have in front.
    pub fn prefix(&self) -> &ObjectPath {
        &self.prefix
    }

    /// Returns whether reading requires a token. Writing always does.
    pub fn requires_token(&self) -> bool {
        self.requires_token
    }

    /// Returns the server that lists collections, if the namespace allows listings.
    pub fn collections_url(&self) -> Option<&Url> {
        self.collections_url.as_ref()
    }

    /// Returns the issuers whose tokens the namespace accepts; empty when the director names none.
    pub fn issuers(&self) -> &[NamespaceIssuer] {
        &self.issuers
    }

    /// Returns the scopes of which a token needs one in order to read an object: WLCG's and SciTokens' form.
    ///
    /// The path of a scope is relative to the issuer's base path, else to the namespace; with several issuers, the scopes of
    /// the first one come first.
    pub fn read_scopes(&self, path: &ObjectPath) -> Vec<Scope> {
        self.all_scopes(READ, path)
    }

    /// Returns the scopes of which a token needs one in order to store an object. `storage.create` does not permit to replace
    /// one.
    pub fn write_scopes(&self, path: &ObjectPath) -> Vec<Scope> {
        self.all_scopes(WRITE, path)
    }

    /// Returns the scopes of which a token needs one in order to remove an object.
    pub fn removal_scopes(&self, path: &ObjectPath) -> Vec<Scope> {
        self.all_scopes(REMOVE, path)
    }

    /// Returns the issuers, each group with the scopes of which its tokens need one; one group without issuers when the
    /// director names none.
    pub(crate) fn scopes_by_issuer(&self, names: &[&str], path: &ObjectPath) -> Vec<(Vec<Url>, Vec<Scope>)> {
        let mut groups: Vec<(Vec<Url>, Vec<Scope>)> = Vec::new();
        for issuer in &self.issuers {
            let scopes = scopes(names, path, self.base_path_of(issuer));
            match groups.iter_mut().find(|(_, known)| *known == scopes) {
                Some((issuers, _)) => issuers.push(issuer.url.clone()),
                None => groups.push((vec![issuer.url.clone()], scopes)),
            }
        }
        if groups.is_empty() {
            groups.push((Vec::new(), scopes(names, path, &self.prefix)));
        }
        groups
    }

    /// Returns the path that an issuer's scopes are relative to; one without a base path of its own uses that of the others.
    pub(crate) fn base_path_of<'a>(&'a self, issuer: &'a NamespaceIssuer) -> &'a ObjectPath {
        let shared = || self.issuers.iter().find_map(NamespaceIssuer::base_path);
        issuer.base_path().or_else(shared).unwrap_or(&self.prefix)
    }

    fn all_scopes(&self, names: &[&str], path: &ObjectPath) -> Vec<Scope> {
        self.scopes_by_issuer(names, path).into_iter().flat_map(|(_, scopes)| scopes).collect()
    }

    /// Facts of a server that states none: the root, without a token.
    pub(crate) fn unknown() -> Self {
        Self {
            prefix: ObjectPath::parse("/").expect("the root is a path"),
            requires_token: false,
            collections_url: None,
            issuers: Vec::new(),
        }
    }

    /// Reads the `X-Pelican-…` headers of a director's answer; `None` without a namespace.
    ///
    /// An issuer that cannot be read is left out.
    pub(crate) fn from_headers(headers: &HeaderMap) -> Option<Self> {
        let namespace: Vec<_> = lines(headers, "x-pelican-namespace").flatten().collect();
        let value =
            |name: &str| namespace.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        let collections_url = value("collections-url").and_then(|url| usable(url.parse().ok()?));
        Some(Self {
            prefix: ObjectPath::parse(value("namespace")?).ok()?,
            requires_token: value("require-token").is_some_and(|value| value.eq_ignore_ascii_case("true")),
            collections_url,
            issuers: issuers(headers),
        })
    }
}

impl NamespaceIssuer {
    /// Returns the issuer's URL: the `iss` claim of its tokens.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Returns the path that scopes of the issuer are relative to.
    pub fn base_path(&self) -> Option<&ObjectPath> {
        self.base_path.as_ref()
    }

    /// Returns how many components a path in a scope may have.
    pub fn max_scope_depth(&self) -> Option<u32> {
        self.max_scope_depth
    }

    /// Returns how tokens are obtained: `OAuth2` or `Vault`.
    pub fn strategy(&self) -> Option<&str> {
        self.strategy.as_deref()
    }
}

/// Returns the scopes for a path below a base path.
fn scopes(names: &[&str], path: &ObjectPath, base: &ObjectPath) -> Vec<Scope> {
    let relative = path.relative_to(base).unwrap_or_else(|| path.clone());
    // The slash of a collection is not part of its path in a scope.
    let path = relative.as_encoded().trim_end_matches('/');
    let path = if path.is_empty() { "/" } else { path };
    names.iter().filter_map(|name| format!("{name}:{path}").parse().ok()).collect()
}

fn issuers(headers: &HeaderMap) -> Vec<NamespaceIssuer> {
    let mut issuers: Vec<NamespaceIssuer> = Vec::new();
    for fields in lines(headers, "x-pelican-token-generation") {
        // The facts of a line belong to the issuer before them, or else to the first one behind.
        let first =
            fields.iter().find(|(name, _)| name == "issuer").and_then(|(_, url)| add(&mut issuers, url));
        let mut current = first;
        for (name, value) in fields {
            match (name.as_str(), current) {
                ("issuer", _) => current = add(&mut issuers, &value),
                ("base-path", Some(issuer)) => issuers[issuer].base_path = ObjectPath::parse(&value).ok(),
                ("max-scope-depth", Some(issuer)) => issuers[issuer].max_scope_depth = value.parse().ok(),
                ("strategy", Some(issuer)) => issuers[issuer].strategy = Some(value),
                _ => {}
            }
        }
    }
    // `issuer=URL, issuer=URL`, `issuer=URL, URL`, or a line for each.
    for line in headers.get_all("x-pelican-authorization") {
        for part in String::from_utf8_lossy(line.as_bytes()).split(',') {
            let named = part.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case("issuer"));
            add(&mut issuers, named.map_or(part, |(_, url)| url).trim().trim_matches('"'));
        }
    }
    issuers
}

/// Returns the index of the issuer, added where it is new.
fn add(issuers: &mut Vec<NamespaceIssuer>, url: &str) -> Option<usize> {
    let url: Url = url.parse().ok()?;
    Origin::try_from(&url).ok()?;
    if let Some(known) = issuers.iter().position(|issuer| issuer.url == url) {
        return Some(known);
    }
    if issuers.len() == MAX_ISSUERS {
        return None;
    }
    issuers.push(NamespaceIssuer { url, base_path: None, max_scope_depth: None, strategy: None });
    Some(issuers.len() - 1)
}

/// Reads `name=value, name=value` in each line of a header, names in lower case.
///
/// A comma separates fields only where a name and `=` follow, because paths may have commas.
fn lines(headers: &HeaderMap, header: &str) -> impl Iterator<Item = Vec<(String, String)>> {
    headers.get_all(header).into_iter().map(|line| {
        let mut fields: Vec<(String, String)> = Vec::new();
        // A comma at the end separates nothing.
        for part in String::from_utf8_lossy(line.as_bytes()).trim_end_matches([',', ' ']).split(',') {
            let field = part.split_once('=').map(|(name, value)| (name.trim(), value.trim()));
            match (field, fields.last_mut()) {
                (Some((name, value)), _) if is_name(name) => {
                    fields.push((name.to_ascii_lowercase(), value.trim_matches('"').to_owned()));
                }
                (_, Some((_, value))) => {
                    value.push(',');
                    value.push_str(part);
                }
                (_, None) => {}
            }
        }
        fields
    })
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn facts(lines: &[(&'static str, &str)]) -> Option<NamespaceFacts> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        NamespaceFacts::from_headers(&headers)
    }

    fn path(text: &str) -> ObjectPath {
        ObjectPath::parse(text).unwrap()
    }

    #[test]
    fn all_facts_of_a_protected_namespace_are_read() {
        let facts = facts(&[
            (
                "x-pelican-namespace",
                "namespace=/protected, require-token=true, collections-url=https://origin:8443",
            ),
            ("x-pelican-authorization", "issuer=https://iss/a"),
            ("x-pelican-authorization", "issuer=https://iss/b"),
            (
                "x-pelican-token-generation",
                "issuer=https://iss/a, max-scope-depth=3, strategy=OAuth2, base-path=/protected",
            ),
        ])
        .unwrap();
        assert_eq!((facts.prefix().as_encoded(), facts.requires_token()), ("/protected", true));
        assert_eq!(facts.collections_url().map(Url::as_str), Some("https://origin:8443/"));
        let issuers: Vec<&str> = facts.issuers().iter().map(|issuer| issuer.url().as_str()).collect();
        assert_eq!(issuers, ["https://iss/a", "https://iss/b"]);
        let first = &facts.issuers()[0];
        assert_eq!((first.max_scope_depth(), first.strategy()), (Some(3), Some("OAuth2")));
        let scopes = facts.read_scopes(&path("/protected/dir/a b"));
        assert_eq!(scopes[0].as_str(), "storage.read:/dir/a%20b");
        assert_eq!(scopes[1].as_str(), "read:/dir/a%20b");
    }

    #[test]
    fn scopes_are_relative_to_the_base_path_or_else_to_the_namespace() {
        let with = |generation: &str| {
            facts(&[
                ("x-pelican-namespace", "namespace=/ns/deep, require-token=true"),
                ("x-pelican-token-generation", generation),
            ])
            .unwrap()
            .read_scopes(&path("/ns/deep/f"))[0]
                .as_str()
                .to_owned()
        };
        assert_eq!(with("issuer=https://iss, base-path=/ns"), "storage.read:/deep/f");
        assert_eq!(with("issuer=https://iss"), "storage.read:/f");
        assert_eq!(with("base-path=/ns"), "storage.read:/f", "a base path belongs to an issuer");
    }

    #[test]
    fn several_issuers_are_read_in_all_forms_and_each_has_its_own_base_path() {
        let namespace = ("x-pelican-namespace", "Namespace = \"/ns\" ,Require-Token=TRUE");
        for lines in [
            &[
                ("x-pelican-authorization", "issuer=https://a"),
                ("x-pelican-authorization", "issuer=https://b"),
            ][..],
            &[("x-pelican-authorization", "issuer=https://a, issuer=https://b")],
            &[("x-pelican-authorization", "Issuer=https://a,https://b")],
            &[
                ("x-pelican-token-generation", "issuer=https://a, base-path=/ns"),
                ("x-pelican-authorization", "issuer=https://b, issuer=https://a/"),
            ],
        ] {
            let facts = facts(&[&[namespace], lines].concat()).unwrap();
            let issuers: Vec<&str> = facts.issuers().iter().map(|issuer| issuer.url().as_str()).collect();
            assert_eq!(issuers, ["https://a/", "https://b/"], "{lines:?}");
            assert!(facts.requires_token() && facts.prefix() == &path("/ns"), "{lines:?}");
            assert_eq!(facts.read_scopes(&path("/ns/f")).len(), 2, "one base path, {lines:?}");
        }
        let facts = facts(&[
            namespace,
            ("x-pelican-token-generation", "base-path=/ns, issuer=https://a, strategy=OAuth2"),
            ("X-Pelican-Token-Generation", "ISSUER=https://b, Base-Path=/ns/deep, max-scope-depth=2"),
        ]);
        let groups = facts.unwrap().scopes_by_issuer(READ, &path("/ns/deep/f"));
        let shown: Vec<_> =
            groups.iter().map(|(issuers, scopes)| (issuers[0].as_str(), scopes[0].as_str())).collect();
        assert_eq!(shown, [("https://a/", "storage.read:/deep/f"), ("https://b/", "storage.read:/f")]);
    }

    #[test]
    fn a_comma_in_a_path_does_not_end_it() {
        let facts = facts(&[("x-pelican-namespace", "namespace=/a,b, c,require-token=true")]).unwrap();
        assert_eq!((facts.prefix(), facts.requires_token()), (&path("/a,b, c"), true));
        let facts = self::facts(&[("x-pelican-namespace", "require-token=true, namespace=/a, ,")]).unwrap();
        assert_eq!(facts.prefix(), &path("/a"));
    }

    #[test]
    fn only_true_requires_a_token_and_parts_that_cannot_be_read_are_left_out() {
        for value in ["false", "yes", "", "1"] {
            let line = format!("namespace=/a, require-token={value}, collections-url=http://h/");
            let facts = facts(&[
                ("x-pelican-namespace", &line),
                ("x-pelican-authorization", "issuer=nonsense"),
                ("x-pelican-token-generation", "max-scope-depth=x"),
            ]);
            let facts = facts.unwrap();
            assert!(!facts.requires_token() && facts.issuers().is_empty(), "{value}");
            assert_eq!(facts.collections_url(), None, "not https");
        }
        assert_eq!(facts(&[]), None);
        assert_eq!(facts(&[("x-pelican-namespace", "namespace=relative")]), None);
    }
}
