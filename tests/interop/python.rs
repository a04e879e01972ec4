//! Python and its packages as a peer: one process, one line of JSON for each question and each answer.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use reqwest_scitokens::sys::Env;
use serde_json::Value;

use crate::support;

/// A Python that can import these packages: `SCITOKEN_PYTHON`, or `python3` of the `PATH`.
pub(crate) fn python(packages: &[&str]) -> Option<PathBuf> {
    let peer = format!("python with {}", packages.join(", "));
    let python = match Env::process().get_non_empty("SCITOKEN_PYTHON") {
        Some(path) => Ok(PathBuf::from(path)),
        None => support::find("python3"),
    };
    let found = python.and_then(|python| {
        let script = format!("import {}", packages.join(", "));
        let outcome =
            Command::new(&python).args(["-c", &script]).output().map_err(|error| error.to_string())?;
        if outcome.status.success() {
            Ok(python)
        } else {
            Err(String::from_utf8_lossy(&outcome.stderr).lines().last().unwrap_or_default().to_owned())
        }
    });
    support::met(&peer, found)
}

/// Runs a script of `tests/interop/python` and puts all questions to it; the answers come in the same order.
pub(crate) fn ask(python: &Path, script: &str, questions: &[Value]) -> Vec<Value> {
    let mut child = Command::new(python)
        .arg(Path::new("tests/interop/python").join(script))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the peer starts");
    let mut input = child.stdin.take().expect("it has an input");
    let output = BufReader::new(child.stdout.take().expect("it has an output"));
    let answers = std::thread::scope(|scope| {
        scope.spawn(move || {
            for question in questions {
                writeln!(input, "{question}").expect("the peer reads");
            }
        });
        let answer = |line: Result<String, _>| {
            let line = line.expect("the peer writes");
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
        };
        output.lines().map(answer).collect::<Vec<Value>>()
    });
    assert!(child.wait().expect("the peer ends").success());
    assert_eq!(answers.len(), questions.len(), "the peer answers every question");
    answers
}
