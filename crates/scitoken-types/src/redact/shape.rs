//! Credentials that are known by their shape.

/// Where a credential begins in a text, and how many bytes it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// What comes first and may be shown, such as `Bearer `.
    pub(super) shown: usize,
    /// The credential.
    pub(super) hidden: usize,
}

/// How the first two bytes of a JSON object, a brace and a quote or white space, look as base64.
const OBJECT_AS_BASE64: [&str; 5] = ["eyJ", "eyA", "ewo", "ew0", "ewk"];
/// A JWT has more characters than this.
const SHORTEST_JWT: usize = 20;
/// A Gafaelfawr token has two parts of 22 characters each, and more is not asked of a text to be taken for one.
const SHORTEST_GAFAELFAWR: usize = 40;
/// After `Bearer` or `Basic`, words of the language are shorter than this.
const SHORTEST_AFTER_SCHEME: usize = 12;

/// After the name of a member, words of the language are shorter than this or have small letters only.
const SHORTEST_AFTER_NAME: usize = 8;

/// The credential at the start of `text`, if it looks like one; `before` is the character before it.
pub(super) fn at_start(text: &str, before: Option<char>) -> Option<Shape> {
    let first = text.as_bytes().first()?;
    match first {
        b'B' | b'b' => after_scheme(text),
        b'e' | b'g' => token(text),
        b':' => user_info(text, before),
        b'a' | b'c' | b'd' | b'i' | b'r' => after_name(text),
        _ => None,
    }
}

/// The value of a member of a form or of JSON whose name says that it is a secret: `access_token=…`, `"refresh_token": "…"`.
fn after_name(text: &str) -> Option<Shape> {
    const NAMES: [&str; 5] = ["access_token", "client_secret", "device_code", "id_token", "refresh_token"];
    let rest = NAMES.iter().find_map(|name| text.strip_prefix(name))?;
    let value = rest.trim_start_matches(['"', '\'', '\\', ' ']);
    let value = value.strip_prefix(['=', ':'])?.trim_start_matches(['"', '\'', '\\', ' ']);
    let run = run_of(value, is_token_char);
    let is_value = run >= SHORTEST_AFTER_NAME && looks_random(&value[..run]);
    is_value.then_some(Shape { shown: text.len() - value.len(), hidden: run })
}

/// A JWT or a Gafaelfawr token.
fn token(text: &str) -> Option<Shape> {
    let run = run_of(text, is_token_char);
    let (whole, has_dot) = (&text[..run], text[..run].contains('.') || contains_escaped_dot(&text[..run]));
    let is_jwt = run > SHORTEST_JWT
        && OBJECT_AS_BASE64.iter().any(|start| whole.starts_with(start))
        // Words begin with the rarer starts (`ewo`), so these require a dot as well.
        && (whole.starts_with("eyJ") || has_dot);
    let is_gafaelfawr = run >= SHORTEST_GAFAELFAWR && whole.starts_with("gt-") && has_dot;
    (is_jwt || is_gafaelfawr).then_some(Shape { shown: 0, hidden: run })
}

/// `Bearer` or `Basic` and what follows; `Bearer realm="x"` is a challenge and has no credential.
fn after_scheme(text: &str) -> Option<Shape> {
    let scheme = ["bearer", "basic"]
        .into_iter()
        .find(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))?;
    let rest = &text[scheme.len()..];
    let blank = ["%20", "+", " ", "\t"].into_iter().find(|blank| rest.starts_with(blank))?;
    let blanks = blank.len() + rest[blank.len()..].len() - rest[blank.len()..].trim_start_matches(' ').len();
    let credential = &rest[blanks..];
    let run = run_of(credential, is_token_char);
    let is_parameter = credential[..run].ends_with('=') && credential[run..].starts_with('"');
    let longest_word = if scheme == "basic" { 8 } else { SHORTEST_AFTER_SCHEME };
    (run >= longest_word && !is_parameter && looks_random(&credential[..run]))
        .then_some(Shape { shown: scheme.len() + blanks, hidden: run })
}

/// The user info of a URL: what stands between `://` and `@`.
fn user_info(text: &str, before: Option<char>) -> Option<Shape> {
    let rest = text.strip_prefix("://").filter(|_| before.is_some_and(|c| c.is_ascii_alphanumeric()))?;
    let authority = &rest
        [..run_of(rest, |c| !matches!(c, '/' | '?' | '#' | '"' | '`' | '<' | '>') && !c.is_whitespace())];
    let at = authority.rfind('@').filter(|at| *at > 0)?;
    Some(Shape { shown: "://".len(), hidden: at })
}

/// Returns whether a text is rather a credential than a word: it has a digit, a capital letter inside, or a sign.
fn looks_random(text: &str) -> bool {
    text.chars().skip(1).any(|c| !c.is_ascii_lowercase())
}

fn contains_escaped_dot(text: &str) -> bool {
    text.as_bytes().windows(3).any(|three| three.eq_ignore_ascii_case(b"%2e"))
}

fn run_of(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

/// The characters of RFC 6750, and `%` for those of them that are percent-encoded.
fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~' | '+' | '/' | '=' | '%')
}
