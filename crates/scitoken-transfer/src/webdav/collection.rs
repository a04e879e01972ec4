//! The URLs of collections.

use url::Url;

/// Returns the URL of a collection: with a trailing slash (RFC 4918 section 5.2).
pub(crate) fn collection(url: &Url) -> Url {
    let mut url = url.clone();
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    url
}

/// Returns the collection that a collection is in, if it is not the root.
pub(crate) fn parent(directory: &Url) -> Option<Url> {
    let path = directory.path().trim_end_matches('/');
    let (parent, _) = path.rsplit_once('/')?;
    if parent.is_empty() {
        return None;
    }
    let mut url = directory.clone();
    url.set_path(&format!("{parent}/"));
    Some(url)
}
