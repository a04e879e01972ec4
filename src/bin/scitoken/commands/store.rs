//! `scitoken store`: look into token storages and change them.

mod import;
mod place;

use std::io::{self, Read as _, Write as _};
use std::time::SystemTime;

use clap::{Args, Subcommand};
use reqwest_scitokens::storage::{TokenDataMap, TokenStorage, TokenStorageData};
use reqwest_scitokens::sys::SharedClock;

use self::place::Place;
pub(crate) use self::place::{OptionalPlace, failed, in_toml, lock, open_storage};
use crate::exit::Exit;
use crate::failure::Failure;

/// Look into token storages, and change them
///
/// The storages are those of the Globus SDK for Python, which reads and writes the same files.
#[derive(Debug, Args)]
pub(crate) struct Store {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(List),
    Get(Get),
    Put(Put),
    Remove(Remove),
    Import(import::Import),
    Migrate(import::Migrate),
}

/// List the entries: resource server, when the token ends, refresh token, identity, scopes
///
/// Entries that cannot be understood are told on standard error, and make the exit code 3.
#[derive(Debug, Args)]
struct List {
    #[command(flatten)]
    place: Place,
}

/// Print an entry as a JSON object
#[derive(Debug, Args)]
struct Get {
    /// The resource server whose entry to print
    resource_server: String,
    #[command(flatten)]
    place: Place,
    /// Print the access token and the refresh token too
    #[arg(long)]
    show_secret: bool,
}

/// Store an entry that is read from standard input as a JSON object
///
/// The object has `resource_server`, `scope`, `access_token` and `expires_at_seconds` (whole seconds since 1970), and
/// may have `identity_id`, `refresh_token` and `token_type`.
#[derive(Debug, Args)]
struct Put {
    #[command(flatten)]
    place: Place,
}

/// Remove an entry, readable or not
#[derive(Debug, Args)]
struct Remove {
    /// The resource server whose entry to remove
    resource_server: String,
    #[command(flatten)]
    place: Place,
}

impl Store {
    pub(crate) fn run(&self) -> Result<Exit, Failure> {
        match &self.command {
            Command::List(list) => list.run(),
            Command::Get(get) => get.run(),
            Command::Put(put) => put.run(),
            Command::Remove(remove) => remove.run(),
            Command::Import(import) => import.run(),
            Command::Migrate(migrate) => migrate.run(),
        }
    }
}

impl List {
    fn run(&self) -> Result<Exit, Failure> {
        let storage = self.place.open()?;
        let tokens = storage.get_token_data_by_resource_server().map_err(|error| failed(&error))?;
        let now = SharedClock::default().now();
        let mut lines = String::new();
        for (resource_server, data) in tokens.iter() {
            let cells = [
                visible(resource_server),
                end(data, now),
                if data.has_refresh_token() { "refresh token" } else { "-" }.to_owned(),
                data.identity_id().map_or_else(|| "-".to_owned(), visible),
                visible(data.scope()),
            ];
            lines.push_str(&cells.join("\t"));
            lines.push('\n');
        }
        print(&lines)?;
        Ok(warn_of_unreadable(&tokens))
    }
}

impl Get {
    fn run(&self) -> Result<Exit, Failure> {
        let storage = self.place.open()?;
        let found = storage.get_token_data(&self.resource_server).map_err(|error| failed(&error))?;
        let data = found.ok_or_else(|| absent(&*storage, &self.resource_server))?;
        let json = data.expose_json();
        if self.show_secret {
            print(&format!("{}\n", json.as_str()))?;
        } else {
            let mut object: serde_json::Map<String, serde_json::Value> =
                serde_json::from_str(&json).expect("an entry is a JSON object");
            // Left out and not masked: a mask that is piped into `put` would pass for a token.
            object.retain(|name, _| name != "access_token" && name != "refresh_token");
            print(&format!("{}\n", serde_json::Value::Object(object)))?;
        }
        Ok(Exit::Ok)
    }
}

impl Put {
    fn run(&self) -> Result<Exit, Failure> {
        const LONGEST: u64 = 1024 * 1024;
        let mut text = String::new();
        io::stdin()
            .lock()
            .take(LONGEST)
            .read_to_string(&mut text)
            .map_err(|error| Failure::from_error(Exit::Local, &error))?;
        let data = TokenStorageData::from_json(&text).map_err(|error| {
            Failure::new(Exit::Usage, format!("standard input holds no token data: {error}"))
                .with_hint("`scitoken store get --show-secret` prints such an object")
        })?;
        let storage = self.place.open()?;
        let _lock = lock(&*storage)?;
        storage.store_token_data(data).map_err(|error| failed(&error))?;
        Ok(Exit::Ok)
    }
}

impl Remove {
    fn run(&self) -> Result<Exit, Failure> {
        let storage = self.place.open()?;
        // A lock would make the directory of a storage that is not there.
        let tokens = storage.get_token_data_by_resource_server();
        if tokens.is_ok_and(|tokens| tokens.is_empty() && tokens.unreadable().is_empty()) {
            return Err(absent(&*storage, &self.resource_server));
        }
        let _lock = lock(&*storage)?;
        if storage.remove_token_data(&self.resource_server).map_err(|error| failed(&error))? {
            Ok(Exit::Ok)
        } else {
            Err(absent(&*storage, &self.resource_server))
        }
    }
}

/// There is no such entry: which ones there are is the best hint.
fn absent(storage: &dyn TokenStorage, resource_server: &str) -> Failure {
    let message = format!("{} has no entry `{}`", storage.place(), visible(resource_server));
    let failure = Failure::new(Exit::NoToken, message);
    match storage.get_token_data_by_resource_server() {
        Ok(tokens) if !tokens.is_empty() => {
            let names: Vec<_> = tokens.iter().map(|(name, _)| format!("`{}`", visible(name))).collect();
            failure.with_hint(format!(
                "the namespace `{}` has {}",
                visible(storage.namespace()),
                names.join(", ")
            ))
        }
        _ => failure.with_hint(format!("the namespace `{}` is empty", visible(storage.namespace()))),
    }
}

/// Tells of entries that cannot be used; gives the exit code that goes with it.
fn warn_of_unreadable(tokens: &TokenDataMap) -> Exit {
    for entry in tokens.unreadable() {
        crate::print::note(&format!("scitoken: {entry}: {}", entry.problem()));
    }
    if tokens.unreadable().is_empty() { Exit::Ok } else { Exit::Local }
}

fn end(data: &TokenStorageData, now: SystemTime) -> String {
    let end = data.expires_at();
    let when = jiff::Timestamp::try_from(end).map_or_else(
        |_| data.expires_at_seconds().to_string(),
        |end| end.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    );
    if end <= now { format!("{when} (ended)") } else { when }
}

/// A foreign text in one line of a terminal.
pub(crate) fn visible(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // `| head` has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| Failure::from_error(Exit::Local, &error)),
    }
}
