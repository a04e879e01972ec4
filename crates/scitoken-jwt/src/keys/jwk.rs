//! JSON Web Keys (RFC 7517): strict where security depends on it, lenient towards common deviations.

use std::fmt;
use std::sync::OnceLock;

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

use super::purpose::Purpose;
use super::{Algorithm, KeyError, KeyKind, VerifyingKey};

/// Unpadded as the RFC requires, or padded as some issuers write it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The private members (RFC 7518 sections 6.2.2, 6.3.2, 6.4.1).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A JSON Web Key, public or private.
///
/// The key is parsed once, when it is first used. Unknown members are kept. `Debug` shows the type and name of the
/// key and none of its numbers.
///
/// Accepts base64url with or without padding, coordinates without their leading zeros, and a number as `kid`.
///
/// ```
/// use scitoken_jwt::keys::{Algorithm, Jwk};
///
/// let jwk = Jwk::parse(r#"{"kty":"OKP","crv":"Ed25519","kid":"k1",
///     "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#)?;
/// assert_eq!(jwk.key_id(), Some("k1"));
/// assert!(jwk.is_for(Algorithm::EdDsa));
/// assert!(jwk.verifying_key().is_ok());
/// # Ok::<(), scitoken_jwt::keys::KeyError>(())
/// ```
#[derive(Clone)]
pub struct Jwk {
    members: Map<String, Value>,
    kind: KeyKind,
    purpose: Purpose,
    key: OnceLock<Result<VerifyingKey, KeyError>>,
}

impl Jwk {
    /// Parses the JSON of one key.
    ///
    /// # Errors
    /// [`KeyError`] if the input is not a JSON object, or its type or curve is not supported. Its numbers are checked
    /// later, by [`verifying_key`](Self::verifying_key).
    pub fn parse(json: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        serde_json::from_slice(scitoken_types::without_byte_order_mark(json.as_ref()))
            .map_err(|error| KeyError::NotJwk { problem: error.to_string() })
            .and_then(Self::from_members)
    }

    pub(super) fn from_members(mut members: Map<String, Value>) -> Result<Self, KeyError> {
        // A token names its key by text (RFC 7515 section 4.1.4), so a number can be meant as one only.
        if let Some(Value::Number(number)) = members.get("kid") {
            let name = number.to_string();
            members.insert("kid".to_owned(), name.into());
        }
        let kind = kind_of(&members)?;
        Ok(Self { purpose: Purpose::of(&members, kind), members, kind, key: OnceLock::new() })
    }

    /// Returns the kind of key.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// Returns `kid`, the name of the key, if it has one.
    pub fn key_id(&self) -> Option<&str> {
        self.text("kid")
    }

    /// Returns `alg`, the algorithm that the key is bound to, if it has one; it may be unknown.
    pub fn algorithm_name(&self) -> Option<&str> {
        self.text("alg")
    }

    /// Returns `use`: `sig` or `enc`, if present.
    pub fn key_use(&self) -> Option<&str> {
        self.text("use")
    }

    /// Returns whether the key may verify signatures of this algorithm.
    ///
    /// Its type must fit, `alg` must be the algorithm or missing, `use` must be `sig` or missing, and `key_ops` must
    /// include `verify` or `sign` or be missing (RFC 7517 section 4). A member of a wrong type counts as missing.
    pub fn is_for(&self, algorithm: Algorithm) -> bool {
        self.purpose.includes(algorithm)
    }

    /// Returns whether the JWK has private members or a shared secret.
    pub fn is_private(&self) -> bool {
        PRIVATE_MEMBERS.iter().any(|member| self.members.contains_key(*member))
    }

    /// Returns the verifying key; it is parsed at the first call.
    ///
    /// # Errors
    /// [`KeyError`] names the member that is missing or invalid.
    pub fn verifying_key(&self) -> Result<&VerifyingKey, KeyError> {
        self.key.get_or_init(|| self.parse_public()).as_ref().map_err(Clone::clone)
    }

    fn parse_public(&self) -> Result<VerifyingKey, KeyError> {
        match self.kind {
            KeyKind::Secret => VerifyingKey::from_public_bytes(KeyKind::Secret, &self.number("k")?),
            KeyKind::Rsa => VerifyingKey::from_rsa_numbers(&self.number("n")?, &self.number("e")?),
            kind => VerifyingKey::from_public_bytes(kind, &self.point()?),
        }
    }

    /// Sets the `kid`.
    pub fn with_key_id(self, key_id: &str) -> Self {
        self.with("kid", key_id)
    }

    /// Binds the key to one algorithm.
    ///
    /// # Errors
    /// [`KeyError::WrongKind`] if the key does not support it.
    pub fn with_algorithm(self, algorithm: Algorithm) -> Result<Self, KeyError> {
        if algorithm.key_kind() != self.kind {
            return Err(KeyError::WrongKind { algorithm, kind: self.kind });
        }
        Ok(self.with("alg", algorithm.name()))
    }

    /// Marks the key for signatures (`"use":"sig"`).
    pub fn for_signatures(self) -> Self {
        self.with("use", "sig")
    }

    fn with(mut self, member: &str, value: &str) -> Self {
        self.members.insert(member.to_owned(), Value::from(value));
        self.purpose = Purpose::of(&self.members, self.kind);
        self
    }

    /// Returns the key without its private members; `None` for a shared secret.
    pub fn to_public(&self) -> Option<Self> {
        if self.kind == KeyKind::Secret {
            return None;
        }
        let mut public = self.clone();
        public.members.retain(|name, _| !PRIVATE_MEMBERS.contains(&name.as_str()));
        Some(public)
    }

    /// Returns the JSON, including private members.
    pub fn expose_json(&self) -> String {
        // A map of strings to values always serializes.
        serde_json::to_string(&self.members).unwrap_or_default()
    }

    pub(crate) fn members(&self) -> &Map<String, Value> {
        &self.members
    }

    fn text(&self, member: &str) -> Option<&str> {
        self.members.get(member).and_then(Value::as_str)
    }

    pub(super) fn number(&self, member: &'static str) -> Result<Vec<u8>, KeyError> {
        let text = self.text(member).ok_or_else(|| without(&self.members, member))?;
        BASE64.decode(text).map_err(|_| KeyError::JwkMember { member })
    }

    /// Returns a number of the length of the curve's coordinates: leading zeros are added or removed.
    pub(super) fn coordinate(&self, member: &'static str) -> Result<Vec<u8>, KeyError> {
        let number = self.number(member)?;
        let length = self.kind.coordinate_length().unwrap_or(number.len());
        if self.kind == KeyKind::Ed25519 {
            // Ed25519 has 32 bytes instead of numbers (RFC 8032), so none can be missing.
            let problem = "its bytes are not 32";
            return if number.len() == length {
                Ok(number)
            } else {
                Err(KeyError::malformed(self.kind, problem))
            };
        }
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        let digits = &number[zeros..];
        let missing = length
            .checked_sub(digits.len())
            .ok_or(KeyError::malformed(self.kind, "a coordinate is longer than its curve allows"))?;
        let mut padded = vec![0; missing];
        padded.extend_from_slice(digits);
        Ok(padded)
    }

    /// Returns the uncompressed point of SEC 1 section 2.3.3, or the 32 bytes of Ed25519.
    pub(super) fn point(&self) -> Result<Vec<u8>, KeyError> {
        let x = self.coordinate("x")?;
        if self.kind == KeyKind::Ed25519 {
            return Ok(x);
        }
        Ok([vec![4], x, self.coordinate("y")?].concat())
    }
}

fn without(members: &Map<String, Value>, member: &'static str) -> KeyError {
    if members.contains_key("x5c") && !members.contains_key(member) {
        return KeyError::OnlyCertificate { member };
    }
    KeyError::JwkMember { member }
}

fn kind_of(members: &Map<String, Value>) -> Result<KeyKind, KeyError> {
    let text = |member: &'static str| {
        members.get(member).and_then(Value::as_str).ok_or(KeyError::JwkMember { member })
    };
    if !members.contains_key("kty") && members.get("keys").is_some_and(Value::is_array) {
        return Err(KeyError::IsSet);
    }
    let kty = text("kty")?;
    let curve = |kinds: &[KeyKind]| {
        let crv = text("crv").map_err(|_| without(members, "crv"))?;
        let found = kinds.iter().copied().find(|kind| kind.crv() == Some(crv));
        found.ok_or_else(|| KeyError::unsupported_kind(crv))
    };
    match (kty, text("alg")) {
        // scitokens-cpp writes keys without their curve, which the algorithm implies.
        ("EC", Ok("ES256")) if !members.contains_key("crv") => return Ok(KeyKind::P256),
        _ => {}
    }
    match kty {
        "oct" => Ok(KeyKind::Secret),
        "RSA" => Ok(KeyKind::Rsa),
        "EC" => curve(&[KeyKind::P256, KeyKind::P384, KeyKind::P521, KeyKind::Secp256k1]),
        "OKP" => curve(&[KeyKind::Ed25519]),
        other => Err(KeyError::unsupported_kind(other)),
    }
}

fn made_of(kind: KeyKind, numbers: &[(&str, &[u8])]) -> Jwk {
    let mut members = Map::new();
    members.insert("kty".to_owned(), Value::from(kind.kty()));
    if let Some(crv) = kind.crv() {
        members.insert("crv".to_owned(), Value::from(crv));
    }
    for (name, number) in numbers {
        members.insert((*name).to_owned(), Value::from(BASE64.encode(number)));
    }
    Jwk { purpose: Purpose::of(&members, kind), members, kind, key: OnceLock::new() }
}

pub(super) fn of_secret(secret: &[u8]) -> Jwk {
    made_of(KeyKind::Secret, &[("k", secret)])
}

pub(super) fn of_rsa(n: &[u8], e: &[u8]) -> Jwk {
    made_of(KeyKind::Rsa, &[("n", n), ("e", e)])
}

/// Makes a JWK from an uncompressed point, or the 32 bytes of Ed25519.
pub(super) fn of_public_bytes(kind: KeyKind, bytes: &[u8]) -> Jwk {
    match (kind, bytes) {
        (KeyKind::Ed25519, x) => made_of(kind, &[("x", x)]),
        (_, [_, point @ ..]) => {
            let (x, y) = point.split_at(point.len() / 2);
            made_of(kind, &[("x", x), ("y", y)])
        }
        (_, []) => made_of(kind, &[]),
    }
}

/// Adds one private number.
pub(super) fn with_number(key: Jwk, member: &str, number: &[u8]) -> Jwk {
    key.with(member, &BASE64.encode(number))
}

impl fmt::Debug for Jwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jwk({}", self.kind)?;
        if let Some(key_id) = self.key_id() {
            write!(f, ", kid {key_id:?}")?;
        }
        if let Some(name) = self.algorithm_name() {
            write!(f, ", alg {name:?}")?;
        }
        f.write_str(if self.is_private() { ", private)" } else { ")" })
    }
}
