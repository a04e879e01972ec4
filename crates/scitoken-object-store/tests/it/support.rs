//! The storage of `scitoken-authz`'s example as the server of these tests, and clients for it.

#[path = "../../../scitoken-authz/examples/storage/mod.rs"]
mod storage;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use http::Extensions;
use object_store::path::Path;
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next};
use reqwest_scitokens::{AccessToken, Session};
use scitoken_authz::{Enforcer, Issuer, OfflineVerifier, Profile, SciToken, StorageRules, TokenSigner};
use scitoken_jwt::keys::{JwkSet, KeyKind, SigningKey};
use scitoken_object_store::ScitokenStore;
use tokio::net::TcpListener;

/// A storage that grants its issuer's tokens everything.
pub(crate) struct Storage {
    pub(crate) base: String,
    pub(crate) root: tempfile::TempDir,
    signer: TokenSigner,
}

fn issuer() -> Issuer {
    "https://iss.invalid".parse().unwrap()
}

impl Storage {
    pub(crate) async fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        let key = SigningKey::generate(KeyKind::P256).unwrap();
        let keys: JwkSet = [key.verifying_key().to_jwk().with_key_id("k")].into_iter().collect();
        let service = storage::Storage {
            root: root.path().to_owned(),
            prefix: "/vo".parse().unwrap(),
            rules: StorageRules::new(),
            enforcer: Enforcer::builder(issuer()).audience("https://data.example").build(),
        };
        let service = service.service(OfflineVerifier::new(issuer(), keys));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/vo", listener.local_addr().unwrap());
        tokio::spawn(storage::listen::serve(listener, None, service));
        let signer = TokenSigner::new(key).unwrap().with_key_id("k");
        Self { base, root, signer }
    }

    pub(crate) fn token(&self, scope: &str) -> AccessToken {
        let token = SciToken::new(Profile::WLCG, &issuer()).subject("alice").audience("https://data.example");
        token.claim("scope", scope).sign(&self.signer).unwrap()
    }

    /// A session whose token has this scope.
    pub(crate) fn session(&self, scope: &str) -> Session {
        let builder = Session::builder().source(self.token(scope)).http(reqwest::ClientBuilder::no_proxy);
        builder.build().unwrap()
    }

    pub(crate) fn store(&self, scope: &str) -> ScitokenStore {
        ScitokenStore::open(&self.session(scope), &self.base).unwrap()
    }

    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let file = self.root.path().join(path);
        fs_err::create_dir_all(file.parent().unwrap()).unwrap();
        fs_err::write(file, content).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> Option<Vec<u8>> {
        fs_err::read(self.root.path().join(path)).ok()
    }
}

/// Counts the requests that a client sends and the bytes that the responses promise.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counter(Arc<(AtomicUsize, AtomicU64)>);

impl Counter {
    /// Returns the numbers since the last call.
    pub(crate) fn take(&self) -> (usize, u64) {
        (self.0.0.swap(0, Ordering::Relaxed), self.0.1.swap(0, Ordering::Relaxed))
    }
}

#[async_trait::async_trait]
impl Middleware for Counter {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let response = next.run(request, extensions).await?;
        self.0.0.fetch_add(1, Ordering::Relaxed);
        self.0.1.fetch_add(response.content_length().unwrap_or(0), Ordering::Relaxed);
        Ok(response)
    }
}

pub(crate) fn path(text: &str) -> Path {
    Path::parse(text).unwrap()
}

/// Bytes that tell their position.
pub(crate) fn content(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * 7 + n / 251).to_le_bytes()[0]).collect()
}
