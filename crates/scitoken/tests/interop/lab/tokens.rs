//! The lab's issuer: its keys, and the tokens that it signs.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use scitoken_types::sys::SharedClock;
use serde_json::{Map, Value, json};

use super::{ISSUER, XROOTD};

/// The key of the issuer, below the lab's directory, so that the processes of the lab share it.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    directory: PathBuf,
}

impl Keys {
    pub(crate) fn at(lab: &Path) -> Self {
        Self { directory: lab.join("keys") }
    }

    /// Makes the issuer's key and one that only claims to be it.
    pub(crate) fn create(lab: &Path) -> anyhow::Result<Self> {
        let keys = Self::at(lab);
        fs_err::create_dir_all(&keys.directory)?;
        for name in ["issuer", "rogue"] {
            let document =
                EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())?;
            fs_err::write(keys.file(name), document)?;
        }
        Ok(keys)
    }

    /// The issuer's public key, as it publishes it.
    pub(crate) fn jwks(&self) -> Value {
        let pair = self.pair("issuer");
        // the uncompressed point: 4, x, y
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        json!({"keys": [{
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": "lab-es256",
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y),
        }]})
    }

    /// A token that the lab's XRootD grants reading everything below `/vo` for, until something is changed.
    pub(crate) fn token(&self) -> Mint<'_> {
        let now = now();
        let claims = json!({
            "wlcg.ver": "1.0",
            "iss": ISSUER,
            "sub": "alice",
            "aud": XROOTD,
            "scope": "storage.read:/",
            "iat": now,
            "nbf": now,
            "exp": now + 600,
            "jti": uuid::Uuid::new_v4().to_string(),
        });
        let Value::Object(claims) = claims else { unreachable!("an object was written") };
        Mint { keys: self, signer: "issuer", claims }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name).with_extension("p8")
    }

    fn pair(&self, name: &str) -> EcdsaKeyPair {
        let document = fs_err::read(self.file(name)).expect("the lab has keys");
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &document)
            .expect("the lab's keys are keys")
    }
}

/// A token to be: claims that can still be changed.
#[derive(Clone, Debug)]
#[must_use]
pub(crate) struct Mint<'a> {
    keys: &'a Keys,
    signer: &'static str,
    claims: Map<String, Value>,
}

impl Mint<'_> {
    pub(crate) fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    pub(crate) fn audience(self, audience: &str) -> Self {
        self.claim("aud", audience)
    }

    pub(crate) fn scope(self, scope: &str) -> Self {
        self.claim("scope", scope)
    }

    /// Of the profile `scitoken:2.0` instead of WLCG's.
    pub(crate) fn scitoken(self) -> Self {
        self.without("wlcg.ver").claim("ver", "scitoken:2.0").scope("read:/")
    }

    /// Made an hour ago, dead for ten minutes.
    pub(crate) fn expired(self) -> Self {
        let now = now();
        self.claim("iat", now - 3600).claim("nbf", now - 3600).claim("exp", now - 600)
    }

    /// Alive for so many seconds more.
    pub(crate) fn expires_in(self, seconds: u64) -> Self {
        self.claim("exp", now() + seconds)
    }

    /// Valid from in ten minutes on.
    pub(crate) fn not_yet_valid(self) -> Self {
        let now = now();
        self.claim("nbf", now + 600).claim("exp", now + 1200)
    }

    /// Signed with another key in the issuer's name.
    pub(crate) fn forged(mut self) -> Self {
        self.signer = "rogue";
        self
    }

    /// Signs it.
    pub(crate) fn sign(self) -> String {
        let header = json!({"alg": "ES256", "kid": "lab-es256", "typ": "JWT"});
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&Value::Object(self.claims)));
        let signature = self.keys.pair(self.signer).sign(&SystemRandom::new(), signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.expect("signing works")))
    }
}

fn now() -> u64 {
    let since = SharedClock::default().now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or(Duration::ZERO).as_secs()
}
