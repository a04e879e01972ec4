//! Error answers in JSON, as directors, caches and origins of Pelican and many other servers send them.

use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::{Map, Value};

use crate::throttle_reason::ThrottleReason;

/// The longest message that is shown, in characters.
const LONGEST: usize = 500;

/// An error answer: `{"status": "error", "msg": "…"}` of a director, `{"error": "…", "detail": "…"}` of others.
#[derive(Debug)]
pub(crate) struct ErrorDocument(Map<String, Value>);

impl ErrorDocument {
    /// Reads the body of an error answer; `None` where it is no such document.
    pub(crate) fn read(body: &[u8]) -> Option<Self> {
        let document = Self(serde_json::from_slice(body).ok()?);
        document.message().is_some().then_some(document)
    }

    /// Returns what the server says, in one line.
    pub(crate) fn message(&self) -> Option<String> {
        let error = ["msg", "error", "title"].into_iter().find_map(|name| self.text(name));
        let error = error.or_else(|| self.first_error());
        let detail = ["detail", "error_description"].into_iter().find_map(|name| self.text(name));
        let message = match (error, detail) {
            (Some(error), Some(detail)) => format!("{error}: {detail}"),
            // Where a request had no token, its answer has no error code (RFC 6750 section 3.1).
            (error, detail) => error.or(detail)?.to_owned(),
        };
        Some(message.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect())
    }

    /// Returns why the server asks for fewer requests, if it does.
    pub(crate) fn throttle_reason(&self) -> Option<ThrottleReason> {
        let error = self.text("error")?;
        [ThrottleReason::OriginUnresponsive, ThrottleReason::OriginSlow, ThrottleReason::CacheOverloaded]
            .into_iter()
            .find(|reason| reason.name() == error)
    }

    /// Returns whether the document says that it is an error, and does not merely have a message.
    pub(crate) fn is_declared(&self) -> bool {
        let has_status = |status: &Value| {
            status == "error" || status.as_u64().is_some_and(|status| (400..600).contains(&status))
        };
        self.text("error").is_some()
            || self.first_error().is_some()
            || self.0.get("status").is_some_and(has_status)
    }

    /// Returns the message of the first member of a list of errors, as dCache sends it.
    fn first_error(&self) -> Option<&str> {
        self.0.get("errors")?.as_array()?.first()?.get("message")?.as_str()
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str().map(str::trim).filter(|text| !text.is_empty())
    }
}

/// Returns the message of an error answer in XML, of S3 or WebDAV: the first two texts of a document whose root is `error`, or
/// the name of the condition in it (RFC 4918 section 16). `None` for every other text.
///
/// ```
/// use scitoken_transfer::xml_error_message;
///
/// let answer = "<Error><Code>AccessDenied</Code><Message>no such grant</Message></Error>";
/// assert_eq!(xml_error_message(answer).as_deref(), Some("AccessDenied: no such grant"));
/// assert_eq!(xml_error_message("<data/>"), None);
/// ```
pub fn xml_error_message(text: &str) -> Option<String> {
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let (mut depth, mut is_error, mut texts, mut condition) = (0_usize, false, Vec::new(), None);
    loop {
        let event = reader.read_event().ok()?;
        match &event {
            Event::Start(element) | Event::Empty(element) => {
                let name = element.local_name().into_inner();
                is_error |= depth == 0 && name.eq_ignore_ascii_case("error");
                if !is_error {
                    return None;
                }
                if depth == 1 && condition.is_none() {
                    condition = Some(name.to_owned());
                }
                depth += usize::from(matches!(event, Event::Start(_)));
            }
            Event::Text(text) if depth > 0 => texts.push(text.xml10_content().trim().to_owned()),
            Event::End(_) => depth = depth.checked_sub(1)?,
            Event::Eof => break,
            _ => {}
        }
    }
    texts.retain(|text| !text.is_empty());
    texts.truncate(2);
    let message =
        if texts.is_empty() { condition.unwrap_or_else(|| "error".to_owned()) } else { texts.join(": ") };
    (is_error && depth == 0).then(|| message.chars().take(LONGEST).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_and_the_reason_of_an_error_document_are_read() {
        for (body, message, reason) in [
            (r#"{"status":"error","msg":"no origin"}"#, Some("no origin"), None),
            (r#"{"error":"no origins"}"#, Some("no origins"), None),
            (
                r#"{"error":"cache_overloaded","detail":"busy"}"#,
                Some("cache_overloaded: busy"),
                Some(ThrottleReason::CacheOverloaded),
            ),
            (r#"{"error":"origin_slow"}"#, Some("origin_slow"), Some(ThrottleReason::OriginSlow)),
            (r#"{"error":"invalid_token","error_description":"old"}"#, Some("invalid_token: old"), None),
            (r#"{"error_description":"a token is required","scope":"a"}"#, Some("a token is required"), None),
            (r#"{"error":5}"#, None, None),
            (r#"{"msg":" "}"#, None, None),
            ("[]", None, None),
            ("not found", None, None),
        ] {
            let document = ErrorDocument::read(body.as_bytes());
            assert_eq!(document.as_ref().and_then(ErrorDocument::message).as_deref(), message, "{body}");
            assert_eq!(document.and_then(|document| document.throttle_reason()), reason, "{body}");
        }
    }
}
