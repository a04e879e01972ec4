//! Cases on which the reference libraries and the storage servers differ, each with the safe outcome.

mod paths;
mod scopes;
mod tokens;

use std::time::Duration;

use super::*;
use scitoken_types::sys::ManualClock;
use scitoken_types::{InvalidCapability, InvalidPath, ResourcePath};

const NOW: u64 = 1_700_000_000;

fn verified(json: &str) -> Result<VerifiedToken, AuthorizationError> {
    let claims = Claims::parse(json.to_owned(), None)?;
    claims.check_required()?;
    Ok(VerifiedToken::new(claims, None))
}

fn token(more: &str) -> VerifiedToken {
    let json = format!(
        r#"{{"iss":"https://iss.example","sub":"alice","exp":{},"nbf":{NOW},"iat":{NOW},{more}}}"#,
        NOW + 600
    );
    verified(&json).unwrap()
}

fn scitokens2(scope: &str) -> VerifiedToken {
    token(&format!(r#""ver":"scitoken:2.0","aud":"https://aud.example","scope":"{scope}""#))
}

fn wlcg(scope: &str) -> VerifiedToken {
    token(&format!(r#""wlcg.ver":"1.0","aud":"https://aud.example","scope":"{scope}""#))
}

fn builder() -> EnforcerBuilder {
    Enforcer::builder("https://iss.example".parse().unwrap())
        .audience("https://aud.example")
        .clock(ManualClock::at_epoch_seconds(NOW))
}

fn compat() -> Enforcer {
    builder().vocabulary(Vocabulary::Compat).build()
}

fn ask(
    enforcer: &Enforcer,
    token: &VerifiedToken,
    authorization: &str,
    path: &str,
) -> Result<(), AuthorizationError> {
    enforcer.test(token, Access::to(authorization, &path.parse().unwrap()))
}

fn read(scope: &str, path: &str) -> Result<(), AuthorizationError> {
    ask(&builder().build(), &scitokens2(scope), "read", path)
}

fn acls(enforcer: &Enforcer, token: &VerifiedToken) -> Vec<String> {
    enforcer.acls(token).unwrap().iter().map(ToString::to_string).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "so that a question can stand in its place")]
fn is_malformed(result: Result<(), AuthorizationError>, expected: InvalidPath) -> bool {
    matches!(result, Err(AuthorizationError::MalformedScope { reason: InvalidCapability::Path(reason), .. }) if reason == expected)
}
