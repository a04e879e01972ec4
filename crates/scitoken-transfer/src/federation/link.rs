//! The `Link` header of a director: the object servers, in their order.

use http::HeaderMap;
use http::header::LINK;
use scitoken_types::Origin;
use url::Url;

/// The longest list that is read. Directors send at most 6 servers.
const MAX_LINKS: usize = 32;
/// The longest header value that is read, in bytes.
const MAX_VALUE: usize = 64 * 1024;

/// Returns the URLs with `rel="duplicate"` (RFC 6249 section 2), or without `rel`, in ascending order of `pri`, one for each server.
///
/// Directors leave `,` and `;` in URLs bare, so a URL is what stands between `<` and `>`. URLs that a token may not be
/// sent to (neither https nor this machine) and URLs with user info are left out. A token in a URL is removed.
pub(crate) fn object_servers(headers: &HeaderMap) -> Vec<Url> {
    let mut links: Vec<(u32, Url)> = Vec::new();
    for value in headers.get_all(LINK) {
        let bytes = &value.as_bytes()[..value.len().min(MAX_VALUE)];
        read(&String::from_utf8_lossy(bytes), &mut links);
    }
    links.sort_by_key(|(priority, _)| *priority);
    let mut origins: Vec<Origin> = Vec::new();
    let mut servers = Vec::new();
    for (_, url) in links {
        if let Some(url) = usable(url)
            && let Ok(origin) = Origin::try_from(&url)
            && !origins.contains(&origin)
        {
            origins.push(origin);
            servers.push(url);
        }
    }
    servers
}

/// Returns the URL without tokens, if data may be fetched from there.
pub(crate) fn usable(mut url: Url) -> Option<Url> {
    let origin = Origin::try_from(&url).ok()?;
    if !origin.is_trustworthy() || !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    url.set_fragment(None);
    if url.query().is_some() {
        let kept: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(name, _)| name != "authz" && name != "access_token")
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        url.set_query(None);
        if !kept.is_empty() {
            url.query_pairs_mut().extend_pairs(kept);
        }
    }
    Some(url)
}

fn read(value: &str, links: &mut Vec<(u32, Url)>) {
    let mut rest = value;
    while links.len() < MAX_LINKS
        && let Some(start) = rest.find('<')
        && let Some(length) = rest[start..].find('>')
    {
        let address = &rest[start + 1..start + length];
        rest = &rest[start + length + 1..];
        let parameters = Parameters::read(&mut rest);
        if parameters.is_duplicate != Some(false)
            && let Ok(url) = Url::parse(address)
        {
            links.push((parameters.priority.unwrap_or(u32::MAX), url));
        }
    }
}

/// The parameters after a URL.
#[derive(Debug, Default)]
struct Parameters {
    /// `None` without `rel`.
    is_duplicate: Option<bool>,
    priority: Option<u32>,
}

impl Parameters {
    /// Reads `; name=value` as often as it occurs, and leaves the rest of the text.
    fn read(rest: &mut &str) -> Self {
        let mut parameters = Self::default();
        while let Some(after) = rest.trim_start().strip_prefix(';') {
            let end = after.find(['=', ';', ',']).unwrap_or(after.len());
            let name = after[..end].trim();
            *rest = &after[end..];
            let Some(value) = rest.strip_prefix('=') else { continue };
            let value = value.trim_start();
            let (value, behind) = match value.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
                None => value.split_at(value.find([';', ',']).unwrap_or(value.len())),
            };
            *rest = behind;
            if name.eq_ignore_ascii_case("rel") {
                let mut relations = value.split_ascii_whitespace();
                parameters.is_duplicate =
                    Some(relations.any(|relation| relation.eq_ignore_ascii_case("duplicate")));
            } else if name.eq_ignore_ascii_case("pri") {
                parameters.priority = value.trim().parse().ok();
            }
        }
        parameters
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn servers(values: &[&str]) -> Vec<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(LINK, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        object_servers(&headers).into_iter().map(String::from).collect()
    }

    #[test]
    fn servers_come_in_the_order_of_their_priority() {
        let value = "<https://c2/a>; rel=\"duplicate\"; pri=2; depth=2, <https://c1/a>; rel=\"duplicate\"; pri=1; depth=2";
        assert_eq!(servers(&[value]), ["https://c1/a", "https://c2/a"]);
        assert_eq!(
            servers(&["<https://c2/a>;PRI=2, <https://c1/a>; Pri=\"1\""]),
            ["https://c1/a", "https://c2/a"]
        );
        let lines = ["<https://c3/a>; rel=duplicate", "<https://c1:8443/a>;pri = 1 ;rel=\"x duplicate\""];
        assert_eq!(servers(&lines), ["https://c1:8443/a", "https://c3/a"]);
    }

    #[test]
    fn commas_and_semicolons_in_names_do_not_split_urls() {
        let value = "<https://c1/foo/a,b;c>; rel=\"duplicate\"; pri=1, <https://c2/foo/a,b;c>; rel=\"duplicate\"; pri=2";
        assert_eq!(servers(&[value]), ["https://c1/foo/a,b;c", "https://c2/foo/a,b;c"]);
    }

    #[test]
    fn a_server_is_listed_once_and_only_where_a_token_may_go() {
        let value = "<https://c1/a>; rel=duplicate; pri=1, <https://c1/b>; rel=duplicate; pri=2, \
            <http://c2/a>; rel=duplicate; pri=3, <https://u:p@c3/a>; rel=duplicate; pri=4, \
            <ftp://c4/a>; rel=duplicate, <https://c5/a>; rel=describedby, </a>; rel=duplicate, \
            <http://127.0.0.1:9/a>; rel=duplicate; pri=9";
        assert_eq!(servers(&[value]), ["https://c1/a", "http://127.0.0.1:9/a"]);
    }

    #[test]
    fn a_token_in_a_url_is_removed() {
        let value = "<https://c1/a?authz=s3cret&x=1&access_token=t#f>; rel=duplicate";
        assert_eq!(servers(&[value]), ["https://c1/a?x=1"]);
        assert_eq!(servers(&["<https://c1/a?authz=s3cret>; rel=duplicate"]), ["https://c1/a"]);
    }

    #[test]
    fn a_broken_value_gives_the_links_that_can_be_read() {
        for value in
            ["", "<", "<https://c1/a", "https://c1/a; rel=duplicate", "<>; rel=duplicate", "<<>>;;=,"]
        {
            assert_eq!(servers(&[value]), [""; 0], "{value:?}");
        }
        assert_eq!(servers(&["<https://c1/a>; rel=\"duplicate"]), ["https://c1/a"]);
        let many: Vec<String> = (0..100).map(|n| format!("<https://c{n}/a>; rel=duplicate")).collect();
        assert_eq!(servers(&[&many.join(", ")]).len(), MAX_LINKS);
    }
}
