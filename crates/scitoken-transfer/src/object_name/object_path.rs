//! The path of an object in a federation.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use scitoken_types::redact;

use crate::object_name::invalid_url::InvalidFederationUrl;

/// All bytes but the unreserved characters of RFC 3986 section 2.3.
///
/// `+`, `,`, `;` and `=` are legal in paths, but some programs on the way decode or split at them.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The longest accepted path, in bytes of its encoded form.
const MAX_LENGTH: usize = 8 * 1024;

/// The absolute path of an object or collection: components, each percent-encoded exactly once.
///
/// ```
/// use scitoken_transfer::federation::ObjectPath;
///
/// let path = ObjectPath::parse("/ns//100% of a+b,c;d#1")?;
/// assert_eq!(path.as_encoded(), "/ns/100%25%20of%20a%2Bb%2Cc%3Bd%231");
/// assert!(path.is_within(&ObjectPath::parse("/ns")?));
/// assert!(!path.is_within(&ObjectPath::parse("/n")?));
/// # Ok::<(), scitoken_transfer::federation::InvalidFederationUrl>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectPath(String);

impl ObjectPath {
    /// Parses a path in which `%` starts an escape where two hexadecimal digits follow, and is a literal elsewhere.
    ///
    /// Other characters stand for themselves, so a name with `?`, `#` or a space is written as it is. Empty components
    /// are dropped, as directors do; a slash at the end marks a collection and is kept.
    ///
    /// # Errors
    /// [`InvalidFederationUrl`] for a path that does not start with `/`, has a component `.` or `..` (also in
    /// escapes) or a NUL, or is longer than 8 KiB.
    pub fn parse(text: &str) -> Result<Self, InvalidFederationUrl> {
        let rest = text.strip_prefix('/').ok_or(InvalidFederationUrl::RelativePath)?;
        let mut encoded = String::with_capacity(text.len());
        for component in rest.split('/').filter(|component| !component.is_empty()) {
            let decoded: Vec<u8> = percent_decode_str(component).collect();
            if matches!(decoded.as_slice(), b"." | b"..") || decoded.contains(&0) {
                return Err(InvalidFederationUrl::DotOrNul);
            }
            encoded.push('/');
            encoded.extend(percent_encode(&decoded, ENCODED));
        }
        if encoded.is_empty() || rest.ends_with('/') {
            encoded.push('/');
        }
        if encoded.len() > MAX_LENGTH {
            return Err(InvalidFederationUrl::TooLong);
        }
        Ok(Self(encoded))
    }

    /// Returns the path as it is sent: each component percent-encoded once.
    pub fn as_encoded(&self) -> &str {
        &self.0
    }

    /// Returns whether the path ends with a slash, which marks a collection.
    pub fn is_collection(&self) -> bool {
        self.0.ends_with('/')
    }

    /// Returns the last component, decoded; `None` for the root, and for a name that is not UTF-8.
    pub fn name(&self) -> Option<String> {
        let last = self.0.trim_end_matches('/').rsplit('/').next().filter(|name| !name.is_empty())?;
        percent_decode_str(last).decode_utf8().ok().map(std::borrow::Cow::into_owned)
    }

    /// Returns whether the path is `prefix` or below it, compared by whole components.
    pub fn is_within(&self, prefix: &Self) -> bool {
        self.after(prefix).is_some()
    }

    /// Returns the path relative to `prefix`, as an absolute path; `None` outside of it.
    pub fn relative_to(&self, prefix: &Self) -> Option<Self> {
        let rest = self.after(prefix)?;
        Some(Self(if rest.is_empty() { "/".to_owned() } else { rest.to_owned() }))
    }

    /// Returns the number of components.
    pub(crate) fn depth(&self) -> usize {
        self.0.split('/').filter(|component| !component.is_empty()).count()
    }

    fn after(&self, prefix: &Self) -> Option<&str> {
        let rest = self.0.strip_prefix(prefix.0.trim_end_matches('/'))?;
        (rest.is_empty() || rest.starts_with('/')).then_some(rest)
    }
}

impl fmt::Display for ObjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redact::text(&percent_decode_str(&self.0).decode_utf8_lossy()))
    }
}

impl fmt::Debug for ObjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectPath({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(text: &str) -> String {
        ObjectPath::parse(text).map_or_else(|error| error.to_string(), |path| path.0)
    }

    #[test]
    fn each_character_of_a_name_is_encoded_exactly_once() {
        for (text, expected) in [
            ("/a b", "/a%20b"),
            ("/a%20b", "/a%20b"),
            ("/50%", "/50%25"),
            ("/50%zz", "/50%25zz"),
            ("/50%25", "/50%25"),
            ("/a%2520b", "/a%2520b"),
            ("/a+b", "/a%2Bb"),
            ("/a,b;c=d", "/a%2Cb%3Bc%3Dd"),
            ("/a#1", "/a%231"),
            ("/a%3Fb", "/a%3Fb"),
            ("/a%2Fb", "/a%2Fb"),
            ("/é%ff", "/%C3%A9%FF"),
            ("/~user_1.x-y", "/~user_1.x-y"),
            ("//a///b/", "/a/b/"),
            ("/", "/"),
            ("//", "/"),
        ] {
            assert_eq!(encoded(text), expected, "{text}");
        }
    }

    #[test]
    fn a_path_that_could_be_read_as_another_one_is_rejected() {
        for text in ["", "a", "/a/../b", "/.", "/a/%2e%2E", "/a/.%2e/b", "/a%00b"] {
            assert!(ObjectPath::parse(text).is_err(), "{text}");
        }
        assert!(ObjectPath::parse(&format!("/{}", "é".repeat(3_000))).is_err());
        assert!(ObjectPath::parse("/...").is_ok() && ObjectPath::parse("/..a").is_ok());
    }

    #[test]
    fn prefixes_are_compared_by_whole_components() {
        let path = |text| ObjectPath::parse(text).unwrap();
        for (inner, outer, expected) in [
            ("/foo/a", "/foo", Some("/a")),
            ("/foo/a", "/foo/", Some("/a")),
            ("/foo/a/", "/foo", Some("/a/")),
            ("/foo", "/foo", Some("/")),
            ("/foo", "/foo/", Some("/")),
            ("/foobar", "/foo", None),
            ("/fo", "/foo", None),
            ("/foo", "/", Some("/foo")),
            ("/a%20b/c", "/a b", Some("/c")),
        ] {
            let relative = path(inner).relative_to(&path(outer));
            assert_eq!(relative.as_ref().map(ObjectPath::as_encoded), expected, "{inner} {outer}");
        }
    }

    #[test]
    fn the_name_is_the_last_component_as_it_is_on_disk() {
        assert_eq!(ObjectPath::parse("/ns/a%20b%2B").unwrap().name().as_deref(), Some("a b+"));
        assert_eq!(ObjectPath::parse("/ns/dir/").unwrap().name().as_deref(), Some("dir"));
        assert_eq!(ObjectPath::parse("/").unwrap().name(), None);
    }
}
