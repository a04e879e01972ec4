//! The permitted uses of a JWK, read from its members once.

use serde_json::{Map, Value};

use super::{Algorithm, KeyKind};

/// The algorithms whose signatures a key may verify, one bit each: this is checked for every token.
#[derive(Clone, Copy)]
pub(super) struct Purpose(u16);

impl Purpose {
    /// The type must fit, `alg` must be the algorithm or missing, `use` must be `sig` or missing, and `key_ops` must
    /// include `verify` or `sign` or be missing (RFC 7517 section 4). A member of a wrong type counts as missing.
    pub(super) fn of(members: &Map<String, Value>, kind: KeyKind) -> Self {
        let text = |member: &str| members.get(member).and_then(Value::as_str);
        let operation = |value: &Value| matches!(value.as_str(), Some("verify" | "sign"));
        let is_for_signatures = text("use").is_none_or(|key_use| key_use == "sig")
            && members
                .get("key_ops")
                .and_then(Value::as_array)
                .is_none_or(|operations| operations.iter().any(operation));
        if !is_for_signatures {
            return Self(0);
        }
        let name = text("alg");
        let is_named = |algorithm: Algorithm| {
            name.is_none_or(|name| {
                name == algorithm.name()
                    // RFC 9864 gives EdDSA with this curve its own name
                    || (algorithm == Algorithm::EdDsa && name == "Ed25519")
            })
        };
        let fitting = kind.algorithms().iter().filter(|algorithm| is_named(**algorithm));
        Self(fitting.fold(0, |bits, algorithm| bits | bit(*algorithm)))
    }

    pub(super) fn includes(self, algorithm: Algorithm) -> bool {
        self.0 & bit(algorithm) != 0
    }
}

fn bit(algorithm: Algorithm) -> u16 {
    1 << algorithm as u16
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_algorithm_has_a_bit_of_its_own() {
        let all = Algorithm::ALL.iter().fold(0, |bits, algorithm| bits | bit(*algorithm));
        assert_eq!(all.count_ones() as usize, Algorithm::ALL.len());
    }

    #[test]
    fn a_key_is_for_what_its_members_say_and_its_type_can_do() {
        let purpose = |json: Value, kind| Purpose::of(json.as_object().unwrap(), kind);
        let open = purpose(json!({}), KeyKind::Rsa);
        assert!(open.includes(Algorithm::Rs256) && open.includes(Algorithm::Ps512));
        assert!(!open.includes(Algorithm::Es256) && !open.includes(Algorithm::Hs256));
        let bound = purpose(json!({"alg": "RS512", "use": "sig", "key_ops": ["verify"]}), KeyKind::Rsa);
        assert!(bound.includes(Algorithm::Rs512) && !bound.includes(Algorithm::Rs256));
        for json in [
            json!({"use": "enc"}),
            json!({"key_ops": ["encrypt"]}),
            json!({"alg": "RSA-OAEP"}),
            json!({"alg": "ES256"}),
        ] {
            assert!(
                Algorithm::ALL
                    .iter()
                    .all(|algorithm| !purpose(json.clone(), KeyKind::Rsa).includes(*algorithm))
            );
        }
    }
}
