//! What the scopes of one token allow: parsed once, asked often.

use std::fmt;

use indexmap::IndexSet;

use super::access::{Access, Target};
use super::{Claims, Profile, Refusal};
use crate::redact;
use crate::token::{Capability, InvalidCapability, InvalidPath, ResourcePath};

/// Which names an operation goes by in the questions to an enforcer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Vocabulary {
    /// Those of the token: `storage.read` is asked as `storage.read`, `read` as `read`.
    #[default]
    Native,
    /// Those of SciTokens also for WLCG tokens, as scitokens-cpp does by default, so that a server has one name for
    /// each operation: `storage.read` answers for `read`, `storage.create` for `create`, `storage.modify` for
    /// `create`, `modify` and `write`, `compute.read` for `condor:/READ`, and `compute.create`, `compute.modify` and
    /// `compute.cancel` together for `condor:/WRITE`.
    ///
    /// Other than in scitokens-cpp, `storage.create` does not answer for `write`: it must not overwrite.
    Compat,
}

/// The entry of an access control list: an authorization and the path that it holds for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Acl {
    authorization: String,
    path: ResourcePath,
}

impl Acl {
    /// What is allowed.
    pub fn authorization(&self) -> &str {
        &self.authorization
    }

    /// Where, with everything beneath.
    pub fn path(&self) -> &ResourcePath {
        &self.path
    }

    /// The same entry, of an issuer whose paths begin at `base`.
    pub(super) fn below(&self, base: &ResourcePath) -> Self {
        Self { authorization: self.authorization.clone(), path: self.path.below(base) }
    }
}

/// `authorization:path`, as scitokens-cpp's `scitokens-list-access` prints it.
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
    /// Reads the scopes; one that is malformed voids them all, in whatever order they stand (vector 16).
    pub(super) fn of(claims: &Claims) -> Result<Self, Refusal> {
        let scopes = claims.scope_text().ok_or_else(|| Refusal::missing("scope"))?;
        // One look at the whole, without a way out in the middle, is quicker than one at each.
        let is_plain = scopes.bytes().fold(true, |is_plain, byte| is_plain & matches!(byte, b' '..=b'~'));
        let mut capabilities = Vec::with_capacity(8);
        for scope in scopes.as_bytes().split(|byte| *byte == b' ').filter(|scope| !scope.is_empty()) {
            // Cut at blanks, a text is still text.
            let scope = std::str::from_utf8(scope).unwrap_or("\u{fffd}");
            if !is_plain && scope.contains(|c: char| c.is_control() || c.is_whitespace()) {
                return Err(malformed(scope, InvalidCapability::ForeignCharacter));
            }
            capabilities.extend(parse(scope)?);
        }
        Ok(Self { capabilities, is_wlcg: claims.profile().is_same_kind(Profile::WLCG) })
    }

    /// Whether any scope is a capability of storage or compute, so that groups no longer count (WLCG profile).
    pub(super) fn has_capabilities(&self) -> bool {
        self.capabilities.iter().any(|granted| needs_path(granted.authorization()) || is_compute(granted))
    }

    pub(super) fn test(&self, access: Access<'_>, vocabulary: Vocabulary) -> Result<(), Refusal> {
        if access.authorization.is_empty() {
            // scitokens-cpp answers yes here (mistake 10).
            return Err(Refusal::NothingAsked);
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
        Err(Refusal::NotGranted)
    }

    /// `condor:/READ` and `condor:/WRITE`, which HTCondor asks where the token says `compute.*`.
    fn answers_for_condor(&self, access: Access<'_>, vocabulary: Vocabulary) -> bool {
        let Target::Path(path) = access.target else { return false };
        if !self.is_wlcg || vocabulary != Vocabulary::Compat || access.authorization != "condor" {
            return false;
        }
        let first = path.components().next();
        (first == Some("READ") && self.reads_compute()) || (first == Some("WRITE") && self.writes_compute())
    }

    /// Whether the authorization is granted everywhere.
    fn has(&self, authorization: &str) -> bool {
        // `condor:/READ` is the whole pool, which `compute.read:/queue` is not.
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

    /// Everything that is allowed, each entry once, in the token's order.
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

/// Authorizations of the WLCG profile that include the one that is asked for.
///
/// `storage.stage` included `storage.read` in version 1.0 only, and nobody may rely on it since (vector 21).
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

/// Reads one scope; `None` for those that are no capability and of no concern here, such as `openid` aliases of
/// other systems (`urn:globus:auth:scope:transfer`).
fn parse(scope: &str) -> Result<Option<Capability>, Refusal> {
    let problem = match scope.parse::<Capability>() {
        Ok(capability) if capability.path().is_none() && needs_path(capability.authorization()) => {
            return Err(Refusal::ScopeWithoutPath { scope: redact::text(scope) });
        }
        Ok(capability) => return Ok(Some(capability)),
        Err(problem) => problem,
    };
    let name = scope.split(':').next().unwrap_or_default();
    match problem {
        // `read:` is `read` without a path, written by a program that had an empty one.
        _ if needs_path(name) && scope.len() == name.len() + 1 => {
            Err(Refusal::ScopeWithoutPath { scope: redact::text(scope) })
        }
        InvalidCapability::Path(InvalidPath::Relative) if !is_known(name) => Ok(None),
        reason => Err(malformed(scope, reason)),
    }
}

fn malformed(scope: &str, reason: InvalidCapability) -> Refusal {
    Refusal::MalformedScope { scope: redact::text(scope), reason }
}

/// Authorizations that mean nothing without a path: to read everything is `read:/` (mistake 6).
fn needs_path(authorization: &str) -> bool {
    matches!(authorization, "read" | "write" | "create" | "modify") || authorization.starts_with("storage.")
}

fn is_known(authorization: &str) -> bool {
    needs_path(authorization)
        || authorization.starts_with("compute.")
        || matches!(authorization, "execute" | "queue" | "condor")
}

fn is_compute(granted: &Capability) -> bool {
    granted.authorization().starts_with("compute.")
}
