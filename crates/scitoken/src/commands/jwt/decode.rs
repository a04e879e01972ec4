//! `scitoken jwt decode`.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::Args;
use scitoken_jwt::keys::{Algorithm, Jwk, JwkSet, KeyError, VerifyingKey};
use scitoken_jwt::{self, BoundKey, ClaimCheck, JwtError, Key, Object, Validation};
use scitoken_types::sys::ManualClock;

use super::answer::refused;
use super::input::{invalid_key, is_json, is_pem, read, read_secret, read_token};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files::decoded_key;

/// Verify a token and print its claims
///
/// Accepts and refuses the same tokens as PyJWT. Exit code 0: valid, 1: refused.
#[derive(Debug, Args)]
pub(super) struct Decode {
    /// File with the token, or `-` for standard input
    #[arg(value_name = "FILE", default_value = "-")]
    token: PathBuf,
    /// File with the shared secret for HS256, HS384 or HS512
    #[arg(long, value_name = "FILE", group = "a_key")]
    secret_file: Option<PathBuf>,
    /// File with the issuer's public key: PEM, DER, certificate or JWK
    #[arg(long, value_name = "FILE", group = "a_key")]
    key: Option<PathBuf>,
    /// File with the issuer's key set
    #[arg(long, value_name = "FILE", group = "a_key")]
    jwks: Option<PathBuf>,
    /// Accept signatures of this algorithm; repeatable
    #[arg(long, value_name = "ALGORITHM")]
    alg: Vec<String>,
    /// Accept tokens for this audience; repeatable
    #[arg(long, value_name = "AUDIENCE")]
    audience: Vec<String>,
    /// Require that `--audience` is the token's only audience
    #[arg(long, alias = "strict-aud")]
    strict_audience: bool,
    /// Accept tokens of this issuer; repeatable
    #[arg(long, value_name = "ISSUER")]
    issuer: Vec<String>,
    /// Require this subject
    #[arg(long, value_name = "SUBJECT")]
    subject: Option<String>,
    /// Clock difference to tolerate
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, default_value = "0", value_parser = seconds)]
    leeway: f64,
    /// Require these claims, comma-separated
    #[arg(long, value_name = "CLAIM", value_delimiter = ',')]
    require: Vec<String>,
    /// Skip the checks of these claims: exp, nbf, iat, aud, iss, sub, jti
    #[arg(long, value_name = "CLAIM", value_delimiter = ',', value_parser = check)]
    skip: Vec<ClaimCheck>,
    /// Check these claims also with `--no-verify-signature`
    #[arg(long, value_name = "CLAIM", value_delimiter = ',', value_parser = check)]
    check: Vec<ClaimCheck>,
    /// Verify neither the signature nor the claims
    #[arg(long)]
    no_verify_signature: bool,
    /// Refuse keys that are too short for their algorithm
    #[arg(long)]
    enforce_key_length: bool,
    /// File with the payload of a token without one (RFC 7797)
    #[arg(long, value_name = "FILE")]
    detached_payload: Option<PathBuf>,
    /// Verify as of this time: seconds since 1970, or like 2033-05-18T03:33:20Z [default: now]
    #[arg(long, value_name = "TIME", allow_negative_numbers = true, value_parser = time)]
    at: Option<SystemTime>,
}

/// What the signature is verified with.
enum DecodeKey {
    Nothing,
    Plain(Result<VerifyingKey, KeyError>),
    Bound(Result<BoundKey, JwtError>),
    Set(JwkSet, PathBuf),
}

impl Decode {
    pub(super) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let source = self.source()?;
        let validation = self.validation()?;
        let token = read_token(&self.token)?;
        let is_keyless = matches!(source, DecodeKey::Nothing);
        let verdict = if self.no_verify_signature {
            scitoken_jwt::decode_unverified(&token, &validation)
                .map(|token| (token.header().clone(), token.into_claims()))
        } else {
            verify(&token, source, &validation).map(|token| (token.header().clone(), token.into_claims()))
        };
        match verdict {
            Ok((header, claims)) => {
                let json = format!(r#"{{"header":{header},"payload":{claims},"claims":{claims}}}"#);
                context.output.data_json(&claims.to_string(), &json)?;
                Ok(Exit::Ok)
            }
            Err(error) => {
                let hint = match &error {
                    JwtError::InvalidKey(_) if is_keyless => {
                        Some("pass the key with `--secret-file`, `--key` or `--jwks`")
                    }
                    JwtError::Decode { .. } if self.alg.is_empty() => {
                        Some("pass the expected algorithms with `--alg`")
                    }
                    JwtError::InvalidAudience { .. } if self.audience.is_empty() => {
                        Some("pass the expected audience with `--audience`, or `--skip aud`")
                    }
                    _ => None,
                };
                refused(context, &error, hint)
            }
        }
    }

    fn source(&self) -> Result<DecodeKey, Failure> {
        if let Some(path) = &self.secret_file {
            return Ok(DecodeKey::Plain(VerifyingKey::from_secret(read_secret(path)?)));
        }
        if let Some(path) = &self.jwks {
            let set = JwkSet::parse(read(path)?).map_err(|error| invalid_key(path, &error))?;
            return Ok(DecodeKey::Set(set, path.clone()));
        }
        let Some(path) = &self.key else { return Ok(DecodeKey::Nothing) };
        let bytes = decoded_key(read(path)?);
        Ok(if is_json(&bytes) {
            DecodeKey::Bound(
                Jwk::parse(bytes).map_err(JwtError::InvalidKey).and_then(|jwk| BoundKey::from_jwk(&jwk)),
            )
        } else if is_pem(&bytes) {
            DecodeKey::Plain(VerifyingKey::from_pem(bytes))
        } else {
            DecodeKey::Plain(VerifyingKey::from_der(bytes))
        })
    }

    fn validation(&self) -> Result<Validation, Failure> {
        let mut validation = Validation::new().leeway_seconds(self.leeway);
        validation = self.alg.iter().fold(validation, Validation::allow_name);
        validation = self.require.iter().fold(validation, Validation::require);
        validation = self.skip.iter().copied().fold(validation, Validation::skip);
        validation = self.check.iter().copied().fold(validation, Validation::check);
        validation = match self.audience.as_slice() {
            [] => validation,
            [one] => validation.audience(one),
            many => validation.audiences(many),
        };
        if !self.issuer.is_empty() {
            validation = validation.issuers(&self.issuer);
        }
        if let Some(subject) = &self.subject {
            validation = validation.subject(subject);
        }
        if self.strict_audience {
            validation = validation.strict_audience();
        }
        if self.enforce_key_length {
            validation = validation.enforce_key_strength();
        }
        if let Some(path) = &self.detached_payload {
            validation = validation.detached_payload(read(path)?);
        }
        if let Some(time) = self.at {
            validation = validation.clock(ManualClock::new(time));
        }
        Ok(validation)
    }
}

fn verify(
    token: &[u8],
    source: DecodeKey,
    validation: &Validation,
) -> Result<scitoken_jwt::Decoded, JwtError> {
    match source {
        DecodeKey::Nothing => scitoken_jwt::decode_complete(token, Key::none(), validation),
        // PyJWT reports a malformed token before an invalid key.
        DecodeKey::Plain(key) => {
            let choose =
                |_: &Object| key.as_ref().map(Key::from).map_err(|e| JwtError::InvalidKey(e.clone()));
            scitoken_jwt::decode_with(token, choose, validation)
        }
        DecodeKey::Bound(key) => scitoken_jwt::decode_complete(token, &key?, validation),
        DecodeKey::Set(set, path) => {
            let header = scitoken_jwt::unverified_header(token)?;
            let key = find(&set, &header).ok_or_else(|| JwtError::JwkClient {
                url: path.display().to_string(),
                key_id: header.text("kid").map(str::to_owned),
            })?;
            scitoken_jwt::decode_complete(token, &key, validation)
        }
    }
}

/// Returns the key that the header names; without a key id, the only one that fits the algorithm.
fn find(set: &JwkSet, header: &Object) -> Option<BoundKey> {
    let bind = |key: &Jwk| BoundKey::from_jwk(key).ok();
    let key_id = header.text("kid");
    if let Some(key_id) = key_id {
        let is_for_signatures = |key: &&Jwk| key.key_use().is_none_or(|key_use| key_use == "sig");
        return set.with_key_id(key_id).filter(is_for_signatures).find_map(bind);
    }
    let algorithm: Algorithm = header.text("alg")?.parse().ok()?;
    let mut candidates = set.candidates(None, algorithm);
    let (only, others) = (candidates.next()?, candidates.next());
    if others.is_some() { None } else { BoundKey::new(only.verifying_key().ok()?.clone(), algorithm).ok() }
}

fn check(name: &str) -> Result<ClaimCheck, String> {
    ClaimCheck::of_claim(name)
        .ok_or_else(|| "only exp, nbf, iat, aud, iss, sub and jti have checks".to_owned())
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if seconds.is_finite() { Ok(seconds) } else { Err("not a finite number of seconds".to_owned()) }
}

/// Parses a time as everywhere, and also fractions of seconds and times before 1970.
fn time(text: &str) -> Result<SystemTime, String> {
    let Ok(seconds) = text.parse::<f64>() else { return crate::time::parse(text) };
    let unreadable = || "out of range".to_owned();
    let distance = Duration::try_from_secs_f64(seconds.abs()).map_err(|_| unreadable())?;
    let time = if seconds < 0.0 {
        SystemTime::UNIX_EPOCH.checked_sub(distance)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(distance)
    };
    time.ok_or_else(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_or_dates() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds);
        assert_eq!(time("2000000000.5"), Ok(at(2_000_000_000.5)));
        assert_eq!(time("2033-05-18T03:33:20Z"), Ok(at(2_000_000_000.0)));
        assert_eq!(time("2033-05-18T05:33:20+02:00"), Ok(at(2_000_000_000.0)));
        assert_eq!(time("-0.5"), Ok(SystemTime::UNIX_EPOCH - Duration::from_millis(500)));
        for text in ["", "soon", "NaN", "1e300", "inf"] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
