//! Peers: what a test needs from the machine, and what happens where it is missing.
//!
//! | variable | meaning |
//! |---|---|
//! | `SCITOKEN_INTEROP=required` | a missing peer is a failure instead of a skip |
//! | `SCITOKEN_INTEROP=off` | no peer is looked for: each test is skipped |
//! | `SCITOKEN_PYTHON` | the Python interpreter that has the peers; `python3` by default |
//! | `SCITOKEN_NODE_MODULES` | the `node_modules` directory that has the peers |
//! | `SCITOKEN_INTEROP_LEDGER` | a file that gets one line for each peer that a test met (`ran`) or missed (`skipped`) |

use std::io::Write;
use std::path::PathBuf;

use scitoken_types::sys::Env;

/// The peer, if it was found; otherwise the test is over, as a skip or as a failure.
#[expect(clippy::print_stderr, reason = "a test that was skipped has to say so")]
pub(crate) fn met<T>(peer: &str, found: Result<T, String>) -> Option<T> {
    match found {
        Ok(found) => {
            note("ran", peer);
            Some(found)
        }
        Err(why) if required() => panic!("`{peer}` is required: {why}"),
        Err(why) => {
            note("skipped", peer);
            eprintln!("skipped, for want of `{peer}`: {why}");
            None
        }
    }
}

/// Where a program is: in `PATH`, or where Debian puts servers.
pub(crate) fn find(name: &str) -> Result<PathBuf, String> {
    look_for_peers()?;
    let path = Env::process().get("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
        .ok_or_else(|| format!("there is no program `{name}`"))
}

/// Fails where `SCITOKEN_INTEROP=off` says that no peer is to be looked for.
pub(crate) fn look_for_peers() -> Result<(), String> {
    if mode_is("off") { Err("`SCITOKEN_INTEROP` is `off`".to_owned()) } else { Ok(()) }
}

fn required() -> bool {
    mode_is("required")
}

fn mode_is(mode: &str) -> bool {
    Env::process().get("SCITOKEN_INTEROP").is_some_and(|value| value == mode)
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
