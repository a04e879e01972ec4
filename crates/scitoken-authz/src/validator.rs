//! The caller's rules about claims.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::{AuthorizationError, ClaimValue, Claims, Profile, claims};
use scitoken_types::redact;

/// Rules about claims beyond those of the profile: a claim must have a certain value, another must be present.
///
/// One validator serves all threads and keeps no state between tokens.
///
/// ```
/// use scitoken_authz::Validator;
///
/// let validator = Validator::new()
///     .claim("sub", |value| match value.as_str() {
///         Some("alice" | "bob") => Ok(()),
///         _ => Err("not one of us".to_owned()),
///     })
///     .critical("jti");
/// ```
#[derive(Clone, Default)]
pub struct Validator {
    checks: Vec<(Cow<'static, str>, ClaimRule)>,
    critical: Vec<Cow<'static, str>>,
    unknown: UnknownClaims,
}

type ClaimRule = Arc<dyn Fn(&ClaimValue) -> Result<(), String> + Send + Sync>;

/// What to do with a claim that no rule covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnknownClaims {
    /// Follow the token's profile: SciTokens 1.0 refuses, the others ignore.
    #[default]
    ByProfile,
    /// Ignore the claim.
    Ignore,
    /// Refuse the token, whatever its profile.
    Refuse,
}

impl Validator {
    /// Returns a validator without rules of its own.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule about a claim. It is called if the claim is present; all rules of a claim must pass. The claim
    /// then counts as known.
    pub fn claim(
        mut self,
        name: impl Into<Cow<'static, str>>,
        check: impl Fn(&ClaimValue) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.checks.push((name.into(), Arc::new(check)));
        self
    }

    /// Requires that a claim is present.
    pub fn critical(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.critical.push(name.into());
        self
    }

    /// Sets what to do with unknown claims.
    pub fn unknown_claims(mut self, unknown: UnknownClaims) -> Self {
        self.unknown = unknown;
        self
    }

    /// Checks the claims of a verified token against every rule.
    ///
    /// # Errors
    /// The first rule that fails: [`AuthorizationError::UnknownClaim`], [`AuthorizationError::MissingClaim`], or
    /// [`AuthorizationError::ClaimRefused`].
    pub fn validate(&self, token: &super::VerifiedToken) -> Result<(), AuthorizationError> {
        self.check(token.claims())
    }

    fn check(&self, claims: &Claims) -> Result<(), AuthorizationError> {
        self.check_unknown(claims)?;
        for name in &self.critical {
            if claims.all()?.get(name.as_ref()).is_none() {
                return Err(AuthorizationError::MissingClaim { claim: name.clone() });
            }
        }
        for (name, check) in &self.checks {
            if let Some(value) = claims.all()?.get(name.as_ref()) {
                check(value).map_err(|reason| AuthorizationError::ClaimRefused {
                    claim: name.clone().into_owned(),
                    reason: redact::text(&reason),
                })?;
            }
        }
        Ok(())
    }

    fn check_unknown(&self, claims: &Claims) -> Result<(), AuthorizationError> {
        let has_rule = |name: &str| self.checks.iter().any(|(known, _)| known == name);
        let refused = |name: &str| AuthorizationError::UnknownClaim { claim: redact::text(name) };
        match self.unknown {
            UnknownClaims::Ignore => Ok(()),
            UnknownClaims::ByProfile if !claims.profile().refuses_unknown_claims() => Ok(()),
            UnknownClaims::Refuse if claims.profile() != Profile::SciTokens1 => {
                let unknown = |name: &&str| !claims::NAMES.contains(name) && !has_rule(name);
                claims
                    .all()?
                    .keys()
                    .map(String::as_str)
                    .find(unknown)
                    .map_or(Ok(()), |name| Err(refused(name)))
            }
            UnknownClaims::ByProfile | UnknownClaims::Refuse => {
                claims.unknown().find(|name| !has_rule(name)).map_or(Ok(()), |name| Err(refused(name)))
            }
        }
    }
}

impl fmt::Debug for Validator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Validator")
            .field("checks", &self.checks.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("critical", &self.critical)
            .field("unknown", &self.unknown)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::VerifiedToken;

    fn token(json: &str) -> VerifiedToken {
        VerifiedToken::new(Claims::parse(json.to_owned(), None).unwrap(), None)
    }

    #[test]
    fn unknown_claims_are_refused_in_scitokens_1_and_ignored_elsewhere() {
        let validator = Validator::new();
        assert_eq!(
            validator.validate(&token(r#"{"foo":1,"sub":"a"}"#)),
            Err(AuthorizationError::UnknownClaim { claim: "foo".to_owned() })
        );
        assert_eq!(validator.validate(&token(r#"{"foo":1,"ver":"scitoken:2.0"}"#)), Ok(()));
        assert_eq!(validator.validate(&token(r#"{"foo":1,"wlcg.ver":"1.0"}"#)), Ok(()));
        assert_eq!(
            validator.validate(&token(r#"{"wlcg.groups":["/a"]}"#)),
            Err(AuthorizationError::UnknownClaim { claim: "wlcg.groups".to_owned() })
        );
    }

    #[test]
    fn what_was_validated_before_changes_nothing() {
        let validator = Validator::new();
        let (old, new) = (token(r#"{"foo":1}"#), token(r#"{"foo":1,"ver":"scitoken:2.0"}"#));
        for _ in 0..3 {
            assert_eq!(validator.validate(&new), Ok(()));
            assert!(validator.validate(&old).is_err());
        }
    }

    #[test]
    fn every_rule_about_a_claim_must_agree() {
        let validator = Validator::new()
            .claim("foo", |value| value.as_i64().map(|_| ()).ok_or_else(|| "no number".to_owned()))
            .claim("foo", |value| if value.as_i64() == Some(1) { Ok(()) } else { Err("not one".to_owned()) });
        assert_eq!(validator.validate(&token(r#"{"foo":1}"#)), Ok(()));
        assert_eq!(
            validator.validate(&token(r#"{"foo":2}"#)),
            Err(AuthorizationError::ClaimRefused { claim: "foo".to_owned(), reason: "not one".to_owned() })
        );
        assert_eq!(validator.validate(&token("{}")), Ok(()), "a rule about an absent claim is not asked");
    }

    #[test]
    fn a_critical_claim_must_be_there() {
        let validator = Validator::new().critical("foo").unknown_claims(UnknownClaims::Ignore);
        assert_eq!(
            validator.validate(&token("{}")),
            Err(AuthorizationError::MissingClaim { claim: "foo".into() })
        );
        assert_eq!(validator.validate(&token(r#"{"foo":null}"#)), Ok(()));
    }

    #[test]
    fn unknown_claims_can_be_refused_in_every_profile() {
        let validator = Validator::new().unknown_claims(UnknownClaims::Refuse);
        let refused = Err(AuthorizationError::UnknownClaim { claim: "foo".to_owned() });
        assert_eq!(validator.validate(&token(r#"{"foo":1,"ver":"scitoken:2.0"}"#)), refused);
        assert_eq!(validator.validate(&token(r#"{"sub":"a","ver":"scitoken:2.0"}"#)), Ok(()));
    }
}
