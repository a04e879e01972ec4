//! Heads of answers: large ones, and odd lines.

use std::fmt::Write as _;

use scitoken_test_support::clients::session;
use scitoken_test_support::{Answer, Raw, Script};

fn with_lines(lines: usize, length: usize) -> String {
    let mut head = String::from("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n");
    for n in 0..lines {
        let start = format!("Link: <https://mirror{n}.test/f>; rel=duplicate; x=");
        let _ = write!(head, "{start}{}\r\n", "x".repeat(length.saturating_sub(start.len() + 2)));
    }
    head + "\r\ndata"
}

#[tokio::test]
async fn three_hundred_lines_and_three_hundred_kib_are_read() {
    for (lines, length) in [(100, 60), (300, 100), (500, 60), (10, 30 * 1024), (300, 1024)] {
        let server = Raw::http(move |_| Answer::bytes(with_lines(lines, length))).await;
        let session = session(Script::new(&["-"])).build().unwrap();
        let response = session.get(server.url("/f")).send().await.unwrap();
        assert_eq!(response.headers().get_all("link").iter().count(), lines, "{lines} of {length}");
        assert_eq!(response.text().await.unwrap(), "data", "{lines} of {length}");
    }
}

#[tokio::test]
async fn a_larger_head_is_an_error_that_says_so() {
    for (lines, length) in [(2_000, 60), (10, 100 * 1024)] {
        let server = Raw::http(move |_| Answer::bytes(with_lines(lines, length)).then_close()).await;
        let session = session(Script::new(&["-"])).build().unwrap();
        let error = anyhow::Error::from(session.get(server.url("/f")).send().await.unwrap_err());
        assert!(format!("{error:#}").contains("message head is too large"), "{error:#}");
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn lines_that_servers_write_wrong_do_not_break_the_answer() {
    for line in [
        "X-Blank : before the colon",
        ": an empty name",
        "X-Folded: one\r\n two",
        "X-Folded: one\r\n\ttwo",
        "no colon at all",
        "X Y: a blank in the name",
        "X-Control: a\u{1}b",
    ] {
        let head = format!("HTTP/1.1 200 OK\r\n{line}\r\nContent-Length: 4\r\n\r\ndata");
        let server = Raw::http(move |_| Answer::bytes(head.clone())).await;
        let session = session(Script::new(&["-"])).build().unwrap();
        let response = session.get(server.url("/f")).send().await;
        let text = response.unwrap_or_else(|error| panic!("{line}: {error:?}")).text().await.unwrap();
        assert_eq!(text, "data", "{line}");
    }
}
