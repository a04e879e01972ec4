//! Every chain of four servers.

use super::*;

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
    let names = ["site.test", "data.site.test", "other.site.test", "untrusted.test"];
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
async fn a_stream_that_is_no_longer_needed_does_not_stop_a_redirect() {
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
async fn the_time_limit_of_a_request_holds_for_each_step() {
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
