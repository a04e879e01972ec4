//! File names that come from a URL or from a server, and may say anything.

use percent_encoding::percent_decode_str;
use url::Url;

use crate::redact;

/// Why a name is not used as a file's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnsafeName {
    /// There is no name, as in `https://host/dir/`.
    #[error("there is no file name")]
    Empty,
    /// `.` or `..`.
    #[error("`{0}` is the name of a directory")]
    Dots(String),
    /// A separator, NUL or control character is in it.
    #[error("`{0}` has a character that no file name should have")]
    ForeignCharacter(String),
    /// It is not UTF-8.
    #[error("the name is not UTF-8")]
    Encoding,
    /// It is longer than file systems take.
    #[error("the name is longer than 255 bytes")]
    TooLong,
}

/// The name that a file gets when only its URL is known: the last part of the path, decoded.
///
/// A leading dash becomes `_-`, so that the file is never taken for an option.
///
/// ```
/// use reqwest_scitokens::download::file_name;
///
/// assert_eq!(file_name(&"https://h/d/run%201.root?x=y".parse()?)?, "run 1.root");
/// assert!(file_name(&"https://h/d/..%2Fpasswd".parse()?).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`UnsafeName`] when the path ends with no name, or with one that would leave its directory.
pub fn file_name(url: &Url) -> Result<String, UnsafeName> {
    safe_name(url.path().rsplit('/').next().unwrap_or_default())
}

/// The same for one percent-encoded part of a path.
pub(super) fn safe_name(encoded: &str) -> Result<String, UnsafeName> {
    checked(&percent_decode_str(encoded).decode_utf8().map_err(|_| UnsafeName::Encoding)?)
}

/// The same for a name that is written as it is.
pub(super) fn checked(name: &str) -> Result<String, UnsafeName> {
    let foreign =
        |c: char| c.is_control() || matches!(c, '/' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if name.is_empty() {
        Err(UnsafeName::Empty)
    } else if name == "." || name == ".." {
        Err(UnsafeName::Dots(name.to_owned()))
    } else if name.chars().any(|c| foreign(c) || (cfg!(windows) && matches!(c, '\\' | ':'))) {
        Err(UnsafeName::ForeignCharacter(redact::text(name)))
    } else if name.len() > 255 {
        Err(UnsafeName::TooLong)
    } else if name.starts_with('-') {
        Ok(format!("_{name}"))
    } else {
        Ok(name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(url: &str) -> Result<String, UnsafeName> {
        file_name(&Url::parse(url).unwrap())
    }

    #[test]
    fn the_last_part_of_the_path_is_the_name() {
        assert_eq!(name("https://h/a/b.root?x=/y#z").unwrap(), "b.root");
        assert_eq!(name("https://h/sp%20ace+%C3%A9.txt").unwrap(), "sp ace+é.txt");
        assert_eq!(name("https://h/.hidden").unwrap(), ".hidden");
        assert_eq!(name("https://h/a\\b").unwrap(), "b");
    }

    #[test]
    fn names_that_leave_the_directory_or_fool_a_terminal_are_refused() {
        for url in [
            "https://h",
            "https://h/d/",
            "https://h/%2e%2e",
            "https://h/..%2F..%2Fetc%2Fpasswd",
            "https://h/a%2Fb",
            "https://h/a%00b",
            "https://h/a%0Ab",
            "https://h/a%1B%5B2J",
            "https://h/txt.%E2%80%AEexe",
            "https://h/%FF",
        ] {
            assert!(name(url).is_err(), "{url}");
        }
        assert_eq!(safe_name(".."), Err(UnsafeName::Dots("..".to_owned())));
        assert_eq!(name(&format!("https://h/{}", "x".repeat(256))), Err(UnsafeName::TooLong));
    }

    #[test]
    fn a_name_is_never_an_option() {
        assert_eq!(name("https://h/-rf").unwrap(), "_-rf");
    }
}
