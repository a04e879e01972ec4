//! How long a body is, and what marks its end (RFC 9112 section 6.3).

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Version};

/// How the end of a body is marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// By a length, by chunks or by HTTP/2 frames.
    Proven,
    /// By the connection's end, as in HTTP/1.0: a broken connection looks the same.
    ByClose,
}

/// The length of a body and its framing. Every length that comes from a response head is read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BodyLength {
    /// The length in bytes, if the head gives it.
    pub(crate) bytes: Option<u64>,
    pub(crate) framing: Framing,
}

impl BodyLength {
    /// Reads the length from a response head. `Transfer-Encoding` overrides `Content-Length`, and a `Content-Length` that
    /// contradicts itself is no length.
    pub(crate) fn of(version: Version, headers: &HeaderMap) -> Self {
        if is_coded(headers) && version < Version::HTTP_2 {
            let framing = if is_chunked(headers) { Framing::Proven } else { Framing::ByClose };
            return Self { bytes: None, framing };
        }
        let bytes = content_length(headers);
        let is_framed = bytes.is_some() || version >= Version::HTTP_2;
        Self { bytes, framing: if is_framed { Framing::Proven } else { Framing::ByClose } }
    }
}

/// Returns whether a transfer coding says where the body ends. `identity` is none (RFC 2616 section 3.6).
fn is_coded(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    codings.any(|value| !value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity"))
}

/// Returns whether `chunked` is the only transfer coding. Any other coding ends with the connection or changes the
/// data.
pub(crate) fn is_chunked(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let is_chunked =
        codings.next().is_some_and(|value| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"));
    is_chunked && codings.next().is_none()
}

/// One number, or the same number several times (RFC 9110 section 8.6).
fn content_length(headers: &HeaderMap) -> Option<u64> {
    let mut lengths = headers
        .get_all(CONTENT_LENGTH)
        .iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(|text| number(text.trim_ascii()));
    let first = lengths.next()??;
    lengths.all(|other| other == Some(first)).then_some(first)
}

fn number(digits: &[u8]) -> Option<u64> {
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| std::str::from_utf8(digits).ok()?.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn length(version: Version, lines: &[(&'static str, &'static str)]) -> BodyLength {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        BodyLength::of(version, &headers)
    }

    #[test]
    fn a_transfer_encoding_overrides_a_content_length() {
        for lines in [
            &[("content-length", "3"), ("transfer-encoding", "chunked")][..],
            &[("transfer-encoding", "Chunked "), ("content-length", "3")],
            &[("transfer-encoding", "chunked"), ("content-length", "3"), ("content-length", "3")],
        ] {
            let read = length(Version::HTTP_11, lines);
            assert_eq!(read, BodyLength { bytes: None, framing: Framing::Proven }, "{lines:?}");
        }
        let gzip =
            length(Version::HTTP_11, &[("content-length", "3"), ("transfer-encoding", "gzip, chunked")]);
        assert_eq!(gzip, BodyLength { bytes: None, framing: Framing::ByClose });
    }

    #[test]
    fn identity_is_no_transfer_coding() {
        let read = length(Version::HTTP_11, &[("content-length", "3"), ("transfer-encoding", "Identity")]);
        assert_eq!(read, BodyLength { bytes: Some(3), framing: Framing::Proven });
        let read = length(Version::HTTP_11, &[("transfer-encoding", "identity")]);
        assert_eq!(read, BodyLength { bytes: None, framing: Framing::ByClose });
    }

    #[test]
    fn a_content_length_is_one_number() {
        for (values, expected) in [
            (&["16"][..], Some(16)),
            (&["16", "16"], Some(16)),
            (&["16, 16"], Some(16)),
            (&["16", "17"], None),
            (&["16, 17"], None),
            (&["+16"], None),
            (&["-1"], None),
            (&[""], None),
            (&["99999999999999999999999"], None),
        ] {
            let lines: Vec<_> = values.iter().map(|value| ("content-length", *value)).collect();
            assert_eq!(length(Version::HTTP_11, &lines).bytes, expected, "{values:?}");
        }
    }

    #[test]
    fn http_2_always_marks_the_end() {
        assert_eq!(length(Version::HTTP_2, &[]), BodyLength { bytes: None, framing: Framing::Proven });
        assert_eq!(length(Version::HTTP_10, &[]), BodyLength { bytes: None, framing: Framing::ByClose });
    }
}
