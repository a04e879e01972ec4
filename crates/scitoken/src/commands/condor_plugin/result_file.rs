//! The file of the results.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use scitoken_types::files::open_output;
use tempfile::NamedTempFile;

use super::result::Transferred;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;

/// The file of the results, which has each of them as soon as it is known: HTCondor reads it also after a kill.
#[derive(Debug)]
pub(super) struct ResultFile(Mutex<State>);

#[derive(Debug)]
struct State {
    file: File,
    path: PathBuf,
    /// The results by number.
    texts: BTreeMap<usize, String>,
    exit: Exit,
    /// Whether all failed transfers may succeed later.
    all_may_pass: bool,
    error: Option<io::Error>,
}

impl ResultFile {
    /// Creates the file, or empties it.
    pub(super) fn create(path: &Path) -> Result<Self, Failure> {
        let state = State {
            file: open_output(path).map_err(|error| {
                let message = format!("failed to open `{}`", path.display());
                Failure::new(Exit::Local, message).with_cause(&error.to_string())
            })?,
            path: path.to_owned(),
            texts: BTreeMap::new(),
            exit: Exit::Ok,
            all_may_pass: true,
            error: None,
        };
        Ok(Self(Mutex::new(state)))
    }

    /// Writes a result, with secrets masked. A failure is reported by [`finish`](Self::finish).
    pub(super) fn add(&self, result: &Transferred) {
        let mut state = self.state();
        state.exit = state.exit.more_severe(result.exit);
        state.all_may_pass &= result.exit == Exit::Ok || result.retryable;
        let text = output::redacted(&result.to_string());
        state.texts.insert(result.number, text.clone());
        let written = state.file.write_all(text.as_bytes()).and_then(|()| state.file.flush());
        if let Err(error) = written {
            state.error.get_or_insert(error);
        }
    }

    /// Returns whether the file has a result with this number.
    pub(super) fn has(&self, number: usize) -> bool {
        self.state().texts.contains_key(&number)
    }

    /// Returns whether all failed transfers may succeed later.
    pub(super) fn all_may_pass(&self) -> bool {
        self.state().all_may_pass
    }

    /// Puts the results into the order of the ads, and returns the most severe exit code or the first failure to write.
    pub(super) fn finish(&self) -> Result<Exit, Failure> {
        let mut state = self.state();
        if let Some(error) = state.error.take() {
            let message = format!("failed to write `{}`", state.path.display());
            return Err(Failure::new(Exit::Local, message).with_cause(&error.to_string()));
        }
        let is_sorted = state.texts.len() < 2 || !state.file.metadata()?.is_file();
        if !is_sorted {
            let directory = state.path.parent().filter(|parent| !parent.as_os_str().is_empty());
            let mut sorted = NamedTempFile::new_in(directory.unwrap_or(Path::new(".")))?;
            sorted.write_all(state.texts.values().cloned().collect::<String>().as_bytes())?;
            let permissions = state.file.metadata()?.permissions();
            sorted.as_file().set_permissions(permissions)?;
            sorted.persist(&state.path).map_err(|error| error.error)?;
        }
        Ok(state.exit)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
