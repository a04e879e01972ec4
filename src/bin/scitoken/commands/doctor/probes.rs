//! Ranges and checksums: asked for, and judged.

use http::header::{CONTENT_LENGTH, CONTENT_RANGE, HeaderName, RANGE};
use http::{HeaderMap, HeaderValue, Method};
use reqwest::Request;
use reqwest_middleware::ClientWithMiddleware;
use serde::Serialize;
use url::Url;

use crate::commands::diagnosis::{Answer, Told, fit};

/// The checksums that are asked for: the name in `Want-Digest` and that in `Want-Repr-Digest`.
const DIGESTS: [(&str, &str); 4] =
    [("adler32", "adler"), ("crc32c", "crc32c"), ("md5", "md5"), ("sha-256", "sha-256")];

/// What a server can do with the file.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Probes {
    pub(super) ranges: Option<Capability>,
    /// A range that goes to the end of the file, without saying where that is.
    pub(super) open_ranges: Option<Capability>,
    pub(super) digests: Vec<Offer>,
}

/// Whether a server can do something, and how that was seen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Capability {
    pub(super) works: bool,
    pub(super) seen: String,
}

/// What a server answered when it was asked for a checksum.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Offer {
    pub(super) algorithm: &'static str,
    pub(super) offered: bool,
    pub(super) seen: String,
}

impl Probes {
    /// Asks the server; nothing where the file cannot be read.
    pub(super) async fn of(told: &Told, url: &Url) -> Self {
        let Some(answer) = told.story.answer.as_ref().filter(|_| told.story.is_readable()) else {
            return Self::default();
        };
        let ranges = first_byte(answer);
        let last = total(answer.content_range.as_deref()).filter(|_| ranges.works).map(|total| total - 1);
        let open_ranges = match last {
            Some(last) => Some(open_range(&told.client, url, last).await),
            None => None,
        };
        let mut digests = Vec::new();
        for (algorithm, name) in DIGESTS {
            digests.push(digest(&told.client, url, algorithm, name).await);
        }
        Self { ranges: Some(ranges), open_ranges, digests }
    }
}

/// Judges the answer to `bytes=0-0`.
fn first_byte(answer: &Answer) -> Capability {
    let range = answer.content_range.as_deref().unwrap_or("no `Content-Range`");
    let works = answer.status == 206 && total(answer.content_range.as_deref()).is_some();
    let right = works && answer.content_length.is_none_or(|length| length == 1);
    let seen = match (answer.status, right) {
        (206, true) => format!("`bytes=0-0`: 206, {range}"),
        (206, false) => format!("`bytes=0-0`: 206, but with {range} and another length than 1"),
        (status, _) => format!("`bytes=0-0`: {status}, the range is ignored"),
    };
    Capability { works: right, seen }
}

/// The length of the file, from `bytes 0-0/LENGTH`.
fn total(content_range: Option<&str>) -> Option<u64> {
    content_range?.strip_prefix("bytes 0-0/")?.parse().ok().filter(|total| *total > 0)
}

/// Asks for the last byte, without saying that it is the last.
async fn open_range(client: &ClientWithMiddleware, url: &Url, last: u64) -> Capability {
    let asked = format!("bytes={last}-");
    let headers = [(RANGE, asked.clone())];
    match send(client, Method::GET, url, headers).await {
        Ok((status, headers)) => judge_open(status, &headers, &asked, last),
        Err(error) => Capability { works: false, seen: format!("`{asked}`: {error}") },
    }
}

fn judge_open(status: u16, headers: &HeaderMap, asked: &str, last: u64) -> Capability {
    let text =
        |name| headers.get(name).map(|value: &HeaderValue| fit(&String::from_utf8_lossy(value.as_bytes())));
    let range = text(CONTENT_RANGE).unwrap_or_else(|| "no `Content-Range`".to_owned());
    let right = status == 206
        && range == format!("bytes {last}-{last}/{}", last + 1)
        && text(CONTENT_LENGTH).is_none_or(|length| length == "1");
    let but = if right { "" } else { "but " };
    Capability { works: right, seen: format!("`{asked}`: {status}, {but}{range}") }
}

/// Asks for a checksum in both ways; alone, because XRootD 5.5 stumbles over names that it does not know.
async fn digest(client: &ClientWithMiddleware, url: &Url, algorithm: &'static str, name: &str) -> Offer {
    let headers = [
        (HeaderName::from_static("want-digest"), algorithm.to_owned()),
        (HeaderName::from_static("want-repr-digest"), format!("{name}=9")),
    ];
    match send(client, Method::HEAD, url, headers).await {
        Ok((status, headers)) => judge_digest(status, &headers, algorithm, name),
        Err(error) => Offer { algorithm, offered: false, seen: error },
    }
}

fn judge_digest(status: u16, headers: &HeaderMap, algorithm: &'static str, name: &str) -> Offer {
    let mut seen = Vec::new();
    let mut offered = false;
    for (header, wanted) in [("digest", algorithm), ("repr-digest", name)] {
        for value in headers.get_all(header) {
            let value = String::from_utf8_lossy(value.as_bytes());
            for member in value.split(',') {
                let Some((given, _)) = member.split_once('=') else { continue };
                offered |= given.trim().eq_ignore_ascii_case(wanted);
                seen.push(format!("{} in `{header}`", fit(given)));
            }
        }
    }
    let good = (200..300).contains(&status);
    let seen = match (good, seen.is_empty()) {
        (true, true) => "no".to_owned(),
        (true, false) if offered => seen.join(", "),
        (true, false) => format!("no: {} instead", seen.join(", ")),
        (false, _) => format!("no: {status}"),
    };
    Offer { algorithm, offered: offered && good, seen }
}

async fn send(
    client: &ClientWithMiddleware,
    method: Method,
    url: &Url,
    headers: impl IntoIterator<Item = (HeaderName, String)>,
) -> Result<(u16, HeaderMap), String> {
    let mut request = Request::new(method, url.clone());
    for (name, value) in headers {
        request.headers_mut().extend(HeaderValue::try_from(value).ok().map(|value| (name, value)));
    }
    match client.execute(request).await {
        Ok(response) => Ok((response.status().as_u16(), response.headers().clone())),
        Err(error) => Err(fit(&format!("no answer: {error}"))),
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
            first_byte(&Answer { status, content_length, content_range, ..Answer::default() }).works
        };
        assert!(judged(206, Some("bytes 0-0/16"), Some(1)) && judged(206, Some("bytes 0-0/16"), None));
        assert!(!judged(206, Some("bytes 0-0/16"), Some(16)));
        assert!(!judged(206, Some("bytes 0--1/16"), Some(0)));
        assert!(!judged(206, None, Some(1)));
        assert!(!judged(200, None, Some(16)));
    }

    #[test]
    fn an_open_range_that_gives_nothing_is_seen() {
        let judged = |status, lines| judge_open(status, &headers(lines), "bytes=15-", 15);
        assert!(judged(206, &[("content-range", "bytes 15-15/16"), ("content-length", "1")]).works);
        let old = judged(206, &[("content-range", "bytes 15--1/16"), ("content-length", "0")]);
        assert_eq!((old.works, old.seen.as_str()), (false, "`bytes=15-`: 206, but bytes 15--1/16"));
        assert!(!judged(200, &[]).works);
    }

    #[test]
    fn a_checksum_counts_only_when_it_is_the_one_that_was_asked_for() {
        let judged = |status, lines| judge_digest(status, &headers(lines), "adler32", "adler");
        assert!(judged(200, &[("digest", "ADLER32=355f0612")]).offered);
        assert!(judged(200, &[("repr-digest", "adler=:NV8GEg==:")]).offered);
        assert_eq!(
            judged(200, &[("digest", "md5=NZtUB3klfQNVfJTuZOYWuw==")]).seen,
            "no: md5 in `digest` instead"
        );
        assert_eq!(judged(200, &[]).seen, "no");
        assert_eq!(
            judged(500, &[("digest", "adler32=1")]),
            Offer { algorithm: "adler32", offered: false, seen: "no: 500".into() }
        );
    }
}
