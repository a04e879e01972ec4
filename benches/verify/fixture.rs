//! One token of 700 bytes and everything to verify it with.

use std::time::Duration;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use reqwest_middleware::ClientBuilder;
use reqwest_scitokens::keys::{Algorithm, JwkSet, KeyKind, SigningKey};
use reqwest_scitokens::scitokens::{
    CacheTimes, CachedKeys, Enforcer, Issuer, KeyCache, OfflineVerifier, Profile, SciToken, TokenSigner,
    Verifier,
};
use reqwest_scitokens::sys::SharedClock;

pub(crate) struct Fixture {
    pub(crate) token: String,
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
        let keys = [key.verifying_key().to_jwk().with_key_id("key-2026-11")].into_iter().collect();
        let mut token = SciToken::new(Profile::WLCG, &issuer())
            .subject("7e5c3c7a-8f5c-4b2f-9d5e-2f1f4c1b8a10")
            .audience("https://data.example:8443")
            .lifetime(Duration::from_secs(3_600));
        for scope in SCOPES {
            token = token.scope(scope.parse().unwrap());
        }
        let signer = TokenSigner::new(key.clone()).unwrap().with_key_id("key-2026-11");
        // The signature of RS256 is four times as long; the rest makes up for it.
        let pad = if algorithm == Algorithm::Rs256 { 0 } else { 190 };
        token.set("wlcg.groups", vec![format!("/vo/{}", "g".repeat(pad))]);
        let token = token.sign(&signer).unwrap().expose_secret().to_owned();
        Self { token, key, keys, algorithm }
    }

    /// What the cryptographic library needs, and nothing else.
    pub(crate) fn for_aws_lc(&self) -> (ParsedPublicKey, Vec<u8>, Vec<u8>) {
        let der = pem::parse(self.key.verifying_key().to_pem().unwrap()).unwrap().into_contents();
        let key = match self.algorithm {
            Algorithm::Rs256 => ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der),
            _ => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, der),
        };
        let (signed, signature) = self.token.rsplit_once('.').unwrap();
        let signature = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(signature).unwrap();
        (key.unwrap(), signed.as_bytes().to_vec(), signature)
    }

    pub(crate) fn offline(&self) -> OfflineVerifier {
        OfflineVerifier::new(issuer(), self.keys.clone())
    }

    /// A verifier that has its keys and has seen the token.
    pub(crate) fn warm_verifier(&self) -> Verifier {
        let cache = KeyCache::in_memory();
        let now = SharedClock::default().now();
        cache.put(&issuer(), CachedKeys::of(&self.keys, CacheTimes::default(), now)).unwrap();
        let client = ClientBuilder::new(reqwest::Client::builder().build().unwrap()).build();
        let verifier = Verifier::builder(issuer(), client).key_cache(cache).build();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(verifier.verify(&self.token)).unwrap();
        verifier
    }

    pub(crate) fn enforcer() -> Enforcer {
        Enforcer::builder(issuer()).audience("https://data.example:8443").build()
    }
}

fn issuer() -> Issuer {
    ISSUER.parse().unwrap()
}
