//! Peers: how they are found, and what happens without them.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use reqwest_scitokens::sys::Env;

/// Whether the peer is there. If not, the test says so and ends, or fails where peers are required.
#[expect(clippy::print_stderr, reason = "a test that was skipped has to say so")]
pub(crate) fn peer<T>(name: &str, found: Option<T>) -> Option<T> {
    let required = Env::process().get("SCITOKEN_INTEROP").is_some_and(|value| value == "required");
    assert!(found.is_some() || !required, "`{name}` is required and not there");
    if found.is_none() {
        eprintln!("skipped: `{name}` is not there");
    }
    found
}

/// The Python that has these modules: the one of `SCITOKEN_PYTHON`, else `python3`.
pub(crate) fn python_with(modules: &[&str]) -> Option<PathBuf> {
    let python = Env::process().get_non_empty("SCITOKEN_PYTHON").unwrap_or_else(|| "python3".into());
    let imports = format!("import {}", modules.join(", "));
    let found = Command::new(&python)
        .args(["-c", &imports])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    peer(&format!("python3 with {}", modules.join(", ")), found.then(|| python.into()))
}

/// A Python program that answers each line with a line.
pub(crate) struct Oracle {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Oracle {
    /// Starts a script of this folder.
    pub(crate) fn start(python: &Path, script: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(script);
        let mut child = Command::new(python)
            .arg("-u")
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python was there a moment ago");
        let questions = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("stdout is piped"));
        Self { child, questions, answers }
    }

    /// The answer to one question, both JSON.
    pub(crate) fn ask(&mut self, question: &serde_json::Value) -> serde_json::Value {
        let questions = self.questions.as_mut().expect("the oracle has not ended");
        writeln!(questions, "{question}").expect("the oracle listens");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("the oracle answers");
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error} in {answer:?} to {question}"))
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        drop(self.questions.take());
        let _ = self.child.wait();
    }
}
