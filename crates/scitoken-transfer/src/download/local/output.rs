//! Where the data goes: into an unfinished file or a stream.

use std::fmt;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use crate::download::job::IfExists;
use crate::download::local::checkpoint::Checkpoint;
use crate::download::local::part_file::{PartFile, WORTH_SYNCING};
use crate::download::local::sidecar::Sidecar;
use crate::download::local::small_file::{Fits, SmallFile};
use crate::error::{FailureKind, RetryAction, TransferError};
use crate::hint::TransferHint;

/// The target of a transfer.
#[derive(Debug)]
pub(crate) enum Output {
    Small(SmallFile),
    Part(Box<PartFile>),
    Stream(StreamOutput),
}

/// A stream. Written data cannot be taken back, so a transfer that would have to restart fails.
pub(crate) struct StreamOutput {
    writer: Box<dyn Write + Send>,
    at: u64,
}

impl StreamOutput {
    pub(crate) fn new(writer: impl Write + Send + 'static) -> Self {
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
    /// Returns the file, for reading back.
    pub(crate) fn file(&self) -> Option<&Arc<File>> {
        match self {
            Self::Part(part) => Some(part.file()),
            Self::Small(_) | Self::Stream(_) => None,
        }
    }

    /// Returns whether what is unfinished has the name by which a later run finds it.
    pub(crate) fn outlives_run(&self) -> bool {
        matches!(self, Self::Part(part) if part.outlives_run())
    }

    /// Returns a checkpoint that may write the state now.
    pub(crate) fn checkpoint(&mut self, sidecar: &mut Sidecar) -> Option<Checkpoint> {
        // A small file that takes so long is worth resuming.
        self.leave_memory().ok()?;
        match self {
            Self::Part(part) => part.checkpoint(sidecar),
            Self::Small(_) | Self::Stream(_) => None,
        }
    }

    /// Puts a file that is still in memory on the disk, from where it can be resumed and read back.
    pub(crate) fn leave_memory(&mut self) -> Result<(), TransferError> {
        if let Self::Small(small) = self {
            *self = Self::Part(small.open_part()?);
        }
        Ok(())
    }

    /// Discards all data.
    pub(crate) fn restart(&mut self, length: Option<u64>) -> Result<(), TransferError> {
        match self {
            Self::Small(small) => match small.restart(length) {
                Fits::Yes => Ok(()),
                Fits::No => self.leave_memory(),
            },
            Self::Part(part) => part.restart(length),
            Self::Stream(stream) if stream.at == 0 => Ok(()),
            Self::Stream(_) => Err(gone()),
        }
    }

    pub(crate) fn write(&mut self, data: &[u8], offset: u64) -> Result<(), TransferError> {
        match self {
            Self::Small(small) => match small.append(data, offset) {
                Fits::Yes => Ok(()),
                Fits::No => {
                    self.leave_memory()?;
                    self.write(data, offset)
                }
            },
            Self::Part(part) => part.write(data, offset),
            Self::Stream(stream) => stream.write(data, offset),
        }
    }

    /// Renames the file to its target and returns that.
    pub(crate) fn finish(self, length: u64, existing: IfExists) -> Result<Option<PathBuf>, TransferError> {
        match self {
            Self::Small(mut small) => match small.name(length) {
                Ok(path) => Ok(Some(path)),
                Err(_) => small.open_part()?.finish(length, existing).map(Some),
            },
            Self::Part(part) => part.finish(length, existing).map(Some),
            Self::Stream(mut stream) => stream.writer.flush().map(|()| None).map_err(failed),
        }
    }

    /// Whether ending it waits for the disk.
    pub(crate) fn is_slow_to_end(&self, length: u64) -> bool {
        matches!(self, Self::Part(_)) && length > WORTH_SYNCING
    }

    /// Keeps what a later run can resume, or removes everything.
    pub(crate) fn abandon(self, sidecar: Option<Sidecar>) -> Result<(), TransferError> {
        match (self, sidecar) {
            (Self::Small(mut small), Some(sidecar)) => small.open_part()?.keep(sidecar),
            (Self::Part(part), Some(sidecar)) => part.keep(sidecar),
            (Self::Part(part), None) => {
                part.discard();
                Ok(())
            }
            (Self::Small(_), None) | (Self::Stream(_), _) => Ok(()),
        }
    }
}

fn failed(error: std::io::Error) -> TransferError {
    TransferError::new(FailureKind::Local, RetryAction::GiveUp, "failed to write to the stream")
        .with_source(error)
}

fn gone() -> TransferError {
    let message =
        "the transfer would have to restart, and data already written to the stream cannot be taken back";
    TransferError::new(FailureKind::Incomplete, RetryAction::GiveUp, message)
        .with_hint(TransferHint::WriteToFile)
}

impl fmt::Debug for StreamOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamOutput").field("at", &self.at).finish_non_exhaustive()
    }
}
