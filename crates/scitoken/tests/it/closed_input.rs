//! A program that is started without standard input, as by cron or `<&-`.

use std::process::Command;

use scitoken_test_support::chaos_server::Reply;

use crate::support::serve;

#[test]
fn a_closed_standard_input_is_no_empty_file() {
    let (_runtime, server) = serve(|_| Reply::sized("201 Created", &[], ""));
    let directory = tempfile::tempdir().unwrap();
    let url = server.url("f").to_string();
    for (line, code) in [(format!("put - {url} <&-"), 3), (format!("put - {url} </dev/null"), 0)] {
        let shell = format!("exec {} {line}", env!("CARGO_BIN_EXE_scitoken"));
        let mut command = Command::new("sh");
        command.args(["-c", &shell]).env_clear().env("HOME", directory.path());
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{line}: {told}");
        assert_eq!(told.contains("standard input is closed"), code == 3, "{line}: {told}");
    }
    let puts = server.seen().iter().filter(|asked| asked.method == "PUT").count();
    assert_eq!(puts, 1, "nothing was sent for a closed one");
}
