//! The three parts of a token (RFC 7515 section 7.1), parsed as strictly as PyJWT does.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::json::{self, Json, Text};
use super::{JwtError, Object};

/// The longest token in bytes.
pub(super) const MAX_LENGTH: usize = 1024 * 1024;

/// A parsed token whose header was checked; nothing is verified.
pub(super) struct Segments<'a> {
    /// The signed bytes, unless the payload is detached.
    pub(super) signed: &'a [u8],
    /// The encoded header in them.
    pub(super) encoded_header: &'a [u8],
    pub(super) header: Object,
    pub(super) payload: Vec<u8>,
    pub(super) signature: Vec<u8>,
    /// Whether the payload is detached (RFC 7797).
    pub(super) is_detached: bool,
}

impl<'a> Segments<'a> {
    /// Parses a token and checks `kid` and `crit` of its header.
    pub(super) fn read(token: &'a [u8]) -> Result<Self, JwtError> {
        if token.len() > MAX_LENGTH {
            return Err(JwtError::decode(format!("longer than {MAX_LENGTH} bytes")));
        }
        let too_few = || JwtError::decode("fewer than three parts separated by dots");
        let (signed, signature) =
            split(token.iter().rposition(|byte| *byte == b'.'), token).ok_or_else(too_few)?;
        let (encoded_header, payload) =
            split(signed.iter().position(|byte| *byte == b'.'), signed).ok_or_else(too_few)?;
        let header = object(&base64url(encoded_header, "header")?, "header")?;
        let is_detached = header.get("b64") == Some(&Json::Bool(false));
        let payload = match (is_detached, payload.is_empty()) {
            (true, true) => Vec::new(),
            (true, false) => {
                return Err(JwtError::decode("`b64` is false, but the middle part is not empty"));
            }
            (false, _) => base64url(payload, "payload")?,
        };
        let signature = base64url(signature, "signature")?;
        check_header(&header)?;
        Ok(Self { signed, encoded_header, header, payload, signature, is_detached })
    }
}

fn split(at: Option<usize>, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (before, after) = bytes.split_at_checked(at?)?;
    Some((before, after.get(1..)?))
}

/// Decodes strict base64url: no foreign characters, no stray bits at the end; padding only where it completes the
/// length.
fn base64url(segment: &[u8], name: &str) -> Result<Vec<u8>, JwtError> {
    let refused = || JwtError::decode(format!("the {name} is not base64url"));
    let padding = segment.iter().rev().take_while(|byte| **byte == b'=').count();
    if padding > 2 || (padding > 0 && !segment.len().is_multiple_of(4)) {
        return Err(refused());
    }
    BASE64_URL_SAFE_NO_PAD.decode(&segment[..segment.len() - padding]).map_err(|_| refused())
}

/// Parses a JSON object.
pub(super) fn object(bytes: &[u8], name: &str) -> Result<Object, JwtError> {
    match json::read(bytes) {
        Ok(Json::Object(members)) => Ok(Object::new(members)),
        Ok(_) => Err(JwtError::decode(format!("the {name} is not a JSON object"))),
        Err(problem) => Err(JwtError::decode(format!("the {name} is not JSON: {problem}"))),
    }
}

/// Checks that `kid` is a string and that every extension in `crit` is known and present (RFC 7515 section 4.1.11).
fn check_header(header: &Object) -> Result<(), JwtError> {
    check_key_id(header)?;
    let Some(critical) = header.get("crit") else { return Ok(()) };
    let names = match critical {
        Json::Array(names) if !names.is_empty() => names,
        _ => return Err(JwtError::token("`crit` must be a non-empty list")),
    };
    for name in names {
        let Json::Text(name) = name else { return Err(JwtError::token("`crit` must be a list of strings")) };
        if name != "b64" {
            return Err(JwtError::token(format!(
                "the critical extension `{}` is not supported",
                shown(name)
            )));
        }
        if header.get("b64").is_none() {
            return Err(JwtError::token("the critical extension `b64` is missing from the header"));
        }
    }
    Ok(())
}

pub(super) fn check_key_id(header: &Object) -> Result<(), JwtError> {
    match header.get("kid") {
        None | Some(Json::Text(_)) => Ok(()),
        Some(_) => Err(JwtError::token("`kid` must be a string")),
    }
}

/// Returns whether `crit` lists `b64`, as it must for a detached payload (RFC 7797 section 6).
pub(super) fn is_b64_critical(header: &Object) -> bool {
    matches!(header.get("crit"), Some(Json::Array(names)) if names.iter().any(|name| *name == Json::from("b64")))
}

/// Returns a string of the token, cleaned for a message.
pub(super) fn shown(text: &Text) -> String {
    text.as_str().map_or_else(|| "…".to_owned(), scitoken_types::redact::text)
}
