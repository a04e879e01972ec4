//! The texts of refusals, which become those of errors: bounded, waited for briefly, and without secrets.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use reqwest_scitokens::ResponseExt as _;
use reqwest_scitokens::auth::{AuthTrace, Explanation, NotAttached, Verdict};
use scitoken_transfer::xml_error_message;
use scitoken_types::redact;

/// How much of a text is read, in bytes.
const LONGEST: usize = 64 * 1024;
/// How long a text is waited for: it is optional.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a refusal says, as far as it came.
pub(crate) struct RefusalText {
    text: Bytes,
    because: Option<String>,
}

impl RefusalText {
    /// Reads the text of a refusal.
    pub(crate) async fn read(response: &mut reqwest::Response) -> Self {
        let because = token_reason(Some(response.status()), response.explain().as_ref(), None);
        let mut text = BytesMut::new();
        let read = async {
            while text.len() < LONGEST
                && let Ok(Some(data)) = response.chunk().await
            {
                text.extend_from_slice(&data[..data.len().min(LONGEST - text.len())]);
            }
        };
        let _ = tokio::time::timeout(PATIENCE, read).await;
        Self { text: text.freeze(), because }
    }

    /// Returns the text as the server sent it.
    pub(crate) fn sent(&self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }

    /// Returns the text to be shown: without the credentials of the exchange, and with what the token lacks.
    pub(crate) fn shown(&self, trace: Option<&AuthTrace>) -> String {
        let sent = reason(&self.sent());
        let sent = trace.map_or_else(|| sent.clone(), |trace| trace.redactor().redact(&sent).into_owned());
        let sent = redact::text(sent.trim());
        match &self.because {
            Some(because) if sent.is_empty() => because.clone(),
            Some(because) => format!("{sent} ({because})"),
            None => sent,
        }
    }
}

/// Returns what a text says: the message of an error in XML (S3, WebDAV), nothing of a web page, which says nothing that its
/// status does not, and else all of it.
fn reason(text: &str) -> String {
    let text = text.trim_start_matches('\u{feff}').trim();
    if !text.starts_with('<') {
        return text.to_owned();
    }
    let begin: String = text.chars().take(1_024).flat_map(char::to_lowercase).collect();
    let is_page = ["<!doctype html", "<html", "<head", "<body", "<title", "<h1", "<center", "<p>"]
        .iter()
        .any(|tag| begin.contains(tag));
    match xml_error_message(text) {
        Some(message) => message,
        None if is_page => String::new(),
        None => text.to_owned(),
    }
}

/// Returns what the token of a refused request lacks, or why there was none.
pub(crate) fn token_reason(
    status: Option<StatusCode>,
    explanation: Option<&Explanation>,
    not_attached: Option<&NotAttached>,
) -> Option<String> {
    if !matches!(status, Some(StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)) {
        return None;
    }
    let mut checks = explanation.map(Explanation::checks).unwrap_or_default().iter();
    if let Some(check) = checks.find(|check| check.verdict == Verdict::Fails) {
        return Some(format!("token: {} is {}, required: {}", check.what, check.token, check.request));
    }
    let not_attached = explanation.and_then(Explanation::not_attached).or(not_attached)?;
    Some(format!("sent without a token: {not_attached}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_in_xml_has_a_reason_and_a_web_page_has_none() {
        for (text, expected) in [
            ("quota is used up\n", "quota is used up"),
            ("", ""),
            (
                "<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message>\
                 <RequestId>7</RequestId></Error>",
                "AccessDenied: Access Denied",
            ),
            ("\u{feff}<Error><Code>SlowDown</Code></Error>", "SlowDown"),
            ("<D:error xmlns:D=\"DAV:\"><D:lock-token-submitted/></D:error>", "lock-token-submitted"),
            (
                "<d:error xmlns:d=\"DAV:\" xmlns:s=\"s\"><s:exception>Locked</s:exception><s:message>by bob\
                 </s:message></d:error>",
                "Locked: by bob",
            ),
            ("<Error/>", "error"),
            // Neither a page nor an error of this kind.
            ("<fault>no disk</fault>", "<fault>no disk</fault>"),
            ("<Error><Code>Cut", "<Error><Code>Cut"),
            ("<!DOCTYPE HTML PUBLIC \"-//IETF//DTD HTML 2.0//EN\">\n<html><body>No", ""),
            ("<html>\r\n<head><title>403 Forbidden</title></head></html>", ""),
            ("<?xml version=\"1.0\"?><!DOCTYPE html><html><body>No</body></html>", ""),
            ("<h1>Forbidden</h1>", ""),
        ] {
            assert_eq!(reason(text), expected, "{text}");
        }
    }
}
