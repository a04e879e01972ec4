//! Content encodings of answers.

use std::io::Read as _;

use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http::header::CONTENT_ENCODING;

use super::error::FetchProblem;
use scitoken_types::redact;

/// The first bytes of gzip (RFC 1952 section 2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The encodings that are decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// None, or gzip, which shows by its first bytes.
    Plain,
    /// `deflate` (RFC 9110 section 8.4.1.2).
    Deflate,
}

/// Checks the content encoding of an answer: `identity` is requested, and some servers compress all the same.
pub(super) fn check(response: &reqwest::Response) -> Result<Encoding, FetchProblem> {
    let mut values = response.headers().get_all(CONTENT_ENCODING).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Ok(Encoding::Plain),
        (Some(value), None) => value.to_str().unwrap_or("?").trim().to_ascii_lowercase(),
        (Some(_), Some(_)) => "several encodings".to_owned(),
    };
    match value.as_str() {
        "" | "identity" | "gzip" | "x-gzip" => Ok(Encoding::Plain),
        "deflate" => Ok(Encoding::Deflate),
        other => Err(FetchProblem::Encoding(redact::text(other))),
    }
}

/// Decodes a body. The limit holds for the decoded bytes.
///
/// A client that decodes by itself may leave the header, and a server may forget it: no JSON begins like gzip.
pub(super) fn decode(body: Vec<u8>, encoding: Encoding, limit: usize) -> Result<Vec<u8>, FetchProblem> {
    if body.starts_with(&GZIP_MAGIC) {
        return read(MultiGzDecoder::new(body.as_slice()), limit);
    }
    if encoding == Encoding::Plain || body.first().is_none_or(|first| b"{[ \n\r\t".contains(first)) {
        return Ok(body);
    }
    // Some servers leave out the zlib frame.
    read(ZlibDecoder::new(body.as_slice()), limit)
        .or_else(|framed| read(DeflateDecoder::new(body.as_slice()), limit).map_err(|_| framed))
}

fn read(reader: impl std::io::Read, limit: usize) -> Result<Vec<u8>, FetchProblem> {
    let mut content = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    reader.take(most).read_to_end(&mut content).map_err(FetchProblem::NotCompressed)?;
    if content.len() > limit { Err(FetchProblem::TooLarge(limit)) } else { Ok(content) }
}
