//! HashiCorp Vault with the plugins of htvault-config, as `htgettoken` uses it, over TLS on loopback.
//!
//! The user confirms a login in the browser after one poll. The vault's token is `hvs.fake-vault-token`; with it, each read
//! of a secret gives a new access token with the requested scopes and audience.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use url::Url;

use crate::chaos_server::{Asked, ChaosServer, Reply};
use crate::issuer::json_reply;
use crate::tokens;

/// The token that a login gives.
pub const VAULT_TOKEN: &str = "hvs.fake-vault-token";

#[derive(Default)]
struct Safe {
    polls: usize,
    is_stored: bool,
    issued: Vec<String>,
}

/// The vault; it ends when it is dropped.
pub struct FakeVault {
    safe: Arc<Mutex<Safe>>,
    server: ChaosServer,
}

impl FakeVault {
    /// Starts it.
    pub async fn start() -> Self {
        let safe = Arc::new(Mutex::new(Safe::default()));
        let shared = Arc::clone(&safe);
        let server = ChaosServer::start(move |asked| shared.lock().unwrap().answer(asked)).await;
        Self { safe, server }
    }

    /// Returns the vault's URL.
    pub fn url(&self) -> Url {
        self.server.https_url("")
    }

    /// Returns the access tokens that it has issued, the newest last.
    pub fn issued(&self) -> Vec<String> {
        self.safe.lock().unwrap().issued.clone()
    }

    /// Returns the paths of the requests so far, without their queries.
    pub fn paths(&self) -> Vec<String> {
        let path = |asked: &Asked| asked.path.split('?').next().unwrap_or_default().to_owned();
        self.server.seen().iter().map(path).collect()
    }
}

impl Safe {
    fn answer(&mut self, asked: &Asked) -> Reply {
        let base = format!("https://{}", asked.headers["host"]);
        let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
        let refuse = |status: &str, error: &str| json_reply(status, &json!({ "errors": [error] }));
        if path.ends_with("/oidc/auth_url") {
            let data = json!({
                "auth_url": format!("{base}/confirm"), "user_code": "USER-CODE", "state": "state", "poll_interval": "0",
            });
            return json_reply("200 OK", &json!({ "data": data }));
        }
        if path.ends_with("/oidc/poll") {
            self.polls += 1;
            if self.polls == 1 {
                return refuse("400 Bad Request", "authorization_pending");
            }
            let auth = json!({
                "client_token": VAULT_TOKEN, "lease_duration": 604_800, "policies": ["default"],
                "metadata": { "credkey": "alice", "oauth2_refresh_token": "refresh-token" },
            });
            return json_reply("200 OK", &json!({ "auth": auth }));
        }
        if asked.headers.get("x-vault-token").map(String::as_str) != Some(VAULT_TOKEN) {
            return refuse("403 Forbidden", "permission denied");
        }
        match asked.method.as_str() {
            "POST" => {
                self.is_stored = true;
                Reply::sized("204 No Content", &[], "")
            }
            _ if !self.is_stored => refuse("404 Not Found", "no such secret"),
            _ => json_reply(
                "200 OK",
                &json!({ "data": { "access_token": self.issue(query), "expire_time": "" } }),
            ),
        }
    }

    fn issue(&mut self, query: &str) -> String {
        let asked: BTreeMap<_, _> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let mut claims = json!({
            "wlcg.ver": "1.0", "iss": "https://issuer.test/vo", "sub": "alice", "exp": tokens::in_an_hour(),
            "aud": "https://wlcg.cern.ch/jwt/v1/any", "scope": "storage.read:/", "jti": self.issued.len(),
        });
        for (name, claim) in [("scopes", "scope"), ("audiences", "aud")] {
            if let Some(value) = asked.get(name) {
                claims[claim] = Value::from(value.as_str());
            }
        }
        let token = tokens::jwt(&claims);
        self.issued.push(token.clone());
        token
    }
}
