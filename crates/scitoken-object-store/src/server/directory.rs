//! The directory that a store reads and writes.

use std::fmt;
use std::sync::Arc;

use object_store::RetryConfig;
use object_store::http::HttpStore;
use reqwest_middleware::ClientWithMiddleware;
use scitoken_transfer::{Checksum, Downloader};
use scitoken_types::SafeUrl;
use url::Url;

use crate::connector::http_store;
use crate::error::OpenError;
use crate::location;
use crate::server_state::ServerState;

/// How often what broke off is read again, where `object_store` does not continue it, and what a busy server refused is stored
/// again, where `object_store` does not do that.
const MOST_REPEATS: usize = 2;

/// A directory on a server.
pub(crate) struct Directory {
    pub(super) base: Url,
    pub(super) client: ClientWithMiddleware,
    /// What is known of the server.
    pub(super) server: Arc<ServerState>,
    /// Reads with the retries of `object_store`.
    pub(super) http: HttpStore,
    /// How often what broke off is read again, and what a busy server refused is stored again.
    pub(super) repeats: usize,
    /// Lists and changes.
    pub(super) downloader: Downloader,
    pub(super) checksum: Arc<Checksum>,
}

impl Directory {
    pub(crate) fn new(
        client: ClientWithMiddleware,
        base: &Url,
        retry: RetryConfig,
        server: Arc<ServerState>,
    ) -> Result<Self, OpenError> {
        let base = location::base(base)?;
        let repeats = retry.max_retries.min(MOST_REPEATS);
        let http = http_store(&client, &base, retry, Arc::clone(&server))?;
        let downloader = Downloader::new(client.clone());
        let checksum = Arc::new(Checksum::Auto);
        Ok(Self { base, client, server, http, repeats, downloader, checksum })
    }

    /// Returns the same directory whose requests are repeated in this way.
    pub(crate) fn with_retry(&self, retry: RetryConfig) -> Result<Self, OpenError> {
        Self::new(self.client.clone(), &self.base, retry, Arc::clone(&self.server))
    }

    pub(crate) fn base(&self) -> &Url {
        &self.base
    }
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = SafeUrl::new(&self.base).to_string();
        f.debug_struct("Directory").field("base", &base).finish_non_exhaustive()
    }
}
