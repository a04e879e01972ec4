//! Capabilities: the scopes of SciTokens and WLCG tokens, each an authorization and a path.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use crate::{InvalidPath, ResourcePath};

/// A scope that is an authorization, such as `read`, `storage.modify` or `compute.create`, with a path that it applies to
/// for many of them.
///
/// ```
/// use scitoken_types::Capability;
///
/// let capability: Capability = "storage.read:/vo/data".parse()?;
/// assert_eq!(capability.authorization(), "storage.read");
/// assert!(capability.covers("storage.read", &"/vo/data/run1".parse()?));
/// assert!(!capability.covers("storage.read", &"/vo/database".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Capability {
    authorization: Cow<'static, str>,
    path: Option<ResourcePath>,
}

/// Why a text is not a [`Capability`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCapability {
    /// There is no text before the colon.
    #[error("the scope names no authorization")]
    Empty,
    /// A character that RFC 6749 section 3.3 does not allow in a scope.
    #[error("the scope has a character that no scope has (RFC 6749 section 3.3)")]
    ForeignCharacter,
    /// An authorization that applies to a path, such as `storage.read`, without one.
    #[error("the scope has no path")]
    WithoutPath,
    /// The text after the colon is not a path.
    #[error("{0}")]
    Path(InvalidPath),
}

impl Capability {
    /// Reads a scope of a token as enforcers do; `None` for scopes of other systems, such as `urn:globus:auth:scope:transfer`.
    ///
    /// # Errors
    /// When the scope is malformed: enforcers refuse the token then.
    ///
    /// ```
    /// use scitoken_types::Capability;
    ///
    /// assert!(Capability::of_scope("storage.read:/vo")?.is_some());
    /// assert!(Capability::of_scope("exec:notebook")?.is_none());
    /// assert!(Capability::of_scope("storage.read:/vo/../other").is_err());
    /// assert!(Capability::of_scope("storage.read").is_err());
    /// # Ok::<(), scitoken_types::InvalidCapability>(())
    /// ```
    pub fn of_scope(scope: &str) -> Result<Option<Self>, InvalidCapability> {
        let problem = match scope.parse::<Self>() {
            Ok(capability) if capability.path().is_none() && needs_path(capability.authorization()) => {
                return Err(InvalidCapability::WithoutPath);
            }
            Ok(capability) => return Ok(Some(capability)),
            Err(problem) => problem,
        };
        let name = scope.split(':').next().unwrap_or_default();
        match problem {
            // `read:` is `read` with an empty path.
            _ if needs_path(name) && scope.len() == name.len() + 1 => Err(InvalidCapability::WithoutPath),
            InvalidCapability::Path(InvalidPath::Relative) if !is_known(name) => Ok(None),
            problem => Err(problem),
        }
    }

    /// Returns the authorization: the text before the first colon. It is compared exactly, case included.
    pub fn authorization(&self) -> &str {
        &self.authorization
    }

    /// Returns the path that the authorization applies to, if there is one.
    pub fn path(&self) -> Option<&ResourcePath> {
        self.path.as_ref()
    }

    /// Returns whether its authorization applies to a path: `read`, `write`, `create`, `modify` and those of storages.
    pub fn needs_path(&self) -> bool {
        needs_path(&self.authorization)
    }

    /// Returns whether it is for exactly this authorization, and for this path or everything.
    ///
    /// This is the plain rule that all profiles share; what a profile adds (a path that must be there, one
    /// authorization that implies another) belongs to an enforcer.
    pub fn covers(&self, authorization: &str, path: &ResourcePath) -> bool {
        self.authorization == authorization && self.path.as_ref().is_none_or(|granted| granted.contains(path))
    }

    /// Returns whether this capability permits everything that `other` permits.
    pub fn includes(&self, other: &Self) -> bool {
        match &other.path {
            Some(path) => self.covers(&other.authorization, path),
            None => self.authorization == other.authorization && self.path.is_none(),
        }
    }
}

/// Authorizations that require a path: reading everything is `read:/`.
fn needs_path(authorization: &str) -> bool {
    matches!(authorization, "read" | "write" | "create" | "modify") || authorization.starts_with("storage.")
}

fn is_known(authorization: &str) -> bool {
    needs_path(authorization)
        || authorization.starts_with("compute.")
        || matches!(authorization, "execute" | "queue" | "condor")
}

/// The authorizations of the two profiles, which most tokens have: their names are neither copied nor checked.
fn known(authorization: &str) -> Option<&'static str> {
    Some(match authorization {
        "storage.read" => "storage.read",
        "storage.create" => "storage.create",
        "storage.modify" => "storage.modify",
        "storage.stage" => "storage.stage",
        "storage.poll" => "storage.poll",
        "read" => "read",
        "write" => "write",
        "create" => "create",
        "modify" => "modify",
        "compute.read" => "compute.read",
        "compute.create" => "compute.create",
        "compute.modify" => "compute.modify",
        "compute.cancel" => "compute.cancel",
        _ => return None,
    })
}

impl FromStr for Capability {
    type Err = InvalidCapability;

    fn from_str(text: &str) -> Result<Self, InvalidCapability> {
        // Texts this short are searched byte by byte in less time than it takes to set up anything cleverer.
        let (authorization, path) = match text.bytes().position(|byte| byte == b':') {
            Some(colon) => (&text[..colon], Some(&text[colon + 1..])),
            None => (text, None),
        };
        let authorization = match known(authorization) {
            Some(known) => Cow::Borrowed(known),
            None if authorization.is_empty() => return Err(InvalidCapability::Empty),
            // The path may hold raw UTF-8, as some issuers write it; its own grammar is checked below.
            None if !authorization.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)) => {
                return Err(InvalidCapability::ForeignCharacter);
            }
            None => Cow::Owned(authorization.to_owned()),
        };
        let path = path.map(str::parse).transpose().map_err(InvalidCapability::Path)?;
        Ok(Self { authorization, path })
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.authorization)?;
        self.path.as_ref().map_or(Ok(()), |path| write!(f, ":{path}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capability(text: &str) -> Capability {
        text.parse().unwrap()
    }

    #[test]
    fn the_first_colon_splits() {
        assert_eq!(capability("read:/a:b").path().unwrap().components().collect::<Vec<_>>(), ["a:b"]);
        assert_eq!(capability("openid").path(), None);
        assert_eq!("read:".parse::<Capability>(), Err(InvalidCapability::Path(InvalidPath::Relative)));
        assert_eq!("read:foo".parse::<Capability>(), Err(InvalidCapability::Path(InvalidPath::Relative)));
        assert_eq!(":/a".parse::<Capability>(), Err(InvalidCapability::Empty));
        assert_eq!("re\"ad:/a".parse::<Capability>(), Err(InvalidCapability::ForeignCharacter));
    }

    #[test]
    fn case_and_authorization_are_exact() {
        assert!(!capability("READ:/foo").covers("read", &ResourcePath::root()));
        assert!(capability("read:/").covers("read", &ResourcePath::root()));
        assert!(!capability("read:/").covers("write", &ResourcePath::root()));
    }

    #[test]
    fn a_wider_capability_includes_a_narrower_one() {
        assert!(capability("read:/a").includes(&capability("read:/a/b")));
        assert!(!capability("read:/a/b").includes(&capability("read:/a")));
        assert!(capability("compute.create").includes(&capability("compute.create")));
        assert!(!capability("read:/a").includes(&capability("read")));
    }
}
