//! Data into devices and fifos, and events beside it.

use std::process::{Command, Stdio};

use scitoken_test_support::chaos_server::Reply;

use crate::remote::listens_to_signals;
use crate::support::{HELLO, run, scitoken, serve};

#[test]
fn events_go_to_standard_output_unless_the_data_does() {
    let (_runtime, server) = serve(|asked| Reply::honest(asked, HELLO, &[]));
    let directory = tempfile::tempdir().unwrap();
    let url = server.url("f").to_string();
    for (output, has_events) in [("/dev/null", true), ("f", true), ("-", false), ("/proc/self/fd/1", false)] {
        let ended = run(scitoken(directory.path()).args(["get", "--json", "-o", output, &url]));
        assert_eq!(ended.code, 0, "{output}: {}", ended.err);
        assert_eq!(ended.out.contains("\"event\":\"finished\""), has_events, "{output}: {}", ended.out);
        assert_eq!(ended.err.contains("\"event\":\"finished\""), !has_events, "{output}: {}", ended.err);
    }
}

#[test]
fn standard_output_has_several_names_and_may_be_a_file() {
    let (_runtime, server) = serve(|asked| Reply::honest(asked, HELLO, &[]));
    let directory = tempfile::tempdir().unwrap();
    let url = server.url("f").to_string();
    for name in ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        let path = directory.path().join("out");
        let mut out = fs_err::File::create(&path).unwrap();
        std::io::Write::write_all(&mut out, b"before ").unwrap();
        let mut get = Command::new(env!("CARGO_BIN_EXE_scitoken"));
        get.args(["get", "--json", "-o", name, &url]).env_clear().env("HOME", directory.path());
        let ended = get.stdout(out.into_file()).stderr(Stdio::piped()).output().unwrap();
        assert!(ended.status.success(), "{name}: {}", String::from_utf8_lossy(&ended.stderr));
        let expected = [b"before ", HELLO].concat();
        assert_eq!(fs_err::read(&path).unwrap(), expected, "{name}");
    }
}

#[test]
fn a_fifo_without_a_reader_is_left_in_time() {
    let (_runtime, server) = serve(|asked| Reply::honest(asked, HELLO, &[]));
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
        .unwrap();
    let url = server.url("f").to_string();
    let ended = run(scitoken(directory.path()).args(["get", "-o", "fifo", "--max-time", "0.2", &url]));
    assert_eq!(ended.code, 5, "{}", ended.err);
    assert!(ended.err.contains("`fifo`") && ended.err.contains("0.2 s"), "{}", ended.err);
    let mut waiting = Command::new(env!("CARGO_BIN_EXE_scitoken"))
        .args(["-vv", "get", "-o", "fifo", &url])
        .env_clear()
        .env("HOME", directory.path())
        .current_dir(directory.path())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    listens_to_signals(&mut waiting);
    let pid = rustix::process::Pid::from_child(&waiting);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(waiting.wait().unwrap().code(), Some(11));
}

#[test]
fn with_json_each_file_that_is_not_begun_has_a_failure_too() {
    let (_runtime, server) = serve(|asked| match asked.path.as_str() {
        "/missing" => Reply::sized("404 Not Found", &[], ""),
        _ => Reply::honest(asked, HELLO, &[]),
    });
    let directory = tempfile::tempdir().unwrap();
    let list = format!("{}\nnot a url\n{}\n", server.url("f"), server.url("missing"));
    fs_err::write(directory.path().join("list"), list).unwrap();
    let ended = run(scitoken(directory.path()).args(["get", "--json", "-i", "list"]));
    let failed: Vec<serde_json::Value> = ended
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|event: &serde_json::Value| event["event"] == "failed")
        .collect();
    assert_eq!(failed.len(), 2, "{}", ended.out);
    let unread = failed.iter().find(|event| event["file"] == 1).unwrap();
    assert!(unread["exit"] == 2 && unread["why"].as_str().unwrap().contains("line 2"), "{unread}");
}

#[test]
fn a_list_may_name_davs_urls() {
    let (_runtime, server) = serve(|asked| Reply::honest(asked, HELLO, &[]));
    let directory = tempfile::tempdir().unwrap();
    let list = server.url("f").as_str().replacen("http://", "dav://", 1);
    fs_err::write(directory.path().join("list"), list).unwrap();
    let ended = run(scitoken(directory.path()).args(["get", "-i", "list"]));
    assert_eq!(ended.code, 0, "{}", ended.err);
}

#[test]
fn a_file_in_place_of_a_directory_is_told_as_one() {
    let directory = tempfile::tempdir().unwrap();
    fs_err::write(directory.path().join("plain"), "").unwrap();
    for flags in [&["-P", "plain"][..], &["-o", "plain/f"]] {
        let mut command = scitoken(directory.path());
        let ended = run(command.arg("get").args(flags).args(["--create-dirs", "http://127.0.0.1:9/f"]));
        assert_eq!(ended.code, 3, "{flags:?}: {}", ended.err);
        assert!(ended.err.contains("`plain` is a file, not a directory"), "{flags:?}: {}", ended.err);
    }
}

#[test]
fn an_unreadable_ssl_cert_file_is_told_by_the_variable() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = scitoken(directory.path());
    command.env("SSL_CERT_FILE", "/nope").args(["get", "https://localhost:9/f"]);
    let ended = run(&mut command);
    assert_eq!(ended.code, 2, "{}", ended.err);
    assert!(ended.err.contains("hint: unset `SSL_CERT_FILE`"), "{}", ended.err);
}
