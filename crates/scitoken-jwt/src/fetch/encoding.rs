//! Content encodings of answers.

use std::io::Read as _;

use flate2::read::MultiGzDecoder;
use http::header::CONTENT_ENCODING;

use super::error::FetchProblem;
use scitoken_types::redact;

/// The first bytes of gzip (RFC 1952 section 2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Checks the content encoding of an answer: `identity` is requested, and some servers compress all the same.
pub(super) fn check(response: &reqwest::Response) -> Result<(), FetchProblem> {
    let mut values = response.headers().get_all(CONTENT_ENCODING).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Ok(()),
        (Some(value), None) => value.to_str().unwrap_or("?").trim().to_ascii_lowercase(),
        (Some(_), Some(_)) => "several encodings".to_owned(),
    };
    match value.as_str() {
        "" | "identity" | "gzip" | "x-gzip" => Ok(()),
        other => Err(FetchProblem::Encoding(redact::text(other))),
    }
}

/// Decodes a body. The limit holds for the decoded bytes.
///
/// A client that decodes by itself may leave the header, and a server may forget it: no JSON begins like gzip.
pub(super) fn decode(body: Vec<u8>, limit: usize) -> Result<Vec<u8>, FetchProblem> {
    if !body.starts_with(&GZIP_MAGIC) {
        return Ok(body);
    }
    let mut decoded = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut reader = MultiGzDecoder::new(body.as_slice()).take(most);
    reader.read_to_end(&mut decoded).map_err(FetchProblem::NotGzip)?;
    if decoded.len() > limit { Err(FetchProblem::TooLarge(limit)) } else { Ok(decoded) }
}
