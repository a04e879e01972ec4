//! Verified tokens.

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::grants::Grants;
use super::{AuthorizationError, Claims, Profile};

/// A token whose signature was verified with a key of a trusted issuer, and that was valid at that moment.
///
/// Only verifiers create it, and an [`Enforcer`](super::Enforcer) takes nothing less:
///
/// ```compile_fail,E0308
/// use scitoken_authz::{Access, Enforcer};
///
/// fn serve(enforcer: &Enforcer, token: &scitoken_types::UnverifiedClaims) {
///     let _ = enforcer.test(token, Access::everywhere("compute.create"));
/// }
/// ```
///
/// Clones are cheap and share one set of claims. The token itself is not kept.
#[derive(Clone)]
pub struct VerifiedToken(Arc<Inner>);

struct Inner {
    claims: Claims,
    key_id: Option<String>,
    grants: OnceLock<Result<Grants, AuthorizationError>>,
}

impl VerifiedToken {
    pub(super) fn new(claims: Claims, key_id: Option<String>) -> Self {
        Self(Arc::new(Inner { claims, key_id, grants: OnceLock::new() }))
    }

    /// Returns the claims.
    pub fn claims(&self) -> &Claims {
        &self.0.claims
    }

    /// Returns the profile that the token follows.
    pub fn profile(&self) -> Profile {
        self.0.claims.profile()
    }

    /// Returns `iss`, the issuer.
    pub fn issuer(&self) -> &str {
        self.0.claims.issuer().unwrap_or_default()
    }

    /// Returns `kid`, the name of the key that signed the token, if the token has one.
    pub fn key_id(&self) -> Option<&str> {
        self.0.key_id.as_deref()
    }

    /// Returns whether the token has capabilities (`storage.*`, `compute.*`, `read`, `write`). A service that uses
    /// capabilities and groups must then decide by the capabilities alone (WLCG profile).
    pub fn has_capabilities(&self) -> bool {
        self.grants().is_ok_and(Grants::has_capabilities)
    }

    /// Returns the parsed scopes; they are parsed at the first call.
    pub(super) fn grants(&self) -> Result<&Grants, AuthorizationError> {
        self.0.grants.get_or_init(|| Grants::of(&self.0.claims)).as_ref().map_err(Clone::clone)
    }
}

impl fmt::Debug for VerifiedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifiedToken")
            .field("profile", &self.profile())
            .field("key_id", &self.0.key_id)
            .field("claims", &self.0.claims)
            .finish()
    }
}
