//! Peers: what a test needs from the machine, and what happens where it is missing.
//!
//! | variable | meaning |
//! |---|---|
//! | `SCITOKEN_INTEROP=required` | a missing peer is a failure instead of a skip |
//! | `SCITOKEN_INTEROP_LEDGER` | a file that gets one line for each peer that a test met (`ran`) or missed (`skipped`) |
//! | `SCITOKEN_PYTHON` | the Python interpreter that has the peers; `python3` from `PATH` by default |
//! | `SCITOKEN_NODE_MODULES` | the `node_modules` directory that has the peers |

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use reqwest_scitokens::sys::Env;

/// The peer, if it was found; otherwise the test is over, as a skip or as a failure.
///
/// ```ignore
/// let Some(python) = support::python("jwt") else { return };
/// ```
pub(crate) fn met<T>(peer: &str, found: Result<T, String>) -> Option<T> {
    match found {
        Ok(found) => {
            note("ran", peer);
            Some(found)
        }
        Err(why) if required() => panic!("`{peer}` is required: {why}"),
        Err(why) => {
            note("skipped", peer);
            println!("skipped, for want of `{peer}`: {why}");
            None
        }
    }
}

/// A Python interpreter that can import `module`.
pub(crate) fn python(module: &str) -> Option<PathBuf> {
    met(module, python_with(module))
}

/// A Node.js interpreter that can import `module`, with the directory to run it in.
pub(crate) fn node(module: &str) -> Option<(PathBuf, PathBuf)> {
    met(module, node_with(module))
}

/// A program of the machine.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    met(name, find(name))
}

/// Where a program is: in `PATH`, or where Debian puts servers.
pub(crate) fn find(name: &str) -> Result<PathBuf, String> {
    let path = Env::process().get("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| format!("there is no program `{name}`"))
}

fn python_with(module: &str) -> Result<PathBuf, String> {
    let python = match Env::process().get_non_empty("SCITOKEN_PYTHON") {
        Some(given) => PathBuf::from(given),
        None => find("python3")?,
    };
    let import = format!("import {module}");
    if succeeds(Command::new(&python).args(["-c", &import])) {
        Ok(python)
    } else {
        Err(format!("`{}` cannot import `{module}`", python.display()))
    }
}

fn node_with(module: &str) -> Result<(PathBuf, PathBuf), String> {
    let node = find("node")?;
    let modules = Env::process()
        .get_non_empty("SCITOKEN_NODE_MODULES")
        .map(PathBuf::from)
        .ok_or("`SCITOKEN_NODE_MODULES` is not set")?;
    let directory = modules.parent().map(Path::to_owned).unwrap_or_default();
    if modules.join(module).is_dir() {
        Ok((node, directory))
    } else {
        Err(format!("there is no `{module}` in `{}`", modules.display()))
    }
}

fn succeeds(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

fn required() -> bool {
    Env::process().get("SCITOKEN_INTEROP").is_some_and(|value| value == "required")
}

fn note(what: &str, peer: &str) {
    if let Some(ledger) = Env::process().get_non_empty("SCITOKEN_INTEROP_LEDGER") {
        let mut ledger = fs_err::OpenOptions::new()
            .create(true)
            .append(true)
            .open(PathBuf::from(ledger))
            .expect("the ledger can be opened");
        // one write, so that lines of tests that run at once do not mix
        ledger.write_all(format!("{what} {peer}\n").as_bytes()).expect("the ledger can be written");
    }
}
