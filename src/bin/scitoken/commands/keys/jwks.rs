//! `scitoken keys jwks`.

use std::path::PathBuf;

use clap::Args;
use reqwest_scitokens::keys::{Jwk, JwkSet, KeyError, VerifyingKey};

use serde_json::json;

use super::generate::fingerprint;
use super::print;
use crate::exit::Exit;
use crate::failure::Failure;

/// Print the key set that an issuer publishes
///
/// Takes public or private keys (PEM, certificates, JWKs, key sets) and prints their public halves.
#[derive(Debug, Args)]
pub(super) struct Jwks {
    /// The files with the keys; a PEM key can be given a name in front: NAME=FILE
    #[arg(value_name = "[NAME=]FILE", required = true)]
    keys: Vec<String>,
    /// Answer with one object of JSON in any case: the key set with `ok` in it, or where that is false, `error` and `reason`
    #[arg(long)]
    json: bool,
}

impl Jwks {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        match self.set() {
            Ok(set) if self.json => {
                let keys = set.to_public_json();
                // A key set is an object with members of its own; `ok` is one more (RFC 7517 section 5).
                print(&keys.replacen('{', r#"{"ok":true,"#, 1))?;
                Ok(Exit::Ok)
            }
            Ok(set) => {
                print(&set.to_public_json())?;
                Ok(Exit::Ok)
            }
            Err(failure) if self.json => {
                print(&json!({"ok": false, "error": failure.message(), "reason": "failed"}).to_string())?;
                Ok(failure.exit())
            }
            Err(failure) => Err(failure),
        }
    }

    fn set(&self) -> Result<JwkSet, Failure> {
        let mut all = Vec::new();
        for argument in &self.keys {
            let (name, path) = named(argument);
            let bytes = fs_err::read(&path).map_err(|error| Failure::from_error(Exit::Local, &error))?;
            let keys = read(&bytes).map_err(|error| {
                Failure::new(Exit::Local, format!("the key in `{}` cannot be used: {error}", path.display()))
            })?;
            for key in keys {
                let own_name = key.key_id().map(str::to_owned);
                let name = name.clone().or(own_name).unwrap_or_else(|| fingerprint(&key));
                all.push(key.with_key_id(&name).for_signatures());
            }
        }
        Ok(all.into_iter().collect())
    }
}

/// `NAME=FILE`, unless there is a file of the whole name.
fn named(argument: &str) -> (Option<String>, PathBuf) {
    let whole = PathBuf::from(argument);
    match argument.split_once('=') {
        Some((name, path)) if !name.is_empty() && !whole.exists() => (Some(name.to_owned()), path.into()),
        _ => (None, whole),
    }
}

fn read(bytes: &[u8]) -> Result<Vec<Jwk>, KeyError> {
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        let key = VerifyingKey::from_pem(bytes)?;
        let jwk = key.to_jwk();
        return Ok(vec![match key.algorithms().first() {
            Some(usual) => jwk.with_algorithm(*usual)?,
            None => jwk,
        }]);
    }
    if let Ok(set) = JwkSet::parse(bytes) {
        return Ok(set.iter().filter_map(Jwk::to_public).collect());
    }
    Ok(Jwk::parse(bytes)?.to_public().into_iter().collect())
}
