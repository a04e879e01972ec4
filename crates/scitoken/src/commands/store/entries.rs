//! `scitoken store list`, `get`, `put` and `remove`.

use std::io::Read as _;
use std::time::SystemTime;

use clap::Args;
use scitoken_storage::{TokenStorage, TokenStorageData};
use scitoken_types::sys::SharedClock;
use serde_json::{Map, Value, json};

use crate::args::StorageArgs;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::sanitize;
use crate::storage::{entry_names, failure, lock, no_entry, warn_of_unreadable};

/// List the entries: resource server, expiry, refresh token, identity, scopes
///
/// Entries that cannot be read are reported on standard error; the exit code is then 3.
#[derive(Debug, Args)]
pub(super) struct ListEntries {
    #[command(flatten)]
    storage: StorageArgs,
}

/// Print an entry as a JSON object
#[derive(Debug, Args)]
pub(super) struct GetEntry {
    /// Resource server of the entry
    resource_server: String,
    #[command(flatten)]
    storage: StorageArgs,
    /// Also print the access token and the refresh token
    #[arg(long)]
    show_secret: bool,
}

/// Store an entry, read from standard input as a JSON object
///
/// The object has `resource_server`, `scope`, `access_token` and `expires_at_seconds` (whole seconds since 1970), and
/// optionally `identity_id`, `refresh_token` and `token_type`.
#[derive(Debug, Args)]
pub(super) struct PutEntry {
    #[command(flatten)]
    storage: StorageArgs,
}

/// Remove an entry, readable or not
#[derive(Debug, Args)]
pub(super) struct RemoveEntry {
    /// Resource server of the entry
    resource_server: String,
    #[command(flatten)]
    storage: StorageArgs,
}

impl ListEntries {
    pub(super) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let storage = self.storage.open_existing()?;
        let tokens = storage.get_token_data_by_resource_server().map_err(|error| failure(&error))?;
        let now = SharedClock::default().now();
        for (resource_server, data) in tokens.iter() {
            let cells = [
                sanitize::line(resource_server),
                expiry(data, now),
                if data.has_refresh_token() { "refresh token" } else { "-" }.to_owned(),
                data.identity_id().map_or_else(|| "-".to_owned(), sanitize::line),
                sanitize::line(data.scope()),
            ];
            context.output.result(
                &cells.join("\t"),
                json!({
                    "resource_server": resource_server, "expires_at_seconds": data.expires_at_seconds(),
                    "has_refresh_token": data.has_refresh_token(), "identity_id": data.identity_id(),
                    "scope": data.scope(),
                }),
            )?;
        }
        if tokens.is_empty() && tokens.unreadable().is_empty() {
            let namespace = sanitize::line(storage.namespace());
            context.output.status(&format!("the namespace `{namespace}` of {} is empty", storage.label()));
        }
        Ok(warn_of_unreadable(&tokens))
    }
}

impl GetEntry {
    pub(super) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let storage = self.storage.open_existing()?;
        let found = storage.get_token_data(&self.resource_server).map_err(|error| failure(&error))?;
        let data = found.ok_or_else(|| no_such_entry(&*storage, &self.resource_server))?;
        let json = data.expose_json();
        let mut entry: Map<String, Value> = serde_json::from_str(&json).expect("an entry is a JSON object");
        if !self.show_secret {
            // Left out and not masked: a mask that is piped into `put` would be stored as a token.
            entry.retain(|name, _| name != "access_token" && name != "refresh_token");
        }
        let text = if self.show_secret { json.to_string() } else { Value::Object(entry.clone()).to_string() };
        context.output.data(&text, json!({ "entry": entry }))?;
        Ok(Exit::Ok)
    }
}

impl PutEntry {
    pub(super) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        const MAX_LENGTH: u64 = 1024 * 1024;
        let mut input = Vec::new();
        files::standard_input()?.take(MAX_LENGTH + 1).read_to_end(&mut input)?;
        let refused = |problem: &str| {
            Failure::new(Exit::Usage, format!("standard input is not a token entry: {problem}"))
                .with_hint("`scitoken store get --show-secret` prints such an object")
        };
        if input.len() as u64 > MAX_LENGTH {
            return Err(refused(&format!("it has more than {MAX_LENGTH} bytes")));
        }
        let data = TokenStorageData::read_json(&input).map_err(|error| refused(&error.to_string()))?;
        let storage = self.storage.open()?;
        let _lock = lock(&*storage)?;
        storage.store_token_data(data).map_err(|error| failure(&error))?;
        context.output.object(true, json!({}))?;
        Ok(Exit::Ok)
    }
}

impl RemoveEntry {
    pub(super) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let storage = self.storage.open_existing()?;
        // Also without such an entry: as in the SDK, a removal writes the file in the current format.
        let _lock = lock(&*storage)?;
        if !storage.remove_token_data(&self.resource_server).map_err(|error| failure(&error))? {
            return Err(no_such_entry(&*storage, &self.resource_server));
        }
        context.output.object(true, json!({}))?;
        Ok(Exit::Ok)
    }
}

/// Returns the failure of a missing entry, with the entries that exist as a hint.
fn no_such_entry(storage: &dyn TokenStorage, resource_server: &str) -> Failure {
    let failure = Failure::new(Exit::NoToken, no_entry(storage, resource_server));
    let namespace = sanitize::line(storage.namespace());
    match entry_names(storage) {
        Some(names) => failure.with_hint(format!("the namespace `{namespace}` has {names}")),
        None => failure.with_hint(format!("the namespace `{namespace}` is empty")),
    }
}

fn expiry(data: &TokenStorageData, now: SystemTime) -> String {
    let end = data.expires_at();
    let when = jiff::Timestamp::try_from(end).map_or_else(
        |_| data.expires_at_seconds().to_string(),
        |end| end.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    );
    if end <= now { format!("{when} (expired)") } else { when }
}
