//! The ready-made client, from outside.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use http::{Method, StatusCode, header};
use reqwest_scitokens::auth::ForbiddenReplay;
use reqwest_scitokens::{
    Attach, Error, RequestBuilderExt as _, Session, SessionBuilder, scitoken_delete, scitoken_get,
    scitoken_head, scitoken_patch, scitoken_post, scitoken_put, scitoken_request,
};
use scitoken_types::sys::Env;

use scitoken_test_support::clients::{session, session_knowing};
use scitoken_test_support::server::Place;
use scitoken_test_support::{Reply, Script, Server, tls};
use scitoken_test_support::{chain, texts};

/// `Session()` of requests-scitokens always raises a `TypeError`.
#[tokio::test]
async fn every_verb_is_sent_as_itself() {
    let server = Server::http(|_| Reply::ok("")).await;
    let session = session(Script::new(&["t"])).build().unwrap();
    let url = || server.url("/f");
    session.get(url()).send().await.unwrap();
    session.head(url()).send().await.unwrap();
    session.post(url()).body("x").send().await.unwrap();
    session.put(url()).body("x").send().await.unwrap();
    session.patch(url()).body("x").send().await.unwrap();
    session.delete(url()).send().await.unwrap();
    session.request(Method::from_bytes(b"PROPFIND").unwrap(), url()).send().await.unwrap();
    let methods: Vec<_> = server.seen().iter().map(|seen| seen.method.clone()).collect();
    assert_eq!(methods, ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "PROPFIND"]);
    assert_eq!(server.tokens(), vec!["t"; 7]);
    assert_eq!(server.connections(), 1, "connections are pooled");
}

#[tokio::test]
async fn header_names_are_in_title_case_and_the_user_agent_tells_who_it_is() {
    let server = Server::http(|_| Reply::ok("")).await;
    let session = session(Script::new(&["t"])).build().unwrap();
    session.get(server.url("/f")).header("want-digest", "adler32").send().await.unwrap();
    let seen = &server.seen()[0];
    assert!(seen.exact("Authorization").is_some());
    assert_eq!(seen.exact("Want-Digest"), Some("adler32"));
    let agent = seen.exact("User-Agent").unwrap();
    assert!(agent.starts_with(&format!("reqwest-scitokens/{}", env!("CARGO_PKG_VERSION"))), "{agent}");
}

#[tokio::test]
async fn a_session_is_shared_by_its_clones() {
    fn shareable<T: Clone + Send + Sync + 'static>(_: &T) {}
    let server = Server::http(|_| Reply::ok("")).await;
    let source = Script::new(&["t"]);
    let session = session(source.clone()).build().unwrap();
    shareable(&session);
    session.get(server.url("/f")).send().await.unwrap();
    session.clone().get(server.url("/f")).send().await.unwrap();
    assert_eq!((server.connections(), source.calls()), (1, 1));
}

#[tokio::test]
async fn a_403_is_answered_for_writes_too_if_asked() {
    let server = Server::http(|seen| match seen.authorization() {
        Some("Bearer new") => Reply::ok("data"),
        _ => Reply::new(403),
    })
    .await;
    let session = session(Script::new(&["old", "new"]))
        .auth(|auth| auth.forbidden(ForbiddenReplay::Always))
        .build()
        .unwrap();
    assert_eq!(session.put(server.url("/f")).body("x").send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(server.tokens(), ["old", "new"]);
}

#[tokio::test]
async fn plain_http_is_possible_where_the_user_allows_it() {
    let server = Place::http().named("site.test").start(|_| Reply::ok("")).await;
    let other = Place::http().named("untrusted.test").start(|_| Reply::ok("")).await;
    let session = session_knowing(Script::new(&["t"]), &[&server, &other])
        .auth(|auth| auth.plain_http("http://site.test".parse().unwrap()))
        .build()
        .unwrap();
    session.get(server.url("/f")).send().await.unwrap();
    let error = session.get(other.url("/f")).send().await.unwrap_err();
    assert!(Error::find(&error).unwrap().is_insecure_origin(), "{error:?}");
    assert_eq!((server.tokens(), other.connections()), (vec!["t".to_owned()], 0));
}

// ---- certificate authorities

/// A builder without the authority of the tests, and without the machine's settings.
fn untrusting() -> SessionBuilder {
    Session::builder().source(Script::new(&["t"])).env(Env::given::<&str, &str>([]))
}

async fn reaches(builder: SessionBuilder) -> bool {
    let server = Server::https(|_| Reply::ok("")).await;
    builder.build().unwrap().get(server.url("/f")).send().await.is_ok()
}

#[tokio::test]
async fn an_unknown_authority_is_not_trusted() {
    assert!(!reaches(untrusting()).await);
}

#[tokio::test]
async fn an_authority_can_be_a_text_a_file_or_a_directory() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("1a2b3c4d.0");
    fs_err::write(&file, tls::ca_pem()).unwrap();
    fs_err::write(directory.path().join("1a2b3c4d.signing_policy"), "access_id_CA X509").unwrap();
    fs_err::write(directory.path().join("1a2b3c4d.r0"), "-----BEGIN X509 CRL-----").unwrap();
    fs_err::write(directory.path().join("README"), "no certificate").unwrap();
    assert!(reaches(untrusting().ca_certificates(tls::ca_pem())).await);
    assert!(reaches(untrusting().ca_file(&file)).await);
    assert!(reaches(untrusting().ca_directory(directory.path())).await);
}

#[tokio::test]
async fn the_grid_directory_of_the_environment_is_trusted() {
    let directory = tempfile::tempdir().unwrap();
    fs_err::write(directory.path().join("1a2b3c4d.0"), tls::ca_pem()).unwrap();
    let env = Env::given([("X509_CERT_DIR", directory.path())]);
    assert!(reaches(Session::builder().source(Script::new(&["t"])).env(env)).await);
}

#[cfg(feature = "named-certificates")]
#[tokio::test]
async fn authorities_that_were_read_once_are_trusted_by_several_sessions_in_place_of_their_own() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    fs_err::write(&file, tls::ca_pem()).unwrap();
    let trust = untrusting().ca_file(&file).read_server_trust().unwrap();
    fs_err::remove_file(&file).unwrap();
    assert!(reaches(untrusting().server_trust(trust.clone())).await);
    assert!(reaches(untrusting().ca_file(&file).server_trust(trust)).await, "nothing is read again");
    let others = untrusting().read_server_trust().unwrap();
    assert!(!reaches(untrusting().ca_certificates(tls::ca_pem()).server_trust(others)).await);
    assert!(untrusting().ca_file(&file).read_server_trust().unwrap_err().is_builder());
}

#[tokio::test]
async fn an_authority_that_loads_nothing_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let empty = directory.path().join("empty.pem");
    fs_err::write(&empty, "").unwrap();
    let nonsense = directory.path().join("nonsense.pem");
    fs_err::write(&nonsense, "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n").unwrap();
    let missing = Path::new("/nowhere/ca.pem");
    let nothing_in_it = tempfile::tempdir().unwrap();
    for (builder, named) in [
        (untrusting().ca_certificates(""), ""),
        (untrusting().ca_certificates("no certificate"), ""),
        (untrusting().ca_file(&empty), "empty.pem"),
        (untrusting().ca_file(&nonsense), ""),
        (untrusting().ca_file(missing), "/nowhere/ca.pem"),
        (untrusting().ca_directory(nothing_in_it.path()), nothing_in_it.path().to_str().unwrap()),
        (untrusting().ca_directory("/nowhere"), "/nowhere"),
    ] {
        let error: Error = builder.build().unwrap_err();
        assert!(error.is_builder(), "{error:?}");
        assert!(chain(&error).contains(named), "no `{named}` in {}", chain(&error));
    }
}

#[tokio::test]
async fn settings_of_the_http_client_are_kept_except_for_redirects() {
    let server = Server::http(|seen| match seen.path() {
        "/start" => Reply::redirect(302, "/end"),
        _ => Reply::ok(""),
    })
    .await;
    let session = session(Script::new(&["t"])).http(|http| http.user_agent("tool/1")).build().unwrap();
    session.get(server.url("/start")).send().await.unwrap();
    let seen = server.seen();
    assert_eq!(seen[1].header("user-agent"), Some("tool/1"));
    assert_eq!(server.tokens(), ["t", "t"]);
}

#[tokio::test]
async fn a_server_that_never_accepts_is_given_up_after_the_connect_timeout() {
    // A listener whose queue is full answers no more handshakes.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    for _ in 0..4 {
        let connect = tokio::net::TcpStream::connect(address);
        waiting.push(tokio::time::timeout(Duration::from_millis(100), connect).await);
    }
    let session = session(Script::new(&["t"]))
        .http(|http| http.connect_timeout(Duration::from_millis(200)))
        .build()
        .unwrap();
    let request = session.get(format!("http://{address}/f")).send();
    let error = tokio::time::timeout(Duration::from_secs(10), request).await.unwrap().unwrap_err();
    assert!(matches!(&error, reqwest_middleware::Error::Reqwest(error) if error.is_connect()), "{error:?}");
}

// ---- in one call

/// Runs one test of this binary again, in a process whose environment has these variables.
pub(crate) fn again(test: &str, variables: &[(&str, &str)]) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env_clear().envs(variables.iter().copied());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// The variable by which a test knows that it is the second process.
const SERVER: &str = "SERVER_OF_THE_TEST";

#[test]
fn the_calls_without_a_session_find_the_token_in_the_environment() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Some(url) = Env::process().get(SERVER) {
        let url = url.into_string().unwrap();
        runtime.block_on(async {
            assert_eq!(scitoken_get(&url).await.unwrap().text().await.unwrap(), "data");
            scitoken_head(&url).await.unwrap();
            scitoken_post(&url, "one").await.unwrap();
            scitoken_put(&url, "two").await.unwrap();
            scitoken_patch(&url, "three").await.unwrap();
            scitoken_delete(&url).await.unwrap();
            let propfind = Method::from_bytes(b"PROPFIND").unwrap();
            scitoken_request(propfind, &url).unwrap().header(header::ACCEPT, "x/y").send().await.unwrap();
        });
        return;
    }
    let server = runtime.block_on(Server::protected("from.the.environment"));
    let url = server.url("/f").to_string();
    let name = "session::the_calls_without_a_session_find_the_token_in_the_environment";
    again(name, &[(SERVER, &url), ("BEARER_TOKEN", " from.the.environment\n")]);
    let seen = server.seen();
    let sent: Vec<_> = seen.iter().map(|seen| (seen.method.as_str(), &seen.body[..])).collect();
    let expected: [(&str, &[u8]); 7] = [
        ("GET", b""),
        ("HEAD", b""),
        ("POST", b"one"),
        ("PUT", b"two"),
        ("PATCH", b"three"),
        ("DELETE", b""),
        ("PROPFIND", b""),
    ];
    assert_eq!(sent, expected);
    assert_eq!(server.tokens(), vec!["from.the.environment"; 7]);
    assert_eq!(seen[6].header("accept"), Some("x/y"));
}

#[tokio::test]
async fn attach_of_the_session_is_the_default_of_its_requests() {
    let server = Server::http(|_| Reply::ok("")).await;
    let session = session(Script::new(&["t"])).attach(Attach::Never).build().unwrap();
    session.get(server.url("/f")).send().await.unwrap();
    assert_eq!(server.tokens(), texts(&["-"]));
}

/// igwn-auth-utils changes the class of requests for the whole process.
#[tokio::test]
async fn sessions_share_nothing() {
    let server = Server::http(|_| Reply::challenge("Bearer")).await;
    let sessions: Vec<Session> =
        ["one", "two"].iter().map(|token| session(Script::new(&[token])).build().unwrap()).collect();
    for session in &sessions {
        session.get(server.url("/f")).send().await.unwrap();
    }
    assert_eq!(server.tokens(), ["one", "two"]);
}

/// A proxy is another machine: what is plain on the way to it is plain.
#[test]
fn a_token_for_this_machine_does_not_go_through_a_proxy_in_clear() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Some(url) = Env::process().get(SERVER) {
        let session = Session::builder().source(Script::new(&["t"])).build().unwrap();
        runtime.block_on(session.get(url.into_string().unwrap()).send()).ok();
        return;
    }
    let server = runtime.block_on(Server::http(|_| Reply::ok("data")));
    let proxy = runtime.block_on(Server::http(|_| Reply::ok("from the proxy")));
    let (url, proxy_url) = (server.url("/f").to_string(), proxy.url("").to_string());
    let name = "session::a_token_for_this_machine_does_not_go_through_a_proxy_in_clear";
    again(name, &[(SERVER, &url), ("http_proxy", &proxy_url)]);
    assert!(proxy.tokens().iter().all(|token| token == "-"), "{:?}", proxy.seen());
    assert_eq!(server.seen().len() + proxy.seen().len(), 1);
}

/// A session with these proxies of the environment.
fn behind(proxy: &Server, no_proxy: &str) -> Session {
    let proxy = proxy.url("").to_string();
    let env = Env::given([("http_proxy", proxy.as_str()), ("https_proxy", &proxy), ("no_proxy", no_proxy)]);
    Session::builder().env(env).source(Script::new(&["t"])).build().unwrap()
}

#[tokio::test]
async fn a_token_goes_to_this_machine_directly_and_to_names_that_resemble_it_not_at_all() {
    let server = Server::http(|_| Reply::ok("data")).await;
    let proxy = Server::http(|_| Reply::ok("from the proxy")).await;
    let session = behind(&proxy, "");
    let port = server.address().port();
    for host in ["localhost.", "x.localhost", "localhost.localdomain", "0.0.0.0"] {
        let error = session.get(format!("http://{host}:{port}/f")).send().await.unwrap_err();
        assert!(Error::find(&error).is_some_and(Error::is_insecure_origin), "{host}: {error}");
        let bare = session.get(format!("http://{host}:{port}/f")).attach(Attach::Never).send().await.unwrap();
        assert_eq!(bare.text().await.unwrap(), "from the proxy", "{host}");
    }
    assert_eq!((proxy.tokens(), server.seen().len()), (vec!["-".to_owned(); 4], 0));
    for host in ["localhost", "LOCALHOST", "127.0.0.1"] {
        let direct = session.get(format!("http://{host}:{port}/f")).send().await.unwrap();
        assert_eq!(direct.text().await.unwrap(), "data", "{host}");
    }
    assert_eq!((server.tokens(), proxy.seen().len()), (vec!["t".to_owned(); 3], 4));
}

#[tokio::test]
async fn exceptions_from_the_proxy_hold_for_addresses_and_names() {
    let proxy = Server::http(|_| Reply::ok("from the proxy")).await;
    for (no_proxy, url, through) in [
        ("*", "http://127.0.0.2.nip.test/", false),
        ("*", "http://0.0.0.0:1/", false),
        ("0.0.0.0/8", "http://0.0.0.0:1/", false),
        ("other", "http://0.0.0.0:1/", true),
        ("a.test b.test", "http://x.b.test/", false),
        ("a.test b.test", "http://c.test/", true),
    ] {
        let before = proxy.seen().len();
        let sent = behind(&proxy, no_proxy).get(url).attach(Attach::Never).send().await;
        assert_eq!(sent.is_ok(), through, "{no_proxy} {url}");
        assert_eq!(proxy.seen().len() - before, usize::from(through), "{no_proxy} {url}");
    }
}

#[tokio::test]
async fn one_function_for_one_request_says_which_url_is_none() {
    for error in [
        scitoken_get("nonsense").await.unwrap_err(),
        scitoken_put("nonsense", "x").await.unwrap_err(),
        scitoken_request(Method::GET, "nonsense").unwrap_err(),
    ] {
        assert_eq!(error.to_string(), "the request is not valid: relative URL without a base");
        assert!(Error::find(&error).unwrap().is_invalid_request());
    }
}
