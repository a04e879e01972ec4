//! A data server that authorizes requests by token: `GET` needs `read`, `PUT` needs `write` or `create`.
//!
//! ```text
//! cargo run --example axum_server --features tower -- https://issuer.example https://data.example
//! curl -H "Authorization: Bearer $(cat token)" http://127.0.0.1:8080/vo/file
//! ```
//!
//! WLCG tokens (`storage.read`, `storage.modify`, `storage.create`) and SciTokens (`read`, `write`) are both accepted.

use std::sync::{Arc, Mutex};
use std::{collections::HashMap, env};

use axum::body::Bytes;
use axum::extract::{Extension, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::{Router, routing};
use scitoken_authz::{AuthorizeLayer, Enforcer, Issuer, Requirement, VerifiedToken, Verifier, Vocabulary};
use scitoken_types::ResourcePath;

/// Files by path.
#[derive(Clone, Default)]
struct Store(Arc<Mutex<HashMap<ResourcePath, Bytes>>>);

impl Store {
    fn get(&self, path: &ResourcePath) -> Option<Bytes> {
        self.0.lock().ok()?.get(path).cloned()
    }

    fn put(&self, path: ResourcePath, data: Bytes) {
        if let Ok(mut files) = self.0.lock() {
            files.insert(path, data);
        }
    }
}

/// A token for `create` must not overwrite, so the requirement depends on the file.
fn requirement(store: &Store, method: &Method, path: &ResourcePath) -> Requirement {
    match *method {
        Method::GET | Method::HEAD => Requirement::access("read", path),
        _ if store.get(path).is_some() => Requirement::access("write", path),
        _ => Requirement::access("write", path).or(Requirement::access("create", path)),
    }
}

/// Serves the path that was authorized, not the one in the URL.
async fn download(
    State(store): State<Store>,
    Extension(path): Extension<ResourcePath>,
) -> Result<Bytes, StatusCode> {
    store.get(&path).ok_or(StatusCode::NOT_FOUND)
}

async fn upload(
    State(store): State<Store>,
    Extension(path): Extension<ResourcePath>,
    Extension(token): Extension<VerifiedToken>,
    data: Bytes,
) -> (StatusCode, String) {
    let answer = format!("{} bytes from {}\n", data.len(), token.claims().subject().unwrap_or("?"));
    store.put(path, data);
    (StatusCode::CREATED, answer)
}

fn app(verifier: Verifier, enforcer: Enforcer) -> Router {
    let store = Store::default();
    let shared = store.clone();
    let required = move |request: &Parts, path: &ResourcePath| requirement(&shared, &request.method, path);
    let layer = AuthorizeLayer::new(verifier, enforcer, required).realm("example data");
    let service = routing::get(download).put(upload);
    Router::new().route("/", service.clone()).route("/{*path}", service).with_state(store).layer(layer)
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
    let client = client.build()?;
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
