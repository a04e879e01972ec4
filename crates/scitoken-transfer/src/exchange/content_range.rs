//! The `Content-Range` header.

use std::ops::Range;

/// What a `206` says it carries: `Content-Range: bytes 6-15/16` (RFC 9110 section 14.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContentRange {
    pub(crate) range: Range<u64>,
    /// The whole file's length, where the server knows it.
    pub(crate) total: Option<u64>,
}

impl ContentRange {
    /// Reads the header's value; `None` for anything that is not a range of a file, such as XRootD 5.5.3's
    /// `bytes 6--1/16`, which carries nothing.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let (first, rest) = value.trim().strip_prefix("bytes ")?.trim_start().split_once('-')?;
        let (last, total) = rest.split_once('/')?;
        let first = number(first)?;
        let end = number(last)?.checked_add(1)?;
        let total = if total.trim() == "*" { None } else { Some(number(total)?) };
        (first < end && total.is_none_or(|total| end <= total)).then_some(Self { range: first..end, total })
    }
}

/// Digits only: `u64::from_str` would take a sign.
fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_range_is_read_and_nonsense_is_not() {
        let parsed = ContentRange::parse("bytes 6-15/16").unwrap();
        assert_eq!((parsed.range, parsed.total), (6..16, Some(16)));
        assert_eq!(ContentRange::parse("bytes 0-0/*").unwrap().total, None);
        for text in [
            "bytes 6--1/16",
            "bytes -1--1/16",
            "bytes 0--1/0",
            "bytes 10-1000/16",
            "bytes 5-4/16",
            "bytes */16",
            "bytes +1-5/16",
            "bytes 0-18446744073709551615/*",
            "items 0-4/16",
            "bytes 0-4",
            "",
        ] {
            assert_eq!(ContentRange::parse(text), None, "{text}");
        }
    }
}
