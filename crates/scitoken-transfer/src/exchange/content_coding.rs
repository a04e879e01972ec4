//! Content codings (RFC 9110 section 8.4). Every request asks for `identity`.

use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use url::Url;

use crate::error::{RetryAction, TransferError};

/// Returns the content codings of a body, in lower case, without what servers send for bodies that have none: a media type,
/// a character set, the framing of an upload.
pub(crate) fn codings(headers: &HeaderMap) -> impl Iterator<Item = String> {
    let values = headers.get_all(CONTENT_ENCODING).iter();
    let words = values.flat_map(|value| value.to_str().unwrap_or("?").split(','));
    words.map(|word| word.trim().to_ascii_lowercase()).filter(|word| {
        let is_none =
            ["", "identity", "none", "binary", "7bit", "8bit", "aws-chunked"].contains(&word.as_str());
        !is_none && !word.contains('/') && !is_charset(word)
    })
}

/// Returns whether a word names a character set (RFC 9110 section 8.3.2).
fn is_charset(word: &str) -> bool {
    ["utf", "iso-", "iso8859", "us-ascii", "ascii", "latin", "windows-"]
        .iter()
        .any(|start| word.starts_with(start))
}

/// Returns how the names of files end that have a content coding, the usual suffix first.
pub(crate) fn suffixes(coding: &str) -> &'static [&'static str] {
    match coding {
        "gzip" | "x-gzip" => &[".gz", ".tgz"],
        "bzip2" | "x-bzip2" => &[".bz2", ".tbz", ".tbz2"],
        "br" => &[".br"],
        "compress" | "x-compress" => &[".Z", ".taz"],
        "lzma" | "x-lzma" => &[".lzma", ".tlz"],
        "xz" | "x-xz" => &[".xz", ".txz"],
        "zstd" => &[".zst", ".tzst"],
        _ => &[],
    }
}

/// Returns whether a file has the name of one that is coded, so that the coded bytes are the file.
pub(crate) fn has_name_of(name: &str, coding: &str) -> bool {
    let name = name.to_ascii_lowercase();
    suffixes(coding).iter().any(|suffix| name.ends_with(&suffix.to_ascii_lowercase()))
}

/// Returns whether the bytes of an answer are those of a file of this name.
pub(crate) fn are_of_file(name: &str, headers: &HeaderMap) -> bool {
    codings(headers).enumerate().all(|(n, coding)| n == 0 && has_name_of(name, &coding))
}

/// Returns the content coding of an answer whose bytes are not those of the file at this URL: it was not requested, and
/// the file's name does not end as that of a coded file.
///
/// ```
/// use http::{HeaderMap, HeaderValue, header::CONTENT_ENCODING};
/// use scitoken_transfer::foreign_coding;
///
/// let headers = HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static("gzip"))]);
/// assert_eq!(foreign_coding(&"https://h/d/run.csv".parse()?, &headers).as_deref(), Some("gzip"));
/// assert_eq!(foreign_coding(&"https://h/d/run.csv.gz".parse()?, &headers), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn foreign_coding(url: &Url, headers: &HeaderMap) -> Option<String> {
    if !headers.contains_key(CONTENT_ENCODING) {
        return None;
    }
    let name = url.path_segments().and_then(|mut names| names.next_back()).unwrap_or_default();
    let foreign = codings(headers).enumerate().find(|(n, coding)| *n > 0 || !has_name_of(name, coding));
    foreign.map(|(_, coding)| scitoken_types::redact::text(&coding))
}

/// Returns the failure for a content coding that was not requested.
pub(crate) fn unrequested_coding(asked: &Url, coding: &str) -> TransferError {
    let coding = scitoken_types::redact::text(coding);
    let what = format!("came with the content coding `{coding}`");
    TransferError::invalid_answer(asked, RetryAction::OtherSource, what)
}
