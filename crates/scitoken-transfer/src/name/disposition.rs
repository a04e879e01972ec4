//! File names in `Content-Disposition` (RFC 6266).

use http::HeaderMap;
use http::header::CONTENT_DISPOSITION;

use crate::name::file_name::{UnsafeName, checked};
use scitoken_types::redact;

/// Returns the sanitized name, if the server gives one. A leading dot is escaped, since the server chose the name:
/// `.bashrc` becomes `_.bashrc`.
///
/// `filename*` (RFC 8187) has precedence over `filename`. A path is refused, not shortened to its last part.
///
/// # Errors
/// [`UnsafeName`], as for [`file_name`](crate::file_name).
pub(crate) fn suggested_name(headers: &HeaderMap) -> Option<Result<String, UnsafeName>> {
    let value = String::from_utf8_lossy(headers.get(CONTENT_DISPOSITION)?.as_bytes());
    let (mut plain, mut extended) = (None, None);
    for (name, value) in parameters(&value) {
        match name.to_ascii_lowercase().as_str() {
            "filename" if plain.is_none() => plain = Some(value),
            "filename*" if extended.is_none() => extended = Some(decode(&value)),
            _ => {}
        }
    }
    // RFC 6266 section 4.3: a malformed one is ignored.
    let name = extended.flatten().or(plain)?;
    if name.contains('\\') {
        return Some(Err(UnsafeName::ForeignCharacter(redact::text(&name))));
    }
    Some(checked(&name).map(without_dot))
}

/// Escapes a leading dot of a name that a server chose.
pub(crate) fn without_dot(name: String) -> String {
    if name.starts_with('.') { format!("_{name}") } else { name }
}

/// Returns the parameters behind the disposition type. A quoted value may contain anything, `;` included.
fn parameters(value: &str) -> Vec<(&str, String)> {
    let mut found = Vec::new();
    // Some servers leave out the type.
    let mut rest = match value.split_once(';') {
        Some((kind, parameters)) if !kind.contains('=') => parameters,
        _ => value,
    };
    while let Some((name, value)) = rest.split_once('=') {
        let name = name.trim_matches([' ', '\t', ';']);
        let value = value.trim_start();
        let (text, after) = if let Some(quoted) = value.strip_prefix('"') {
            unquote(quoted)
        } else {
            let end = value.find(';').unwrap_or(value.len());
            (value[..end].trim_end().to_owned(), &value[end..])
        };
        found.push((name, text));
        rest = after;
    }
    found
}

/// Returns the text up to the closing quotation mark, and the rest.
fn unquote(quoted: &str) -> (String, &str) {
    let mut text = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (text, &quoted[at + 1..]),
            '\\' => text.extend(chars.next().map(|(_, c)| c)),
            c => text.push(c),
        }
    }
    (text, "")
}

/// `UTF-8''na%C3%AFve.txt`; RFC 8187 knows UTF-8 only, and ISO-8859-1 is what older servers send. What is neither is `None`.
fn decode(value: &str) -> Option<String> {
    let mut parts = value.splitn(3, '\'');
    let (charset, text) = (parts.next().unwrap_or_default(), parts.nth(1)?);
    let bytes = percent_encoding::percent_decode_str(text);
    match charset.to_ascii_lowercase().as_str() {
        "utf-8" => bytes.decode_utf8().ok().map(std::borrow::Cow::into_owned),
        "iso-8859-1" => Some(bytes.map(char::from).collect()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn name(value: &str) -> Option<Result<String, UnsafeName>> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_DISPOSITION, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        suggested_name(&headers)
    }

    #[test]
    fn names_are_read_in_every_form() {
        for (value, expected) in [
            ("attachment; filename=run1.root", "run1.root"),
            ("attachment;filename=\"run 1; final.root\" ; size=3", "run 1; final.root"),
            ("inline; FILENAME=\"a \\\"b\\\".txt\"", "a \"b\".txt"),
            ("attachment; filename=\"plain.txt\"; filename*=UTF-8''na%C3%AFve.txt", "naïve.txt"),
            ("attachment; filename*=iso-8859-1'de'%FCber.txt; filename=x", "über.txt"),
            ("attachment; filename=\"réel.txt\"", "réel.txt"),
            ("attachment; filename*=broken; filename=fine", "fine"),
            ("attachment; filename=\"-rf\"", "_-rf"),
            ("attachment; filename=.bashrc", "_.bashrc"),
            ("filename=\"a; b.root\"", "a; b.root"),
            ("filename=plain.txt; filename*=UTF-8''na%C3%AFve.txt", "naïve.txt"),
        ] {
            assert_eq!(name(value).unwrap().as_deref(), Ok(expected), "{value}");
        }
        for value in [
            "attachment",
            "",
            "attachment; size=3",
            "filename",
            "attachment; filename*=broken",
            "attachment; filename*=UTF-8''%FF",
            "attachment; filename*=UTF-7''x",
        ] {
            assert_eq!(name(value), None, "{value}");
        }
    }

    #[test]
    fn names_that_lead_out_of_the_directory_or_fool_a_terminal_are_refused() {
        for value in [
            "attachment; filename=\"../../etc/passwd\"",
            "attachment; filename=/etc/passwd",
            "attachment; filename=..",
            "attachment; filename=\"\"",
            "attachment; filename=\"a\tb\"",
            "attachment; filename*=UTF-8''a%2Fb",
            "attachment; filename*=UTF-8''a%00b",
            "attachment; filename*=UTF-8''a%2Fb; filename=fine",
            "attachment; filename=\"C:\\\\temp\\\\x\"",
        ] {
            assert!(name(value).unwrap().is_err(), "{value}");
        }
    }
}
