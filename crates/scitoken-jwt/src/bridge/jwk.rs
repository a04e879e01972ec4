//! JWKs and JWK sets in both directions.

use ::jsonwebtoken::jwk;

use super::error::BridgeError;
use crate::keys::{Jwk, JwkSet, KeyKind};

impl TryFrom<&Jwk> for jwk::Jwk {
    type Error = BridgeError;

    /// Converts the public half of a key, or a shared secret: the other type has no private members.
    fn try_from(key: &Jwk) -> Result<Self, BridgeError> {
        if key.kind() == KeyKind::Secp256k1 {
            return Err(BridgeError::not_in_jsonwebtoken(key.kind().to_string()));
        }
        let public = key.to_public();
        let json = public.as_ref().unwrap_or(key).expose_json();
        serde_json::from_str(&json).map_err(|error| match key.algorithm_name() {
            Some(name) => BridgeError::not_in_jsonwebtoken(format!("a JWK for `{name}` ({error})")),
            None => BridgeError::not_in_jsonwebtoken(format!("this JWK ({error})")),
        })
    }
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

    fn try_from(set: &JwkSet) -> Result<Self, BridgeError> {
        Ok(Self { keys: set.iter().map(jwk::Jwk::try_from).collect::<Result<_, _>>()? })
    }
}

impl TryFrom<&jwk::JwkSet> for JwkSet {
    type Error = BridgeError;

    fn try_from(set: &jwk::JwkSet) -> Result<Self, BridgeError> {
        set.keys.iter().map(Jwk::try_from).collect()
    }
}
