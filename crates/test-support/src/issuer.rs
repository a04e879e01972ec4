//! An OAuth issuer that registers clients (RFC 7591) and issues tokens by device code (RFC 8628), over TLS on loopback.
//!
//! Its user confirms each login at once. Refresh tokens are rotated: each works once. Access tokens are JWTs with the
//! requested scopes. [`FakeIssuer::change`] replaces its answers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use url::Url;

use crate::chaos_server::{Asked, ChaosServer, Reply};
use crate::tokens;

type Change = Arc<dyn Fn(&Asked, Reply) -> Reply + Send + Sync>;

#[derive(Default)]
struct Desk {
    /// Client ids, with the secret of each.
    clients: BTreeMap<String, String>,
    /// Device codes, with the scopes of each.
    logins: BTreeMap<String, String>,
    /// Refresh tokens that are valid, with the scopes of each.
    refresh_tokens: BTreeMap<String, String>,
    access_tokens: Vec<String>,
    lifetime: u64,
    count: usize,
    change: Option<Change>,
}

/// The issuer; it ends when it is dropped.
pub struct FakeIssuer {
    desk: Arc<Mutex<Desk>>,
    server: ChaosServer,
}

impl FakeIssuer {
    /// Starts it; its tokens are valid for an hour.
    pub async fn start() -> Self {
        let desk = Arc::new(Mutex::new(Desk { lifetime: 3600, ..Desk::default() }));
        let shared = Arc::clone(&desk);
        let server = ChaosServer::start(move |asked| {
            let mut desk = shared.lock().unwrap();
            let honest = desk.answer(asked);
            match desk.change.clone() {
                Some(change) => change(asked, honest),
                None => honest,
            }
        })
        .await;
        Self { desk, server }
    }

    /// Returns the issuer's URL.
    pub fn url(&self) -> Url {
        self.server.https_url("")
    }

    /// Returns the access tokens that it has issued, the newest last.
    pub fn access_tokens(&self) -> Vec<String> {
        self.desk.lock().unwrap().access_tokens.clone()
    }

    /// Returns whether a refresh token is valid.
    pub fn knows(&self, refresh_token: &str) -> bool {
        self.desk.lock().unwrap().refresh_tokens.contains_key(refresh_token)
    }

    /// Sets the lifetime of the tokens that it issues from now on, in seconds.
    pub fn set_lifetime(&self, seconds: u64) {
        self.desk.lock().unwrap().lifetime = seconds;
    }

    /// Forgets all clients, as an issuer whose database was replaced.
    pub fn forget_clients(&self) {
        self.desk.lock().unwrap().clients.clear();
    }

    /// Forgets which access tokens it has issued.
    pub fn forget_tokens(&self) {
        self.desk.lock().unwrap().access_tokens.clear();
    }

    /// Replaces its answers: `change` gets the request and the honest answer.
    pub fn change(&self, change: impl Fn(&Asked, Reply) -> Reply + Send + Sync + 'static) {
        self.desk.lock().unwrap().change = Some(Arc::new(change));
    }

    /// Returns the paths of the requests so far.
    pub fn paths(&self) -> Vec<String> {
        self.server.seen().iter().map(|asked| asked.path.clone()).collect()
    }

    /// Returns the requests so far.
    pub fn seen(&self) -> Vec<Asked> {
        self.server.seen()
    }
}

/// Returns a JSON answer.
pub fn json_reply(status: &str, document: &Value) -> Reply {
    Reply::sized(status, &[("Content-Type", "application/json")], document.to_string())
}

fn refuse(error: &str) -> Reply {
    json_reply("400 Bad Request", &json!({ "error": error }))
}

impl Desk {
    fn answer(&mut self, asked: &Asked) -> Reply {
        let base = format!("https://{}", asked.headers["host"]);
        let form: BTreeMap<_, _> = url::form_urlencoded::parse(&asked.body).into_owned().collect();
        match asked.path.as_str() {
            "/.well-known/openid-configuration" => json_reply(
                "200 OK",
                &json!({
                    "issuer": base, "token_endpoint": format!("{base}/token"),
                    "device_authorization_endpoint": format!("{base}/device"),
                    "registration_endpoint": format!("{base}/register"),
                    "revocation_endpoint": format!("{base}/revoke"),
                }),
            ),
            "/register" => self.register(),
            "/device" | "/token" if !self.is_known(asked, &form) => refuse("invalid_client"),
            "/device" => self.begin(&base, &form),
            "/token" => self.issue(&base, &form),
            "/revoke" => {
                self.refresh_tokens.remove(form.get("token").map_or("", String::as_str));
                Reply::sized("200 OK", &[], "")
            }
            _ => Reply::sized("404 Not Found", &[], ""),
        }
    }

    fn next(&mut self, kind: &str) -> String {
        self.count += 1;
        format!("{kind}-{}-secret", self.count)
    }

    fn register(&mut self) -> Reply {
        let (id, secret) = (self.next("client"), self.next("password"));
        self.clients.insert(id.clone(), secret.clone());
        let client = json!({ "client_id": id, "client_secret": secret, "client_secret_expires_at": 0 });
        json_reply("201 Created", &client)
    }

    fn is_known(&self, asked: &Asked, form: &BTreeMap<String, String>) -> bool {
        use base64::Engine as _;
        let basic = |(id, secret): (&String, &String)| {
            let pair = base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}"));
            asked.headers.get("authorization") == Some(&format!("Basic {pair}"))
        };
        // A public client that the operators have registered.
        self.clients.iter().any(basic) || form.get("client_id").is_some_and(|id| id == "public")
    }

    fn begin(&mut self, base: &str, form: &BTreeMap<String, String>) -> Reply {
        let code = self.next("device");
        self.logins.insert(code.clone(), form.get("scope").cloned().unwrap_or_default());
        let answer = json!({
            "device_code": code, "user_code": "USER-CODE", "verification_uri": format!("{base}/confirm"),
            "expires_in": 300, "interval": 1,
        });
        json_reply("200 OK", &answer)
    }

    fn issue(&mut self, base: &str, form: &BTreeMap<String, String>) -> Reply {
        let spent = |codes: &mut BTreeMap<String, String>, name: &str| {
            form.get(name).and_then(|code| codes.remove(code))
        };
        let scope = match form.get("grant_type").map(String::as_str) {
            Some("refresh_token") => spent(&mut self.refresh_tokens, "refresh_token"),
            _ => spent(&mut self.logins, "device_code"),
        };
        let Some(scope) = scope else { return refuse("invalid_grant") };
        let refresh_token = self.next("refresh");
        self.refresh_tokens.insert(refresh_token.clone(), scope.clone());
        let token = tokens::jwt(&json!({
            "wlcg.ver": "1.0", "iss": base, "sub": "alice", "aud": "https://wlcg.cern.ch/jwt/v1/any",
            "exp": tokens::in_an_hour() - 3600 + self.lifetime, "scope": scope, "jti": refresh_token,
        }));
        self.access_tokens.push(token.clone());
        let answer = json!({
            "access_token": token, "refresh_token": refresh_token, "token_type": "Bearer",
            "expires_in": self.lifetime, "scope": scope,
        });
        json_reply("200 OK", &answer)
    }
}
