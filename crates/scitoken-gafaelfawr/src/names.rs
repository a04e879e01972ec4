//! Names of users and groups.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// The server's pattern of a [`Username`], quoted in errors.
pub(crate) const USERNAME_PATTERN: &str = "^[a-z0-9](?:[a-z0-9]|-[a-z0-9])*[a-z](?:[a-z0-9]|-[a-z0-9])*$";
/// The server's pattern of a [`GroupName`], quoted in errors.
pub(crate) const GROUPNAME_PATTERN: &str = "^([a-zA-Z]|[a-zA-Z0-9][a-zA-Z0-9._-]*[a-zA-Z])[a-zA-Z0-9._-]*$";

/// The name of a user.
///
/// Lower-case letters, digits and single inner hyphens, with at least one letter that is neither the first character
/// nor follows a hyphen; at most 64 characters. `1a` and `bot-1` are names, `a`, `a1` and `a-b` are not.
///
/// ```
/// use scitoken_gafaelfawr::Username;
///
/// assert!("bot-sync".parse::<Username>()?.is_bot());
/// assert!("Alice".parse::<Username>().is_err());
/// # Ok::<(), scitoken_gafaelfawr::InvalidUsername>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Username(String);

/// The error for a string that is not a [`Username`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error(
    "invalid username: expected 2 to 64 lower-case letters, digits and single inner hyphens, with a letter that is neither \
     first nor after a hyphen"
)]
pub struct InvalidUsername;

impl Username {
    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether the name has the form that service tokens require: `bot-` and more.
    ///
    /// ```
    /// use scitoken_gafaelfawr::Username;
    ///
    /// assert!("bot-nightly".parse::<Username>()?.is_bot());
    /// assert!(!"robot".parse::<Username>()?.is_bot());
    /// # Ok::<(), scitoken_gafaelfawr::InvalidUsername>(())
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

/// The name of a group.
///
/// ASCII letters, digits, `.`, `_` and `-`; it starts with a letter or digit and has at least one letter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct GroupName(String);

/// The error for a string that is not a [`GroupName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error(
    "invalid group name: expected ASCII letters, digits, `.`, `_` and `-`, a letter or digit first, and a letter"
)]
pub struct InvalidGroupName;

impl GroupName {
    /// Returns the name.
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

/// Matches [`USERNAME_PATTERN`]; a regular expression engine for three patterns is not worth the dependency.
fn matches_username(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else { return false };
    let well_formed = is_word(first)
        && is_word(last)
        && bytes.iter().all(|&b| is_word(b) || b == b'-')
        && !text.contains("--");
    well_formed && bytes.windows(2).any(|pair| pair[0] != b'-' && pair[1].is_ascii_lowercase())
}

/// Matches the server's pattern for bots: `^bot-[a-z0-9](?:[a-z0-9]|-[a-z0-9])*$`.
fn is_bot(text: &str) -> bool {
    text.strip_prefix("bot-").is_some_and(|rest| {
        !rest.is_empty() && rest.split('-').all(|word| !word.is_empty() && word.bytes().all(is_word))
    })
}

/// Matches [`GROUPNAME_PATTERN`].
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
    fn usernames_need_a_letter_that_is_neither_first_nor_after_a_hyphen() {
        for name in ["1a", "ab", "bot-1", "bot-x", "a-bc", "1-2a", &"a".repeat(64)] {
            assert!(name.parse::<Username>().is_ok(), "{name}");
        }
        for name in ["", "a", "a1", "a-b", "12", "a--bc", "-ab", "ab-", "Ab", "ab\n", "äb", &"a".repeat(65)]
        {
            assert_eq!(name.parse::<Username>(), Err(InvalidUsername), "{name:?}");
        }
    }

    #[test]
    fn bots_are_recognized_by_their_prefix() {
        let is_bot = |name: &str| name.parse::<Username>().unwrap().is_bot();
        assert!(is_bot("bot-1-2"));
        assert!(!is_bot("bot"));
        assert!(!is_bot("robot-1"));
    }

    #[test]
    fn group_names_allow_more_characters() {
        for name in ["g", "g_special_users", "1a", "a.b-c", "1_A", "a-"] {
            assert!(name.parse::<GroupName>().is_ok(), "{name}");
        }
        for name in ["", "12", "_a", "a b", "1._", "é"] {
            assert_eq!(name.parse::<GroupName>(), Err(InvalidGroupName), "{name:?}");
        }
    }
}
