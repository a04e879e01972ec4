//! The files behind the storage: uploads that break off, links, and requests that would remove what they copy.

use std::os::unix::fs::symlink;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

impl Server {
    /// Sends the start of an upload and returns its connection.
    async fn begin_upload(&self, path: &str, token: &str, framing: &str, body: &str) -> TcpStream {
        let address = self.base.trim_start_matches("http://").trim_end_matches("/area");
        let mut stream = TcpStream::connect(address).await.unwrap();
        let head = format!(
            "PUT /area{path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n{framing}\r\n"
        );
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).await.unwrap();
        // The server has taken the request when the file that it writes to is there.
        self.until_unfinished(true).await;
        stream
    }

    /// Waits until an upload is under way, or none is.
    async fn until_unfinished(&self, expected: bool) {
        let is_unfinished = || {
            let mut entries = fs_err::read_dir(self.file("/d")).unwrap();
            entries.any(|entry| entry.unwrap().file_name().to_string_lossy().starts_with(".storage-upload-"))
        };
        let waiting = async {
            while is_unfinished() != expected {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap();
    }
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_what_was_there() {
    let server = Server::start().await;
    server.write("/d/f", "old");
    let all = server.token("storage.read:/ storage.modify:/", &[]);
    let create = server.token("storage.create:/", &[]);
    for (path, token, before) in [("/d/new", &create, None), ("/d/f", &all, Some("old"))] {
        for (framing, body, end) in [
            ("content-length: 100", "part", ""),
            ("transfer-encoding: chunked", "4\r\npart\r\n", ""),
            ("transfer-encoding: chunked", "4\r\npart\r\n", "zz\r\n"),
        ] {
            let mut stream = server.begin_upload(path, token, framing, body).await;
            assert_eq!(server.read(path).as_deref(), before, "{framing}: while it is uploaded");
            let listing = server.ask("PROPFIND", "/d/", &all).await;
            assert!(listing.status == 207 && !listing.body.contains("upload"), "{listing:?}");
            stream.write_all(end.as_bytes()).await.unwrap();
            drop(stream);
            server.until_unfinished(false).await;
            assert_eq!(server.read(path).as_deref(), before, "{framing}: afterwards");
        }
    }
    assert_eq!(server.status("PUT", "/d/new", &create).await, 201, "and it can be uploaded again");
    assert_eq!(server.status("GET", "/d/.storage-upload-x", &all).await, 404);
    assert_eq!(server.status("PUT", "/d/.storage-upload-x", &all).await, 409);
}

#[tokio::test]
async fn a_file_that_appears_during_an_upload_is_not_replaced_by_a_token_that_only_creates() {
    let server = Server::start().await;
    server.write("/d/other", "");
    for (scope, status, content) in
        [("storage.create:/", "412 ", "appeared"), ("storage.modify:/", "201 ", "part")]
    {
        let token = server.token(scope, &[]);
        let _ = fs_err::remove_file(server.file("/d/new"));
        let framing = "transfer-encoding: chunked\r\nconnection: close";
        let mut stream = server.begin_upload("/d/new", &token, framing, "4\r\npart\r\n").await;
        server.write("/d/new", "appeared");
        stream.write_all(b"0\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{scope}: {answer}");
        assert_eq!(server.read("/d/new").as_deref(), Some(content), "{scope}");
    }
}

#[tokio::test]
async fn parts_of_files_are_not_written() {
    let server = Server::start().await;
    server.write("/f", "old");
    let token = server.token("storage.modify:/", &[]);
    for path in ["/f", "/new"] {
        let part = server.request("PUT", path, &token).header("content-range", "bytes 1-1/3").body("Z");
        assert_eq!(send(part).await.status, 400, "{path}");
        let part = server.request("PATCH", path, &token).header("x-update-range", "bytes=0-0");
        let part = part.header("content-type", "application/x-sabredav-partialupdate").body("Z");
        assert_eq!(send(part).await.status, 405, "{path}");
    }
    assert_eq!((server.read("/f").as_deref(), server.read("/new")), (Some("old"), None));
}

#[tokio::test]
async fn no_path_leads_through_a_link() {
    let server = Server::start().await;
    let outside = tempfile::tempdir().unwrap();
    fs_err::write(outside.path().join("s"), "outside").unwrap();
    server.write("/protected/p", "secret");
    server.write("/d/f", "old");
    for (name, target) in [
        ("out", outside.path().to_owned()),
        ("file", outside.path().join("s")),
        ("area", "../protected".into()),
        ("loop", "loop".into()),
        ("dangling", outside.path().join("absent")),
    ] {
        symlink(target, server.file("/d").join(name)).unwrap();
    }
    let all = server.token("storage.read:/ storage.modify:/", &[]);
    for (method, path, status) in [
        ("GET", "/d/out/s", 404),
        ("GET", "/d/file", 404),
        ("GET", "/d/area/p", 404),
        ("GET", "/d/loop", 404),
        ("PROPFIND", "/d/out", 404),
        ("PUT", "/d/out/new", 409),
        ("PUT", "/d/area/p", 409),
        ("MKCOL", "/d/out/dir", 409),
        ("DELETE", "/d/out/s", 404),
        ("PUT", "/d/dangling", 201),
    ] {
        assert_eq!(server.status(method, path, &all).await, status, "{method} {path}");
    }
    let listing = server.ask("PROPFIND", "/d/", &all).await.body;
    let shown = ["f", "dangling", "out", "file", "area", "loop"]
        .map(|name| listing.contains(&format!("/area/d/{name}<")));
    assert_eq!(shown, [true, true, false, false, false, false], "{listing}");
    assert_eq!(server.to("COPY", "/d", "/copy", &all).await, 207, "the links are named as not copied");
    assert_eq!(server.read("/copy/f").as_deref(), Some("old"));
    assert!(server.read("/copy/file").is_none() && !server.file("/copy/out").exists());
    assert_eq!(server.status("DELETE", "/d", &all).await, 204);
    assert!(!server.file("/d").exists() && outside.path().join("s").exists());
    assert_eq!(fs_err::read_dir(outside.path()).unwrap().count(), 1, "nothing was made outside");
    assert_eq!(server.read("/protected/p").as_deref(), Some("secret"));
}

#[tokio::test]
async fn a_slash_at_the_end_names_a_directory_only() {
    let server = Server::start().await;
    server.write("/d/f", "old");
    let token = server.token("storage.read:/d/f/ storage.modify:/d/f/ storage.create:/d/new/", &[]);
    for (method, path, status) in [
        ("GET", "/d/f/", 404),
        ("PROPFIND", "/d/f/", 404),
        ("DELETE", "/d/f/", 404),
        ("PUT", "/d/f/", 409),
        ("PUT", "/d/new/", 409),
        ("GET", "/d/f", 403),
        ("MKCOL", "/d/new/", 201),
    ] {
        assert_eq!(server.status(method, path, &token).await, status, "{method} {path}");
    }
    let all = server.token("storage.read:/ storage.modify:/", &[]);
    assert_eq!(server.to("COPY", "/d/f", "/d/g/", &all).await, 409);
    assert_eq!(server.to("MOVE", "/d/f/", "/d/g", &all).await, 404);
    assert_eq!(server.to("COPY", "/d/new", "/d/made/", &all).await, 201);
    assert_eq!((server.read("/d/f").as_deref(), server.file("/d/g").exists()), (Some("old"), false));
}

#[tokio::test]
async fn nothing_is_copied_or_moved_into_or_over_itself() {
    let server = Server::start().await;
    server.write("/d/f", "old");
    server.write("/d/sub/x", "in");
    let all = server.token("storage.read:/ storage.modify:/", &[]);
    for (from, to) in
        [("/d/sub", "/d"), ("/d", "/d/sub"), ("/d", "/d/sub/y"), ("/d", "/d"), ("/d/f", "/"), ("/", "/z")]
    {
        for method in ["COPY", "MOVE"] {
            assert_eq!(server.to(method, from, to, &all).await, 403, "{method} {from} to {to}");
        }
    }
    for path in ["/", "", "//", "/./"] {
        assert_eq!(server.status("DELETE", path, &all).await, 403, "DELETE {path}");
    }
    let part = server.request("DELETE", "/d", &all).header("depth", "0");
    assert_eq!(send(part).await.status, 400);
    assert_eq!(
        (server.read("/d/f").as_deref(), server.read("/d/sub/x").as_deref()),
        (Some("old"), Some("in"))
    );
}

#[tokio::test]
async fn what_lies_below_a_file_or_has_too_long_a_name_is_absent() {
    let server = Server::start().await;
    server.write("/f", "old");
    let all = server.token("storage.read:/ storage.modify:/", &[]);
    let long = format!("/{}", "a".repeat(256));
    for (path, answers) in [("/f/x", [404, 404, 404, 409, 409]), (&*long, [414, 414, 414, 414, 414])] {
        for (method, status) in ["GET", "PROPFIND", "DELETE", "PUT", "MKCOL"].iter().zip(answers) {
            assert_eq!(server.status(method, path, &all).await, status, "{method}, {} bytes", path.len());
        }
    }
    fs_err::create_dir(server.file("/d")).unwrap();
    assert_eq!(server.status("PUT", "/d", &all).await, 405);
    assert_eq!(server.status("MKCOL", "/f", &all).await, 405);
}

#[tokio::test]
async fn of_two_that_move_to_the_same_name_at_once_one_fails() {
    let server = Server::start().await;
    let create = server.token("storage.create:/", &[]);
    for round in 0..20 {
        let (one, other) = (format!("/one-{round}"), format!("/other-{round}"));
        server.write(&one, "one");
        server.write(&other, "other");
        let to = format!("/to-{round}");
        let (first, second) =
            tokio::join!(server.to("MOVE", &one, &to, &create), server.to("MOVE", &other, &to, &create));
        assert_eq!([first, second].iter().filter(|status| **status == 201).count(), 1, "{first} {second}");
        let rest = [&one, &other].iter().filter(|path| server.read(path).is_some()).count();
        assert_eq!((rest, server.read(&to).is_some()), (1, true), "no file is lost");
    }
}

#[tokio::test]
async fn an_upload_is_answered_with_the_tag_that_the_file_has() {
    let server = Server::start().await;
    let all = server.token("storage.read:/ storage.modify:/", &[]);
    for status in [201, 204] {
        let put = server.ask("PUT", "/f", &all).await;
        let head = server.ask("HEAD", "/f", &all).await;
        assert_eq!((put.status.as_u16(), put.header("etag")), (status, head.header("etag")));
        assert!(!put.header("etag").is_empty(), "{put:?}");
        let again = server.request("PUT", "/f", &all).header("if-match", put.header("etag")).body("newer");
        assert_eq!(send(again).await.status, 204);
        let late = server.request("PUT", "/f", &all).header("if-match", put.header("etag")).body("late");
        assert_eq!(send(late).await.status, 412);
        assert_eq!(server.read("/f").as_deref(), Some("newer"));
    }
}
