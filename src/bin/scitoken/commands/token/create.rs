//! `scitoken token create`.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::Args;
use reqwest_scitokens::Capability;
use reqwest_scitokens::keys::{Algorithm, Jwk, KeyError, KeyKind, SigningKey};
use reqwest_scitokens::scitokens::{ClaimValue, CreateError, Issuer, Profile, SciToken, TokenSigner};
use reqwest_scitokens::sys::ManualClock;
use serde_json::{Map, json};

use super::report::Format;
use crate::exit::Exit;
use crate::failure::Failure;

/// Make a token and print it
///
/// What the profile demands and does not depend on the user is filled in: its marker, the times, a fresh `jti`, and the
/// audience that means every server where none is given.
#[derive(Debug, Args)]
#[command(after_long_help = "Example:
  scitoken token create --key key.pem --kid 2026-11 --issuer https://issuer.example --claim sub=alice --scope read:/vo")]
pub(super) struct Create {
    /// The file with the issuer's private key: PEM (PKCS#8, PKCS#1 or SEC 1) or a JWK
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The algorithm to sign with; without it, RS256 for an RSA key and ES256 for one on P-256, which every verifier knows
    #[arg(long, visible_alias = "algorithm", value_name = "NAME", value_parser = crate::commands::keys::algorithm)]
    alg: Option<Algorithm>,
    /// The name of the key, by which verifiers find it; without it, the `kid` of a JWK
    #[arg(long, value_name = "NAME")]
    kid: Option<String>,
    /// Who makes the token: an https URL
    #[arg(long, value_name = "URL")]
    issuer: String,
    /// A claim; may be given several times. Its value is JSON if it reads as a number, a list, an object, true or
    /// false, else a text
    #[arg(long, value_name = "NAME=VALUE", value_parser = claim)]
    claim: Vec<(String, ClaimValue)>,
    /// What the token allows, such as `read:/data` or `storage.read:/vo`; may be given several times
    #[arg(long, value_name = "OP:PATH")]
    scope: Vec<Capability>,
    /// A server that the token is for; may be given several times
    #[arg(long)]
    audience: Vec<String>,
    /// How long the token lives, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "600")]
    lifetime: u64,
    /// scitokens1, scitokens2, wlcg, wlcg1.0 to wlcg1.3, or atjwt
    #[arg(long, value_name = "NAME", default_value = "scitokens2")]
    profile: Profile,
    /// When the token is made, in seconds since 1970 or like 2033-05-18T03:33:20Z, instead of now
    #[arg(long, value_name = "TIME", value_parser = crate::commands::time::parse)]
    at: Option<SystemTime>,
    #[command(flatten)]
    format: Format,
    /// Take a test issuer on this machine without TLS too
    #[arg(long)]
    insecure_test_issuer: bool,
}

impl Create {
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let report = self.format.report();
        report.run(|| {
            let signer = self.signer()?;
            let mut token =
                SciToken::new(self.profile, &self.issuer()?).lifetime(Duration::from_secs(self.lifetime));
            if let Some(at) = self.at {
                token = token.clock(ManualClock::new(at));
            }
            token = self.audience.iter().fold(token, |token, audience| token.audience(audience.as_str()));
            token = self.scope.iter().cloned().fold(token, SciToken::scope);
            for (name, value) in &self.claim {
                token.set(name, value.clone());
            }
            let token = token.sign(&signer).map_err(|error| failure(&error))?;
            let members = Map::from_iter([("token".to_owned(), json!(token.expose_secret()))]);
            report.yes(token.expose_secret(), members)
        })
    }

    fn issuer(&self) -> Result<Issuer, Failure> {
        let issuer = if self.insecure_test_issuer {
            Issuer::insecure_over_loopback_http(&self.issuer)
        } else {
            self.issuer.parse()
        };
        issuer.map_err(|error| Failure::from_error(Exit::Usage, &error))
    }

    fn signer(&self) -> Result<TokenSigner, Failure> {
        let bytes = fs_err::read(&self.key).map_err(|error| Failure::from_error(Exit::Local, &error))?;
        let unusable = |error: KeyError| {
            Failure::new(Exit::Local, format!("the key in `{}` cannot be used: {error}", self.key.display()))
        };
        let (key, own_name) = if bytes.trim_ascii_start().first() == Some(&b'{') {
            let jwk = Jwk::parse(&bytes).map_err(unusable)?;
            (jwk.signing_key().map_err(unusable)?, jwk.key_id().map(str::to_owned))
        } else {
            (SigningKey::from_pem(&bytes).map_err(unusable)?, None)
        };
        let signer = match self.alg {
            Some(algorithm) => TokenSigner::with_algorithm(key.clone(), algorithm),
            None => TokenSigner::new(key.clone()),
        };
        let signer = signer.map_err(|error| match error {
            KeyError::WrongKind { .. } => unusable(error).with_hint(could_do(&key)),
            other => unusable(other),
        })?;
        Ok(match self.kid.clone().or(own_name) {
            Some(name) => signer.with_key_id(name),
            None => signer,
        })
    }
}

/// What to do with a key that cannot do what was asked for.
fn could_do(key: &SigningKey) -> String {
    let names: Vec<String> = key.algorithms().iter().map(|algorithm| format!("`{algorithm}`")).collect();
    match key.kind() {
        KeyKind::Secret => {
            "a token is signed with a private key; `scitoken keys generate` makes one".to_owned()
        }
        _ => format!("the key can do {}: say which with `--alg`", names.join(", ")),
    }
}

fn failure(error: &CreateError) -> Failure {
    let failure = Failure::from_error(Exit::Usage, error);
    match error {
        CreateError::MissingClaim { claim: "scope", .. } => failure.with_hint("give it with `--scope`"),
        CreateError::MissingClaim { claim: "aud", .. } => failure.with_hint("give it with `--audience`"),
        CreateError::MissingClaim { claim, .. } => {
            failure.with_hint(format!("give it with `--claim {claim}=…`"))
        }
        CreateError::MissingKeyId => failure.with_hint("give it with `--kid`"),
        _ => failure,
    }
}

/// `name=value`. Texts that look like another type of JSON can be written with quotes.
fn claim(text: &str) -> Result<(String, ClaimValue), String> {
    let (name, value) = text.split_once('=').ok_or("a claim is written name=value")?;
    if name.is_empty() {
        return Err("a claim has a name before the `=`".to_owned());
    }
    // These are texts in every profile; a subject of digits is still a name.
    let is_text = matches!(name, "iss" | "sub" | "jti" | "scope" | "ver" | "wlcg.ver" | "client_id");
    let value =
        if is_text { value.into() } else { ClaimValue::from_json(value).unwrap_or_else(|_| value.into()) };
    Ok((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_what_it_looks_like() {
        assert_eq!(claim("sub=5"), Ok(("sub".to_owned(), "5".into())));
        assert_eq!(claim("n=5"), Ok(("n".to_owned(), 5_i64.into())));
        assert_eq!(claim("wlcg.groups=[\"/a\"]"), Ok(("wlcg.groups".to_owned(), vec!["/a"].into())));
        assert_eq!(claim("a=b=c"), Ok(("a".to_owned(), "b=c".into())));
        assert!(claim("novalue").is_err());
        assert!(claim("=x").is_err());
    }
}
