//! SciTokens and WLCG tokens: made, verified and enforced.
//!
//! An issuer makes a [`SciToken`] and signs it with a [`TokenSigner`]. A server verifies it with a [`Verifier`], which
//! fetches the issuer's keys and keeps them in a [`KeyCache`], or with an [`OfflineVerifier`], which has them. What
//! comes out is a [`VerifiedToken`], and that is what an [`Enforcer`] takes to say whether it allows an [`Access`]. Where
//! the answer is no, a [`Refusal`] says which rule it is.
//!
//! ```
//! use reqwest_scitokens::ResourcePath;
//! use reqwest_scitokens::keys::{JwkSet, KeyKind, SigningKey};
//! use reqwest_scitokens::scitokens::{
//!     Access, Enforcer, Issuer, OfflineVerifier, Profile, Refusal, SciToken, TokenSigner,
//! };
//!
//! let issuer: Issuer = "https://issuer.example".parse()?;
//! let key = SigningKey::generate(KeyKind::P256)?;
//! let keys: JwkSet = [key.verifying_key().to_jwk().with_key_id("k1")].into_iter().collect();
//!
//! let token = SciToken::new(Profile::SciTokens2, &issuer)
//!     .subject("alice")
//!     .audience("https://data.example")
//!     .scope("read:/data".parse()?)
//!     .sign(&TokenSigner::new(key)?.with_key_id("k1"))?;
//!
//! let verified = OfflineVerifier::new(issuer.clone(), keys).verify(token.expose_secret())?;
//! let enforcer = Enforcer::builder(issuer).audience("https://data.example").build();
//! let (file, other): (ResourcePath, ResourcePath) = ("/data/run1".parse()?, "/database".parse()?);
//! assert_eq!(enforcer.test(&verified, Access::to("read", &file)), Ok(()));
//! assert_eq!(enforcer.test(&verified, Access::to("read", &other)), Err(Refusal::NotGranted));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # For those who come from another library
//!
//! | here | `scitokens` (Python) | `scitokens.h` (C, C++) | `scitokens-go` |
//! |---|---|---|---|
//! | [`SciToken::new`], [`TokenSigner`] | `SciToken(key=, algorithm=, key_id=)` | `scitoken_key_create`, `scitoken_create` | - |
//! | [`SciToken::set`], [`claim`](SciToken::claim), [`get`](SciToken::get), [`remove`](SciToken::remove) | `token[name]`, `get`, `update_claims`, `del` | `scitoken_set_claim_string`, `scitoken_set_claim_string_list` | `Set`, `Get`, `Remove` |
//! | [`SciToken::lifetime`] | `serialize(lifetime=)` | `scitoken_set_lifetime` | - |
//! | [`Profile`] of [`SciToken::new`] | set `ver` by hand | `scitoken_set_serialize_profile`, `scitoken_set_serialize_mode` | - |
//! | [`SciToken::sign`] | `serialize()` | `scitoken_serialize` | - |
//! | [`SciToken::dangerously_unprotected`] | `serialize(serialization_type="unprotected")` of old | - | - |
//! | [`SigningKey::from_pem`](crate::keys::SigningKey::from_pem), [`generate`](crate::keys::SigningKey::generate) | `utils.keycache`, `scitokens-admin-create-key` | `scitokens-generate-jwks` | - |
//! | [`Verifier::verify`] | `SciToken.deserialize(token)` | `scitoken_deserialize`, `scitoken_deserialize_v2`; `scitoken_deserialize_start`, `_continue` and `scitoken_status_*` are what `async` is here | `Enforcer.ValidateToken`, `ValidateTokenString` |
//! | [`OfflineVerifier::with_key`] | `deserialize(public_key=)` | `scitoken_store_public_ec_key` | - |
//! | [`Verifier::builder`], [`issuer`](VerifierBuilder::issuer) | - | `allowed_issuers` | `NewEnforcer`, `AddIssuer` |
//! | [`VerifierBuilder::profiles`] | - | `scitoken_set_deserialize_profile`, `validator_set_token_profile` | - |
//! | [`Issuer::insecure_over_loopback_http`] | `deserialize(insecure=True)` | - | - |
//! | [`Discovery`](crate::Discovery) | `SciToken.discover` | - | `ValidateTokenEnvironment` |
//! | [`Claims`] of a [`VerifiedToken`] | `claims()`, `token[name]`; what is not verified is of another type here, so there is no `verified_only` | `scitoken_get_claim_string`, `scitoken_get_claim_string_list`, `scitoken_get_expiration` | `NewSciToken`, `Subject`, `Scopes`, `Groups`, `Version` |
//! | [`Validator::claim`] | `Validator.add_validator` | `validator_add` | `RequireValidator` |
//! | [`Validator::critical`] | `validate(critical_claims=)` | `validator_add_critical_claims` | - |
//! | [`Validator::validate`] | `Validator.validate`, `validator(token)` | `validator_validate` | `Validator.Validate` |
//! | [`Enforcer::builder`] | `Enforcer(issuer, audience)` | `enforcer_create` | `NewEnforcer` |
//! | [`Enforcer::test`] with [`Access`] | `Enforcer.test(token, authz, path)` | `enforcer_test` with `Acl` | `Validate` with `WithScope` |
//! | [`Enforcer::acls`] | `generate_acls` | `enforcer_generate_acls`, `_start` and `_continue` | `Scopes` |
//! | [`Enforcer::test_group`] | - | - | `RequireGroup`, `WithGroup` |
//! | [`EnforcerBuilder::audience`] | `audience=` | `audience_list` of `enforcer_create` | `RequireAudience` (there, all of them), `WithAudience` |
//! | [`EnforcerBuilder::vocabulary`] with [`Vocabulary::Compat`] | - | `enforcer_set_validate_profile(COMPAT)` | - |
//! | [`EnforcerBuilder::time_left`] | igwn's `timeleft=` | - | - |
//! | [`EnforcerBuilder::clock`], [`VerifierBuilder::clock`] | - | `enforcer_set_time`, `validator_set_time` | - |
//! | [`Refusal`] | `last_failure`, `ValidationFailure` and its kin | the text in `err_msg` | `TokenValidationError` |
//! | [`VerifyError::Keys`] | `URLError`, `MissingKeyException` | the text in `err_msg` | the error of the request |
//! | [`KeyCache`], `KeyCache::sqlite`, `KeyCache::user_file` | `KeyCache`, `cache_location` | `keycache_set_jwks`, `keycache.cache_home` | - |
//! | [`KeyCache::list`], [`put`](KeyCache::put), [`remove`](KeyCache::remove), [`Verifier::refresh`] | `list_keys`, `add_key`, `remove_key`, `update_all_keys` | `keycache_get_cached_jwks`, `keycache_set_jwks`, `keycache_delete_jwks`, `keycache_refresh_jwks` | - |
//! | [`CacheTimes`] | `cache_lifetime` | `keycache.update_interval_s`, `keycache.expiration_interval_s` | - |
//! | [`AuthorizeLayer`](#for-servers) | `utils.scitokens_protect.protect` | - | `ValidateTokenRequest` |
//! | [`OfflineVerifier::new`] with a [`JwkSet`](crate::keys::JwkSet) | - | `keycache_load_jwks` | - |
//! | [`CachedKeys::next_update`], [`expires`](CachedKeys::expires) | the row of the cache | `keycache_get_jwks_metadata` | - |
//! | `KeyCache::user_file` | - | `keycache_get_location`, `keycache_set_location` | - |
//! | [`Verifier`] refreshes beside the work, always | - | `keycache_set_background_refresh`, `keycache_stop_background_refresh` | the cache of `NewEnforcerDaemon` |
//! | methods of [`VerifierBuilder`] and [`CacheTimes`], each for one verifier | `set_config` (`cache_lifetime`, `cache_location`, `default_alg`; `log_file` and `log_level` are the business of a `tracing` subscriber) | `scitoken_config_set_int`, `scitoken_config_set_str` and their `get` | - |
//! | [`Validator::new`] | `Validator()` | `validator_create` | `NewValidator` |
//! | not here: `tracing` has the events | - | `scitoken_get_monitoring_json`, `scitoken_reset_monitoring_stats` | - |
//! | [`AuthorizeLayer`](#for-servers); for a text at hand [`Verifier::verify`] | - | - | `ValidateTokenReader`, `ValidateTokenForm`, `ValidateTokenHeader` |
//! | [`Enforcer::test`] for each | - | - | `RequireScope` |
//! | the client that [`Verifier::builder`] takes; [`Session::builder`](crate::Session::builder) has `ca_file` | `SSL_CERT_FILE` | `tls.ca_file` | - |
//! | a [`KeyCache`] of a file always falls back on memory | it goes on without | `keycache.allow_in_memory` | - |
//! | what a [`Verifier`] does by itself | `KeyCache.addkeyinfo`, `getkeyinfo` | - | - |
//! | not needed: values are dropped | - | `scitoken_destroy`, `enforcer_destroy`, `enforcer_acl_free` and their like | - |
//! | not here: not there either | `serialize(include_key=True)`, `deserialize(require_key=True)` | - | - |
//! | not here: a site's demonstration service | `utils.demo` | - | - |
//!
//! What their errors are called here:
//!
//! | theirs | ours |
//! |---|---|
//! | Python `SciTokensException`, the base of all | [`VerifyError`], [`Refusal`], [`CreateError`], each for its own work |
//! | Python `MissingKey` | [`Refusal::UnknownKey`], [`CreateError::MissingKeyId`] |
//! | Python `UnsupportedKey` | [`KeyError`](crate::keys::KeyError) |
//! | Python `MissingIssuer`, `MissingClaims`, `InvalidTokenFormat`; Go `NotSciToken`, `VersionParse` | [`Refusal::MissingClaim`], [`Refusal::NotJwt`], [`Refusal::UnknownProfile`] |
//! | Python `NonHTTPSIssuer` | the error of parsing an [`Issuer`] |
//! | Python `UnableToCreateCache` | [`KeyCacheError`] |
//! | Python `NoRegisteredValidator` | [`Refusal::UnknownClaim`] |
//! | Python `ClaimInvalid` | [`Refusal::ClaimRefused`] |
//! | Python `InvalidAuthorizationResource`, `InvalidPathError`; Go `ScopeParse` | [`Refusal::MalformedScope`], [`Refusal::ScopeWithoutPath`], [`InvalidPath`](crate::InvalidPath) |
//! | Go `GroupParse` | [`Refusal::WrongType`] for `wlcg.groups` |
//! | Go `UntrustedIssuer` | [`Refusal::UntrustedIssuer`] |
//! | Go `TokenNotFound` | `Ok(None)` of a [source](crate::TokenSource) |
//! | Python `EnforcementError`, `ValidationFailure`; Go `TokenValidationError` | [`Refusal::NotGranted`] and the others of [`Refusal`] |
//!
//! And their programs:
//!
//! | theirs | ours |
//! |---|---|
//! | `scitokens-verify`, `scitokens-verify-token`, `scitoken-validate` | `scitoken token verify` |
//! | `scitokens-test-access` | `scitoken token enforce` |
//! | `scitokens-list-access` | `scitoken token acls` |
//! | `scitokens-create`, `scitokens-admin-create-token` | `scitoken token create` |
//! | `scitokens-admin-create-key`, `scitokens-generate-jwks` | `scitoken keys generate`, `scitoken keys jwks` |
//! | `python -m scitokens.tools.admin_list_keys`, `admin_add_key`, `admin_remove_key`, `admin_update_keys` | `scitoken keys cache list`, `add`, `remove`, `refresh` |
//! | `httokendecode`, `htdecodetoken` | `scitoken token show` |
//!
//! # For servers
//!
//! With the feature `tower`, `AuthorizeLayer` puts all of it in front of a service: it verifies the token of each request,
//! asks an enforcer, and answers who may not come in as RFC 6750 has it. `examples/axum_server.rs` is a whole data server.
//!
//! # How keys are kept
//!
//! Keys are fetched when the first token asks for them. After 6 hours they are fetched anew beside the work; when that
//! fails, the old ones stay in use until they are 2 days old, and the issuer is left alone for a minute between attempts.
//! A token with a `kid` that is not known makes us ask again, at most once a minute. However many wait, one asks.
//! [`CacheTimes`] changes the numbers. In a file (`KeyCache::sqlite`, feature `sqlite`) all processes of a user share the keys; without the
//! file everything works, only slower.

mod access;
mod claims;
mod create;
mod enforcer;
mod grants;
mod issuer;
mod key_cache;
mod metadata;
mod profile;
mod refusal;
#[cfg(feature = "tower")]
mod server;
mod validator;
mod value;
mod verified;
mod verify;
mod wire;

#[cfg(test)]
mod vectors;

pub use access::Access;
pub use claims::Claims;
pub use create::{CreateError, SciToken, TokenSigner};
pub use enforcer::{Enforcer, EnforcerBuilder};
pub use grants::{Acl, Vocabulary};
pub use issuer::{InvalidIssuer, Issuer};
pub use key_cache::{CacheTimes, CachedKeys, KeyCache, KeyCacheError};
pub use metadata::InvalidMetadata;
pub use profile::{InvalidProfile, Profile};
pub use refusal::Refusal;
#[cfg(feature = "tower")]
#[cfg_attr(docsrs, doc(cfg(feature = "tower")))]
pub use server::{AnyVerifier, Authorize, AuthorizeLayer, Demand};
pub use validator::{UnknownClaims, Validator};
pub use value::{ClaimValue, InvalidJson};
pub use verified::VerifiedToken;
pub use verify::{KeyNames, KeysError, OfflineVerifier, Verifier, VerifierBuilder, VerifyError};
