//! `scitoken keys generate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use reqwest_scitokens::keys::{Algorithm, Jwk, JwkSet, KeyError, KeyKind, RsaSize, SigningKey};
use serde_json::json;

use super::{Secrecy, print, write_new};
use crate::exit::Exit;
use crate::failure::Failure;

/// Make a key for an issuer
///
/// The private key goes to standard output as PEM, or into the files that are named; files that are there are never
/// overwritten, and those with a private key are for you alone.
#[derive(Debug, Args)]
#[command(after_long_help = "Example:
  scitoken keys generate --kid 2026-11 --private key.pem --jwks jwks.json")]
pub(super) struct Generate {
    /// The algorithm that the key is for
    #[arg(long, visible_alias = "alg", value_name = "NAME", default_value = "es256", ignore_case = true)]
    algorithm: Choice,
    /// The key's name; without it, the start of its fingerprint
    #[arg(long, value_name = "NAME")]
    kid: Option<String>,
    /// Write the private key here, as PEM
    #[arg(long, value_name = "FILE")]
    private: Option<PathBuf>,
    /// Write the private key here, as a JWK
    #[arg(long, value_name = "FILE")]
    private_jwk: Option<PathBuf>,
    /// Write the public key here, as PEM
    #[arg(long, value_name = "FILE")]
    public: Option<PathBuf>,
    /// Write the key set to publish here
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
    /// Tell about the key in one object of JSON; needs --private or --private-jwk
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Choice {
    /// ECDSA on P-256: small and quick to sign; what new issuers use
    Es256,
    /// RSA of 2048 bits: quick to verify
    Rs256,
}

impl Generate {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let keeps_private = self.private.is_some() || self.private_jwk.is_some();
        if self.json && !keeps_private {
            return Err(Failure::new(Exit::Usage, "`--json` says nothing of the private key")
                .with_hint("say where to put it with `--private` or `--private-jwk`"));
        }
        let unusable = |error: KeyError| Failure::from_error(Exit::Local, &error);
        let (key, algorithm) = match self.algorithm {
            Choice::Es256 => (SigningKey::generate(KeyKind::P256), Algorithm::Es256),
            Choice::Rs256 => (SigningKey::generate_rsa(RsaSize::Bits2048), Algorithm::Rs256),
        };
        let key = key.map_err(unusable)?;
        let public = key.verifying_key();
        let kid = self.kid.clone().unwrap_or_else(|| fingerprint(&public.to_jwk()));
        let named = |jwk: Jwk| jwk.with_key_id(&kid).for_signatures().with_algorithm(algorithm);
        let pem = key.expose_pem().map_err(unusable)?;
        if let Some(path) = &self.private {
            write_new(path, &pem, Secrecy::Private)?;
        }
        if let Some(path) = &self.private_jwk {
            let jwk = key.to_jwk().and_then(named).map_err(unusable)?;
            write_new(path, &format!("{}\n", jwk.expose_json()), Secrecy::Private)?;
        }
        if let Some(path) = &self.public {
            write_new(path, &public.to_pem().map_err(unusable)?, Secrecy::Public)?;
        }
        if let Some(path) = &self.jwks {
            let set: JwkSet = [named(public.to_jwk()).map_err(unusable)?].into_iter().collect();
            write_new(path, &format!("{}\n", set.to_public_json()), Secrecy::Public)?;
        }
        if self.json {
            print(&json!({"ok": true, "kid": kid, "algorithm": algorithm.name()}).to_string())?;
        } else if keeps_private {
            print(&format!("made key {kid} for {algorithm}"))?;
        } else {
            print(pem.trim_end())?;
        }
        Ok(Exit::Ok)
    }
}

/// The first 16 hexadecimal digits of the SHA-256 of the public key: enough never to meet again.
pub(super) fn fingerprint(public: &Jwk) -> String {
    let text = public.expose_json();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    let start = digest.as_ref().first_chunk().map_or(0, |start| u64::from_be_bytes(*start));
    format!("{start:016x}")
}
