//! What became of a run.

use std::io::{self, Write as _};

use reqwest_scitokens::download::Downloaded;
use serde_json::json;

use crate::engine::graver;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::Json;

#[derive(Debug)]
pub(super) struct Outcome {
    exit: Exit,
    files: u64,
    bytes: u64,
    failures: u64,
    /// The first ones; a run of a hundred thousand files may have as many.
    kept: Vec<Failure>,
}

impl Default for Outcome {
    fn default() -> Self {
        Self { exit: Exit::Ok, files: 0, bytes: 0, failures: 0, kept: Vec::new() }
    }
}

impl Outcome {
    pub(super) fn succeeded(&mut self, file: &Downloaded) {
        self.files += 1;
        self.bytes += file.length;
    }

    pub(super) fn failed(&mut self, failure: Failure) {
        self.failures += 1;
        self.exit = graver(self.exit, failure.exit());
        if self.kept.len() < 100 {
            self.kept.push(failure);
        }
    }

    pub(super) fn exit(&self) -> Exit {
        self.exit
    }

    /// Tells what failed: to people with what to do about it, to programs in one line.
    pub(super) fn report(&self, json: Json) {
        for failure in &self.kept {
            let _ = failure.report();
        }
        if self.failures > self.kept.len() as u64 {
            let more = self.failures - self.kept.len() as u64;
            let _ = Failure::new(Exit::Local, format!("and {more} more files failed")).report();
        }
        let summary = json!({
            "event": "summary", "files": self.files, "failed": self.failures, "bytes": self.bytes,
            "exit": self.exit as u8,
        });
        let line = format!("{summary}\n");
        let _ = match json {
            Json::No => Ok(()),
            Json::Stdout => io::stdout().write_all(line.as_bytes()),
            Json::Stderr => io::stderr().write_all(line.as_bytes()),
        };
    }
}
