//! Members of an object that is not valid JSON.

use std::fmt::Write as _;

use serde_json::value::RawValue;

/// Reads each member on its own: one that is not valid JSON costs no other member.
///
/// Names and texts may be in single quotation marks, as Python shows a `dict`, and texts may have control characters.
/// What follows the object is ignored. A number at the end of the text is not read: the rest of it may be missing.
pub(super) fn members(text: &str) -> Vec<(String, Box<RawValue>)> {
    let mut members = Vec::new();
    let Some(start) = text.find('{') else { return members };
    let mut rest = &text[start + 1..];
    while let Some((member, after)) = next(rest) {
        members.extend(member);
        rest = after;
    }
    members
}

type Member = (String, Box<RawValue>);

/// Reads the next member and returns what follows it; `None` at the end of the object or of the text.
fn next(text: &str) -> Option<(Option<Member>, &str)> {
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
    if text.starts_with('}') || text.is_empty() {
        return None;
    }
    let (value_start, name) = match string_end(text) {
        Some(end) => {
            let after = text[end..].trim_start();
            let name = string(&text[..end]);
            (after.strip_prefix(':').unwrap_or(after), name.filter(|_| after.starts_with(':')))
        }
        // No name: up to the next comma.
        None => (text, None),
    };
    let end = value_end(value_start);
    let (value, after) = value_start.split_at(end);
    let is_cut_off = after.is_empty() && value.ends_with(|c: char| c.is_ascii_digit());
    let value = Some(value.trim()).filter(|_| !is_cut_off);
    let member = name.and_then(|name| Some((name, read(value?)?)));
    // A stray character such as a second colon or bracket.
    let after = if after.len() == text.len() { after.get(1..).unwrap_or_default() } else { after };
    Some((member, after))
}

fn read(value: &str) -> Option<Box<RawValue>> {
    if let Ok(value) = RawValue::from_string(value.to_owned()) {
        return Some(value);
    }
    let end = string_end(value).filter(|end| *end == value.len())?;
    RawValue::from_string(serde_json::to_string(&string(&value[..end])?).ok()?).ok()
}

/// Returns the content of a string in quotation marks of either kind.
fn string(quoted: &str) -> Option<String> {
    let inner = quoted.get(1..quoted.len().checked_sub(1)?)?;
    let mut json = String::with_capacity(quoted.len());
    json.push('"');
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next()? {
                '\'' => json.push('\''),
                escaped => json.extend(['\\', escaped]),
            },
            '"' => json.push_str("\\\""),
            control if control.is_control() => {
                // Writing to a string does not fail.
                let _ = write!(json, "\\u{:04x}", u32::from(control));
            }
            other => json.push(other),
        }
    }
    json.push('"');
    serde_json::from_str(&json).ok()
}

/// Returns the length of the string that the text begins with; `None` if it begins with none, or the string has no end.
fn string_end(text: &str) -> Option<usize> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            c if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// Returns the length of a value: up to a comma or bracket that does not belong to it.
fn value_end(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        match c {
            '"' | '\'' => {
                at += string_end(&text[at..]).unwrap_or(text.len() - at);
                continue;
            }
            '{' | '[' => depth += 1,
            '}' | ']' if depth > 0 => depth -= 1,
            '}' | ',' if depth == 0 => return at,
            _ => {}
        }
        at += c.len_utf8();
    }
    at
}
