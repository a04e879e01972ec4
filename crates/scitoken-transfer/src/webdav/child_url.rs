//! The URL of a name in a directory.

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use url::Url;

/// The characters that a segment of a path cannot contain (RFC 3986 section 3.3).
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The decoded segments of a path.
pub(crate) type Segments = Vec<Vec<u8>>;

/// Returns the URL of a name in a directory, with a slash at its end for a directory; `None` for a name that no URL can have.
///
/// ```
/// use scitoken_transfer::child_url;
///
/// let directory = "https://h/d/".parse()?;
/// assert_eq!(child_url(&directory, b"run#2 %.root", false).unwrap().as_str(), "https://h/d/run%232%20%25.root");
/// assert_eq!(child_url(&directory, b"..", true), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn child_url(directory: &Url, name: &[u8], is_directory: bool) -> Option<Url> {
    let mut url = directory.clone();
    let encoded = match std::str::from_utf8(name) {
        Ok(name) => utf8_percent_encode(name, SEGMENT).to_string(),
        Err(_) => percent_encoding::percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string(),
    };
    let slash = if is_directory { "/" } else { "" };
    url.set_path(&format!("{}/{encoded}{slash}", directory.path().trim_end_matches('/')));
    url.set_fragment(None);
    // The parser must not have read the name as something else.
    let path = segments(url.path())?;
    let parent = segments(directory.path())?;
    (path.strip_prefix(&parent[..])? == [name]).then_some(url)
}

/// Returns the decoded segments of a path; `None` where one is `.` or `..`.
pub(crate) fn segments(path: &str) -> Option<Segments> {
    path.split('/')
        .filter(|part| !part.is_empty())
        .map(|part| {
            let part: Vec<u8> = percent_decode_str(part).collect();
            (part != b"." && part != b"..").then_some(part)
        })
        .collect()
}
