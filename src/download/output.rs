//! Where the bytes go: into an unfinished file, or out of our hands.

use std::fmt;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use super::checkpoint::Checkpoint;
use super::error::{FailureKind, Remedy, TransferError};
use super::job::Existing;
use super::part::{PartFile, WORTH_SYNCING};
use super::sidecar::Sidecar;

/// The target of a transfer.
#[derive(Debug)]
pub(super) enum Output {
    Part(PartFile),
    Stream(Stream),
}

/// A stream: what was written cannot be taken back, so nothing that would have to be is ever retried.
pub(super) struct Stream {
    writer: Box<dyn Write + Send>,
    at: u64,
}

impl Stream {
    pub(super) fn new(writer: impl Write + Send + 'static) -> Self {
        Self { writer: Box::new(writer), at: 0 }
    }

    fn write(&mut self, data: &[u8], offset: u64) -> Result<(), TransferError> {
        if offset != self.at {
            return Err(gone());
        }
        self.writer.write_all(data).map_err(failed)?;
        self.at += data.len() as u64;
        Ok(())
    }
}

impl Output {
    /// The file, for those who read along.
    pub(super) fn file(&self) -> Option<&Arc<File>> {
        match self {
            Self::Part(part) => Some(part.file()),
            Self::Stream(_) => None,
        }
    }

    /// The leave to write the state of the unfinished file down now.
    pub(super) fn checkpoint(&mut self, sidecar: &mut Sidecar) -> Option<Checkpoint> {
        match self {
            Self::Part(part) => part.checkpoint(sidecar),
            Self::Stream(_) => None,
        }
    }

    /// Forgets what is there.
    pub(super) fn restart(&mut self, length: Option<u64>) -> Result<(), TransferError> {
        match self {
            Self::Part(part) => part.restart(length),
            Self::Stream(stream) if stream.at == 0 => Ok(()),
            Self::Stream(_) => Err(gone()),
        }
    }

    pub(super) fn write(&mut self, data: &[u8], offset: u64) -> Result<(), TransferError> {
        match self {
            Self::Part(part) => part.write(data, offset),
            Self::Stream(stream) => stream.write(data, offset),
        }
    }

    /// Gives the file its name, and tells it.
    pub(super) fn finish(self, length: u64, existing: Existing) -> Result<Option<PathBuf>, TransferError> {
        match self {
            Self::Part(part) => part.finish(length, existing).map(Some),
            Self::Stream(mut stream) => stream.writer.flush().map(|()| None).map_err(failed),
        }
    }

    /// Whether its end waits for the disk, so that it is better done beside the other transfers.
    pub(super) fn is_slow_to_end(&self, length: u64) -> bool {
        matches!(self, Self::Part(_)) && length > WORTH_SYNCING
    }

    /// Leaves what a later run can go on from, or nothing.
    pub(super) fn give_up(self, sidecar: Option<Sidecar>) -> Result<(), TransferError> {
        match (self, sidecar) {
            (Self::Part(part), Some(sidecar)) => part.keep(sidecar),
            (Self::Part(part), None) => {
                part.discard();
                Ok(())
            }
            (Self::Stream(_), _) => Ok(()),
        }
    }
}

fn failed(error: std::io::Error) -> TransferError {
    TransferError::new(FailureKind::Local, Remedy::Nothing, "cannot write the data on").with_source(error)
}

fn gone() -> TransferError {
    let message =
        "the transfer would have to begin anew, and what was written to the stream cannot be taken back";
    TransferError::new(FailureKind::Incomplete, Remedy::Nothing, message)
        .with_hint("write to a file with `-o FILE`")
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("at", &self.at).finish_non_exhaustive()
    }
}
