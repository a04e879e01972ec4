//! Digests in HTTP: `Want-Digest`/`Digest` (RFC 3230) and `Want-Repr-Digest`/`Repr-Digest` (RFC 9530).

use http::{HeaderMap, HeaderValue};

use crate::digest::algorithm::DigestAlgorithm;
use crate::digest::checksum::Checksum;
use crate::digest::value::Digest;

const WANT_DIGEST: &str = "want-digest";
const WANT_REPR_DIGEST: &str = "want-repr-digest";
const DIGEST: &str = "digest";
const REPR_DIGEST: &str = "repr-digest";

impl Checksum {
    /// Adds the headers that ask a server for the file's digest (RFC 9530 and RFC 3230).
    pub fn ask(&self, headers: &mut HeaderMap) {
        ask(self, headers);
    }

    /// Returns the digest of the whole file to compare with, from a response to a request that [asked](Self::ask);
    /// `None` where the server sent none that is acceptable.
    pub fn offered(&self, headers: &HeaderMap) -> Option<Digest> {
        choose(self, &read(headers))
    }
}

/// Adds the headers that ask for a digest; none for [`Checksum::None`].
///
/// `adler32` comes first and without q values: XRootD 5.5 answers `500` when it does not know the first name, and
/// neither 5.5 nor 6.1 looks at q.
pub(crate) fn ask(checksum: &Checksum, headers: &mut HeaderMap) {
    let preferred = match checksum {
        Checksum::None => return,
        Checksum::Auto | Checksum::Require => None,
        Checksum::RequireAlgorithm(algorithm) => Some(*algorithm),
        Checksum::Expect(digest) => Some(digest.algorithm()),
    };
    let (want, want_repr) = match preferred {
        None => (
            HeaderValue::from_static("adler32,crc32c,md5,sha-256"),
            HeaderValue::from_static("adler=5, crc32c=4, md5=1, sha-256=3"),
        ),
        Some(algorithm) => {
            let name = algorithm.name();
            let repr = if algorithm == DigestAlgorithm::Adler32 { "adler" } else { name };
            let value = |text: String| HeaderValue::try_from(text).expect("the names are plain ASCII");
            (value(name.to_owned()), value(format!("{repr}=9")))
        }
    };
    headers.insert(WANT_DIGEST, want);
    headers.insert(WANT_REPR_DIGEST, want_repr);
}

/// Returns the digests of the whole file in a response. Unknown algorithms and malformed values are skipped.
///
/// Only for responses to requests that [asked](ask): XRootD 5.5.3 repeats the digest of an earlier request, even of
/// another file, in responses to requests that did not.
///
/// A `crc32` is skipped: it is the CRC of POSIX `cksum` on XRootD and that of zip elsewhere, and no answer says which.
pub(crate) fn read(headers: &HeaderMap) -> Vec<Digest> {
    let rfc_9530 = lines(headers, REPR_DIGEST).filter_map(|member| {
        let (name, value) = member.split_once('=')?;
        // A structured field's byte sequence; parameters may follow it (RFC 8941 section 3.3.5).
        let value = value.trim().strip_prefix(':')?.split(':').next()?;
        Digest::parse_value(name.trim().parse().ok()?, value).ok()
    });
    let rfc_3230 = lines(headers, DIGEST).filter_map(|member| {
        let (name, value) = member.split_once('=')?;
        Digest::parse_value(name.trim().parse().ok()?, value.trim().trim_matches('"')).ok()
    });
    let is_clear = |digest: &Digest| digest.algorithm() != DigestAlgorithm::Crc32;
    rfc_9530.chain(rfc_3230).filter(is_clear).collect()
}

fn lines<'h>(headers: &'h HeaderMap, name: &'static str) -> impl Iterator<Item = &'h str> {
    headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok()).flat_map(|line| line.split(','))
}

/// Returns the digest to compare the data with: the strongest, or the one of the required algorithm.
pub(crate) fn choose(checksum: &Checksum, digests: &[Digest]) -> Option<Digest> {
    let wanted = |digest: &&Digest| match checksum {
        Checksum::None => false,
        Checksum::Auto | Checksum::Require => true,
        Checksum::RequireAlgorithm(algorithm) => digest.algorithm() == *algorithm,
        Checksum::Expect(expected) => digest.algorithm() == expected.algorithm(),
    };
    digests.iter().filter(wanted).max_by_key(|digest| digest.algorithm()).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn shown(lines: &[(&'static str, &'static str)]) -> Vec<String> {
        read(&headers(lines)).iter().map(Digest::to_string).collect()
    }

    #[test]
    fn the_answers_of_real_servers_are_read() {
        assert_eq!(shown(&[("digest", "adler32=355f0612")]), ["adler32:355f0612"]);
        assert_eq!(shown(&[("digest", "crc32c=OiCTpw==")]), ["crc32c:3a2093a7"]);
        assert_eq!(shown(&[("repr-digest", "adler=:NV8GEg==:")]), ["adler32:355f0612"]);
        assert_eq!(
            shown(&[("digest", "MD5=NZtUB3klfQNVfJTuZOYWuw==, ADLER32=9600001")]),
            ["md5:359b540779257d03557c94ee64e616bb", "adler32:09600001"]
        );
        assert_eq!(
            shown(&[("digest", "adler32=1"), ("digest", "crc32c=2")]),
            ["adler32:00000001", "crc32c:00000002"]
        );
        assert_eq!(shown(&[("repr-digest", "unixsum=:AA==:, crc32c=:OiCTpw==:;x=1")]), ["crc32c:3a2093a7"]);
    }

    #[test]
    fn a_crc32_from_a_server_may_be_either_of_two_and_proves_nothing() {
        assert_eq!(shown(&[("digest", "crc32=3c0bdabb")]), [""; 0]);
    }

    #[test]
    fn what_makes_no_sense_is_no_digest() {
        for line in ["", "adler32", "=", "adler32=zz", "md5=355f0612", "sha-256=", ",,,"] {
            let mut headers = HeaderMap::new();
            headers.insert("digest", HeaderValue::from_static(line));
            headers.insert("repr-digest", HeaderValue::from_static(line));
            assert_eq!(read(&headers), [], "{line}");
        }
    }

    #[test]
    fn an_md5_is_not_taken_for_the_crc32c_that_was_asked_for() {
        let digests = read(&headers(&[("digest", "md5=NZtUB3klfQNVfJTuZOYWuw==")]));
        assert_eq!(choose(&Checksum::RequireAlgorithm(DigestAlgorithm::Crc32c), &digests), None);
        assert_eq!(choose(&Checksum::Auto, &digests), Some(digests[0].clone()));
    }

    #[test]
    fn adler32_is_asked_for_first_and_nothing_is_asked_for_none() {
        let mut headers = HeaderMap::new();
        ask(&Checksum::None, &mut headers);
        assert!(headers.is_empty());
        ask(&Checksum::Auto, &mut headers);
        assert!(headers["want-digest"].to_str().unwrap().starts_with("adler32,"));
        ask(&Checksum::RequireAlgorithm(DigestAlgorithm::Adler32), &mut headers);
        assert_eq!(headers["want-digest"], "adler32");
        assert_eq!(headers["want-repr-digest"], "adler=9");
    }
}
