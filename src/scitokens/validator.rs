//! The caller's own rules about claims.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use super::{ClaimValue, Claims, Profile, Refusal, claims};
use crate::redact;

/// Rules about claims that go beyond the profile's: one claim must have some value, another must be there.
///
/// The order in which tokens are checked makes no difference, and one validator serves all threads for ever.
///
/// ```
/// use reqwest_scitokens::scitokens::Validator;
///
/// let validator = Validator::new()
///     .claim("sub", |value| match value.as_text() {
///         Some("alice" | "bob") => Ok(()),
///         _ => Err("not one of us".to_owned()),
///     })
///     .critical("jti");
/// ```
#[derive(Clone, Default)]
pub struct Validator {
    checks: Vec<(Cow<'static, str>, Check)>,
    critical: Vec<Cow<'static, str>>,
    unknown: UnknownClaims,
}

type Check = Arc<dyn Fn(&ClaimValue) -> Result<(), String> + Send + Sync>;

/// What becomes of a token with a claim that no rule is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnknownClaims {
    /// What the token's profile says: SciTokens 1.0 refuses, all others ignore.
    #[default]
    ByProfile,
    /// It is as good as without.
    Ignore,
    /// It is refused, whatever its profile says.
    Refuse,
}

impl Validator {
    /// No rules but the profile's.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule about a claim. It is asked whenever the claim is there; several rules about one claim must all
    /// agree. The claim is then no longer unknown.
    pub fn claim(
        mut self,
        name: impl Into<Cow<'static, str>>,
        check: impl Fn(&ClaimValue) -> Result<(), String> + Send + Sync + 'static,
    ) -> Self {
        self.checks.push((name.into(), Arc::new(check)));
        self
    }

    /// Demands that a claim is there.
    pub fn critical(mut self, name: impl Into<Cow<'static, str>>) -> Self {
        self.critical.push(name.into());
        self
    }

    /// Says what becomes of unknown claims.
    pub fn unknown_claims(mut self, unknown: UnknownClaims) -> Self {
        self.unknown = unknown;
        self
    }

    /// Asks every rule about the claims of a verified token.
    ///
    /// # Errors
    /// The first rule that says no: [`Refusal::UnknownClaim`], [`Refusal::MissingClaim`], or
    /// [`Refusal::ClaimRefused`].
    pub fn validate(&self, token: &super::VerifiedToken) -> Result<(), Refusal> {
        self.check(token.claims())
    }

    fn check(&self, claims: &Claims) -> Result<(), Refusal> {
        self.check_unknown(claims)?;
        for name in &self.critical {
            if claims.all()?.get(name.as_ref()).is_none() {
                return Err(Refusal::MissingClaim { claim: name.clone() });
            }
        }
        for (name, check) in &self.checks {
            if let Some(value) = claims.all()?.get(name.as_ref()) {
                check(value).map_err(|reason| Refusal::ClaimRefused {
                    claim: name.clone().into_owned(),
                    reason: redact::text(&reason),
                })?;
            }
        }
        Ok(())
    }

    fn check_unknown(&self, claims: &Claims) -> Result<(), Refusal> {
        let has_rule = |name: &str| self.checks.iter().any(|(known, _)| known == name);
        let refused = |name: &str| Refusal::UnknownClaim { claim: redact::text(name) };
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
    use super::super::VerifiedToken;
    use super::*;

    fn token(json: &str) -> VerifiedToken {
        VerifiedToken::new(Claims::parse(json.to_owned(), None).unwrap(), None)
    }

    #[test]
    fn vector_30_unknown_claims_are_refused_in_scitokens_1_and_ignored_elsewhere() {
        let validator = Validator::new();
        assert_eq!(
            validator.validate(&token(r#"{"foo":1,"sub":"a"}"#)),
            Err(Refusal::UnknownClaim { claim: "foo".to_owned() })
        );
        assert_eq!(validator.validate(&token(r#"{"foo":1,"ver":"scitoken:2.0"}"#)), Ok(()));
        assert_eq!(validator.validate(&token(r#"{"foo":1,"wlcg.ver":"1.0"}"#)), Ok(()));
        assert_eq!(
            validator.validate(&token(r#"{"wlcg.groups":["/a"]}"#)),
            Err(Refusal::UnknownClaim { claim: "wlcg.groups".to_owned() })
        );
    }

    #[test]
    fn mistake_9_what_was_validated_before_changes_nothing() {
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
            .claim("foo", |value| value.as_integer().map(|_| ()).ok_or_else(|| "no number".to_owned()))
            .claim(
                "foo",
                |value| if value.as_integer() == Some(1) { Ok(()) } else { Err("not one".to_owned()) },
            );
        assert_eq!(validator.validate(&token(r#"{"foo":1}"#)), Ok(()));
        assert_eq!(
            validator.validate(&token(r#"{"foo":2}"#)),
            Err(Refusal::ClaimRefused { claim: "foo".to_owned(), reason: "not one".to_owned() })
        );
        assert_eq!(validator.validate(&token("{}")), Ok(()), "a rule about an absent claim is not asked");
    }

    #[test]
    fn a_critical_claim_must_be_there() {
        let validator = Validator::new().critical("foo").unknown_claims(UnknownClaims::Ignore);
        assert_eq!(validator.validate(&token("{}")), Err(Refusal::MissingClaim { claim: "foo".into() }));
        assert_eq!(validator.validate(&token(r#"{"foo":null}"#)), Ok(()));
    }

    #[test]
    fn unknown_claims_can_be_refused_in_every_profile() {
        let validator = Validator::new().unknown_claims(UnknownClaims::Refuse);
        let refused = Err(Refusal::UnknownClaim { claim: "foo".to_owned() });
        assert_eq!(validator.validate(&token(r#"{"foo":1,"ver":"scitoken:2.0"}"#)), refused);
        assert_eq!(validator.validate(&token(r#"{"sub":"a","ver":"scitoken:2.0"}"#)), Ok(()));
    }
}
