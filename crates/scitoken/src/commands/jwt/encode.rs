//! `scitoken jwt encode`.

use std::path::PathBuf;

use clap::Args;
use scitoken_jwt::keys::{Algorithm, KeyError, SigningKey};
use scitoken_jwt::{Encoder, Object, encode_unsecured};
use serde_json::{Value, json};

use super::input::{invalid_key, is_json, is_pem, read, read_secret};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::decoded_key;

/// Sign claims
///
/// Makes the same token, bit for bit, as PyJWT.
#[derive(Debug, Args)]
pub(super) struct Encode {
    /// File with the claims, a JSON object, or `-` for standard input
    #[arg(value_name = "FILE", default_value = "-")]
    claims: PathBuf,
    /// File with the shared secret
    #[arg(long, value_name = "FILE", group = "a_key")]
    secret_file: Option<PathBuf>,
    /// File with the private key: PEM, DER or JWK
    #[arg(long, value_name = "FILE", group = "a_key")]
    key: Option<PathBuf>,
    /// Signature algorithm [default: the usual one for the key]
    #[arg(long, value_name = "ALGORITHM")]
    alg: Option<Algorithm>,
    /// Key id for the header
    #[arg(long, value_name = "KID")]
    kid: Option<String>,
    /// Header member; repeatable. The value is a string unless it is valid JSON
    #[arg(long, value_name = "NAME=VALUE", value_parser = member)]
    jose_header: Vec<(String, Value)>,
    /// Leave the payload out of the token (RFC 7797)
    #[arg(long)]
    detached: bool,
    /// Make a token without a signature
    #[arg(long, conflicts_with_all = ["a_key", "alg", "kid", "jose_header", "detached"])]
    unsecured: bool,
}

impl Encode {
    pub(super) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let refused = |error| Failure::from_error(Exit::Usage, &error);
        let key = if self.unsecured { None } else { Some(self.signing_key()?) };
        let claims = Object::parse(read(&self.claims)?).map_err(refused)?;
        let Some(key) = key else { return answer(context, &encode_unsecured(&claims).map_err(refused)?) };
        let algorithm = self.alg.or_else(|| key.algorithms().first().copied());
        let mut encoder = Encoder::new(algorithm.unwrap_or(Algorithm::Hs256)).headers(&self.headers()?);
        if let Some(kid) = &self.kid {
            encoder = encoder.key_id(kid);
        }
        if self.detached {
            encoder = encoder.detached();
        }
        answer(context, &encoder.encode_object(&claims, &key).map_err(refused)?)
    }

    fn signing_key(&self) -> Result<SigningKey, Failure> {
        if let Some(path) = &self.secret_file {
            return SigningKey::from_secret(read_secret(path)?).map_err(|error| invalid_key(path, &error));
        }
        let Some(path) = &self.key else {
            let failure = Failure::new(Exit::Usage, "no key given");
            return Err(failure.with_hint("pass `--secret-file` or `--key`"));
        };
        let bytes = decoded_key(read(path)?);
        let read: fn(Vec<u8>) -> Result<SigningKey, KeyError> = if is_json(&bytes) {
            SigningKey::from_jwk
        } else if is_pem(&bytes) {
            SigningKey::from_pem
        } else {
            SigningKey::from_der
        };
        read(bytes).map_err(|error| invalid_key(path, &error))
    }

    fn headers(&self) -> Result<Object, Failure> {
        let members: serde_json::Map<String, Value> = self.jose_header.iter().cloned().collect();
        Object::parse(Value::Object(members).to_string())
            .map_err(|error| Failure::from_error(Exit::Usage, &error))
    }
}

fn answer(context: &Context, token: &str) -> Result<Exit, Failure> {
    context.output.data(token, json!({ "token": token }))?;
    Ok(Exit::Ok)
}

fn member(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| Value::from(value))))
}
