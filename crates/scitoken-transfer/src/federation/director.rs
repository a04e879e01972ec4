//! What the answers of a director mean.

use http::header::{LOCATION, SERVER};
use http::{HeaderMap, StatusCode};
use scitoken_types::{SafeUrl, redact};
use std::time::SystemTime;
use url::Url;

use crate::error::{FailureKind, RetryAction, TransferError};
use crate::exchange::error_document::ErrorDocument;
use crate::exchange::response_head::{asks_to_wait, retry_after};
use crate::federation::link::{object_servers, usable};
use crate::federation::namespace::NamespaceFacts;

/// An answer of a director.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DirectorAnswer {
    /// The object servers in their order, and the namespace.
    Found { servers: Vec<Url>, namespace: NamespaceFacts },
    /// The director is at another URL.
    Moved(Url),
}

/// Reads an answer to a query for an object.
///
/// # Errors
/// The director has no server for the object, refuses the query, or answers what cannot be used.
pub(crate) fn read_answer(
    url: &Url,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: SystemTime,
) -> Result<DirectorAnswer, TransferError> {
    if status.is_success() || status.is_redirection() {
        return read_servers(url, status, headers);
    }
    Err(read_error(url, status, headers, body, now))
}

fn read_servers(url: &Url, status: StatusCode, headers: &HeaderMap) -> Result<DirectorAnswer, TransferError> {
    let mut servers = object_servers(headers);
    let namespace = NamespaceFacts::from_headers(headers);
    let location = headers.get(LOCATION).and_then(|value| url.join(value.to_str().ok()?).ok());
    if let (None, [], Some(location)) = (&namespace, servers.as_slice(), &location)
        && status.is_redirection()
    {
        return usable(location.clone())
            .map(DirectorAnswer::Moved)
            .ok_or_else(|| unusable(url, "redirects to a URL that is not https"));
    }
    if servers.is_empty()
        && let Some(mut location) = location.and_then(usable)
    {
        // The parameters of the URL are those of the query.
        location.set_query(None);
        servers.push(location);
    }
    match (namespace, servers.is_empty()) {
        (_, true) => Err(unusable(url, "names no object server that can be used")),
        (None, false) => Err(unusable(url, "states no namespace: it is not a director of a federation")),
        (Some(namespace), false) => Ok(DirectorAnswer::Found { servers, namespace }),
    }
}

fn unusable(url: &Url, what: &str) -> TransferError {
    let message = format!("the director `{}` {what}", SafeUrl::new(url));
    TransferError::new(FailureKind::Server, RetryAction::OtherSource, message)
}

fn read_error(
    url: &Url,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    now: SystemTime,
) -> TransferError {
    let is_director = headers
        .get(SERVER)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|server| server.to_ascii_lowercase().starts_with("pelican"));
    let message = ErrorDocument::read(body).and_then(|document| document.message());
    let is_director = is_director || message.is_some();
    let (kind, action) = match status.as_u16() {
        // A 404 that is not from the director comes from a proxy in front of one that restarts.
        404 if is_director => (FailureKind::NotFound, RetryAction::OtherSource),
        404 | 408 | 425 | 429 | 500..=599 => (FailureKind::Server, RetryAction::Retry),
        401 | 403 => (FailureKind::Refused, RetryAction::OtherSource),
        _ => (FailureKind::Rejected, RetryAction::OtherSource),
    };
    let said = message.map(|message| format!(": {}", redact::text(&message))).unwrap_or_default();
    let reason = status.canonical_reason().map(|reason| format!(" {reason}")).unwrap_or_default();
    let wait = retry_after(headers, now);
    let asks = asks_to_wait(wait);
    let text =
        format!("the director `{}` returned {}{reason}{asks}{said}", SafeUrl::new(url), status.as_u16());
    TransferError::new(kind, action, text).with_status(status).with_retry_after(wait)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{HeaderName, HeaderValue};

    use super::*;

    fn answer(
        status: u16,
        lines: &[(&'static str, &'static str)],
        body: &str,
    ) -> Result<DirectorAnswer, TransferError> {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let url = "https://d/ns/f".parse().unwrap();
        let status = StatusCode::from_u16(status).unwrap();
        read_answer(&url, status, &headers, body.as_bytes(), SystemTime::UNIX_EPOCH)
    }

    const NAMESPACE: (&str, &str) = ("x-pelican-namespace", "namespace=/ns, require-token=false");

    fn servers(answer: Result<DirectorAnswer, TransferError>) -> Vec<String> {
        match answer.unwrap() {
            DirectorAnswer::Found { servers, .. } => servers.into_iter().map(String::from).collect(),
            other @ DirectorAnswer::Moved(_) => panic!("{other:?}"),
        }
    }

    #[test]
    fn servers_come_from_the_links_or_else_from_the_location() {
        let link = ("link", "<https://c1/ns/f>; rel=\"duplicate\"; pri=1");
        let location = ("location", "https://c9/ns/f?authz=s3cret&directread=");
        assert_eq!(servers(answer(307, &[NAMESPACE, link, location], "")), ["https://c1/ns/f"]);
        assert_eq!(servers(answer(200, &[NAMESPACE, link], "")), ["https://c1/ns/f"]);
        assert_eq!(servers(answer(307, &[NAMESPACE, location], "")), ["https://c9/ns/f"]);
    }

    #[test]
    fn a_redirect_without_a_namespace_leads_to_another_director() {
        let moved = answer(308, &[("location", "https://d2/ns/f?directread")], "").unwrap();
        assert!(matches!(moved, DirectorAnswer::Moved(url) if url.as_str() == "https://d2/ns/f?directread="));
        assert!(answer(302, &[("location", "http://d2/ns/f")], "").is_err());
        assert!(answer(302, &[("location", "/ns/g")], "").is_ok());
    }

    #[test]
    fn an_answer_without_servers_or_namespace_is_an_error() {
        for lines in [&[NAMESPACE][..], &[("link", "<https://c1/f>; rel=duplicate")], &[]] {
            let error = answer(307, lines, "").unwrap_err();
            assert_eq!(error.kind(), FailureKind::Server, "{lines:?}");
        }
        assert!(answer(200, &[], "<html>login").is_err());
    }

    #[test]
    fn errors_of_the_director_and_of_a_proxy_in_front_of_it_differ() {
        let missing = r#"{"status": "error", "msg": "No sources found: Request ID: 1"}"#;
        let old = r#"{"error": "no origins"}"#;
        let server = ("server", "pelican/7.26.0");
        for (status, lines, body, kind, action) in [
            (404, &[server][..], missing, FailureKind::NotFound, RetryAction::OtherSource),
            (404, &[], old, FailureKind::NotFound, RetryAction::OtherSource),
            (404, &[("server", "nginx")], "<html>", FailureKind::Server, RetryAction::Retry),
            (405, &[server], "", FailureKind::Rejected, RetryAction::OtherSource),
            (400, &[server], "", FailureKind::Rejected, RetryAction::OtherSource),
            (401, &[server], "", FailureKind::Refused, RetryAction::OtherSource),
            (429, &[server], "", FailureKind::Server, RetryAction::Retry),
            (500, &[], "", FailureKind::Server, RetryAction::Retry),
            (503, &[], "", FailureKind::Server, RetryAction::Retry),
        ] {
            let error = answer(status, lines, body).unwrap_err();
            assert_eq!((error.kind(), error.retry_action()), (kind, action), "{status} {lines:?}");
        }
        let error = answer(404, &[server], missing).unwrap_err();
        assert!(error.to_string().contains("No sources found"), "{error}");
        let throttled = answer(429, &[("retry-after", "7")], "").unwrap_err();
        assert_eq!(throttled.retry_after(), Some(Duration::from_secs(7)));
        let dates =
            [("date", "Mon, 07 Nov 1994 08:49:37 GMT"), ("retry-after", "Mon, 07 Nov 1994 08:49:57 GMT")];
        let throttled = answer(429, &dates, "").unwrap_err();
        assert_eq!(throttled.retry_after(), Some(Duration::from_secs(20)), "by the server's own clock");
    }
}
