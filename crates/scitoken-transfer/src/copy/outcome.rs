//! What a server's words about a failed copy mean.

use http::StatusCode;
use scitoken_types::{SafeUrl, redact};
use url::Url;

use crate::copy::job::CopyRoute;
use crate::error::{FailureKind, RetryAction, TransferError};
use crate::exchange::request::ServerText;
use crate::exchange::response_head::classify_status;
use crate::hint::TransferHint;

/// The two servers of a failed copy, and what the other one was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FailedCopy<'c> {
    pub(crate) route: CopyRoute,
    /// The server that was asked.
    pub(crate) active: &'c Url,
    pub(crate) other: &'c Url,
    /// Whether a token for the other server was handed over.
    pub(crate) had_token: bool,
}

impl FailedCopy<'_> {
    /// Returns the failure that the words describe.
    pub(crate) fn failure(&self, words: &str) -> TransferError {
        let lower = words.to_ascii_lowercase();
        let status = status_in(words);
        let (kind, action) = status.map_or_else(|| classify(&lower), classify_status);
        let (active, other) = (SafeUrl::new(self.active), SafeUrl::new(self.other));
        let done = if self.route == CopyRoute::Pushed { "send the file to" } else { "fetch the file from" };
        let why = match (kind, self.had_token) {
            (FailureKind::Refused, true) => ": the token for that server was refused",
            (FailureKind::Refused, false) => ": no token for that server was found",
            _ => "",
        };
        let failure = TransferError::new(kind, action, format!("`{active}` failed to {done} `{other}`{why}"));
        let failure = match status {
            Some(status) => failure.with_status(status),
            None => failure,
        };
        // The server that fetches has taken the request: a status in its words is that of the source.
        let is_about_source = status.is_some() && self.route == CopyRoute::Pulled;
        let is_final = matches!(kind, FailureKind::NotFound | FailureKind::Rejected);
        let failure = if is_about_source && is_final {
            failure.with_hint(TransferHint::CheckSourceUrl)
        } else {
            failure
        };
        failure.with_source(ServerText(redact::text(words)))
    }
}

/// Returns whether the words of an error answer concern the other server.
pub(crate) fn is_about_other_server(words: &str) -> bool {
    let lower = words.to_ascii_lowercase();
    let names_other =
        ["remote host returned", "remote side failed", "rejected get", "rejected put", "rejected head"];
    names_other.iter().any(|words| lower.contains(words))
}

/// Returns the first number that is a registered HTTP error status; numbers in paths and URLs do not count.
fn status_in(words: &str) -> Option<StatusCode> {
    words
        .split_ascii_whitespace()
        .filter(|word| !word.contains('/'))
        .flat_map(|word| word.split(|c: char| !c.is_ascii_alphanumeric()))
        .filter(|word| word.len() == 3)
        .filter_map(|word| StatusCode::from_bytes(word.as_bytes()).ok())
        .find(|status| {
            (status.is_client_error() || status.is_server_error()) && status.canonical_reason().is_some()
        })
}

/// The kind of a failure whose words have no status.
fn classify(words: &str) -> (FailureKind, RetryAction) {
    let has = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    if has(&["permission denied", "not authorized", "unauthorized", "forbidden"]) {
        (FailureKind::Refused, RetryAction::OtherToken)
    } else if has(&["no such file", "not found", "does not exist"]) {
        (FailureKind::NotFound, RetryAction::OtherSource)
    } else if has(&["checksum", "digest", "size mismatch"]) {
        (FailureKind::Mismatch, RetryAction::Restart)
    } else if has(&["certificate", "ssl peer", "private address", "local address", "loopback"]) {
        (FailureKind::Connect, RetryAction::OtherSource)
    } else if has(&["timed out", "timeout", "time out", "too slow", "stall"]) {
        (FailureKind::Timeout, RetryAction::Retry)
    } else if has(&["connect", "resolve", "connection"]) {
        (FailureKind::Connect, RetryAction::Retry)
    } else if has(&["no space", "disk full", "quota"]) {
        (FailureKind::Server, RetryAction::OtherSource)
    } else {
        (FailureKind::Server, RetryAction::Retry)
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::*;

    fn failure(words: &str, route: CopyRoute, had_token: bool) -> TransferError {
        let (active, other) = ("https://a/f".parse().unwrap(), "https://b/f".parse().unwrap());
        FailedCopy { route, active: &active, other: &other, had_token }.failure(words)
    }

    #[test]
    fn words_of_servers_have_the_kind_of_the_status_that_they_name() {
        for (words, kind, action) in [
            (
                "failure: Remote side failed with status code 403; error message: \"x\"",
                FailureKind::Refused,
                RetryAction::OtherToken,
            ),
            (
                "failure: HTTP response code said error: remote host returned '404 Not Found' while fetching",
                FailureKind::NotFound,
                RetryAction::OtherSource,
            ),
            ("failure: rejected GET: 503 Service Unavailable", FailureKind::Server, RetryAction::Retry),
            ("failure: PUT failed: 507 Insufficient Storage", FailureKind::Server, RetryAction::Retry),
            ("failure: rejected PUT: 409 Conflict", FailureKind::Rejected, RetryAction::OtherSource),
            (
                "failure: cannot fetch /vo/500/f: failed to connect to h port 443",
                FailureKind::Connect,
                RetryAction::Retry,
            ),
            ("failure: 1403 bytes, then Connection reset", FailureKind::Connect, RetryAction::Retry),
            ("failure: Unable to open /f; permission denied", FailureKind::Refused, RetryAction::OtherToken),
            ("failure: checksum verification failed", FailureKind::Mismatch, RetryAction::Restart),
            ("failure: Operation timed out after 60 s", FailureKind::Timeout, RetryAction::Retry),
            ("failure: SSL certificate problem", FailureKind::Connect, RetryAction::OtherSource),
            ("failure: no space left on device", FailureKind::Server, RetryAction::OtherSource),
            ("failure", FailureKind::Server, RetryAction::Retry),
        ] {
            let failure = failure(words, CopyRoute::Pulled, true);
            assert_eq!((failure.kind(), failure.retry_action()), (kind, action), "{words}");
            assert!(failure.source().unwrap().to_string().contains(words), "{words}");
        }
    }

    #[test]
    fn a_status_of_the_source_is_not_taken_for_one_of_the_destination() {
        let hint = |words: &str, route| failure(words, route, true).hint().cloned();
        let check_source = Some(TransferHint::CheckSourceUrl);
        for (words, pulled) in [
            ("failure: Remote side failed with status code 404", check_source.clone()),
            ("failure: rejected GET: 404", check_source.clone()),
            ("failure: rejected GET: 409 Conflict", check_source),
            ("failure: rejected GET: 503", None),
            ("failure: Unable to open /f; no such file or directory", None),
        ] {
            assert_eq!(hint(words, CopyRoute::Pulled), pulled, "{words}");
            assert_eq!(hint(words, CopyRoute::Pushed), None, "{words}");
        }
    }

    #[test]
    fn a_refusal_by_the_other_server_says_whether_a_token_was_sent() {
        let text = |route, had_token| failure("failure: 403", route, had_token).to_string();
        assert_eq!(
            text(CopyRoute::Pulled, true),
            "`https://a/f` failed to fetch the file from `https://b/f`: the token for that server was refused"
        );
        assert_eq!(
            text(CopyRoute::Pushed, false),
            "`https://a/f` failed to send the file to `https://b/f`: no token for that server was found"
        );
    }

    #[test]
    fn an_error_answer_is_about_the_server_that_its_words_name() {
        assert!(is_about_other_server(
            "failure: HTTP response code said error: remote host returned '403 Forbidden'"
        ));
        assert!(!is_about_other_server(
            "failure: Unable to create /vo/f; permission denied, local=/vo/f, remote=http"
        ));
    }
}
