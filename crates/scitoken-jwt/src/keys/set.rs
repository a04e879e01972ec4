//! JWK sets (RFC 7517 section 5): the keys that an issuer publishes.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{Algorithm, Jwk, KeyError};

/// The keys of an issuer, found by `kid` and algorithm.
///
/// An invalid member does not affect the others: one that is not an object, has an unknown type or curve, or cannot
/// be parsed is skipped and counted. Several keys may have the same `kid`, and keys may have none. Keys are parsed
/// when they are first used, so a set of ten thousand is cheap. Clones share it.
///
/// ```
/// use scitoken_jwt::keys::{Algorithm, JwkSet};
///
/// let set = JwkSet::parse(r#"{"keys":[
///     {"kty":"OKP","crv":"Ed25519","kid":"k1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},
///     {"kty":"OKP","crv":"X25519","kid":"k2","x":"AAAA"},
///     "what is this"
/// ]}"#)?;
/// assert_eq!((set.len(), set.skipped()), (1, 2));
/// assert_eq!(set.candidates(Some("k1"), Algorithm::EdDsa).count(), 1);
/// assert_eq!(set.candidates(Some("k1"), Algorithm::Rs256).count(), 0);
/// # Ok::<(), scitoken_jwt::keys::KeyError>(())
/// ```
#[derive(Clone, Default)]
pub struct JwkSet(Arc<KeyList>);

#[derive(Default)]
struct KeyList {
    all: Vec<Jwk>,
    by_id: HashMap<String, Vec<usize>>,
    skipped: usize,
    first_problem: Option<KeyError>,
}

#[derive(Deserialize)]
struct KeySetDocument<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

impl JwkSet {
    /// The most keys that are accepted.
    pub const MAX_KEYS: usize = 20_000;
    /// The longest input in bytes. Programs that fetch a set over the network should set a lower limit.
    pub const MAX_BYTES: usize = 16 * 1024 * 1024;

    /// Parses the JSON of a set.
    ///
    /// # Errors
    /// [`KeyError::NotJwkSet`] if the input is not a JSON object with an array `keys`, and [`KeyError::TooLarge`]. A
    /// set without a usable key is not an error: see [`is_empty`](Self::is_empty).
    pub fn parse(json: impl AsRef<[u8]>) -> Result<Self, KeyError> {
        let json = json.as_ref();
        if json.len() > Self::MAX_BYTES {
            return Err(KeyError::TooLarge { limit: Self::MAX_BYTES, unit: "bytes" });
        }
        let json = scitoken_types::without_byte_order_mark(json);
        let document: KeySetDocument<'_> = serde_json::from_slice(json)
            .map_err(|error| KeyError::NotJwkSet { problem: what_instead(json, &error) })?;
        if document.keys.len() > Self::MAX_KEYS {
            return Err(KeyError::TooLarge { limit: Self::MAX_KEYS, unit: "keys" });
        }
        let all = document.keys.len();
        let mut first_problem = None;
        let mut keys = Vec::with_capacity(all);
        for raw in document.keys {
            match Jwk::parse(raw.get()) {
                Ok(key) => keys.push(key),
                Err(problem) => first_problem = first_problem.or(Some(problem)),
            }
        }
        let skipped = all - keys.len();
        Ok(Self::new(keys, skipped, first_problem))
    }

    fn new(keys: Vec<Jwk>, skipped: usize, first_problem: Option<KeyError>) -> Self {
        let mut by_id: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, key) in keys.iter().enumerate() {
            if let Some(key_id) = key.key_id() {
                by_id.entry(key_id.to_owned()).or_default().push(place);
            }
        }
        Self(Arc::new(KeyList { all: keys, by_id, skipped, first_problem }))
    }

    /// Returns the number of usable keys.
    pub fn len(&self) -> usize {
        self.0.all.len()
    }

    /// Returns whether the set has no usable key.
    pub fn is_empty(&self) -> bool {
        self.0.all.is_empty()
    }

    /// Returns the number of members that were skipped.
    pub fn skipped(&self) -> usize {
        self.0.skipped
    }

    /// Returns why the first of the skipped members cannot be used.
    pub fn first_problem(&self) -> Option<&KeyError> {
        self.0.first_problem.as_ref()
    }

    /// Returns the keys in the order of the document.
    pub fn iter(&self) -> std::slice::Iter<'_, Jwk> {
        self.0.all.iter()
    }

    /// Returns the keys with this `kid`, in the order of the document.
    pub fn with_key_id<'a>(&'a self, key_id: &str) -> impl Iterator<Item = &'a Jwk> + use<'a> {
        self.0.by_id.get(key_id).into_iter().flatten().filter_map(|place| self.0.all.get(*place))
    }

    /// Returns the keys that may verify a token with this `kid` and `alg`, in the order of the document.
    ///
    /// With a `kid`, only keys with that `kid`; without one, every key that fits the algorithm. See [`Jwk::is_for`].
    pub fn candidates<'a>(
        &'a self,
        key_id: Option<&str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &'a Jwk> + use<'a> {
        let named = key_id.map(|key_id| self.with_key_id(key_id));
        let all = if named.is_none() { self.0.all.as_slice() } else { &[] };
        named.into_iter().flatten().chain(all).filter(move |key| key.is_for(algorithm))
    }

    /// Returns the JSON to publish: the public members of every key. Shared secrets are left out.
    pub fn to_public_json(&self) -> String {
        let public: Vec<Jwk> = self.iter().filter_map(Jwk::to_public).collect();
        let keys: Vec<&Map<String, Value>> = public.iter().map(Jwk::members).collect();
        serde_json::json!({ "keys": keys }).to_string()
    }
}

/// Says what a document is that is not a key set.
fn what_instead(document: &[u8], error: &serde_json::Error) -> String {
    if let Some(kind) = scitoken_types::non_json_kind(document) {
        return format!("it is {kind}, expected is a JSON object with `keys`");
    }
    if document.trim_ascii_start().starts_with(b"[") {
        return "it is a list, expected is an object with a list `keys`".to_owned();
    }
    let members: Map<String, Value> = serde_json::from_slice(document).unwrap_or_default();
    if members.contains_key("kty") {
        return "it is a single key, expected is an object with `keys`".to_owned();
    }
    if members.contains_key("jwks_uri") {
        return "it is the metadata of an issuer, whose `jwks_uri` names the key set".to_owned();
    }
    if members.get("keys").is_some_and(|keys| !keys.is_array()) {
        return "its `keys` is not a list".to_owned();
    }
    if !members.is_empty() && !members.contains_key("keys") {
        return "it has no `keys`".to_owned();
    }
    error.to_string()
}

impl FromIterator<Jwk> for JwkSet {
    fn from_iter<I: IntoIterator<Item = Jwk>>(keys: I) -> Self {
        Self::new(keys.into_iter().collect(), 0, None)
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
