//! JWK sets (RFC 7517 section 5): the keys that an issuer publishes.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{Algorithm, Jwk, KeyError};

/// An issuer's keys, found by name and algorithm.
///
/// One odd member does not spoil the set: what is no object, has no known type or curve, or cannot be read, is
/// passed over and counted. Several keys may have one name, and keys need not have one. Keys are parsed when they
/// are first used, so a set of ten thousand costs little. Clones share it.
///
/// ```
/// use reqwest_scitokens::keys::{Algorithm, JwkSet};
///
/// let set = JwkSet::parse(r#"{"keys":[
///     {"kty":"OKP","crv":"Ed25519","kid":"k1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
///     {"kty":"OKP","crv":"X25519","kid":"k2","x":"AAAA"},
///     "what is this"
/// ]}"#)?;
/// assert_eq!((set.len(), set.passed_over()), (1, 2));
/// assert_eq!(set.candidates(Some("k1"), Algorithm::EdDsa).count(), 1);
/// assert_eq!(set.candidates(Some("k1"), Algorithm::Rs256).count(), 0);
/// # Ok::<(), reqwest_scitokens::keys::KeyError>(())
/// ```
#[derive(Clone, Default)]
pub struct JwkSet(Arc<Keys>);

#[derive(Default)]
struct Keys {
    all: Vec<Jwk>,
    by_id: HashMap<String, Vec<usize>>,
    passed_over: usize,
}

#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

impl JwkSet {
    /// The most keys that are accepted.
    pub const MAX_KEYS: usize = 20_000;
    /// The longest text that is accepted, in bytes. Who fetches one over the network sets a lower limit.
    pub const MAX_BYTES: usize = 16 * 1024 * 1024;

    /// Reads the JSON text of a set.
    ///
    /// # Errors
    /// [`KeyError::NotJwkSet`] when it is no JSON object with an array `keys`, and [`KeyError::TooLarge`]. A set
    /// without a single usable key is no error: see [`is_empty`](Self::is_empty).
    pub fn parse(json: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        let json = json.as_ref();
        if json.len() > Self::MAX_BYTES {
            return Err(KeyError::TooLarge { limit: Self::MAX_BYTES, unit: "bytes" });
        }
        let document: Document<'_> = serde_json::from_slice(json)
            .map_err(|error| KeyError::NotJwkSet { problem: error.to_string() })?;
        if document.keys.len() > Self::MAX_KEYS {
            return Err(KeyError::TooLarge { limit: Self::MAX_KEYS, unit: "keys" });
        }
        let all = document.keys.len();
        let keys: Vec<Jwk> = document
            .keys
            .into_iter()
            .filter_map(|raw| serde_json::from_str::<Map<String, Value>>(raw.get()).ok())
            .filter_map(|members| Jwk::from_members(members).ok())
            .collect();
        let passed_over = all - keys.len();
        Ok(Self::new(keys, passed_over))
    }

    fn new(keys: Vec<Jwk>, passed_over: usize) -> Self {
        let mut by_id: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, key) in keys.iter().enumerate() {
            if let Some(key_id) = key.key_id() {
                by_id.entry(key_id.to_owned()).or_default().push(place);
            }
        }
        Self(Arc::new(Keys { all: keys, by_id, passed_over }))
    }

    /// How many keys there are that can be used.
    pub fn len(&self) -> usize {
        self.0.all.len()
    }

    /// Whether there is no key that can be used.
    pub fn is_empty(&self) -> bool {
        self.0.all.is_empty()
    }

    /// How many members of the text were passed over.
    pub fn passed_over(&self) -> usize {
        self.0.passed_over
    }

    /// The keys in the order of the text.
    pub fn iter(&self) -> std::slice::Iter<'_, Jwk> {
        self.0.all.iter()
    }

    /// The keys with this name, in the order of the text.
    pub fn with_key_id<'a>(&'a self, key_id: &str) -> impl Iterator<Item = &'a Jwk> + use<'a> {
        self.0.by_id.get(key_id).into_iter().flatten().filter_map(|place| self.0.all.get(*place))
    }

    /// The keys that may verify a token with this `kid` and `alg`, in the order of the text.
    ///
    /// With a name, only keys of that name; without one, every key that the algorithm could mean. See
    /// [`Jwk::is_for`].
    pub fn candidates<'a>(
        &'a self,
        key_id: Option<&str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &'a Jwk> + use<'a> {
        let named = key_id.map(|key_id| self.with_key_id(key_id));
        let all = if named.is_none() { self.0.all.as_slice() } else { &[] };
        named.into_iter().flatten().chain(all).filter(move |key| key.is_for(algorithm))
    }

    /// The JSON text to publish: the public members of every key. Shared secrets are left out.
    pub fn to_public_json(&self) -> String {
        let public: Vec<Jwk> = self.iter().filter_map(Jwk::to_public).collect();
        let keys: Vec<&Map<String, Value>> = public.iter().map(Jwk::members).collect();
        serde_json::json!({ "keys": keys }).to_string()
    }
}

impl FromIterator<Jwk> for JwkSet {
    fn from_iter<I: IntoIterator<Item = Jwk>>(keys: I) -> Self {
        Self::new(keys.into_iter().collect(), 0)
    }
}

impl<'a> IntoIterator for &'a JwkSet {
    type Item = &'a Jwk;
    type IntoIter = std::slice::Iter<'a, Jwk>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Debug for JwkSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        f.write_str("JwkSet")?;
        f.debug_list().entries(self.iter().take(SHOWN)).finish()?;
        if self.len() > SHOWN {
            write!(f, " and {} more", self.len() - SHOWN)?;
        }
        Ok(())
    }
}
