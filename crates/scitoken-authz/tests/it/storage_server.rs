//! The storage of `examples/storage_server.rs`, asked over HTTP: each rule of the WLCG profile.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../examples/storage/mod.rs"]
mod storage;
#[path = "../../examples/storage_tls/mod.rs"]
mod storage_tls;

use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode};
use scitoken_authz::{Enforcer, Issuer, OfflineVerifier, Profile, SciToken, StorageRules, TokenSigner};
use scitoken_jwt::keys::{JwkSet, KeyKind, SigningKey};
use scitoken_types::sys::{ManualClock, SharedClock};
use storage::{Storage, listen};
use tokio::net::TcpListener;

const AUDIENCE: &str = "https://data.example";

struct Server {
    base: String,
    root: tempfile::TempDir,
    key: SigningKey,
    client: reqwest::Client,
}

/// The answer to a request.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: reqwest::header::HeaderMap,
    body: String,
}

impl Server {
    async fn start() -> Self {
        Self::start_with(Duration::ZERO, None).await
    }

    async fn start_with(leeway: Duration, tls: Option<(PathBuf, PathBuf, reqwest::Certificate)>) -> Self {
        let root = tempfile::tempdir().unwrap();
        fs_err::create_dir(root.path().join("protected")).unwrap();
        let key = SigningKey::generate(KeyKind::P256).unwrap();
        let keys: JwkSet = [key.verifying_key().to_jwk().with_key_id("k")].into_iter().collect();
        let rules = StorageRules::new()
            .readers("/vo")
            .writers("/vo")
            .area(&"/protected".parse().unwrap(), "/vo/test");
        let storage = Storage {
            root: root.path().to_owned(),
            prefix: "/area".parse().unwrap(),
            rules,
            enforcer: Enforcer::builder(issuer()).audience(AUDIENCE).leeway(leeway).build(),
        };
        let service = storage.service(OfflineVerifier::new(issuer(), keys).leeway(leeway));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = reqwest::Client::builder().no_proxy();
        let (base, client, tls) = match tls {
            None => (format!("http://{address}/area"), client, None),
            Some((cert, key, authority)) => {
                let base = format!("https://localhost:{}/area", address.port());
                (base, client.tls_certs_only([authority]), Some(storage_tls::acceptor(&cert, &key).unwrap()))
            }
        };
        tokio::spawn(listen::serve(listener, tls, service));
        Self { base, root, key, client: client.build().unwrap() }
    }

    fn token(&self, scope: &str, groups: &[&str]) -> String {
        self.sign(SciToken::new(Profile::WLCG, &issuer()).audience(AUDIENCE), scope, groups)
    }

    fn sign(&self, token: SciToken, scope: &str, groups: &[&str]) -> String {
        let signer = TokenSigner::new(self.key.clone()).unwrap().with_key_id("k");
        let mut token = token.subject("alice").claim("scope", scope);
        if !groups.is_empty() {
            token = token
                .claim("wlcg.groups", groups.iter().map(|group| (*group).to_owned()).collect::<Vec<_>>());
        }
        token.sign(&signer).unwrap().expose_secret().to_owned()
    }

    fn request(&self, method: &str, path: &str, token: &str) -> RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.client.request(method, format!("{}{path}", self.base)).bearer_auth(token)
    }

    async fn ask(&self, method: &str, path: &str, token: &str) -> Answer {
        let request = self.request(method, path, token);
        send(if method == "PUT" { request.body("new") } else { request }).await
    }

    async fn status(&self, method: &str, path: &str, token: &str) -> u16 {
        self.ask(method, path, token).await.status.as_u16()
    }

    /// Sends a request with a destination on this server.
    async fn to(&self, method: &str, path: &str, destination: &str, token: &str) -> u16 {
        let destination = format!("{}{destination}", self.base);
        send(self.request(method, path, token).header("destination", destination)).await.status.as_u16()
    }

    fn write(&self, path: &str, content: &str) {
        let file = self.file(path);
        fs_err::create_dir_all(file.parent().unwrap()).unwrap();
        fs_err::write(file, content).unwrap();
    }

    fn read(&self, path: &str) -> Option<String> {
        fs_err::read_to_string(self.file(path)).ok()
    }

    fn file(&self, path: &str) -> PathBuf {
        self.root.path().join(path.trim_start_matches('/'))
    }
}

fn issuer() -> Issuer {
    "https://iss.invalid".parse().unwrap()
}

async fn send(request: RequestBuilder) -> Answer {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    Answer { status, headers, body: response.text().await.unwrap() }
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

#[tokio::test]
async fn storage_read_reads_its_path_and_changes_nothing() {
    let server = Server::start().await;
    server.write("/d/f", "old");
    let read = server.token("storage.read:/d", &[]);
    let answer = server.ask("GET", "/d/f", &read).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "old"));
    assert_eq!(server.status("GET", "/d/absent", &read).await, 404);
    assert_eq!(server.status("HEAD", "/d", &read).await, 200, "a directory, without a redirect");
    let listing = server.ask("PROPFIND", "/d", &read).await;
    assert!(listing.status == 207 && listing.body.contains("/area/d/f"), "{listing:?}");
    for (method, path) in [
        ("GET", "/dd"),
        ("GET", "/e"),
        ("GET", "/"),
        ("PROPFIND", "/"),
        ("PUT", "/d/f"),
        ("PUT", "/d/new"),
        ("DELETE", "/d/f"),
        ("MKCOL", "/d/new"),
        ("PROPPATCH", "/d/f"),
    ] {
        assert_eq!(server.status(method, path, &read).await, 403, "{method} {path}");
    }
    assert_eq!(server.to("COPY", "/d/f", "/d/g", &read).await, 403);
    assert_eq!(server.to("MOVE", "/d/f", "/d/g", &read).await, 403);
    assert_eq!(server.read("/d/f").as_deref(), Some("old"));
    assert_eq!(server.read("/d/g"), None);
}

#[tokio::test]
async fn storage_create_neither_overwrites_nor_deletes_nor_reads() {
    let server = Server::start().await;
    server.write("/d/f", "old");
    server.write("/d/other", "other");
    let create = server.token("storage.create:/d", &[]);
    assert_eq!(server.status("PUT", "/d/new", &create).await, 201);
    assert_eq!(server.status("MKCOL", "/d/dir", &create).await, 201);
    assert_eq!(server.to("MOVE", "/d/new", "/d/renamed", &create).await, 201, "a name that replaces nothing");
    for (method, path) in [
        ("PUT", "/d/f"),
        ("PUT", "/d/renamed"),
        ("DELETE", "/d/f"),
        ("DELETE", "/d/dir"),
        ("GET", "/d/f"),
        ("PUT", "/e"),
    ] {
        assert_eq!(server.status(method, path, &create).await, 403, "{method} {path}");
    }
    assert_eq!(server.to("MOVE", "/d/other", "/d/f", &create).await, 403);
    let copy = server.token("storage.create:/d storage.read:/d", &[]);
    assert_eq!(server.to("COPY", "/d/other", "/d/f", &copy).await, 403);
    assert_eq!(server.to("COPY", "/d/other", "/d/copy", &copy).await, 201);
    assert_eq!(server.to("MOVE", "/d/other", "/outside", &create).await, 403);
    for (path, content) in
        [("/d/f", "old"), ("/d/other", "other"), ("/d/renamed", "new"), ("/d/copy", "other")]
    {
        assert_eq!(server.read(path).as_deref(), Some(content), "{path}");
    }
}

#[tokio::test]
async fn of_two_that_create_the_same_file_at_once_one_fails() {
    let server = Server::start().await;
    let create = server.token("storage.create:/", &[]);
    for round in 0..20 {
        let path = format!("/race-{round}");
        let put = || server.request("PUT", &path, &create).body(vec![b'x'; 200_000]);
        let (one, other) = tokio::join!(send(put()), send(put()));
        let mut statuses = [one.status.as_u16(), other.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses[0], 201, "{statuses:?}");
        assert!(matches!(statuses[1], 403 | 412), "{statuses:?}");
    }
}

#[tokio::test]
async fn storage_modify_writes_and_deletes_and_does_not_read() {
    let server = Server::start().await;
    server.write("/d/f", "old");
    let modify = server.token("storage.modify:/d", &[]);
    for (method, path, status) in [
        ("PUT", "/d/f", 204),
        ("GET", "/d/f", 403),
        ("HEAD", "/d/f", 403),
        ("PROPFIND", "/d", 403),
        ("PUT", "/d/new", 201),
        ("MKCOL", "/d/dir", 201),
        ("DELETE", "/d/dir", 204),
        ("DELETE", "/d/f", 204),
        ("PUT", "/e", 403),
        ("DELETE", "/", 403),
    ] {
        assert_eq!(server.status(method, path, &modify).await, status, "{method} {path}");
    }
    assert_eq!(server.to("COPY", "/d/new", "/d/copy", &modify).await, 403, "a copy reads");
    assert_eq!(server.to("MOVE", "/d/new", "/d/f", &modify).await, 201);
    assert_eq!((server.read("/d/f").as_deref(), server.read("/d/new")), (Some("new"), None));
}

#[tokio::test]
async fn staging_polling_and_foreign_scopes_allow_nothing() {
    let server = Server::start().await;
    server.write("/f", "old");
    for scope in ["storage.stage:/", "storage.poll:/", "openid", "compute.create", "read:/ write:/"] {
        let token = server.token(scope, &[]);
        for (method, path) in
            [("GET", "/f"), ("PUT", "/f"), ("PUT", "/new"), ("DELETE", "/f"), ("MKCOL", "/d")]
        {
            assert_eq!(server.status(method, path, &token).await, 403, "{scope}: {method} {path}");
        }
    }
}

#[tokio::test]
async fn parents_of_a_granted_path_can_be_made_and_nothing_beside() {
    let server = Server::start().await;
    for scope in ["storage.create:/a/b/c", "storage.modify:/m/b/c"] {
        let top = &scope[scope.len() - 6..scope.len() - 4];
        let token = server.token(scope, &[]);
        assert_eq!(server.status("PUT", &format!("{top}/b/c/f"), &token).await, 409, "no parent yet");
        for (path, status) in
            [("", 201), ("/x", 403), ("/bb", 403), ("/b", 201), ("/b/c", 201), ("/b/d", 403), ("/b/c/e", 201)]
        {
            assert_eq!(
                server.status("MKCOL", &format!("{top}{path}"), &token).await,
                status,
                "{scope}: {top}{path}"
            );
        }
        assert_eq!(server.status("PUT", &format!("{top}/b/c/f"), &token).await, 201);
        assert_eq!(server.status("PUT", &format!("{top}/b/f"), &token).await, 403);
    }
}

#[tokio::test]
async fn the_members_of_a_group_write_where_no_area_belongs_to_another() {
    let server = Server::start().await;
    let (member, tester) =
        (server.token("wlcg.groups", &["/vo"]), server.token("wlcg.groups:/vo/test", &["/vo/test"]));
    for (token, who, method, path, status) in [
        (&member, "member", "PUT", "/f", 201),
        (&member, "member", "GET", "/f", 200),
        (&member, "member", "GET", "/protected/f", 404),
        (&member, "member", "PUT", "/protected/f", 403),
        (&member, "member", "MKCOL", "/protected/d", 403),
        (&tester, "tester", "GET", "/protected/f", 404),
        (&tester, "tester", "PUT", "/protected/f", 201),
        (&member, "member", "GET", "/protected/f", 200),
        (&member, "member", "DELETE", "/protected/f", 403),
        (&member, "member", "DELETE", "/protected", 403),
        (&member, "member", "DELETE", "/protected/", 403),
        (&member, "member", "DELETE", "/", 403),
        (&tester, "tester", "GET", "/f", 403),
        (&tester, "tester", "PUT", "/f", 403),
        (&tester, "tester", "DELETE", "/protected/f", 204),
        (&member, "member", "DELETE", "/f", 204),
    ] {
        assert_eq!(server.status(method, path, token).await, status, "{who}: {method} {path}");
    }
    assert_eq!(server.to("MOVE", "/protected", "/mine", &member).await, 403);
    let both = server.token("storage.read:/d", &["/vo"]);
    assert_eq!(
        server.status("PUT", "/g", &both).await,
        403,
        "its groups do not count beside its capabilities"
    );
    let other = server.token("openid", &["/other", "/vo/sub"]);
    assert_eq!(server.status("GET", "/f", &other).await, 403, "a subgroup is another group");
}

#[tokio::test]
async fn a_token_for_another_audience_or_time_is_refused_with_the_reason() {
    let server = Server::start().await;
    let token = |audiences: &[&str]| {
        let token = SciToken::new(Profile::WLCG, &issuer());
        audiences.iter().fold(token, |token, audience| token.audience(*audience))
    };
    for (audiences, status) in [
        (&["https://wlcg.cern.ch/jwt/v1/any"][..], 404),
        (&[AUDIENCE, "random"], 404),
        (&["random"], 401),
        (&["https://fake.audience:8443", "random"], 401),
        (&["https://data.example/"], 401),
    ] {
        let token = server.sign(token(audiences), "storage.read:/", &[]);
        let answer = server.ask("GET", "/absent", &token).await;
        assert_eq!(answer.status.as_u16(), status, "{audiences:?}: {answer:?}");
        if status == 401 {
            assert!(answer.header("www-authenticate").contains(r#"error="invalid_token""#), "{answer:?}");
            assert!(answer.body.contains("audience"), "{answer:?}");
        }
    }
    let past = SharedClock::default().now() - Duration::from_secs(620);
    let expired = token(&[AUDIENCE]).clock(ManualClock::new(past)).lifetime(Duration::from_secs(600));
    let expired = server.sign(expired, "storage.read:/", &[]);
    let answer = server.ask("GET", "/absent", &expired).await;
    assert!(answer.status == 401 && answer.body.contains("expired"), "{answer:?}");
}

#[tokio::test]
async fn clocks_may_differ_by_the_leeway() {
    let server = Server::start_with(Duration::from_secs(60), None).await;
    for (issued, lifetime, status) in
        [(-620_i64, 600, 404), (-900, 600, 401), (30, 600, 404), (200, 600, 401)]
    {
        let offset = Duration::from_secs(issued.unsigned_abs());
        let now = SharedClock::default().now();
        let at = if issued < 0 { now - offset } else { now + offset };
        let token = SciToken::new(Profile::WLCG, &issuer()).audience(AUDIENCE);
        let token = token.clock(ManualClock::new(at)).lifetime(Duration::from_secs(lifetime));
        let token = server.sign(token, "storage.read:/", &[]);
        assert_eq!(server.status("GET", "/absent", &token).await, status, "issued {issued} s from now");
    }
}

#[tokio::test]
async fn a_refusal_names_the_scope_as_the_token_would_have_it() {
    let server = Server::start().await;
    server.write("/d/f", "old");
    let answer = send(server.client.get(format!("{}/d/f", server.base))).await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.header("www-authenticate"), r#"Bearer realm="storage", scope="storage.read:/d/f""#);
    assert!(answer.body.contains("requires a bearer token"), "{answer:?}");
    let answer = server.ask("PUT", "/d/f", &server.token("storage.create:/d", &[])).await;
    assert_eq!(answer.status, 403);
    assert!(answer.header("www-authenticate").contains(r#"error="insufficient_scope""#), "{answer:?}");
    assert!(answer.header("www-authenticate").contains(r#"scope="storage.modify:/d/f""#), "{answer:?}");
    assert!(answer.body.contains("storage.create:/d"), "what the token has: {answer:?}");
    let answer = server.ask("GET", "/d/f", "no.t.oken").await;
    assert_eq!(answer.status, 401, "{answer:?}");
    assert_eq!(server.status("GET", "/../outside", &server.token("storage.read:/", &[])).await, 404);
    assert_eq!(server.status("GET", "/d/%2e%2e%2fd", &server.token("storage.read:/", &[])).await, 400);
}

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
    ] {
        let answer = send(server.request("COPY", "/f", &token).header("destination", destination)).await;
        assert_eq!(answer.status.as_u16(), status, "{destination}: {answer:?}");
    }
    assert_eq!(server.read("/g").as_deref(), Some("old"));
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
