//! Which issuers a command trusts, and with which keys.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::Args;
use scitoken_authz::{
    AuthorizationError, Issuer, KeyCache, OfflineVerifier, Profile, VerifiedToken, Verifier, VerifierBuilder,
    VerifyError,
};
use scitoken_jwt::keys::{Algorithm, Jwk, JwkSet, KeyError, VerifyingKey};
use scitoken_types::AccessToken;
use scitoken_types::sys::{Clock as _, ManualClock, SharedClock, SystemClock};

use crate::args::{KeyCacheArgs, SIGNATURES, parse_algorithm, suggested};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::files;
use crate::key_failure::key_failure;
use crate::key_session::key_session;
use crate::runtime::block_on;

/// Which issuers are trusted, and when.
#[derive(Debug, Args)]
pub(super) struct TrustArgs {
    /// Trusted issuer; repeatable [default: for `verify` and `show`, the token's issuer]
    #[arg(long, value_name = "URL")]
    issuer: Vec<String>,
    /// File with the issuer's public key (PEM, certificate or JWK), instead of fetching keys
    #[arg(long, value_name = "FILE", group = "given_keys")]
    key: Option<PathBuf>,
    /// File with the issuer's key set, instead of fetching keys
    #[arg(long, value_name = "FILE", group = "given_keys")]
    jwks: Option<PathBuf>,
    /// Accept only this profile: scitokens1, scitokens2, wlcg or at+jwt; repeatable
    #[arg(long, value_name = "NAME")]
    profile: Vec<Profile>,
    /// Accept signatures of this algorithm; repeatable [default: RS256 and ES256]
    #[arg(long, value_name = "ALGORITHM", hide_possible_values = true,
          value_parser = suggested(SIGNATURES, parse_algorithm))]
    alg: Vec<Algorithm>,
    /// Verify as of this time: seconds since 1970, or like 2033-05-18T03:33:20Z [default: now]
    #[arg(long, value_name = "TIME", allow_negative_numbers = true, value_parser = crate::time::parse)]
    at: Option<SystemTime>,
    /// Tolerate clocks that differ by so many seconds, for `exp`, `nbf` and `iat`; at most 300
    #[arg(long, value_name = "SECONDS", default_value_t = 0, allow_negative_numbers = true,
          value_parser = clap::value_parser!(u64).range(..=300))]
    leeway: u64,
    #[command(flatten)]
    keys: KeyCacheArgs,
    /// Also trust a test issuer on this machine without TLS; every user of this machine can impersonate it
    #[arg(long)]
    insecure_test_issuer: bool,
}

/// The outcome of a verification.
pub(super) enum TokenVerdict {
    Valid(VerifiedToken),
    Refused(AuthorizationError),
}

impl TrustArgs {
    /// Returns how much clocks may differ.
    pub(super) fn leeway(&self) -> Duration {
        Duration::from_secs(self.leeway)
    }

    /// Returns the clock to verify with.
    pub(super) fn clock(&self) -> SharedClock {
        self.at.map_or_else(SharedClock::default, |at| ManualClock::new(at).into())
    }

    /// Fails if neither an issuer nor a key is given. A token can name any issuer, so trusting that one proves nothing.
    pub(super) fn require_issuer(&self) -> Result<(), Failure> {
        if self.issuer.is_empty() && self.key.is_none() && self.jwks.is_none() {
            return Err(Failure::new(Exit::Usage, "no trusted issuer given")
                .with_hint("pass `--issuer URL`, or the issuer's keys with `--jwks` or `--key`"));
        }
        Ok(())
    }

    /// Returns the trusted issuers: those given, or the one that the token names.
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
        let exit = if self.issuer.is_empty() { Exit::No } else { Exit::Usage };
        text.parse().map_err(|error| Failure::from_error(exit, &error))
    }

    pub(super) fn verify(&self, context: &Context, token: &AccessToken) -> Result<TokenVerdict, Failure> {
        let mut issuers = self.issuers(token)?.into_iter();
        let Some(first) = issuers.next() else {
            // Neither the user nor the token names an issuer, so the token is malformed.
            return Ok(TokenVerdict::Refused(self.without_issuer(token)));
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
            None => match self.online(context, first, issuers, token)? {
                Ok(token) => Ok(token),
                Err(VerifyError::Token(refusal)) => Err(refusal),
                Err(error) => return Err(key_failure(&error)),
            },
        };
        Ok(verdict.map_or_else(TokenVerdict::Refused, TokenVerdict::Valid))
    }

    /// Verifies with the given keys or the cached ones, without a request; `None` if there are none.
    pub(super) fn verify_if_possible(
        &self,
        context: &Context,
        token: &AccessToken,
    ) -> Result<Option<TokenVerdict>, Failure> {
        if self.given_keys()?.is_some() {
            return self.verify(context, token).map(Some);
        }
        let (Ok(mut issuers), Some(cache)) = (self.issuers(token), self.keys.cache()) else {
            return Ok(None);
        };
        let Some(issuer) = issuers.pop() else { return Ok(None) };
        let cached = cache.list().unwrap_or_default();
        // The age of cached keys is measured with the system clock, which wrote them, whatever `--at` says about the token.
        let now = SystemClock.now();
        let keys = cached.iter().find(|(name, keys)| name == issuer.as_str() && keys.is_valid_at(now));
        let Some(keys) = keys.and_then(|(_, keys)| JwkSet::parse(keys.jwks()).ok()) else { return Ok(None) };
        let verdict = self.offline(OfflineVerifier::new(issuer, keys), token);
        Ok(Some(verdict.map_or_else(TokenVerdict::Refused, TokenVerdict::Valid)))
    }

    fn offline(
        &self,
        verifier: OfflineVerifier,
        token: &AccessToken,
    ) -> Result<VerifiedToken, AuthorizationError> {
        let verifier =
            verifier.profiles(self.profile.iter().copied()).clock(self.clock()).leeway(self.leeway());
        let verifier =
            if self.alg.is_empty() { verifier } else { verifier.algorithms(self.alg.iter().copied()) };
        verifier.verify(token.expose_secret())
    }

    fn online(
        &self,
        context: &Context,
        first: Issuer,
        others: impl Iterator<Item = Issuer>,
        token: &AccessToken,
    ) -> Result<Result<VerifiedToken, VerifyError>, Failure> {
        let session = key_session(context, &self.keys.authorities)?;
        let mut builder = Verifier::builder(first, session.http_client().clone())
            .profiles(self.profile.iter().copied())
            .clock(self.clock())
            .leeway(self.leeway())
            .key_cache(self.cache_for_fetched_keys());
        if !self.alg.is_empty() {
            builder = builder.algorithms(self.alg.iter().copied());
        }
        let verifier = others.fold(builder, VerifierBuilder::issuer).build();
        block_on(verifier.verify(token.expose_secret()))
    }

    /// Returns the user's cache, unless `--at` is given: keys fetched with that clock must not enter the cache.
    fn cache_for_fetched_keys(&self) -> KeyCache {
        let cache = if self.at.is_some() { None } else { self.keys.cache() };
        cache.unwrap_or_default()
    }

    /// Returns the refusal of a token without an issuer.
    fn without_issuer(&self, token: &AccessToken) -> AuthorizationError {
        let Ok(placeholder) = "https://invalid".parse::<Issuer>() else {
            return AuthorizationError::MissingClaim { claim: "iss".into() };
        };
        let verifier = OfflineVerifier::new(placeholder, JwkSet::default());
        let outcome = self.offline(verifier, token);
        outcome.err().unwrap_or(AuthorizationError::MissingClaim { claim: "iss".into() })
    }

    fn given_keys(&self) -> Result<Option<Given>, Failure> {
        let unusable = |path: &PathBuf, error: &dyn std::error::Error| {
            Failure::new(Exit::Local, format!("invalid key in `{}`: {error}", path.display()))
        };
        if let Some(path) = &self.jwks {
            let keys = JwkSet::parse(read(path)?).map_err(|error| unusable(path, &error))?;
            return Ok(Some(Given::Set(keys)));
        }
        let Some(path) = &self.key else { return Ok(None) };
        let bytes = files::read_key(path)?;
        let key = if bytes.trim_ascii_start().first() == Some(&b'{') {
            Jwk::parse(&bytes).and_then(|jwk| jwk.verifying_key().cloned())
        } else {
            VerifyingKey::from_pem(&bytes)
        };
        key.map(|key| Some(Given::Key(key))).map_err(|error| match error {
            KeyError::IsSet => unusable(path, &error).with_hint("pass it with `--jwks`"),
            error => unusable(path, &error),
        })
    }
}

enum Given {
    Key(VerifyingKey),
    Set(JwkSet),
}

fn read(path: &PathBuf) -> Result<Vec<u8>, Failure> {
    files::read(path)
}
