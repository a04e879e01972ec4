//! JWKs and JWK sets in both directions.

use ::jsonwebtoken::jwk;
use serde_json::{Map, Value};

use super::error::BridgeError;
use crate::keys::{Jwk, JwkSet, KeyKind};

impl TryFrom<&Jwk> for jwk::Jwk {
    type Error = BridgeError;

    /// Converts the public half of a key, or a shared secret: the other type has no private members.
    ///
    /// The numbers get the form that RFC 7518 requires, because `jsonwebtoken` reads no other. An optional member of a
    /// wrong type is left out.
    fn try_from(key: &Jwk) -> Result<Self, BridgeError> {
        if key.kind() == KeyKind::Secp256k1 {
            return Err(BridgeError::not_in_jsonwebtoken(key.kind().to_string()));
        }
        let numbers = key.verifying_key()?.to_jwk();
        let mut members: Map<String, Value> = key.members().iter().filter(is_usable).map(owned).collect();
        members.extend(numbers.members().iter().map(owned));
        // RFC 9864 gives EdDSA with this curve a name of its own, which `jsonwebtoken` does not know.
        if members.get("alg").is_some_and(|name| name == "Ed25519") {
            members.insert("alg".to_owned(), "EdDSA".into());
        }
        serde_json::from_value(members.into())
            .map_err(|error| BridgeError::not_in_jsonwebtoken(format!("this JWK ({error})")))
    }
}

/// Whether a member is one of those that describe a key, and of its type (RFC 7517 section 4).
fn is_usable((name, value): &(&String, &Value)) -> bool {
    match name.as_str() {
        "kid" | "use" | "alg" | "x5u" | "x5t" | "x5t#S256" => value.is_string(),
        "key_ops" | "x5c" => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
        _ => false,
    }
}

fn owned((name, value): (&String, &Value)) -> (String, Value) {
    (name.clone(), value.clone())
}

impl TryFrom<&jwk::Jwk> for Jwk {
    type Error = BridgeError;

    fn try_from(key: &jwk::Jwk) -> Result<Self, BridgeError> {
        let json = serde_json::to_vec(key).map_err(|error| BridgeError::not_here(error.to_string()))?;
        Ok(Self::parse(json)?)
    }
}

impl TryFrom<&JwkSet> for jwk::JwkSet {
    type Error = BridgeError;

    /// Converts each key that has a counterpart and leaves the others out, as parsing a set does. If none is left, the error
    /// names what the first one lacks.
    fn try_from(set: &JwkSet) -> Result<Self, BridgeError> {
        Ok(Self { keys: usable(set.iter().map(jwk::Jwk::try_from))? })
    }
}

impl TryFrom<&jwk::JwkSet> for JwkSet {
    type Error = BridgeError;

    /// As in the other direction.
    fn try_from(set: &jwk::JwkSet) -> Result<Self, BridgeError> {
        Ok(usable(set.keys.iter().map(Jwk::try_from))?.into_iter().collect())
    }
}

fn usable<K>(keys: impl Iterator<Item = Result<K, BridgeError>>) -> Result<Vec<K>, BridgeError> {
    let mut problem = None;
    let keys: Vec<K> =
        keys.filter_map(|key| key.map_err(|error| problem.get_or_insert(error).clone()).ok()).collect();
    match problem {
        Some(problem) if keys.is_empty() => Err(problem),
        _ => Ok(keys),
    }
}
