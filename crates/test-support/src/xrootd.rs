//! A server that answers as XRootD 5.5.3 and 6.1 were recorded to answer.
//!
//! Its answers are those of the real servers, word for word; what no client's test needs is left out.

mod files;
mod release;
mod state;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use url::Url;

pub use self::release::Release;
use self::state::{Manager, State};
use super::listener::Listener;
use super::{Seen, tls};

/// A server that answers as XRootD does, with TLS and without on one port.
pub struct XRootD {
    listener: Listener,
    state: Arc<State>,
}

impl XRootD {
    /// A data server that grants everything to this token.
    pub async fn data_server(release: Release, token: &str) -> Self {
        Self::start(release, token, None, Duration::ZERO).await
    }

    /// A manager that redirects to a data server, with the token in the address as both releases do by default.
    pub async fn manager(release: Release, data_server: String) -> Self {
        let manager = Manager { data_server, token_in_url: true };
        Self::start(release, "", Some(manager), Duration::ZERO).await
    }

    /// A manager with `http.header2cgi Authorization authz strip-on-redirect`: no token in the address.
    pub async fn stripping_manager(data_server: String) -> Self {
        let manager = Manager { data_server, token_in_url: false };
        Self::start(Release::V6_1, "", Some(manager), Duration::ZERO).await
    }

    /// A manager that none of its data servers answers: silence, then a 404.
    pub async fn lonely_manager(silence: Duration) -> Self {
        Self::start(Release::V5_5_3, "", None, silence).await
    }

    async fn start(release: Release, token: &str, manager: Option<Manager>, silence: Duration) -> Self {
        let files =
            [("/vo/hello.txt", "hello scitokens"), ("/public/f", "public"), ("/vo/sp ace+é.txt", "é")];
        let files = files.map(|(path, text)| (path.to_owned(), Bytes::from_static(text.as_bytes())));
        let state = Arc::new(State {
            release,
            manager,
            token: Mutex::new(token.to_owned()),
            files: Mutex::new(files.into()),
            seen: Mutex::default(),
            silence,
            stale: Mutex::default(),
            break_off: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        let serve = move |connection| {
            let state = Arc::clone(&shared);
            async move {
                // An error is a client that went away.
                let _gone = state.converse(connection).await;
            }
        };
        let tls = Some(tls::authority().http1_acceptor());
        Self { listener: Listener::start("127.0.0.1:0", tls, serve).await, state }
    }

    /// The address of a path, as the client knows the server: `https://localhost:port/path`.
    pub fn url(&self, path: &str) -> Url {
        self.listener.url_as("https", "localhost", path)
    }

    /// The same under another scheme or name.
    pub fn url_as(&self, scheme: &str, host: &str, path: &str) -> Url {
        self.listener.url_as(scheme, host, path)
    }

    /// Grants everything to another token from now on.
    pub fn accept(&self, token: &str) {
        token.clone_into(&mut self.state.token.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many connections came in.
    pub fn connections(&self) -> usize {
        self.listener.accepted()
    }

    /// Stores a file.
    pub fn store(&self, path: &str, content: impl Into<Bytes>) {
        let mut files = self.state.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.insert(path.to_owned(), content.into());
    }

    /// Lets the next body of a `GET` break off after so many bytes.
    pub fn break_off_after(&self, bytes: usize) {
        *self.state.break_off.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes);
    }

    /// What is stored under a path.
    pub fn file(&self, path: &str) -> Option<Bytes> {
        self.state.files.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned()
    }
}
