//! Names of users and groups.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// The server's own words for what a [`Username`] is.
pub(super) const USERNAME_PATTERN: &str = "^[a-z0-9](?:[a-z0-9]|-[a-z0-9])*[a-z](?:[a-z0-9]|-[a-z0-9])*$";
/// The server's own words for what a [`GroupName`] is.
pub(super) const GROUPNAME_PATTERN: &str = "^([a-zA-Z]|[a-zA-Z0-9][a-zA-Z0-9._-]*[a-zA-Z])[a-zA-Z0-9._-]*$";

/// A name that Gafaelfawr lets a user have.
///
/// Lower-case letters, digits and single inner hyphens; at least one letter that is neither the first character
/// nor follows a hyphen; at most 64 characters. `1a` and `bot-1` are names, `a`, `a1` and `a-b` are not.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Username(String);

/// A text that is no [`Username`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error(
    "a username has 2 to 64 lower-case letters, digits and single inner hyphens, with a letter that is neither \
     first nor after a hyphen"
)]
pub struct InvalidUsername;

impl Username {
    /// The name as it stands.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the name is one for robots, which service tokens must have: `bot-` and more.
    ///
    /// ```
    /// use reqwest_scitokens::gafaelfawr::Username;
    ///
    /// assert!("bot-nightly".parse::<Username>()?.is_bot());
    /// assert!(!"robot".parse::<Username>()?.is_bot());
    /// # Ok::<(), reqwest_scitokens::gafaelfawr::InvalidUsername>(())
    /// ```
    pub fn is_bot(&self) -> bool {
        is_bot(&self.0)
    }
}

impl FromStr for Username {
    type Err = InvalidUsername;

    fn from_str(text: &str) -> Result<Self, InvalidUsername> {
        if text.len() > 64 || !matches_username(text) {
            return Err(InvalidUsername);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name that Gafaelfawr lets a group have.
///
/// ASCII letters, digits, `.`, `_` and `-`; it starts with a letter or digit and has at least one letter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct GroupName(String);

/// A text that is no [`GroupName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error(
    "a group name has ASCII letters, digits, `.`, `_` and `-`, starts with a letter or digit and has a letter"
)]
pub struct InvalidGroupName;

impl GroupName {
    /// The name as it stands.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for GroupName {
    type Err = InvalidGroupName;

    fn from_str(text: &str) -> Result<Self, InvalidGroupName> {
        if !matches_group_name(text) {
            return Err(InvalidGroupName);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for GroupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

/// [`USERNAME_PATTERN`] without a regular expression.
fn matches_username(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else { return false };
    let well_formed = is_word(first)
        && is_word(last)
        && bytes.iter().all(|&b| is_word(b) || b == b'-')
        && !text.contains("--");
    well_formed && bytes.windows(2).any(|pair| pair[0] != b'-' && pair[1].is_ascii_lowercase())
}

/// The server's pattern for robots: `^bot-[a-z0-9](?:[a-z0-9]|-[a-z0-9])*$`.
fn is_bot(text: &str) -> bool {
    text.strip_prefix("bot-").is_some_and(|rest| {
        !rest.is_empty() && rest.split('-').all(|word| !word.is_empty() && word.bytes().all(is_word))
    })
}

/// [`GROUPNAME_PATTERN`] without a regular expression.
fn matches_group_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        && bytes.iter().any(u8::is_ascii_alphabetic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames_need_a_letter_of_their_own() {
        for name in ["1a", "ab", "bot-1", "bot-x", "a-bc", "1-2a", &"a".repeat(64)] {
            assert!(name.parse::<Username>().is_ok(), "{name}");
        }
        for name in ["", "a", "a1", "a-b", "12", "a--bc", "-ab", "ab-", "Ab", "ab\n", "äb", &"a".repeat(65)]
        {
            assert_eq!(name.parse::<Username>(), Err(InvalidUsername), "{name:?}");
        }
    }

    #[test]
    fn robots_are_told_by_their_prefix() {
        let is_bot = |name: &str| name.parse::<Username>().unwrap().is_bot();
        assert!(is_bot("bot-1-2"));
        assert!(!is_bot("bot"));
        assert!(!is_bot("robot-1"));
    }

    #[test]
    fn group_names_have_more_characters() {
        for name in ["g", "g_special_users", "1a", "a.b-c", "1_A", "a-"] {
            assert!(name.parse::<GroupName>().is_ok(), "{name}");
        }
        for name in ["", "12", "_a", "a b", "1._", "é"] {
            assert_eq!(name.parse::<GroupName>(), Err(InvalidGroupName), "{name:?}");
        }
    }
}
