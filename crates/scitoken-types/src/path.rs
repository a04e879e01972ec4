//! Paths of resources, compared component by component.

mod climbing;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use self::climbing::Climb;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// An absolute path of a resource, in a form that can be compared: components, percent-decoded once, without
/// empty ones, `.` and `..`.
///
/// Parsing takes the encoded form of scopes and URLs, in which `%20` and a blank are the same and a literal `%`
/// is written `%25`. A path with a component that another program may read as `..` (`%252e%252e`, `..;x`, `..%252f`, dots
/// that look alike), or with an encoded `/`, a backslash or a NUL is refused.
///
/// ```
/// use scitoken_types::ResourcePath;
///
/// let granted: ResourcePath = "/john".parse()?;
/// assert!(granted.contains(&"/john//a%20file".parse()?));
/// assert!(!granted.contains(&"/johnathan".parse()?));
/// assert!("/john/%2E%2E/etc".parse::<ResourcePath>().is_err());
/// # Ok::<(), scitoken_types::InvalidPath>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ResourcePath {
    /// The decoded components, none of which has a `/` in it, each with one in front; empty for the root.
    text: Box<str>,
    directory: bool,
}

/// Why a text is not a [`ResourcePath`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPath {
    /// The path does not start with `/`.
    #[error("the path does not start with `/`")]
    Relative,
    /// The path has a component that is `..`, plain or encoded, or that other programs read as `..` (`..;x`).
    #[error("the path has `..` in it, plain, encoded or with a parameter")]
    DotDot,
    /// A `%` is not followed by two hexadecimal digits.
    #[error("the path has a `%` that starts no escape; write `%25` for a literal one")]
    Escape,
    /// A decoded component has a `/`, a `\` or a NUL in it.
    #[error("the path has an encoded `/`, a `\\` or a NUL in it")]
    Separator,
    /// A component is still percent-encoded after it was decoded again and again.
    #[error("the path is percent-encoded too many times over")]
    Nested,
    /// The decoded bytes are not UTF-8.
    #[error("the path is not UTF-8")]
    Encoding,
}

impl ResourcePath {
    /// Returns the root, which contains every path.
    pub fn root() -> Self {
        Self { text: Box::default(), directory: true }
    }

    /// Takes a path as the file system has it: without percent-encoding.
    pub fn from_decoded(path: &str) -> Result<Self, InvalidPath> {
        Self::build(path, |component| Ok(Cow::Borrowed(component)))
    }

    /// Returns the decoded components.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.text.split('/').skip(1)
    }

    /// Returns whether the path was written with a `/` at its end, so that it means a directory only.
    pub fn is_directory(&self) -> bool {
        self.directory
    }

    /// Returns whether `other` is this path or lies below it.
    ///
    /// A path that was written with a `/` at its end means the directory: it contains what lies below, and
    /// itself when `other` is written as a directory too (WLCG profile, "Capability based authorization").
    pub fn contains(&self, other: &Self) -> bool {
        match other.text.strip_prefix(&*self.text) {
            Some("") => !self.directory || other.directory,
            Some(rest) => rest.starts_with('/'),
            None => false,
        }
    }

    /// Returns this path relative to `base`; `None` if it is outside of it.
    pub fn relative_to(&self, base: &Self) -> Option<Self> {
        let rest = self.text.strip_prefix(&*base.text)?;
        match rest {
            "" => Some(Self::root()),
            rest if rest.starts_with('/') => Some(Self { text: rest.into(), directory: self.directory }),
            _ => None,
        }
    }

    /// Returns the path that is this one relative to `base`: the inverse of [`relative_to`](Self::relative_to).
    pub fn below(&self, base: &Self) -> Self {
        match &*self.text {
            "" => base.clone(),
            text => Self { text: format!("{}{text}", base.text).into(), directory: self.directory },
        }
    }

    fn build(
        path: &str,
        decode: impl Fn(&str) -> Result<Cow<'_, str>, InvalidPath>,
    ) -> Result<Self, InvalidPath> {
        if is_plain(path) {
            return Ok(Self { text: path.into(), directory: false });
        }
        let rest = path.strip_prefix('/').ok_or(InvalidPath::Relative)?;
        let mut text = String::with_capacity(path.len());
        for component in rest.split('/') {
            let component = decode(component)?;
            if matches!(&*component, "" | ".") {
                continue;
            }
            climbing::check_decoded_again(&component).map_err(|climb| match climb {
                Climb::DotDot => InvalidPath::DotDot,
                Climb::Nested => InvalidPath::Nested,
            })?;
            if component.bytes().any(|byte| matches!(byte, b'/' | b'\\' | b'\0')) {
                return Err(InvalidPath::Separator);
            }
            text.push('/');
            text.push_str(&component);
        }
        let directory = text.is_empty() || path.ends_with('/') || path.ends_with("/.");
        Ok(Self { text: text.into_boxed_str(), directory })
    }
}

impl FromStr for ResourcePath {
    type Err = InvalidPath;

    fn from_str(path: &str) -> Result<Self, InvalidPath> {
        Self::build(path, decode)
    }
}

/// The encoded form, which parses to the same path.
impl fmt::Display for ResourcePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const KEEP: &AsciiSet = &NON_ALPHANUMERIC
            .remove(b'-')
            .remove(b'.')
            .remove(b'_')
            .remove(b'~')
            .remove(b'!')
            .remove(b'$')
            .remove(b'&')
            .remove(b'\'')
            .remove(b'(')
            .remove(b')')
            .remove(b'*')
            .remove(b'+')
            .remove(b',')
            .remove(b';')
            .remove(b'=')
            .remove(b':')
            .remove(b'@');
        for component in self.components() {
            write!(f, "/{}", utf8_percent_encode(component, KEEP))?;
        }
        if self.directory { f.write_str("/") } else { Ok(()) }
    }
}

/// Returns whether a path is in its final form as it stands, as most are: nothing to decode, to leave out or to refuse.
/// A component of ASCII that begins with a visible character other than `.` is never read as `..`.
fn is_plain(path: &str) -> bool {
    let [b'/', rest @ ..] = path.as_bytes() else { return false };
    let mut previous = b'/';
    for &byte in rest {
        let starts_component = previous == b'/';
        if !byte.is_ascii()
            || matches!(byte, b'%' | b'\\' | b'\0')
            || (starts_component && (!byte.is_ascii_graphic() || matches!(byte, b'/' | b'.')))
        {
            return false;
        }
        previous = byte;
    }
    previous != b'/'
}

/// Decodes every escape once.
fn decode(component: &str) -> Result<Cow<'_, str>, InvalidPath> {
    if !component.contains('%') {
        return Ok(Cow::Borrowed(component));
    }
    let bytes = component.as_bytes();
    let hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    let all_escapes = |(at, byte): (usize, &u8)| *byte != b'%' || (hex(at + 1) && hex(at + 2));
    if !bytes.iter().enumerate().all(all_escapes) {
        return Err(InvalidPath::Escape);
    }
    percent_decode_str(component).decode_utf8().map_err(|_| InvalidPath::Encoding)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> ResourcePath {
        text.parse().unwrap()
    }

    #[test]
    fn components_are_compared_not_characters() {
        assert!(path("/john").contains(&path("/john")));
        assert!(path("/john").contains(&path("/john/file")));
        assert!(!path("/john").contains(&path("/johnathan")));
        assert!(!path("/john/file").contains(&path("/john")));
        assert!(path("/").contains(&path("/")));
        assert!(path("/").contains(&path("/anything")));
        assert!(path("//foo/./bar").contains(&path("/foo/bar")));
    }

    #[test]
    fn a_slash_at_the_end_means_the_directory_only() {
        assert!(!path("/foo/").contains(&path("/foo")));
        assert!(path("/foo/").contains(&path("/foo/")));
        assert!(path("/foo/").contains(&path("/foo/x")));
        assert!(!path("/foo/").contains(&path("/foobar")));
        assert!(path("/foo").contains(&path("/foo/")));
    }

    #[test]
    fn escapes_are_decoded_once_and_as_utf_8() {
        assert_eq!(path("/a%20b"), path("/a b"));
        assert_eq!(path("/%c3%bc"), path("/ü"));
        assert_eq!(path("/100%25").components().collect::<Vec<_>>(), ["100%"]);
        assert_eq!(ResourcePath::from_decoded("/100%").unwrap(), path("/100%25"));
    }

    #[test]
    fn whatever_could_climb_is_refused() {
        for text in [
            "/..",
            "/a/../b",
            "/a/%2e%2e/b",
            "/a/%2E%2e",
            "/a/.%2e",
            "/a/%2e.",
            "/a/%252e%252e/b",
            "/%25252e.",
        ] {
            assert_eq!(text.parse::<ResourcePath>(), Err(InvalidPath::DotDot), "{text}");
        }
        assert_eq!(ResourcePath::from_decoded("/a/%2e%2e"), Err(InvalidPath::DotDot));
    }

    #[test]
    fn a_path_that_is_encoded_without_end_is_refused_after_a_few_rounds() {
        let hostile = format!("/%{}2e", "25".repeat(30_000));
        assert_eq!(hostile.parse::<ResourcePath>(), Err(InvalidPath::Nested));
        assert_eq!(ResourcePath::from_decoded(&hostile), Err(InvalidPath::Nested));
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for (text, expected) in [
            ("", InvalidPath::Relative),
            ("foo", InvalidPath::Relative),
            ("/a%2fb", InvalidPath::Separator),
            ("/a\\b", InvalidPath::Separator),
            ("/a%00", InvalidPath::Separator),
            ("/a%", InvalidPath::Escape),
            ("/a%2", InvalidPath::Escape),
            ("/a%zz", InvalidPath::Escape),
            ("/%ff", InvalidPath::Encoding),
        ] {
            assert_eq!(text.parse::<ResourcePath>(), Err(expected), "{text}");
        }
    }

    #[test]
    fn display_parses_back() {
        for text in ["/", "/a%20b/", "/%C3%BC", "/100%25", "/a:b@c"] {
            assert_eq!(path(&path(text).to_string()), path(text), "{text}");
        }
    }
}
