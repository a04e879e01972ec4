//! Files and directories on a server.

use std::fmt;

use serde::{Serialize, Serializer};
use url::Url;

use scitoken_types::SafeUrl;

/// A file or a directory on a server.
///
/// Serialized, it is an object of its fields, the URL without credentials.
///
/// ```
/// use scitoken_transfer::{EntryKind, RemoteEntry};
///
/// let file = RemoteEntry {
///     url: "https://h/d/run1.root".parse()?,
///     kind: EntryKind::File,
///     length: Some(16),
///     last_modified: None,
///     etag: None,
/// };
/// assert_eq!(
///     serde_json::to_string(&file)?,
///     r#"{"url":"https://h/d/run1.root","kind":"file","length":16,"last_modified":null,"etag":null}"#,
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RemoteEntry {
    /// Its URL.
    #[serde(serialize_with = "safe_url")]
    pub url: Url,
    /// Whether it is a file.
    pub kind: EntryKind,
    /// A file's length in bytes.
    pub length: Option<u64>,
    /// When it was modified, as the server writes it.
    pub last_modified: Option<String>,
    /// The entity tag, with its quotes.
    pub etag: Option<String>,
}

/// What a [`RemoteEntry`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum EntryKind {
    /// A file.
    File,
    /// A directory, a collection in WebDAV's words.
    Directory,
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "file",
            Self::Directory => "directory",
        })
    }
}

fn safe_url<S: Serializer>(url: &Url, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&SafeUrl::new(url))
}
