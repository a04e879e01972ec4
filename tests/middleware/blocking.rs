//! The same for programs without a runtime.

use std::io::Read as _;
use std::time::Duration;

use http::{Method, StatusCode, Version};
use reqwest_scitokens::auth::AuthTrace;
use reqwest_scitokens::{Attach, Error, RequestBuilderExt as _, ResponseExt as _, blocking};
use scitoken_types::AccessToken;
use scitoken_types::sys::{Env, ManualClock};
use tokio::runtime::Runtime;

use scitoken_test_support::clients::session;
use scitoken_test_support::{Reply, Script, Server, tokens};
use scitoken_test_support::{chain, texts};

/// A server on threads of its own.
fn serve(
    handler: impl Fn(&scitoken_test_support::Seen) -> Reply + Send + Sync + 'static,
) -> (Runtime, Server) {
    let runtime = Runtime::new().unwrap();
    let server = runtime.block_on(Server::http(handler));
    (runtime, server)
}

fn blocking_session(source: &Script) -> blocking::Session {
    session(source.clone()).build_blocking().unwrap()
}

#[test]
fn a_refused_token_is_replaced_once() {
    let (_runtime, server) = serve(|seen| Reply::protected(seen, "new"));
    let session = blocking_session(&Script::new(&["old", "new"]));
    let response = session.get(server.url("/f")).send().unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.text().unwrap(), "data");
    assert_eq!((server.tokens(), server.connections()), (texts(&["old", "new"]), 1));
}

#[test]
fn every_verb_is_sent_as_itself() {
    let (_runtime, server) = serve(|_| Reply::ok(""));
    let session = blocking_session(&Script::new(&["t"]));
    let url = || server.url("/f");
    session.get(url()).send().unwrap();
    session.head(url()).send().unwrap();
    session.post(url()).body("x").send().unwrap();
    session.put(url()).body("x").send().unwrap();
    session.patch(url()).body("x").send().unwrap();
    session.delete(url()).send().unwrap();
    session.request(Method::from_bytes(b"COPY").unwrap(), url()).send().unwrap();
    let methods: Vec<_> = server.seen().iter().map(|seen| seen.method.clone()).collect();
    assert_eq!(methods, ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "COPY"]);
}

#[test]
fn an_error_of_the_library_is_found() {
    let (_runtime, server) = serve(|_| Reply::ok(""));
    let builder = session(Script::new(&["-"])).attach(Attach::Required);
    let session = builder.build_blocking().unwrap();
    let error = session.get(server.url("/f")).send().unwrap_err();
    assert!(Error::find(&error).unwrap().is_no_token(), "{error:?}");
    assert_eq!(server.connections(), 0);
}

#[test]
fn many_threads_share_one_session() {
    let (_runtime, server) = serve(|seen| Reply::protected(seen, "t"));
    let source = Script::slow(&["t"], Duration::from_millis(20));
    // Its clock stands still: a source is asked again after a second, which a busy machine may take.
    let clock = ManualClock::at_epoch_seconds(tokens::NOW);
    let builder = session(source.clone()).auth(|auth| auth.clock(clock));
    let session = builder.build_blocking().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope
                .spawn(|| assert_eq!(session.get(server.url("/f")).send().unwrap().status(), StatusCode::OK));
        }
    });
    assert_eq!((server.seen().len(), source.calls()), (16, 1));
}

#[test]
fn it_works_inside_spawn_blocking() {
    let (runtime, server) = serve(|seen| Reply::protected(seen, "t"));
    let url = server.url("/f");
    let status = runtime.block_on(async move {
        let work = move || blocking_session(&Script::new(&["t"])).get(url).send().unwrap().status();
        tokio::task::spawn_blocking(work).await.unwrap()
    });
    assert_eq!(status, StatusCode::OK);
}

/// The variable by which a test knows that it is the second process.
const SERVER: &str = "SERVER_OF_THE_TEST";

#[test]
fn one_call_finds_the_token_in_the_environment() {
    if let Some(url) = Env::process().get(SERVER) {
        let url = url.into_string().unwrap();
        assert_eq!(blocking::scitoken_get(&url).unwrap().text().unwrap(), "data");
        assert_eq!(blocking::scitoken_get(&url).unwrap().status(), StatusCode::OK);
        return;
    }
    let (_runtime, server) = serve(|seen| Reply::protected(seen, "t"));
    let url = server.url("/f").to_string();
    let name = "blocking::one_call_finds_the_token_in_the_environment";
    crate::session::again(name, &[(SERVER, &url), ("BEARER_TOKEN", "t")]);
    assert_eq!(server.tokens(), ["t", "t"]);
}

#[test]
fn options_of_a_request_are_taken() {
    let (_runtime, server) = serve(|_| Reply::ok(""));
    let session = blocking_session(&Script::new(&["t"]));
    session.get(server.url("/f")).token(AccessToken::new("mine").unwrap()).send().unwrap();
    session.get(server.url("/f")).attach(Attach::Never).send().unwrap();
    assert_eq!(server.tokens(), ["mine", "-"]);
}

#[test]
fn a_body_is_read_as_it_comes() {
    let (_runtime, server) = serve(|_| Reply::ok(vec![b'x'; 1_000_000]));
    let mut response = blocking_session(&Script::new(&["t"])).get(server.url("/f")).send().unwrap();
    let mut body = Vec::new();
    response.read_to_end(&mut body).unwrap();
    assert_eq!(body, vec![b'x'; 1_000_000]);
}

#[test]
fn no_error_about_a_response_shows_the_credential_in_its_url() {
    let (_runtime, server) = serve(|seen| match seen.path() {
        "/start" => Reply::redirect(302, "/end?authz=Bearer%20secretsecretsecret"),
        "/broken" => Reply::ok("").stalling(),
        _ => Reply::new(404),
    });
    let session = blocking_session(&Script::new(&["t"]));
    let error = session.get(server.url("/start")).send().unwrap().error_for_status().unwrap_err();
    assert!(!chain(&error).contains("secretsecretsecret"), "{}", chain(&error));
    assert!(chain(&error).contains("404"), "{}", chain(&error));
    let request = session.get(server.url("/broken?authz=secretsecretsecret"));
    let error = request.timeout(Duration::from_secs(3)).send().unwrap().text().unwrap_err();
    assert!(!chain(&error).contains("secretsecretsecret"), "{}", chain(&error));
}

#[test]
fn a_query_and_a_form_are_written_as_urls_write_them() {
    let (_runtime, server) = serve(|seen| Reply::ok(seen.target.clone()));
    let session = blocking_session(&Script::new(&["t"]));
    let response =
        session.post(server.url("/f")).query(&[("a", "b c")]).form(&[("k", "v&w")]).send().unwrap();
    assert_eq!(response.auth_trace().unwrap().attempts().len(), 1);
    assert_eq!(response.text().unwrap(), "/f?a=b+c");
    assert_eq!(server.seen()[0].body, "k=v%26w");
}

#[test]
fn a_request_that_was_built_before_is_sent_with_a_token() {
    let (_runtime, server) = serve(|_| Reply::ok("data"));
    let session = blocking_session(&Script::new(&["t"]));
    let request = session.get(server.url("/f")).build().unwrap();
    let mut response = session.execute(request).unwrap();
    assert_eq!((response.version(), response.remote_addr()), (Version::HTTP_11, Some(server.address())));
    assert!(response.extensions().get::<AuthTrace>().is_some());
    let mut data = Vec::new();
    assert_eq!(response.copy_to(&mut data).unwrap(), 4);
    assert_eq!((data, server.tokens()), (b"data".to_vec(), texts(&["t"])));
    let error = session.get("http://").build().unwrap_err();
    assert!(chain(&error).contains("empty host"), "{}", chain(&error));
}

#[test]
fn a_password_for_one_request_is_sent_instead_of_a_token() {
    let (_runtime, server) = serve(|_| Reply::ok(""));
    let session = blocking_session(&Script::new(&["t"]));
    session.get(server.url("/f")).basic_auth("user", Some("pw")).send().unwrap();
    assert_eq!(server.authorizations(), [Some("Basic dXNlcjpwdw==".to_owned())]);
}

#[test]
fn a_file_is_sent_with_its_length() {
    let (_runtime, server) = serve(|_| Reply::ok(""));
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, b"content").unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    let session = blocking_session(&Script::new(&["t"]));
    let request = session.put(server.url("/f")).header("content-length", 7);
    request.body(tokio::fs::File::from_std(file)).send().unwrap();
    let seen = &server.seen()[0];
    assert_eq!((&seen.body[..], seen.header("content-length")), (&b"content"[..], Some("7")));
}

#[test]
fn a_request_that_cannot_be_built_says_why_in_its_own_sentence() {
    let session = blocking_session(&Script::new(&["t"]));
    for (request, reason) in [
        (session.get("nonsense"), "relative URL without a base"),
        (session.get("https://h.example/").header("a b", "c"), "invalid HTTP header name"),
        (session.get("https://h.example:99999/"), "invalid port number"),
    ] {
        let error = request.send().unwrap_err();
        assert_eq!(error.to_string(), format!("the request is not valid: {reason}"));
        assert!(Error::find(&error).unwrap().is_invalid_request());
    }
    let error = session.get("nonsense").build().unwrap_err();
    assert_eq!(error.to_string(), "the request is not valid: relative URL without a base");
}
