//! What a failed fetch of an issuer's keys means to the shell.

use scitoken_authz::{KeysError, VerifyError};

use crate::exit::Exit;
use crate::failure::Failure;

/// Returns the failure of a verification for which the issuer's keys could not be fetched.
pub(crate) fn key_failure(error: &VerifyError) -> Failure {
    let exit = match error {
        VerifyError::Keys { source, .. } if source.is_refused_by_policy() => Exit::Policy,
        VerifyError::Keys { source, .. } => match &**source {
            KeysError::Fetch(error) if error.is_timeout() => Exit::Timeout,
            KeysError::Fetch(error) if error.status().is_none() && error.is_transient() => Exit::Connect,
            _ => Exit::Server,
        },
        _ => Exit::No,
    };
    Failure::from_error(exit, error)
        .with_hint("pass the issuer's keys with `--jwks` or `--key` to verify without a request")
}
