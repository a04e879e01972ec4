//! What is a URL among the words of a command line.

/// Returns whether a text is a URL, or the name of an object in a federation.
pub(crate) fn is_url(text: &str) -> bool {
    const SCHEMES: [&str; 11] =
        ["http", "https", "dav", "davs", "pelican", "osdf", "stash", "root", "roots", "xroot", "xroots"];
    let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    scheme.is_some_and(|scheme| SCHEMES.contains(&scheme.as_str()))
}
