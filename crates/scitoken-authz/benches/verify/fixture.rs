//! One token of some 700 bytes with ten claims, another one with six scopes, and everything to verify it with.

use base64::prelude::*;
use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use scitoken_authz::{
    CacheTimes, CachedKeys, Enforcer, Issuer, KeyCache, OfflineVerifier, Profile, SciToken, TokenSigner,
    Verifier,
};
use scitoken_jwt::keys::{Algorithm, JwkSet, KeyKind, SigningKey};
use scitoken_types::sys::SharedClock;

pub(crate) struct Fixture {
    pub(crate) token: String,
    /// A token with six scopes, for decisions.
    pub(crate) six_scopes: String,
    pub(crate) key: SigningKey,
    pub(crate) keys: JwkSet,
    algorithm: Algorithm,
}

pub(crate) const ISSUER: &str = "https://issuer.example/vo";

const SCOPES: [&str; 6] = [
    "storage.read:/data/one",
    "storage.read:/data/two",
    "storage.create:/data/three",
    "storage.modify:/data/four",
    "compute.create",
    "storage.read:/data/six",
];

impl Fixture {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        let kind = if algorithm == Algorithm::Rs256 { KeyKind::Rsa } else { KeyKind::P256 };
        let key = SigningKey::generate(kind).unwrap();
        let keys = [key.verifying_key().to_jwk().with_key_id("k1")].into_iter().collect();
        let signer = TokenSigner::new(key.clone()).unwrap().with_key_id("k1");
        let token = |scopes: &[&str]| {
            let mut token = SciToken::new(Profile::WLCG, &issuer())
                .subject("alice")
                .audience("https://data.example")
                .lifetime(Duration::from_secs(3_600));
            for scope in scopes {
                token = token.scope(scope.parse().unwrap());
            }
            token.set("wlcg.groups", vec!["/vo"]);
            token.sign(&signer).unwrap().expose_secret().to_owned()
        };
        let (six_scopes, token) = (token(&SCOPES), token(&SCOPES[..2]));
        Self { token, six_scopes, key, keys, algorithm }
    }

    /// What the cryptographic library needs, and nothing else.
    pub(crate) fn for_aws_lc(&self) -> (ParsedPublicKey, Vec<u8>, Vec<u8>) {
        let der = pem::parse(self.key.verifying_key().to_pem().unwrap()).unwrap().into_contents();
        let key = match self.algorithm {
            Algorithm::Rs256 => ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der),
            _ => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, der),
        };
        let (signed, signature) = self.token.rsplit_once('.').unwrap();
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
        (key.unwrap(), signed.as_bytes().to_vec(), signature)
    }

    pub(crate) fn offline(&self) -> OfflineVerifier {
        OfflineVerifier::new(issuer(), self.keys.clone())
    }

    /// A verifier that has its keys and has seen the token.
    pub(crate) fn warm_verifier(&self) -> Verifier {
        let cache = KeyCache::in_memory();
        let now = SharedClock::default().now();
        cache.put(&issuer(), CachedKeys::from_set(&self.keys, CacheTimes::default(), now)).unwrap();
        let client = reqwest::Client::builder().build().unwrap();
        let verifier = Verifier::builder(issuer(), client).key_cache(cache).build();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(verifier.verify(&self.token)).unwrap();
        verifier
    }

    pub(crate) fn enforcer() -> Enforcer {
        Enforcer::builder(issuer()).audience("https://data.example").build()
    }
}

fn issuer() -> Issuer {
    ISSUER.parse().unwrap()
}
