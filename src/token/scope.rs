//! Scopes as OAuth knows them: words that mean what their issuer says.

use std::fmt;
use std::str::FromStr;

use super::Capability;

/// One scope (RFC 6749 section 3.3): `openid`, `exec:notebook`, `storage.read:/vo`, `urn:globus:…:all`.
///
/// Two scopes are the same when their text is. Scopes of SciTokens and WLCG tokens are also
/// [capabilities](Capability), which know paths.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope(String);

/// A text that is no [`Scope`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error(
    "a scope is one or more characters without white space, quotes and backslashes (RFC 6749 section 3.3)"
)]
pub struct InvalidScope;

impl Scope {
    /// The scope as it stands.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The scope as an authorization with or without a path, if it is one.
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
