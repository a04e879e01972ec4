//! `scitoken logout`.

mod entries;
mod namespaces;

use std::path::PathBuf;

use clap::Args;
use scitoken_storage::BearerTokenFile;
use scitoken_storage::oauth::OAuthClient;
use scitoken_transfer::federation::FederationHost;
use scitoken_types::AccessToken;
use serde_json::json;

use crate::args::{LoginClientArgs, OptionalStorageArgs};
use crate::commands::remote::object_name;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::hints;
use crate::oauth;
use crate::runtime::block_on;
use crate::sanitize;
use crate::storage::{StoragePlace, failure};

use self::entries::EntryRemoval;

/// Revoke tokens at the issuer and remove them
///
/// Without `--storage`, this is the token in the file where programs look for tokens. An entry whose refresh token cannot be
/// revoked stays; `scitoken store remove` removes it without revoking. An issuer need not revoke access tokens: one that does
/// not is told, and the token is valid until it expires.
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
        match &self.storage.storage {
            Some(address) => block_on(async {
                let place = StoragePlace { address: address.clone(), namespace: &self.storage.namespace };
                let opened = address.open(place.namespace)?;
                let client = oauth::connect(context, &client).await?;
                EntryRemoval::new(context, &*opened, place)?.remove_named(&client, &self.name).await
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
}

async fn remove_file(
    context: &Context,
    client: &OAuthClient,
    file: &BearerTokenFile,
    token: &AccessToken,
) -> Result<Exit, Failure> {
    let path = file.path().display().to_string();
    let revoked = client
        .revoke_access_token(token)
        .await
        .map_err(|error| oauth::failure(&error).with_further_hint(&hints::remove_token_file(file.path())))?;
    if let Some(error) = revoked.unrevoked_access_token() {
        entries::warn_of_unrevoked(&format!("in {path}"), error);
    }
    file.remove().map_err(|error| failure(&error))?;
    context.output.result(&format!("removed {path}"), json!({ "bearer_file": path }))?;
    Ok(Exit::Ok)
}
