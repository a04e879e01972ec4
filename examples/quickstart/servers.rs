//! The three parties besides the client, all on loopback.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect};
use axum::routing::get;
use reqwest_middleware::ClientBuilder;
use reqwest_scitokens::AccessToken;
use reqwest_scitokens::keys::{JwkSet, KeyKind, SigningKey};
use reqwest_scitokens::scitokens::{
    self, AuthorizeLayer, Demand, Enforcer, Profile, SciToken, TokenSigner, VerifiedToken, Verifier,
};
use tokio::net::TcpListener;

/// Makes tokens, and publishes the keys that verify them.
pub(crate) struct Issuer {
    name: scitokens::Issuer,
    signer: TokenSigner,
}

impl Issuer {
    pub(crate) async fn start() -> anyhow::Result<Self> {
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
        // An issuer is reached over https; on this machine, for a demonstration, it need not be.
        let name = scitokens::Issuer::insecure_over_loopback_http(&url)?;
        Ok(Self { name, signer: TokenSigner::new(key)?.with_key_id("key-1") })
    }

    pub(crate) fn url(&self) -> &str {
        self.name.as_str()
    }

    /// A token that lets somebody read `/vo` on this server.
    pub(crate) fn token(&self, subject: &str, server: &DataServer) -> anyhow::Result<AccessToken> {
        let token = SciToken::new(Profile::WLCG, &self.name)
            .subject(subject)
            .audience(server.url())
            .scope("storage.read:/vo".parse()?);
        Ok(token.sign(&self.signer)?)
    }
}

/// Has files, and lets in who has a token for them.
pub(crate) struct DataServer {
    url: String,
}

impl DataServer {
    pub(crate) async fn start(issuer: &Issuer, stranger: &Stranger) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
        let verifier = Verifier::builder(issuer.name.clone(), ClientBuilder::new(client).build()).build();
        let enforcer = Enforcer::builder(issuer.name.clone()).audience(url.as_str()).build();
        let authorize =
            AuthorizeLayer::new(verifier, enforcer, |_, path| Demand::access("storage.read", path))
                .realm("quickstart");
        let elsewhere = format!("{}/copy.txt", stranger.url());
        let files = Router::new()
            .route("/vo/hello.txt", get(hello))
            .route("/vo/elsewhere", get(move || async move { Redirect::temporary(&elsewhere) }))
            .route("/private/diary.txt", get(|| async { "dear diary" }))
            .layer(authorize);
        serve(listener, files);
        Ok(Self { url })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

async fn hello(Extension(token): Extension<VerifiedToken>) -> String {
    format!("hello, {}\n", token.claims().subject().unwrap_or("somebody"))
}

/// A server that a redirect leads to, and that remembers what it was sent.
pub(crate) struct Stranger {
    url: String,
    received: Arc<Mutex<BTreeSet<String>>>,
}

impl Stranger {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let received = Arc::default();
        serve(listener, Router::new().route("/copy.txt", get(remember)).with_state(Arc::clone(&received)));
        Ok(Self { url, received })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The names of the headers that came.
    pub(crate) fn received(&self) -> Vec<String> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

async fn remember(
    State(received): State<Arc<Mutex<BTreeSet<String>>>>,
    headers: HeaderMap,
) -> impl IntoResponse {
    received.lock().unwrap_or_else(PoisonError::into_inner).extend(headers.keys().map(ToString::to_string));
    "a copy of the data, from somewhere else\n"
}

fn serve(listener: TcpListener, app: Router) {
    tokio::spawn(async move { axum::serve(listener, app).await });
}
