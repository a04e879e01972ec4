//! `--scope`.

use std::fmt;
use std::str::FromStr;

/// Scopes separated by blanks, as in OAuth (RFC 6749 section 3.3). A blank within a path is written `%20`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ScopeList<T>(pub(crate) Vec<T>);

impl<T> FromStr for ScopeList<T>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let scopes = text
            .split_ascii_whitespace()
            .map(|scope| scope.parse().map_err(|error: T::Err| format!("`{scope}`: {error}")));
        match scopes.collect::<Result<Vec<T>, _>>()? {
            scopes if scopes.is_empty() => Err("no scope".to_owned()),
            scopes => Ok(Self(scopes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use scitoken_types::{Capability, Scope};

    use super::*;

    #[test]
    fn scopes_are_separated_by_blanks() {
        let list: ScopeList<Capability> = "read:/a  write:/b%20c".parse().unwrap();
        let texts: Vec<_> = list.0.iter().map(ToString::to_string).collect();
        assert_eq!(texts, ["read:/a", "write:/b%20c"]);
        assert_eq!("openid offline_access".parse::<ScopeList<Scope>>().unwrap().0.len(), 2);
        for text in ["", "  ", "read:relative"] {
            assert!(text.parse::<ScopeList<Capability>>().is_err(), "{text}");
        }
    }
}
