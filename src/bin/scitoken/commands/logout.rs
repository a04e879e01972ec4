//! `scitoken logout`: make tokens void and forget them.

use clap::Args;
use reqwest_scitokens::oauth::{OAuthClient, TokenKind};
use reqwest_scitokens::storage::{BearerTokenFile, TokenStorage, TokenStorageData};
use reqwest_scitokens::sys::Env;

use super::issuer::{ClientArguments, refused, wait_for};
use super::store::{OptionalPlace, failed, lock, print, visible};
use crate::exit::Exit;
use crate::failure::Failure;

/// Log out: tell the issuer that the tokens are void, and remove them
///
/// Where no storage is named, it is the token in the file where WLCG Bearer Token Discovery finds it. An entry whose
/// tokens cannot be made void stays where it is; `scitoken store remove` forgets it all the same.
#[derive(Debug, Args)]
pub(crate) struct Logout {
    #[command(flatten)]
    client: ClientArguments,
    /// The resource servers whose tokens to make void; all of the namespace if none is named
    #[arg(value_name = "RESOURCE_SERVER")]
    resource_servers: Vec<String>,
    /// The token is in this file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "sqlite", "keyring"])]
    bearer_file: Option<std::path::PathBuf>,
    #[command(flatten)]
    place: OptionalPlace,
}

impl Logout {
    pub(crate) fn run(&self) -> Result<Exit, Failure> {
        match self.place.open()? {
            Some(storage) => wait_for(self.out_of_storage(&*storage)),
            None => wait_for(self.out_of_file()),
        }
    }

    async fn out_of_file(&self) -> Result<Exit, Failure> {
        let file = match &self.bearer_file {
            Some(path) => Some(BearerTokenFile::new(path)),
            None => BearerTokenFile::discovered(&Env::process()),
        };
        let token = match &file {
            Some(file) => file.read().map_err(|error| failed(&error))?,
            None => None,
        };
        let (Some(file), Some(token)) = (file, token) else {
            return Err(Failure::new(Exit::NoToken, "there is no token file, and so nobody is logged in"));
        };
        let client = self.client.connect().await?;
        client.revoke(token.expose_secret(), TokenKind::Access).await.map_err(|error| refused(&error))?;
        file.remove().map_err(|error| failed(&error))?;
        print(&format!("removed {}\n", file.path().display()))?;
        Ok(Exit::Ok)
    }

    async fn out_of_storage(&self, storage: &dyn TokenStorage) -> Result<Exit, Failure> {
        let client = self.client.connect().await?;
        // A renewal that is under way would bring a token that nobody makes void.
        let _lock = lock(storage)?;
        let tokens = storage.get_token_data_by_resource_server().map_err(|error| failed(&error))?;
        let names: Vec<String> = if self.resource_servers.is_empty() {
            tokens.iter().map(|(name, _)| name.to_owned()).collect()
        } else {
            self.resource_servers.clone()
        };
        if names.is_empty() {
            return Err(Failure::new(Exit::NoToken, format!("{} is empty", storage.place())));
        }
        for name in names {
            let data = tokens.get(&name).ok_or_else(|| {
                Failure::new(Exit::NoToken, format!("{} has no entry `{}`", storage.place(), visible(&name)))
            })?;
            revoke(&client, data).await?;
            storage.remove_token_data(&name).map_err(|error| failed(&error))?;
            print(&format!("logged out of `{}`\n", visible(&name)))?;
        }
        Ok(Exit::Ok)
    }
}

/// The access token first, as the Globus SDK does: servers forget it together with the refresh token.
async fn revoke(client: &OAuthClient, data: &TokenStorageData) -> Result<(), Failure> {
    let access = Some((data.expose_access_token(), TokenKind::Access));
    let refresh = data.expose_refresh_token().map(|token| (token, TokenKind::Refresh));
    for (token, kind) in access.into_iter().chain(refresh) {
        client.revoke(token, kind).await.map_err(|error| {
            refused(&error).with_hint("`scitoken store remove` forgets the tokens without making them void")
        })?;
    }
    Ok(())
}
