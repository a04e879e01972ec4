//! What a failed transfer means to the shell.

use reqwest_scitokens::auth::{Explanation, Hint, NotAttached};
use scitoken_transfer::{FailureKind, TransferError, TransferHint};

use crate::args::RetryArgs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::hints;

impl RetryArgs {
    /// Returns the exit code of a failed transfer.
    pub(crate) fn exit(&self, error: &TransferError) -> Exit {
        let exit = match error.not_attached() {
            Some(why) => exit_without_token(why),
            None => exit_of(error.kind()),
        };
        exit_with_retry(exit, self.retry_exit_code && error.is_worth_retrying())
    }

    /// Returns the report of a failed transfer.
    pub(crate) fn failure(&self, error: &TransferError) -> Failure {
        let mut failure = Failure::from_error(self.exit(error), error);
        if error.hint() == Some(&TransferHint::AskServerOfPublicNamespace) {
            return failure.with_optional_hint(hints::of_transfer(error));
        }
        if let Some(why) = error.not_attached() {
            failure = failure.with_cause(&without_token(why));
            if error.explanation().is_none() {
                let hint = why
                    .source_error()
                    .map_or(Hint::ShowSearch, |error| error.hint().cloned().unwrap_or(Hint::CheckSource));
                return failure.with_hint(hints::worded(&hint));
            }
        }
        if let Some(explanation) = error.explanation() {
            failure = failure.with_details(described(explanation));
            if let Some(hint) = explanation.next_steps().first() {
                return failure.with_hint(hints::worded(hint));
            }
        }
        // What the source of the token says to do is nearer than a login.
        let of_source = error.source_error().and_then(|error| error.hint().map(hints::worded));
        failure.with_optional_hint(of_source.or_else(|| hints::of_transfer(error)))
    }
}

impl From<TransferError> for Failure {
    fn from(error: TransferError) -> Self {
        RetryArgs::default().failure(&error)
    }
}

/// Returns the exit code of a failure, of which another run is told to try again later if it may succeed.
pub(crate) fn exit_with_retry(exit: Exit, is_told_to_retry: bool) -> Exit {
    let may_pass = !matches!(exit, Exit::Usage | Exit::Local | Exit::Mismatch);
    if is_told_to_retry && may_pass { Exit::TryLater } else { exit }
}

/// Returns the exit code of a `401` or `403` to a request without a token.
pub(crate) fn exit_without_token(why: &NotAttached) -> Exit {
    match why {
        // The request carried another credential, which the server refused.
        NotAttached::CallersOwn | NotAttached::NetrcPassword | NotAttached::InUrl => Exit::TokenRefused,
        NotAttached::UntrustedOrigin | NotAttached::PlainHttp => Exit::Policy,
        _ => Exit::NoToken,
    }
}

/// Describes a refusal: the challenge, the token's claims against the request, and likely causes.
fn described(explanation: &Explanation) -> String {
    let challenge = explanation.server_said().map(|challenge| format!("  challenge: {challenge}"));
    let checks = explanation.checks().iter().map(|check| format!("  {check}"));
    // The message says why no token was sent.
    let known = explanation.not_attached().map(ToString::to_string);
    let is_known = |cause: &&String| known.as_ref().is_some_and(|why| cause.contains(why));
    let causes = explanation.causes().iter().filter(|cause| !is_known(cause));
    let causes = causes.map(|cause| format!("  - {cause}"));
    challenge.into_iter().chain(checks).chain(causes).collect::<Vec<_>>().join("\n")
}

/// Says why a refused request carried no token, in a few words; `scitoken explain` lists the details.
pub(crate) fn without_token(why: &NotAttached) -> String {
    match why {
        NotAttached::CallersOwn => "the credential of the request was refused".to_owned(),
        NotAttached::NetrcPassword => "the password of `.netrc` was refused".to_owned(),
        NotAttached::InUrl => "the credential in the URL was refused".to_owned(),
        NotAttached::NoToken(_) => "no token was sent: none was found".to_owned(),
        other => format!("no token was sent: {other}"),
    }
}

/// Returns the exit code of each kind of failure.
pub(crate) fn exit_of(kind: FailureKind) -> Exit {
    match kind {
        FailureKind::Usage => Exit::Usage,
        FailureKind::Local => Exit::Local,
        FailureKind::Connect => Exit::Connect,
        FailureKind::Timeout => Exit::Timeout,
        FailureKind::NoToken => Exit::NoToken,
        FailureKind::Refused | FailureKind::WrongContent => Exit::TokenRefused,
        FailureKind::NotFound => Exit::NotFound,
        FailureKind::Incomplete => Exit::Incomplete,
        FailureKind::Mismatch | FailureKind::Unverified => Exit::Mismatch,
        FailureKind::Exists => Exit::Exists,
        FailureKind::Redirect | FailureKind::TokenWithheld => Exit::Policy,
        FailureKind::Interrupted => Exit::TryLater,
        // `Server`, `Rejected` and kinds of later versions.
        _ => Exit::Server,
    }
}
