//! From token to claims.

use super::json::Json;
use super::segments::{self, Segments};
use super::validation::Validation;
use super::{JwtError, Key, Object, UNSECURED, claims};
use crate::keys::{Algorithm, KeyError};

/// A token whose signature was verified and whose claims were checked.
#[derive(Clone, Debug)]
pub struct Decoded(Parts);

/// A token that is not verified; anyone can have written it.
#[derive(Clone, Debug)]
pub struct Unverified(Parts);

/// A verified signature over any payload: `jwt.api_jws`.
#[derive(Clone, Debug)]
pub struct Signed {
    header: Object,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Parts {
    header: Object,
    claims: Object,
    signature: Vec<u8>,
}

macro_rules! token_parts {
    ($($token:ty),*) => {$(
        impl $token {
            /// Returns the header.
            pub fn header(&self) -> &Object {
                &self.0.header
            }

            /// Returns the claims.
            pub fn claims(&self) -> &Object {
                &self.0.claims
            }

            /// Returns the claims alone.
            pub fn into_claims(self) -> Object {
                self.0.claims
            }

            /// Returns the bytes of the signature.
            pub fn signature(&self) -> &[u8] {
                &self.0.signature
            }
        }
    )*};
}

token_parts!(Decoded, Unverified);

impl Signed {
    /// Returns the header.
    pub fn header(&self) -> &Object {
        &self.header
    }

    /// Returns the signed payload.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Returns the bytes of the signature.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }
}

/// Verifies a token and returns its claims: `jwt.decode`.
///
/// # Errors
/// As [`decode_complete`].
///
/// # Examples
/// ```
/// use scitoken_jwt::{JwtError, Validation};
/// use scitoken_jwt::keys::{Algorithm, SigningKey};
/// use serde_json::json;
///
/// let key = SigningKey::from_secret("0123456789abcdef0123456789abcdef")?;
/// let token = scitoken_jwt::encode(&json!({"sub": "me", "exp": 1}), &key, Algorithm::Hs256)?;
/// let verdict = scitoken_jwt::decode(token, &key.verifying_key(), &Validation::new().allow(Algorithm::Hs256));
/// assert!(matches!(verdict, Err(JwtError::ExpiredSignature)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn decode<'a>(
    token: impl AsRef<[u8]>,
    key: impl Into<Key<'a>>,
    validation: &Validation,
) -> Result<Object, JwtError> {
    decode_complete(token, key, validation).map(Decoded::into_claims)
}

/// Verifies a token and returns header, claims and signature: `jwt.decode_complete`.
///
/// The order is that of PyJWT: the three parts, the header, the algorithm, the key, the signature, the JSON of the
/// payload, the required claims, then each [`ClaimCheck`](super::ClaimCheck).
///
/// # Errors
/// [`JwtError`]: the first of these that fails.
pub fn decode_complete<'a>(
    token: impl AsRef<[u8]>,
    key: impl Into<Key<'a>>,
    validation: &Validation,
) -> Result<Decoded, JwtError> {
    let signed = verify(token, key, validation)?;
    let claims = segments::object(&signed.payload, "payload")?;
    claims::check(&claims, validation, true)?;
    Ok(Decoded(Parts { header: signed.header, claims, signature: signed.signature }))
}

/// Verifies the signature of a token with any payload: `jwt.api_jws.decode_complete`.
///
/// # Errors
/// As [`decode_complete`], up to the signature.
pub fn verify<'a>(
    token: impl AsRef<[u8]>,
    key: impl Into<Key<'a>>,
    validation: &Validation,
) -> Result<Signed, JwtError> {
    let key = key.into();
    verify_with(token.as_ref(), key.bound_to, |_| Ok(key), validation)
}

/// Verifies a token with a key that a function chooses by the token's header.
///
/// `choose` gets the unverified header after its algorithm was found to be allowed. The [`Validation`] must name the
/// algorithms.
///
/// # Errors
/// As [`decode_complete`], and those of `choose`.
pub fn decode_with<'a>(
    token: impl AsRef<[u8]>,
    choose: impl FnOnce(&Object) -> Result<Key<'a>, JwtError>,
    validation: &Validation,
) -> Result<Decoded, JwtError> {
    let signed = verify_with(token.as_ref(), None, choose, validation)?;
    let claims = segments::object(&signed.payload, "payload")?;
    claims::check(&claims, validation, true)?;
    Ok(Decoded(Parts { header: signed.header, claims, signature: signed.signature }))
}

/// Parses a token without verifying its signature: `options={"verify_signature": False}`.
///
/// The token must be as well-formed as any other. Only those claims are checked which the validation
/// [requires](Validation::require) or [checks explicitly](Validation::check).
///
/// ```
/// use scitoken_jwt::{Validation, decode_unverified};
///
/// let token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJtZSJ9.";
/// let unverified = decode_unverified(token, &Validation::new())?;
/// assert_eq!(unverified.claims().text("sub"), Some("me")); // no signature was verified
/// # Ok::<(), scitoken_jwt::JwtError>(())
/// ```
///
/// # Errors
/// [`JwtError`] if the token is malformed or a requested check fails.
pub fn decode_unverified(token: impl AsRef<[u8]>, validation: &Validation) -> Result<Unverified, JwtError> {
    let mut segments = Segments::read(token.as_ref())?;
    if let Some(payload) = detached(&segments, validation)? {
        segments.payload = payload.to_vec();
    }
    let claims = segments::object(&segments.payload, "payload")?;
    claims::check(&claims, validation, false)?;
    Ok(Unverified(Parts { header: segments.header, claims, signature: segments.signature }))
}

/// Parses the header of a token without verifying anything: `jwt.get_unverified_header`.
///
/// ```
/// let header = scitoken_jwt::unverified_header("eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIn0.e30.c2ln")?;
/// assert_eq!(header.text("kid"), Some("k1"));
/// # Ok::<(), scitoken_jwt::JwtError>(())
/// ```
///
/// # Errors
/// [`JwtError`] if the three parts or the header are malformed.
pub fn unverified_header(token: impl AsRef<[u8]>) -> Result<Object, JwtError> {
    Segments::read(token.as_ref()).map(|segments| segments.header)
}

fn verify_with<'a>(
    token: &[u8],
    bound_to: Option<Algorithm>,
    choose: impl FnOnce(&Object) -> Result<Key<'a>, JwtError>,
    validation: &Validation,
) -> Result<Signed, JwtError> {
    if validation.algorithms.is_empty() && bound_to.is_none() {
        return Err(JwtError::decode("no algorithm is allowed"));
    }
    let segments = Segments::read(token)?;
    let detached = detached(&segments, validation)?;
    let algorithm = allowed_algorithm(&segments.header, bound_to, validation)?;
    match detached {
        None => verify_signature(&segments, segments.signed, algorithm, choose, validation)?,
        Some(payload) => {
            let signed = [segments.encoded_header, b".", payload].concat();
            verify_signature(&segments, &signed, algorithm, choose, validation)?;
        }
    }
    let payload = detached.map_or(segments.payload, <[u8]>::to_vec);
    Ok(Signed { header: segments.header, payload, signature: segments.signature })
}

/// Returns the detached payload, if the token has one (RFC 7797).
fn detached<'v>(segments: &Segments<'_>, validation: &'v Validation) -> Result<Option<&'v [u8]>, JwtError> {
    let given = validation.detached_payload.as_deref();
    if !segments.is_detached {
        return match given {
            None => Ok(None),
            Some(_) => {
                Err(JwtError::decode("a detached payload was given, but the header has no `b64` of false"))
            }
        };
    }
    if !segments::is_b64_critical(&segments.header) {
        return Err(JwtError::token("`b64` is false, but `crit` does not list it"));
    }
    given.map(Some).ok_or_else(|| JwtError::decode("the payload is detached and was not given"))
}

/// Returns the token's algorithm if it is allowed.
fn allowed_algorithm<'h>(
    header: &'h Object,
    bound_to: Option<Algorithm>,
    validation: &Validation,
) -> Result<&'h str, JwtError> {
    let found = header.get("alg").ok_or_else(|| JwtError::algorithm("the header has no `alg`"))?;
    let Json::Text(text) = found else {
        return Err(JwtError::algorithm("`alg` is not a string"));
    };
    let refused = || JwtError::algorithm(format!("`{}` is not allowed", segments::shown(text)));
    let name = text.as_str().ok_or_else(refused)?;
    let is_allowed = match bound_to {
        Some(bound) if validation.algorithms.is_empty() => name == bound.name(),
        _ => validation.algorithms.iter().any(|allowed| allowed == name),
    };
    if is_allowed && !name.is_empty() { Ok(name) } else { Err(refused()) }
}

fn verify_signature<'a>(
    segments: &Segments<'_>,
    signed: &[u8],
    algorithm: &str,
    choose: impl FnOnce(&Object) -> Result<Key<'a>, JwtError>,
    validation: &Validation,
) -> Result<(), JwtError> {
    let known = algorithm.parse::<Algorithm>();
    if known.is_err() && algorithm != UNSECURED {
        return Err(JwtError::algorithm(format!(
            "`{}` is not supported",
            scitoken_types::redact::text(algorithm)
        )));
    }
    let Key { key, bound_to } = choose(&segments.header)?;
    if let Some(bound) = bound_to.filter(|bound| bound.name() != algorithm) {
        return Err(JwtError::algorithm(format!("it is `{algorithm}`, the key is bound to `{bound}`")));
    }
    let (algorithm, key) = match (known, key) {
        (Ok(algorithm), Some(key)) => (algorithm, key),
        (Ok(_), None) => return Err(JwtError::InvalidKey(KeyError::EmptySecret)),
        (Err(unknown), Some(_)) => return Err(JwtError::InvalidKey(unknown)),
        (Err(_), None) => return Err(JwtError::InvalidSignature),
    };
    if !key.supports(algorithm) {
        return Err(JwtError::InvalidKey(KeyError::WrongKind { algorithm, kind: key.kind() }));
    }
    if let Some(weakness) = key.weakness(algorithm) {
        if validation.enforce_key_strength {
            return Err(JwtError::WeakKey(weakness));
        }
        tracing::warn!(%weakness, "verified a token with a weak key");
    }
    key.verify(algorithm, signed, &segments.signature).map_err(|error| match error {
        KeyError::BadSignature => JwtError::InvalidSignature,
        other => JwtError::InvalidKey(other),
    })
}
