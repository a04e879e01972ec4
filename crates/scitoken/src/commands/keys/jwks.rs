//! `scitoken keys jwks`.

use std::path::PathBuf;

use clap::Args;
use scitoken_jwt::keys::{Jwk, JwkSet, KeyError, VerifyingKey};

use super::files::fingerprint;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;

/// Print the key set that an issuer publishes
///
/// Reads public or private keys (PEM, certificates, JWKs, key sets) and prints their public parts.
#[derive(Debug, Args)]
pub(super) struct Jwks {
    /// Key files; KID=FILE sets the key id of a PEM key
    #[arg(value_name = "[KID=]FILE", required = true)]
    keys: Vec<String>,
}

impl Jwks {
    pub(super) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let keys = self.set()?.to_public_json();
        // A key set is an object that may have further members such as `ok` (RFC 7517 section 5).
        context.output.data_json(&keys, &keys)?;
        Ok(Exit::Ok)
    }

    fn set(&self) -> Result<JwkSet, Failure> {
        let mut all = Vec::new();
        for argument in &self.keys {
            let (name, path) = split_kid(argument);
            let bytes = files::read(&path)?;
            let keys = read(&bytes).map_err(|error| {
                Failure::new(Exit::Local, format!("invalid key in `{}`: {error}", path.display()))
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

/// Splits `KID=FILE`, unless a file has the whole name.
fn split_kid(argument: &str) -> (Option<String>, PathBuf) {
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
