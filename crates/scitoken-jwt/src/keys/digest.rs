//! Hashes: the names of keys and tokens, and thumbprints.

use aws_lc_rs::digest::{SHA256, digest as hash};

/// Returns the SHA-256 of these bytes: a name for a token or key that can be kept and shown in its place.
///
/// ```
/// use scitoken_jwt::keys::sha256;
///
/// assert_eq!(sha256("abc")[..4], [0xba, 0x78, 0x16, 0xbf]);
/// ```
pub fn sha256(bytes: impl AsRef<[u8]>) -> [u8; 32] {
    let mut name = [0; 32];
    name.copy_from_slice(hash(&SHA256, bytes.as_ref()).as_ref());
    name
}

/// Returns the SHA-256 of these parts, each preceded by its length: no other parts have the same one.
#[cfg(feature = "jsonwebtoken")]
pub(crate) fn sha256_of_parts(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = aws_lc_rs::digest::Context::new(&SHA256);
    for part in parts {
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut name = [0; 32];
    name.copy_from_slice(hash.finish().as_ref());
    name
}

/// A hash of the SHA-2 family.
#[cfg(feature = "jsonwebtoken")]
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sha2 {
    Sha256,
    Sha384,
    Sha512,
}

#[cfg(feature = "jsonwebtoken")]
pub(crate) fn digest(algorithm: Sha2, bytes: &[u8]) -> Vec<u8> {
    use aws_lc_rs::digest::{SHA384, SHA512};
    let algorithm = match algorithm {
        Sha2::Sha256 => &SHA256,
        Sha2::Sha384 => &SHA384,
        Sha2::Sha512 => &SHA512,
    };
    hash(algorithm, bytes).as_ref().to_vec()
}
