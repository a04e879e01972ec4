//! `scitoken logout`.

use std::path::PathBuf;

use clap::Args;
use scitoken_storage::oauth::{OAuthClient, TokenTypeHint};
use scitoken_storage::{BearerTokenFile, TokenStorage, TokenStorageData};
use serde_json::json;

use crate::args::{OAuthClientArgs, OptionalStorageArgs};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::oauth;
use crate::runtime::block_on;
use crate::sanitize;
use crate::storage::{failure, lock};

/// Revoke tokens at the issuer and remove them
///
/// Without `--storage`, this is the token in the file where programs look for tokens. An entry whose tokens cannot be
/// revoked stays; `scitoken store remove` removes it without revoking.
#[derive(Debug, Args)]
pub(crate) struct Logout {
    #[command(flatten)]
    client: OAuthClientArgs,
    /// Resource servers whose tokens to revoke [default: all in the namespace]
    #[arg(value_name = "RESOURCE_SERVER", requires = "storage")]
    resource_servers: Vec<String>,
    /// Revoke the token in this file
    #[arg(long, value_name = "FILE", conflicts_with = "storage")]
    bearer_file: Option<PathBuf>,
    #[command(flatten)]
    storage: OptionalStorageArgs,
}

impl Logout {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        if let Some(storage) = &self.storage.storage {
            storage.require_file()?;
        }
        match self.storage.open()? {
            Some(storage) => block_on(self.remove_from_storage(context, &*storage))?,
            None => block_on(self.remove_file(context))?,
        }
    }

    async fn remove_file(&self, context: &Context) -> Result<Exit, Failure> {
        let file = match &self.bearer_file {
            Some(path) => {
                files::require(path)?;
                Some(BearerTokenFile::new(path))
            }
            None => BearerTokenFile::discovered(&context.env),
        };
        let token = match &file {
            Some(file) => file.read().map_err(|error| failure(&error))?,
            None => None,
        };
        let (Some(file), Some(token)) = (file, token) else {
            return Err(Failure::new(Exit::NoToken, "not logged in: no token file exists"));
        };
        let client = oauth::connect(context, &self.client).await?;
        client
            .revoke(token.expose_secret(), TokenTypeHint::AccessToken)
            .await
            .map_err(|error| oauth::failure(&error))?;
        file.remove().map_err(|error| failure(&error))?;
        let path = file.path().display().to_string();
        context.output.result(&format!("removed {path}"), json!({ "bearer_file": path }))?;
        Ok(Exit::Ok)
    }

    async fn remove_from_storage(
        &self,
        context: &Context,
        storage: &dyn TokenStorage,
    ) -> Result<Exit, Failure> {
        let client = oauth::connect(context, &self.client).await?;
        // A concurrent refresh would store a token that is not revoked.
        let _lock = lock(storage)?;
        let tokens = storage.get_token_data_by_resource_server().map_err(|error| failure(&error))?;
        let names: Vec<String> = if self.resource_servers.is_empty() {
            tokens.iter().map(|(name, _)| name.to_owned()).collect()
        } else {
            self.resource_servers.clone()
        };
        if names.is_empty() {
            return Err(Failure::new(Exit::NoToken, format!("{} is empty", storage.label())));
        }
        for name in names {
            let shown = sanitize::line(&name);
            let data = tokens.get(&name).ok_or_else(|| {
                Failure::new(Exit::NoToken, format!("{} has no entry `{shown}`", storage.label()))
            })?;
            revoke(&client, data).await?;
            storage.remove_token_data(&name).map_err(|error| failure(&error))?;
            context.output.result(&format!("logged out of `{shown}`"), json!({ "resource_server": name }))?;
        }
        Ok(Exit::Ok)
    }
}

/// Revokes the access token first, as the Globus SDK does: some servers forget it together with the refresh token.
async fn revoke(client: &OAuthClient, data: &TokenStorageData) -> Result<(), Failure> {
    let access = Some((data.expose_access_token(), TokenTypeHint::AccessToken));
    let refresh = data.expose_refresh_token().map(|token| (token, TokenTypeHint::RefreshToken));
    for (token, kind) in access.into_iter().chain(refresh) {
        client.revoke(token, kind).await.map_err(|error| {
            oauth::failure(&error)
                .with_hint("`scitoken store remove` removes the tokens without revoking them")
        })?;
    }
    Ok(())
}
