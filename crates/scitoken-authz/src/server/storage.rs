//! What a storage requires of a token: the capabilities and groups of the WLCG profile.

use http::Method;

use super::Requirement;
use scitoken_types::ResourcePath;

/// What a request does to a file or a directory of a storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StorageOperation {
    /// Reads a file, its properties, or lists a directory.
    Read,
    /// Makes a new file, or gives a file or directory another name, and replaces nothing.
    Create,
    /// Makes a directory.
    MakeDirectory,
    /// Writes to an existing file or replaces it.
    Modify,
    /// Removes a file, or a directory and everything in it.
    Delete,
}

/// The rules of a storage: which capability or group a request requires (WLCG profile, "Capability based authorization",
/// "Group based authorization").
///
/// | operation | capabilities | groups |
/// |---|---|---|
/// | read | `storage.read` | readers, writers, and the group of the area |
/// | create | `storage.create`, `storage.modify` | writers; in an area its group only |
/// | make a directory | as create, and for each parent of the path of `storage.create` and `storage.modify` | as create |
/// | modify, delete | `storage.modify` | as create; a directory that holds an area is removed by no group |
///
/// So `storage.create` neither overwrites nor deletes, `storage.modify` does not read, and the groups of a token that has
/// capabilities do not count. `storage.stage` and `storage.poll` allow none of these operations: since version 1.2 of the
/// profile staging does not include reading.
///
/// ```
/// use scitoken_authz::{AuthorizeLayer, Enforcer, OfflineVerifier, StorageRules};
///
/// fn layer(verifier: OfflineVerifier, enforcer: Enforcer) -> AuthorizeLayer {
///     let rules = StorageRules::new().readers("/vo").writers("/vo/production");
///     AuthorizeLayer::new(verifier, enforcer, move |request, path| {
///         let is_there = |path: &_| true; // looks into the storage
///         rules.webdav(&request.method, path, None, is_there)
///     })
/// }
/// ```
#[derive(Clone, Debug, Default)]
pub struct StorageRules {
    readers: Vec<String>,
    writers: Vec<String>,
    areas: Vec<Area>,
}

/// A directory in which one group writes instead of the writers.
#[derive(Clone, Debug)]
struct Area {
    path: ResourcePath,
    group: String,
}

impl StorageRules {
    /// Returns rules without groups: capabilities alone decide.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets the members of this group read everything.
    pub fn readers(mut self, group: impl Into<String>) -> Self {
        self.readers.push(group.into());
        self
    }

    /// Lets the members of this group read everything, and write outside of areas.
    pub fn writers(mut self, group: impl Into<String>) -> Self {
        self.writers.push(group.into());
        self
    }

    /// Makes a directory an area: among the groups this one alone writes there, and it reads there. The innermost area of
    /// a path counts; an area that is given twice has two groups.
    pub fn area(mut self, path: &ResourcePath, group: impl Into<String>) -> Self {
        // Without a `/` at its end, so that the directory itself belongs to the area.
        let components: Vec<&str> = path.components().collect();
        let path = ResourcePath::from_decoded(&format!("/{}", components.join("/")));
        if let Ok(path) = path {
            self.areas.push(Area { path, group: group.into() });
        }
        self
    }

    /// Returns what an operation on a path requires.
    pub fn requirement(&self, operation: StorageOperation, path: &ResourcePath) -> Requirement {
        let access = |authorization| Requirement::access(authorization, path);
        let capabilities = match operation {
            StorageOperation::Read => access("storage.read"),
            StorageOperation::Create => access("storage.create"),
            StorageOperation::MakeDirectory => access("storage.create").or(Requirement::make_parent(path)),
            StorageOperation::Modify | StorageOperation::Delete => access("storage.modify"),
        };
        let groups: Vec<&str> = match operation {
            StorageOperation::Read => self.readers_of(path).collect(),
            StorageOperation::Create | StorageOperation::Delete if self.holds_an_area(path) => Vec::new(),
            _ => self.writers_of(path),
        };
        groups.into_iter().fold(capabilities, |all, group| all.or(Requirement::group(group.to_owned())))
    }

    /// Returns what a WebDAV request (RFC 4918) requires. `destination` is the path of a `COPY` or `MOVE`, and `exists`
    /// tells whether there is a file or directory.
    ///
    /// A service must not replace what appeared after `exists` was asked, unless the token allows
    /// [`Modify`](StorageOperation::Modify) too.
    pub fn webdav(
        &self,
        method: &Method,
        path: &ResourcePath,
        destination: Option<&ResourcePath>,
        exists: impl Fn(&ResourcePath) -> bool,
    ) -> Requirement {
        let write = |path: &ResourcePath| {
            let operation = if exists(path) { StorageOperation::Modify } else { StorageOperation::Create };
            self.requirement(operation, path)
        };
        // An existing destination is removed first, with everything in it (RFC 4918 section 9.8.4).
        let replace = |path: &ResourcePath| {
            let operation = if exists(path) { StorageOperation::Delete } else { StorageOperation::Create };
            self.requirement(operation, path)
        };
        let to_destination = destination.map_or_else(Requirement::any_token, replace);
        match method.as_str() {
            "OPTIONS" => Requirement::any_token(),
            "GET" | "HEAD" | "PROPFIND" => self.requirement(StorageOperation::Read, path),
            "MKCOL" => self.requirement(StorageOperation::MakeDirectory, path),
            "PUT" => write(path),
            "DELETE" => self.requirement(StorageOperation::Delete, path),
            "COPY" => self.requirement(StorageOperation::Read, path).and(to_destination),
            // A new name that replaces nothing is creation; what is replaced is deleted.
            "MOVE" if !destination.is_some_and(&exists) => {
                self.requirement(StorageOperation::Create, path).and(to_destination)
            }
            "MOVE" => self.requirement(StorageOperation::Delete, path).and(to_destination),
            _ => self.requirement(StorageOperation::Modify, path),
        }
    }

    fn readers_of<'a>(&'a self, path: &'a ResourcePath) -> impl Iterator<Item = &'a str> {
        let areas = self.areas.iter().filter(|area| area.path.contains(path)).map(|area| &area.group);
        self.readers.iter().chain(&self.writers).chain(areas).map(String::as_str)
    }

    fn writers_of(&self, path: &ResourcePath) -> Vec<&str> {
        let depth = |area: &Area| area.path.components().count();
        let around = || self.areas.iter().filter(|area| area.path.contains(path));
        match around().map(depth).max() {
            None => self.writers.iter().map(String::as_str).collect(),
            Some(innermost) => {
                around().filter(|area| depth(area) == innermost).map(|area| area.group.as_str()).collect()
            }
        }
    }

    /// Whether an area lies beneath the path.
    fn holds_an_area(&self, path: &ResourcePath) -> bool {
        self.areas.iter().any(|area| path.contains(&area.path) && !area.path.contains(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Claims, Enforcer, VerifiedToken};

    fn path(text: &str) -> ResourcePath {
        text.parse().unwrap()
    }

    fn rules() -> StorageRules {
        StorageRules::new()
            .readers("/vo/guests")
            .writers("/vo")
            .area(&path("/protected/"), "/vo/test")
            .area(&path("/protected/inner"), "/vo/inner")
    }

    fn token(scope: &str, groups: &[&str]) -> VerifiedToken {
        let claims = format!(
            r#"{{"iss":"https://i.example","aud":"https://wlcg.cern.ch/jwt/v1/any","wlcg.ver":"1.0","exp":4102444800,
                "iat":1,"nbf":1,"jti":"j","sub":"a","wlcg.groups":{groups:?},"scope":"{scope}"}}"#
        );
        VerifiedToken::new(Claims::parse(claims, None).unwrap(), None)
    }

    /// Which of the operations a token may do at a path.
    fn allowed(token: &VerifiedToken, at: &str) -> Vec<StorageOperation> {
        use StorageOperation::{Create, Delete, MakeDirectory, Modify, Read};
        let enforcer = Enforcer::builder("https://i.example".parse().unwrap()).audience("a").build();
        let may = |operation: &_| rules().requirement(*operation, &path(at)).check(token, &enforcer).is_ok();
        [Read, Create, MakeDirectory, Modify, Delete].into_iter().filter(may).collect()
    }

    #[test]
    fn each_capability_allows_what_the_profile_says_and_no_more() {
        use StorageOperation::{Create, Delete, MakeDirectory, Modify, Read};
        for (scope, expected) in [
            ("storage.read:/d", &[Read][..]),
            ("storage.create:/d", &[Create, MakeDirectory]),
            ("storage.modify:/d", &[Create, MakeDirectory, Modify, Delete]),
            ("storage.stage:/d", &[]),
            ("storage.poll:/d", &[]),
            ("compute.create", &[]),
            ("openid", &[]),
            ("storage.read:/d storage.create:/d", &[Read, Create, MakeDirectory]),
        ] {
            let token = token(scope, &[]);
            for there in ["/d", "/d/file", "/d/"] {
                assert_eq!(allowed(&token, there), expected, "{scope} at {there}");
            }
            for elsewhere in ["/dd", "/e/d", "/"] {
                let parents: &[_] =
                    if elsewhere == "/" && expected.contains(&Create) { &[MakeDirectory] } else { &[] };
                assert_eq!(allowed(&token, elsewhere), parents, "{scope} at {elsewhere}");
            }
        }
    }

    #[test]
    fn creation_makes_the_parents_of_its_path_and_nothing_else_in_them() {
        let token = token("storage.create:/a/b/c", &[]);
        for parent in ["/a", "/a/b", "/a/"] {
            assert_eq!(allowed(&token, parent), [StorageOperation::MakeDirectory], "{parent}");
        }
        for other in ["/ab", "/a/x", "/a/b/cc"] {
            assert_eq!(allowed(&token, other), [], "{other}");
        }
    }

    #[test]
    fn groups_read_everything_and_write_where_the_area_is_theirs() {
        use StorageOperation::{Create, Delete, MakeDirectory, Modify, Read};
        let write = &[Read, Create, MakeDirectory, Modify, Delete][..];
        for (group, at, expected) in [
            ("/vo/guests", "/x", &[Read][..]),
            ("/vo/guests", "/protected/x", &[Read]),
            ("/vo", "/x", write),
            ("/vo", "/protectedx", write),
            ("/vo", "/protected", &[Read]),
            ("/vo", "/protected/", &[Read]),
            ("/vo", "/protected/x", &[Read]),
            ("/vo", "/", &[Read, MakeDirectory, Modify]),
            ("/vo/test", "/protected/x", write),
            ("/vo/test", "/protected", &[Read, MakeDirectory, Modify]),
            ("/vo/test", "/protected/inner/x", &[Read]),
            ("/vo/test", "/x", &[]),
            ("/vo/inner", "/protected/inner/x", write),
            ("/vo/inner", "/protected/inner", write),
            ("/other", "/x", &[]),
        ] {
            assert_eq!(allowed(&token("openid", &[group]), at), expected, "{group} at {at}");
        }
    }

    #[test]
    fn the_groups_of_a_token_with_capabilities_do_not_count() {
        assert_eq!(allowed(&token("storage.read:/d", &["/vo"]), "/d/x"), [StorageOperation::Read]);
        assert_eq!(allowed(&token("storage.read:/d", &["/vo"]), "/x"), []);
    }

    #[test]
    fn the_operation_of_a_webdav_request_depends_on_what_exists() {
        use StorageOperation::{Create, Delete, MakeDirectory, Modify, Read};
        let rules = rules();
        let of = |method: &str, at: &str, to: Option<&str>| {
            let exists = |path: &ResourcePath| path.to_string().starts_with("/old");
            let (method, to) = (Method::from_bytes(method.as_bytes()).unwrap(), to.map(path));
            rules.webdav(&method, &path(at), to.as_ref(), exists)
        };
        let need = |operation, at: &str| rules.requirement(operation, &path(at));
        for method in ["GET", "HEAD", "PROPFIND"] {
            assert_eq!(of(method, "/old", None), need(Read, "/old"), "{method}");
        }
        assert_eq!(of("OPTIONS", "/old", None), Requirement::any_token());
        assert_eq!(of("MKCOL", "/new", None), need(MakeDirectory, "/new"));
        assert_eq!(of("PUT", "/new", None), need(Create, "/new"));
        assert_eq!(of("PUT", "/old", None), need(Modify, "/old"));
        assert_eq!(of("DELETE", "/old", None), need(Delete, "/old"));
        assert_eq!(of("COPY", "/old", Some("/new")), need(Read, "/old").and(need(Create, "/new")));
        assert_eq!(of("COPY", "/old", Some("/old2")), need(Read, "/old").and(need(Delete, "/old2")));
        assert_eq!(of("MOVE", "/old", Some("/new")), need(Create, "/old").and(need(Create, "/new")));
        assert_eq!(of("MOVE", "/old", Some("/old2")), need(Delete, "/old").and(need(Delete, "/old2")));
        for method in ["PATCH", "PROPPATCH", "POST", "LOCK"] {
            assert_eq!(of(method, "/old", None), need(Modify, "/old"), "{method}");
        }
    }
}
