//! How a refused token is reported.

use scitoken_jwt::JwtError;
use serde_json::json;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Reports a refused token. In JSON, `error` and `reason` are the name of PyJWT's exception without `Error`.
pub(super) fn refused(context: &Context, error: &JwtError, hint: Option<&str>) -> Result<Exit, Failure> {
    let name = error.pyjwt_name();
    let reason = name.strip_suffix("Error").unwrap_or(name);
    let failure =
        Failure::from_error(Exit::No, error).with_reason(reason).with_optional_hint(hint.map(str::to_owned));
    if !context.output.json {
        return Err(failure);
    }
    let claim = if let JwtError::MissingRequiredClaim { claim } = error { Some(claim) } else { None };
    context.output.object(
        false,
        json!({
            "error": reason, "claim": claim, "message": failure.message(), "reason": reason,
            "exit": Exit::No as u8, "hint": hint,
        }),
    )?;
    Ok(Exit::No)
}
