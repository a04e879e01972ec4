//! Proxies that refuse, and proxies that are not supported.

use http::StatusCode;
use reqwest_scitokens::Error;
use reqwest_scitokens::client::{ProxyProblem, ProxyRules};
use scitoken_types::sys::Env;

use scitoken_test_support::clients::session;
use scitoken_test_support::{Answer, Raw, Script};

async fn failure(env: &Env, url: &str) -> (String, Option<ProxyProblem>, String) {
    let session = session(Script::new(&["-"])).proxies(ProxyRules::from_env(env)).build().unwrap();
    let error = session.get(url).send().await.unwrap_err();
    let ours = Error::find(&error).unwrap_or_else(|| panic!("{error:?}"));
    (ours.to_string(), ours.proxy_problem(), ours.hint().map(|hint| hint.to_string()).unwrap_or_default())
}

#[tokio::test]
async fn a_refusal_names_the_proxy_its_status_and_the_variable() {
    for (status, reason) in [
        (407, "Proxy Authentication Required"),
        (403, "Forbidden"),
        (502, "Bad Gateway"),
        (503, "Service Unavailable"),
    ] {
        let line = format!("HTTP/1.1 {status} {reason}");
        let proxy = Raw::http(move |_| Answer::lines(&[&line, "Connection: close"], "no").then_close()).await;
        let address = proxy.url("/").to_string();
        let with_login = address.replace("http://", "http://me:hunter2secret@");
        let env = Env::given([("https_proxy", with_login.as_str())]);
        let (text, problem, hint) = failure(&env, "https://data.example.test/f").await;
        let shown = address.replace("http://", "http://…@");
        assert_eq!(
            problem,
            Some(ProxyProblem::Refused(StatusCode::from_u16(status).ok())),
            "{status}: {text}"
        );
        for part in [&*shown, "`https_proxy`", &*format!("{status} {reason}"), "`data.example.test:443`"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("hunter2secret") && hint.contains("https_proxy"), "{text} {hint}");
        assert!(
            proxy
                .seen()
                .iter()
                .all(|seen| seen.method == "CONNECT" && seen.target == "data.example.test:443"),
            "{:?}",
            proxy.seen()
        );
        let most = if status == 407 { 1 } else { 2 };
        assert!((1..=most).contains(&proxy.seen().len()), "{status}: {}", proxy.seen().len());
    }
}

#[tokio::test]
async fn a_407_to_a_plain_request_is_the_proxy_s() {
    let proxy = Raw::http(|_| Answer::lines(&["HTTP/1.1 407 Proxy Authentication Required"], "no")).await;
    let env = Env::given([("http_proxy", proxy.url("/").as_str())]);
    let (text, problem, hint) = failure(&env, "http://data.example.test/f").await;
    assert_eq!(problem, Some(ProxyProblem::Refused(Some(StatusCode::PROXY_AUTHENTICATION_REQUIRED))));
    assert!(text.contains("`http_proxy`") && hint.contains("user name and a password"), "{text} {hint}");
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_named() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let env = Env::given([("ALL_PROXY", format!("http://{unused}"))]);
    for url in ["https://data.example.test/f", "http://data.example.test/f"] {
        let (text, problem, _) = failure(&env, url).await;
        assert_eq!(problem, Some(ProxyProblem::Unreachable), "{url}");
        assert!(text.contains(&unused.to_string()) && text.contains("`ALL_PROXY`"), "{text}");
    }
}

#[tokio::test]
async fn socks_is_said_to_be_unsupported_and_nothing_is_sent() {
    for scheme in ["socks5", "socks5h", "socks4", "SOCKS5"] {
        let proxy = Raw::http(|_| Answer::bytes("").then_close()).await;
        let address = proxy.url("/").to_string().replace("http:", &format!("{scheme}:"));
        let env = Env::given([("all_proxy", address.as_str()), ("no_proxy", "direct.example.test")]);
        let (text, problem, hint) = failure(&env, "https://data.example.test/f").await;
        assert_eq!(problem, Some(ProxyProblem::Unsupported), "{scheme}");
        assert!(text.contains("not supported") && hint.contains("all_proxy"), "{text} {hint}");
        assert_eq!(proxy.connections(), 0, "{scheme}");
    }
}
