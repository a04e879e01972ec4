//! How `scitoken` behaves towards those who start and stop it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The program in an environment with nothing in it.
fn scitoken(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_scitoken"));
    command.env_clear().env("HOME", directory).current_dir(directory);
    command
}

/// The exit code of a program that ends in time.
fn ended(mut child: Child) -> Option<i32> {
    for _ in 0..1_000 {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    let _ = child.wait();
    panic!("it does not end");
}

/// Waits until the program has taken the signals into its own hands.
#[cfg(unix)]
pub(crate) fn listens_to_signals(child: &mut Child) {
    const TERMINATE: u64 = 1 << 14;
    let status = format!("/proc/{}/status", child.id());
    for _ in 0..1_000 {
        assert_eq!(child.try_wait().unwrap(), None, "it has ended");
        // Systems without /proc get a second.
        let Ok(text) = fs_err::read_to_string(&status) else {
            return std::thread::sleep(Duration::from_secs(1));
        };
        let caught = text.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        if u64::from_str_radix(caught.trim(), 16).unwrap() & TERMINATE != 0 {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("it never listened to signals");
}

#[test]
fn a_closed_standard_error_changes_no_exit_code() {
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
fn a_run_that_waits_for_its_list_ends_at_a_signal() {
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
    listens_to_signals(&mut child);
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(killed.unwrap().success());
    assert_eq!(ended(child), Some(11));
    drop(list);
}

fn run(command: &mut Command) -> (Option<i32>, String) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_dry_run_makes_no_directory() {
    let directory = tempfile::tempdir().unwrap();
    for place in [&["-P", "new/er"][..], &["-o", "new/er/f"]] {
        let arguments = ["get", "--dry-run", "--create-dirs", "http://127.0.0.1:9/f"];
        let (code, said) = run(scitoken(directory.path()).args(arguments).args(place));
        assert_eq!(code, Some(0), "{said}");
        assert!(!directory.path().join("new").exists(), "{place:?}");
    }
}

#[test]
fn the_most_severe_failure_decides_in_any_order() {
    let directory = tempfile::tempdir().unwrap();
    let dead = "http://127.0.0.1:9/f";
    for urls in [["nonsense", dead], [dead, "nonsense"]] {
        let (code, said) = run(scitoken(directory.path()).args(["stat", "--retry", "0"]).args(urls));
        assert_eq!(code, Some(2), "{said}");
    }
}

#[test]
fn the_plugin_writes_a_result_for_each_ad_and_for_an_unreadable_list() {
    let directory = tempfile::tempdir().unwrap();
    let plugin = |orders: &str| {
        fs_err::write(directory.path().join("in"), orders).unwrap();
        let arguments = ["condor-plugin", "--retry", "0", "-infile", "in", "-outfile", "out"];
        let (code, said) = run(scitoken(directory.path()).args(arguments));
        (code, fs_err::read_to_string(directory.path().join("out")).unwrap(), said)
    };
    let dead = "[ Url = \"http://127.0.0.1:9/f\"; LocalFileName = \"two\" ]";
    let bad = "[ Url = \"http://me:secret@h:port/?authz=secret\"; LocalFileName = \"one\" ]";
    let (code, results, said) = plugin(&format!("{bad}\n[ LocalFileName = \"nameless\" ]\n{dead}\n"));
    let lines: Vec<_> = results.lines().collect();
    assert_eq!((code, lines.len()), (Some(2), 3), "{results}{said}");
    assert!(lines[0].contains("invalid URL") && !results.contains("secret") && !said.contains("secret"));
    assert!(lines[1].contains("has no `Url`") && lines[2].contains("failed to connect"), "{results}");
    let (code, results, _) = plugin("nonsense");
    assert!(code == Some(2) && results.contains("TransferSuccess = false"), "{code:?} {results}");
    fs_err::write(directory.path().join("bad.toml"), "][").unwrap();
    let (code, said) = run(scitoken(directory.path()).env("SCITOKEN_CONFIG", "bad.toml").args([
        "condor-plugin",
        "-infile",
        "in",
        "-outfile",
        "late",
    ]));
    assert_eq!(code, Some(2), "{said}");
    assert!(
        fs_err::read_to_string(directory.path().join("late")).unwrap().contains("TransferSuccess = false")
    );
}

#[test]
fn the_help_has_the_table_of_exit_codes() {
    let directory = tempfile::tempdir().unwrap();
    let output = scitoken(directory.path()).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(
        help.contains("Exit codes:")
            && help.contains("11  temporary failure; the same command may work later"),
        "{help}"
    );
}
