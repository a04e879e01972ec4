//! The storage of the examples, run as a program.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::process::{Command, Stdio};
use std::time::Duration;

use reqwest::StatusCode;
use scitoken_authz::{Issuer, Profile, SciToken, TokenSigner};
use scitoken_jwt::keys::{JwkSet, KeyKind, SigningKey};
use scitoken_test_support::example::example;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout};

const AUDIENCE: &str = "https://data.example";

/// A service that listens, and ends with the test.
struct Service {
    _process: Child,
    /// Kept open, so that the service can go on writing.
    _output: BufReader<ChildStdout>,
    base: String,
}

impl Service {
    async fn start(command: Command) -> Self {
        let mut command = tokio::process::Command::from(command);
        let mut process = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        tokio::time::timeout(Duration::from_secs(60), output.read_line(&mut line)).await.unwrap().unwrap();
        let base =
            line.trim_end().strip_prefix("listening on ").expect(&line).trim_end_matches('/').to_owned();
        Self { _process: process, _output: output, base }
    }

    async fn status(&self, request: reqwest::RequestBuilder) -> StatusCode {
        request.send().await.unwrap().status()
    }
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

fn key() -> (SigningKey, JwkSet) {
    let key = SigningKey::generate(KeyKind::P256).unwrap();
    let keys = [key.verifying_key().to_jwk().with_key_id("k")].into_iter().collect();
    (key, keys)
}

fn token(issuer: &Issuer, key: &SigningKey, scope: &str) -> String {
    let token =
        SciToken::new(Profile::WLCG, issuer).subject("alice").audience(AUDIENCE).claim("scope", scope);
    let signer = TokenSigner::new(key.clone()).unwrap().with_key_id("k");
    token.sign(&signer).unwrap().expose_secret().to_owned()
}

#[tokio::test]
async fn storage_server_serves_a_directory_to_those_with_a_token() {
    let (directory, (key, keys)) = (tempfile::tempdir().unwrap(), key());
    let (root, jwks) = (directory.path().join("data"), directory.path().join("jwks.json"));
    fs_err::create_dir_all(root.join("d")).unwrap();
    fs_err::write(&jwks, keys.to_public_json()).unwrap();
    let mut command = example("storage_server");
    command.arg("--root").arg(&root).arg("--jwks").arg(&jwks);
    command.args(["--issuer", "https://issuer.example", "--audience", AUDIENCE]);
    command.args(["--listen", "127.0.0.1:0", "--prefix", "/wlcg"]);
    let service = Service::start(command).await;
    let issuer: Issuer = "https://issuer.example".parse().unwrap();
    let url = format!("{}/d/f", service.base);
    let writer = token(&issuer, &key, "storage.create:/d storage.read:/d");
    let put = client().put(&url).bearer_auth(&writer).body("data");
    assert_eq!(service.status(put).await, StatusCode::CREATED);
    assert_eq!(fs_err::read(root.join("d/f")).unwrap(), b"data");
    assert_eq!(service.status(client().get(&url).bearer_auth(&writer)).await, StatusCode::OK);
    assert_eq!(service.status(client().get(&url)).await, StatusCode::UNAUTHORIZED);
    let elsewhere = token(&issuer, &key, "storage.read:/e");
    assert_eq!(service.status(client().get(&url).bearer_auth(elsewhere)).await, StatusCode::FORBIDDEN);
}
