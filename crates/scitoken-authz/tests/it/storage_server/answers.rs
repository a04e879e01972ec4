//! Destinations, digests, ranges and TLS.

use super::*;

#[tokio::test]
async fn a_destination_must_be_a_path_of_this_storage() {
    let server = Server::start().await;
    server.write("/f", "old");
    let token = server.token("storage.read:/ storage.modify:/", &[]);
    let outside = server.base.replace("/area", "/elsewhere/f");
    let same_path_as_area = server.base.replace("/area", "/areaf");
    for (destination, status) in [
        ("http://other.example/area/g", 502),
        (&*outside, 502),
        (&*same_path_as_area, 502),
        ("/area/%2e%2e/g", 400),
        ("/area/g", 201),
        (&*server.base.replace("/area", "/area/h").replace("127.0.0.1", "me@127.0.0.1"), 502),
    ] {
        let answer = send(server.request("COPY", "/f", &token).header("destination", destination)).await;
        assert_eq!(answer.status.as_u16(), status, "{destination}: {answer:?}");
    }
    assert_eq!(server.read("/g").as_deref(), Some("old"));
    for (host, destinations, status) in [
        ("data.example", &["https://data.example:443/area/h"][..], 201),
        ("DATA.example:80", &["http://data.EXAMPLE/area/i"], 201),
        ("data.example", &["https://data.example:444/area/j"], 502),
        ("data.example", &["http://data.example/area/k", "http://data.example/area/l"], 400),
    ] {
        let request = server.request("COPY", "/f", &token).header("host", host);
        let request =
            destinations.iter().fold(request, |request, there| request.header("destination", *there));
        assert_eq!(send(request).await.status.as_u16(), status, "{host} {destinations:?}");
    }
}

#[tokio::test]
async fn digests_come_on_request_for_the_whole_file() {
    let server = Server::start().await;
    server.write("/f", "123456789");
    let token = server.token("storage.read:/", &[]);
    let sha256 = "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=";
    for method in ["HEAD", "GET"] {
        for (asked, value, answered, expected) in [
            ("want-digest", "adler32", "digest", "adler32=091e01de".to_owned()),
            ("want-digest", "sha-512;q=0, crc32c;q=0.5, md5;q=0.3", "digest", "crc32c=e3069283".to_owned()),
            ("want-digest", "whirlpool, sha-256", "digest", format!("sha-256={sha256}")),
            ("want-repr-digest", "adler=1, sha-256=9", "repr-digest", format!("sha-256=:{sha256}:")),
            ("want-repr-digest", "adler=1", "repr-digest", "adler=:CR4B3g==:".to_owned()),
            ("want-digest", "whirlpool", "digest", String::new()),
        ] {
            for range in [None, Some("bytes=2-3")] {
                let mut request = server.request(method, "/f", &token).header(asked, value);
                if let Some(range) = range {
                    request = request.header("range", range);
                }
                let answer = send(request).await;
                assert!(answer.status.is_success());
                assert_eq!(answer.header(answered), expected, "{method} {asked}: {value} {range:?}");
            }
        }
        let answer = server.ask(method, "/f", &token).await;
        assert_eq!((answer.header("digest"), answer.header("repr-digest")), ("", ""));
    }
    let absent = send(server.request("GET", "/absent", &token).header("want-digest", "md5")).await;
    assert_eq!((absent.status.as_u16(), absent.header("digest")), (404, ""));
}

#[tokio::test]
async fn ranges_are_served() {
    let server = Server::start().await;
    server.write("/f", "0123456789");
    let token = server.token("storage.read:/", &[]);
    for (range, status, content_range, body) in [
        ("bytes=2-3", 206, "bytes 2-3/10", "23"),
        ("bytes=7-", 206, "bytes 7-9/10", "789"),
        ("bytes=-2", 206, "bytes 8-9/10", "89"),
        ("bytes=5-100", 206, "bytes 5-9/10", "56789"),
        ("bytes=10-", 416, "bytes */10", ""),
    ] {
        let answer = send(server.request("GET", "/f", &token).header("range", range)).await;
        assert_eq!(answer.status.as_u16(), status, "{range}");
        assert_eq!((answer.header("content-range"), answer.body.as_str()), (content_range, body), "{range}");
    }
    let several = send(server.request("GET", "/f", &token).header("range", "bytes=0-1,8-9")).await;
    assert_eq!(several.status.as_u16(), 206);
    assert!(several.header("content-type").starts_with("multipart/byteranges"), "{several:?}");
}

#[tokio::test]
async fn the_storage_speaks_tls() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = tempfile::tempdir().unwrap();
    let (cert, key) = (files.path().join("cert.pem"), files.path().join("key.pem"));
    fs_err::write(&cert, made.cert.pem()).unwrap();
    fs_err::write(&key, made.signing_key.serialize_pem()).unwrap();
    let authority = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    let server = Server::start_with(Duration::ZERO, Some((cert, key, authority))).await;
    server.write("/f", "old");
    let token = server.token("storage.read:/ storage.modify:/", &[]);
    assert_eq!(server.ask("GET", "/f", &token).await.body, "old");
    let destination = format!("{}/g", server.base);
    let copy = send(server.request("COPY", "/f", &token).header("destination", destination)).await;
    assert_eq!(copy.status, 201, "over HTTP/2 the host is in the URI: {copy:?}");
}
