//! `scitoken keys cache`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use scitoken_authz::{
    CacheTimes, CachedKeys, InvalidIssuer, Issuer, KeyCache, KeyCacheError, Verifier, VerifierBuilder,
};
use scitoken_jwt::keys::{JwkSet, VerifyingKey};
use scitoken_types::sys::{Clock as _, SystemClock};
use serde_json::json;

use crate::args::KeyCacheArgs;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::hints;
use crate::key_failure::key_failure;
use crate::key_session::key_session;
use crate::output;
use crate::runtime::block_on;
use crate::sanitize;
use crate::time;

/// List, add, remove and refresh the cached keys of issuers
#[derive(Debug, Args)]
pub(super) struct Cache {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    cache: KeyCacheArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the issuers whose keys are cached
    List,
    /// Add the keys of an issuer as if they had been fetched
    Add {
        /// Issuer
        issuer: Issuer,
        /// File with the issuer's key set, or with one public key as PEM
        #[arg(long, value_name = "FILE")]
        jwks: PathBuf,
        /// Key id of a PEM key
        #[arg(long, value_name = "KID")]
        kid: Option<String>,
        /// Cache the keys for this time: an hour to four days
        #[arg(long, value_name = "SECONDS", default_value = "172800",
              value_parser = clap::value_parser!(u64).range(3_600..=345_600))]
        lifetime: u64,
    },
    /// Remove the keys of an issuer
    Remove {
        /// Issuer, as `list` shows it
        issuer: String,
    },
    /// Fetch the keys of issuers now
    ///
    /// Keys are fetched over TLS only: test issuers are left out.
    Refresh {
        /// Issuers [default: all that are cached]
        issuers: Vec<String>,
    },
}

impl Command {
    /// Returns whether the command only works on keys that are cached already.
    fn needs_cached_keys(&self) -> bool {
        match self {
            Self::List | Self::Remove { .. } => true,
            Self::Refresh { issuers } => issuers.is_empty(),
            Self::Add { .. } => false,
        }
    }
}

impl Cache {
    pub(super) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let cache = self.cache.cache().ok_or_else(|| {
            Failure::new(Exit::Local, "the environment names no directory for the key cache")
                .with_hint("set `HOME` or `XDG_CACHE_HOME`, or pass `--key-cache FILE`")
        })?;
        if self.command.needs_cached_keys() {
            self.cache.require_file()?;
        }
        match &self.command {
            Command::List => list(context, &cache),
            Command::Add { issuer, jwks, kid, lifetime } => {
                add(context, &cache, issuer, &read(jwks, kid.as_deref())?, *lifetime)
            }
            Command::Remove { issuer } => remove(context, &cache, issuer),
            Command::Refresh { issuers } => self.refresh(context, &cache, issuers),
        }
    }

    fn refresh(&self, context: &Context, cache: &KeyCache, named: &[String]) -> Result<Exit, Failure> {
        let output = context.output;
        let mut list = Vec::new();
        let mut issuers: Vec<Issuer> = Vec::new();
        for name in named {
            issuers.push(name.parse().map_err(|error| not_refreshed(name, &error))?);
        }
        if named.is_empty() {
            for (name, _) in cache.list().map_err(|error| failure(&error))? {
                match name.parse() {
                    Ok(issuer) => issuers.push(issuer),
                    Err(error) => {
                        let failure = not_refreshed(&name, &error);
                        output::warn(&format!("not refreshed: {}", failure.message()));
                        list.push(json!({ "issuer": name, "ok": false, "error": failure.message() }));
                    }
                }
            }
        }
        let mut issuers = issuers.into_iter();
        let Some(first) = issuers.next() else {
            let why =
                if list.is_empty() { "the cache is empty" } else { "no cached issuer is reached over TLS" };
            output.result(&format!("{why}; nothing to refresh"), json!({ "issuers": list }))?;
            return Ok(Exit::Ok);
        };
        let client = key_session(context, &self.cache.authorities)?.http_client().clone();
        let builder = Verifier::builder(first, client).key_cache(cache.clone());
        let verifier = issuers.fold(builder, VerifierBuilder::issuer).build();
        let mut failed = None;
        for (issuer, outcome) in block_on(verifier.refresh())? {
            match outcome {
                Ok(count) => {
                    output.text(&added(&issuer, count))?;
                    list.push(json!({ "issuer": issuer.as_str(), "ok": true, "keys": count }));
                }
                Err(error) => {
                    let failure = key_failure(&error).with_optional_hint(None);
                    list.push(json!({ "issuer": issuer.as_str(), "ok": false, "error": failure.message() }));
                    failed = Some(failure);
                }
            }
        }
        match failed {
            None => output.object(true, json!({ "issuers": list }))?,
            Some(failure) if output.json => {
                let exit = failure.exit();
                let members = json!({
                    "error": failure.message(), "reason": exit.name(), "exit": exit as u8, "issuers": list,
                });
                output.object(false, members)?;
                return Ok(exit);
            }
            Some(failure) => return Err(failure),
        }
        Ok(Exit::Ok)
    }
}

fn list(context: &Context, cache: &KeyCache) -> Result<Exit, Failure> {
    let now = SystemClock.now();
    let all = cache.list().map_err(|error| failure(&error))?;
    let key_ids = |keys: &CachedKeys| -> Vec<String> {
        let set = JwkSet::parse(keys.jwks()).unwrap_or_default();
        set.iter().map(|key| key.key_id().unwrap_or("(no key id)").to_owned()).collect()
    };
    let mut issuers = Vec::new();
    for (issuer, keys) in &all {
        let state = if keys.expires() <= now {
            format!("expired {}", time::relative(keys.expires(), now))
        } else if !keys.is_valid_at(now) {
            "fetched with a wrong clock, not used".to_owned()
        } else {
            let due = if keys.next_update() <= now {
                "now".to_owned()
            } else {
                time::relative(keys.next_update(), now)
            };
            format!("valid until {}, refresh due {due}", time::show(keys.expires()))
        };
        let ids = key_ids(keys);
        let shown = sanitize::line(issuer);
        context.output.text(&format!("{shown}  {state}  keys: {}", ids.join(", ")))?;
        issuers.push(json!({
            "issuer": issuer, "keys": ids, "expires": time::show(keys.expires()),
            "next_update": time::show(keys.next_update()),
        }));
    }
    context.output.object(true, json!({ "issuers": issuers }))?;
    Ok(Exit::Ok)
}

fn add(
    context: &Context,
    cache: &KeyCache,
    issuer: &Issuer,
    keys: &JwkSet,
    lifetime: u64,
) -> Result<Exit, Failure> {
    let times = CacheTimes::default().expire_after(Duration::from_secs(lifetime));
    cache
        .put(issuer, CachedKeys::from_set(keys, times, SystemClock.now()))
        .map_err(|error| failure(&error))?;
    context.output.result(&added(issuer, keys.len()), json!({ "keys": keys.len() }))?;
    Ok(Exit::Ok)
}

fn remove(context: &Context, cache: &KeyCache, issuer: &str) -> Result<Exit, Failure> {
    let shown = sanitize::line(issuer);
    if cache.remove_name(issuer).map_err(|error| failure(&error))? {
        context.output.result(&format!("removed the keys of {shown}"), json!({ "removed": true }))?;
        return Ok(Exit::Ok);
    }
    Err(Failure::new(Exit::NotFound, format!("the cache has no keys of {shown}"))
        .with_reason("not_found")
        .with_hint("`scitoken keys cache list` lists the issuers"))
}

/// Reads a key set, or one key as PEM, which has no key id.
fn read(path: &PathBuf, kid: Option<&str>) -> Result<JwkSet, Failure> {
    let bytes = files::read_key(path)?;
    let keys = if bytes.trim_ascii_start().first() == Some(&b'{') {
        JwkSet::parse(&bytes)
    } else {
        let named = |key: VerifyingKey| kid.map_or_else(|| key.to_jwk(), |kid| key.to_jwk().with_key_id(kid));
        VerifyingKey::from_pem(&bytes).map(|key| [named(key)].into_iter().collect())
    };
    let keys = keys.map_err(|error| {
        Failure::new(Exit::Local, format!("invalid keys in `{}`: {error}", path.display()))
    })?;
    match keys.iter().next() {
        None => {
            let problem = format!("`{}` has no usable key", path.display());
            Err(Failure::new(Exit::Local, problem))
        }
        Some(key) if keys.len() == 1 && key.key_id().is_none() => {
            let problem = format!("the key in `{}` has no key id", path.display());
            Err(Failure::new(Exit::Usage, problem).with_hint("pass `--kid KID`"))
        }
        Some(_) => Ok(keys),
    }
}

fn added(issuer: &Issuer, count: usize) -> String {
    let keys = if count == 1 { "key" } else { "keys" };
    format!("cached {count} {keys} of {issuer}")
}

/// Returns the failure of an issuer whose keys are not fetched.
fn not_refreshed(name: &str, error: &InvalidIssuer) -> Failure {
    let remove = format!("scitoken keys cache remove {}", hints::shell_word(name));
    Failure::from_error(Exit::Usage, error)
        .with_hint(format!("keys are fetched from https issuers; `{remove}` removes keys from the cache"))
}

fn failure(error: &KeyCacheError) -> Failure {
    match error {
        KeyCacheError::Untrusted(file) => files::failure(file),
        error => Failure::from_error(Exit::Local, error),
    }
}
