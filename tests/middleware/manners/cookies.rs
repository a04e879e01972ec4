//! Cookies of a run.

use http::{StatusCode, header};
use reqwest_scitokens::client::CookieJar;
use reqwest_scitokens::netrc::Netrc;
use reqwest_scitokens::{Error, ResponseExt as _};

use scitoken_test_support::clients::session;
use scitoken_test_support::server::Place;
use scitoken_test_support::{Reply, Script, Seen, Server};

fn cookie(seen: &Seen) -> Option<&str> {
    seen.header("cookie")
}

/// `/data` sends to `/login`, which sets a cookie and sends back.
async fn with_login() -> Server {
    Server::http(|seen| match (seen.path(), cookie(seen)) {
        ("/login", _) => {
            Reply::redirect(302, "/data").header(header::SET_COOKIE, "sid=s3cretvalue; Path=/; HttpOnly")
        }
        (_, Some("sid=s3cretvalue")) => Reply::ok("data"),
        _ => Reply::redirect(302, "/login"),
    })
    .await
}

#[tokio::test]
async fn a_cookie_of_a_login_lets_the_next_step_in_and_later_requests_at_once() {
    let server = with_login().await;
    let session = session(Script::new(&["-"])).build().unwrap();
    let response = session.get(server.url("/data")).send().await.unwrap();
    let trace = format!("{:#?}{}", response.auth_trace(), response.auth_trace().unwrap());
    assert!(!trace.contains("s3cretvalue"), "{trace}");
    assert_eq!(response.text().await.unwrap(), "data");
    assert_eq!(session.clone().get(server.url("/data")).send().await.unwrap().status(), StatusCode::OK);
    let seen = server.seen();
    let paths: Vec<_> = seen.iter().map(|seen| (seen.path(), cookie(seen).is_some())).collect();
    assert_eq!(paths, [("/data", false), ("/login", false), ("/data", true), ("/data", true)]);
}

#[tokio::test]
async fn sessions_share_cookies_only_through_a_jar() {
    let server = with_login().await;
    let jar = CookieJar::new();
    let one = session(Script::new(&["-"])).cookies(jar.clone()).build().unwrap();
    let other = session(Script::new(&["-"])).cookies(jar).build().unwrap();
    let third = session(Script::new(&["-"])).build().unwrap();
    for session in [one, other, third] {
        assert_eq!(session.get(server.url("/data")).send().await.unwrap().status(), StatusCode::OK);
    }
    let logins = server.seen().iter().filter(|seen| seen.path() == "/login").count();
    assert_eq!(logins, 2, "the first and the third");
}

#[tokio::test]
async fn a_cookie_never_crosses_to_another_origin() {
    let other = Place::http().at("127.0.0.2").start(|_| Reply::ok("elsewhere")).await;
    let neighbour = Server::http(|_| Reply::ok("another port")).await;
    let (far, near) = (other.url("/f").to_string(), neighbour.url("/f").to_string());
    let server = Server::http(move |seen| {
        let reply = match seen.path() {
            "/far" => Reply::redirect(302, &far),
            "/near" => Reply::redirect(307, &near),
            _ => Reply::ok("here"),
        };
        reply.header(header::SET_COOKIE, "sid=1; Path=/; Domain=127.0.0.1")
    })
    .await;
    let session = session(Script::new(&["-"])).build().unwrap();
    for path in ["/here", "/far", "/near", "/here"] {
        assert!(session.get(server.url(path)).send().await.unwrap().status().is_success(), "{path}");
    }
    assert_eq!(cookie(server.seen().last().unwrap()), Some("sid=1"));
    for seen in other.seen().iter().chain(&neighbour.seen()) {
        assert_eq!(cookie(seen), None, "{seen:?}");
    }
    assert_eq!((other.seen().len(), neighbour.seen().len()), (1, 1));
}

/// As NASA's Earthdata does it: the data server sends to a login server, which takes a name and a password and sends
/// back with a code, for which the data server sets its cookie.
#[tokio::test]
async fn a_login_at_another_host_with_a_password_of_netrc_leads_back_to_the_data() {
    const BASIC: &str = "Basic bWU6aHVudGVyMnNlY3JldA==";
    let login =
        Place::http().at("127.0.0.2").start(|seen| match (seen.authorization(), seen.query("back")) {
            (Some(BASIC), Some(back)) => {
                Reply::redirect(302, format!("{back}?code=1")).header(header::SET_COOKIE, "urs=2; Path=/")
            }
            _ => Reply::new(401).header(header::WWW_AUTHENTICATE, "Basic realm=\"log in\""),
        });
    let login = login.await;
    let address = login.url("/oauth").to_string();
    let data = Server::http(move |seen| match (seen.path(), cookie(seen)) {
        ("/back", None) if seen.query("code") == Some("1") => {
            Reply::redirect(302, "/data").header(header::SET_COOKIE, "data=3; Path=/")
        }
        ("/data", Some("data=3")) => Reply::ok("science"),
        _ => Reply::redirect(
            302,
            format!(
                "{address}?back={}/back",
                seen.header("host").map_or(String::new(), |host| format!("http://{host}"))
            ),
        ),
    })
    .await;
    let netrc = Netrc::parse("machine 127.0.0.2 login me password hunter2secret").unwrap();
    let session = session(Script::new(&["-"])).netrc(netrc).build().unwrap();
    for _ in 0..2 {
        let response = session.get(data.url("/data")).send().await.unwrap();
        assert_eq!(response.text().await.unwrap(), "science");
    }
    assert_eq!(login.authorizations(), [Some(BASIC.to_owned())], "one login for the run");
    assert!(data.authorizations().iter().all(Option::is_none), "the password stays at its machine");
    assert!(login.seen().iter().all(|seen| cookie(seen).is_none()));
    assert_eq!(
        data.seen().last().and_then(|seen| seen.header("cookie").map(str::to_owned)).as_deref(),
        Some("data=3")
    );
}

#[tokio::test]
async fn a_cookie_header_of_the_callers_own_is_left_alone_and_a_loop_without_cookies_ends() {
    let server = with_login().await;
    let session = session(Script::new(&["-"])).build().unwrap();
    let error = session.get(server.url("/data")).header("cookie", "mine=1").send().await.unwrap_err();
    assert!(Error::find(&error).unwrap().is_redirect());
    assert!(server.seen().iter().all(|seen| cookie(seen) == Some("mine=1")));
}
