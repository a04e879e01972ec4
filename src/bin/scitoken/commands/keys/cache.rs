//! `scitoken keys cache`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use reqwest_scitokens::keys::{JwkSet, VerifyingKey};
use reqwest_scitokens::scitokens::{
    CacheTimes, CachedKeys, Issuer, KeyCache, KeyCacheError, Verifier, VerifierBuilder,
};
use reqwest_scitokens::sys::{Clock as _, SystemClock};
use serde_json::{Value, json};

use super::{Network, print, runtime};
use crate::commands::time;
use crate::commands::token::keys_failure;
use crate::exit::Exit;
use crate::failure::Failure;

/// List, add, remove and refresh the keys that are kept
#[derive(Debug, Args)]
pub(super) struct Cache {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    network: Network,
    /// Answer with one object of JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the issuers whose keys are kept
    List,
    /// Keep the keys of an issuer as if they had been fetched
    Add {
        /// The issuer
        issuer: Issuer,
        /// The file with its key set, or one public key as PEM
        #[arg(long, value_name = "FILE")]
        jwks: PathBuf,
        /// The name of a key that comes as PEM, by which tokens call it
        #[arg(long, value_name = "NAME")]
        kid: Option<String>,
        /// How long to keep them, in seconds: an hour to four days
        #[arg(long, value_name = "SECONDS", default_value = "172800",
              value_parser = clap::value_parser!(u64).range(3_600..=345_600))]
        lifetime: u64,
    },
    /// Forget the keys of an issuer
    Remove {
        /// The issuer
        issuer: Issuer,
    },
    /// Fetch the keys of issuers now; without a name, of all that are kept
    Refresh {
        /// The issuers
        issuers: Vec<Issuer>,
    },
}

impl Cache {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        match self.answer() {
            Err(failure) if self.json => {
                print(&json!({"ok": false, "error": failure.message(), "reason": "failed"}).to_string())?;
                Ok(failure.exit())
            }
            outcome => outcome,
        }
    }

    fn answer(&self) -> Result<Exit, Failure> {
        let cache = self.network.cache().ok_or_else(|| {
            Failure::new(Exit::Local, "there is no place for a key cache")
                .with_hint("set `HOME` or `XDG_CACHE_HOME`, or name a file with `--cache`")
        })?;
        match &self.command {
            Command::List => self.list(&cache),
            Command::Add { issuer, jwks, kid, lifetime } => {
                self.add(&cache, issuer, &read(jwks, kid.as_deref())?, *lifetime)
            }
            Command::Remove { issuer } => self.remove(&cache, issuer),
            Command::Refresh { issuers } => self.refresh(&cache, issuers),
        }
    }

    fn list(&self, cache: &KeyCache) -> Result<Exit, Failure> {
        let now = SystemClock.now();
        let all = cache.list().map_err(|error| failure(&error))?;
        let names = |keys: &CachedKeys| -> Vec<String> {
            let set = JwkSet::parse(keys.jwks()).unwrap_or_default();
            set.iter().map(|key| key.key_id().unwrap_or("(without a name)").to_owned()).collect()
        };
        if self.json {
            let object = |(issuer, keys): &(String, CachedKeys)| {
                json!({"issuer": issuer, "keys": names(keys), "expires": time::show(keys.expires()),
                       "next_update": time::show(keys.next_update())})
            };
            let list: Value = all.iter().map(object).collect();
            print(&json!({"ok": true, "issuers": list}).to_string())?;
            return Ok(Exit::Ok);
        }
        for (issuer, keys) in &all {
            let state = if keys.expires() <= now {
                format!("expired {}", time::relative(keys.expires(), now))
            } else if !keys.are_good_at(now) {
                "kept by a clock that was wrong, not used".to_owned()
            } else {
                let due = if keys.next_update() <= now {
                    "now".to_owned()
                } else {
                    time::relative(keys.next_update(), now)
                };
                format!("good until {}, refresh due {due}", time::show(keys.expires()))
            };
            print(&format!("{issuer}  {state}  keys: {}", names(keys).join(", ")))?;
        }
        Ok(Exit::Ok)
    }

    fn add(&self, cache: &KeyCache, issuer: &Issuer, keys: &JwkSet, lifetime: u64) -> Result<Exit, Failure> {
        let times = CacheTimes::default().expire_after(Duration::from_secs(lifetime));
        cache.put(issuer, CachedKeys::of(keys, times, SystemClock.now())).map_err(|error| failure(&error))?;
        self.done(&kept(issuer, keys.len()), &json!({"keys": keys.len()}))
    }

    fn remove(&self, cache: &KeyCache, issuer: &Issuer) -> Result<Exit, Failure> {
        if cache.remove(issuer).map_err(|error| failure(&error))? {
            return self.done(&format!("the keys of {issuer} are forgotten"), &json!({"removed": true}));
        }
        if self.json {
            print(
                &json!({"ok": false, "error": "no keys of this issuer are kept", "reason": "not_found"})
                    .to_string(),
            )?;
            return Ok(Exit::Refused);
        }
        Err(Failure::new(Exit::Refused, format!("no keys of {issuer} are kept"))
            .with_hint("`keys cache list` shows whose are"))
    }

    fn refresh(&self, cache: &KeyCache, issuers: &[Issuer]) -> Result<Exit, Failure> {
        let mut issuers = issuers.to_vec();
        if issuers.is_empty() {
            let kept = cache.list().map_err(|error| failure(&error))?;
            issuers = kept.iter().filter_map(|(name, _)| name.parse().ok()).collect();
        }
        let mut issuers = issuers.into_iter();
        let Some(first) = issuers.next() else {
            return self.done("no keys are kept, so there is nothing to refresh", &json!({"keys": 0}));
        };
        let client = self.network.session()?.client().clone();
        let builder = Verifier::builder(first, client).key_cache(cache.clone());
        let verifier = issuers.fold(builder, VerifierBuilder::issuer).build();
        let outcomes = runtime()?.block_on(verifier.refresh());
        let mut failed = None;
        let mut list = Vec::new();
        for (issuer, outcome) in outcomes {
            list.push(match &outcome {
                Ok(count) => json!({"issuer": issuer.as_str(), "ok": true, "keys": count}),
                Err(error) => {
                    json!({"issuer": issuer.as_str(), "ok": false, "error": keys_failure(error).message()})
                }
            });
            match outcome {
                Ok(count) if !self.json => print(&kept(&issuer, count))?,
                Ok(_) => {}
                Err(error) => failed = Some(keys_failure(&error).without_hint()),
            }
        }
        if self.json {
            let error = failed.as_ref().map(Failure::message);
            let reason = error.map(|_| "failed");
            print(
                &json!({"ok": error.is_none(), "error": error, "reason": reason, "issuers": list})
                    .to_string(),
            )?;
        }
        match failed {
            None => Ok(Exit::Ok),
            Some(failure) if self.json => Ok(failure.exit()),
            Some(failure) => Err(failure),
        }
    }

    fn done(&self, line: &str, members: &Value) -> Result<Exit, Failure> {
        if self.json {
            let mut object = json!({"ok": true});
            if let (Some(object), Some(members)) = (object.as_object_mut(), members.as_object()) {
                object.extend(members.clone());
            }
            print(&object.to_string())?;
        } else {
            print(line)?;
        }
        Ok(Exit::Ok)
    }
}

/// Reads a key set, or one key as PEM, which has no name of its own.
fn read(path: &PathBuf, kid: Option<&str>) -> Result<JwkSet, Failure> {
    let bytes = fs_err::read(path).map_err(|error| Failure::from_error(Exit::Local, &error))?;
    let keys = if bytes.trim_ascii_start().first() == Some(&b'{') {
        JwkSet::parse(&bytes)
    } else {
        let named = |key: VerifyingKey| kid.map_or_else(|| key.to_jwk(), |kid| key.to_jwk().with_key_id(kid));
        VerifyingKey::from_pem(&bytes).map(|key| [named(key)].into_iter().collect())
    };
    let keys = keys.map_err(|error| {
        Failure::new(Exit::Local, format!("the keys in `{}` cannot be used: {error}", path.display()))
    })?;
    match keys.iter().next() {
        None => {
            let problem = format!("`{}` has no key in it that can be used", path.display());
            Err(Failure::new(Exit::Local, problem))
        }
        Some(key) if keys.len() == 1 && key.key_id().is_none() => {
            let problem =
                format!("the key in `{}` has no name, and tokens call theirs by name", path.display());
            Err(Failure::new(Exit::Usage, problem).with_hint("give it with `--kid`"))
        }
        Some(_) => Ok(keys),
    }
}

fn kept(issuer: &Issuer, count: usize) -> String {
    let keys = if count == 1 { "key" } else { "keys" };
    format!("{count} {keys} of {issuer} kept")
}

fn failure(error: &KeyCacheError) -> Failure {
    Failure::from_error(Exit::Local, error)
}
