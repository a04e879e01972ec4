//! Tokens that somebody has verified.

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::grants::Grants;
use super::{Claims, Profile, Refusal};

/// A token whose signature was checked with a key of an issuer that is trusted, and that was valid at that moment.
///
/// Verifiers make them, nobody else does; an [`Enforcer`](super::Enforcer) takes nothing less:
///
/// ```compile_fail,E0308
/// use reqwest_scitokens::scitokens::{Access, Enforcer};
///
/// fn serve(enforcer: &Enforcer, token: &reqwest_scitokens::UnverifiedClaims) {
///     let _ = enforcer.test(token, Access::everywhere("compute.create"));
/// }
/// ```
///
/// Clones are cheap and share one set of claims. The token's own text is not kept.
#[derive(Clone)]
pub struct VerifiedToken(Arc<Inner>);

struct Inner {
    claims: Claims,
    key_id: Option<String>,
    grants: OnceLock<Result<Grants, Refusal>>,
}

impl VerifiedToken {
    pub(super) fn new(claims: Claims, key_id: Option<String>) -> Self {
        Self(Arc::new(Inner { claims, key_id, grants: OnceLock::new() }))
    }

    /// What the token says.
    pub fn claims(&self) -> &Claims {
        &self.0.claims
    }

    /// The rule book that the token follows.
    pub fn profile(&self) -> Profile {
        self.0.claims.profile()
    }

    /// `iss`: who made the token.
    pub fn issuer(&self) -> &str {
        self.0.claims.issuer().unwrap_or_default()
    }

    /// `kid`: the name of the key that the token was signed with, if it has one.
    pub fn key_id(&self) -> Option<&str> {
        self.0.key_id.as_deref()
    }

    /// Whether the token has capabilities (`storage.*`, `compute.*`, `read`, `write`). A service that knows
    /// capabilities and groups must then decide by the capabilities alone (WLCG profile).
    pub fn has_capabilities(&self) -> bool {
        self.grants().is_ok_and(Grants::has_capabilities)
    }

    /// What the scopes allow, parsed at the first question.
    pub(super) fn grants(&self) -> Result<&Grants, Refusal> {
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
