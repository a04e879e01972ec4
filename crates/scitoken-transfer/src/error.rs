//! Failures of a transfer.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

use http::StatusCode;
use url::Url;

pub use crate::failure_kind::FailureKind;
use crate::hint::TransferHint;
pub(crate) use crate::retry_action::RetryAction;
use crate::throttle_reason::ThrottleReason;
use reqwest_scitokens::SourceError;
use reqwest_scitokens::auth::{Explanation, NotAttached};
use scitoken_types::{ErrorChain, SafeUrl};

/// A step from the name of an object to its servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FederationStep {
    /// Reading the discovery document of the federation.
    Discovery,
    /// Asking the director.
    Director,
}

/// A transfer that failed.
///
/// `Display` stands alone and does not repeat the cause, which is the [`source`](StdError::source). Neither contains a
/// credential.
///
/// ```
/// use scitoken_transfer::{FailureKind, TransferError};
/// use scitoken_types::ErrorChain;
///
/// fn report(error: &TransferError) {
///     eprintln!("{}", ErrorChain::new(error)); // with its causes
///     match error.kind() {
///         FailureKind::NoToken | FailureKind::Refused => eprintln!("get another token"),
///         _ if error.is_worth_retrying() => eprintln!("try again later"),
///         _ => {}
///     }
/// }
/// ```
pub struct TransferError(Box<Inner>);

struct Inner {
    kind: FailureKind,
    retry_action: RetryAction,
    message: String,
    hint: Option<TransferHint>,
    status: Option<StatusCode>,
    /// The URL that was asked for, where an answer refused the request.
    asked: Option<Url>,
    retry_after: Option<Duration>,
    throttle_reason: Option<ThrottleReason>,
    federation_step: Option<FederationStep>,
    explanation: Option<Explanation>,
    not_attached: Option<NotAttached>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    /// Whether the message has the causes.
    is_one_line: bool,
}

impl TransferError {
    /// Returns the kind of the failure.
    pub fn kind(&self) -> FailureKind {
        self.0.kind
    }

    /// Returns whether the same transfer may succeed later.
    pub fn is_worth_retrying(&self) -> bool {
        // A caller's time limit ends a transfer that another run may resume.
        self.0.kind == FailureKind::Timeout
            || !matches!(
                self.retry_action(),
                RetryAction::GiveUp | RetryAction::OtherSource | RetryAction::OtherToken
            )
    }

    /// Returns the HTTP status, if there was a response.
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// Returns the URL that was asked for, where the server answered with an error status.
    pub fn asked_url(&self) -> Option<&Url> {
        self.0.asked.as_ref()
    }

    /// Returns why a server of a federation asks for fewer requests, where its `429` says so.
    pub fn throttle_reason(&self) -> Option<ThrottleReason> {
        self.0.throttle_reason
    }

    /// Returns which step from the name of an object to its servers failed, where one did.
    pub fn federation_step(&self) -> Option<FederationStep> {
        self.0.federation_step
    }

    /// Returns the wait that the server asks for (`Retry-After`).
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Returns what can be done about it, where that is known.
    pub fn hint(&self) -> Option<&TransferHint> {
        self.0.hint.as_ref()
    }

    /// Returns why the server refused the token, where the client has an
    /// [`AuthMiddleware`](reqwest_scitokens::AuthMiddleware) that explains it.
    pub fn explanation(&self) -> Option<&Explanation> {
        self.0.explanation.as_ref()
    }

    /// Returns why the refused request carried no token, where the client has an
    /// [`AuthMiddleware`](reqwest_scitokens::AuthMiddleware); `None` if it carried one.
    pub fn not_attached(&self) -> Option<&NotAttached> {
        self.0.explanation.as_ref().and_then(Explanation::not_attached).or(self.0.not_attached.as_ref())
    }

    /// Returns the failure with a remark and its causes in its message, for callers that show the outermost error only.
    ///
    /// The source is the innermost cause, with which the message ends.
    pub fn in_one_line(mut self, remark: Option<&str>) -> Self {
        if let Some(remark) = remark {
            self.0.message.push_str(" (");
            self.0.message.push_str(remark);
            self.0.message.push(')');
        }
        self.0.message = with_causes(&self);
        self.0.is_one_line = true;
        self
    }

    /// Returns the kind for a report without the failure itself: whether a refused request carried a token.
    pub(crate) fn reported_kind(&self) -> FailureKind {
        match (self.kind(), self.not_attached()) {
            (FailureKind::Refused, Some(NotAttached::UntrustedOrigin | NotAttached::PlainHttp)) => {
                FailureKind::TokenWithheld
            }
            (
                FailureKind::Refused,
                Some(NotAttached::CallersOwn | NotAttached::NetrcPassword | NotAttached::InUrl) | None,
            ) => FailureKind::Refused,
            (FailureKind::Refused, Some(_)) => FailureKind::NoToken,
            (kind, _) => kind,
        }
    }

    /// Returns the error of the token source that failed, where that is why the request carried no token, or no other one
    /// after the first was refused.
    pub fn source_error(&self) -> Option<&SourceError> {
        let explained = self.0.explanation.as_ref().and_then(Explanation::source_error);
        let not_attached = || self.0.not_attached.as_ref().and_then(NotAttached::source_error);
        let cause = || ErrorChain::new(self).iter().find_map(|error| error.downcast_ref::<SourceError>());
        explained.or_else(not_attached).or_else(cause)
    }

    pub(crate) fn new(kind: FailureKind, retry_action: RetryAction, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            retry_action,
            message: message.into(),
            hint: None,
            status: None,
            asked: None,
            retry_after: None,
            throttle_reason: None,
            federation_step: None,
            explanation: None,
            not_attached: None,
            source: None,
            is_one_line: false,
        }))
    }

    /// A local I/O error.
    pub(crate) fn local(what: &str, path: &Path, error: io::Error) -> Self {
        let hint = match error.kind() {
            io::ErrorKind::StorageFull => Some(TransferHint::FreeDiskSpace),
            io::ErrorKind::PermissionDenied => Some(TransferHint::ChooseWritablePath),
            io::ErrorKind::NotFound => Some(TransferHint::CreateDirectory),
            _ => None,
        };
        let failure = Self::new(
            FailureKind::Local,
            RetryAction::GiveUp,
            format!("failed to {what} `{}`", display_path(path)),
        );
        let failure = failure.with_source(error);
        match hint {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        }
    }

    /// The server's response does not fit the request.
    pub(crate) fn invalid_answer(url: &Url, retry_action: RetryAction, what: impl fmt::Display) -> Self {
        Self::new(FailureKind::Server, retry_action, format!("`{}` {what}", SafeUrl::new(url)))
    }

    /// The transfer was cancelled.
    pub(crate) fn interrupted() -> Self {
        Self::new(FailureKind::Interrupted, RetryAction::Retry, "the transfer was interrupted")
    }

    /// A remote name is taken.
    pub(crate) fn exists(url: &Url) -> Self {
        let message = format!("`{}` already exists", SafeUrl::new(url));
        Self::new(FailureKind::Exists, RetryAction::GiveUp, message)
    }

    pub(crate) fn with_hint(mut self, hint: TransferHint) -> Self {
        self.0.hint = Some(hint);
        self
    }

    pub(crate) fn with_explanation(mut self, explanation: Option<Explanation>) -> Self {
        self.0.explanation = explanation;
        self
    }

    pub(crate) fn with_not_attached(mut self, not_attached: Option<NotAttached>) -> Self {
        self.0.not_attached = not_attached;
        self
    }

    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = Some(status);
        self
    }

    pub(crate) fn with_asked_url(mut self, url: &Url) -> Self {
        self.0.asked = Some(url.clone());
        self
    }

    pub(crate) fn with_retry_action(mut self, retry_action: RetryAction) -> Self {
        self.0.retry_action = retry_action;
        self
    }

    pub(crate) fn with_retry_after(mut self, wait: Option<Duration>) -> Self {
        self.0.retry_after = wait;
        self
    }

    pub(crate) fn with_throttle_reason(mut self, reason: Option<ThrottleReason>) -> Self {
        self.0.throttle_reason = reason;
        self
    }

    pub(crate) fn at_federation_step(mut self, step: FederationStep) -> Self {
        self.0.federation_step = Some(step);
        self
    }

    /// Appends what else the caller has to know to the message.
    pub(crate) fn with_consequence(mut self, what: &str) -> Self {
        self.0.message.push_str(", and ");
        self.0.message.push_str(what);
        self
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Returns a failure with another message and this one as its cause; all else is the same.
    pub(crate) fn wrapped(mut self, message: String) -> Self {
        let inner = &mut *self.0;
        let outer = Inner {
            kind: inner.kind,
            retry_action: inner.retry_action,
            message,
            hint: inner.hint.take(),
            status: inner.status,
            asked: inner.asked.take(),
            retry_after: inner.retry_after,
            throttle_reason: inner.throttle_reason,
            federation_step: inner.federation_step,
            explanation: inner.explanation.take(),
            not_attached: inner.not_attached.take(),
            source: None,
            is_one_line: false,
        };
        Self(Box::new(outer)).with_source(self)
    }

    /// Returns what may help. A source of tokens that failed for now is asked again with the next attempt.
    pub(crate) fn retry_action(&self) -> RetryAction {
        match self.0.retry_action {
            RetryAction::OtherToken if self.source_error().is_some_and(SourceError::is_transient) => {
                RetryAction::Retry
            }
            action => action,
        }
    }
}

impl fmt::Display for TransferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for TransferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransferError")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("status", &self.0.status)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl StdError for TransferError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source: &(dyn StdError + 'static) = self.0.source.as_deref()?;
        if self.0.is_one_line { ErrorChain::new(source).iter().last() } else { Some(source) }
    }
}

/// Returns a path without control characters.
pub(crate) fn display_path(path: &Path) -> String {
    path.to_string_lossy().chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Returns a failure with its causes in one line, each once.
pub(crate) fn with_causes(failure: &TransferError) -> String {
    let mut words = failure.to_string();
    let mut cause = failure.source();
    while let Some(error) = cause {
        let text = scitoken_types::redact::text(&error.to_string());
        if !words.contains(&text) {
            words.push_str(": ");
            words.push_str(&text);
        }
        cause = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_that_failed_for_now_is_asked_again_and_one_that_is_broken_is_not() {
        let refused = || TransferError::new(FailureKind::Refused, RetryAction::OtherToken, "refused");
        let busy = || SourceError::new("the issuer is busy").into_transient();
        let failed = |error| refused().with_not_attached(Some(NotAttached::SourceFailed(error)));
        for (failure, is_transient) in [
            (refused(), false),
            (failed(SourceError::new("no refresh token")), false),
            (failed(busy()), true),
            (refused().with_source(busy()), true),
            (refused().with_source(busy()).wrapped("listing failed".to_owned()), true),
            (failed(busy()).with_retry_action(RetryAction::GiveUp), false),
        ] {
            assert_eq!(failure.retry_action() == RetryAction::Retry, is_transient, "{failure:?}");
            assert_eq!(failure.is_worth_retrying(), is_transient, "{failure:?}");
        }
    }
}
