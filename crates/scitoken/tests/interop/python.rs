//! Peers that are Python libraries, asked over a pipe.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use scitoken_types::sys::Env;
use serde_json::Value;

/// A Python program of this folder that answers each line of JSON with a line of JSON.
pub(crate) struct Oracle {
    child: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Oracle {
    /// Starts a script with the Python of `SCITOKEN_PYTHON`, else with `python3`.
    ///
    /// # Errors
    /// Why not, if that Python has not what the `check` imports or asserts.
    pub(crate) fn start(script: &str, check: &str) -> Result<Self, String> {
        runs(check)?;
        let python = python();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop").join(script);
        let mut child = Command::new(python)
            .arg("-u")
            .arg(path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let questions = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().expect("stdout is piped"));
        Ok(Self { child, questions, answers })
    }

    /// The answer to one question.
    pub(crate) fn ask(&mut self, question: &Value) -> Value {
        let questions = self.questions.as_mut().expect("the pipe is open until the oracle is dropped");
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

/// Fails with the reason if that Python has not what the `check` imports or asserts.
pub(crate) fn runs(check: &str) -> Result<(), String> {
    crate::support::look_for_peers()?;
    let python = python();
    match Command::new(&python).args(["-c", check]).stderr(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(format!("`{}` fails at `{check}`", python.display())),
        Err(error) => Err(format!("`{}`: {error}", python.display())),
    }
}

pub(crate) fn python() -> OsString {
    Env::process().get_non_empty("SCITOKEN_PYTHON").unwrap_or_else(|| "python3".into())
}
