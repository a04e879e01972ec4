//! A data server that lets in who has a token for the path: `GET` needs `read`, `PUT` needs `write` or `create`.
//!
//! ```text
//! cargo run --example axum_server --features tower -- https://issuer.example https://data.example
//! curl -H "Authorization: Bearer $(cat token)" http://127.0.0.1:8080/vo/file
//! ```
//!
//! WLCG tokens (`storage.read`, `storage.modify`, `storage.create`) and SciTokens (`read`, `write`) do equally.

use std::sync::{Arc, Mutex};
use std::{collections::BTreeMap, env};

use axum::body::Bytes;
use axum::extract::{Extension, Path, State};
use axum::http::{Method, StatusCode};
use axum::{Router, routing};
use reqwest_middleware::ClientBuilder;
use reqwest_scitokens::ResourcePath;
use reqwest_scitokens::scitokens::{
    AuthorizeLayer, Demand, Enforcer, Issuer, VerifiedToken, Verifier, Vocabulary,
};

/// Files by path.
#[derive(Clone, Default)]
struct Store(Arc<Mutex<BTreeMap<String, Bytes>>>);

impl Store {
    fn get(&self, path: &str) -> Option<Bytes> {
        self.0.lock().ok()?.get(path.trim_start_matches('/')).cloned()
    }

    fn put(&self, path: String, data: Bytes) {
        if let Ok(mut files) = self.0.lock() {
            files.insert(path, data);
        }
    }
}

/// Who may create may not overwrite, so it matters whether the file is there.
fn demand(store: &Store, method: &Method, path: &ResourcePath) -> Demand {
    let name = path.components().collect::<Vec<_>>().join("/");
    match *method {
        Method::GET | Method::HEAD => Demand::access("read", path),
        _ if store.get(&name).is_some() => Demand::access("write", path),
        _ => Demand::access("write", path).or(Demand::access("create", path)),
    }
}

async fn download(State(store): State<Store>, Path(path): Path<String>) -> Result<Bytes, StatusCode> {
    store.get(&path).ok_or(StatusCode::NOT_FOUND)
}

async fn upload(
    State(store): State<Store>,
    Path(path): Path<String>,
    Extension(token): Extension<VerifiedToken>,
    data: Bytes,
) -> (StatusCode, String) {
    let thanks = format!("{} bytes from {}\n", data.len(), token.claims().subject().unwrap_or("somebody"));
    store.put(path, data);
    (StatusCode::CREATED, thanks)
}

fn app(verifier: Verifier, enforcer: Enforcer) -> Router {
    let store = Store::default();
    let shared = store.clone();
    let layer =
        AuthorizeLayer::new(verifier, enforcer, move |request, path| demand(&shared, &request.method, path))
            .realm("example data");
    Router::new().route("/{*path}", routing::get(download).put(upload)).with_state(store).layer(layer)
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = env::args().skip(1);
    let (Some(issuer), Some(audience)) = (arguments.next(), arguments.next()) else {
        anyhow::bail!("usage: axum_server ISSUER AUDIENCE [ADDRESS]");
    };
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let issuer: Issuer = issuer.parse()?;
    let client = reqwest::Client::builder().https_only(true).redirect(reqwest::redirect::Policy::none());
    let client = ClientBuilder::new(client.build()?).build();
    let verifier = Verifier::builder(issuer.clone(), client).build();
    let enforcer = Enforcer::builder(issuer).audience(audience).vocabulary(Vocabulary::Compat).build();

    let listener = tokio::net::TcpListener::bind(address).await?;
    #[expect(clippy::print_stdout, reason = "tells the user where to go")]
    {
        println!("listening on http://{}", listener.local_addr()?);
    }
    axum::serve(listener, app(verifier, enforcer)).await?;
    Ok(())
}
