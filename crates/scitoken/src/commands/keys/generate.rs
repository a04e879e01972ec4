//! `scitoken keys generate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use scitoken_jwt::keys::{Algorithm, Jwk, JwkSet, KeyError, KeyKind, RsaSize, SigningKey};
use serde_json::json;

use super::files::{NewFiles, fingerprint};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Make a key pair for an issuer
///
/// Writes the private key to standard output as PEM, or into the named files. Existing files are never overwritten; files
/// with a private key get mode 0600.
#[derive(Debug, Args)]
#[command(after_long_help = "Example:
  scitoken keys generate --kid 2026-11 --private key.pem --public-jwks jwks.json")]
pub(super) struct Generate {
    /// Signature algorithm
    #[arg(long, value_name = "ALGORITHM", default_value = "es256", ignore_case = true)]
    alg: KeyType,
    /// Key id [default: the start of the key's fingerprint]
    #[arg(long, value_name = "NAME")]
    kid: Option<String>,
    /// Write the private key to this file, as PEM
    #[arg(long, value_name = "FILE")]
    private: Option<PathBuf>,
    /// Write the private key to this file, as a JWK
    #[arg(long, value_name = "FILE")]
    private_jwk: Option<PathBuf>,
    /// Write the public key to this file, as PEM
    #[arg(long, value_name = "FILE")]
    public: Option<PathBuf>,
    /// Write the key set to publish to this file
    #[arg(long, value_name = "FILE", alias = "jwks")]
    public_jwks: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum KeyType {
    /// ECDSA on P-256: small signatures, fast to make
    Es256,
    /// RSA with 2048 bits: fast to verify
    Rs256,
}

impl Generate {
    /// Refuses standard output, and two files of one name, before anything is written.
    fn check_paths(&self) -> Result<(), Failure> {
        let paths = [&self.private, &self.private_jwk, &self.public, &self.public_jwks];
        let mut seen: Vec<&PathBuf> = Vec::new();
        for path in paths.into_iter().flatten() {
            if path.as_os_str() == "-" {
                return Err(Failure::new(Exit::Usage, "keys are written to files, not to standard output")
                    .with_hint("without `--private` and `--private-jwk` the private key is printed"));
            }
            if seen.contains(&path) {
                return Err(Failure::new(Exit::Usage, format!("two flags name `{}`", path.display()))
                    .with_hint("give each key a file of its own"));
            }
            seen.push(path);
        }
        Ok(())
    }

    pub(super) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let keeps_private = self.private.is_some() || self.private_jwk.is_some();
        if context.output.json && !keeps_private {
            return Err(Failure::new(Exit::Usage, "`--json` does not print the private key")
                .with_hint("write it to a file with `--private` or `--private-jwk`"));
        }
        self.check_paths()?;
        let unusable = |error: KeyError| Failure::from_error(Exit::Local, &error);
        let (key, algorithm) = match self.alg {
            KeyType::Es256 => (SigningKey::generate(KeyKind::P256), Algorithm::Es256),
            KeyType::Rs256 => (SigningKey::generate_rsa(RsaSize::Bits2048), Algorithm::Rs256),
        };
        let key = key.map_err(unusable)?;
        let public = key.verifying_key();
        let kid = self.kid.clone().unwrap_or_else(|| fingerprint(&public.to_jwk()));
        let named = |jwk: Jwk| jwk.with_key_id(&kid).for_signatures().with_algorithm(algorithm);
        let pem = key.expose_pem().map_err(unusable)?;
        let mut files = NewFiles::default();
        if let Some(path) = &self.private {
            files.write(path, &pem, true)?;
        }
        if let Some(path) = &self.private_jwk {
            let jwk = key.to_jwk().and_then(named).map_err(unusable)?;
            files.write(path, &format!("{}\n", jwk.expose_json()), true)?;
        }
        if let Some(path) = &self.public {
            files.write(path, &public.to_pem().map_err(unusable)?, false)?;
        }
        if let Some(path) = &self.public_jwks {
            let set: JwkSet = [named(public.to_jwk()).map_err(unusable)?].into_iter().collect();
            files.write(path, &format!("{}\n", set.to_public_json()), false)?;
        }
        files.keep();
        let members = json!({ "kid": kid, "algorithm": algorithm.name() });
        let text =
            if keeps_private { format!("made key {kid} for {algorithm}") } else { pem.trim_end().to_owned() };
        context.output.data(&text, members)?;
        Ok(Exit::Ok)
    }
}
