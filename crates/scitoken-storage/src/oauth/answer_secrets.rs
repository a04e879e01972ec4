//! The secrets of an answer, which no message about it shows.

use scitoken_types::LenientObject;
use scitoken_types::redact::Redactor;
use serde_json::value::RawValue;

/// The members of an answer whose values are secrets.
const MEMBERS: [&str; 6] = [
    "access_token",
    "client_secret",
    "device_code",
    "id_token",
    "refresh_token",
    "registration_access_token",
];

/// How deep objects in an answer are searched.
const DEEPEST: usize = 3;

/// Adds the secrets of an answer, and of the objects and lists in it.
pub(super) fn hide_secrets(answer: &LenientObject, secrets: &Redactor) {
    hide_inner_secrets(answer, secrets, DEEPEST);
}

/// Returns what masks the secrets of an answer.
pub(super) fn secrets_of(answer: &LenientObject) -> Redactor {
    let secrets = Redactor::new();
    hide_secrets(answer, &secrets);
    secrets
}

/// Adds what follows the name of a secret in a text that is no object: `access_token=…`.
pub(super) fn hide_secrets_in_text(text: &str, secrets: &Redactor) {
    let is_value =
        |c: char| !c.is_whitespace() && !matches!(c, '"' | '\'' | '&' | ',' | ';' | '<' | '>' | '}');
    for name in MEMBERS {
        for (at, _) in text.match_indices(name) {
            let rest = text[at + name.len()..].trim_start_matches(['"', '\'', ' ']);
            let Some(value) = rest.strip_prefix(['=', ':']) else { continue };
            let value = value.trim_start_matches(['"', '\'', ' ']);
            let end = value.find(|c| !is_value(c)).unwrap_or(value.len());
            secrets.add(&value[..end]);
        }
    }
}

fn hide_inner_secrets(object: &LenientObject, secrets: &Redactor, depth: usize) {
    for text in MEMBERS.iter().filter_map(|name| object.words(name).ok().flatten()) {
        text.split(' ').for_each(|secret| secrets.add(secret));
    }
    if depth == 0 {
        return;
    }
    for json in object.values() {
        let items: Vec<&RawValue> = serde_json::from_str(json).unwrap_or_default();
        let parts = items.into_iter().map(RawValue::get).chain([json]);
        for inner in parts.filter_map(|part| LenientObject::parse(part.as_bytes())) {
            hide_inner_secrets(&inner, secrets, depth - 1);
        }
    }
}
