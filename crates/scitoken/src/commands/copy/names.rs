//! The servers and tokens of a copy's two sides, where names of objects are given.

use std::path::PathBuf;

use reqwest_scitokens::{FileSource, SharedTokenSource};
use scitoken_transfer::TransferError;
use scitoken_transfer::federation::{CopyPlace, Federation, FederationUrl};
use url::Url;

use super::args::Copy;
use crate::args::RetryArgs;
use crate::context::Context;
use crate::engine::Engine;
use crate::failure::Failure;
use crate::runtime::block_on;

/// One side of a copy.
#[derive(Clone, Debug)]
pub(super) struct Side {
    pub(super) url: Url,
    /// The tokens for the server of an object; those of other servers are looked for.
    token: Option<SharedTokenSource>,
}

/// Finds the servers of objects.
#[derive(Clone, Debug)]
pub(super) struct Names {
    source_token_file: Option<PathBuf>,
    destination_token_file: Option<PathBuf>,
    retry: RetryArgs,
    /// `None` where no name can be given.
    federation: Option<Federation>,
}

impl Side {
    pub(super) fn server(url: Url) -> Self {
        Self { url, token: None }
    }

    /// Returns another file of the same server and with the same tokens.
    pub(super) fn at(&self, url: Url) -> Self {
        Self { url, ..self.clone() }
    }

    /// Gives something the token of this side, if it has one of its own.
    pub(super) fn with_token<T>(&self, to: T, set: impl FnOnce(T, SharedTokenSource) -> T) -> T {
        match &self.token {
            Some(token) => set(to, token.clone()),
            None => to,
        }
    }
}

impl Names {
    pub(super) fn new(
        copy: &Copy,
        context: &Context,
        engine: &Engine,
        sources: &[Url],
        destination: &Url,
    ) -> Result<Self, Failure> {
        let mut given = sources.iter().chain([destination]);
        let has_names = copy.input.is_some() || given.any(|url| FederationUrl::has_scheme(url.as_str()));
        let federation =
            has_names.then(|| engine.federation(context, &copy.transfer.federation)).transpose()?;
        Ok(Self {
            source_token_file: copy.source_token_file.clone(),
            destination_token_file: copy.destination_token_file.clone(),
            retry: copy.transfer.retry.clone(),
            federation,
        })
    }

    /// Returns the server that a file is copied from.
    pub(super) fn source(&self, url: &Url) -> Result<Side, Failure> {
        let Some((federation, name)) = self.name(url) else { return Ok(Side::server(url.clone())) };
        let federation = match &self.source_token_file {
            Some(file) => federation.with_token_source(FileSource::new(file)),
            None => federation,
        };
        self.side(block_on(federation.copy_source(&name))?)
    }

    /// Returns the server that a file is copied to.
    pub(super) fn destination(&self, url: &Url) -> Result<Side, Failure> {
        let Some((federation, name)) = self.name(url) else { return Ok(Side::server(url.clone())) };
        let federation = match &self.destination_token_file {
            Some(file) => federation.with_token_source(FileSource::new(file)),
            None => federation,
        };
        self.side(block_on(federation.copy_destination(&name))?)
    }

    fn name(&self, url: &Url) -> Option<(Federation, FederationUrl)> {
        Some((self.federation.clone()?, FederationUrl::try_from(url).ok()?))
    }

    fn side(&self, place: Result<CopyPlace, TransferError>) -> Result<Side, Failure> {
        let place = place.map_err(|error| self.retry.failure(&error))?;
        Ok(Side { url: place.url, token: Some(place.tokens) })
    }
}
