//! The ranges and checksums that a server supports.

use http::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderName, RANGE};
use http::{HeaderMap, HeaderValue, Method};
use serde::Serialize;
use url::Url;

use crate::commands::diagnosis::{Report, ResponseFacts};
use crate::sanitize::excerpt;
use crate::sessions::SessionFactory;

/// The checksums to request: the name in `Want-Digest`, and the one in `Want-Repr-Digest`.
const DIGESTS: [(&str, &str); 4] =
    [("adler32", "adler"), ("crc32c", "crc32c"), ("md5", "md5"), ("sha-256", "sha-256")];

/// What a server supports for the file.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Capabilities {
    pub(super) ranges: Option<ServerCapability>,
    /// A range without an end, to the end of the file.
    pub(super) open_ranges: Option<ServerCapability>,
    pub(super) digests: Vec<DigestSupport>,
}

/// Whether a server supports something, and the evidence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct ServerCapability {
    pub(super) works: bool,
    pub(super) evidence: String,
}

/// What a server answered to the request for a checksum.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct DigestSupport {
    pub(super) algorithm: &'static str,
    pub(super) offered: bool,
    pub(super) evidence: String,
}

impl Capabilities {
    /// Probes the server; returns nothing where the file cannot be read.
    pub(super) async fn of(report: &Report, sessions: &SessionFactory, url: &Url) -> Self {
        let Some(answer) = report.answer.as_ref().filter(|_| report.is_readable()) else {
            return Self::default();
        };
        let ranges = first_byte(answer);
        let last = total(answer.content_range.as_deref()).filter(|_| ranges.works).map(|total| total - 1);
        let open_ranges = match last {
            Some(last) => Some(open_range(sessions, url, last).await),
            None => None,
        };
        let mut digests = Vec::new();
        for (algorithm, name) in DIGESTS {
            digests.push(digest(sessions, url, algorithm, name).await);
        }
        Self { ranges: Some(ranges), open_ranges, digests }
    }
}

/// Evaluates the response to `bytes=0-0`.
fn first_byte(answer: &ResponseFacts) -> ServerCapability {
    let range = answer.content_range.as_deref().unwrap_or("no `Content-Range`");
    let works = answer.status == 206 && total(answer.content_range.as_deref()).is_some();
    let right = works && answer.content_length.is_none_or(|length| length == 1);
    let evidence = match (answer.status, right) {
        (206, true) => format!("`bytes=0-0`: 206, {range}"),
        (206, false) => format!("`bytes=0-0`: 206, but with {range} and another length than 1"),
        (status, _) => format!("`bytes=0-0`: {status}, the range is ignored"),
    };
    ServerCapability { works: right, evidence }
}

/// Returns the length of the file, from `bytes 0-0/LENGTH`.
fn total(content_range: Option<&str>) -> Option<u64> {
    content_range?.strip_prefix("bytes 0-0/")?.parse().ok().filter(|total| *total > 0)
}

/// Requests the last byte by a range without an end.
async fn open_range(sessions: &SessionFactory, url: &Url, last: u64) -> ServerCapability {
    let wanted = format!("bytes={last}-");
    let headers = [(RANGE, wanted.clone())];
    match send(sessions, Method::GET, url, headers).await {
        Ok((status, headers)) => evaluate_open_range(status, &headers, &wanted, last),
        Err(error) => ServerCapability { works: false, evidence: format!("`{wanted}`: {error}") },
    }
}

fn evaluate_open_range(status: u16, headers: &HeaderMap, wanted: &str, last: u64) -> ServerCapability {
    let text = |name| {
        headers.get(name).map(|value: &HeaderValue| excerpt(&String::from_utf8_lossy(value.as_bytes())))
    };
    let range = text(CONTENT_RANGE).unwrap_or_else(|| "no `Content-Range`".to_owned());
    let right = status == 206
        && range == format!("bytes {last}-{last}/{}", last + 1)
        && text(CONTENT_LENGTH).is_none_or(|length| length == "1");
    let but = if right { "" } else { "but " };
    ServerCapability { works: right, evidence: format!("`{wanted}`: {status}, {but}{range}") }
}

/// Requests one checksum by both headers: XRootD 5.5 fails on a list with names that it does not know.
async fn digest(sessions: &SessionFactory, url: &Url, algorithm: &'static str, name: &str) -> DigestSupport {
    let headers = [
        (HeaderName::from_static("want-digest"), algorithm.to_owned()),
        (HeaderName::from_static("want-repr-digest"), format!("{name}=9")),
    ];
    match send(sessions, Method::HEAD, url, headers).await {
        Ok((status, headers)) => evaluate_digest(status, &headers, algorithm, name),
        Err(error) => DigestSupport { algorithm, offered: false, evidence: error },
    }
}

fn evaluate_digest(status: u16, headers: &HeaderMap, algorithm: &'static str, name: &str) -> DigestSupport {
    let mut evidence = Vec::new();
    let mut offered = false;
    for (header, wanted) in [("digest", algorithm), ("repr-digest", name)] {
        for value in headers.get_all(header) {
            let value = String::from_utf8_lossy(value.as_bytes());
            for member in value.split(',') {
                let Some((given, _)) = member.split_once('=') else { continue };
                offered |= given.trim().eq_ignore_ascii_case(wanted);
                evidence.push(format!("{} in `{header}`", excerpt(given)));
            }
        }
    }
    let good = (200..300).contains(&status);
    let evidence = match (good, evidence.is_empty()) {
        (true, true) => "no".to_owned(),
        (true, false) if offered => evidence.join(", "),
        (true, false) => format!("no: {} instead", evidence.join(", ")),
        (false, _) => format!("no: {status}"),
    };
    DigestSupport { algorithm, offered: offered && good, evidence }
}

async fn send(
    sessions: &SessionFactory,
    method: Method,
    url: &Url,
    headers: impl IntoIterator<Item = (HeaderName, String)>,
) -> Result<(u16, HeaderMap), String> {
    let headers =
        headers.into_iter().filter_map(|(name, value)| Some((name, HeaderValue::try_from(value).ok()?)));
    // Each probe has its own connection: XRootD 5.5 forgets to answer about checksums on a used one.
    let client = sessions.client().map_err(|failure| failure.message().to_owned())?;
    match client.request(method, url.clone()).headers(headers.collect()).send().await {
        Ok(response) => Ok((response.status().as_u16(), response.headers().clone())),
        Err(error) => Err(excerpt(&format!("no response: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn only_a_206_of_the_very_byte_is_a_range() {
        let judged = |status, content_range: Option<&str>, content_length| {
            let content_range = content_range.map(str::to_owned);
            first_byte(&ResponseFacts { status, content_length, content_range, ..ResponseFacts::default() })
                .works
        };
        assert!(judged(206, Some("bytes 0-0/16"), Some(1)) && judged(206, Some("bytes 0-0/16"), None));
        assert!(!judged(206, Some("bytes 0-0/16"), Some(16)));
        assert!(!judged(206, Some("bytes 0--1/16"), Some(0)));
        assert!(!judged(206, None, Some(1)));
        assert!(!judged(200, None, Some(16)));
    }

    #[test]
    fn an_open_range_that_gives_nothing_is_seen() {
        let judged = |status, lines| evaluate_open_range(status, &headers(lines), "bytes=15-", 15);
        assert!(judged(206, &[("content-range", "bytes 15-15/16"), ("content-length", "1")]).works);
        let old = judged(206, &[("content-range", "bytes 15--1/16"), ("content-length", "0")]);
        assert_eq!((old.works, old.evidence.as_str()), (false, "`bytes=15-`: 206, but bytes 15--1/16"));
        assert!(!judged(200, &[]).works);
    }

    #[test]
    fn a_checksum_counts_only_when_it_is_the_one_that_was_asked_for() {
        let judged = |status, lines| evaluate_digest(status, &headers(lines), "adler32", "adler");
        assert!(judged(200, &[("digest", "ADLER32=355f0612")]).offered);
        assert!(judged(200, &[("repr-digest", "adler=:NV8GEg==:")]).offered);
        assert_eq!(
            judged(200, &[("digest", "md5=NZtUB3klfQNVfJTuZOYWuw==")]).evidence,
            "no: md5 in `digest` instead"
        );
        assert_eq!(judged(200, &[]).evidence, "no");
        assert_eq!(
            judged(500, &[("digest", "adler32=1")]),
            DigestSupport { algorithm: "adler32", offered: false, evidence: "no: 500".into() }
        );
    }
}
