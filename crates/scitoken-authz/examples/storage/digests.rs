//! Digests of files on request: `Want-Digest` (RFC 3230) and `Want-Repr-Digest` (RFC 9530).

use std::io::{self, Read as _};
use std::path::PathBuf;

use dav_server::body::Body;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use scitoken_transfer::{Digest, DigestAlgorithm, RunningDigest};

/// The algorithms that a request asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// For the header `Digest`.
    pub(crate) digest: Option<DigestAlgorithm>,
    /// For the header `Repr-Digest`.
    pub(crate) repr_digest: Option<DigestAlgorithm>,
}

/// Returns what a request for a file asks for.
pub(crate) fn wanted(method: &Method, headers: &HeaderMap) -> Wanted {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Wanted::default();
    }
    Wanted {
        digest: preferred(headers, "want-digest", ";q="),
        repr_digest: preferred(headers, "want-repr-digest", "="),
    }
}

/// Returns the known algorithm with the highest weight; the first of equals. Weight 0 means "not this one".
fn preferred(headers: &HeaderMap, name: &str, before_weight: &str) -> Option<DigestAlgorithm> {
    let mut best: Option<(f32, DigestAlgorithm)> = None;
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    for item in values.flat_map(|value| value.split(',')) {
        let item: String = item.chars().filter(|c| !c.is_whitespace()).collect();
        let (algorithm, weight) = item.split_once(before_weight).unwrap_or((&item, "1"));
        let Ok(algorithm) = algorithm.parse::<DigestAlgorithm>() else { continue };
        let weight = weight.parse::<f32>().unwrap_or(0.0);
        if weight > best.map_or(0.0, |(weight, _)| weight) {
            best = Some((weight, algorithm));
        }
    }
    best.map(|(_, algorithm)| algorithm)
}

/// Adds the digests of the whole file to a successful response, also to that of a range.
pub(crate) async fn add(response: &mut Response<Body>, wanted: Wanted, file: PathBuf) {
    if wanted == Wanted::default()
        || !matches!(response.status(), StatusCode::OK | StatusCode::PARTIAL_CONTENT)
    {
        return;
    }
    let both = tokio::task::spawn_blocking(move || {
        let digest = |algorithm| digest_of_file(&file, algorithm).ok();
        (wanted.digest.and_then(digest), wanted.repr_digest.and_then(digest))
    });
    let (digest, repr_digest) = both.await.unwrap_or_default();
    let mut insert = |name, value: Option<String>| {
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            response.headers_mut().insert(name, value);
        }
    };
    insert("digest", digest.map(|digest| format!("{}={}", digest.algorithm(), rfc_3230(&digest))));
    insert(
        "repr-digest",
        repr_digest.map(|digest| format!("{}=:{}:", rfc_9530(&digest), digest.to_base64())),
    );
}

/// Returns the value in the encoding that the algorithm has in the registry of RFC 3230.
fn rfc_3230(digest: &Digest) -> String {
    if digest.algorithm().length() == 4 { digest.to_hex() } else { digest.to_base64() }
}

/// Returns the algorithm's name in the registry of RFC 9530.
fn rfc_9530(digest: &Digest) -> &'static str {
    match digest.algorithm() {
        DigestAlgorithm::Adler32 => "adler",
        other => other.name(),
    }
}

fn digest_of_file(file: &PathBuf, algorithm: DigestAlgorithm) -> io::Result<Digest> {
    let mut file = fs_err::File::open(file)?;
    let mut running = RunningDigest::new(algorithm);
    let mut buffer = vec![0; 256 * 1024];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(running.finish()),
            length => running.update(&buffer[..length]),
        }
    }
}
