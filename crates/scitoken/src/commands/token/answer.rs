//! How the commands about verified tokens answer.

use scitoken_authz::{AuthorizationError, ClaimValue, Claims, Profile, VerifiedToken};
use serde_json::Value;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::sanitize;

/// Returns the answer "no", with the rule that says so.
pub(super) fn refused(refusal: &AuthorizationError, hint: Option<&str>) -> Failure {
    Failure::new(Exit::No, format!("refused: {refusal}"))
        .with_reason(refusal.code())
        .with_optional_hint(hint.map(str::to_owned))
}

/// Returns all claims in JSON.
pub(super) fn claims_object(claims: &Claims) -> Value {
    let value = |value: &ClaimValue| serde_json::to_value(value).unwrap_or_default();
    Value::Object(claims.iter().map(|(name, claim)| (name.to_owned(), value(claim))).collect())
}

/// Returns one line about a valid token.
pub(super) fn summary(token: &VerifiedToken) -> String {
    let claims = token.claims();
    let subject =
        claims.subject().map(|subject| format!(", subject {}", sanitize::line(subject))).unwrap_or_default();
    let key = token.key_id().map(|id| format!(" with key {}", sanitize::line(id))).unwrap_or_default();
    let article = if token.profile() == Profile::AccessToken { "an" } else { "a" };
    format!("{article} {} token, signed by {}{key}{subject}", token.profile(), sanitize::line(token.issuer()))
}
