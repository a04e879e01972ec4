//! Whether two responses describe the same content, so that their bytes may be combined.

use std::time::Duration;

use http::HeaderMap;
use http::header::{DATE, ETAG, LAST_MODIFIED};
use serde::{Deserialize, Serialize};

use crate::digest::value::Digest;

/// What a response says about its content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The index of the URL that it came from: validators of two servers cannot be compared.
    pub(crate) source: usize,
    /// A strong `ETag`. Weak ones say "good enough to show", not "the same bytes" (RFC 9110 section 8.8.1).
    pub(crate) etag: Option<String>,
    /// A strong `Last-Modified`: of at least a second before the answer. A file that is written to right now may change
    /// twice within one second (RFC 9110 section 8.8.2.2).
    pub(crate) last_modified: Option<String>,
    pub(crate) length: Option<u64>,
    pub(crate) digests: Vec<Digest>,
}

/// The result of comparing two identities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Sameness {
    /// A validator or a digest agrees, and nothing disagrees.
    Same,
    /// Nothing disagrees, and nothing agrees. Only a digest at the end proves it.
    Unproven,
    /// Something disagrees.
    Different,
    /// A strong validator agrees, and the length or a digest disagrees: the server contradicts itself.
    Contradictory,
}

impl Identity {
    /// Reads the identity of a response. `length` is that of the whole file.
    pub(crate) fn read(
        source: usize,
        headers: &HeaderMap,
        length: Option<u64>,
        digests: Vec<Digest>,
    ) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let etag = text(ETAG).filter(|etag| !etag.starts_with("W/") && etag.len() > 2);
        let time = |text: &str| httpdate::parse_http_date(text).ok();
        let answered = text(DATE).as_deref().and_then(time);
        let is_settled = |modified: &String| match (time(modified), answered) {
            (Some(modified), Some(answered)) => {
                answered.duration_since(modified).is_ok_and(|age| age >= Duration::from_secs(1))
            }
            _ => false,
        };
        let last_modified = text(LAST_MODIFIED).filter(is_settled);
        Self { source, etag, last_modified, length, digests }
    }

    /// Compares with a later response.
    pub(crate) fn compare(&self, new: &Self) -> Sameness {
        let mut proven = false;
        let different =
            if self.has_same_validator(new) { Sameness::Contradictory } else { Sameness::Different };
        if let (Some(one), Some(other)) = (self.length, new.length)
            && one != other
        {
            return different;
        }
        if self.source == new.source {
            for (one, other) in [(&self.etag, &new.etag), (&self.last_modified, &new.last_modified)] {
                match (one, other) {
                    (Some(one), Some(other)) if one == other => proven = true,
                    (Some(_), Some(_)) => return Sameness::Different,
                    _ => {}
                }
            }
        }
        for one in &self.digests {
            for other in new.digests.iter().filter(|other| other.algorithm() == one.algorithm()) {
                if one != other {
                    return different;
                }
                proven = true;
            }
        }
        if proven { Sameness::Same } else { Sameness::Unproven }
    }

    /// Whether a later response of the same server has the same strong validator.
    fn has_same_validator(&self, new: &Self) -> bool {
        self.source == new.source
            && match (&self.etag, &new.etag) {
                (Some(one), Some(other)) => one == other,
                _ => self.last_modified.is_some() && self.last_modified == new.last_modified,
            }
    }

    /// Whether a later response can prove the same content.
    pub(crate) fn has_validator(&self) -> bool {
        self.etag.is_some() || self.last_modified.is_some() || !self.digests.is_empty()
    }

    /// Adds what a later response says about the same content.
    pub(crate) fn learn(&mut self, new: Self) {
        if self.source == new.source {
            self.etag = self.etag.take().or(new.etag);
            self.last_modified = self.last_modified.take().or(new.last_modified);
        }
        self.length = self.length.or(new.length);
        for digest in new.digests {
            if self.digests.iter().all(|known| known.algorithm() != digest.algorithm()) {
                self.digests.push(digest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const MONDAY: &str = "Mon, 07 Nov 1994 08:49:37 GMT";
    const TUESDAY: &str = "Tue, 08 Nov 1994 08:49:37 GMT";

    fn identity(source: usize, etag: &str, modified: &str, length: u64, digest: &str) -> Identity {
        let mut headers = HeaderMap::new();
        headers.insert(DATE, HeaderValue::from_static("Wed, 09 Nov 1994 00:00:00 GMT"));
        for (name, value) in [(ETAG, etag), (LAST_MODIFIED, modified)] {
            if !value.is_empty() {
                headers.insert(name, HeaderValue::from_str(value).unwrap());
            }
        }
        let digests = if digest.is_empty() { vec![] } else { vec![digest.parse().unwrap()] };
        Identity::read(source, &headers, Some(length), digests)
    }

    #[test]
    fn one_thing_that_differs_is_enough() {
        let known = identity(0, "\"a\"", MONDAY, 9, "adler32:1");
        for (other, expected) in [
            (identity(0, "\"a\"", MONDAY, 9, "adler32:1"), Sameness::Same),
            (identity(0, "\"b\"", MONDAY, 9, "adler32:1"), Sameness::Different),
            (identity(0, "\"a\"", TUESDAY, 9, "adler32:1"), Sameness::Different),
            (identity(0, "\"a\"", MONDAY, 8, "adler32:1"), Sameness::Contradictory),
            (identity(0, "\"a\"", MONDAY, 9, "adler32:2"), Sameness::Contradictory),
            (identity(0, "\"b\"", MONDAY, 8, "adler32:1"), Sameness::Different),
            (identity(0, "", MONDAY, 8, ""), Sameness::Contradictory),
            (identity(0, "", "", 9, "adler32:1"), Sameness::Same),
            (identity(0, "\"a\"", "", 9, ""), Sameness::Same),
            (identity(0, "", "", 9, ""), Sameness::Unproven),
            (identity(0, "", "", 9, "crc32c:1"), Sameness::Unproven),
        ] {
            assert_eq!(known.compare(&other), expected, "{other:?}");
        }
    }

    #[test]
    fn validators_of_another_server_prove_nothing_and_disprove_nothing() {
        let known = identity(0, "\"a\"", MONDAY, 9, "adler32:1");
        assert_eq!(known.compare(&identity(1, "\"b\"", TUESDAY, 9, "adler32:1")), Sameness::Same);
        assert_eq!(known.compare(&identity(1, "\"a\"", MONDAY, 9, "")), Sameness::Unproven);
        assert_eq!(known.compare(&identity(1, "\"a\"", MONDAY, 8, "")), Sameness::Different);
    }

    #[test]
    fn a_weak_etag_is_no_proof() {
        let known = identity(0, "W/\"a\"", "", 9, "");
        assert_eq!(known.compare(&identity(0, "W/\"a\"", "", 9, "")), Sameness::Unproven);
        assert_eq!(known.compare(&identity(0, "\"\"", "", 9, "")), Sameness::Unproven);
    }

    #[test]
    fn a_change_in_the_second_of_the_answer_or_at_no_known_distance_is_no_proof() {
        for (date, is_strong) in [
            ("Mon, 07 Nov 1994 08:49:38 GMT", true),
            ("Mon, 07 Nov 1994 08:49:37 GMT", false),
            ("Mon, 07 Nov 1994 08:49:36 GMT", false),
            ("soon", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(LAST_MODIFIED, HeaderValue::from_static(MONDAY));
            if !date.is_empty() {
                headers.insert(DATE, HeaderValue::from_static(date));
            }
            let identity = Identity::read(0, &headers, Some(9), vec![]);
            assert_eq!(identity.has_validator(), is_strong, "{date}");
        }
    }
}
