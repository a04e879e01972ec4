//! A checksum that follows a file while it is written.

use std::fs::File;
use std::io;
use std::sync::Arc;

use crate::digest::algorithm::DigestAlgorithm;
use crate::digest::hash_thread::HashThread;
use crate::digest::hasher::SequentialHasher;
use crate::digest::value::Digest;

/// A checksum that follows a file while it is written.
///
/// Data that arrives in order is hashed from memory. Data that arrived out of order (ranges, an earlier run) is read
/// back from the file, which the system still caches. A hash that is slower than a network runs on a thread of its
/// own and reads the file behind the writer, so that it neither delays the socket nor uses memory.
#[derive(Debug)]
pub(crate) enum StreamingHasher {
    Inline(SequentialHasher),
    Thread(HashThread),
}

impl StreamingHasher {
    /// Starts a checksum at the file's first byte.
    pub(crate) fn start(algorithm: DigestAlgorithm, file: Option<&Arc<File>>, is_long: bool) -> Self {
        match (file, is_long) {
            (Some(file), true) if !algorithm.is_cheap() => {
                match HashThread::start(algorithm, Arc::clone(file)) {
                    Ok(thread) => Self::Thread(thread),
                    // Without another thread the checksum is computed here.
                    Err(_) => Self::Inline(SequentialHasher::inline(algorithm)),
                }
            }
            _ => Self::Inline(SequentialHasher::inline(algorithm)),
        }
    }

    /// Records that `data` was written at `offset` and that the file is complete up to `prefix`.
    pub(crate) fn wrote(&mut self, offset: u64, data: &[u8], prefix: u64) {
        match self {
            Self::Inline(hashing) => hashing.wrote(offset, data),
            Self::Thread(thread) => thread.shared.advance(prefix),
        }
    }

    /// Returns whether the checksum of the first `length` bytes needs no more reading.
    pub(crate) fn is_done_at(&self, length: u64) -> bool {
        matches!(self, Self::Inline(hashing) if hashing.at == length)
    }

    /// Returns the checksum of the first `length` bytes, all of which are written.
    pub(crate) fn finish(self, file: Option<&File>, length: u64) -> io::Result<Digest> {
        match self {
            Self::Inline(mut hashing) => {
                if hashing.at < length {
                    let file = file.ok_or_else(|| io::Error::other("cannot read back a stream"))?;
                    hashing.read_back(file, length)?;
                }
                Ok(hashing.running.finish())
            }
            Self::Thread(thread) => thread.finish(length),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::digest::hasher::digest_of;

    #[test]
    fn data_out_of_order_gives_the_same_checksum_as_data_in_order() {
        let data: Vec<u8> = (0..3_000_000_u32).map(|n| u8::try_from(n * 7 % 251).unwrap()).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&data).unwrap();
        let file = Arc::new(file);
        for algorithm in DigestAlgorithm::ALL {
            for is_long in [true, false] {
                let mut hasher = StreamingHasher::start(algorithm, Some(&file), is_long);
                hasher.wrote(0, &data[..1_000_000], 1_000_000);
                hasher.wrote(2_000_000, &data[2_000_000..], 1_000_000);
                hasher.wrote(1_000_000, &data[1_000_000..2_000_000], 3_000_000);
                let digest = hasher.finish(Some(&file), 3_000_000).unwrap();
                assert_eq!(digest, digest_of(algorithm, &data), "{algorithm} {is_long}");
            }
        }
    }

    #[test]
    fn a_file_that_got_shorter_is_an_error_and_not_a_checksum() {
        let file = Arc::new(tempfile::tempfile().unwrap());
        for algorithm in [DigestAlgorithm::Adler32, DigestAlgorithm::Sha256] {
            let hasher = StreamingHasher::start(algorithm, Some(&file), true);
            assert!(hasher.finish(Some(&file), 5).is_err());
        }
    }

    #[test]
    fn an_abandoned_checksum_ends_its_thread() {
        let file = Arc::new(tempfile::tempfile().unwrap());
        let hasher = StreamingHasher::start(DigestAlgorithm::Sha512, Some(&file), true);
        drop(hasher);
        // The thread holds the file; it lets go when it ends.
        for _ in 0..500 {
            if Arc::strong_count(&file) == 1 {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("the thread is still there");
    }
}
