//! `scitoken token create`.

use std::path::PathBuf;
use std::str::FromStr as _;
use std::time::{Duration, SystemTime};

use clap::Args;
use scitoken_authz::{ClaimValue, CreateError, Issuer, Profile, SciToken, TokenSigner};
use scitoken_jwt::keys::{Algorithm, Jwk, KeyError, KeyKind, SigningKey};
use scitoken_types::Capability;
use scitoken_types::sys::ManualClock;
use serde_json::json;

use crate::args::{PROFILES, SIGNATURES, ScopeList, parse_algorithm, suggested};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::output;

/// Make a token and print it
///
/// Adds what the profile requires: its version claim, the times, a new `jti`, and the audience that means every server if
/// none is given.
#[derive(Debug, Args)]
#[command(after_long_help = "Example:
  scitoken token create --key key.pem --kid 2026-11 --issuer https://issuer.example --claim sub=alice --scope read:/vo")]
pub(super) struct Create {
    /// File with the issuer's private key: PEM (PKCS#8, PKCS#1 or SEC 1) or a JWK
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Signature algorithm [default: RS256 for an RSA key, ES256 for a P-256 key]
    #[arg(long, value_name = "ALGORITHM", hide_possible_values = true,
          value_parser = suggested(SIGNATURES, parse_algorithm))]
    alg: Option<Algorithm>,
    /// Key id for the header [default: the `kid` of a JWK]
    #[arg(long, value_name = "KID")]
    kid: Option<String>,
    /// Issuer: an https URL
    #[arg(long, value_name = "URL")]
    issuer: String,
    /// Claim; repeatable. The value is a string unless it is valid JSON
    #[arg(long, value_name = "NAME=VALUE", value_parser = claim)]
    claim: Vec<(String, ClaimValue)>,
    /// Scopes such as `read:/data` or `storage.read:/vo`, separated by blanks; repeatable
    #[arg(long, value_name = "OP:PATH")]
    scope: Vec<ScopeList<Capability>>,
    /// Audience; repeatable
    #[arg(long, value_name = "AUDIENCE")]
    audience: Vec<String>,
    /// Lifetime
    #[arg(long, value_name = "SECONDS", default_value = "600")]
    lifetime: u64,
    /// Profile: scitokens1, scitokens2, wlcg, wlcg1.0 to wlcg1.3, or at+jwt
    #[arg(long, value_name = "NAME", default_value = "scitokens2", hide_possible_values = true,
          value_parser = suggested(PROFILES, Profile::from_str))]
    profile: Profile,
    /// Issue the token as of this time: seconds since 1970, or like 2033-05-18T03:33:20Z [default: now]
    #[arg(long, value_name = "TIME", allow_negative_numbers = true, value_parser = crate::time::parse)]
    at: Option<SystemTime>,
    /// Also accept a test issuer on this machine without TLS
    #[arg(long)]
    insecure_test_issuer: bool,
}

impl Create {
    pub(super) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let signer = self.signer()?;
        let mut token =
            SciToken::new(self.profile, &self.issuer()?).lifetime(Duration::from_secs(self.lifetime));
        if let Some(at) = self.at {
            token = token.clock(ManualClock::new(at));
        }
        token = self.audience.iter().fold(token, |token, audience| token.audience(audience.as_str()));
        token = self.scopes().cloned().fold(token, SciToken::scope);
        self.warn_of_unknown_scopes();
        for (name, value) in &self.claim {
            token.set(name, value.clone());
        }
        let token = token.sign(&signer).map_err(|error| {
            let failure = failure(&error);
            match self.scope_hint() {
                Some(hint) if failure.hint().is_none() => failure.with_hint(hint),
                _ => failure,
            }
        })?;
        let secret = token.expose_secret();
        context.output.data(secret, json!({ "token": secret }))?;
        Ok(Exit::Ok)
    }

    fn scopes(&self) -> impl Iterator<Item = &Capability> {
        self.scope.iter().flat_map(|list| &list.0)
    }

    /// Returns how to write the first scope that lacks its path in the form of the profile.
    fn scope_hint(&self) -> Option<String> {
        let is_bare = |scope: &&Capability| {
            let name = scope.authorization();
            scope.path().is_none() && (matches!(name, "read" | "write") || name.starts_with("storage."))
        };
        let scope = self.scopes().find(is_bare)?.authorization();
        let is_wlcg = self.profile.to_string().to_ascii_lowercase().contains("wlcg");
        let name = match scope {
            "read" if is_wlcg => "storage.read",
            "write" if is_wlcg => "storage.modify",
            other => other,
        };
        Some(format!(
            "a scope of profile {} names a path: write `{name}:/` for all paths, or `{name}:/vo` for those below `/vo`",
            self.profile
        ))
    }

    /// Warns about scopes that verifiers of the profile do not know.
    fn warn_of_unknown_scopes(&self) {
        let profile = self.profile.to_string().to_ascii_lowercase();
        let (is_wlcg, is_scitokens) = (profile.contains("wlcg"), profile.contains("scitokens"));
        for scope in self.scopes() {
            let scope = scope.to_string();
            let name = scope.split(':').next().unwrap_or_default();
            let is_of_wlcg = ["storage.", "compute.", "wlcg"].iter().any(|start| name.starts_with(start));
            let is_of_scitokens = matches!(name, "read" | "write" | "queue" | "execute" | "condor");
            let (profile, other) = match (is_wlcg, is_of_scitokens, is_scitokens && is_of_wlcg) {
                (true, true, _) => ("WLCG", "storage.read, storage.create, storage.modify, storage.stage"),
                (false, _, true) => ("SciTokens", "read, write"),
                _ => continue,
            };
            output::warn(&format!(
                "verifiers of {profile} tokens do not know the scope `{scope}`; they know {other}"
            ));
        }
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
        let bytes = files::read_key(&self.key)?;
        let unusable = |error: KeyError| {
            Failure::new(Exit::Local, format!("invalid key in `{}`: {error}", self.key.display()))
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
            KeyError::WrongKind { .. } => unusable(error).with_hint(fitting_algorithms(&key)),
            other => unusable(other),
        })?;
        Ok(match self.kid.clone().or(own_name) {
            Some(name) => signer.with_key_id(name),
            None => signer,
        })
    }
}

/// Returns the hint for a key that does not fit the algorithm.
fn fitting_algorithms(key: &SigningKey) -> String {
    let names: Vec<String> = key.algorithms().iter().map(|algorithm| format!("`{algorithm}`")).collect();
    match key.kind() {
        KeyKind::Secret => "a token needs a private key; `scitoken keys generate` makes one".to_owned(),
        _ => format!("the key fits {}: pass one with `--alg`", names.join(", ")),
    }
}

fn failure(error: &CreateError) -> Failure {
    let failure = Failure::from_error(Exit::Usage, error);
    match error {
        CreateError::MissingClaim { claim: "scope", .. } => failure.with_hint("pass `--scope`"),
        CreateError::MissingClaim { claim: "aud", .. } => failure.with_hint("pass `--audience`"),
        CreateError::MissingClaim { claim, .. } => failure.with_hint(format!("pass `--claim {claim}=…`")),
        CreateError::MissingKeyId => failure.with_hint("pass `--kid`"),
        _ => failure,
    }
}

/// Parses `name=value`. A string that is valid JSON of another type is written with quotes.
fn claim(text: &str) -> Result<(String, ClaimValue), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    if name.is_empty() {
        return Err("the name before `=` is empty".to_owned());
    }
    // These are strings in every profile, even if they consist of digits.
    let is_text = matches!(name, "iss" | "sub" | "jti" | "scope" | "ver" | "wlcg.ver" | "client_id");
    let value =
        if is_text { value.into() } else { ClaimValue::from_json(value).unwrap_or_else(|_| value.into()) };
    Ok((name.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_has_the_type_of_its_json() {
        assert_eq!(claim("sub=5"), Ok(("sub".to_owned(), "5".into())));
        assert_eq!(claim("n=5"), Ok(("n".to_owned(), 5_i64.into())));
        assert_eq!(claim("wlcg.groups=[\"/a\"]"), Ok(("wlcg.groups".to_owned(), vec!["/a"].into())));
        assert_eq!(claim("a=b=c"), Ok(("a".to_owned(), "b=c".into())));
        assert!(claim("novalue").is_err());
        assert!(claim("=x").is_err());
    }
}
