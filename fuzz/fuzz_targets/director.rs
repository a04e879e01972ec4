//! The headers of a director's answer: `Link`, and what it says about the namespace.
#![no_main]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{LazyLock, Mutex};

use libfuzzer_sys::fuzz_target;
use scitoken_transfer::federation::{Federation, FederationUrl};
use tokio::runtime::{Builder, Runtime};

/// What the director sends besides its status: lines of headers.
static LINES: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// The port of a server that is discovery host and director in one.
static PORT: LazyLock<u16> = LazyLock::new(|| {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut asked = [0; 4096];
            let length = stream.read(&mut asked).unwrap_or(0);
            let is_discovery = asked[..length].windows(12).any(|window| window == b"/.well-known");
            let answer = if is_discovery {
                let body = format!("{{\"director_endpoint\": \"http://127.0.0.1:{port}\"}}");
                format!(
                    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                )
                .into_bytes()
            } else {
                let lines = LINES.lock().expect("no panic").clone();
                let start = "HTTP/1.1 307 Temporary Redirect\r\nConnection: close\r\nContent-Length: 0\r\n";
                [start.as_bytes(), &lines, b"\r\n"].concat()
            };
            let _ = stream.write_all(&answer);
        }
    });
    port
});

fuzz_target!(|values: (&[u8], &[u8], &[u8], &[u8])| {
    thread_local! {
        static RUNTIME: Runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        static CLIENT: reqwest::Client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
    }
    let names = ["Link", "X-Pelican-Namespace", "X-Pelican-Authorization", "X-Pelican-Token-Generation"];
    let mut lines = Vec::new();
    for (name, value) in names.into_iter().zip([values.0, values.1, values.2, values.3]) {
        // A header is one line.
        let value: Vec<u8> = value.iter().copied().filter(|byte| !byte.is_ascii_control()).collect();
        lines.extend([name.as_bytes(), b": ", &value, b"\r\n"].concat());
    }
    *LINES.lock().expect("no panic") = lines;
    let url: FederationUrl = format!("pelican://127.0.0.1:{}/ns/f", *PORT).parse().expect("a name");
    let mut once = scitoken_transfer::RetryPolicy::default();
    once.retries = 0;
    let federation = Federation::new(CLIENT.with(Clone::clone)).with_retry(once);
    let Ok(object) = RUNTIME.with(|runtime| runtime.block_on(federation.resolve(&url))) else { return };
    for server in object.servers() {
        let is_safe = server.scheme() == "https" || server.host_str().is_some_and(|host| host != "h");
        assert!(is_safe && server.username().is_empty() && server.password().is_none(), "{server}");
        let has_token = server.query_pairs().any(|(name, _)| name == "authz" || name == "access_token");
        assert!(!has_token, "{server} carries a token");
    }
});
