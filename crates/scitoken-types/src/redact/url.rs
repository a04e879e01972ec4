//! URLs without the credentials that travel in them.

use std::fmt;

use percent_encoding::percent_decode_str;
use url::Url;

use super::text;

/// Query keys whose values say something about the data and nothing about the user.
///
/// A list of what may be shown, not of what must be hidden: servers invent new names for tokens every year.
const HARMLESS_KEYS: [&str; 14] = [
    "action",
    "depth",
    "directread",
    "format",
    "limit",
    "metalink",
    "offset",
    "op",
    "pack",
    "page",
    "prefix",
    "recursive",
    "type",
    "version",
];

/// Returns whether a parameter or a header of this name holds a credential.
pub fn is_secret_name(name: &str) -> bool {
    const PARTS: [&str; 12] = [
        "token",
        "authz",
        "bearer",
        "jwt",
        "authorization",
        "passw",
        "secret",
        "credential",
        "signature",
        "apikey",
        "accesskey",
        "macaroon",
    ];
    let name = name.to_ascii_lowercase().replace(['-', '_'], "");
    name == "sig" || PARTS.iter().any(|part| name.contains(part))
}

/// Returns a text with the values of parameters masked whose names say that they are credentials: `?token=…`, `sig="…"`,
/// `{"access_token": "…"}`.
///
/// ```
/// use scitoken_types::redact::parameters;
///
/// assert_eq!(parameters("0; url=https://h/a?token=abc&n=1"), "0; url=https://h/a?token=…&n=1");
/// assert_eq!(parameters(r#"{"access_token": "a b", "n": 1}"#), r#"{"access_token": "…", "n": 1}"#);
/// ```
pub fn parameters(text: &str) -> String {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_.%".contains(c);
    let is_end = |c: char| c.is_whitespace() || "&;,\"'<>#".contains(c);
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['=', ':']) {
        let (before, behind) = (rest[..at].trim_end(), &rest[at + 1..]);
        let quoted = before.strip_suffix(['"', '\'']);
        let name = quoted.unwrap_or(before).rsplit(|c: char| !is_name(c)).next().unwrap_or_default();
        shown.push_str(&rest[..=at]);
        // A colon separates a quoted name from its value, and stands in a URL otherwise.
        let separates = rest[at..].starts_with('=') || quoted.is_some();
        // The value of another name may have parameters of its own.
        rest = behind;
        if !separates || !(is_secret_name(name) || name.to_ascii_lowercase().ends_with("-signature")) {
            continue;
        }
        let blanks = behind.len() - behind.trim_start().len();
        let value = &behind[blanks..];
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (start, end) = match quote {
            Some(quote) => (1, value[1..].find(quote).map_or(value.len(), |end| end + 1)),
            None => (0, value.find(is_end).unwrap_or(value.len())),
        };
        shown.push_str(&behind[..blanks + start]);
        shown.push_str(if end > start { "…" } else { "" });
        rest = &value[end..];
    }
    shown.push_str(rest);
    shown
}

/// A URL with user info, fragment and all but harmless query values masked.
///
/// ```
/// use scitoken_types::SafeUrl;
///
/// let url = "https://me:pw@h/f?authz=Bearer%20abc&recursive=1".parse()?;
/// assert_eq!(SafeUrl::new(&url).to_string(), "https://…@h/f?authz=…&recursive=1");
/// # Ok::<(), url::ParseError>(())
/// ```
#[derive(Clone, Copy)]
pub struct SafeUrl<'a>(&'a Url);

impl<'a> SafeUrl<'a> {
    /// Wraps a URL for showing.
    pub fn new(url: &'a Url) -> Self {
        Self(url)
    }

    /// Returns the values in the query and in the parameters of the path (`;name=value`), decoded, that are likely
    /// credentials: by their name, or because they are long.
    pub fn credentials(&self) -> impl Iterator<Item = String> {
        const LONG: usize = 16;
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let query = self.0.query().unwrap_or_default().split(['&', ';']);
        let pairs =
            query.filter(|pair| !is_harmless(pair)).map(|pair| pair.split_once('=').unwrap_or(("", pair)));
        let pairs = pairs.chain(path_parameters(self.0.path()));
        let pairs = pairs.map(move |(name, value)| (decoded(name), decoded(value)));
        pairs
            .filter(|(name, value)| value.len() >= LONG || is_secret_name(name))
            .map(|(_, value)| value.strip_prefix("Bearer ").map_or_else(|| value.clone(), str::to_owned))
    }

    /// Returns what can be shown of a text that should have been a URL and is none: without what may be a password and
    /// without query and fragment.
    ///
    /// ```
    /// use scitoken_types::SafeUrl;
    ///
    /// assert_eq!(SafeUrl::unparsed("https://me:pw@h:port/f?authz=abc"), "https://…@h:port/f?…");
    /// ```
    pub fn unparsed(foreign: &str) -> String {
        let (scheme, rest) = match foreign.find("//") {
            Some(at) => foreign.split_at(at + 2),
            None => ("", foreign),
        };
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        let shown = match (path.rsplit_once('@'), rest.contains('@')) {
            (Some((_, behind)), _) => format!("{scheme}…@{behind}"),
            // The question mark may be part of a password.
            (None, true) => return text(&format!("{scheme}…")),
            (None, false) => format!("{scheme}{path}"),
        };
        text(&if path.len() < rest.len() { format!("{shown}?…") } else { shown })
    }
}

impl fmt::Display for SafeUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.0;
        write!(f, "{}:", url.scheme())?;
        if url.has_authority() {
            f.write_str("//")?;
            if !url.username().is_empty() || url.password().is_some() {
                f.write_str("…@")?;
            }
            f.write_str(url.host_str().unwrap_or_default())?;
            if let Some(port) = url.port() {
                write!(f, ":{port}")?;
            }
        }
        f.write_str(&path(url))?;
        if let Some(query) = url.query() {
            for (n, pair) in query.split('&').enumerate() {
                f.write_str(if n == 0 { "?" } else { "&" })?;
                match pair.split_once('=') {
                    Some((key, value)) if HARMLESS_KEYS.contains(&key.to_ascii_lowercase().as_str()) => {
                        write!(f, "{key}={}", text(value))?;
                    }
                    Some((key, _)) => write!(f, "{}=…", text(key))?,
                    // A bare word can be a credential itself.
                    None if HARMLESS_KEYS.contains(&pair.to_ascii_lowercase().as_str()) => {
                        f.write_str(pair)?;
                    }
                    None if pair.is_empty() => {}
                    None => f.write_str("…")?,
                }
            }
        }
        if url.fragment().is_some() {
            f.write_str("#…")?;
        }
        Ok(())
    }
}

/// The path of a URL without the credentials in it: those of its parameters, and what stands before `@` where the text
/// is no URL but looks like `user:password@host`.
fn path(url: &Url) -> String {
    if !url.has_authority() {
        return match url.path().rsplit_once('@') {
            Some((_, behind)) => text(&format!("…@{behind}")),
            None => text(url.path()),
        };
    }
    let mut shown = url.path().to_owned();
    for (name, value) in path_parameters(url.path()) {
        if !value.is_empty() && is_secret_name(&percent_decode_str(name).decode_utf8_lossy()) {
            shown = shown.replace(&format!(";{name}={value}"), &format!(";{name}=…"));
        }
    }
    text(&shown)
}

/// The parameters in the components of a path: `;name=value`.
fn path_parameters(path: &str) -> impl Iterator<Item = (&str, &str)> {
    let components = path.split('/').flat_map(|component| component.split(';').skip(1));
    components.filter_map(|parameter| parameter.split_once('='))
}

impl fmt::Debug for SafeUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Returns the URL without user info and fragment, and without its query if that may contain a credential: for errors
/// that require a URL.
pub fn masked(url: &Url) -> Url {
    let mut safe = url.clone();
    // These fail only for URLs without a host, and then there is no user in them.
    let _ = safe.set_username("");
    let _ = safe.set_password(None);
    safe.set_fragment(None);
    if SafeUrl::new(&safe).to_string() != safe.as_str() {
        let kept: Vec<_> =
            safe.query().unwrap_or_default().split('&').filter(|pair| is_harmless(pair)).collect();
        let kept = kept.join("&");
        safe.set_query((!kept.is_empty()).then_some(&kept));
    }
    let path = path(&safe);
    if path != safe.path() {
        safe.set_path(&path.replace('…', "..."));
    }
    safe
}

/// Returns whether a part of a query says something about the data and nothing about the user.
fn is_harmless(pair: &str) -> bool {
    let key = pair.split_once('=').map_or(pair, |(key, _)| key);
    HARMLESS_KEYS.contains(&key.to_ascii_lowercase().as_str()) && text(pair) == pair
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_with_the_names_of_credentials_are_masked_in_every_form() {
        for (text, expected) in [
            ("/f?sig=abc&n=1", "/f?sig=…&n=1"),
            ("token=\"quoted secret\"; x=1", "token=\"…\"; x=1"),
            ("token = abc, n", "token = …, n"),
            ("'jwt': 'abc', 'n': 1", "'jwt': '…', 'n': 1"),
            ("https://h:8443/a?n=1", "https://h:8443/a?n=1"),
            ("at https://h/?x=https://g/?authz=abc#f", "at https://h/?x=https://g/?authz=…#f"),
            ("token=", "token="),
            ("token=\"", "token=\""),
            ("=::==", "=::=="),
            ("\u{e4}token=\u{e4}b c", "\u{e4}token=… c"),
        ] {
            assert_eq!(parameters(text), expected);
        }
    }

    fn shown(url: &str) -> String {
        SafeUrl::new(&Url::parse(url).unwrap()).to_string()
    }

    #[test]
    fn every_value_that_could_be_a_credential_is_masked() {
        assert_eq!(shown("https://h/f?authz=Bearer%20a.b.c"), "https://h/f?authz=…");
        assert_eq!(shown("https://h/f?AUTHZ=x&Page=2"), "https://h/f?AUTHZ=…&Page=2");
        assert_eq!(
            shown("https://h/f?X-Amz-Signature=abc&new_name=abc"),
            "https://h/f?X-Amz-Signature=…&new_name=…"
        );
        assert_eq!(shown("https://h/f?eyJhbGciOi.J9.x"), "https://h/f?…");
        assert_eq!(shown("https://u:p@h:8443/f#access_token=x"), "https://…@h:8443/f#…");
        assert_eq!(shown("https://[::1]:1/f?directread"), "https://[::1]:1/f?directread");
    }

    #[test]
    fn what_is_no_url_is_shown_without_its_secrets() {
        for (text, expected) in [
            ("nonsense", "nonsense"),
            ("https://me:pw@h:x/f", "https://…@h:x/f"),
            ("https://me:p/w@h/f", "https://…@h/f"),
            ("https://me:p?w@h/f", "https://…"),
            ("me:pw@h/f", "…@h/f"),
            ("https://h:x/f?authz=abc", "https://h:x/f?…"),
            ("h/f#access_token=abc", "h/f?…"),
        ] {
            assert_eq!(SafeUrl::unparsed(text), expected, "{text}");
        }
    }

    #[test]
    fn a_masked_url_is_still_one() {
        let shown = |url: &str| masked(&Url::parse(url).unwrap()).to_string();
        assert_eq!(shown("https://u:p@h:8443/f?authz=x&recursive=1#t"), "https://h:8443/f?recursive=1");
        assert_eq!(shown("https://h/f?page=2"), "https://h/f?page=2");
        assert_eq!(shown("https://h/f?authz=x"), "https://h/f");
        assert_eq!(shown("https://h/eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.sig/f"), "https://h/...");
    }

    #[test]
    fn a_login_without_a_scheme_is_no_path() {
        assert_eq!(shown("me:s3cret@h:8080"), "me:…@h:8080");
        assert_eq!(shown("mailto:someone"), "mailto:someone");
    }

    #[test]
    fn a_credential_in_a_parameter_of_the_path_is_masked() {
        assert_eq!(shown("https://h/d;v=1/f;authz=Bearer%20abc;x=2"), "https://h/d;v=1/f;authz=…;x=2");
        assert_eq!(shown("https://h/f;%61uthz=abc/g;authz=/"), "https://h/f;%61uthz=…/g;authz=/");
    }

    #[test]
    fn the_credentials_of_a_url_are_those_of_its_names_and_the_long_ones() {
        let url = "https://h/f;authz=in-path?authz=Bearer%20abc%2Bdef&page=0123456789abcdef&q=2026&sig=x1&AgK8mQz0o7pX2EdYx1b9&id=0123456789abcdef";
        let credentials: Vec<_> = SafeUrl::new(&Url::parse(url).unwrap()).credentials().collect();
        assert_eq!(credentials, ["abc+def", "x1", "AgK8mQz0o7pX2EdYx1b9", "0123456789abcdef", "in-path"]);
    }

    #[test]
    fn a_token_in_the_path_is_masked() {
        assert_eq!(shown("https://h/eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.sig/f"), "https://h/…");
    }
}
