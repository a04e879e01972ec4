//! `scitoken login`: get a token with the help of a browser on any screen.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;

use clap::Args;
use reqwest_scitokens::oauth::{DeviceAuthorization, GrantRequest};
use reqwest_scitokens::storage::{BearerTokenFile, DEFAULT_NAMESPACE, TokenResponse};
use reqwest_scitokens::sys::Env;
use reqwest_scitokens::{Audience, Scope};

use super::issuer::{ClientArguments, refused, wait_for};
use super::store::{OptionalPlace, failed, in_toml, lock, print, visible};
use crate::exit::Exit;
use crate::failure::Failure;

/// Log in: get a token with the help of a browser, here or on another machine
///
/// It shows an address and a code, and waits until you have entered the code there. The token goes into a storage
/// (`--json`, `--sqlite`, `--keyring`), where it can be renewed: the lines of `scitoken.toml` with which other commands
/// use it are shown at the end. Where no storage is named, it goes into the file where every program looks for one
/// (`$BEARER_TOKEN_FILE`, else `$XDG_RUNTIME_DIR/bt_u<uid>`, else `/tmp/bt_u<uid>`).
#[derive(Debug, Args)]
pub(crate) struct Login {
    #[command(flatten)]
    client: ClientArguments,
    /// Ask for this scope; can be given several times. `offline_access` asks many servers for a refresh token
    #[arg(long, value_name = "SCOPE")]
    scope: Vec<Scope>,
    /// Ask for a token for this audience; can be given several times
    #[arg(long, value_name = "AUDIENCE")]
    audience: Vec<String>,
    /// Store the token under this name, instead of the one that the server gives, the audience, or the issuer
    #[arg(long, value_name = "NAME")]
    resource_server: Option<String>,
    /// Write the token to this file, without its refresh token
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "sqlite", "keyring"])]
    bearer_file: Option<PathBuf>,
    #[command(flatten)]
    place: OptionalPlace,
}

impl Login {
    pub(crate) fn run(&self) -> Result<Exit, Failure> {
        if !io::stderr().is_terminal() {
            return Err(Failure::new(Exit::Usage, "`login` needs a terminal to show where to log in")
                .with_hint("log in by hand first, and let jobs use the token that is stored then"));
        }
        wait_for(self.log_in())
    }

    async fn log_in(&self) -> Result<Exit, Failure> {
        // Before the user goes to all the trouble: can it be kept at all?
        let target = self.target()?;
        let client = self.client.connect().await?;
        let mut wanted = GrantRequest::new();
        for scope in &self.scope {
            wanted = wanted.with_scope(scope.clone());
        }
        for audience in &self.audience {
            wanted = wanted.with_audience(Audience::from(audience.as_str()));
        }
        let authorization = client.authorize_device(&wanted).await.map_err(|error| refused(&error))?;
        show(&authorization);
        let tokens = client.wait_for_user(authorization).await.map_err(|error| refused(&error))?;
        self.keep(&target, &tokens.for_resource_server(self.name()))
    }

    /// The name of a token that the server names no resource server for.
    fn name(&self) -> String {
        self.resource_server
            .clone()
            .or_else(|| self.audience.first().cloned())
            .unwrap_or_else(|| self.client.issuer().to_owned())
    }

    fn target(&self) -> Result<Target, Failure> {
        if let Some(storage) = self.place.open()? {
            storage.get_token_data_by_resource_server().map_err(|error| failed(&error))?;
            return Ok(Target::Storage(storage));
        }
        let file = match &self.bearer_file {
            Some(path) => Some(BearerTokenFile::new(path)),
            None => BearerTokenFile::discovered(&Env::process()),
        };
        file.map(Target::File).ok_or_else(|| {
            Failure::new(Exit::Usage, "this system has no place where tokens are looked for").with_hint(
                format!(
                    "name one with `--bearer-file FILE` or `--json FILE` (namespace {DEFAULT_NAMESPACE})"
                ),
            )
        })
    }

    fn keep(&self, target: &Target, tokens: &TokenResponse) -> Result<Exit, Failure> {
        let unusable = |error: &dyn std::error::Error| Failure::new(Exit::Server, error.to_string());
        let data = tokens.token_data().map_err(|error| unusable(&error))?;
        match target {
            Target::Storage(storage) => {
                // With `--resource-server` the user's name counts more than the server's.
                let named = match (&self.resource_server, data.len()) {
                    (Some(name), 1) => data.into_iter().map(|(_, entry)| (name.clone(), entry)).collect(),
                    _ => data,
                };
                let _lock = lock(&**storage)?;
                storage.store_token_data_by_resource_server(&named).map_err(|error| failed(&error))?;
                for (name, _) in named.iter() {
                    print(&format!("stored `{}` in {}\n", visible(name), storage.place()))?;
                }
                for (name, _) in named.iter() {
                    self.tell_settings(name);
                }
            }
            Target::File(file) => {
                let (_, entry) = data.iter().next().expect("an answer has a token");
                let token = entry.access_token().map_err(|error| unusable(&error))?;
                file.write(&token).map_err(|error| failed(&error))?;
                print(&format!("wrote the token to {}\n", file.path().display()))?;
            }
        }
        Ok(Exit::Ok)
    }
}

impl Login {
    /// Shows the lines of `scitoken.toml` with which the transfer commands use what was stored.
    fn tell_settings(&self, name: &str) {
        let Some(storage) = self.place.as_settings() else { return };
        let host = self.audience.first().and_then(|audience| pattern(audience));
        let host = host.as_deref().unwrap_or("HOST");
        let lines = format!(
            "[host.{}]\n{storage}\nresource-server = {}\nissuer = {}\nclient-id = {}",
            in_toml(host),
            in_toml(name),
            in_toml(self.client.issuer()),
            in_toml(self.client.id()),
        );
        let secret = self.client.secret_file().map_or_else(String::new, |file| {
            let file = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
            format!("\nclient-secret-file = {}", in_toml(&file.to_string_lossy()))
        });
        crate::print::note(&format!(
            "\nWith these lines in `scitoken.toml` the transfer commands use it:\n\n{lines}{secret}\n"
        ));
    }
}

/// The pattern of the server that an audience names; more often than not it is the server's address.
fn pattern(audience: &str) -> Option<String> {
    let url: url::Url = audience.parse().ok()?;
    match (url.scheme(), url.port()) {
        ("https", None) => url.host_str().map(str::to_owned),
        ("https" | "http", _) => Some(url.origin().ascii_serialization()),
        _ => None,
    }
}

/// Where the token goes.
enum Target {
    Storage(Box<dyn reqwest_scitokens::storage::TokenStorage>),
    File(BearerTokenFile),
}

/// Tells the person at the terminal what to do.
fn show(authorization: &DeviceAuthorization) {
    crate::print::note(&format!("To log in, open\n\n    {}\n", authorization.verification_uri()));
    crate::print::note(&format!("and enter the code\n\n    {}\n", authorization.user_code()));
    if let Some(complete) = authorization.verification_uri_complete() {
        crate::print::note(&format!("or open {complete}"));
    }
    crate::print::note(&format!(
        "Waiting for {} minutes …",
        authorization.time_left().as_secs().div_ceil(60)
    ));
}
