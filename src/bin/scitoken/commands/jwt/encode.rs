//! `scitoken jwt encode`.

use std::path::PathBuf;

use clap::Args;
use reqwest_scitokens::jwt::{Encoder, Object, encode_unsecured};
use reqwest_scitokens::keys::{Algorithm, KeyError, SigningKey};
use serde_json::Value;

use super::{is_json, is_pem, print, read, read_secret, unusable};
use crate::exit::Exit;
use crate::failure::Failure;

/// Sign claims
///
/// The token is the same, bit for bit, that PyJWT makes of these claims.
#[derive(Debug, Args)]
pub(super) struct Encode {
    /// The file with the claims, a JSON object; `-` for standard input
    #[arg(value_name = "FILE", default_value = "-")]
    claims: PathBuf,
    /// The file with the shared secret
    #[arg(long, value_name = "FILE", group = "a_key")]
    secret_file: Option<PathBuf>,
    /// The file with the private key: PEM, DER or a JWK
    #[arg(long, value_name = "FILE", group = "a_key")]
    key: Option<PathBuf>,
    /// The algorithm; without it, the usual one for the key
    #[arg(long, value_name = "NAME")]
    alg: Option<Algorithm>,
    /// The name of the key, for the header
    #[arg(long, value_name = "NAME")]
    kid: Option<String>,
    /// A member of the header; its value is JSON, or else a text; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = member)]
    header: Vec<(String, Value)>,
    /// Leave the payload out of the token, to travel beside it (RFC 7797)
    #[arg(long)]
    detached: bool,
    /// Make a token without a signature, which nobody should take for verified
    #[arg(long, conflicts_with_all = ["a_key", "alg", "kid", "header", "detached"])]
    unsecured: bool,
}

impl Encode {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let refused = |error| Failure::from_error(Exit::Usage, &error);
        let key = if self.unsecured { None } else { Some(self.signing_key()?) };
        let claims = Object::parse(read(&self.claims)?).map_err(refused)?;
        let Some(key) = key else { return print(&encode_unsecured(&claims).map_err(refused)?) };
        let algorithm = self.alg.or_else(|| key.algorithms().first().copied());
        let mut encoder = Encoder::new(algorithm.unwrap_or(Algorithm::Hs256)).headers(&self.headers()?);
        if let Some(kid) = &self.kid {
            encoder = encoder.key_id(kid);
        }
        if self.detached {
            encoder = encoder.detached();
        }
        print(&encoder.encode_object(&claims, &key).map_err(refused)?)
    }

    fn signing_key(&self) -> Result<SigningKey, Failure> {
        if let Some(path) = &self.secret_file {
            return SigningKey::from_secret(read_secret(path)?).map_err(|error| unusable(path, &error));
        }
        let Some(path) = &self.key else {
            let failure = Failure::new(Exit::Usage, "there is no key to sign with");
            return Err(failure.with_hint("name one with `--secret-file` or `--key`"));
        };
        let bytes = read(path)?;
        let read: fn(Vec<u8>) -> Result<SigningKey, KeyError> = if is_json(&bytes) {
            SigningKey::from_jwk
        } else if is_pem(&bytes) {
            SigningKey::from_pem
        } else {
            SigningKey::from_der
        };
        read(bytes).map_err(|error| unusable(path, &error))
    }

    fn headers(&self) -> Result<Object, Failure> {
        let members: serde_json::Map<String, Value> = self.header.iter().cloned().collect();
        Object::parse(Value::Object(members).to_string())
            .map_err(|error| Failure::from_error(Exit::Usage, &error))
    }
}

fn member(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("it has no `=`")?;
    Ok((name.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| Value::from(value))))
}
