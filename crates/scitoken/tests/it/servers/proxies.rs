//! Proxies that refuse, and which proxy is used and why.

use crate::support::{HELLO, run, scitoken, serve};
use scitoken_test_support::chaos_server::Reply;

#[test]
fn a_refusal_names_the_proxy_and_is_not_tried_again() {
    for (status, most) in [("407 Proxy Authentication Required", 1), ("403 Forbidden", 2)] {
        let (_runtime, proxy) = serve(move |_| Reply::sized(status, &[("Connection", "close")], "no"));
        let directory = tempfile::tempdir().unwrap();
        let address = proxy.url("").to_string();
        for by_flag in [false, true] {
            let before = proxy.seen().len();
            let mut command = scitoken(directory.path());
            command.args(["get", "-o", "f", "https://data.example.test/f"]);
            if by_flag {
                command.args(["--proxy", &address]);
            } else {
                command.env("https_proxy", &address);
            }
            let ended = run(&mut command);
            assert_eq!(ended.code, 4, "{}", ended.err);
            let named_by = if by_flag { "--proxy" } else { "https_proxy" };
            for part in [status, named_by, address.trim_end_matches('/'), "hint: "] {
                assert!(ended.err.contains(part), "{part}: {}", ended.err);
            }
            assert!(!ended.err.contains("retry"), "{}", ended.err);
            assert!((1..=most).contains(&(proxy.seen().len() - before)), "{:?}", proxy.seen());
        }
    }
}

#[test]
fn a_busy_proxy_is_tried_again() {
    let (_runtime, proxy) = serve(|_| Reply::sized("502 Bad Gateway", &[("Connection", "close")], "no"));
    let directory = tempfile::tempdir().unwrap();
    let mut command = scitoken(directory.path());
    let url = "https://data.example.test/f";
    let retry = ["--retry", "1", "--retry-delay", "0"];
    let ended =
        run(command.args(["get", "-o", "f", url]).args(retry).env("https_proxy", proxy.url("").as_str()));
    assert_eq!(ended.code, 4, "{}", ended.err);
    assert!(ended.err.contains("502 Bad Gateway") && ended.err.contains("https_proxy"), "{}", ended.err);
    assert!(proxy.seen().len() >= 2, "{:?}", proxy.seen());
}

#[test]
fn socks_is_said_to_be_unsupported() {
    let directory = tempfile::tempdir().unwrap();
    for command in [&["get", "-o", "f"][..], &["stat"], &["ls"], &["explain"], &["doctor"]] {
        let mut program = scitoken(directory.path());
        program.env("ALL_PROXY", "socks5h://127.0.0.1:1080");
        let ended = run(program.args(command).arg("https://data.example.test/f"));
        assert_ne!(ended.code, 0);
        let shown = format!("{}{}", ended.out, ended.err);
        assert!(shown.contains("not supported") && shown.contains("ALL_PROXY"), "{command:?}: {shown}");
    }
}

#[test]
fn the_chosen_proxy_and_its_rule_are_shown() {
    let (_runtime, proxy) = serve(|asked| Reply::honest(asked, HELLO, &[]));
    let directory = tempfile::tempdir().unwrap();
    let address = proxy.url("").to_string();
    let with_proxy = |command: &[&str], no_proxy: &str| {
        let mut program = scitoken(directory.path());
        program.env("http_proxy", address.replace("http://", "http://me:hunter2@")).env("no_proxy", no_proxy);
        let ended = run(program.args(command));
        assert!(!ended.err.contains("hunter2") && !ended.out.contains("hunter2"), "{}", ended.err);
        format!("{}{}", ended.out, ended.err)
    };
    let url = "http://data.example.test/f";
    let shown = with_proxy(&["-v", "get", "-o", "f", url, "--no-auth"], "");
    assert!(shown.contains("through `http://…@127.0.0.1:") && shown.contains("(`http_proxy`)"), "{shown}");
    for command in ["explain", "doctor"] {
        let shown = with_proxy(&[command, "--no-auth", url], "");
        assert!(shown.contains("(from `http_proxy`)"), "{command}: {shown}");
        let shown = with_proxy(&[command, "--no-auth", "http://127.0.0.1:9/f"], "*.example.test");
        assert!(shown.contains("without a proxy (this machine)"), "{command}: {shown}");
        let shown = with_proxy(&[command, "--no-auth", url], "x *.example.test");
        assert!(shown.contains("without a proxy (`no_proxy` has `*.example.test`)"), "{command}: {shown}");
    }
}
