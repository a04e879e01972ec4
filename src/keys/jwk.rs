//! JSON Web Keys (RFC 7517), as strict as security asks for and as lenient as peers need.

use std::fmt;
use std::sync::OnceLock;

use aws_lc_rs::rsa;
use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};

use super::der::{self, Der};
use super::purpose::Purpose;
use super::{Algorithm, KeyError, KeyKind, SigningKey, VerifyingKey};

/// Unpadded as the RFC says, padded as some issuers do.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The members that only the owner of a key may see (RFC 7518 sections 6.2.2, 6.3.2, 6.4.1).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A JSON Web Key, public or private.
///
/// Its key is parsed when it is first asked for, and then kept. Members that are not known here are kept too.
/// `Debug` shows the type and name of the key, none of its numbers.
///
/// Taken as peers write them: base64url with or without padding, coordinates that have lost their leading zeros.
///
/// ```
/// use reqwest_scitokens::keys::{Algorithm, Jwk};
///
/// let jwk = Jwk::parse(r#"{"kty":"OKP","crv":"Ed25519","kid":"k1",
///     "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#)?;
/// assert_eq!(jwk.key_id(), Some("k1"));
/// assert!(jwk.is_for(Algorithm::EdDsa));
/// assert!(jwk.verifying_key().is_ok());
/// # Ok::<(), reqwest_scitokens::keys::KeyError>(())
/// ```
#[derive(Clone)]
pub struct Jwk {
    members: Map<String, Value>,
    kind: KeyKind,
    purpose: Purpose,
    key: OnceLock<Result<VerifyingKey, KeyError>>,
}

impl Jwk {
    /// Reads the JSON text of one key.
    ///
    /// # Errors
    /// [`KeyError`] when it is no JSON object, or its type or curve is not supported. Its numbers are looked at
    /// later, by [`verifying_key`](Self::verifying_key).
    pub fn parse(json: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        serde_json::from_slice(json.as_ref())
            .map_err(|error| KeyError::NotJwk { problem: error.to_string() })
            .and_then(Self::from_members)
    }

    pub(super) fn from_members(members: Map<String, Value>) -> Result<Self, KeyError> {
        let kind = kind_of(&members)?;
        Ok(Self { purpose: Purpose::of(&members, kind), members, kind, key: OnceLock::new() })
    }

    /// What sort of key it is.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// `kid`: the key's name among its owner's keys, if it has one.
    pub fn key_id(&self) -> Option<&str> {
        self.text("kid")
    }

    /// `alg`: the one algorithm that the key is meant for, if it says so; it may be one not known here.
    pub fn algorithm_name(&self) -> Option<&str> {
        self.text("alg")
    }

    /// `use`: `sig` or `enc`, if it says so.
    pub fn key_use(&self) -> Option<&str> {
        self.text("use")
    }

    /// Whether signatures of this algorithm may be verified with the key.
    ///
    /// Its type must fit, `alg` must be the algorithm or absent, `use` must be `sig` or absent, and `key_ops` must
    /// have `verify` or `sign` in it or be absent (RFC 7517 section 4). A member of a wrong type counts as absent.
    pub fn is_for(&self, algorithm: Algorithm) -> bool {
        self.purpose.includes(algorithm)
    }

    /// Whether it holds private members, or a shared secret.
    pub fn is_private(&self) -> bool {
        PRIVATE_MEMBERS.iter().any(|member| self.members.contains_key(*member))
    }

    /// The key that verifies, parsed at the first call.
    ///
    /// # Errors
    /// [`KeyError`] names the member that is missing or makes no sense.
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

    /// The key that signs.
    ///
    /// # Errors
    /// [`KeyError::NotPrivate`] for a public key; else it names the member that is missing or makes no sense. An
    /// RSA key must have all of `p`, `q`, `dp`, `dq` and `qi`.
    pub fn signing_key(&self) -> Result<SigningKey, KeyError> {
        if self.kind == KeyKind::Secret {
            return SigningKey::of_secret(self.number("k")?);
        }
        if !self.members.contains_key("d") {
            return Err(KeyError::NotPrivate);
        }
        if self.kind != KeyKind::Rsa {
            return SigningKey::of_numbers(self.kind, &self.coordinate("d")?, &self.point()?);
        }
        let strip = |number: Vec<u8>| number.into_iter().skip_while(|byte| *byte == 0).collect::<Vec<u8>>();
        let components = rsa::KeyPairComponents {
            public_key: rsa::PublicKeyComponents { n: strip(self.number("n")?), e: strip(self.number("e")?) },
            d: self.number("d")?,
            p: self.number("p")?,
            q: self.number("q")?,
            dP: self.number("dp")?,
            dQ: self.number("dq")?,
            qInv: self.number("qi")?,
        };
        let problem = "it has fewer than 2048 bits, or its numbers do not belong together";
        let pair = rsa::KeyPair::from_components(&components)
            .map_err(|_| KeyError::malformed(KeyKind::Rsa, problem))?;
        SigningKey::of_rsa(pair)
    }

    /// Gives the key a name.
    pub fn with_key_id(self, key_id: &str) -> Self {
        self.with("kid", key_id)
    }

    /// Binds the key to one algorithm.
    ///
    /// # Errors
    /// [`KeyError::WrongKind`] when the key cannot do it.
    pub fn with_algorithm(self, algorithm: Algorithm) -> Result<Self, KeyError> {
        if algorithm.key_kind() != self.kind {
            return Err(KeyError::WrongKind { algorithm, kind: self.kind });
        }
        Ok(self.with("alg", algorithm.name()))
    }

    /// Says that the key is for signatures (`"use":"sig"`).
    pub fn for_signatures(self) -> Self {
        self.with("use", "sig")
    }

    fn with(mut self, member: &str, value: &str) -> Self {
        self.members.insert(member.to_owned(), Value::from(value));
        self.purpose = Purpose::of(&self.members, self.kind);
        self
    }

    /// The same key without its private members; `None` for a shared secret, which has nothing else.
    pub fn to_public(&self) -> Option<Self> {
        if self.kind == KeyKind::Secret {
            return None;
        }
        let mut public = self.clone();
        public.members.retain(|name, _| !PRIVATE_MEMBERS.contains(&name.as_str()));
        Some(public)
    }

    /// The JSON text, with the private members that the key has.
    pub fn expose_json(&self) -> String {
        // A map of strings to values always has a JSON text.
        serde_json::to_string(&self.members).unwrap_or_default()
    }

    pub(super) fn members(&self) -> &Map<String, Value> {
        &self.members
    }

    fn text(&self, member: &str) -> Option<&str> {
        self.members.get(member).and_then(Value::as_str)
    }

    fn number(&self, member: &'static str) -> Result<Vec<u8>, KeyError> {
        let text = self.text(member).ok_or(KeyError::JwkMember { member })?;
        BASE64.decode(text).map_err(|_| KeyError::JwkMember { member })
    }

    /// A number as long as the curve's coordinates: leading zeros are added or taken away.
    fn coordinate(&self, member: &'static str) -> Result<Vec<u8>, KeyError> {
        let number = self.number(member)?;
        let length = self.kind.coordinate_length().unwrap_or(number.len());
        if self.kind == KeyKind::Ed25519 {
            // RFC 8032: these are no numbers but 32 bytes, of which none can get lost
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

    /// The uncompressed point of SEC 1 section 2.3.3, or the 32 bytes of Ed25519.
    fn point(&self) -> Result<Vec<u8>, KeyError> {
        let x = self.coordinate("x")?;
        if self.kind == KeyKind::Ed25519 {
            return Ok(x);
        }
        Ok([vec![4], x, self.coordinate("y")?].concat())
    }
}

fn kind_of(members: &Map<String, Value>) -> Result<KeyKind, KeyError> {
    let text = |member: &'static str| {
        members.get(member).and_then(Value::as_str).ok_or(KeyError::JwkMember { member })
    };
    let kty = text("kty")?;
    let curve = |kinds: &[KeyKind]| {
        let crv = text("crv")?;
        let found = kinds.iter().copied().find(|kind| kind.crv() == Some(crv));
        found.ok_or_else(|| KeyError::unsupported_kind(crv))
    };
    match (kty, text("alg")) {
        // scitokens-cpp keeps keys without their curve, which the algorithm tells.
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

/// From an uncompressed point, or the 32 bytes of Ed25519.
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

/// Adds `d` of a key that has nothing else that is private.
pub(super) fn with_private(public: Jwk, d: &[u8]) -> Jwk {
    public.with("d", &BASE64.encode(d))
}

/// Adds the private numbers of an RSA key, read from its PKCS#8.
pub(super) fn with_rsa_private(mut public: Jwk, pkcs8: &[u8]) -> Option<Jwk> {
    let mut outer = Der::whole(pkcs8, der::SEQUENCE)?;
    outer.take(der::INTEGER)?;
    outer.take(der::SEQUENCE)?;
    let mut numbers = Der::whole(outer.take(der::OCTET_STRING)?, der::SEQUENCE)?;
    for _version_n_e in 0..3 {
        numbers.take(der::INTEGER)?;
    }
    for name in ["d", "p", "q", "dp", "dq", "qi"] {
        public = public.with(name, &BASE64.encode(numbers.unsigned()?));
    }
    Some(public)
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
