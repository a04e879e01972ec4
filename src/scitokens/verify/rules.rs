//! What every verifier does with a token and a key set, without clock, disk or network.

use std::time::{Duration, SystemTime};

use super::super::wire::{Header, Parts};
use super::super::{Claims, Profile, Refusal, VerifiedToken};
use crate::keys::{Algorithm, JwkSet, KeyKind, VerifyingKey};
use crate::redact;

/// How many keys of one name are tried.
const MOST_KEYS_OF_ONE_NAME: usize = 4;

/// What a verifier demands of every token, whoever made it.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) profiles: Vec<Profile>,
    pub(super) key_names: KeyNames,
    pub(super) skew: Duration,
}

/// What becomes of a token that does not name its key (`kid`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyNames {
    /// It is verified with the one key of its issuer that fits its algorithm. With several, it is refused.
    #[default]
    Optional,
    /// It is refused, as the WLCG profile has it.
    Required,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            algorithms: vec![Algorithm::Rs256, Algorithm::Es256],
            profiles: Vec::new(),
            key_names: KeyNames::default(),
            skew: Duration::ZERO,
        }
    }
}

/// How the key of a token is found in a key set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lookup {
    ByName,
    Only,
}

/// A token taken apart, of which nothing is verified.
pub(super) struct Parsed<'t> {
    signed: &'t [u8],
    signature: Vec<u8>,
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<String>,
    claims: Claims,
}

impl Parsed<'_> {
    /// Who the token says that it is from.
    pub(super) fn issuer(&self) -> Result<&str, Refusal> {
        self.claims.issuer().ok_or_else(|| Refusal::missing("iss"))
    }

    /// Whether the keys have one that this token could be signed with.
    pub(super) fn has_key_in(&self, keys: &JwkSet) -> bool {
        keys.candidates(self.key_id.as_deref(), self.algorithm).next().is_some()
    }
}

/// A verified token, and the key that it was verified with.
pub(super) struct Verified {
    pub(super) token: VerifiedToken,
    pub(super) key: VerifyingKey,
    pub(super) key_id: Option<String>,
    pub(super) algorithm: Algorithm,
}

impl Rules {
    /// Takes algorithms that somebody else cannot sign with: HMAC is left out, because who verifies could sign.
    pub(super) fn set_algorithms(&mut self, algorithms: impl IntoIterator<Item = Algorithm>) {
        let is_asymmetric = |algorithm: &Algorithm| algorithm.key_kind() != KeyKind::Secret;
        self.algorithms = algorithms.into_iter().filter(is_asymmetric).collect();
    }

    /// Takes a token apart and checks what needs no key.
    pub(super) fn parse<'t>(&self, token: &'t str) -> Result<Parsed<'t>, Refusal> {
        let parts = Parts::split(token)?;
        let header = Header::parse(&parts.header)?;
        // The header only chooses among what is configured here; which key it is then has its own say.
        let algorithm = header.algorithm.parse().ok().filter(|known| self.algorithms.contains(known));
        let algorithm =
            algorithm.ok_or_else(|| Refusal::Algorithm { algorithm: redact::text(&header.algorithm) })?;
        if header.key_id.is_none() && self.key_names == KeyNames::Required {
            return Err(Refusal::missing("kid"));
        }
        let claims = Claims::parse(parts.payload, header.typ.as_deref())?;
        let key_id = header.key_id.map(std::borrow::Cow::into_owned);
        Ok(Parsed { signed: parts.signed, signature: parts.signature, algorithm, key_id, claims })
    }

    /// Verifies the signature with a key of the issuer's, then everything that the profile demands.
    pub(super) fn verify(
        &self,
        parsed: Parsed<'_>,
        keys: &JwkSet,
        lookup: Lookup,
        now: SystemTime,
    ) -> Result<Verified, Refusal> {
        let key = signing_key(&parsed, keys, lookup)?;
        let claims = parsed.claims;
        claims.check_demanded()?;
        if !self.profiles.is_empty()
            && !self.profiles.iter().any(|known| known.is_same_kind(claims.profile()))
        {
            return Err(Refusal::ProfileNotAccepted { profile: claims.profile() });
        }
        claims.check_times(now, self.skew)?;
        let token = VerifiedToken::new(claims, parsed.key_id.clone());
        Ok(Verified { token, key, key_id: parsed.key_id, algorithm: parsed.algorithm })
    }
}

/// The key whose signature the token has.
fn signing_key(parsed: &Parsed<'_>, keys: &JwkSet, lookup: Lookup) -> Result<VerifyingKey, Refusal> {
    let key_id = parsed.key_id.as_deref().filter(|_| lookup == Lookup::ByName);
    let unknown = || Refusal::UnknownKey { key_id: parsed.key_id.as_deref().map(redact::text) };
    let mut candidates = keys.candidates(key_id, parsed.algorithm);
    let first = candidates.next().ok_or_else(unknown)?;
    let others: Vec<_> = candidates.take(MOST_KEYS_OF_ONE_NAME - 1).collect();
    if key_id.is_none() && !others.is_empty() {
        return Err(Refusal::AmbiguousKey);
    }
    let mut is_tried = false;
    for jwk in std::iter::once(first).chain(others) {
        // A key that cannot be read, or that is too short to be trusted, is no key.
        let Ok(key) = jwk.verifying_key() else { continue };
        if key.weakness(parsed.algorithm).is_some() {
            continue;
        }
        if key.verify(parsed.algorithm, parsed.signed, &parsed.signature).is_ok() {
            return Ok(key.clone());
        }
        is_tried = true;
    }
    Err(if is_tried { Refusal::Signature } else { unknown() })
}
