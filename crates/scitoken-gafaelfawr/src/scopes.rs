//! Sets of scopes.

use std::collections::{BTreeSet, btree_set};
use std::fmt;

use serde::Serialize;

/// The scopes of a token: a sorted set.
///
/// JSON input is a list or a comma-separated string, JSON output a sorted list, the SQL form a sorted comma-separated
/// string. As in the server's models, scopes are not checked: `"a, b"` has the scope ` b` with its leading space.
///
/// ```
/// use scitoken_gafaelfawr::Scopes;
///
/// let scopes = Scopes::from_comma_separated("user:token,read:all,read:all");
/// assert_eq!(scopes.to_comma_separated(), "read:all,user:token");
/// assert!(scopes.contains("read:all"));
/// for scope in &scopes {
///     println!("{scope}");
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Scopes(BTreeSet<String>);

impl Scopes {
    /// Reads a comma-separated string; the empty string is the empty set.
    pub fn from_comma_separated(text: &str) -> Self {
        if text.is_empty() { Self::default() } else { text.split(',').collect() }
    }

    /// Returns the SQL form: sorted and comma-separated.
    pub fn to_comma_separated(&self) -> String {
        self.joined(",")
    }

    /// Returns whether the set has this scope.
    pub fn contains(&self, scope: &str) -> bool {
        self.0.contains(scope)
    }

    /// Returns whether `others` has all scopes of this set.
    pub fn is_subset(&self, others: &Self) -> bool {
        self.0.is_subset(&others.0)
    }

    /// Returns the scopes of this set that `others` lacks.
    pub fn without(&self, others: &Self) -> Self {
        Self(self.0.difference(&others.0).cloned().collect())
    }

    /// Returns the scopes in sorted order.
    pub fn iter(&self) -> <&Self as IntoIterator>::IntoIter {
        self.0.iter().map(String::as_str)
    }

    /// Returns the number of scopes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn joined(&self, separator: &str) -> String {
        let words: Vec<&str> = self.iter().collect();
        words.join(separator)
    }
}

impl<S: Into<String>> FromIterator<S> for Scopes {
    fn from_iter<I: IntoIterator<Item = S>>(scopes: I) -> Self {
        Self(scopes.into_iter().map(Into::into).collect())
    }
}

impl<'s> IntoIterator for &'s Scopes {
    type Item = &'s str;
    type IntoIter = std::iter::Map<btree_set::Iter<'s, String>, fn(&String) -> &str>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Scopes {
    type Item = String;
    type IntoIter = btree_set::IntoIter<String>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Writes the scopes separated by spaces, as in a challenge.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.joined(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_between_commas_are_kept_unchanged() {
        assert!(Scopes::from_comma_separated("").is_empty());
        assert_eq!(Scopes::from_comma_separated(",").iter().collect::<Vec<_>>(), [""]);
        assert_eq!(Scopes::from_comma_separated("a, b").iter().collect::<Vec<_>>(), [" b", "a"]);
    }

    #[test]
    fn the_set_is_sorted_by_code_point_as_python_sorts() {
        let scopes: Scopes = ["é", "b", "Z", "a", "😀", "\u{ffff}"].into_iter().collect();
        assert_eq!(scopes.iter().collect::<Vec<_>>(), ["Z", "a", "b", "é", "\u{ffff}", "😀"]);
    }

    #[test]
    fn missing_scopes_are_the_difference_of_two_sets() {
        let held = Scopes::from_comma_separated("read:all");
        let wanted = Scopes::from_comma_separated("exec:admin,read:all");
        assert!(!wanted.is_subset(&held));
        assert_eq!(wanted.without(&held).to_string(), "exec:admin");
    }
}
