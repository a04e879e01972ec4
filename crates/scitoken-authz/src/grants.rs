//! The capabilities of one token, parsed once.

use std::fmt;

use indexmap::IndexSet;

use super::access::{Access, Target};
use super::{AuthorizationError, Claims, Profile};
use scitoken_types::redact;
use scitoken_types::{Capability, InvalidCapability, ResourcePath};

/// The names that an enforcer accepts for an operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Vocabulary {
    /// The names in the token: `storage.read` is tested as `storage.read`, `read` as `read`.
    #[default]
    Native,
    /// The SciTokens names for WLCG tokens as well, as scitokens-cpp does by default, so that a server uses one name
    /// for each operation: `storage.read` satisfies `read`, `storage.create` satisfies `create`, `storage.modify`
    /// satisfies `create`, `modify` and `write`, `compute.read` satisfies `condor:/READ`, and `compute.create`,
    /// `compute.modify` and `compute.cancel` together satisfy `condor:/WRITE`.
    ///
    /// Unlike in scitokens-cpp, `storage.create` does not satisfy `write`, because it must not overwrite.
    Compat,
}

/// An entry of an access control list: an authorization and the path that it covers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Acl {
    authorization: String,
    path: ResourcePath,
}

impl Acl {
    /// Returns the operation.
    pub fn authorization(&self) -> &str {
        &self.authorization
    }

    /// Returns the path; everything below it is covered.
    pub fn path(&self) -> &ResourcePath {
        &self.path
    }

    /// Returns the same entry for an issuer with this base path.
    pub(super) fn beneath(&self, base: &ResourcePath) -> Self {
        Self { authorization: self.authorization.clone(), path: self.path.below(base) }
    }
}

/// Writes `authorization:path`, as `scitokens-list-access` of scitokens-cpp does.
impl fmt::Display for Acl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.authorization, self.path)
    }
}

/// The capabilities of a token.
#[derive(Clone, Debug)]
pub(super) struct Grants {
    capabilities: Vec<Capability>,
    is_wlcg: bool,
}

impl Grants {
    /// Parses the scopes; one that is malformed makes all of them invalid, in any order.
    pub(super) fn of(claims: &Claims) -> Result<Self, AuthorizationError> {
        let scopes = claims.scope_text().ok_or_else(|| AuthorizationError::missing("scope"))?;
        // One pass over the whole string is faster than one for each scope.
        let is_plain = scopes.bytes().fold(true, |is_plain, byte| is_plain & matches!(byte, b' '..=b'~'));
        let mut capabilities = Vec::with_capacity(8);
        for scope in scopes.as_bytes().split(|byte| *byte == b' ').filter(|scope| !scope.is_empty()) {
            // Splitting at spaces keeps the parts valid UTF-8.
            let scope = std::str::from_utf8(scope).unwrap_or("\u{fffd}");
            if !is_plain && scope.contains(|c: char| c.is_control() || c.is_whitespace()) {
                return Err(malformed(scope, InvalidCapability::ForeignCharacter));
            }
            capabilities.extend(parse(scope)?);
        }
        Ok(Self { capabilities, is_wlcg: claims.profile().is_same_kind(Profile::WLCG) })
    }

    /// Returns whether any scope is a storage or compute capability, so that groups do not count (WLCG profile).
    pub(super) fn has_capabilities(&self) -> bool {
        self.capabilities.iter().any(|granted| granted.needs_path() || is_compute(granted))
    }

    pub(super) fn test(&self, access: Access<'_>, vocabulary: Vocabulary) -> Result<(), AuthorizationError> {
        if access.authorization.is_empty() {
            // scitokens-cpp grants an empty authorization.
            return Err(AuthorizationError::EmptyAuthorization);
        }
        let asked = access.authorization;
        let others = if self.is_wlcg { included_in(asked, vocabulary) } else { &[] };
        let answers = |granted: &Capability| {
            let name = granted.authorization();
            (name == asked || others.contains(&name)) && reaches(granted, access.target)
        };
        if self.capabilities.iter().any(answers) || self.answers_for_condor(access, vocabulary) {
            return Ok(());
        }
        Err(AuthorizationError::NotGranted)
    }

    /// HTCondor asks for `condor:/READ` and `condor:/WRITE` where the token has `compute.*`.
    fn answers_for_condor(&self, access: Access<'_>, vocabulary: Vocabulary) -> bool {
        let Target::Path(path) = access.target else { return false };
        if !self.is_wlcg || vocabulary != Vocabulary::Compat || access.authorization != "condor" {
            return false;
        }
        let first = path.components().next();
        (first == Some("READ") && self.reads_compute()) || (first == Some("WRITE") && self.writes_compute())
    }

    /// Returns whether the authorization is granted for every path.
    fn has(&self, authorization: &str) -> bool {
        // `condor:/READ` covers the whole pool, `compute.read:/queue` does not.
        let is_whole =
            |granted: &Capability| granted.path().is_none_or(|path| path.components().next().is_none());
        self.capabilities.iter().any(|granted| granted.authorization() == authorization && is_whole(granted))
    }

    fn reads_compute(&self) -> bool {
        self.has("compute.read")
    }

    fn writes_compute(&self) -> bool {
        ["compute.modify", "compute.create", "compute.cancel"].iter().all(|name| self.has(name))
    }

    /// Returns everything that is allowed, each entry once, in the token's order.
    pub(super) fn acls(&self, vocabulary: Vocabulary) -> Vec<Acl> {
        let mut acls: IndexSet<Acl> = IndexSet::new();
        let mut add = |authorization: &str, path: ResourcePath| {
            acls.insert(Acl { authorization: authorization.to_owned(), path });
        };
        let translates = self.is_wlcg && vocabulary == Vocabulary::Compat;
        for granted in &self.capabilities {
            let path = granted.path().cloned().unwrap_or_else(ResourcePath::root);
            let names: &[&str] = match granted.authorization() {
                "storage.read" if translates => &["read"],
                "storage.create" if translates => &["create"],
                "storage.modify" if translates => &["storage.create", "create", "modify", "write"],
                "storage.modify" if self.is_wlcg => &["storage.create"],
                _ => &[],
            };
            add(granted.authorization(), path.clone());
            for name in names {
                add(name, path.clone());
            }
        }
        let condor = |text: &str| ResourcePath::from_decoded(text).unwrap_or_else(|_| ResourcePath::root());
        if translates && self.reads_compute() {
            add("condor", condor("/READ"));
        }
        if translates && self.writes_compute() {
            add("condor", condor("/WRITE"));
        }
        acls.into_iter().collect()
    }
}

/// Returns the authorizations of the WLCG profile that include the one that is tested.
///
/// `storage.stage` includes `storage.read` in version 1.0 only, so it is not counted.
fn included_in(asked: &str, vocabulary: Vocabulary) -> &'static [&'static str] {
    match (asked, vocabulary) {
        ("storage.create", _) | ("modify" | "write", Vocabulary::Compat) => &["storage.modify"],
        ("create", Vocabulary::Compat) => &["storage.create", "storage.modify"],
        ("read", Vocabulary::Compat) => &["storage.read"],
        _ => &[],
    }
}

fn reaches(granted: &Capability, target: Target<'_>) -> bool {
    let Some(there) = granted.path() else { return true };
    match target {
        Target::Path(path) => there.contains(path),
        Target::Everywhere => there.components().next().is_none(),
        Target::Parent(path) => there.contains(path) || path.contains(there),
    }
}

/// Parses one scope; `None` for scopes of other systems, such as `urn:globus:auth:scope:transfer`.
fn parse(scope: &str) -> Result<Option<Capability>, AuthorizationError> {
    Capability::of_scope(scope).map_err(|problem| match problem {
        InvalidCapability::WithoutPath => AuthorizationError::ScopeWithoutPath { scope: redact::text(scope) },
        reason => malformed(scope, reason),
    })
}

fn malformed(scope: &str, reason: InvalidCapability) -> AuthorizationError {
    AuthorizationError::MalformedScope { scope: redact::text(scope), reason }
}

fn is_compute(granted: &Capability) -> bool {
    granted.authorization().starts_with("compute.")
}
