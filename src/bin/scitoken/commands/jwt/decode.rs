//! `scitoken jwt decode`.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::Args;
use reqwest_scitokens::jwt::{self, BoundKey, Check, JwtError, Key, Object, Validation};
use reqwest_scitokens::keys::{Algorithm, Jwk, JwkSet, KeyError, VerifyingKey};
use reqwest_scitokens::sys::ManualClock;

use super::{is_json, is_pem, print, print_refusal, read, read_secret, read_token, refusal, unusable};
use crate::exit::Exit;
use crate::failure::Failure;

/// Verify a token and show its claims
///
/// The verdict is PyJWT's. The exit code is 0 for a good token and 1 for a refused one.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(super) struct Decode {
    /// The file with the token; `-` for standard input
    #[arg(value_name = "FILE", default_value = "-")]
    token: PathBuf,
    /// The file with the shared secret of HS256, HS384 and HS512
    #[arg(long, value_name = "FILE", group = "a_key")]
    secret_file: Option<PathBuf>,
    /// The file with the issuer's public key: PEM, DER, a certificate or a JWK
    #[arg(long, value_name = "FILE", group = "a_key")]
    key: Option<PathBuf>,
    /// The file with the issuer's key set
    #[arg(long, value_name = "FILE", group = "a_key")]
    jwks: Option<PathBuf>,
    /// An algorithm that is allowed; may be given several times
    #[arg(long, value_name = "NAME")]
    alg: Vec<String>,
    /// An audience of which the token must be for one; may be given several times
    #[arg(long)]
    audience: Vec<String>,
    /// The token must be for exactly the one audience given
    #[arg(long, alias = "strict-aud")]
    strict_audience: bool,
    /// An issuer of which the token must be from one; may be given several times
    #[arg(long)]
    issuer: Vec<String>,
    /// The subject that the token must be about, if it names one
    #[arg(long)]
    subject: Option<String>,
    /// How far the clocks may differ, in seconds
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true, default_value = "0", value_parser = seconds)]
    leeway: f64,
    /// Claims that must be there
    #[arg(long, value_name = "CLAIM", value_delimiter = ',')]
    require: Vec<String>,
    /// Claims that are not looked at: exp, nbf, iat, aud, iss, sub, jti
    #[arg(long, value_name = "CLAIM", value_delimiter = ',', value_parser = check)]
    skip: Vec<Check>,
    /// Claims that are looked at even without verifying the signature
    #[arg(long, value_name = "CLAIM", value_delimiter = ',', value_parser = check)]
    check: Vec<Check>,
    /// Read the token without verifying who signed it; its claims are not looked at either
    #[arg(long)]
    no_verify_signature: bool,
    /// Refuse keys that are shorter than their algorithm asks for
    #[arg(long)]
    enforce_key_length: bool,
    /// The file with the payload, where it does not travel in the token (RFC 7797)
    #[arg(long, value_name = "FILE")]
    detached_payload: Option<PathBuf>,
    /// The time to judge by, in seconds since 1970 or like 2033-05-18T03:33:20Z, instead of now
    #[arg(long, value_name = "TIME", allow_negative_numbers = true, value_parser = time)]
    at: Option<SystemTime>,
    /// Answer with one line of JSON, whatever the verdict
    #[arg(long)]
    json: bool,
}

/// What the token's signature is verified with.
enum Source {
    Nothing,
    Plain(Result<VerifyingKey, KeyError>),
    Bound(Result<BoundKey, JwtError>),
    Set(JwkSet, PathBuf),
}

impl Decode {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let source = self.source()?;
        let validation = self.validation()?;
        let token = read_token(&self.token)?;
        let is_keyless = matches!(source, Source::Nothing);
        let verdict = if self.no_verify_signature {
            jwt::decode_unverified(&token, &validation)
                .map(|token| (token.header().clone(), token.into_claims()))
        } else {
            verify(&token, source, &validation).map(|token| (token.header().clone(), token.into_claims()))
        };
        match (verdict, self.json) {
            (Ok((_, claims)), false) => print(&claims.to_string()),
            (Ok((header, claims)), true) => {
                print(&format!(r#"{{"ok":true,"header":{header},"payload":{claims},"claims":{claims}}}"#))
            }
            (Err(error), true) => print_refusal(&error),
            (Err(error), false) => Err(match &error {
                JwtError::InvalidKey(_) if is_keyless => {
                    refusal(&error).with_hint("name the key with `--secret-file`, `--key` or `--jwks`")
                }
                JwtError::Decode { .. } if self.alg.is_empty() => {
                    refusal(&error).with_hint("name the algorithms that you expect with `--alg`")
                }
                JwtError::InvalidAudience { .. } if self.audience.is_empty() => refusal(&error)
                    .with_hint("name the audience that you expect with `--audience`, or `--skip aud`"),
                _ => refusal(&error),
            }),
        }
    }

    fn source(&self) -> Result<Source, Failure> {
        if let Some(path) = &self.secret_file {
            return Ok(Source::Plain(VerifyingKey::from_secret(read_secret(path)?)));
        }
        if let Some(path) = &self.jwks {
            let set = JwkSet::parse(read(path)?).map_err(|error| unusable(path, &error))?;
            return Ok(Source::Set(set, path.clone()));
        }
        let Some(path) = &self.key else { return Ok(Source::Nothing) };
        let bytes = read(path)?;
        Ok(if is_json(&bytes) {
            Source::Bound(
                Jwk::parse(bytes).map_err(JwtError::InvalidKey).and_then(|jwk| BoundKey::from_jwk(&jwk)),
            )
        } else if is_pem(&bytes) {
            Source::Plain(VerifyingKey::from_pem(bytes))
        } else {
            Source::Plain(VerifyingKey::from_der(bytes))
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

fn verify(token: &[u8], source: Source, validation: &Validation) -> Result<jwt::Decoded, JwtError> {
    match source {
        Source::Nothing => jwt::decode_complete(token, Key::none(), validation),
        // What is wrong with the key is said when its turn comes, after the form of the token.
        Source::Plain(key) => {
            let choose =
                |_: &Object| key.as_ref().map(Key::from).map_err(|e| JwtError::InvalidKey(e.clone()));
            jwt::decode_with(token, choose, validation)
        }
        Source::Bound(key) => jwt::decode_complete(token, &key?, validation),
        Source::Set(set, path) => {
            let header = jwt::unverified_header(token)?;
            let key = find(&set, &header).ok_or_else(|| JwtError::JwkClient {
                url: path.display().to_string(),
                key_id: header.text("kid").map(str::to_owned),
            })?;
            jwt::decode_complete(token, &key, validation)
        }
    }
}

/// The key that the header names; without a name, the only one that its algorithm could mean.
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

fn check(name: &str) -> Result<Check, String> {
    Check::of_claim(name).ok_or_else(|| "only exp, nbf, iat, aud, iss, sub and jti are looked at".to_owned())
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if seconds.is_finite() { Ok(seconds) } else { Err("not a finite number of seconds".to_owned()) }
}

/// As everywhere, and also to the fraction of a second and before 1970, because a verdict can hang on that.
fn time(text: &str) -> Result<SystemTime, String> {
    let Ok(seconds) = text.parse::<f64>() else { return crate::commands::time::parse(text) };
    let unreadable = || "no time that can be told".to_owned();
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
