//! What a log is told while files move.

use std::time::Duration;

use crate::support::{run, scitoken, serve};
use scitoken_test_support::chaos_server::Reply;

#[test]
fn a_log_gets_a_line_each_interval_and_no_control_characters() {
    let (_runtime, server) = serve(|asked| {
        let mut reply = Reply::honest(asked, &vec![7; 300_000], &[]);
        reply.trickle = Some((15_000, Duration::from_millis(100)));
        reply
    });
    let directory = tempfile::tempdir().unwrap();
    let url = server.url("f").to_string();
    for style in [&["--progress", "line"][..], &[]] {
        let mut command = scitoken(directory.path());
        let ended = run(command.args(["get", "--progress-interval", "0.4"]).args(style).arg(&url));
        assert_eq!(ended.code, 0, "{}", ended.err);
        let lines: Vec<_> = ended.err.lines().filter(|line| line.ends_with(": f")).collect();
        assert!((2..=6).contains(&lines.len()), "{}", ended.err);
        assert!(
            lines.iter().all(|line| line.contains("KiB/s") && line.contains(" of 292.97 KiB")),
            "{lines:?}"
        );
        assert!(!ended.err.contains(['\r', '\u{1b}']), "{:?}", ended.err);
        assert!(ended.err.lines().last().unwrap().starts_with("f: 292.97 KiB in "), "{}", ended.err);
    }
    let quiet = run(scitoken(directory.path()).args([
        "get",
        "--progress",
        "none",
        "--progress-interval",
        "0.4",
        &url,
    ]));
    assert_eq!(quiet.err.lines().count(), 1, "{}", quiet.err);
    let silent = run(scitoken(directory.path()).args(["get", "-q", "--progress-interval", "0.4", &url]));
    assert_eq!((silent.code, silent.err.as_str()), (0, ""));
}
