//! Runs that a signal interrupts.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use scitoken_test_support::chaos_server::{Asked, Reply};

use super::super::support::{get, serve};

const LENGTH: usize = 200_000;

/// Sends files whose name begins with `slow` forever, unless they are resumed or `?fast` is asked for.
fn answer(asked: &Asked) -> Reply {
    let mut reply = Reply::honest(asked, &vec![7; LENGTH], &[("ETag", "\"v1\"")]);
    if asked.path.starts_with("/slow") && asked.range().is_none() {
        reply.trickle = Some((10_000, Duration::from_secs(60)));
    }
    reply
}

/// Starts a run, interrupts it when `begun` files are unfinished, and returns what it said.
fn interrupt(directory: &Path, arguments: &[&str], begun: usize) -> String {
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("scitoken"))
        .arg("get")
        .args(arguments)
        .env_clear()
        .env("HOME", directory)
        .current_dir(directory)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let written = |name: &Path| fs_err::metadata(name).is_ok_and(|metadata| metadata.len() > 0);
    loop {
        let names = fs_err::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        // Short files are unfinished for a moment, too.
        let is_slow = |path: &Path| {
            path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("slow"))
        };
        let is_part = |path: &Path| path.extension().is_some_and(|end| end == "part");
        let parts = names.filter(|path| is_slow(path) && is_part(path) && written(path));
        if parts.count() == begun {
            break;
        }
        assert_eq!(child.try_wait().unwrap(), None, "it ended too early");
        std::thread::sleep(Duration::from_millis(5));
    }
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(killed.unwrap().success());
    String::from_utf8(child.wait_with_output().unwrap().stderr).unwrap()
}

#[test]
fn one_message_says_what_is_done_unfinished_and_not_started_and_following_it_keeps_what_is_done() {
    let (_runtime, server) = serve(answer);
    for (done, left) in [(12_usize, 18_usize), (0, 3), (1, 2)] {
        let directory = tempfile::tempdir().unwrap();
        let names = (0..done).map(|n| format!("f{n}")).chain((0..left).map(|n| format!("slow{n}")));
        let list: Vec<String> = names.map(|name| server.url(&name).to_string()).collect();
        let mut arguments: Vec<&str> = list.iter().map(String::as_str).collect();
        arguments.extend(["-j", "2"]);
        let said = interrupt(directory.path(), &arguments, 2);
        let files = if done == 1 { "file" } else { "files" };
        let expected = format!("interrupted: {done} {files} done, 2 unfinished, {} not started", left - 2);
        assert_eq!(said.matches("interrupted").count(), 1, "{said}");
        assert!(said.contains(&expected), "{said}");
        assert!(said.contains("hint: run the same command again with `--skip-existing=size`"), "{said}");
        let before = server.seen().len();
        for n in 2..left {
            // What was not started is short, so that the second run ends.
            arguments.retain(|argument| !argument.ends_with(&format!("/slow{n}")));
        }
        arguments.push("--skip-existing=size");
        let ended = get(directory.path(), &arguments);
        assert_eq!(ended.code, 0, "{}", ended.err);
        let again = server.seen().split_off(before);
        let fetched: Vec<_> = again.iter().filter(|asked| asked.method == "GET").collect();
        assert_eq!(fetched.len(), 2, "only the unfinished ones: {fetched:?}");
        assert!(fetched.iter().all(|asked| asked.range().is_some_and(|range| range.start > 0)));
    }
}

#[test]
fn a_run_of_unknown_length_says_that_others_were_not_started() {
    let (_runtime, server) = serve(answer);
    let directory = tempfile::tempdir().unwrap();
    let list: Vec<String> = (0..4).map(|n| server.url(&format!("slow{n}")).to_string()).collect();
    fs_err::write(directory.path().join("list"), list.join("\n")).unwrap();
    let said = interrupt(directory.path(), &["-i", "list", "-j", "3"], 3);
    assert!(said.contains("interrupted: 0 files done, 3 unfinished, the others not started"), "{said}");
}

#[test]
fn a_single_file_is_resumed_by_the_same_command() {
    let (_runtime, server) = serve(answer);
    let directory = tempfile::tempdir().unwrap();
    let url = server.url("slow").to_string();
    let said = interrupt(directory.path(), &[&url], 1);
    assert!(said.contains("run the same command again: it resumes where it stopped"), "{said}");
    let ended = get(directory.path(), &[&url]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(server.ranges().last().unwrap().as_ref().is_some_and(|range| range.start > 0));
}
