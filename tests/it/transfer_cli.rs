//! How `scitoken` behaves towards those who start and stop it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The program in an environment with nothing in it.
fn scitoken(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scitoken"));
    command.env_clear().env("HOME", directory).current_dir(directory);
    command
}

/// The exit code of a program that ends in time.
fn ended(mut child: Child) -> Option<i32> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(20) {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    let _ = child.wait();
    panic!("it does not end");
}

#[test]
fn nobody_listening_on_standard_error_changes_no_exit_code() {
    let directory = tempfile::tempdir().unwrap();
    for arguments in [
        &["get", "nonsense"][..],
        &["-vvv", "get", "--retry", "0", "http://127.0.0.1:9/f"],
        &["-vvv", "stat", "--retry", "0", "http://127.0.0.1:9/f", "nonsense"],
    ] {
        let mut child = scitoken(directory.path())
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stderr.take());
        let code = ended(child);
        assert!(matches!(code, Some(2 | 4)), "{arguments:?}: {code:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_run_that_waits_for_its_list_ends_when_it_is_told_to() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = scitoken(directory.path())
        .args(["get", "-i", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // Kept open: the list does not end.
    let list = child.stdin.take();
    std::thread::sleep(Duration::from_millis(1_000));
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(killed.unwrap().success());
    assert_eq!(ended(child), Some(11));
    drop(list);
}
