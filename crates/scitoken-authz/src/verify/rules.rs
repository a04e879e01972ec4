//! The rules of every verifier for a token and a key set, without clock, disk or network.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use crate::error::list;
use crate::jws::{JwsHeader, JwsParts};
use crate::{AuthorizationError, Claims, Profile, VerifiedToken};
use scitoken_jwt::keys::{Algorithm, Jwk, JwkSet, KeyError, KeyKind, VerifyingKey};
use scitoken_types::redact;

/// How many keys of the same `kid` are tried.
const MOST_KEYS_OF_ONE_NAME: usize = 4;

/// What a verifier requires of every token.
#[derive(Clone, Debug)]
pub(super) struct VerificationRules {
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) profiles: Vec<Profile>,
    pub(super) kid_policy: KidPolicy,
    pub(super) leeway: Duration,
}

/// What to do with a token that does not name its key (`kid`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum KidPolicy {
    /// Verify it with the only key of its issuer that fits its algorithm. With several, refuse it.
    #[default]
    Optional,
    /// Refuse it, as the WLCG profile requires.
    Required,
}

impl Default for VerificationRules {
    fn default() -> Self {
        Self {
            algorithms: vec![Algorithm::Rs256, Algorithm::Es256],
            profiles: Vec::new(),
            kid_policy: KidPolicy::default(),
            leeway: Duration::ZERO,
        }
    }
}

/// How the key of a token is found in a key set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyLookup {
    ByName,
    Only,
}

/// A parsed token that is not verified.
pub(super) struct ParsedToken<'t> {
    signed: &'t [u8],
    signature: Vec<u8>,
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<String>,
    claims: Claims,
}

impl ParsedToken<'_> {
    /// Returns the issuer that the token claims.
    pub(super) fn issuer(&self) -> Result<&str, AuthorizationError> {
        self.claims.issuer().ok_or_else(|| AuthorizationError::missing("iss"))
    }

    /// Returns whether the keys include one that could have signed this token.
    pub(super) fn has_key_in(&self, keys: &JwkSet) -> bool {
        keys.candidates(self.key_id.as_deref(), self.algorithm).next().is_some()
    }
}

#[cfg(feature = "jsonwebtoken")]
impl ParsedToken<'_> {
    /// Returns the key that the token was signed with, as verified by this function.
    pub(super) fn key_in(
        &self,
        keys: &JwkSet,
        verify: VerifySignature,
    ) -> Result<VerifyingKey, AuthorizationError> {
        signing_key(self, keys, KeyLookup::ByName, verify)
    }
}

/// A verified token and the key that verified it.
pub(super) struct Verified {
    pub(super) token: VerifiedToken,
    pub(super) key: VerifyingKey,
    pub(super) key_id: Option<String>,
    pub(super) algorithm: Algorithm,
}

impl VerificationRules {
    /// Sets the accepted algorithms without HMAC: a shared secret would let every verifier sign.
    pub(super) fn set_algorithms(&mut self, algorithms: impl IntoIterator<Item = Algorithm>) {
        let is_asymmetric = |algorithm: &Algorithm| algorithm.key_kind() != KeyKind::Secret;
        self.algorithms = algorithms.into_iter().filter(is_asymmetric).collect();
    }

    /// Parses a token and checks what needs no key.
    pub(super) fn parse<'t>(&self, token: &'t str) -> Result<ParsedToken<'t>, AuthorizationError> {
        let parts = JwsParts::split(token)?;
        let header = JwsHeader::parse(&parts.header)?;
        // The header selects among the configured algorithms only, and the key must support the one selected.
        let algorithm = header.algorithm.parse().ok().filter(|known| self.algorithms.contains(known));
        let algorithm = algorithm.ok_or_else(|| AuthorizationError::Algorithm {
            algorithm: redact::text(&header.algorithm),
            accepted: list(&self.algorithms),
        })?;
        if header.key_id.is_none() && self.kid_policy == KidPolicy::Required {
            return Err(AuthorizationError::missing("kid"));
        }
        let claims = Claims::parse(parts.payload, header.typ.as_deref())?;
        let key_id = header.key_id.map(std::borrow::Cow::into_owned);
        Ok(ParsedToken { signed: parts.signed, signature: parts.signature, algorithm, key_id, claims })
    }

    /// Returns the usable key with this `kid`.
    #[cfg(feature = "jsonwebtoken")]
    pub(super) fn key_by_id(
        &self,
        keys: &JwkSet,
        key_id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<VerifyingKey, AuthorizationError> {
        if !self.algorithms.contains(&algorithm) {
            let accepted = list(&self.algorithms);
            return Err(AuthorizationError::Algorithm { algorithm: algorithm.to_string(), accepted });
        }
        let candidates = keys.candidates(key_id, algorithm).count();
        if key_id.is_none() && candidates > 1 {
            return Err(AuthorizationError::AmbiguousKey { candidates });
        }
        let mut failure = None;
        for jwk in keys.candidates(key_id, algorithm).take(MOST_KEYS_OF_ONE_NAME) {
            match usable_key(jwk, algorithm) {
                Ok(key) => return Ok(key.clone()),
                Err(reason) => {
                    let key_id = jwk.key_id().map(redact::text);
                    failure = Some(AuthorizationError::UnusableKey { key_id, reason });
                }
            }
        }
        Err(failure.unwrap_or_else(|| unknown_key(key_id, algorithm, keys)))
    }

    /// Verifies the signature with a key of the issuer, then checks what the profile requires.
    pub(super) fn verify(
        &self,
        parsed: ParsedToken<'_>,
        keys: &JwkSet,
        lookup: KeyLookup,
        now: SystemTime,
    ) -> Result<Verified, AuthorizationError> {
        let key = signing_key(&parsed, keys, lookup, VerifyingKey::verify)?;
        let claims = parsed.claims;
        claims.check_required()?;
        if !self.profiles.is_empty()
            && !self.profiles.iter().any(|known| known.is_same_kind(claims.profile()))
        {
            return Err(AuthorizationError::ProfileNotAccepted {
                profile: claims.profile(),
                accepted: list(&self.profiles),
            });
        }
        claims.check_times(now, self.leeway)?;
        let token = VerifiedToken::new(claims, parsed.key_id.clone());
        Ok(Verified { token, key, key_id: parsed.key_id, algorithm: parsed.algorithm })
    }
}

/// Verifies a signature by this key over this message: [`VerifyingKey::verify`], or a function with the same verdict.
pub(super) type VerifySignature = fn(&VerifyingKey, Algorithm, &[u8], &[u8]) -> Result<(), KeyError>;

/// Returns the key that verifies the token's signature.
fn signing_key(
    parsed: &ParsedToken<'_>,
    keys: &JwkSet,
    lookup: KeyLookup,
    verify: VerifySignature,
) -> Result<VerifyingKey, AuthorizationError> {
    let key_id = parsed.key_id.as_deref().filter(|_| lookup == KeyLookup::ByName);
    let mut candidates = keys.candidates(key_id, parsed.algorithm);
    let first =
        candidates.next().ok_or_else(|| unknown_key(parsed.key_id.as_deref(), parsed.algorithm, keys))?;
    let others: Vec<_> = candidates.take(MOST_KEYS_OF_ONE_NAME - 1).collect();
    if key_id.is_none() && !others.is_empty() {
        let candidates = keys.candidates(None, parsed.algorithm).count();
        return Err(AuthorizationError::AmbiguousKey { candidates });
    }
    let mut failure = None;
    for jwk in std::iter::once(first).chain(others) {
        match usable_key(jwk, parsed.algorithm) {
            Ok(key) if verify(key, parsed.algorithm, parsed.signed, &parsed.signature).is_ok() => {
                return Ok(key.clone());
            }
            Ok(_) => failure = Some(AuthorizationError::Signature),
            Err(reason) => {
                let key_id = jwk.key_id().map(redact::text);
                failure = failure.or(Some(AuthorizationError::UnusableKey { key_id, reason }));
            }
        }
    }
    Err(failure.unwrap_or_else(|| unknown_key(parsed.key_id.as_deref(), parsed.algorithm, keys)))
}

/// Returns the key of a JWK, or why it is malformed or too weak.
fn usable_key(jwk: &Jwk, algorithm: Algorithm) -> Result<&VerifyingKey, String> {
    let key = jwk.verifying_key().map_err(|error| error.to_string())?;
    key.weakness(algorithm).map_or(Ok(key), |weakness| Err(weakness.to_string()))
}

fn unknown_key(key_id: Option<&str>, algorithm: Algorithm, keys: &JwkSet) -> AuthorizationError {
    let namesake = key_id.and_then(|key_id| keys.with_key_id(key_id).next());
    let mut names = keys.iter().filter_map(Jwk::key_id).map(redact::text).peekable();
    let mut published = match names.peek() {
        Some(_) => format!("it publishes {}", list(names)),
        None => format!("it publishes {} keys, none of them with a `kid`", keys.len()),
    };
    if let Some(key) = namesake {
        let _ = write!(published, "; its key of that name is {}", described(key));
    }
    if let Some(problem) = keys.first_problem() {
        let skipped = keys.skipped();
        let _ = write!(published, ", and {skipped} that cannot be used, the first because {problem}");
    }
    AuthorizationError::UnknownKey { key_id: key_id.map(redact::text), algorithm, published }
}

/// Says what a key is for, by the members that rule out other uses.
fn described(key: &Jwk) -> String {
    match (key.key_use(), key.algorithm_name()) {
        (Some(other), _) if other != "sig" => format!("for `use` `{}`", redact::text(other)),
        (_, Some(name)) => format!("for `{}`", redact::text(name)),
        _ => format!("{} that is not for this algorithm", key.kind()),
    }
}
