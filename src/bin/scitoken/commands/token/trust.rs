//! Whose tokens a command believes, and with which keys.

use std::path::PathBuf;
use std::time::SystemTime;

use clap::Args;
use reqwest_scitokens::AccessToken;
use reqwest_scitokens::keys::{Algorithm, Jwk, JwkSet, VerifyingKey};
use reqwest_scitokens::scitokens::{
    Issuer, KeyCache, KeysError, OfflineVerifier, Profile, Refusal, VerifiedToken, Verifier, VerifierBuilder,
    VerifyError,
};
use reqwest_scitokens::sys::{Clock as _, ManualClock, SharedClock, SystemClock};

use crate::exit::Exit;
use crate::failure::Failure;

/// Whom to trust, and when.
#[derive(Debug, Args)]
pub(super) struct Trust {
    /// An issuer that is trusted; may be given several times. Where none has to be named, the
    /// one that the token names
    #[arg(long, value_name = "URL")]
    issuer: Vec<String>,
    /// The file with the issuer's public key (PEM, a certificate, or a JWK); nothing is fetched then
    #[arg(long, value_name = "FILE", group = "given_keys")]
    key: Option<PathBuf>,
    /// The file with the issuer's key set; nothing is fetched then
    #[arg(long, value_name = "FILE", group = "given_keys")]
    jwks: Option<PathBuf>,
    /// The only profile that is accepted: scitokens1, scitokens2, wlcg, or atjwt; may be given several times
    #[arg(long, value_name = "NAME")]
    profile: Vec<Profile>,
    /// An algorithm whose signatures are accepted; may be given several times. Without it, RS256 and ES256
    #[arg(long, value_name = "NAME", value_parser = super::super::keys::algorithm)]
    alg: Vec<Algorithm>,
    /// The time to judge by, in seconds since 1970 or like 2033-05-18T03:33:20Z, instead of now
    #[arg(long, value_name = "TIME", value_parser = crate::commands::time::parse)]
    at: Option<SystemTime>,
    #[command(flatten)]
    network: super::super::keys::Network,
    /// Believe a test issuer on this machine without TLS too, where everybody on this machine could answer
    #[arg(long)]
    insecure_test_issuer: bool,
}

/// What came of the verification.
pub(super) enum Verdict {
    Good(VerifiedToken),
    Refused(Refusal),
}

impl Trust {
    /// The clock to judge by.
    pub(super) fn clock(&self) -> SharedClock {
        self.at.map_or_else(SharedClock::default, |at| ManualClock::new(at).into())
    }

    /// Refuses to go on where nobody was named whose tokens count. A token can name any issuer, so one that is asked about
    /// its own issuer is always right.
    pub(super) fn must_be_named(&self) -> Result<(), Failure> {
        if self.issuer.is_empty() && self.key.is_none() && self.jwks.is_none() {
            return Err(Failure::new(Exit::Usage, "it is not said whose tokens count").with_hint(
                "name the issuers that you trust with `--issuer`, or give the issuer's keys with `--jwks` or `--key`",
            ));
        }
        Ok(())
    }

    /// The issuers that are trusted; the one that the token names where the user names none.
    pub(super) fn issuers(&self, token: &AccessToken) -> Result<Vec<Issuer>, Failure> {
        let named = token.claims().and_then(|claims| claims.issuer().map(str::to_owned));
        let texts = if self.issuer.is_empty() { named.into_iter().collect() } else { self.issuer.clone() };
        texts.iter().map(|text| self.parse(text)).collect()
    }

    fn parse(&self, text: &str) -> Result<Issuer, Failure> {
        if self.insecure_test_issuer {
            return Issuer::insecure_over_loopback_http(text)
                .map_err(|error| Failure::from_error(Exit::Usage, &error));
        }
        let exit = if self.issuer.is_empty() { Exit::Refused } else { Exit::Usage };
        text.parse().map_err(|error| Failure::from_error(exit, &error))
    }

    pub(super) fn verify(&self, token: &AccessToken) -> Result<Verdict, Failure> {
        let mut issuers = self.issuers(token)?.into_iter();
        let Some(first) = issuers.next() else {
            // No issuer is named anywhere: the token is malformed, and the rules say how.
            return Ok(Verdict::Refused(self.without_issuer(token)));
        };
        let verdict = match self.given_keys()? {
            Some(Given::Key(key)) => {
                let verifier = OfflineVerifier::with_key(first, &key);
                let trust_too = |verifier: OfflineVerifier, issuer| verifier.issuer_with_key(issuer, &key);
                self.offline(issuers.fold(verifier, trust_too), token)
            }
            Some(Given::Set(keys)) => {
                let verifier = OfflineVerifier::new(first, keys.clone());
                let trust_too = |verifier: OfflineVerifier, issuer| verifier.issuer(issuer, keys.clone());
                self.offline(issuers.fold(verifier, trust_too), token)
            }
            None => match self.online(first, issuers, token)? {
                Ok(token) => Ok(token),
                Err(VerifyError::Refused(refusal)) => Err(refusal),
                Err(error) => return Err(keys_failure(&error)),
            },
        };
        Ok(verdict.map_or_else(Verdict::Refused, Verdict::Good))
    }

    /// The keys that are at hand without asking anybody: given ones, or those of the key cache.
    pub(super) fn verify_if_possible(&self, token: &AccessToken) -> Result<Option<Verdict>, Failure> {
        if self.given_keys()?.is_some() {
            return self.verify(token).map(Some);
        }
        let (Ok(mut issuers), Some(cache)) = (self.issuers(token), self.network.cache()) else {
            return Ok(None);
        };
        let Some(issuer) = issuers.pop() else { return Ok(None) };
        let cached = cache.list().unwrap_or_default();
        // The age of keys is judged by the real clock, which kept them, whatever `--at` says about the token.
        let now = SystemClock.now();
        let keys = cached.iter().find(|(name, keys)| name == issuer.as_str() && keys.are_good_at(now));
        let Some(keys) = keys.and_then(|(_, keys)| JwkSet::parse(keys.jwks()).ok()) else { return Ok(None) };
        let verdict = self.offline(OfflineVerifier::new(issuer, keys), token);
        Ok(Some(verdict.map_or_else(Verdict::Refused, Verdict::Good)))
    }

    fn offline(&self, verifier: OfflineVerifier, token: &AccessToken) -> Result<VerifiedToken, Refusal> {
        let verifier = verifier.profiles(self.profile.iter().copied()).clock(self.clock());
        let verifier =
            if self.alg.is_empty() { verifier } else { verifier.algorithms(self.alg.iter().copied()) };
        verifier.verify(token.expose_secret())
    }

    fn online(
        &self,
        first: Issuer,
        others: impl Iterator<Item = Issuer>,
        token: &AccessToken,
    ) -> Result<Result<VerifiedToken, VerifyError>, Failure> {
        let session = self.network.session()?;
        let mut builder = Verifier::builder(first, session.client().clone())
            .profiles(self.profile.iter().copied())
            .clock(self.clock())
            .key_cache(self.cache_for_fetched_keys());
        if !self.alg.is_empty() {
            builder = builder.algorithms(self.alg.iter().copied());
        }
        let verifier = others.fold(builder, VerifierBuilder::issuer).build();
        Ok(super::super::keys::runtime()?.block_on(verifier.verify(token.expose_secret())))
    }

    /// The user's cache, unless the time is a made-up one: what is fetched then would be kept by a wrong clock for
    /// everybody else.
    fn cache_for_fetched_keys(&self) -> KeyCache {
        let cache = if self.at.is_some() { None } else { self.network.cache() };
        cache.unwrap_or_default()
    }

    /// The refusal of a token that does not say who made it.
    fn without_issuer(&self, token: &AccessToken) -> Refusal {
        let Ok(nobody) = "https://invalid".parse::<Issuer>() else { return Refusal::NotJwt };
        let verifier = OfflineVerifier::new(nobody, JwkSet::default());
        let outcome = self.offline(verifier, token);
        outcome.err().unwrap_or(Refusal::MissingClaim { claim: "iss".into() })
    }

    fn given_keys(&self) -> Result<Option<Given>, Failure> {
        let unusable = |path: &PathBuf, error: &dyn std::error::Error| {
            Failure::new(Exit::Local, format!("the key in `{}` cannot be used: {error}", path.display()))
        };
        if let Some(path) = &self.jwks {
            let keys = JwkSet::parse(read(path)?).map_err(|error| unusable(path, &error))?;
            return Ok(Some(Given::Set(keys)));
        }
        let Some(path) = &self.key else { return Ok(None) };
        let bytes = read(path)?;
        let key = if bytes.trim_ascii_start().first() == Some(&b'{') {
            Jwk::parse(&bytes).and_then(|jwk| jwk.verifying_key().cloned())
        } else {
            VerifyingKey::from_pem(&bytes)
        };
        key.map(|key| Some(Given::Key(key))).map_err(|error| unusable(path, &error))
    }
}

enum Given {
    Key(VerifyingKey),
    Set(JwkSet),
}

fn read(path: &PathBuf) -> Result<Vec<u8>, Failure> {
    fs_err::read(path).map_err(|error| Failure::from_error(Exit::Local, &error))
}

/// The keys are not to be had; the exit code says whether it is worth trying again.
pub(crate) fn keys_failure(error: &VerifyError) -> Failure {
    let exit = match error {
        VerifyError::Keys { source, .. } => match &**source {
            KeysError::Fetch(error) if error.is_timeout() => Exit::Timeout,
            KeysError::Fetch(error) if error.status().is_none() && error.is_transient() => Exit::Connect,
            _ => Exit::Server,
        },
        _ => Exit::Refused,
    };
    Failure::from_error(exit, error)
        .with_hint("give the issuer's keys with `--jwks` or `--key` to verify without asking it")
}
