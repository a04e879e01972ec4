//! Issuer keys for the crate `jsonwebtoken`.

use jsonwebtoken::{Algorithm, DecodingKey};
use scitoken_jwt::bridge::BridgeError;
use scitoken_jwt::keys::VerifyingKey;

use super::{Verifier, VerifyError};
use crate::{AuthorizationError, Issuer};

impl Verifier {
    /// Returns the key that a token of a trusted issuer was signed with, for `jsonwebtoken::decode`.
    ///
    /// Keys are fetched, cached, refreshed and bounded as for [`verify`](Self::verify). Nothing else about the token is
    /// verified: `decode` must do that with a `Validation` that names issuer and audience.
    ///
    /// The signature is verified to find the key, so that an issuer may replace a key under its `kid` or give several
    /// keys one. With the provider of [`install_default`](scitoken_jwt::bridge::install_default), `decode` does not
    /// compute it again for the last 4,096 tokens of the process that were asked about
    /// ([`verify_once`](scitoken_jwt::bridge::verify_once)). With another provider, `decode` verifies each token as well.
    ///
    /// ```no_run
    /// # async fn run(token: &str, client: reqwest::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use jsonwebtoken::{Algorithm, Validation};
    /// use scitoken_authz::Verifier;
    ///
    /// scitoken_jwt::bridge::install_default()?;
    /// let verifier = Verifier::builder("https://issuer.example".parse()?, client).build();
    ///
    /// let mut validation = Validation::new(Algorithm::ES256);
    /// validation.set_issuer(&["https://issuer.example"]);
    /// validation.set_audience(&["https://data.example"]);
    /// let key = verifier.decoding_key(token).await?;
    /// let claims = jsonwebtoken::decode::<serde_json::Value>(token, &key, &validation)?.claims;
    /// # let _ = claims; Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`VerifyError::Token`] if the issuer is not trusted or has no key that the token was signed with;
    /// [`VerifyError::Keys`] if its keys are not available.
    #[cfg_attr(docsrs, doc(cfg(feature = "jsonwebtoken")))]
    pub async fn decoding_key(&self, token: &str) -> Result<DecodingKey, VerifyError> {
        converted(&self.key_of(token).await?, None)
    }

    /// Returns the key with this `kid` of a trusted issuer. Without a `kid`, the issuer must have one key that fits. Of
    /// several usable keys with one `kid`, it is the first; [`decoding_key`](Self::decoding_key) finds the right one.
    ///
    /// # Errors
    /// As [`decoding_key`](Self::decoding_key).
    #[cfg_attr(docsrs, doc(cfg(feature = "jsonwebtoken")))]
    pub async fn decoding_key_by_id(
        &self,
        issuer: &Issuer,
        key_id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<DecodingKey, VerifyError> {
        let algorithm = algorithm.try_into().map_err(|error| unusable(key_id, &error))?;
        converted(&self.issuer_key(issuer.as_str(), key_id, algorithm).await?, key_id)
    }
}

fn converted(key: &VerifyingKey, key_id: Option<&str>) -> Result<DecodingKey, VerifyError> {
    DecodingKey::try_from(key).map_err(|error| unusable(key_id, &error))
}

fn unusable(key_id: Option<&str>, error: &BridgeError) -> VerifyError {
    AuthorizationError::UnusableKey {
        key_id: key_id.map(scitoken_types::redact::text),
        reason: error.to_string(),
    }
    .into()
}
