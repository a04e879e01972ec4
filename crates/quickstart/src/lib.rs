//! The three servers of the example `quickstart`, all on loopback.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;
use reqwest_scitokens::AccessToken;
use scitoken_authz::{
    self, AuthorizeLayer, Enforcer, Profile, Requirement, SciToken, TokenSigner, VerifiedToken, Verifier,
};
use scitoken_jwt::keys::{JwkSet, KeyKind, SigningKey};
use tokio::net::TcpListener;

/// Issues tokens, and publishes the keys that verify them.
#[derive(Debug)]
pub struct TokenIssuer {
    name: scitoken_authz::Issuer,
    signer: TokenSigner,
}

impl TokenIssuer {
    /// Starts an issuer with a new key.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let key = SigningKey::generate(KeyKind::P256)?;
        let public = key.verifying_key().to_jwk().with_key_id("key-1");
        let keys = JwkSet::from_iter([public]).to_public_json();
        let metadata = format!(r#"{{"issuer":"{url}","jwks_uri":"{url}/jwks"}}"#);
        let json = |text: String| move || async { ([(header::CONTENT_TYPE, "application/json")], text) };
        serve(
            listener,
            Router::new()
                .route("/.well-known/openid-configuration", get(json(metadata)))
                .route("/jwks", get(json(keys))),
        );
        // Issuers are https URLs; only for tests on this machine is http accepted.
        let name = scitoken_authz::Issuer::insecure_over_loopback_http(&url)?;
        Ok(Self { name, signer: TokenSigner::new(key)?.with_key_id("key-1") })
    }

    /// Returns its URL, which is the issuer's name.
    pub fn url(&self) -> &str {
        self.name.as_str()
    }

    /// Returns a token with the right to read `/vo` on the server.
    pub fn token(&self, subject: &str, server: &DataServer) -> anyhow::Result<AccessToken> {
        let token = SciToken::new(Profile::WLCG, &self.name)
            .subject(subject)
            .audience(server.url())
            .scope("storage.read:/vo".parse()?);
        Ok(token.sign(&self.signer)?)
    }
}

/// A data server that authorizes requests by bearer token.
#[derive(Debug)]
pub struct DataServer {
    url: String,
}

impl DataServer {
    /// Starts a server that trusts `issuer` and has a redirect to `other`.
    pub async fn start(issuer: &TokenIssuer, other: &OtherServer) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
        let verifier = Verifier::builder(issuer.name.clone(), client).build();
        let enforcer = Enforcer::builder(issuer.name.clone()).audience(url.as_str()).build();
        let authorize =
            AuthorizeLayer::new(verifier, enforcer, |_, path| Requirement::access("storage.read", path))
                .realm("quickstart");
        let elsewhere = format!("{}/copy.txt", other.url());
        let files = Router::new()
            .route("/vo/hello.txt", get(hello))
            .route("/vo/elsewhere", get(move || async move { Redirect::temporary(&elsewhere) }))
            .route("/private/diary.txt", get(|| async { "dear diary" }))
            .layer(authorize);
        serve(listener, files);
        Ok(Self { url })
    }

    /// Returns its URL.
    pub fn url(&self) -> &str {
        &self.url
    }
}

async fn hello(Extension(token): Extension<VerifiedToken>) -> String {
    format!("hello, {}\n", token.claims().subject().unwrap_or("a token without a subject"))
}

/// A server of another party: a redirect leads to it, and it records the headers that it receives.
#[derive(Debug)]
pub struct OtherServer {
    url: String,
    received: Arc<Mutex<BTreeSet<String>>>,
}

impl OtherServer {
    /// Starts the server.
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let received = Arc::default();
        serve(listener, Router::new().route("/copy.txt", get(record)).with_state(Arc::clone(&received)));
        Ok(Self { url, received })
    }

    /// Returns its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the names of the headers that it received.
    pub fn received(&self) -> Vec<String> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

async fn record(
    State(received): State<Arc<Mutex<BTreeSet<String>>>>,
    headers: HeaderMap,
) -> impl IntoResponse {
    received.lock().unwrap_or_else(PoisonError::into_inner).extend(headers.keys().map(ToString::to_string));
    "a copy of the data, from somewhere else\n"
}

fn serve(listener: TcpListener, app: Router) {
    tokio::spawn(async move { axum::serve(listener, app).await });
}
