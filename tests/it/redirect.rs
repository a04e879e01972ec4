//! Redirects: who gets the token, cell by cell, from what both servers received; and where a redirect leads.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use http::{Method, StatusCode, header};
use reqwest::Response;
use reqwest_scitokens::{
    AccessToken, Attach, Attempt, CleartextRedirects, Error, OriginPattern, RedirectTrust,
    RequestBuilderExt as _, ResponseExt as _,
};

use crate::support::clients::{session, session_knowing, wrapped};
use crate::support::server::Place;
use crate::support::{Answer, Raw, Reply, Script, Seen, Server, tokens};
use crate::texts;

type Sent = Result<Response, reqwest_middleware::Error>;

/// A server that redirects `/start` to `location` and answers `200` to the rest.
async fn redirecting(place: Place, status: u16, location: String) -> Server {
    place.start(move |seen| start_redirects(seen, status, &location)).await
}

fn start_redirects(seen: &Seen, status: u16, location: &str) -> Reply {
    match seen.path() {
        "/start" => Reply::redirect(status, location),
        _ => Reply::ok("data"),
    }
}

fn patterns(hosts: &[&str]) -> RedirectTrust {
    RedirectTrust::Hosts(hosts.iter().map(|host| host.parse::<OriginPattern>().unwrap()).collect())
}

// ---- the matrix: who sees the token

/// Where a redirect leads, seen from `https://site.test`.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Row {
    SameOrigin,
    OtherPort,
    OtherHost,
    SubDomain,
    SchemeUp,
    SchemeDown,
    ThereAndBack,
    Relative,
    UserInfo,
    Presigned,
}

/// Which rule decides.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Column {
    SameOrigin,
    /// The token's audience names both servers.
    AudienceMatch,
    /// The token's audience names neither.
    AudienceMismatch,
    /// The second server is among the trusted hosts.
    Hosts,
    /// It is not.
    OtherHosts,
}

/// What happened: the tokens that each server saw (`t`, or `-` for none), and how it ended.
#[derive(Debug, PartialEq)]
struct Outcome {
    first: Vec<&'static str>,
    second: Vec<&'static str>,
    end: &'static str,
}

fn outcome(first: &[&'static str], second: &[&'static str], end: &'static str) -> Outcome {
    Outcome { first: first.to_vec(), second: second.to_vec(), end }
}

async fn run(row: Row, column: Column) -> Outcome {
    // The second server first, since the first one has to know its address.
    let name = match row {
        Row::OtherPort => "site.test",
        Row::SubDomain => "data.site.test",
        _ => "stranger.test",
    };
    let back = Arc::new(OnceLock::<String>::new());
    let back_to = Arc::clone(&back);
    let second = Place::https(name)
        .start(move |seen| match back_to.get() {
            Some(location) if seen.path() == "/via" => Reply::redirect(302, location),
            _ => Reply::ok("data"),
        })
        .await;
    let location = match row {
        Row::SameOrigin | Row::SchemeUp | Row::SchemeDown | Row::Relative => "/end".to_owned(),
        Row::OtherPort | Row::OtherHost | Row::SubDomain => second.url("/end").to_string(),
        Row::ThereAndBack => second.url("/via").to_string(),
        Row::UserInfo => second.url("/end").to_string().replace("https://", "https://me:pw@"),
        Row::Presigned => second.url("/end?X-Amz-Signature=abcdef&authz=Bearer%20presigned").to_string(),
    };
    // Both schemes on one port, so that nothing but the scheme differs.
    let name = if matches!(row, Row::SchemeUp | Row::SchemeDown) { "localhost" } else { "site.test" };
    let first = Place::https(name)
        .start(move |seen| match (row, seen.path()) {
            (Row::SameOrigin | Row::SchemeUp | Row::SchemeDown, "/start") => {
                let scheme = if row == Row::SchemeDown { "http" } else { "https" };
                let host = seen.header("host").unwrap();
                Reply::redirect(302, format!("{scheme}://{host}{location}"))
            }
            (_, "/start") => Reply::redirect(302, &location),
            _ => Reply::ok("data"),
        })
        .await;
    back.set(first.url("/end").to_string()).unwrap();

    let audience = match column {
        Column::AudienceMismatch => serde_json::json!(["https://elsewhere.test"]),
        // As a token's audience names them: both servers, in every scheme that the row uses.
        _ => serde_json::json!([first.origin(), first.origin().replace("https", "http"), second.origin()]),
    };
    let token = tokens::jwt(&serde_json::json!({
        "wlcg.ver": "1.0", "iss": "https://issuer.test", "aud": audience, "exp": tokens::in_an_hour(),
        "scope": "storage.read:/",
    }));
    let trust = match column {
        Column::SameOrigin => RedirectTrust::SameOrigin,
        Column::AudienceMatch | Column::AudienceMismatch => RedirectTrust::Audience,
        Column::Hosts => patterns(&[second.name(), "localhost", "http://localhost"]),
        Column::OtherHosts => patterns(&["trusted.test", "*.elsewhere.test"]),
    };
    let session = session_knowing(Script::new(&[&token]), &[&first, &second])
        .redirect_trust(trust)
        .http(reqwest::ClientBuilder::http1_only)
        .build()
        .unwrap();
    let start = match row {
        Row::SchemeUp => first.url_as("http", "localhost", "/start"),
        _ => first.url("/start"),
    };
    let sent = session.get(start).send().await;

    let tokens = |server: &Server| {
        let name = |seen: &Seen| match seen.authorization() {
            None => "-",
            Some(value) if value.strip_prefix("Bearer ") == Some(token.as_str()) => "t",
            Some(_) => "something else",
        };
        server.seen().iter().map(name).collect::<Vec<_>>()
    };
    if row == Row::Presigned {
        assert_eq!(second.seen()[0].target, "/end?X-Amz-Signature=abcdef&authz=Bearer%20presigned");
    }
    let end = match &sent {
        Ok(response) => match response.status().as_u16() {
            200 => "200",
            _ => "another status",
        },
        Err(error) if Error::find(error).is_some_and(Error::is_redirect) => "redirect error",
        Err(_) => "another error",
    };
    Outcome { first: tokens(&first), second: tokens(&second), end }
}

/// One test per cell.
macro_rules! matrix {
    ($($name:ident: $row:ident { $($column:ident: $first:expr, $second:expr, $end:expr;)* })*) => {
        $(mod $name {
            use super::*;
            $(
                #[tokio::test]
                #[expect(non_snake_case, reason = "named after the rule")]
                async fn $column() {
                    assert_eq!(run(Row::$row, Column::$column).await, outcome(&$first, &$second, $end));
                }
            )*
        })*
    };
}

matrix! {
    same_origin: SameOrigin {
        SameOrigin: ["t", "t"], [], "200";
        AudienceMatch: ["t", "t"], [], "200";
        AudienceMismatch: ["t", "t"], [], "200";
        Hosts: ["t", "t"], [], "200";
        OtherHosts: ["t", "t"], [], "200";
    }
    other_port: OtherPort {
        SameOrigin: ["t"], ["-"], "200";
        AudienceMatch: ["t"], ["t"], "200";
        AudienceMismatch: ["t"], ["-"], "200";
        Hosts: ["t"], ["t"], "200";
        OtherHosts: ["t"], ["-"], "200";
    }
    other_host: OtherHost {
        SameOrigin: ["t"], ["-"], "200";
        AudienceMatch: ["t"], ["t"], "200";
        AudienceMismatch: ["t"], ["-"], "200";
        Hosts: ["t"], ["t"], "200";
        OtherHosts: ["t"], ["-"], "200";
    }
    sub_domain: SubDomain {
        SameOrigin: ["t"], ["-"], "200";
        AudienceMatch: ["t"], ["t"], "200";
        AudienceMismatch: ["t"], ["-"], "200";
        Hosts: ["t"], ["t"], "200";
        OtherHosts: ["t"], ["-"], "200";
    }
    scheme_up: SchemeUp {
        SameOrigin: ["t", "-"], [], "200";
        AudienceMatch: ["t", "t"], [], "200";
        AudienceMismatch: ["t", "-"], [], "200";
        Hosts: ["t", "t"], [], "200";
        OtherHosts: ["t", "-"], [], "200";
    }
    scheme_down: SchemeDown {
        SameOrigin: ["t", "-"], [], "200";
        AudienceMatch: ["t", "-"], [], "200";
        AudienceMismatch: ["t", "-"], [], "200";
        Hosts: ["t", "-"], [], "200";
        OtherHosts: ["t", "-"], [], "200";
    }
    there_and_back: ThereAndBack {
        SameOrigin: ["t", "-"], ["-"], "200";
        AudienceMatch: ["t", "t"], ["t"], "200";
        AudienceMismatch: ["t", "-"], ["-"], "200";
        Hosts: ["t", "t"], ["t"], "200";
        OtherHosts: ["t", "-"], ["-"], "200";
    }
    relative: Relative {
        SameOrigin: ["t", "t"], [], "200";
        AudienceMatch: ["t", "t"], [], "200";
        AudienceMismatch: ["t", "t"], [], "200";
        Hosts: ["t", "t"], [], "200";
        OtherHosts: ["t", "t"], [], "200";
    }
    user_info: UserInfo {
        SameOrigin: ["t"], [], "redirect error";
        AudienceMatch: ["t"], [], "redirect error";
        AudienceMismatch: ["t"], [], "redirect error";
        Hosts: ["t"], [], "redirect error";
        OtherHosts: ["t"], [], "redirect error";
    }
    presigned: Presigned {
        SameOrigin: ["t"], ["-"], "200";
        AudienceMatch: ["t"], ["-"], "200";
        AudienceMismatch: ["t"], ["-"], "200";
        Hosts: ["t"], ["-"], "200";
        OtherHosts: ["t"], ["-"], "200";
    }
}

// ---- more about trust

#[tokio::test]
async fn a_token_for_everybody_is_none_for_a_stranger() {
    for audience in ["ANY", "https://wlcg.cern.ch/jwt/v1/any"] {
        let second = Place::https("stranger.test").start(|_| Reply::ok("data")).await;
        let first = redirecting(Place::https("site.test"), 302, second.url("/").to_string()).await;
        let token = tokens::for_audience(audience);
        let session = session_knowing(Script::new(&[&token]), &[&first, &second]).build().unwrap();
        session.get(first.url("/start")).send().await.unwrap();
        assert_eq!((first.tokens(), second.tokens()), (vec![token], texts(&["-"])));
    }
}

#[tokio::test]
async fn an_opaque_token_stays_with_the_server_that_the_user_named() {
    let second = Place::https("stranger.test").start(|_| Reply::ok("data")).await;
    let first = redirecting(Place::https("site.test"), 302, second.url("/").to_string()).await;
    let session = session_knowing(Script::new(&["opaque"]), &[&first, &second]).build().unwrap();
    session.get(first.url("/start")).send().await.unwrap();
    assert_eq!((first.tokens(), second.tokens()), (texts(&["opaque"]), texts(&["-"])));
}

/// Mistake 31: requests-scitokens sends the token to whatever host a redirect leads to, if that answers 401.
#[tokio::test]
async fn a_stranger_that_challenges_gets_nothing_either() {
    for attach in [Attach::WhenFound, Attach::OnChallenge] {
        for status in [401, 403] {
            let second = Place::https("stranger.test")
                .start(move |_| Reply::new(status).header(header::WWW_AUTHENTICATE, "Bearer"))
                .await;
            let first = redirecting(Place::https("site.test"), 302, second.url("/").to_string()).await;
            let source = Script::new(&["a", "b"]);
            let session = session_knowing(source, &[&first, &second]).attach(attach).build().unwrap();
            let response = session.get(first.url("/start")).send().await.unwrap();
            assert_eq!(response.status().as_u16(), status);
            assert!(second.tokens().iter().all(|token| token == "-"), "{:?}", second.tokens());
        }
    }
}

#[tokio::test]
async fn required_is_no_reason_to_give_a_stranger_a_token() {
    let second = Place::https("stranger.test").start(|_| Reply::ok("data")).await;
    let first = redirecting(Place::https("site.test"), 302, second.url("/").to_string()).await;
    let session = session_knowing(Script::new(&["opaque"]), &[&first, &second])
        .attach(Attach::Required)
        .build()
        .unwrap();
    session.get(first.url("/start")).send().await.ok();
    assert!(second.tokens().iter().all(|token| token == "-"));
}

#[tokio::test]
async fn a_token_for_one_request_follows_the_same_rules() {
    let second = Place::https("stranger.test").start(|_| Reply::ok("data")).await;
    let first = redirecting(Place::https("site.test"), 302, second.url("/").to_string()).await;
    let session = session_knowing(Script::new(&["-"]), &[&first, &second]).build().unwrap();
    session.get(first.url("/start")).token(AccessToken::new("mine").unwrap()).send().await.unwrap();
    assert_eq!((first.tokens(), second.tokens()), (texts(&["mine"]), texts(&["-"])));
}

#[tokio::test]
async fn headers_of_the_caller_that_are_secret_stay_behind_as_well() {
    let second = Place::https("stranger.test").start(|_| Reply::ok("data")).await;
    let first = redirecting(Place::https("site.test"), 307, second.url("/").to_string()).await;
    let session = session_knowing(Script::new(&["t"]), &[&first, &second]).build().unwrap();
    let request = session
        .get(first.url("/start"))
        .header(header::AUTHORIZATION, "Basic secret")
        .header(header::COOKIE, "secret=1")
        .header(header::PROXY_AUTHORIZATION, "Basic secret")
        .header("X-Kept", "1");
    request.send().await.unwrap();
    assert_eq!(first.seen()[0].header("cookie"), Some("secret=1"));
    let there = &second.seen()[0];
    for name in ["authorization", "cookie", "proxy-authorization"] {
        assert_eq!(there.header(name), None, "{name}");
    }
    assert_eq!(there.header("x-kept"), Some("1"));
}

#[tokio::test]
async fn headers_of_the_caller_stay_on_the_same_origin() {
    let server = redirecting(Place::http(), 302, "/end".to_owned()).await;
    let session = session(Script::new(&["t"])).build().unwrap();
    let request = session.get(server.url("/start")).header(header::COOKIE, "a=1");
    request.header(header::AUTHORIZATION, "Basic x").send().await.unwrap();
    let end = &server.seen()[1];
    assert_eq!((end.header("cookie"), end.authorization()), (Some("a=1"), Some("Basic x")));
}

#[tokio::test]
async fn headers_of_the_caller_do_not_come_back_with_the_way_back() {
    let place = Place::https("stranger.test");
    let back = Arc::new(OnceLock::<String>::new());
    let back_to = Arc::clone(&back);
    let second = place.start(move |_| Reply::redirect(302, back_to.get().unwrap())).await;
    let first = redirecting(Place::https("site.test"), 302, second.url("/").to_string()).await;
    back.set(first.url("/end").to_string()).unwrap();
    let session = session_knowing(Script::new(&["t"]), &[&first, &second]).build().unwrap();
    let request = session.get(first.url("/start")).header(header::AUTHORIZATION, "Basic secret");
    request.header(header::COOKIE, "secret=1").send().await.unwrap();
    let end = &first.seen()[1];
    assert_eq!((end.authorization(), end.header("cookie")), (None, None));
}

#[tokio::test]
async fn no_address_of_a_presigned_hop_travels_on_as_referer() {
    let second = Place::https("stranger.test").start(|_| Reply::ok("data")).await;
    let location = second.url("/").to_string();
    let first = Place::https("site.test").start(move |_| Reply::redirect(302, &location)).await;
    let session = session_knowing(Script::new(&["t"]), &[&first, &second]).build().unwrap();
    session.get(first.url("/start?authz=querysecret")).send().await.unwrap();
    assert!(!format!("{:?}", second.seen()).contains("querysecret"));
}

// ---- each Location that carries a credential of its own

#[tokio::test]
async fn a_location_with_a_credential_in_it_gets_no_header() {
    for query in [
        "authz=Bearer%20x",
        "AUTHZ=x",
        "access_token=x",
        "X-Amz-Signature=x",
        "x-amz-signature=x",
        "AWSAccessKeyId=k&Signature=x&Expires=1",
        "X-Goog-Signature=x",
        "a=b&authz=x",
    ] {
        let server = Place::https("localhost").start(|_| Reply::ok("data")).await;
        let target = server.url(&format!("/end?{query}")).to_string();
        let first = redirecting(Place::https("localhost"), 307, target).await;
        let token = tokens::jwt(&serde_json::json!({"aud": [first.origin(), server.origin()]}));
        session(Script::new(&[&token])).build().unwrap().get(first.url("/start")).send().await.unwrap();
        assert_eq!((first.tokens(), server.tokens()), (vec![token], texts(&["-"])), "{query}");
        assert_eq!(server.seen()[0].target, format!("/end?{query}"));
    }
}

#[tokio::test]
async fn a_query_that_only_looks_like_a_credential_changes_nothing() {
    for query in ["author=x", "path=/authz=", "token_type=x"] {
        let server = redirecting(Place::http(), 307, format!("/end?{query}")).await;
        session(Script::new(&["t"])).build().unwrap().get(server.url("/start")).send().await.unwrap();
        assert_eq!(server.tokens(), ["t", "t"], "{query}");
    }
}

#[tokio::test]
async fn a_credential_in_a_location_over_plain_http_is_refused_with_the_option_that_allows_it() {
    for query in ["authz=Bearer%20x", "access_token=x", "X-Amz-Signature=x"] {
        let server = Place::https("localhost").start(|_| Reply::ok("data")).await;
        let target = server.url_as("http", "localhost", &format!("/end?{query}")).to_string();
        let first = redirecting(Place::https("localhost"), 302, target).await;
        let session = session(Script::new(&["t"])).build().unwrap();
        let error = session.get(first.url("/start")).send().await.unwrap_err();
        let found = Error::find(&error).unwrap();
        assert!(found.is_redirect(), "{found:?}");
        assert!(server.seen().is_empty());
        let hint = found.hint().unwrap_or_default();
        assert!(hint.contains('`'), "the hint names no option: {hint}");
    }
}

// ---- what the methods become

async fn methods(status: u16, method: Method) -> (String, String, String) {
    let server = redirecting(Place::http(), status, "/end".to_owned()).await;
    let session = session(Script::new(&["t"])).build().unwrap();
    let request = session.request(method, server.url("/start")).header("Content-Type", "text/x-thing");
    assert_eq!(request.body("body").send().await.unwrap().status(), StatusCode::OK);
    let seen = server.seen();
    assert_eq!((seen.len(), server.tokens()), (2, texts(&["t", "t"])));
    let end = &seen[1];
    (
        end.method.clone(),
        String::from_utf8(end.body.to_vec()).unwrap(),
        end.header("content-type").unwrap_or("-").to_owned(),
    )
}

#[tokio::test]
async fn a_post_becomes_a_get_after_301_302_and_303() {
    for status in [301, 302, 303] {
        let (method, body, content_type) = methods(status, Method::POST).await;
        assert_eq!((method.as_str(), body.as_str(), content_type.as_str()), ("GET", "", "-"), "{status}");
    }
}

#[tokio::test]
async fn a_put_becomes_a_get_after_303_only() {
    assert_eq!(methods(303, Method::PUT).await, ("GET".to_owned(), String::new(), "-".to_owned()));
    for status in [301, 302, 307, 308] {
        let kept = ("PUT".to_owned(), "body".to_owned(), "text/x-thing".to_owned());
        assert_eq!(methods(status, Method::PUT).await, kept, "{status}");
    }
}

#[tokio::test]
async fn method_and_body_stay_after_307_and_308() {
    for status in [307, 308] {
        let kept = ("POST".to_owned(), "body".to_owned(), "text/x-thing".to_owned());
        assert_eq!(methods(status, Method::POST).await, kept, "{status}");
    }
}

#[tokio::test]
async fn a_head_stays_a_head() {
    for status in [301, 302, 303, 307, 308] {
        let server = redirecting(Place::http(), status, "/end".to_owned()).await;
        session(Script::new(&["t"])).build().unwrap().head(server.url("/start")).send().await.unwrap();
        assert_eq!(server.seen()[1].method, "HEAD");
    }
}

#[tokio::test]
async fn other_3xx_and_a_redirect_without_location_are_answers() {
    for status in [300, 304, 305, 306] {
        let server = redirecting(Place::http(), status, "/end".to_owned()).await;
        let session = session(Script::new(&["t"])).build().unwrap();
        let response = session.get(server.url("/start")).send().await.unwrap();
        assert_eq!((response.status().as_u16(), server.seen().len()), (status, 1));
    }
    let server = Server::http(|_| Reply::new(302).body("where?")).await;
    let session = session(Script::new(&["t"])).build().unwrap();
    let response = session.get(server.url("/start")).send().await.unwrap();
    assert_eq!((response.status(), server.seen().len()), (StatusCode::FOUND, 1));
}

#[tokio::test]
async fn a_stream_is_never_sent_again_after_a_307() {
    let server = redirecting(Place::http(), 307, "/end".to_owned()).await;
    let session = session(Script::new(&["t"])).build().unwrap();
    let body = futures_util::stream::iter([Ok::<_, std::io::Error>("once")]);
    let sent = session.put(server.url("/start")).body(reqwest::Body::wrap_stream(body)).send().await;
    assert_eq!((server.seen().len(), &server.seen()[0].body[..]), (1, &b"once"[..]));
    match sent {
        Ok(response) => assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT),
        Err(error) => assert!(Error::find(&error).unwrap().is_redirect(), "{error:?}"),
    }
}

#[tokio::test]
async fn a_refusal_after_a_redirect_is_answered_where_it_came_from() {
    let server = Server::http(|seen| match (seen.path(), seen.authorization()) {
        ("/start", _) => Reply::redirect(302, "/end"),
        (_, Some("Bearer new")) => Reply::ok("data"),
        _ => Reply::challenge("Bearer"),
    })
    .await;
    let session = session(Script::new(&["old", "new"])).build().unwrap();
    let response = session.get(server.url("/start")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let paths: Vec<_> = server.seen().iter().map(|seen| seen.target.clone()).collect();
    assert_eq!(paths, ["/start", "/end", "/end"]);
    assert_eq!(server.tokens(), ["old", "old", "new"]);
    let statuses: Vec<_> = response.auth_trace().unwrap().attempts().iter().map(Attempt::status).collect();
    let expected = [302, 401, 200].map(|status| Some(StatusCode::from_u16(status).unwrap()));
    assert_eq!(statuses, expected);
}

// ---- how far

/// `/9` redirects to `/8`, and so on; `/0` is the end.
async fn countdown() -> Server {
    Server::http(|seen| match seen.path()[1..].parse::<u32>().unwrap() {
        0 => Reply::ok("data"),
        n => Reply::redirect(302, format!("/{}", n - 1)),
    })
    .await
}

#[tokio::test]
async fn ten_hops_are_followed() {
    let server = countdown().await;
    let session = session(Script::new(&["t"])).build().unwrap();
    assert_eq!(session.get(server.url("/10")).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(server.tokens(), vec!["t"; 11]);
}

#[tokio::test]
async fn the_eleventh_hop_is_an_error() {
    let server = countdown().await;
    let session = session(Script::new(&["t"])).build().unwrap();
    let error = session.get(server.url("/11")).send().await.unwrap_err();
    assert!(Error::find(&error).unwrap().is_redirect(), "{error:?}");
    assert_eq!(server.seen().len(), 11);
}

#[tokio::test]
async fn a_loop_is_an_error() {
    let server = Server::http(|_| Reply::redirect(307, "/start")).await;
    let session = session(Script::new(&["t"])).build().unwrap();
    let error = session.put(server.url("/start")).body("x").send().await.unwrap_err();
    assert!(Error::find(&error).unwrap().is_redirect(), "{error:?}");
    assert!(server.seen().len() <= 11);
}

// ---- Locations of every shape

async fn follow(location: &str) -> (Sent, Server) {
    let server = redirecting(Place::http(), 302, location.to_owned()).await;
    let session = session(Script::new(&["t"])).build().unwrap();
    (session.get(server.url("/start")).send().await, server)
}

#[tokio::test]
async fn a_location_is_joined_to_the_current_address() {
    for (location, target) in [
        ("/end", "/end"),
        ("end", "/end"),
        ("./a/../end", "/end"),
        ("?a=b", "/start?a=b"),
        ("/sp ace", "/sp%20ace"),
        (" /end ", "/end"),
        ("/é", "/%C3%A9"),
        ("/a%2Fb", "/a%2Fb"),
    ] {
        // The first of two equal paths would loop.
        let server = Server::http({
            let location = location.to_owned();
            move |seen| if seen.target == "/start" { Reply::redirect(302, &location) } else { Reply::ok("") }
        })
        .await;
        let session = session(Script::new(&["t"])).build().unwrap();
        session.get(server.url("/start")).send().await.unwrap();
        assert_eq!(server.seen()[1].target, target, "{location:?}");
        assert_eq!(server.tokens(), ["t", "t"]);
    }
}

#[tokio::test]
async fn a_location_may_be_bytes_that_are_no_utf_8() {
    let server = Server::http(|seen| match seen.path() {
        "/start" => Reply::redirect(302, b"/caf\xe9"),
        _ => Reply::ok(""),
    })
    .await;
    let session = session(Script::new(&["t"])).build().unwrap();
    match session.get(server.url("/start")).send().await {
        Ok(response) => assert!(response.status().is_redirection() || server.seen().len() == 2),
        Err(error) => assert!(Error::find(&error).unwrap().is_redirect(), "{error:?}"),
    }
}

/// reqwest's `Response::url` has no fragment, so the trace has to tell.
#[tokio::test]
async fn the_fragment_is_kept() {
    for (from, location, kept) in [
        ("/start#mine", "/end", true),
        ("/start", "/end#theirs", true),
        ("/start#mine", "/end#theirs", true),
        ("/start", "/end", false),
    ] {
        let server = redirecting(Place::http(), 302, location.to_owned()).await;
        let session = session(Script::new(&["t"])).build().unwrap();
        let response = session.get(server.url(from)).send().await.unwrap();
        let last = response.auth_trace().unwrap().attempts()[1].url().to_string();
        assert_eq!(last.contains('#'), kept, "{from} {location}: {last}");
        assert_eq!(server.seen()[1].target, "/end");
    }
}

#[tokio::test]
async fn a_location_that_names_another_host_in_a_sly_way_is_another_host() {
    for shape in ["//HOST/end", "\\\\HOST/end", "/\\HOST/end", "http:\\\\HOST/end", "/\t/HOST/end"] {
        let second = Place::http().at("127.0.0.2").start(|_| Reply::ok("data")).await;
        let (location, second_tokens) =
            (shape.replace("HOST", &second.address().to_string()), || second.tokens());
        let (sent, first) = follow(&location).await;
        assert_eq!(first.tokens()[0], "t");
        assert!(second_tokens().iter().all(|token| token == "-"), "{shape:?}: {:?}", second_tokens());
        if let Err(error) = sent {
            assert!(Error::find(&error).unwrap().is_redirect(), "{error:?}");
        }
    }
}

#[tokio::test]
async fn a_location_of_another_scheme_is_an_error() {
    for location in
        ["file:///etc/passwd", "ftp://127.0.0.1/x", "data:,x", "javascript:x", "root://127.0.0.1/x"]
    {
        let (sent, server) = follow(location).await;
        let error = sent.unwrap_err();
        assert!(Error::find(&error).unwrap().is_redirect(), "{location}: {error:?}");
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn a_location_that_is_no_address_is_an_error() {
    for location in ["http://", "https://[::1", "http://127.0.0.1:99999/", "http:// /"] {
        let (sent, server) = follow(location).await;
        let error = sent.unwrap_err();
        assert!(Error::find(&error).unwrap().is_redirect(), "{location}: {error:?}");
        assert_eq!(server.seen().len(), 1);
    }
}

#[tokio::test]
async fn an_empty_location_neither_loops_for_ever_nor_leaves_the_server() {
    let (sent, server) = follow("").await;
    match sent {
        Ok(response) => assert_eq!(response.status(), StatusCode::FOUND),
        Err(error) => assert!(Error::find(&error).unwrap().is_redirect(), "{error:?}"),
    }
    assert!(server.seen().len() <= 11);
}

#[tokio::test]
async fn user_info_is_refused_on_the_same_origin_too() {
    let server = Server::http(|seen| {
        let host = seen.header("host").unwrap();
        Reply::redirect(302, format!("http://me:pw-secret@{host}/end"))
    })
    .await;
    let session = session(Script::new(&["t"])).build().unwrap();
    let error = session.get(server.url("/start")).send().await.unwrap_err();
    assert!(Error::find(&error).unwrap().is_redirect());
    assert!(!crate::chain(&error).contains("pw-secret"), "{}", crate::chain(&error));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn two_locations_are_not_mixed_up() {
    let server = Raw::http(|seen| match seen.path() {
        "/start" => Answer::lines(&["HTTP/1.1 302 Found", "Location: /one", "Location: /two"], ""),
        _ => Answer::lines(&["HTTP/1.1 200 OK"], ""),
    })
    .await;
    let session = session(Script::new(&["t"])).build().unwrap();
    session.get(server.url("/start")).send().await.ok();
    assert!(server.seen().get(1).is_none_or(|seen| seen.target == "/one"));
}

// ---- a client that follows redirects by itself

#[tokio::test]
async fn on_a_client_that_follows_by_itself_the_second_server_gets_no_token() {
    for status in [302, 307] {
        let second = Place::http().at("127.0.0.2").start(|_| Reply::challenge("Bearer")).await;
        let first = redirecting(Place::http(), status, second.url("/end").to_string()).await;
        let response = wrapped(Script::new(&["a", "b"])).get(first.url("/start")).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert!(second.tokens().iter().all(|token| token == "-"), "{:?}", second.tokens());
        assert_eq!(first.tokens(), ["a"]);
    }
}

#[tokio::test]
async fn on_a_client_that_follows_by_itself_a_refusal_of_the_same_server_is_answered() {
    let server = Server::http(|seen| match (seen.path(), seen.authorization()) {
        ("/start", _) => Reply::redirect(302, "/end"),
        (_, Some("Bearer new")) => Reply::ok("data"),
        _ => Reply::challenge("Bearer"),
    })
    .await;
    let response = wrapped(Script::new(&["old", "new"])).get(server.url("/start")).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(server.tokens().last().unwrap(), "new");
}

// ---- more ways to write an address, and to allow one

#[tokio::test]
async fn user_info_is_refused_however_it_is_written() {
    for shape in [
        "//me:pw@HOST/end",
        "\\\\me:pw@HOST/end",
        "/\\me:pw@HOST/end",
        "/\t/me:pw@HOST/end",
        "https:me:pw@HOST/end",
        "https:/me:pw@HOST/end",
        "https:\\\\me:pw@HOST/end",
        " \thttps://me@HOST/end",
        "ht\ttps://me@HOST/end",
        "https://:pw@HOST/end",
    ] {
        let second = Place::https("localhost").start(|_| Reply::ok("data")).await;
        let host = format!("localhost:{}", second.address().port());
        // From plain http, so that a `https:` without slashes is not relative.
        let first = redirecting(Place::http(), 302, shape.replace("HOST", &host)).await;
        let session = session(Script::new(&["t"])).build().unwrap();
        let error = session.get(first.url("/start")).send().await.expect_err(shape);
        assert!(Error::find(&error).unwrap().is_redirect(), "{shape:?}: {error:?}");
        assert!(second.seen().is_empty());
    }
}

#[tokio::test]
async fn a_password_of_the_first_address_stays_there() {
    let second = Place::http().at("127.0.0.2").start(|_| Reply::ok("data")).await;
    let first = redirecting(Place::http(), 302, second.url("/end").to_string()).await;
    let mut url = first.url("/start");
    url.set_username("me").unwrap();
    url.set_password(Some("pw")).unwrap();
    let session = session(Script::new(&["t"])).build().unwrap();
    session.get(url).send().await.unwrap();
    assert_eq!(first.authorizations(), [Some("Basic bWU6cHc=".to_owned())]);
    assert_eq!(second.authorizations(), [None]);
}

#[tokio::test]
async fn a_credential_in_clear_is_followed_where_the_user_allows_it() {
    let server = Place::https("localhost").start(|_| Reply::ok("data")).await;
    let target = server.url_as("http", "localhost", "/end?authz=Bearer%20x").to_string();
    let first = redirecting(Place::https("localhost"), 302, target).await;
    let session = session(Script::new(&["t"]))
        .redirect(|redirect| redirect.cleartext(CleartextRedirects::Allow))
        .build()
        .unwrap();
    assert_eq!(session.get(first.url("/start")).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!((first.tokens(), server.tokens()), (texts(&["t"]), texts(&["-"])));
    assert_eq!(server.seen()[0].target, "/end?authz=Bearer%20x");
}

#[tokio::test]
async fn a_stream_that_can_be_made_again_follows_a_307() {
    let server = redirecting(Place::http(), 307, "/end".to_owned()).await;
    let session = session(Script::new(&["t"])).build().unwrap();
    let make = || reqwest::Body::wrap_stream(futures_util::stream::iter([Ok::<_, std::io::Error>("again")]));
    let request = session.put(server.url("/start")).replayable_body(make);
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    let seen = server.seen();
    assert_eq!((seen.len(), &seen[1].body[..], seen[1].method.as_str()), (2, &b"again"[..], "PUT"));
    assert_eq!(server.tokens(), ["t", "t"]);
}

// ---- every chain of four servers

/// What the rule says about a chain, told in another way than the code tells it: the first server has the token; the
/// others by the rule; and one that went without keeps the first one without as well, unless the rule names it.
fn expected(chain: &[usize], trusted: [bool; 4]) -> Vec<bool> {
    let mut strayed = false;
    chain
        .iter()
        .map(|server| {
            let may = trusted[*server] || (*server == chain[0] && !strayed);
            strayed |= !may;
            may
        })
        .collect()
}

#[tokio::test]
async fn no_chain_of_redirects_gives_a_token_to_a_server_that_may_not_have_it() {
    let names = ["site.test", "data.site.test", "other.site.test", "stranger.test"];
    let ports: Arc<OnceLock<Vec<u16>>> = Arc::default();
    // Who received what, in order.
    let journal: Arc<Mutex<Vec<Option<String>>>> = Arc::default();
    let mut servers = Vec::new();
    for name in names {
        let (ports, journal) = (Arc::clone(&ports), Arc::clone(&journal));
        // The path says where to go next: `/213` leads to server 2, then 1, then 3.
        let handler = move |seen: &Seen| {
            journal.lock().unwrap().push(seen.authorization().map(str::to_owned));
            match seen.path()[1..].chars().next() {
                None => Reply::ok("data"),
                Some(next) => {
                    let server = next.to_digit(10).unwrap() as usize;
                    let (name, port) = (names[server], ports.get().unwrap()[server]);
                    Reply::redirect(307, format!("https://{name}:{port}/{}", &seen.path()[2..]))
                }
            }
        };
        servers.push(Place::https(name).start(handler).await);
    }
    ports.set(servers.iter().map(|server| server.address().port()).collect()).unwrap();
    let known: Vec<&Server> = servers.iter().collect();

    for trusted in
        [[false; 4], [false, true, false, false], [true, false, true, false], [false, true, true, true]]
    {
        let of_trusted: Vec<String> = (0..4).filter(|n| trusted[*n]).map(|n| servers[n].origin()).collect();
        let token = tokens::jwt(&serde_json::json!({"aud": of_trusted, "exp": tokens::in_an_hour()}));
        let by_audience = session_knowing(Script::new(&[&token]), &known).build().unwrap();
        let by_hosts = session_knowing(Script::new(&["opaque"]), &known)
            .redirect_trust(patterns(&of_trusted.iter().map(String::as_str).collect::<Vec<_>>()))
            .build()
            .unwrap();
        // Every chain of four servers that begins at the first one.
        for code in 0..64 {
            let chain = [0, code % 4, code / 4 % 4, code / 16];
            let path: String = chain[1..].iter().map(ToString::to_string).collect();
            for (session, token) in [(&by_audience, token.as_str()), (&by_hosts, "opaque")] {
                journal.lock().unwrap().clear();
                session.get(servers[0].url(&format!("/{path}"))).send().await.unwrap();
                let wanted: Vec<_> = expected(&chain, trusted)
                    .into_iter()
                    .map(|may| may.then(|| format!("Bearer {token}")))
                    .collect();
                assert_eq!(*journal.lock().unwrap(), wanted, "{chain:?} with trust in {trusted:?}");
            }
        }
    }
}

#[tokio::test]
async fn on_a_client_that_follows_by_itself_the_rules_hold_for_an_answer_to_the_second_server() {
    for (audience_names_it, expected) in [(true, texts(&["-", "t"])), (false, texts(&["-"]))] {
        let second = Place::https("localhost").start(|_| Reply::challenge("Bearer")).await;
        let first = redirecting(Place::https("localhost"), 302, second.url("/end").to_string()).await;
        let audience = if audience_names_it { second.origin() } else { first.origin() };
        let token = tokens::for_audience(&audience);
        wrapped(Script::new(&[&token])).get(first.url("/start")).send().await.unwrap();
        let seen: Vec<_> = second.tokens().into_iter().map(|sent| sent.replace(&token, "t")).collect();
        assert_eq!(seen, expected);
        assert_eq!(first.seen().len(), 1);
    }
}

#[tokio::test]
async fn on_a_client_that_follows_by_itself_an_upload_is_not_aimed_at_the_second_server() {
    let second = Place::https("localhost").start(|_| Reply::challenge("Bearer")).await;
    let first = redirecting(Place::https("localhost"), 307, second.url("/end").to_string()).await;
    let token = tokens::for_audience(&second.origin());
    let request = wrapped(Script::new(&[&token])).put(first.url("/start")).body("x");
    assert_eq!(request.send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!((first.tokens(), second.tokens()), (vec![token], texts(&["-"])));
}

#[tokio::test]
async fn on_a_client_that_follows_by_itself_a_server_without_tls_is_not_answered() {
    let second = Place::https("localhost").start(|_| Reply::challenge("Bearer")).await;
    let location = second.url_as("http", "localhost", "/end");
    let audience = location.origin().ascii_serialization();
    let first = redirecting(Place::https("localhost"), 302, location.to_string()).await;
    let token = tokens::for_audience(&audience);
    wrapped(Script::new(&[&token])).get(first.url("/start")).send().await.unwrap();
    assert_eq!(second.tokens(), ["-"]);
}

#[tokio::test]
async fn a_stream_that_is_not_wanted_any_more_is_no_hindrance() {
    let server = redirecting(Place::http(), 303, "/end".to_owned()).await;
    let session = session(Script::new(&["t"])).build().unwrap();
    let body = futures_util::stream::iter([Ok::<_, std::io::Error>("once")]);
    let request = session.put(server.url("/start")).body(reqwest::Body::wrap_stream(body));
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    let seen = server.seen();
    assert_eq!((seen[1].method.as_str(), &seen[1].body[..]), ("GET", &b""[..]));
    assert_eq!(server.tokens(), ["t", "t"]);
}

#[tokio::test]
async fn a_host_header_of_the_caller_is_for_the_first_server() {
    let second = Place::http().at("127.0.0.2").start(|_| Reply::ok("data")).await;
    let first = redirecting(Place::http(), 302, second.url("/end").to_string()).await;
    let session = session(Script::new(&["t"])).build().unwrap();
    session.get(first.url("/start")).header(header::HOST, "virtual.test").send().await.unwrap();
    assert_eq!(first.seen()[0].header("host"), Some("virtual.test"));
    assert_eq!(second.seen()[0].header("host"), Some(second.address().to_string().as_str()));
}

#[tokio::test]
async fn the_time_limit_of_a_request_holds_for_each_hop() {
    let server = Server::http(|seen| match seen.path() {
        "/start" => Reply::redirect(302, "/end"),
        _ => Reply::ok("late").delayed(Duration::from_secs(60)),
    })
    .await;
    let session = session(Script::new(&["t"])).build().unwrap();
    let request = session.get(server.url("/start")).timeout(Duration::from_millis(300)).send();
    let error = tokio::time::timeout(Duration::from_secs(20), request).await.unwrap().unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
}
