//! `scitoken logout`.

mod namespaces;

use std::path::PathBuf;

use clap::Args;
use scitoken_storage::oauth::{OAuthClient, TokenTypeHint};
use scitoken_storage::{BearerTokenFile, TokenStorage, TokenStorageData};
use scitoken_transfer::federation::FederationHost;
use scitoken_types::AccessToken;
use serde_json::json;

use crate::args::{LoginClientArgs, OptionalStorageArgs};
use crate::commands::remote::object_name;
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
///
/// With the name of a federation's namespace, such as `osdf:///vo` or `pelican://HOST/vo/dir`, these are the tokens of logins for
/// this path and all below. The director names the issuer, and the client is the one of the login.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  scitoken logout --issuer https://iam.example.org/ --client-id ID --storage json:tokens.json
  scitoken logout osdf:///ospool/ap40/data/alice")]
pub(crate) struct Logout {
    /// Namespace or path of a federation (`pelican://HOST/vo`, `osdf:///vo`), or with `--storage` a resource server
    /// [default: all resource servers of the storage]
    #[arg(value_name = "NAME")]
    name: Vec<String>,
    /// Discovery host of `osdf://` and `stash://` names [default: osg-htc.org]
    #[arg(long, value_name = "HOST", requires = "name")]
    federation: Option<FederationHost>,
    #[command(flatten)]
    client: LoginClientArgs,
    /// Revoke the token in this file
    #[arg(long, value_name = "FILE", conflicts_with = "storage")]
    bearer_file: Option<PathBuf>,
    #[command(flatten)]
    storage: OptionalStorageArgs,
}

impl Logout {
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let mut objects = Vec::new();
        for name in &self.name {
            objects.extend(object_name(name)?);
        }
        match (objects.len(), self.name.len()) {
            (0, 0) => {}
            (0, _) if self.storage.storage.is_some() => {}
            (0, _) => {
                let name = sanitize::line(&self.name[0]);
                return Err(Failure::new(
                    Exit::Usage,
                    format!("`{name}` is neither a name of a federation nor an entry of a storage"),
                )
                .with_hint(
                    "write `pelican://HOST/path` or `osdf:///path`, or name the storage with `--storage`",
                ));
            }
            (named, all) if named == all => return self.remove_logins(context, &objects),
            _ => {
                return Err(Failure::new(Exit::Usage, "names of federations and resource servers are mixed")
                    .with_hint("use one command for each kind"));
            }
        }
        if let Some(storage) = &self.storage.storage {
            storage.require_file()?;
        }
        let client = self.client.required()?;
        match self.storage.open()? {
            Some(storage) => block_on(async {
                let client = oauth::connect(context, &client).await?;
                self.remove_from_storage(context, &*storage, &client).await
            })?,
            None => block_on(async {
                let (file, token) = self.token_file(context)?;
                let client = oauth::connect(context, &client).await?;
                remove_file(context, &client, &file, &token).await
            })?,
        }
    }

    /// Returns the file with the token, and the token.
    fn token_file(&self, context: &Context) -> Result<(BearerTokenFile, AccessToken), Failure> {
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
        Ok((file, token))
    }

    async fn remove_from_storage(
        &self,
        context: &Context,
        storage: &dyn TokenStorage,
        client: &OAuthClient,
    ) -> Result<Exit, Failure> {
        // A concurrent refresh would store a token that is not revoked.
        let _lock = lock(storage)?;
        let tokens = storage.get_token_data_by_resource_server().map_err(|error| failure(&error))?;
        let names: Vec<String> = if self.name.is_empty() {
            tokens.iter().map(|(name, _)| name.to_owned()).collect()
        } else {
            self.name.clone()
        };
        if names.is_empty() {
            return Err(Failure::new(Exit::NoToken, format!("{} is empty", storage.label())));
        }
        for name in names {
            let data = tokens.get(&name).ok_or_else(|| {
                let shown = sanitize::line(&name);
                Failure::new(Exit::NoToken, format!("{} has no entry `{shown}`", storage.label()))
            })?;
            remove_entry(context, client, storage, &name, data).await?;
        }
        Ok(Exit::Ok)
    }
}

async fn remove_file(
    context: &Context,
    client: &OAuthClient,
    file: &BearerTokenFile,
    token: &AccessToken,
) -> Result<Exit, Failure> {
    client
        .revoke(token.expose_secret(), TokenTypeHint::AccessToken)
        .await
        .map_err(|error| oauth::failure(&error))?;
    file.remove().map_err(|error| failure(&error))?;
    let path = file.path().display().to_string();
    context.output.result(&format!("removed {path}"), json!({ "bearer_file": path }))?;
    Ok(Exit::Ok)
}

async fn remove_entry(
    context: &Context,
    client: &OAuthClient,
    storage: &dyn TokenStorage,
    name: &str,
    data: &TokenStorageData,
) -> Result<(), Failure> {
    revoke(client, data).await?;
    storage.remove_token_data(name).map_err(|error| failure(&error))?;
    let shown = sanitize::line(name);
    context.output.result(&format!("logged out of `{shown}`"), json!({ "resource_server": name }))?;
    Ok(())
}

/// Revokes the access token first, as the Globus SDK does: some servers forget it together with the refresh token.
async fn revoke(client: &OAuthClient, data: &TokenStorageData) -> Result<(), Failure> {
    let access = Some((data.expose_access_token(), TokenTypeHint::AccessToken));
    let refresh = data.expose_refresh_token().map(|token| (token, TokenTypeHint::RefreshToken));
    for (token, kind) in access.into_iter().chain(refresh).filter(|(token, _)| !token.is_empty()) {
        client.revoke(token, kind).await.map_err(|error| {
            oauth::failure(&error)
                .with_hint("`scitoken store remove` removes the tokens without revoking them")
        })?;
    }
    Ok(())
}
