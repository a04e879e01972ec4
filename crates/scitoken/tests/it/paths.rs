//! Paths that a user or a job names, and what may be found there: nothing makes the program wait or fills its memory.
#![cfg(unix)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use scitoken_test_support::chaos_server::Reply;

use crate::remote::listens_to_signals;
use crate::support::{Ended, HELLO, run, scitoken, serve};

/// A fifo, a socket, a directory, devices and an endless file in place of one that is read.
fn traps(directory: &Path) -> Vec<String> {
    let made = Command::new("mkfifo").arg(directory.join("fifo")).status().unwrap();
    assert!(made.success());
    // It outlives the listener.
    drop(std::os::unix::net::UnixListener::bind(directory.join("socket")).unwrap());
    fs_err::create_dir(directory.join("directory")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", directory.join("link")).unwrap();
    ["fifo", "socket", "directory", "link", "/dev/zero", "/dev/tty", "/proc/self/mem"]
        .map(str::to_owned)
        .into()
}

/// Runs the program with little memory; it ends within a minute.
fn bounded(directory: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    let mut command = assert_cmd::Command::new("sh");
    command
        .args(["-c", "ulimit -v 4000000; exec \"$@\"", "sh"])
        .arg(assert_cmd::cargo::cargo_bin("scitoken"))
        .args(arguments)
        .env_clear()
        .env("HOME", directory)
        .envs(variables.iter().copied())
        .current_dir(directory);
    run(&mut command)
}

#[test]
fn a_pipe_and_a_directory_are_refused_at_once() {
    let (_runtime, server) = serve(|asked| Reply::honest(asked, HELLO, &[]));
    let url = server.url("f").to_string();
    let directory = tempfile::tempdir().unwrap();
    for trap in traps(directory.path()) {
        let trap = trap.as_str();
        for arguments in [
            &["get", "-i", trap][..],
            &["put", trap, &url],
            &["get", "--cacert", trap, &url],
            &["get", "--netrc-file", trap, &url],
            &["token", "show", trap],
            &["jwt", "header", trap],
            &["jwt", "decode", "--key", trap, "--alg", "RS256", trap],
            &["keys", "jwks", trap],
            &["condor-plugin", "--infile", trap, "--outfile", "results"],
        ] {
            let ended = bounded(directory.path(), arguments, &[]);
            assert!(![0, -1, 101, 134].contains(&ended.code), "{arguments:?}: {} {}", ended.code, ended.err);
            assert!(ended.err.contains("scitoken: "), "{arguments:?}: {}", ended.err);
        }
        let ended = bounded(directory.path(), &["get", "-q", &url, "-o", "f"], &[("SCITOKEN_CONFIG", trap)]);
        assert_eq!(ended.code, 3, "settings {trap}: {}", ended.err);
        let ended = bounded(directory.path(), &["get", "--token-file", trap, &url, "-o", "f"], &[]);
        assert!(ended.err.contains(&format!("no token in `{trap}`")), "{}", ended.err);
        for variable in ["BEARER_TOKEN_FILE", "X509_CERT_DIR", "NETRC"] {
            let ended = bounded(directory.path(), &["get", "-n", &url, "-o", "f"], &[(variable, trap)]);
            assert!(![-1, 101, 134].contains(&ended.code), "{variable}={trap}: {}", ended.err);
        }
        let ended = bounded(directory.path(), &["get", &url, "-o", "f"], &[("SSL_CERT_FILE", trap)]);
        assert!(ended.code > 0 && ended.err.contains(trap), "{trap}: {}", ended.err);
    }
}

#[test]
fn results_go_to_a_fifo_only_if_a_process_reads_it() {
    let directory = tempfile::tempdir().unwrap();
    traps(directory.path());
    fs_err::write(directory.path().join("in"), "").unwrap();
    for (outfile, code) in [("fifo", 3), ("socket", 3), ("directory", 3), ("/dev/null", 0), ("new", 0)] {
        let ended =
            bounded(directory.path(), &["condor-plugin", "--infile", "in", "--outfile", outfile], &[]);
        assert_eq!(ended.code, code, "{outfile}: {}", ended.err);
    }
}

#[test]
fn an_upload_by_the_plugin_does_not_wait_for_a_fifo() {
    let (_runtime, server) = serve(|asked| Reply::honest(asked, HELLO, &[]));
    let directory = tempfile::tempdir().unwrap();
    // A file of `/proc` is regular and says that it is empty, so that is what is sent.
    for trap in traps(directory.path()).into_iter().filter(|trap| !trap.starts_with("/proc")) {
        let order = format!("[ Url = \"{}\"; LocalFileName = \"{trap}\" ]", server.url("f"));
        fs_err::write(directory.path().join("in"), order).unwrap();
        let ended = bounded(
            directory.path(),
            &["condor-plugin", "--infile", "in", "--outfile", "out", "--upload"],
            &[],
        );
        assert_eq!(ended.code, 3, "{trap}: {}", ended.err);
        let results = fs_err::read_to_string(directory.path().join("out")).unwrap();
        assert!(results.contains("TransferSuccess = false"), "{results}");
    }
    assert!(server.seen().iter().all(|asked| asked.method != "PUT"));
}

#[test]
fn a_fifo_as_output_waits_for_its_reader_until_a_signal_comes() {
    let (_runtime, server) = serve(|asked| Reply::honest(asked, HELLO, &[]));
    let directory = tempfile::tempdir().unwrap();
    traps(directory.path());
    let start = || {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin("scitoken"));
        command.args(["get", "-q", "-o", "fifo", server.url("f").as_str()]).env_clear();
        command.env("HOME", directory.path()).current_dir(directory.path());
        command.stderr(Stdio::null()).spawn().unwrap()
    };
    let mut waiting = start();
    listens_to_signals(&mut waiting);
    let killed = Command::new("kill").args(["-TERM", &waiting.id().to_string()]).status().unwrap();
    assert!(killed.success());
    let status = (0..500).find_map(|_| {
        std::thread::sleep(Duration::from_millis(20));
        waiting.try_wait().unwrap()
    });
    if status.is_none() {
        waiting.kill().unwrap();
    }
    assert!(status.is_some_and(|status| !status.success()), "{status:?}");
    let mut read = start();
    assert_eq!(fs_err::read(directory.path().join("fifo")).unwrap(), HELLO);
    assert!(read.wait().unwrap().success());
}

#[test]
fn the_program_reads_a_list_in_a_file_that_has_no_length() {
    // Files of `/proc` are regular and say that they are empty.
    let directory = tempfile::tempdir().unwrap();
    let ended = run(scitoken(directory.path()).args(["get", "-i", "/proc/self/status"]));
    assert_eq!(ended.code, 2, "{}", ended.err);
    assert!(ended.err.contains("line 1"), "{}", ended.err);
}

#[test]
fn settings_that_others_could_have_written_are_used_only_where_the_user_names_them() {
    use std::os::unix::fs::PermissionsExt;
    let (_runtime, server) = serve(|asked| Reply::honest(asked, HELLO, &[]));
    let url = server.url("f").to_string();
    let directory = tempfile::tempdir().unwrap();
    let settings = directory.path().join(".config/scitoken/scitoken.toml");
    fs_err::create_dir_all(settings.parent().unwrap()).unwrap();
    let marker = directory.path().join("ran");
    let command =
        format!("[host.\"http://127.0.0.1\"]\ntoken-command = \"touch {}; echo t\"\n", marker.display());
    fs_err::write(&settings, command).unwrap();
    let mode = |path: &Path, mode| fs_err::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    let get = |variables: &[(&str, &str)]| bounded(directory.path(), &["get", &url, "-o", "f"], variables);
    for (file, parent) in [(0o666, 0o755), (0o644, 0o777)] {
        mode(&settings, file);
        mode(settings.parent().unwrap(), parent);
        let ended = get(&[]);
        assert_eq!(ended.code, 3, "{file:o} {parent:o}: {}", ended.err);
        assert!(
            ended.err.contains("SCITOKEN_CONFIG=") && !marker.exists(),
            "{file:o} {parent:o}: {}",
            ended.err
        );
    }
    let ended = get(&[("SCITOKEN_CONFIG", settings.to_str().unwrap())]);
    assert!(ended.code == 0 && marker.exists(), "{}", ended.err);
    fs_err::remove_file(&marker).unwrap();
    mode(settings.parent().unwrap(), 0o755);
    let ended = get(&[]);
    assert!(ended.code == 0 && marker.exists(), "{}", ended.err);
}

#[cfg(unix)]
#[test]
fn a_command_without_state_ends_with_code_11_at_sigterm() {
    let place = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/d/", place.local_addr().unwrap());
    let directory = tempfile::tempdir().unwrap();
    for command in ["ls", "stat", "rm", "explain"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_scitoken"))
            .env_clear()
            .env("HOME", directory.path())
            .args([command, &url])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        listens_to_signals(&mut child);
        let id = rustix::process::Pid::from_child(&child);
        rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(11), "{command}");
    }
}
