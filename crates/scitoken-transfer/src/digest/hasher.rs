//! Checksum algorithms, computed in one pass.

use std::fmt;
use std::fs::File;
use std::io;
use std::sync::Arc;

use crc_fast::CrcAlgorithm;
use md5::Digest as _;

use crate::digest::algorithm::DigestAlgorithm;
use crate::digest::value::Digest;
use crate::disk::positioned_io::read_at;

/// Buffer size for reading back written data.
pub(crate) const READ_BACK: usize = 256 * 1024;
/// After so many bytes a checksum looks whether it is still wanted.
const STEP: u64 = 16 * READ_BACK as u64;

/// A checksum in progress.
pub(crate) enum Hasher {
    Adler32(simd_adler32::Adler32),
    Crc(DigestAlgorithm, Box<crc_fast::Digest>),
    Md5(md5::Md5),
    Sha1(sha1::Sha1),
    Sha256(sha2::Sha256),
    Sha512(Box<sha2::Sha512>),
}

impl Hasher {
    pub(crate) fn new(algorithm: DigestAlgorithm) -> Self {
        let crc = |which| Self::Crc(algorithm, Box::new(crc_fast::Digest::new(which)));
        match algorithm {
            DigestAlgorithm::Adler32 => Self::Adler32(simd_adler32::Adler32::new()),
            DigestAlgorithm::Crc32 => crc(CrcAlgorithm::Crc32IsoHdlc),
            DigestAlgorithm::Crc32c => crc(CrcAlgorithm::Crc32Iscsi),
            DigestAlgorithm::Md5 => Self::Md5(md5::Md5::new()),
            DigestAlgorithm::Sha1 => Self::Sha1(sha1::Sha1::new()),
            DigestAlgorithm::Sha256 => Self::Sha256(sha2::Sha256::new()),
            DigestAlgorithm::Sha512 => Self::Sha512(Box::new(sha2::Sha512::new())),
        }
    }

    pub(crate) fn update(&mut self, data: &[u8]) {
        match self {
            Self::Adler32(running) => running.write(data),
            Self::Crc(_, running) => running.update(data),
            Self::Md5(running) => running.update(data),
            Self::Sha1(running) => running.update(data),
            Self::Sha256(running) => running.update(data),
            Self::Sha512(running) => running.update(data),
        }
    }

    pub(crate) fn finish(self) -> Digest {
        let (algorithm, value): (_, Box<[u8]>) = match self {
            Self::Adler32(running) => (DigestAlgorithm::Adler32, Box::new(running.finish().to_be_bytes())),
            Self::Crc(algorithm, running) => {
                // A 32-bit CRC stands in the low half.
                (algorithm, Box::from(&running.finalize().to_be_bytes()[4..]))
            }
            Self::Md5(running) => (DigestAlgorithm::Md5, running.finalize().as_slice().into()),
            Self::Sha1(running) => (DigestAlgorithm::Sha1, running.finalize().as_slice().into()),
            Self::Sha256(running) => (DigestAlgorithm::Sha256, running.finalize().as_slice().into()),
            Self::Sha512(running) => (DigestAlgorithm::Sha512, running.finalize().as_slice().into()),
        };
        Digest::from_bytes(algorithm, value).expect("every hash has its algorithm's length")
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hasher")
    }
}

/// Computes the checksum of data in memory.
pub(crate) fn digest_of(algorithm: DigestAlgorithm, data: &[u8]) -> Digest {
    let mut running = Hasher::new(algorithm);
    running.update(data);
    running.finish()
}

/// Computes the checksum of a file on disk, on another thread. The thread ends soon after the future is dropped.
pub(crate) async fn digest_of_file(algorithm: DigestAlgorithm, file: Arc<File>) -> io::Result<Digest> {
    let waits = Arc::new(());
    let is_abandoned = Arc::downgrade(&waits);
    let hashing = tokio::task::spawn_blocking(move || {
        let mut hashing = SequentialHasher::inline(algorithm);
        let length = file.metadata()?.len();
        while hashing.at < length {
            if is_abandoned.strong_count() == 0 {
                return Err(io::Error::other("the checksum was abandoned"));
            }
            let step = hashing.at.saturating_add(STEP).min(length);
            hashing.read_back(&file, step)?;
        }
        Ok(hashing.running.finish())
    });
    let digest = hashing.await.unwrap_or_else(|error| Err(io::Error::other(error)));
    drop(waits);
    digest
}

#[derive(Debug)]
pub(crate) struct SequentialHasher {
    pub(crate) running: Hasher,
    pub(crate) at: u64,
}

impl SequentialHasher {
    pub(crate) fn inline(algorithm: DigestAlgorithm) -> Self {
        Self { running: Hasher::new(algorithm), at: 0 }
    }

    pub(crate) fn wrote(&mut self, offset: u64, data: &[u8]) {
        if offset == self.at {
            self.running.update(data);
            self.at += data.len() as u64;
        }
    }

    pub(crate) fn read_back(&mut self, file: &File, until: u64) -> io::Result<()> {
        let mut buffer = vec![0; READ_BACK];
        while self.at < until {
            let wanted = usize::try_from(until - self.at).unwrap_or(READ_BACK).min(READ_BACK);
            let got = read_at(file, &mut buffer[..wanted], self.at)?;
            if got == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file was truncated meanwhile"));
            }
            self.running.update(&buffer[..got]);
            self.at += got as u64;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    #[tokio::test]
    async fn a_checksum_that_is_no_longer_wanted_ends() {
        let file = tempfile::tempfile().unwrap();
        // A hole, which takes hours to read.
        file.set_len(1 << 42).unwrap();
        let file = Arc::new(file);
        let mut hashing = Box::pin(digest_of_file(DigestAlgorithm::Adler32, Arc::clone(&file)));
        let is_done = futures_util::poll!(&mut hashing).is_ready();
        assert!(!is_done);
        drop(hashing);
        // The thread holds the file; it lets go when it ends.
        let ends = async {
            while Arc::strong_count(&file) > 1 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), ends).await.unwrap();
    }

    #[test]
    fn the_check_values_of_the_catalogues_come_out() {
        let data = b"123456789";
        for (algorithm, expected) in [
            (DigestAlgorithm::Adler32, "091e01de"),
            (DigestAlgorithm::Crc32, "cbf43926"),
            (DigestAlgorithm::Crc32c, "e3069283"),
            (DigestAlgorithm::Md5, "25f9e794323b453885f5181f1b624d0b"),
            (DigestAlgorithm::Sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
            (DigestAlgorithm::Sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
        ] {
            assert_eq!(digest_of(algorithm, data).to_hex(), expected, "{algorithm}");
        }
        // XRootD's answers for a file of 16 bytes, as recorded.
        let hello = b"hello scitokens\n";
        assert_eq!(digest_of(DigestAlgorithm::Adler32, hello).to_hex(), "355f0612");
        assert_eq!(digest_of(DigestAlgorithm::Crc32c, hello).to_hex(), "3a2093a7");
    }
}
