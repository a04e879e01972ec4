//! URLs as they were written, before a parser repairs them.

/// Returns whether an absolute `http` or `https` URL names its host behind two slashes, as RFC 9110 section 4.2 requires;
/// `true` for every other text.
///
/// The parser of the crate `url` takes the next part of the path for the host where there is none: a script with an empty
/// variable would send its token to `vo`.
///
/// ```
/// use scitoken_types::names_host;
///
/// assert!(names_host("https://data.example.org/vo/f") && names_host("vo/f"));
/// assert!(!names_host("https:///vo/f") && !names_host("https:/vo/f") && !names_host("https:vo"));
/// assert_eq!(url::Url::parse("https:///vo/f").unwrap().host_str(), Some("vo"));
/// ```
pub fn names_host(text: &str) -> bool {
    let Some((scheme, rest)) = text.trim_start().split_once(':') else { return true };
    if !["http", "https", "dav", "davs"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return true;
    }
    let authority = rest.strip_prefix("//").unwrap_or_default();
    !authority.is_empty() && !authority.starts_with(['/', '\\', '?', '#'])
}
