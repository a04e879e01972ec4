//! OAuth scopes.

use std::fmt;
use std::str::FromStr;

use crate::Capability;

/// One scope (RFC 6749 section 3.3): `openid`, `exec:notebook`, `storage.read:/vo`, `urn:globus:…:all`.
///
/// Two scopes are equal when their texts are. Scopes of SciTokens and WLCG tokens are also
/// [capabilities](Capability), which have paths.
///
/// ```
/// use scitoken_types::Scope;
///
/// let scope: Scope = "storage.read:/vo".parse()?;
/// assert_eq!(scope.capability().unwrap().authorization(), "storage.read");
/// assert!("two words".parse::<Scope>().is_err());
/// # Ok::<(), scitoken_types::InvalidScope>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope(String);

/// A text is not a [`Scope`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error(
    "a scope is one or more characters without white space, quotes and backslashes (RFC 6749 section 3.3)"
)]
pub struct InvalidScope;

impl Scope {
    /// Returns the scope's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the scope as an authorization with or without a path, if it is one.
    pub fn capability(&self) -> Option<Capability> {
        self.0.parse().ok()
    }
}

impl FromStr for Scope {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, InvalidScope> {
        let allowed = |c: char| !c.is_control() && !c.is_whitespace() && !matches!(c, '"' | '\\');
        if text.is_empty() || !text.chars().all(allowed) {
            return Err(InvalidScope);
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<&str> for Scope {
    type Error = InvalidScope;

    fn try_from(text: &str) -> Result<Self, InvalidScope> {
        text.parse()
    }
}

impl TryFrom<String> for Scope {
    type Error = InvalidScope;

    fn try_from(text: String) -> Result<Self, InvalidScope> {
        text.parse()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_word_is_a_scope() {
        for text in ["openid", "exec:notebook", "storage.read:/vo/ü", "urn:globus:auth:scope:transfer:all"] {
            assert!(text.parse::<Scope>().is_ok(), "{text}");
            assert_eq!(Scope::try_from(text), Scope::try_from(text.to_owned()));
        }
        for text in ["", "two words", "tab\t", "quo\"te", "back\\slash"] {
            assert_eq!(text.parse::<Scope>(), Err(InvalidScope), "{text:?}");
        }
    }

    #[test]
    fn only_some_are_capabilities() {
        let capability = |text: &str| text.parse::<Scope>().unwrap().capability();
        assert!(capability("read:/a").is_some());
        assert!(capability("exec:notebook").is_none());
    }
}
