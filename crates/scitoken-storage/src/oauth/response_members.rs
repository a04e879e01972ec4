//! The members of a token endpoint's answer, as far as they can be read.

use std::time::{Duration, SystemTime};

use serde_json::value::RawValue;

use super::invalid_token_response::InvalidTokenResponse;
use scitoken_types::{AccessToken, LenientObject, UnreadableMember};

/// The lifetime of a token when neither the answer nor the token names one.
///
/// RFC 6749 section 5.1 leaves it to the server's documentation; most name an hour. A token that expires earlier is
/// renewed when a server rejects it.
const DEFAULT_LIFETIME: Duration = Duration::from_secs(3600);

/// Reads the access token: a string, and no number.
pub(super) fn access_token(object: &LenientObject) -> Result<String, InvalidTokenResponse> {
    let malformed = InvalidTokenResponse::Malformed;
    let is_repeated = object.repeated().iter().any(|name| name == "access_token");
    let is_string = object.get("access_token").is_none_or(|json| json.starts_with('"'));
    let text = object.text("access_token").ok().filter(|_| is_string || is_repeated);
    let text = text.ok_or_else(|| malformed("`access_token` is not a string"))?;
    text.ok_or_else(|| malformed("`access_token` is missing"))
}

/// Reads the refresh token: a string, or a list with one.
pub(super) fn refresh_token(object: &LenientObject) -> Result<Option<String>, UnreadableMember> {
    let text = object.text("refresh_token");
    match object.get("refresh_token").map(serde_json::from_str::<[String; 1]>) {
        Some(Ok([only])) => Ok(Some(only.trim().to_owned()).filter(|only| !only.is_empty())),
        _ => text,
    }
}

/// Returns what a member has, and notes one that cannot be read.
pub(super) fn noted<T>(member: Result<Option<T>, UnreadableMember>, notes: &mut Vec<String>) -> Option<T> {
    member.unwrap_or_else(|error| {
        notes.push(error.to_string());
        None
    })
}

/// Returns the further tokens that Globus adds.
pub(super) fn other_tokens(object: &LenientObject, notes: &mut Vec<String>) -> Vec<LenientObject> {
    let Some(json) = object.get("other_tokens") else { return Vec::new() };
    let Ok(others) = serde_json::from_str::<Vec<&RawValue>>(json) else {
        notes.push("`other_tokens` is not a list".to_owned());
        return Vec::new();
    };
    let mut read = Vec::new();
    for other in others {
        match LenientObject::parse(other.get().as_bytes()) {
            Some(object) => read.push(object),
            None => notes.push("one of `other_tokens` is not an object".to_owned()),
        }
    }
    read
}

pub(super) fn expiry(
    object: &LenientObject,
    access_token: &str,
    now: SystemTime,
    notes: &mut Vec<String>,
) -> i64 {
    let epoch_seconds = |time| i64::try_from(scitoken_types::sys::epoch_seconds(time)).unwrap_or(i64::MAX);
    // Some servers write zero or -1 for a token whose lifetime they do not state.
    if let Some(lifetime) = noted(object.seconds("expires_in"), notes).filter(|lifetime| *lifetime > 0.0) {
        #[expect(clippy::cast_possible_truncation, reason = "truncated as the SDK does, and in range")]
        return epoch_seconds(now).saturating_add(lifetime as i64);
    }
    let stated = noted(object.time("expires_at"), notes).or_else(|| noted(object.time("expires_on"), notes));
    let claimed = || AccessToken::new(access_token).ok().and_then(|token| token.expires_at());
    epoch_seconds(stated.or_else(claimed).unwrap_or(now + DEFAULT_LIFETIME))
}
