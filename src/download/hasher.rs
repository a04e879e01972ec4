//! Checksums in one pass, while the data is written.

use std::fmt;
use std::fs::File;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use crc_fast::CrcAlgorithm;
use md5::Digest as _;

use super::position::read_at;
use super::{Digest, DigestAlgorithm};

/// Buffer for reading back what is already in the file.
const READ_BACK: usize = 256 * 1024;

/// One running checksum.
pub(super) enum Running {
    Adler32(simd_adler32::Adler32),
    Crc(DigestAlgorithm, Box<crc_fast::Digest>),
    Md5(md5::Md5),
    Sha1(sha1::Sha1),
    Sha256(sha2::Sha256),
    Sha512(Box<sha2::Sha512>),
}

impl Running {
    pub(super) fn new(algorithm: DigestAlgorithm) -> Self {
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

    pub(super) fn update(&mut self, data: &[u8]) {
        match self {
            Self::Adler32(running) => running.write(data),
            Self::Crc(_, running) => running.update(data),
            Self::Md5(running) => running.update(data),
            Self::Sha1(running) => running.update(data),
            Self::Sha256(running) => running.update(data),
            Self::Sha512(running) => running.update(data),
        }
    }

    pub(super) fn finish(self) -> Digest {
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

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Running")
    }
}

/// The checksum of data in memory.
pub(super) fn digest_of(algorithm: DigestAlgorithm, data: &[u8]) -> Digest {
    let mut running = Running::new(algorithm);
    running.update(data);
    running.finish()
}

/// The checksum of a file on disk, read from its start to its end.
pub(super) fn digest_of_file(algorithm: DigestAlgorithm, file: &File) -> io::Result<Digest> {
    let mut hashing = Hashing::inline(algorithm);
    let length = file.metadata()?.len();
    hashing.read_back(file, length)?;
    Ok(hashing.running.finish())
}

/// A checksum that follows a file while it is written.
///
/// Data that comes in order is taken from memory. What came out of order (ranges, an earlier run) is read back
/// from the file, which the system still has in memory. A hash that is slower than a network runs on a thread of its
/// own and reads the file behind the writer, so that it never holds the socket up and holds no memory.
#[derive(Debug)]
pub(super) enum Follower {
    Inline(Hashing),
    Beside(Beside),
}

impl Follower {
    /// Starts at the file's first byte.
    pub(super) fn start(algorithm: DigestAlgorithm, file: Option<&Arc<File>>, is_long: IsLong) -> Self {
        match (file, is_long) {
            (Some(file), IsLong::Yes) if !algorithm.is_cheap() => {
                match Beside::start(algorithm, Arc::clone(file)) {
                    Ok(beside) => Self::Beside(beside),
                    // No thread to be had: then it is computed here.
                    Err(_) => Self::Inline(Hashing::inline(algorithm)),
                }
            }
            _ => Self::Inline(Hashing::inline(algorithm)),
        }
    }

    /// Tells that `data` stands at `offset` now, and that everything below `prefix` is there.
    pub(super) fn wrote(&mut self, offset: u64, data: &[u8], prefix: u64) {
        match self {
            Self::Inline(hashing) => hashing.wrote(offset, data),
            Self::Beside(beside) => beside.shared.advance(prefix),
        }
    }

    /// Whether the checksum of the first `length` bytes needs no more reading.
    pub(super) fn is_done_at(&self, length: u64) -> bool {
        matches!(self, Self::Inline(hashing) if hashing.at == length)
    }

    /// The checksum of the first `length` bytes, all of which are there now.
    pub(super) fn finish(self, file: Option<&File>, length: u64) -> io::Result<Digest> {
        match self {
            Self::Inline(mut hashing) => {
                if hashing.at < length {
                    let file = file.ok_or_else(|| io::Error::other("a stream cannot be read back"))?;
                    hashing.read_back(file, length)?;
                }
                Ok(hashing.running.finish())
            }
            Self::Beside(beside) => beside.finish(length),
        }
    }
}

/// Whether a file is long enough to be worth a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum IsLong {
    Yes,
    No,
}

#[derive(Debug)]
pub(super) struct Hashing {
    running: Running,
    at: u64,
}

impl Hashing {
    fn inline(algorithm: DigestAlgorithm) -> Self {
        Self { running: Running::new(algorithm), at: 0 }
    }

    fn wrote(&mut self, offset: u64, data: &[u8]) {
        if offset == self.at {
            self.running.update(data);
            self.at += data.len() as u64;
        }
    }

    fn read_back(&mut self, file: &File, until: u64) -> io::Result<()> {
        let mut buffer = vec![0; READ_BACK];
        while self.at < until {
            let wanted = usize::try_from(until - self.at).unwrap_or(READ_BACK).min(READ_BACK);
            let got = read_at(file, &mut buffer[..wanted], self.at)?;
            if got == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file got shorter meanwhile"));
            }
            self.running.update(&buffer[..got]);
            self.at += got as u64;
        }
        Ok(())
    }
}

/// A hash on a thread of its own.
#[derive(Debug)]
pub(super) struct Beside {
    shared: Arc<Watermark>,
    thread: Option<JoinHandle<io::Result<Digest>>>,
}

#[derive(Debug, Default)]
struct Watermark {
    state: Mutex<WatermarkState>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct WatermarkState {
    readable: u64,
    end: Option<u64>,
    abandoned: bool,
}

impl Watermark {
    fn lock(&self) -> MutexGuard<'_, WatermarkState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn advance(&self, prefix: u64) {
        /// Waking the thread for every piece would cost more than hashing it.
        const STEP: u64 = 1024 * 1024;
        let mut state = self.lock();
        let before = state.readable;
        state.readable = prefix.max(before);
        if state.readable / STEP != before / STEP {
            self.moved.notify_one();
        }
    }
}

impl Beside {
    fn start(algorithm: DigestAlgorithm, file: Arc<File>) -> io::Result<Self> {
        let shared = Arc::new(Watermark::default());
        let watermark = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("checksum".to_owned())
            .spawn(move || Self::follow(algorithm, &file, &watermark))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    fn follow(algorithm: DigestAlgorithm, file: &File, watermark: &Watermark) -> io::Result<Digest> {
        let mut hashing = Hashing::inline(algorithm);
        loop {
            let until = {
                let mut state = watermark.lock();
                loop {
                    if state.abandoned {
                        return Err(io::Error::other("nobody wants the checksum any more"));
                    }
                    if state.readable > hashing.at || state.end.is_some_and(|end| end <= hashing.at) {
                        break state.readable;
                    }
                    state = watermark.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            };
            if until <= hashing.at {
                return Ok(hashing.running.finish());
            }
            hashing.read_back(file, until.min(hashing.at + 16 * READ_BACK as u64))?;
        }
    }

    fn finish(mut self, length: u64) -> io::Result<Digest> {
        {
            let mut state = self.shared.lock();
            state.readable = length;
            state.end = Some(length);
        }
        self.shared.moved.notify_one();
        let thread = self.thread.take().ok_or_else(|| io::Error::other("the checksum was taken already"))?;
        thread.join().map_err(|_| io::Error::other("the checksum's thread panicked"))?
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.shared.lock().abandoned = true;
        self.shared.moved.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

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

    #[test]
    fn data_out_of_order_gives_the_same_checksum_as_data_in_order() {
        let data: Vec<u8> = (0..3_000_000_u32).map(|n| u8::try_from(n * 7 % 251).unwrap()).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&data).unwrap();
        let file = Arc::new(file);
        for algorithm in DigestAlgorithm::ALL {
            for is_long in [IsLong::Yes, IsLong::No] {
                let mut follower = Follower::start(algorithm, Some(&file), is_long);
                follower.wrote(0, &data[..1_000_000], 1_000_000);
                follower.wrote(2_000_000, &data[2_000_000..], 1_000_000);
                follower.wrote(1_000_000, &data[1_000_000..2_000_000], 3_000_000);
                let digest = follower.finish(Some(&file), 3_000_000).unwrap();
                assert_eq!(digest, digest_of(algorithm, &data), "{algorithm} {is_long:?}");
            }
        }
    }

    #[test]
    fn a_file_that_got_shorter_is_an_error_and_not_a_checksum() {
        let file = Arc::new(tempfile::tempfile().unwrap());
        for algorithm in [DigestAlgorithm::Adler32, DigestAlgorithm::Sha256] {
            let follower = Follower::start(algorithm, Some(&file), IsLong::Yes);
            assert!(follower.finish(Some(&file), 5).is_err());
        }
    }

    #[test]
    fn an_abandoned_checksum_ends_its_thread() {
        let file = Arc::new(tempfile::tempfile().unwrap());
        let follower = Follower::start(DigestAlgorithm::Sha512, Some(&file), IsLong::Yes);
        drop(follower);
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
