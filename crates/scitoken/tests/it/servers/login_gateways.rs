//! A gateway that answers every request with its login page.

use scitoken_test_support::chaos_server::{Asked, Reply};

use crate::support::{HELLO, run, scitoken, serve};

const PAGE: &[u8] = b"<!DOCTYPE html>\n<html><title>Log in</title></html>";
const HTML: [(&str, &str); 1] = [("Content-Type", "text/html; charset=utf-8")];

fn login(asked: &Asked) -> Reply {
    let body = if asked.method == "HEAD" { &[][..] } else { PAGE };
    Reply::chunked("200 OK", &HTML, body, 2)
}

#[test]
fn a_login_page_is_no_success_of_a_change() {
    for redirect in [None, Some("302 Found"), Some("303 See Other"), Some("307 Temporary Redirect")] {
        let (_runtime, server) = serve(move |asked| match redirect {
            Some(status) if !asked.path.starts_with("/login") => {
                Reply::sized(status, &[("Location", "/login?next=f")], "")
            }
            _ => login(asked),
        });
        let directory = tempfile::tempdir().unwrap();
        fs_err::write(directory.path().join("f"), "some data").unwrap();
        let (file, tree) = (server.url("f").to_string(), server.url("d/").to_string());
        for command in [
            &["put", "f", &file][..],
            &["put", "--no-clobber", "f", &file],
            &["mkdir", &tree],
            &["rm", "-r", &tree],
            &["stat", &file],
        ] {
            // Without a redirect a description may be one of a file with that type.
            let is_described =
                redirect.is_none() && matches!(command, ["stat", ..] | [_, "--no-clobber", ..]);
            if is_described {
                continue;
            }
            let ended = run(scitoken(directory.path()).args(command));
            assert_eq!(ended.code, 8, "{redirect:?} {command:?}: {} {}", ended.out, ended.err);
            assert!(ended.err.contains("most likely a login page"), "{command:?}: {}", ended.err);
        }
    }
}

#[test]
fn a_page_with_the_right_file_behind_it_is_a_success() {
    // An older file may have the same length.
    for (digest, code) in [(Some(("Digest", "adler32=355f0612")), 0), (None, 8)] {
        let (_runtime, server) = serve(move |asked| match asked.method.as_str() {
            "HEAD" => {
                let headers: Vec<_> =
                    [Some(("Content-Length", "16")), digest].into_iter().flatten().collect();
                Reply::new("200 OK", &headers, "")
            }
            _ => Reply::sized("200 OK", &HTML, "<html>stored</html>"),
        });
        let directory = tempfile::tempdir().unwrap();
        fs_err::write(directory.path().join("f"), HELLO).unwrap();
        let ended = run(scitoken(directory.path()).args(["put", "f", server.url("f").as_str()]));
        assert_eq!(ended.code, code, "{digest:?}: {}", ended.err);
    }
}

#[test]
fn a_server_without_head_takes_uploads() {
    for status in ["405 Method Not Allowed", "501 Not Implemented"] {
        let (_runtime, server) = serve(move |asked| match asked.method.as_str() {
            "HEAD" => Reply::sized(status, &[], ""),
            "PROPFIND" if asked.path == "/known" => Reply::sized("404 Not Found", &[], ""),
            "PROPFIND" => Reply::sized("405 Method Not Allowed", &[], ""),
            _ => Reply::sized("201 Created", &[], ""),
        });
        let directory = tempfile::tempdir().unwrap();
        fs_err::write(directory.path().join("f"), "some data").unwrap();
        // Without `PROPFIND` nothing says that the name is free.
        for (flags, path, code) in
            [(&[][..], "f", 0), (&["--no-clobber"], "known", 0), (&["--no-clobber"], "unknown", 13)]
        {
            let mut command = scitoken(directory.path());
            command.args(["put", "--retry", "0"]).args(flags).args(["f", server.url(path).as_str()]);
            let ended = run(&mut command);
            assert_eq!(ended.code, code, "{status} {path}: {}", ended.err);
        }
        let puts: Vec<_> = server.seen().into_iter().filter(|asked| asked.method == "PUT").collect();
        assert_eq!(puts.len(), 2, "{status}");
    }
}
