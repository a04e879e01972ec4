//! Required scopes and their dependencies, in Globus' scope syntax.

use std::fmt;
use std::str::FromStr;

/// A required scope and its dependencies: `transfer:all[collection:data_access]`.
///
/// A `*` before a scope (`*foo`) marks it as optional to the user who consents; it is required here all the same.
///
/// ```
/// use scitoken_storage::ScopeRequirement;
///
/// let requirement: ScopeRequirement = "transfer:all[*a:data_access b]".parse()?;
/// assert_eq!(requirement.scope(), "transfer:all");
/// assert_eq!(requirement.dependencies().len(), 2);
/// assert_eq!(requirement.to_string(), "transfer:all[*a:data_access b]");
/// # Ok::<(), scitoken_storage::InvalidScopeRequirement>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeRequirement {
    scope: String,
    optional: bool,
    dependencies: Vec<Self>,
}

/// A text that is not a [`ScopeRequirement`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a scope requirement: {problem} (write `scope` or `scope[dependency …]`)")]
pub struct InvalidScopeRequirement {
    text: String,
    problem: &'static str,
}

impl ScopeRequirement {
    /// Returns the scope.
    pub fn scope(&self) -> &str {
        &self.scope
    }

    /// Returns the scopes that it depends on.
    pub fn dependencies(&self) -> &[Self] {
        &self.dependencies
    }
}

impl FromStr for ScopeRequirement {
    type Err = InvalidScopeRequirement;

    fn from_str(text: &str) -> Result<Self, InvalidScopeRequirement> {
        let invalid = |problem| InvalidScopeRequirement { text: scitoken_types::redact::text(text), problem };
        let (requirement, rest) = read(text, 0).map_err(invalid)?;
        if !rest.is_empty() {
            return Err(invalid("text follows its end"));
        }
        Ok(requirement)
    }
}

/// The deepest nesting that is read.
const DEEPEST: usize = 32;

/// Reads one requirement from the start of `text`; returns what follows it.
fn read(text: &str, depth: usize) -> Result<(ScopeRequirement, &str), &'static str> {
    if depth > DEEPEST {
        return Err("its brackets are nested too deeply");
    }
    let (optional, text) = match text.strip_prefix('*') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let end = text.find([' ', '[', ']', '*']).unwrap_or(text.len());
    let (scope, mut rest) = text.split_at(end);
    if scope.is_empty() {
        return Err("a scope is missing");
    }
    let mut dependencies = Vec::new();
    if let Some(inside) = rest.strip_prefix('[') {
        rest = inside;
        loop {
            let (dependency, after) = read(rest.trim_start_matches(' '), depth + 1)?;
            dependencies.push(dependency);
            let trimmed = after.trim_start_matches(' ');
            if let Some(after) = trimmed.strip_prefix(']') {
                rest = after;
                break;
            }
            if trimmed.is_empty() {
                return Err("a bracket is not closed");
            }
            if trimmed.len() == after.len() {
                return Err("a blank is missing between two scopes");
            }
            rest = trimmed;
        }
    }
    Ok((ScopeRequirement { scope: scope.to_owned(), optional, dependencies }, rest))
}

impl fmt::Display for ScopeRequirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.optional {
            f.write_str("*")?;
        }
        f.write_str(&self.scope)?;
        for (n, dependency) in self.dependencies.iter().enumerate() {
            write!(f, "{}{dependency}", if n == 0 { '[' } else { ' ' })?;
        }
        if self.dependencies.is_empty() { Ok(()) } else { f.write_str("]") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_contain_the_dependencies() {
        let requirement: ScopeRequirement = "a[b[c *d] e]".parse().unwrap();
        assert_eq!(requirement.to_string(), "a[b[c *d] e]");
        assert_eq!(requirement.dependencies()[0].dependencies()[1].scope(), "d");
        assert!("urn:globus:auth:scope:transfer.api.globus.org:all".parse::<ScopeRequirement>().is_ok());
    }

    #[test]
    fn invalid_requirements_are_refused() {
        for text in ["", "*", "a[", "a[]", "a[b", "a]b", "a b", "a[b]c", "a[b*c]", &"a[".repeat(100_000)] {
            assert!(text.parse::<ScopeRequirement>().is_err(), "{}", &text[..text.len().min(20)]);
        }
    }
}
