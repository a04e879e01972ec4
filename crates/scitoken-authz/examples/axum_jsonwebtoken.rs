//! A service that verifies tokens with the crate `jsonwebtoken` and the issuer keys of this one.
//!
//! ```text
//! cargo run -p scitoken-authz --example axum_jsonwebtoken --features jsonwebtoken -- https://issuer.example https://data.example
//! curl -H "Authorization: Bearer $(cat token)" http://127.0.0.1:8080/
//! ```

use std::env;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::{Router, routing};
use jsonwebtoken::{Algorithm, Validation};
use scitoken_authz::{Issuer, Verifier, VerifyError};

struct Service {
    verifier: Verifier,
    validation: Validation,
}

#[derive(serde::Deserialize)]
struct Claims {
    sub: String,
}

async fn hello(State(service): State<Arc<Service>>, headers: HeaderMap) -> Result<String, StatusCode> {
    let header = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = header.and_then(|value| value.strip_prefix("Bearer ")).ok_or(StatusCode::UNAUTHORIZED)?;
    // the one line: a key that is cached, refreshed and rotated
    let key = service.verifier.decoding_key(token).await.map_err(|error| match error {
        VerifyError::Keys { .. } => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::UNAUTHORIZED,
    })?;
    // `decode` refuses every token if one of the algorithms is not of the key's family
    let mut validation = service.validation.clone();
    validation.algorithms.retain(|algorithm| algorithm.family() == key.family());
    let token = jsonwebtoken::decode::<Claims>(token, &key, &validation);
    let token = token.map_err(|_| StatusCode::UNAUTHORIZED)?;
    Ok(format!("hello {}\n", token.claims.sub))
}

pub(crate) fn app(verifier: Verifier, issuer: &Issuer, audience: &str) -> Router {
    let mut validation = Validation::new(Algorithm::ES256);
    validation.algorithms = vec![Algorithm::ES256, Algorithm::RS256];
    validation.set_issuer(&[issuer.as_str()]);
    validation.set_audience(&[audience]);
    Router::new().route("/", routing::get(hello)).with_state(Arc::new(Service { verifier, validation }))
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = env::args().skip(1);
    let (Some(issuer), Some(audience)) = (arguments.next(), arguments.next()) else {
        anyhow::bail!("usage: axum_jsonwebtoken ISSUER AUDIENCE [ADDRESS]");
    };
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    scitoken_jwt::bridge::install_default()?;
    let issuer: Issuer = issuer.parse()?;
    let client = reqwest::Client::builder().https_only(true).redirect(reqwest::redirect::Policy::none());
    let verifier = Verifier::builder(issuer.clone(), client.build()?).build();
    let app = app(verifier, &issuer, &audience);
    let listener = tokio::net::TcpListener::bind(address).await?;
    #[expect(clippy::print_stdout, reason = "tells the user where to go")]
    {
        println!("listening on http://{}", listener.local_addr()?);
    }
    axum::serve(listener, app).await?;
    Ok(())
}
