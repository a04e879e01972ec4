//! `scitoken keys`: keys of issuers, made, published and kept.

mod cache;
mod generate;
mod jwks;

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use reqwest_scitokens::Session;
use reqwest_scitokens::keys::{Algorithm, KeyKind};
use reqwest_scitokens::scitokens::KeyCache;
use reqwest_scitokens::sys::Env;

use crate::exit::Exit;
use crate::failure::Failure;

/// Make and publish keys, and look after the key cache
#[derive(Debug, Args)]
pub(crate) struct Keys {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Generate(generate::Generate),
    Jwks(jwks::Jwks),
    Cache(cache::Cache),
}

impl Keys {
    pub(crate) fn run(&self) -> Result<Exit, Failure> {
        match &self.command {
            Command::Generate(generate) => generate.run(),
            Command::Jwks(jwks) => jwks.run(),
            Command::Cache(cache) => cache.run(),
        }
    }
}

/// Reads the name of an algorithm, in whatever case it was typed.
pub(crate) fn algorithm(name: &str) -> Result<Algorithm, String> {
    let found = Algorithm::ALL.iter().copied().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name));
    // HMAC is for who shares a secret with the issuer, and nobody does.
    let mut asymmetric = Algorithm::ALL.iter().filter(|algorithm| algorithm.key_kind() != KeyKind::Secret);
    found.filter(|found| asymmetric.clone().any(|known| known == found)).ok_or_else(|| {
        let names: Vec<&str> = asymmetric.by_ref().map(|algorithm| algorithm.name()).collect();
        format!("no algorithm that tokens are signed with: choose one of {}", names.join(", "))
    })
}

/// How keys are fetched, and where they are kept.
#[derive(Debug, Args)]
pub(crate) struct Network {
    /// The key cache; without it, scitokens/keys.sqlite3 in `$XDG_CACHE_HOME` or ~/.cache
    #[arg(long, value_name = "FILE", env = "SCITOKEN_KEY_CACHE", global = true)]
    cache: Option<PathBuf>,
    /// A file of certificate authorities (PEM) that are trusted besides the system's
    #[arg(long, value_name = "FILE", global = true)]
    cacert: Option<PathBuf>,
}

impl Network {
    /// The key cache; `None` where there is no place for one.
    pub(crate) fn cache(&self) -> Option<KeyCache> {
        self.cache.clone().or_else(|| KeyCache::user_file(&Env::process())).map(KeyCache::sqlite)
    }

    /// The client that fetches keys, without tokens; redirects are followed by who fetches, who checks each step.
    pub(crate) fn session(&self) -> Result<Session, Failure> {
        let mut builder = Session::builder().attach(reqwest_scitokens::Attach::Never);
        if let Some(path) = &self.cacert {
            builder = builder.ca_file(path);
        }
        builder.build().map_err(|error| Failure::from_error(Exit::Local, &error))
    }
}

/// The runtime for a command that waits for one answer.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::from_error(Exit::Local, &error))
}

/// Writes a new file: a secret for the user alone, anything else as the system has it. One that is there stays.
fn write_new(path: &PathBuf, text: &str, secrecy: Secrecy) -> Result<(), Failure> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if secrecy == Secrecy::Private {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    let written = options.open(path).and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| {
        let failure = Failure::new(Exit::Local, format!("cannot write `{}`: {error}", path.display()));
        if error.kind() == io::ErrorKind::AlreadyExists {
            return failure
                .with_hint("a key that is in use would be lost; name another file, or remove it yourself");
        }
        failure
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Secrecy {
    Private,
    Public,
}

/// Writes lines to standard output.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written =
        out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
    written.map_err(|error| Failure::from_error(Exit::Local, &error))
}
