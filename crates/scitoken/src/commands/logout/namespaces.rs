//! A logout by the names of a federation.

use std::collections::HashMap;

use scitoken_storage::login::RegisteredClients;
use scitoken_storage::oauth::OAuthClient;
use scitoken_storage::{IssuerEntry, TokenDataMap};
use scitoken_transfer::federation::{Federation, FederationUrl, NamespaceFacts};
use scitoken_types::sys::{Clock as _, SystemClock};
use scitoken_types::{SafeUrl, same_issuer};
use url::Url;

use super::entries::EntryRemoval;
use super::{Logout, remove_file};
use crate::args::{FederationArgs, RetryArgs};
use crate::authorities;
use crate::commands::remote::{resolver, wait};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::hints;
use crate::oauth;
use crate::runtime::block_on;
use crate::storage::{StorageAddress, StoragePlace, failure};

/// An issuer of a namespace, and the path that a login at it is for.
struct LoginPlace {
    issuer: Url,
    path: String,
}

impl Logout {
    /// Removes the tokens of logins for these names.
    pub(super) fn remove_logins(&self, context: &Context, names: &[FederationUrl]) -> Result<Exit, Failure> {
        let storage = context.federation_storage(self.storage.storage.as_ref())?;
        let flags = FederationArgs { federation: self.federation.clone(), ..FederationArgs::default() };
        let federation = resolver(context, &flags, &self.client.connection.authorities)?;
        let mut exit = Exit::Ok;
        for name in names {
            let places = self.places(&find_namespace(&federation, name)?, name)?;
            let removed = if self.bearer_file.is_some() {
                block_on(self.remove_token_file(context, &storage, &places))??
            } else {
                block_on(self.remove_login(context, &storage, &places, name))??
            };
            exit = exit.more_severe(removed);
        }
        Ok(exit)
    }

    /// Returns the issuers of a namespace, or the one of the flag.
    fn places(&self, namespace: &NamespaceFacts, name: &FederationUrl) -> Result<Vec<LoginPlace>, Failure> {
        let wanted = |issuer: &Url| {
            let flag = self.client.issuer.as_ref();
            flag.is_none_or(|flag| same_issuer(flag.as_str(), issuer.as_str()))
        };
        let issuers = namespace.issuers().iter().filter(|issuer| wanted(issuer.url()));
        let places: Vec<_> = issuers
            .filter_map(|issuer| {
                let path = namespace.login_path(name.path(), issuer)?;
                Some(LoginPlace { issuer: issuer.url().clone(), path })
            })
            .collect();
        if places.is_empty() {
            let issuer = self.client.issuer.as_ref().map(|issuer| format!(" `{}`", SafeUrl::new(issuer)));
            let issuer = issuer.unwrap_or_default();
            return Err(Failure::new(Exit::NoToken, format!("no issuer{issuer} gives tokens for `{name}`")));
        }
        Ok(places)
    }

    async fn remove_login(
        &self,
        context: &Context,
        address: &StorageAddress,
        places: &[LoginPlace],
        name: &FederationUrl,
    ) -> Result<Exit, Failure> {
        let none = || {
            Failure::new(Exit::NoToken, format!("not logged in for `{name}`: {address} has no token for it"))
                .with_hint(format!("`scitoken store list --storage {address}` lists the tokens"))
        };
        if address.file().is_some_and(|file| !file.exists()) {
            return Err(Failure::new(Exit::NoToken, format!("not logged in: {address} does not exist")));
        }
        let storage = address.open(&self.storage.namespace)?;
        let mut clients = HashMap::new();
        let place = StoragePlace { address: address.clone(), namespace: &self.storage.namespace };
        let mut removal = EntryRemoval::new(context, &*storage, place)?;
        let entries = entries(removal.tokens(), places);
        if entries.is_empty() {
            return Err(none());
        }
        for (entry, name) in entries {
            let client = if let Some(client) = clients.get(&name) {
                client
            } else {
                match self.client(context, address, &entry).await {
                    Ok(client) => clients.entry(name.clone()).or_insert(client),
                    Err(failure) => {
                        removal.add_failure(failure);
                        continue;
                    }
                }
            };
            removal.remove(client, &name).await?;
        }
        removal.finish()
    }

    /// Revokes the token in a file, at the issuer that it names, else at the first of the namespace.
    async fn remove_token_file(
        &self,
        context: &Context,
        address: &StorageAddress,
        places: &[LoginPlace],
    ) -> Result<Exit, Failure> {
        let (file, token) = self.token_file(context)?;
        let claimed = token.claims().and_then(|claims| claims.issuer());
        let place = match claimed {
            Some(claimed) => places.iter().find(|place| same_issuer(place.issuer.as_str(), claimed)),
            None => places.first(),
        };
        let Some(place) = place else {
            let path = file.path().display();
            return Err(Failure::new(Exit::Usage, format!("the token in `{path}` is of another issuer")));
        };
        let entry = IssuerEntry::new(place.issuer.clone(), place.path.as_str());
        let client = self.client(context, address, &entry).await?;
        remove_file(context, &client, &file, &token).await
    }

    /// Returns the client of the command line, or the one that obtained the tokens of an entry.
    async fn client(
        &self,
        context: &Context,
        address: &StorageAddress,
        entry: &IssuerEntry,
    ) -> Result<OAuthClient, Failure> {
        let issuer = entry.issuer();
        let session = authorities::session(context, &self.client.connection.authorities)?;
        if let Some(id) = &self.client.client_id {
            let secret = self.client.connection.client_secret_file.as_deref();
            return oauth::discover(session, issuer, id, secret).await;
        }
        let storage = address.open(RegisteredClients::NAMESPACE)?;
        let known = RegisteredClients::new(&*storage).of_entry(&entry.to_string(), SystemClock.now());
        let Some(known) = known.map_err(|error| failure(&error))? else {
            let issuer = SafeUrl::new(issuer);
            let message = format!("{address} has no client of `{issuer}` whose secret is valid");
            return Err(Failure::new(Exit::NoToken, message).with_hint(format!(
                "pass `--client-id ID` and `--client-secret-file FILE`, or remove the tokens without revoking them: \
                 `scitoken store remove NAME --storage {}`",
                hints::shell_word(&address.to_string())
            )));
        };
        let (http, metadata) = oauth::metadata(session, issuer).await?;
        Ok(known.client(http, metadata))
    }
}

/// Returns the facts of a namespace; one that has no object to read is asked for as one to write to.
fn find_namespace(federation: &Federation, name: &FederationUrl) -> Result<NamespaceFacts, Failure> {
    let retry = RetryArgs::default();
    let found = wait(&retry, federation.resolve(name))
        .or_else(|failure| wait(&retry, federation.resolve_for_writing(name)).map_err(|_| failure));
    found.map(|object| object.namespace().clone())
}

/// Returns the entries of logins for these paths and all below.
fn entries(tokens: &TokenDataMap, places: &[LoginPlace]) -> Vec<(IssuerEntry, String)> {
    let is_meant = |entry: &IssuerEntry| {
        places.iter().any(|place| {
            same_issuer(place.issuer.as_str(), entry.issuer().as_str()) && entry.is_at_or_below(&place.path)
        })
    };
    let named =
        tokens.iter().filter_map(|(name, _)| Some((name.parse::<IssuerEntry>().ok()?, name.to_owned())));
    named.filter(|(entry, _)| is_meant(entry)).collect()
}
