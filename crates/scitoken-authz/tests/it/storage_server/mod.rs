//! The storage of `examples/storage_server.rs`, asked over HTTP: each rule of the WLCG profile.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../../examples/storage/mod.rs"]
mod storage;
#[path = "../../../examples/storage_tls/mod.rs"]
mod storage_tls;

mod answers;
mod capabilities;
mod files;
mod tokens;

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
