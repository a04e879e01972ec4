//! What XRootD says to `GET` and `HEAD`: ranges, digests, directories.

use bytes::Bytes;

use super::release::{After, Release};

/// A request for a file, as far as its answer depends on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question<'q> {
    pub(super) release: Release,
    pub(super) is_head: bool,
    /// The headers, their names compared as the release does.
    pub(super) range: Option<&'q str>,
    pub(super) want_digest: Option<&'q str>,
    pub(super) want_repr_digest: Option<&'q str>,
}

/// An answer, before it is written.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: String,
    pub(super) after: After,
    pub(super) headers: Vec<String>,
    /// What `Content-Length` says, which is not always what comes.
    pub(super) promised: usize,
    pub(super) body: Bytes,
}

impl Answer {
    fn new(status: &str, body: Bytes) -> Self {
        Self {
            status: status.to_owned(),
            after: After::Keep,
            headers: Vec::new(),
            promised: body.len(),
            body,
        }
    }
}

/// What a directory gets: an answer that looks like a file's, or the refusal to name its digest.
pub(super) fn directory(question: &Question<'_>, path: &str) -> Answer {
    let old = question.release == Release::V5_5_3;
    if old && question.is_head && question.want_digest.is_some() {
        return Answer { after: After::Close, ..Answer::new("409 Conflict", Bytes::new()) };
    }
    let listing =
        format!("<!DOCTYPE html>\n<html><head><title>{path}</title></head><body>\n</body></html>\n");
    let mut answer = Answer::new("200 OK", listing.into());
    if question.is_head {
        answer.promised = 4096;
    }
    answer
}

/// What a file gets. `stale` is the digest of an earlier request, which 5.5.3 sends to clients that did not ask.
pub(super) fn file(question: &Question<'_>, content: &Bytes, stale: &mut Option<String>) -> Answer {
    let old = question.release == Release::V5_5_3;
    let digest = match question.want_digest {
        Some(wanted) => {
            let Some(digest) = digest(question, wanted, content) else {
                let text = Bytes::from_static(b"Failed to determine checksum");
                return Answer { after: After::Close, ..Answer::new("500 Internal Server Error", text) };
            };
            *stale = Some(digest.clone());
            Some(digest)
        }
        None if old => stale.clone(),
        None => None,
    };
    let mut answer = ranged(question, content);
    answer.headers.extend(digest.map(|digest| format!("Digest: {digest}")));
    if !old && question.want_repr_digest.is_some_and(|wanted| wanted.starts_with("adler=")) {
        let digest = checksum("adler32-base64", content);
        answer.headers.push(format!("Repr-Digest: adler=:{digest}:"));
    }
    if !old && question.is_head {
        answer.headers.push("Accept-Ranges: bytes".to_owned());
        if question.want_digest.is_none() {
            answer.headers.push(format!("Etag: \"{}\"", checksum("adler32", content)));
        }
    }
    answer
}

/// Answers a range. `If-Range` is ignored, as by the real server.
fn ranged(question: &Question<'_>, content: &Bytes) -> Answer {
    let length = content.len();
    let whole = || Answer::new("200 OK", content.clone());
    let Some(range) = question.range else { return whole() };
    let part = |first: usize, end: usize| {
        let mut answer = Answer::new("206 Partial Content", content.slice(first..end));
        answer.headers.push(format!("Content-Range: bytes {first}-{}/{length}", end - 1));
        answer
    };
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        // Nonsense.
        return if question.release == Release::V5_5_3 && length > 0 { part(0, 1) } else { whole() };
    };
    let (first, last) = (first.parse::<usize>().ok(), last.parse::<usize>().ok());
    match (question.release, first, last) {
        (Release::V5_5_3, Some(first), None) => {
            let mut answer = Answer::new("206 Partial Content", Bytes::new());
            answer.headers.push(format!("Content-Range: bytes {first}--1/{length}"));
            answer
        }
        (Release::V5_5_3, Some(first), Some(last)) if last >= length => {
            let there = content.slice(first.min(length)..);
            let mut answer = Answer::new("206 Partial Content", there);
            answer.headers.push(format!("Content-Range: bytes {first}-{last}/{length}"));
            answer.promised = last + 1 - first;
            answer.after = After::Close;
            answer
        }
        (Release::V6_1, Some(first), _) if first >= length => {
            let mut answer = Answer::new("416 Range Not Satisfiable", Bytes::new());
            answer.headers.push(format!("Content-Range: bytes */{length}"));
            answer
        }
        // 5.5.3 ignores a suffix.
        (Release::V6_1, None, Some(last)) => part(length.saturating_sub(last), length),
        (_, Some(first), last) if last.is_none_or(|last| last >= first) => {
            part(first, last.map_or(length, |last| last + 1).min(length))
        }
        _ => whole(),
    }
}

/// The first name decides, q values are ignored, and an unknown algorithm gets another one or an error.
fn digest(question: &Question<'_>, wanted: &str, content: &[u8]) -> Option<String> {
    let old = question.release == Release::V5_5_3;
    let first = wanted.split(',').next().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let value = match first {
        "adler32" | "md5" => checksum(first, content),
        "crc32c" if old => checksum("crc32c-base64", content),
        "crc32c" => checksum("crc32c", content),
        _ if old && !question.is_head => return None,
        _ => return Some(format!("adler32={}", checksum("adler32", content))),
    };
    Some(format!("{first}={value}"))
}

fn checksum(form: &str, content: &[u8]) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use md5::Digest as _;

    let adler32 = || {
        let mut adler32 = simd_adler32::Adler32::new();
        adler32.write(content);
        adler32.finish()
    };
    let crc32c = || crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, content);
    match form {
        "adler32" => format!("{:08x}", adler32()),
        "adler32-base64" => STANDARD.encode(adler32().to_be_bytes()),
        "crc32c" => format!("{:08x}", crc32c()),
        "crc32c-base64" => STANDARD.encode(&crc32c().to_be_bytes()[4..]),
        "md5" => STANDARD.encode(md5::Md5::digest(content)),
        other => panic!("there is no `{other}`"),
    }
}
