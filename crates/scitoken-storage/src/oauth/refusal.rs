//! What a refusal says.

use reqwest::StatusCode;

use super::error::Kind;
use scitoken_types::LenientObject;
use scitoken_types::redact::{self, Redactor};

/// Returns what a refusal says that has no error code: in one of the members that frameworks use, or as plain text.
pub(super) fn refusal_text(body: &[u8], secrets: &Redactor) -> Option<String> {
    /// The longest text that is shown, in characters.
    const LONGEST: usize = 200;
    const MEMBERS: [&str; 6] = ["error_description", "message", "detail", "title", "reason", "msg"];

    let of_object = |object: &LenientObject| MEMBERS.iter().find_map(|name| object.text(name).ok().flatten());
    let text = match LenientObject::parse(body) {
        Some(object) => of_object(&object).or_else(|| {
            let errors: Vec<&serde_json::value::RawValue> =
                serde_json::from_str(object.get("errors")?).ok()?;
            let first = errors.first()?.get();
            LenientObject::parse(first.as_bytes())
                .and_then(|error| of_object(&error))
                .or_else(|| serde_json::from_str(first).ok())
        })?,
        None => std::str::from_utf8(body)
            .ok()
            .filter(|text| !text.trim_start().starts_with(['<', '{', '[']))?
            .to_owned(),
    };
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(LONGEST).collect();
    let shown = redact::text(&secrets.redact(&line));
    // Nothing is left of a text that is a secret.
    shown.chars().any(char::is_alphanumeric).then_some(shown)
}

/// Returns the error of RFC 6749 section 5.2 if the answer has one, at any status.
pub(super) fn refusal(status: StatusCode, object: &LenientObject, secrets: &Redactor) -> Option<Kind> {
    let shown = |text: String| redact::text(&secrets.redact(&text));
    let text = |object: &LenientObject, name| object.text(name).ok().flatten();
    // Some servers put code and description into an object of their own.
    let nested = object.get("error").and_then(|json| LenientObject::parse(json.as_bytes()));
    let code = match &nested {
        Some(nested) => ["code", "error", "status", "type"].iter().find_map(|name| text(nested, name)),
        None => text(object, "error"),
    }?;
    let description = text(object, "error_description").or_else(|| {
        ["message", "error_description", "description"].iter().find_map(|name| text(nested.as_ref()?, name))
    });
    Some(Kind::Refused { status, code: shown(code), description: description.map(shown) })
}
