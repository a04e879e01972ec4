//! Sets of scopes.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

/// The scopes of a token: a set, always in sorted order.
///
/// On the wire it is a list or a text with commas, in JSON that we write a sorted list, in SQL a sorted text with
/// commas. As in the server's models the words are not checked; `"a, b"` holds ` b` with its blank.
///
/// ```
/// use reqwest_scitokens::gafaelfawr::Scopes;
///
/// let scopes = Scopes::from_comma_separated("user:token,read:all,read:all");
/// assert_eq!(scopes.to_comma_separated(), "read:all,user:token");
/// assert!(scopes.contains("read:all"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct Scopes(BTreeSet<String>);

impl Scopes {
    /// Reads the text that SQL holds; an empty text is an empty set.
    pub fn from_comma_separated(text: &str) -> Self {
        if text.is_empty() { Self::default() } else { text.split(',').collect() }
    }

    /// The text that SQL holds: sorted, with commas.
    pub fn to_comma_separated(&self) -> String {
        self.joined(",")
    }

    /// Whether the scope is one of these.
    pub fn contains(&self, scope: &str) -> bool {
        self.0.contains(scope)
    }

    /// Whether all of these are among `others`.
    pub fn is_subset(&self, others: &Self) -> bool {
        self.0.is_subset(&others.0)
    }

    /// Those of these that are not among `others`.
    pub fn without(&self, others: &Self) -> Self {
        Self(self.0.difference(&others.0).cloned().collect())
    }

    /// Each scope, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
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

/// The scopes with blanks between them, as a challenge lists them.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.joined(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_between_commas_are_taken_as_they_stand() {
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
    fn what_is_missing_can_be_named() {
        let held = Scopes::from_comma_separated("read:all");
        let wanted = Scopes::from_comma_separated("exec:admin,read:all");
        assert!(!wanted.is_subset(&held));
        assert_eq!(wanted.without(&held).to_string(), "exec:admin");
    }
}
