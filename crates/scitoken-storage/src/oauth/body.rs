//! The body of an answer: JSON or a form, encoded or not, complete or cut off.

use std::io::Read as _;

use secrecy::zeroize::Zeroizing;

use scitoken_types::{AccessToken, LenientObject};

/// Limits the size of an answer, in bytes.
pub(super) const MAX_ANSWER_SIZE: usize = 1024 * 1024;

/// The first bytes of gzip (RFC 1952 section 2.3.1), which some servers send unasked and some without saying so.
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// What was received of the body of an answer.
pub(super) struct Body {
    pub(super) bytes: Zeroizing<Vec<u8>>,
    /// Whether its media type is that of a form.
    pub(super) is_form: bool,
    pub(super) is_complete: bool,
}

/// Returns whether an answer has a token that the server may not issue twice.
pub(super) fn has_tokens(object: &LenientObject) -> bool {
    ["access_token", "refresh_token"].iter().any(|name| object.words(name).is_ok_and(|text| text.is_some()))
}

/// Returns whether an answer that is an error has tokens all the same: both, and in their form (RFC 6749 appendix A). A message
/// about a member, and the echo of a request, are none.
pub(super) fn has_issued_tokens(object: &LenientObject) -> bool {
    let text = |name| object.text(name).ok().flatten().filter(|_| object.is_complete());
    let is_masked =
        |token: &str| token.contains("**") || token.chars().all(|c| c == token.chars().next().unwrap_or(c));
    let is_issued =
        |token: String| token.bytes().all(|byte| matches!(byte, b'!'..=b'~')) && !is_masked(&token);
    let access = text("access_token")
        .is_some_and(|token| AccessToken::new(token.as_str()).is_ok() && is_issued(token));
    access && text("refresh_token").is_some_and(is_issued)
}

impl Body {
    /// Decodes what was encoded, unasked.
    pub(super) fn decoded(self, is_deflate: bool) -> Self {
        let decoded = if self.bytes.starts_with(&GZIP_MAGIC) {
            decoded(flate2::read::MultiGzDecoder::new(self.bytes.as_slice()))
        } else if is_deflate && self.object().is_none() {
            decode_deflate(&self.bytes)
        } else {
            return self;
        };
        Self { bytes: decoded.bytes, is_complete: self.is_complete && decoded.is_complete, ..self }
    }

    /// Reads a JSON object, or a form.
    pub(super) fn object(&self) -> Option<LenientObject> {
        LenientObject::parse(&self.bytes).or_else(|| self.form()).or_else(|| self.enclosed_object())
    }

    /// Reads `access_token=…&token_type=bearer`, or the error of RFC 6749 section 5.2 in the same form. Where the body was cut
    /// off, the last pair may lack its end.
    fn form(&self) -> Option<LenientObject> {
        const KNOWN: [&str; 4] = ["access_token", "refresh_token", "error", "device_code"];

        let body = self.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.bytes).trim_ascii();
        // A link in a web page has such members too.
        let is_text = || body.iter().all(|byte| matches!(byte, b' '..=b'~') && !b"<>{}\"".contains(byte));
        if !self.is_form && !is_text() {
            return None;
        }
        let lines = body.split(|byte| matches!(byte, b'\r' | b'\n'));
        let pairs = lines.flat_map(|line| url::form_urlencoded::parse(line));
        let mut pairs: Vec<_> =
            pairs.map(|(name, value)| (name.into_owned(), value.trim().to_owned())).collect();
        if !self.is_complete {
            pairs.pop();
        }
        let is_known = pairs.iter().any(|(name, _)| KNOWN.contains(&&**name));
        is_known.then(|| LenientObject::from_texts(pairs, self.is_complete))
    }

    /// Reads an object with tokens that a few other characters precede: a list's bracket, or a guard against scripts.
    fn enclosed_object(&self) -> Option<LenientObject> {
        const LONGEST_PREFIX: usize = 32;

        let start = self.bytes.iter().take(LONGEST_PREFIX).position(|byte| *byte == b'{')?;
        let is_page = self.bytes[..start].contains(&b'<');
        LenientObject::parse(&self.bytes[start..]).filter(|object| !is_page && has_tokens(object))
    }
}

/// Decodes `deflate` (RFC 9110 section 8.4.1.2), which some servers send without its zlib frame.
fn decode_deflate(body: &[u8]) -> Decoded {
    let framed = decoded(flate2::read::ZlibDecoder::new(body));
    if framed.bytes.is_empty() { decoded(flate2::read::DeflateDecoder::new(body)) } else { framed }
}

struct Decoded {
    bytes: Zeroizing<Vec<u8>>,
    is_complete: bool,
}

/// Reads as much as is valid, up to the size limit.
fn decoded(reader: impl std::io::Read) -> Decoded {
    let mut bytes = Zeroizing::new(Vec::new());
    let read = reader.take(MAX_ANSWER_SIZE as u64).read_to_end(&mut bytes);
    if let Err(error) = &read {
        tracing::debug!(%error, "failed to decode the end of a compressed answer");
    }
    Decoded { bytes, is_complete: read.is_ok() }
}
