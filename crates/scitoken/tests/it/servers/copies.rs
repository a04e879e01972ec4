//! Copies at servers that do not copy from others.

use scitoken_test_support::chaos_server::{Asked, Reply};

use crate::support::{HELLO, run, scitoken, serve};

/// A WebDAV server that copies within itself only, with a file `/s` and no other.
fn plain_webdav(
    status: &'static str,
    stored: &'static std::sync::OnceLock<Vec<u8>>,
) -> impl Fn(&Asked) -> Reply {
    move |asked| {
        let content = match asked.path.as_str() {
            "/s" => Some(HELLO.to_vec()),
            _ => stored.get().cloned(),
        };
        match (asked.method.as_str(), content) {
            ("COPY", _) if status.starts_with("200") => {
                Reply::sized(status, &[("Content-Type", "text/html")], "<html><title>Log in</title></html>")
            }
            // The other server is none of its own (RFC 4918 section 9.8.5).
            ("COPY", _) if asked.path == "/s" => {
                Reply::sized("502 Bad Gateway", &[], "<title>Destination on another server</title>")
            }
            ("COPY", _) => Reply::sized(status, &[], ""),
            ("PUT", _) => {
                let _ = stored.set(asked.body.clone());
                Reply::sized("201 Created", &[], "")
            }
            ("HEAD", Some(content)) => {
                Reply::new("200 OK", &[("Content-Length", &content.len().to_string())], "")
            }
            ("GET", Some(content)) => Reply::honest(asked, &content, &[]),
            ("HEAD" | "GET" | "PROPFIND", None) => Reply::sized("404 Not Found", &[], ""),
            _ => Reply::sized("405 Method Not Allowed", &[], ""),
        }
    }
}

#[test]
fn where_no_server_fetches_the_file_passes_this_machine_if_asked() {
    static STORED: [std::sync::OnceLock<Vec<u8>>; 4] = [const { std::sync::OnceLock::new() }; 4];
    for (status, stored) in
        ["404 Not Found", "400 Bad Request", "502 Bad Gateway", "200 OK"].into_iter().zip(&STORED)
    {
        let (_runtime, server) = serve(plain_webdav(status, stored));
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (server.url("s").to_string(), server.url("t").to_string());
        let refused = run(scitoken(directory.path()).args(["copy", "--retry", "0", &from, &to]));
        assert!(refused.code != 0 && refused.err.contains("`--stream`"), "{status}: {}", refused.err);
        let ended = run(scitoken(directory.path()).args(["copy", "--retry", "0", "--stream", &from, &to]));
        assert_eq!(ended.code, 0, "{status}: {}", ended.err);
        assert_eq!(stored.get().map(Vec::as_slice), Some(HELLO), "{status}");
    }
}

#[test]
fn a_login_page_is_not_copied() {
    let (_runtime, server) = serve(|asked| match asked.method.as_str() {
        "HEAD" => Reply::new("200 OK", &[("Content-Type", "text/html"), ("Content-Length", "9")], ""),
        "PROPFIND" => Reply::sized("404 Not Found", &[], ""),
        _ => Reply::sized("201 Created", &[], ""),
    });
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (server.url("s").to_string(), server.url("t").to_string());
    let ended = run(scitoken(directory.path()).args(["copy", "--retry", "0", &from, &to]));
    assert_eq!(ended.code, 8, "{}", ended.err);
    assert!(ended.err.contains("login page"), "{}", ended.err);
    assert!(server.seen().iter().all(|asked| asked.method != "COPY"));
}

#[test]
fn a_source_that_is_missing_is_not_blamed_on_the_destination() {
    let (_runtime, server) = serve(|_| Reply::sized("404 Not Found", &[], ""));
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (server.url("s").to_string(), server.url("t").to_string());
    let ended = run(scitoken(directory.path()).args(["copy", "--retry", "0", &from, &to]));
    assert!(ended.code == 9 && !ended.err.contains("--create-dirs"), "{}", ended.err);
}

#[test]
fn a_file_in_place_of_a_tree_is_copied_as_one() {
    static STORED: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    let webdav = plain_webdav("405 Method Not Allowed", &STORED);
    let (_runtime, server) = serve(move |asked| match (asked.method.as_str(), asked.path.as_str()) {
        ("PROPFIND", "/s") => {
            let xml = "<D:multistatus xmlns:D=\"DAV:\"><D:response><D:href>/s</D:href><D:propstat><D:prop><D:resourcetype/>\
                       <D:getcontentlength>16</D:getcontentlength></D:prop></D:propstat></D:response></D:multistatus>";
            Reply::sized("207 Multi-Status", &[("Content-Type", "text/xml")], xml)
        }
        _ => webdav(asked),
    });
    let directory = tempfile::tempdir().unwrap();
    let (from, to) = (server.url("s").to_string(), server.url("t").to_string());
    let ended = run(scitoken(directory.path()).args(["copy", "-r", "--stream", "--retry", "0", &from, &to]));
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert_eq!(STORED.get().map(Vec::as_slice), Some(HELLO));
    assert!(server.seen().iter().all(|asked| asked.method != "MKCOL"));
}
