//! Requests that got no answer: what stood in the way, and whether to try again.

use std::error::Error as StdError;
use std::fmt;

use super::error::{FailureKind, Remedy, TransferError};
use crate::SafeUrl;

/// Judges what reqwest says of a request without an answer; the error has no URL of its own.
pub(super) fn classify(shown: SafeUrl<'_>, error: reqwest::Error) -> TransferError {
    let words =
        causes(&error).map(|cause| cause.to_string().to_ascii_lowercase()).collect::<Vec<_>>().join("\n");
    let has = |text: &str| words.contains(text);
    let failure = |kind, remedy, what: &str| TransferError::new(kind, remedy, format!("{what} `{shown}`"));
    let failure = if error.is_redirect() {
        failure(FailureKind::Redirect, Remedy::OtherSource, "a redirect was not followed from")
    } else if error.is_builder() {
        failure(FailureKind::Usage, Remedy::Nothing, "cannot make a request for")
    } else if has("certificate") || has("unknownissuer") {
        failure(FailureKind::Connect, Remedy::OtherSource, "cannot trust the certificate of").with_hint(
            "name the authority that signed it with `--cacert FILE` or `--capath DIR` (`X509_CERT_DIR`); \
             `scitoken doctor URL` shows the chain",
        )
    } else if has("corrupt message") {
        failure(FailureKind::Connect, Remedy::OtherSource, "no TLS is spoken at").with_hint(
            "this port may be one for plain `http://`; `scitoken doctor URL` shows what is said there",
        )
    } else if has("dns error") || has("failed to lookup") {
        failure(FailureKind::Connect, Remedy::Again, "cannot find the host of")
            .with_hint("check the spelling; `scitoken doctor URL` shows what the name resolves to")
    } else if error.is_timeout() {
        failure(FailureKind::Timeout, Remedy::Again, "no connection in time to")
    } else if error.is_connect() {
        failure(FailureKind::Connect, Remedy::Again, "cannot connect to")
    } else {
        failure(FailureKind::Connect, Remedy::Again, "the connection broke before the answer from")
    };
    failure.with_source(Unanswered(error))
}

fn causes<'e>(error: &'e (dyn StdError + 'static)) -> impl Iterator<Item = &'e (dyn StdError + 'static)> {
    std::iter::successors(error.source(), |cause| (*cause).source())
}

/// reqwest's error, shown by its first cause that says something: the outermost ones are `error sending request` and
/// `client error (Connect)`, whatever happened.
#[derive(Debug)]
struct Unanswered(reqwest::Error);

impl Unanswered {
    fn telling(&self) -> &(dyn StdError + 'static) {
        causes(&self.0).find(|cause| !cause.to_string().starts_with("client error (")).unwrap_or(&self.0)
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self.telling(), f)
    }
}

impl StdError for Unanswered {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.telling().source()
    }
}
