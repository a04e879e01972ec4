//! How URLs and foreign texts are shown: without the credentials that travel in them.

use std::fmt;

use url::Url;

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

/// A URL with user info, fragment and all but harmless query values masked.
///
/// ```
/// use reqwest_scitokens::SafeUrl;
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

    /// A text that should have been a URL and is none, as far as it can be shown: without what may be a password and
    /// without query and fragment.
    ///
    /// ```
    /// use reqwest_scitokens::SafeUrl;
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
        f.write_str(&text(url.path()))?;
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

impl fmt::Debug for SafeUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The URL without user info and fragment, and without its query where that says more than harmless things: for errors
/// that insist on a URL.
pub(crate) fn masked(url: &Url) -> Url {
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
    let path = text(safe.path());
    if path != safe.path() {
        safe.set_path(&path.replace('…', "..."));
    }
    safe
}

/// Whether a part of a query says something about the data and nothing about the user.
fn is_harmless(pair: &str) -> bool {
    let key = pair.split_once('=').map_or(pair, |(key, _)| key);
    HARMLESS_KEYS.contains(&key.to_ascii_lowercase().as_str()) && text(pair) == pair
}

/// A text from a server, fit for a terminal: control characters as spaces, anything that looks like a JWT or a
/// Gafaelfawr token masked, cut after 300 characters.
pub(crate) fn text(foreign: &str) -> String {
    clean(foreign, LONGEST)
}

/// The same of a text whose end matters, as that of what a program complains.
pub(crate) fn ending(foreign: &str) -> String {
    let shown = clean(foreign, usize::MAX);
    match shown.char_indices().rev().nth(LONGEST - 1) {
        Some((start, _)) if start > 0 => format!("…{}", &shown[start..]),
        _ => shown,
    }
}

/// More characters than this of a foreign text are not shown.
const LONGEST: usize = 300;

fn clean(foreign: &str, longest: usize) -> String {
    let mut shown = String::with_capacity(foreign.len().min(longest));
    let mut rest = foreign;
    let mut left = longest;
    while left > 0 {
        let Some(first) = rest.chars().next() else { return shown };
        let length = credential_length(rest);
        if let Some(length) = bearer_length(rest) {
            shown.push_str("Bearer …");
            rest = &rest[length..];
        } else if length > 0 {
            shown.push('…');
            rest = &rest[length..];
        } else {
            shown.push(if first.is_control() || is_bidi_control(first) { ' ' } else { first });
            rest = &rest[first.len_utf8()..];
        }
        left -= 1;
    }
    if !rest.is_empty() {
        shown.push('…');
    }
    shown
}

/// How many bytes at the start of `text` look like a credential: a JWT, or a Gafaelfawr token.
fn credential_length(text: &str) -> usize {
    let is_token =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~' | '+' | '/' | '=');
    if !text.starts_with("eyJ") && !text.starts_with("gt-") {
        return 0;
    }
    let run = text.find(|c| !is_token(c)).unwrap_or(text.len());
    let looks_secret =
        if text.starts_with("gt-") { run >= 40 && text[..run].contains('.') } else { run > 20 };
    if looks_secret { run } else { 0 }
}

/// How many bytes at the start of `text` are `Bearer` and a token; `Bearer realm="x"` is none.
fn bearer_length(text: &str) -> Option<usize> {
    const SCHEME: &str = "bearer ";
    let token = text
        .get(..SCHEME.len())
        .filter(|scheme| scheme.eq_ignore_ascii_case(SCHEME))
        .map(|_| &text[SCHEME.len()..])?;
    let is_token =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~' | '+' | '/' | '=');
    let run = token.find(|c| !is_token(c)).unwrap_or(token.len());
    let parameter = token[..run].ends_with('=') && token[run..].starts_with('"');
    (run >= 12 && !parameter).then_some(SCHEME.len() + run)
}

/// Characters that make a terminal show text in another order than it stands.
fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_token_in_the_path_is_masked() {
        assert_eq!(shown("https://h/eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0.sig/f"), "https://h/…");
    }

    #[test]
    fn of_a_long_complaint_the_end_is_shown_and_no_half_token() {
        let token = format!("eyJhbGciOiJIUzI1NiJ9.{}.abcdef", "e30".repeat(200));
        let shown = ending(&format!("Traceback {token} {}ValueError: no ticket", "x ".repeat(100)));
        assert!(shown.ends_with("ValueError: no ticket") && shown.contains("Traceback …"), "{shown}");
        let shown = ending(&"y".repeat(1_000));
        assert_eq!((shown.chars().count(), shown.starts_with('…')), (301, true));
    }

    #[test]
    fn foreign_text_loses_tokens_and_control_characters() {
        assert_eq!(text("bad token eyJhbGciOiJIUzI1NiJ9.e30.abcdef!"), "bad token …!");
        assert_eq!(text("gt-MLF5MB3Peg79wEC0BY8U8Q.ChbkqEyp3EIJ2e_1Sqff3w is old"), "… is old");
        assert_eq!(text("authz=Bearer%20eyJhbGciOiJIUzI1NiJ9.e30.abcdef"), "authz=Bearer%20…");
        assert_eq!(text("> Authorization: Bearer AgK8mQz0o7pX2 <"), "> Authorization: Bearer … <");
        assert_eq!(text("Bearer error_description=\"x\""), "Bearer error_description=\"x\"");
        assert_eq!(text("bearer token expired"), "bearer token expired");
        assert_eq!(text("weight-1.5 kg"), "weight-1.5 kg");
        assert_eq!(text("a\u{1b}[2Jb\u{202e}c"), "a [2Jb c");
        assert_eq!(text("eyJ is how they start"), "eyJ is how they start");
        assert_eq!(text(&"x".repeat(1_000)).chars().count(), 301);
    }
}
