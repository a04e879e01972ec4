//! From claims to token, byte for byte as PyJWT writes it.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::json::{self, Json, Text};
use super::{JwtError, Object, UNSECURED, segments};
use crate::keys::{Algorithm, KeyError, SigningKey};

/// Signs claims: `jwt.encode(claims, key, algorithm)`.
///
/// # Errors
/// As [`Encoder::encode`].
///
/// # Examples
/// ```
/// use scitoken_jwt::keys::{Algorithm, SigningKey};
/// use serde_json::json;
///
/// let key = SigningKey::from_secret("0123456789abcdef0123456789abcdef")?;
/// let token = scitoken_jwt::encode(&json!({"sub": "me"}), &key, Algorithm::Hs256)?;
/// assert!(token.starts_with("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJtZSJ9."));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn encode<C: Serialize + ?Sized>(
    claims: &C,
    key: &SigningKey,
    algorithm: Algorithm,
) -> Result<String, JwtError> {
    Encoder::new(algorithm).encode(claims, key)
}

/// Writes claims as a token without a signature (`algorithm="none"`), which anyone can forge.
///
/// No function of this crate accepts such a token as verified.
///
/// # Errors
/// [`JwtError::InvalidClaims`] as [`Encoder::encode`].
pub fn encode_unsecured<C: Serialize + ?Sized>(claims: &C) -> Result<String, JwtError> {
    let payload = payload_of(claims)?;
    Encoder::with_name(UNSECURED).assemble(&payload, |_| Ok(Vec::new()))
}

/// How a token is written: the algorithm and the header.
///
/// The header starts as `{"alg": ..., "typ": "JWT"}` and is written with its members sorted, as PyJWT does. Claims
/// keep their order. The output is ASCII without spaces, so the same input gives the same token in both languages
/// (except for PS and ES algorithms, whose signatures are random).
///
/// ```
/// use scitoken_jwt::Encoder;
/// use scitoken_jwt::keys::{Algorithm, SigningKey};
/// use serde_json::json;
///
/// let key = SigningKey::from_secret("0123456789abcdef0123456789abcdef")?;
/// let token = Encoder::new(Algorithm::Hs256).key_id("2026").token_type("at+jwt").encode(&json!({"sub": "me"}), &key)?;
/// assert_eq!(token.split('.').next(), Some("eyJhbGciOiJIUzI1NiIsImtpZCI6IjIwMjYiLCJ0eXAiOiJhdCtqd3QifQ"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Encoder {
    header: Object,
    is_detached: bool,
    enforce_key_strength: bool,
}

impl Encoder {
    /// Signs with this algorithm.
    pub fn new(algorithm: Algorithm) -> Self {
        Self::with_name(algorithm.name())
    }

    fn with_name(algorithm: &str) -> Self {
        let header = vec![(Text::from("typ"), Json::from("JWT")), (Text::from("alg"), Json::from(algorithm))];
        Self { header: Object::new(header), is_detached: false, enforce_key_strength: false }
    }

    /// Sets the key's name in the header (`headers={"kid": ...}`).
    pub fn key_id(mut self, key_id: &str) -> Self {
        self.header.set("kid", Json::from(key_id));
        self
    }

    /// Sets the type of the token: `at+jwt` (RFC 9068) instead of `JWT`. An empty type is left out.
    pub fn token_type(mut self, token_type: &str) -> Self {
        self.header.set("typ", Json::from(token_type));
        self
    }

    /// Adds every member of an object to the header (`headers=...`).
    ///
    /// As in PyJWT an `alg` among them replaces the algorithm, a `typ` that is empty, zero, `false` or `null` is left
    /// out, and `"b64": false` selects a [detached](Self::detached) payload.
    pub fn headers(mut self, headers: &Object) -> Self {
        for (name, value) in headers.members() {
            match (name.as_str(), value) {
                (Some("b64"), Json::Bool(false)) => self.is_detached = true,
                // The default encoding needs no member.
                (Some("b64"), _) => {}
                (Some("alg"), value) if value.is_falsy() => {}
                _ => self.header.set_text(name, value.clone()),
            }
        }
        self
    }

    /// Leaves the payload out of the token (RFC 7797). The header declares it in `b64` and `crit`.
    pub fn detached(mut self) -> Self {
        self.is_detached = true;
        self
    }

    /// Refuses keys that are shorter than their algorithm asks for, instead of logging a warning.
    pub fn enforce_key_strength(mut self) -> Self {
        self.enforce_key_strength = true;
        self
    }

    /// Signs claims: anything that serializes to a JSON object, including an [`Object`].
    ///
    /// # Errors
    /// [`JwtError::InvalidClaims`] if the claims are not an object, or `iss` is not a string;
    /// [`JwtError::InvalidKey`] if the key does not support the algorithm; [`JwtError::UnsupportedAlgorithm`] and
    /// [`JwtError::InvalidToken`] for invalid headers.
    pub fn encode<C: Serialize + ?Sized>(&self, claims: &C, key: &SigningKey) -> Result<String, JwtError> {
        self.encode_bytes(&payload_of(claims)?, key)
    }

    /// Signs parsed claims, which may include `NaN`; serde has no such value, so [`encode`](Self::encode) cannot
    /// write it.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_object(&self, claims: &Object, key: &SigningKey) -> Result<String, JwtError> {
        if !matches!(claims.get("iss"), None | Some(Json::Text(_))) {
            return Err(JwtError::InvalidClaims { reason: "`iss` is not a string".into() });
        }
        self.encode_bytes(&claims.to_json(), key)
    }

    /// Signs any bytes: `jwt.api_jws.encode`. A detached payload must be transmitted separately.
    ///
    /// # Errors
    /// As [`encode`](Self::encode), without those about claims.
    pub fn encode_bytes(&self, payload: &[u8], key: &SigningKey) -> Result<String, JwtError> {
        let algorithm: Algorithm = match self.header.get("alg") {
            Some(Json::Text(name)) => {
                segments::shown(name).parse().map_err(JwtError::UnsupportedAlgorithm)?
            }
            _ => {
                return Err(JwtError::UnsupportedAlgorithm(KeyError::UnknownAlgorithm {
                    name: "?".to_owned(),
                }));
            }
        };
        if algorithm.key_kind() != key.kind() {
            return Err(JwtError::InvalidKey(KeyError::WrongKind { algorithm, kind: key.kind() }));
        }
        if let Some(weakness) = key.verifying_key().weakness(algorithm) {
            if self.enforce_key_strength {
                return Err(JwtError::WeakKey(weakness));
            }
            tracing::warn!(%weakness, "signed a token with a weak key");
        }
        self.assemble(payload, |signed| key.sign(algorithm, signed).map_err(JwtError::InvalidKey))
    }

    fn assemble(
        &self,
        payload: &[u8],
        sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, JwtError>,
    ) -> Result<String, JwtError> {
        let mut token = BASE64_URL_SAFE_NO_PAD.encode(self.final_header()?.to_sorted_json());
        token.push('.');
        let signature = if self.is_detached {
            sign(&[token.as_bytes(), payload].concat())?
        } else {
            BASE64_URL_SAFE_NO_PAD.encode_string(payload, &mut token);
            sign(token.as_bytes())?
        };
        token.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    fn final_header(&self) -> Result<Object, JwtError> {
        segments::check_key_id(&self.header)?;
        let mut header = self.header.clone();
        if header.get("typ").is_some_and(Json::is_falsy) {
            header.remove("typ");
        }
        if self.is_detached {
            header.set("b64", Json::Bool(false));
            if !segments::is_b64_critical(&header) {
                let mut critical = match header.get("crit") {
                    None => Vec::new(),
                    Some(Json::Array(names)) => names.clone(),
                    Some(_) => return Err(JwtError::token("`crit` must be a list")),
                };
                critical.push(Json::from("b64"));
                header.set("crit", Json::Array(critical));
            }
        }
        Ok(header)
    }
}

/// The claims that are checked before signing.
#[derive(Deserialize)]
struct Issuer<'a> {
    #[serde(borrow, default, deserialize_with = "present")]
    iss: Option<&'a RawValue>,
}

/// Distinguishes `null` from a missing member.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}

fn payload_of<C: Serialize + ?Sized>(claims: &C) -> Result<Vec<u8>, JwtError> {
    let payload =
        json::write(claims).map_err(|error| JwtError::InvalidClaims { reason: error.to_string().into() })?;
    let reason = "they are not a JSON object, or `iss` is not a string";
    let refused = || JwtError::InvalidClaims { reason: reason.into() };
    if payload.first() != Some(&b'{') {
        return Err(refused());
    }
    let Issuer { iss } = serde_json::from_slice(&payload).map_err(|_| refused())?;
    if iss.is_some_and(|iss| !iss.get().starts_with('"')) { Err(refused()) } else { Ok(payload) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key() -> SigningKey {
        SigningKey::from_secret("0123456789abcdef0123456789abcdef").unwrap()
    }

    fn header_of(encoder: &Encoder) -> String {
        let token = encoder.encode(&json!({}), &key()).unwrap();
        let header = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
        String::from_utf8(header).unwrap()
    }

    #[test]
    fn headers_are_sorted_and_ascii() {
        let headers =
            Object::parse(r#"{"z":{"b":1,"a":[{"d":1,"c":2}]},"kid":"é","b64":true,"a":1}"#).unwrap();
        assert_eq!(
            header_of(&Encoder::new(Algorithm::Hs256).headers(&headers)),
            r#"{"a":1,"alg":"HS256","kid":"\u00e9","typ":"JWT","z":{"a":[{"c":2,"d":1}],"b":1}}"#
        );
    }

    #[test]
    fn an_empty_type_is_left_out_and_the_algorithm_of_the_header_counts() {
        let encoder = Encoder::new(Algorithm::Hs256).token_type("").key_id("k1");
        assert_eq!(header_of(&encoder), r#"{"alg":"HS256","kid":"k1"}"#);
        let headers = Object::parse(r#"{"alg":"HS512","typ":null}"#).unwrap();
        assert_eq!(header_of(&encoder.headers(&headers)), r#"{"alg":"HS512","kid":"k1"}"#);
    }

    #[test]
    fn what_pyjwt_refuses_to_encode_is_refused() {
        let refusal = |headers: &str, claims: serde_json::Value| {
            let encoder = Encoder::new(Algorithm::Hs256).headers(&Object::parse(headers).unwrap());
            encoder.encode(&claims, &key()).map_err(|error| error.pyjwt_name()).err()
        };
        assert_eq!(refusal("{}", json!({"iss": 5})), Some("TypeError"));
        assert_eq!(refusal("{}", json!({"iss": null})), Some("TypeError"));
        assert_eq!(refusal("{}", json!(["iss"])), Some("TypeError"));
        assert_eq!(refusal(r#"{"alg":"HS257"}"#, json!({})), Some("NotImplementedError"));
        assert_eq!(refusal(r#"{"kid":5}"#, json!({})), Some("InvalidTokenError"));
        assert_eq!(refusal(r#"{"alg":"RS256"}"#, json!({})), Some("InvalidKeyError"));
        assert_eq!(refusal(r#"{"b64":false,"crit":"b64"}"#, json!({})), Some("InvalidTokenError"));
        assert_eq!(refusal("{}", json!({"iss": "i", "aud": 5, "sub": null})), None);
    }

    #[test]
    fn an_object_and_its_text_give_one_token() {
        let text = r#"{"sub":"é","n":[1.5,1e30,true,null],"iss":"i"}"#;
        let object = Object::parse(text).unwrap();
        let encoder = Encoder::new(Algorithm::Hs256);
        let token = encoder.encode_object(&object, &key()).unwrap();
        assert_eq!(encoder.encode(&object, &key()).unwrap(), token);
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(encoder.encode(&value, &key()).unwrap(), token);
    }
}
