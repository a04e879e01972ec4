//! File names from URLs and servers.

use percent_encoding::percent_decode_str;
use url::Url;

use scitoken_types::redact;

/// Why a name cannot be a file's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnsafeName {
    /// The name is missing, as in `https://host/dir/`.
    #[error("the file name is missing")]
    Empty,
    /// `.` or `..`.
    #[error("`{0}` is the name of a directory")]
    Dots(String),
    /// It contains a separator, a control character or a bidirectional override.
    #[error("`{0}` contains a character that is not allowed in file names")]
    ForeignCharacter(String),
    /// It is not UTF-8.
    #[error("the name is not UTF-8")]
    Encoding,
    /// It is longer than file systems allow.
    #[error("the name is longer than 255 bytes")]
    TooLong,
}

/// Returns the file name of a URL: the last segment of its path, decoded.
///
/// A leading dash becomes `_-`, so that programs do not take it for an option.
///
/// ```
/// use scitoken_transfer::file_name;
///
/// assert_eq!(file_name(&"https://h/d/run%201.root?x=y".parse()?)?, "run 1.root");
/// assert!(file_name(&"https://h/d/..%2Fpasswd".parse()?).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`UnsafeName`] when the last segment is empty or not a safe name.
pub fn file_name(url: &Url) -> Result<String, UnsafeName> {
    safe_name(url.path().rsplit('/').next().unwrap_or_default())
}

/// Decodes and checks one percent-encoded segment of a path.
pub(crate) fn safe_name(encoded: &str) -> Result<String, UnsafeName> {
    checked(&percent_decode_str(encoded).decode_utf8().map_err(|_| UnsafeName::Encoding)?)
}

/// Checks a decoded name.
pub(crate) fn checked(name: &str) -> Result<String, UnsafeName> {
    let foreign = |c: char| c == '/' || redact::clean_char(c) != c;
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
