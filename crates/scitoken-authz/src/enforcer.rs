//! Enforcers: what a verified token allows on this server.

use std::time::{Duration, SystemTime};

use super::access::Target;
use super::claims::MAX_LEEWAY;
use super::error::{list, untrusted_issuer};
use super::grants::Grants;
use super::{Access, Acl, AuthorizationError, Claims, Issuer, Profile, Validator, VerifiedToken, Vocabulary};
use scitoken_types::redact;
use scitoken_types::sys::SharedClock;
use scitoken_types::{Audience, ResourcePath};

/// Decides what a verified token allows: its issuer, audience and times must fit this server, and its scopes the
/// path.
///
/// One enforcer serves all threads. It reads the clock at each call and keeps no state between calls.
///
/// ```
/// use scitoken_types::ResourcePath;
/// use scitoken_authz::{Access, Enforcer, Issuer, AuthorizationError, VerifiedToken};
///
/// let issuer: Issuer = "https://issuer.example".parse()?;
/// let enforcer = Enforcer::builder(issuer).audience("https://data.example").build();
///
/// fn get(enforcer: &Enforcer, token: &VerifiedToken, path: &ResourcePath) -> Result<(), AuthorizationError> {
///     enforcer.test(token, Access::to("read", path))
/// }
/// # Ok::<(), scitoken_authz::InvalidIssuer>(())
/// ```
#[derive(Clone, Debug)]
pub struct Enforcer {
    issuers: Vec<TrustedIssuer>,
    audiences: AcceptedAudiences,
    profiles: Vec<Profile>,
    vocabulary: Vocabulary,
    validator: Validator,
    leeway: Duration,
    time_left: Duration,
    clock: SharedClock,
}

/// An issuer and the paths that it may grant.
#[derive(Clone, Debug)]
struct TrustedIssuer {
    issuer: Issuer,
    /// The directory that the issuer's paths are relative to; `None` for the root.
    base: Option<ResourcePath>,
}

#[derive(Clone, Debug)]
enum AcceptedAudiences {
    These(Vec<Audience>),
    AnyMeansAny,
}

/// Builds an [`Enforcer`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct EnforcerBuilder(Enforcer);

impl Enforcer {
    /// Starts an enforcer that trusts one issuer.
    ///
    /// That issuer may grant every path; [`EnforcerBuilder::base_path`] confines it.
    pub fn builder(issuer: Issuer) -> EnforcerBuilder {
        EnforcerBuilder(Self {
            issuers: vec![TrustedIssuer { issuer, base: None }],
            audiences: AcceptedAudiences::These(Vec::new()),
            profiles: Vec::new(),
            vocabulary: Vocabulary::default(),
            validator: Validator::new(),
            leeway: Duration::ZERO,
            time_left: Duration::ZERO,
            clock: SharedClock::default(),
        })
    }

    /// Checks that the token allows this operation now.
    ///
    /// # Errors
    /// The first rule that the token breaks. [`AuthorizationError::is_scope`] tells whether the token is valid
    /// otherwise.
    pub fn test(&self, token: &VerifiedToken, access: Access<'_>) -> Result<(), AuthorizationError> {
        self.check_token(token)?;
        let grants = token.grants()?;
        let mut refusal = AuthorizationError::OutsideBasePath;
        for trusted in self.trusted(token) {
            let outcome = match &trusted.base {
                None => grants.test(access, self.vocabulary),
                Some(base) => test_beneath(base, grants, access, self.vocabulary),
            };
            match outcome {
                Err(AuthorizationError::OutsideBasePath) => {}
                Err(other) => refusal = other,
                Ok(()) => return Ok(()),
            }
        }
        Err(refusal)
    }

    /// Returns the entries of the token's issuer: none if it is not trusted, several if it has several base paths.
    fn trusted(&self, token: &VerifiedToken) -> impl Iterator<Item = &TrustedIssuer> {
        let issuer = token.claims().issuer().unwrap_or_default();
        self.issuers.iter().filter(move |trusted| trusted.issuer.as_str() == issuer)
    }

    /// Returns everything that the token allows on this server, each entry once.
    ///
    /// The token is checked as by [`Enforcer::test`], including its audience.
    pub fn acls(&self, token: &VerifiedToken) -> Result<Vec<Acl>, AuthorizationError> {
        self.check_token(token)?;
        let granted = token.grants()?.acls(self.vocabulary);
        let seen_from_root = |trusted: &TrustedIssuer| match &trusted.base {
            None => granted.clone(),
            Some(base) => granted.iter().map(|acl| acl.beneath(base)).collect(),
        };
        Ok(self.trusted(token).flat_map(seen_from_root).collect())
    }

    /// Checks that the token is for a member of exactly this group, not of its parent or a child. A leading `/` makes
    /// no difference.
    ///
    /// A service that uses capabilities as well must first ask [`VerifiedToken::has_capabilities`].
    pub fn test_group(&self, token: &VerifiedToken, group: &str) -> Result<(), AuthorizationError> {
        self.check_token(token)?;
        let wanted = without_slash(group);
        if !wanted.is_empty() && token.claims().groups().iter().any(|name| without_slash(name) == wanted) {
            return Ok(());
        }
        Err(AuthorizationError::NotInGroup { group: redact::text(group) })
    }

    /// Checks everything but the scopes: issuer, profile, times, audience and the caller's rules.
    pub fn check_token(&self, token: &VerifiedToken) -> Result<(), AuthorizationError> {
        let claims = token.claims();
        if self.trusted(token).next().is_none() {
            let trusted = self.issuers.iter().map(|trusted| trusted.issuer.as_str());
            return Err(untrusted_issuer(claims.issuer().unwrap_or_default(), trusted));
        }
        if !self.profiles.is_empty()
            && !self.profiles.iter().any(|known| known.is_same_kind(claims.profile()))
        {
            let accepted = list(&self.profiles);
            return Err(AuthorizationError::ProfileNotAccepted { profile: claims.profile(), accepted });
        }
        let now = self.clock.now();
        claims.check_times(now, self.leeway)?;
        self.check_time_left(claims, now)?;
        self.check_audience(claims)?;
        self.validator.validate(token)
    }

    /// Tolerates at least as much as the verifier in front.
    #[cfg(feature = "tower")]
    pub(super) fn with_leeway_of(mut self, leeway: Duration) -> Self {
        self.leeway = self.leeway.max(leeway);
        self
    }

    fn check_time_left(&self, claims: &Claims, now: SystemTime) -> Result<(), AuthorizationError> {
        if self.time_left.is_zero() {
            return Ok(());
        }
        let left = claims.expires_at().and_then(|end| end.duration_since(now).ok()).unwrap_or_default();
        if left >= self.time_left {
            return Ok(());
        }
        Err(AuthorizationError::EndsTooSoon { left, wanted: self.time_left })
    }

    /// Compares audiences byte by byte. Each profile has its own value for "every server"; that of another profile
    /// has no meaning.
    fn check_audience(&self, claims: &Claims) -> Result<(), AuthorizationError> {
        let ours = match &self.audiences {
            AcceptedAudiences::AnyMeansAny => return Ok(()),
            AcceptedAudiences::These(ours) => ours,
        };
        let Some(audiences) = claims.audiences() else {
            return if claims.profile() == Profile::SciTokens1 {
                Ok(())
            } else {
                Err(AuthorizationError::missing("aud"))
            };
        };
        let is_foreign_any = |audience: &Audience| {
            audience.is_any() && Some(audience.as_str()) != claims.profile().any_audience()
        };
        let is_ours = |audience: &Audience| {
            Some(audience.as_str()) == claims.profile().any_audience()
                || (ours.contains(audience) && !is_foreign_any(audience))
        };
        if ours.is_empty() {
            return Err(AuthorizationError::NoAudienceConfigured { audience: list_audiences(audiences) });
        }
        if audiences.iter().any(is_ours) {
            return Ok(());
        }
        Err(AuthorizationError::WrongAudience {
            audience: list_audiences(audiences),
            expected: list_audiences(ours),
        })
    }
}

/// Tests a path relative to the issuer's base path.
fn test_beneath(
    base: &ResourcePath,
    grants: &Grants,
    access: Access<'_>,
    vocabulary: Vocabulary,
) -> Result<(), AuthorizationError> {
    let seen = |path: &ResourcePath| path.relative_to(base).ok_or(AuthorizationError::OutsideBasePath);
    let authorization = access.authorization;
    match access.target {
        Target::Path(path) => grants.test(Access::to(authorization, &seen(path)?), vocabulary),
        Target::Parent(path) => {
            grants.test(Access { authorization, target: Target::Parent(&seen(path)?) }, vocabulary)
        }
        Target::Everywhere => Err(AuthorizationError::OutsideBasePath),
    }
}

fn without_slash(group: &str) -> &str {
    group.strip_prefix('/').unwrap_or(group)
}

fn list_audiences(audiences: &[Audience]) -> String {
    list(audiences.iter().map(|audience| redact::text(audience.as_str())))
}

impl EnforcerBuilder {
    /// Trusts this issuer as well, for every path.
    pub fn issuer(mut self, issuer: Issuer) -> Self {
        self.0.issuers.push(TrustedIssuer { issuer, base: None });
        self
    }

    /// Confines the issuer that was added last to a directory: with the base `/vo` its `read:/data` covers
    /// `/vo/data`, and it grants nothing outside `/vo`. This is `base_path` of XRootD's SciTokens plugin.
    ///
    /// For several base paths, add the issuer once for each.
    ///
    /// ```
    /// # use scitoken_authz::Enforcer;
    /// let enforcer = Enforcer::builder("https://ligo.example".parse()?)
    ///     .base_path("/ligo".parse()?)
    ///     .issuer("https://virgo.example".parse()?)
    ///     .base_path("/virgo".parse()?)
    ///     .audience("https://data.example")
    ///     .build();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn base_path(mut self, base: ResourcePath) -> Self {
        if let Some(last) = self.0.issuers.last_mut() {
            last.base = Some(base);
        }
        self
    }

    /// Adds a value of `aud` that names this server.
    ///
    /// Without an audience and without [`EnforcerBuilder::accept_any_audience`], only SciTokens 1.0 tokens that have
    /// no `aud` are accepted.
    pub fn audience(mut self, audience: impl Into<Audience>) -> Self {
        match &mut self.0.audiences {
            AcceptedAudiences::These(ours) => ours.push(audience.into()),
            AcceptedAudiences::AnyMeansAny => {
                self.0.audiences = AcceptedAudiences::These(vec![audience.into()]);
            }
        }
        self
    }

    /// Accepts tokens that are meant for other servers. An operator of such a server can then use here the tokens
    /// that it received.
    pub fn accept_any_audience(mut self) -> Self {
        self.0.audiences = AcceptedAudiences::AnyMeansAny;
        self
    }

    /// Accepts only tokens of these profiles; a WLCG profile stands for all its minor versions.
    pub fn profiles(mut self, profiles: impl IntoIterator<Item = Profile>) -> Self {
        self.0.profiles = profiles.into_iter().collect();
        self
    }

    /// Sets the names of operations.
    pub fn vocabulary(mut self, vocabulary: Vocabulary) -> Self {
        self.0.vocabulary = vocabulary;
        self
    }

    /// Adds the caller's rules about claims.
    pub fn validator(mut self, validator: Validator) -> Self {
        self.0.validator = validator;
        self
    }

    /// Requires that the token is valid for this much longer, for work that takes long.
    pub fn time_left(mut self, time_left: Duration) -> Self {
        self.0.time_left = time_left;
        self
    }

    /// Tolerates clocks that differ by this much: `exp` may have passed, `nbf` and `iat` may be ahead. Zero by default, as
    /// the WLCG profile requires for `exp`; at most 5 minutes.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.0.leeway = leeway.min(MAX_LEEWAY);
        self
    }

    /// Reads the time from this clock instead of the system's.
    pub fn clock(mut self, clock: impl Into<SharedClock>) -> Self {
        self.0.clock = clock.into();
        self
    }

    /// Returns the enforcer.
    pub fn build(self) -> Enforcer {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AuthorizationError::{NotGranted, OutsideBasePath};
    use scitoken_types::sys::ManualClock;

    const NOW: u64 = 1_700_000_000;

    fn token(issuer: &str, scope: &str) -> VerifiedToken {
        let json = format!(
            r#"{{"iss":"{issuer}","sub":"me","aud":"ANY","ver":"scitoken:2.0","exp":{},"nbf":0,"iat":0,"scope":"{scope}"}}"#,
            NOW + 600
        );
        VerifiedToken::new(Claims::parse(json, None).unwrap(), None)
    }

    fn issuer(name: &str) -> Issuer {
        name.parse().unwrap()
    }

    fn path(path: &str) -> ResourcePath {
        path.parse().unwrap()
    }

    fn two_experiments() -> Enforcer {
        Enforcer::builder(issuer("https://ligo"))
            .base_path(path("/ligo"))
            .issuer(issuer("https://virgo"))
            .base_path(path("/virgo"))
            .issuer(issuer("https://virgo"))
            .base_path(path("/shared/"))
            .issuer(issuer("https://site"))
            .clock(ManualClock::at_epoch_seconds(NOW))
            .audience("https://data")
            .build()
    }

    #[test]
    fn an_issuer_grants_what_lies_below_its_base_and_counts_from_there() {
        let enforcer = two_experiments();
        let ask = |iss: &str, scope: &str, asked: &str| {
            enforcer.test(&token(iss, scope), Access::to("read", &path(asked)))
        };
        assert_eq!(ask("https://ligo", "read:/", "/ligo/frames/1"), Ok(()));
        assert_eq!(ask("https://ligo", "read:/frames", "/ligo/frames/1"), Ok(()));
        assert_eq!(ask("https://ligo", "read:/frames", "/ligo/logs"), Err(NotGranted));
        assert_eq!(ask("https://ligo", "read:/ligo", "/ligo/frames"), Err(NotGranted), "not from the root");
        for outside in ["/virgo/frames", "/", "/ligonius/frames", "/lig"] {
            assert_eq!(ask("https://ligo", "read:/", outside), Err(OutsideBasePath), "{outside}");
        }
        assert_eq!(ask("https://virgo", "read:/a", "/virgo/a"), Ok(()));
        assert_eq!(ask("https://virgo", "read:/a", "/shared/a/b"), Ok(()));
        assert_eq!(ask("https://virgo", "read:/a", "/ligo/a"), Err(OutsideBasePath));
        assert_eq!(ask("https://site", "read:/", "/ligo/frames"), Ok(()), "without a base, everything");
    }

    #[test]
    fn an_issuer_with_a_base_never_speaks_for_the_whole_server() {
        let enforcer = two_experiments();
        let everywhere =
            |iss: &str| enforcer.test(&token(iss, "compute.create"), Access::everywhere("compute.create"));
        assert_eq!((everywhere("https://ligo"), everywhere("https://site")), (Err(OutsideBasePath), Ok(())));
        assert!(OutsideBasePath.is_scope());
    }

    #[test]
    fn what_an_issuer_grants_is_listed_from_the_root() {
        let enforcer = two_experiments();
        let list = |iss: &str, scope: &str| {
            enforcer.acls(&token(iss, scope)).unwrap().iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(list("https://ligo", "read:/ write:/logs"), ["read:/ligo", "write:/ligo/logs"]);
        assert_eq!(list("https://virgo", "read:/a"), ["read:/virgo/a", "read:/shared/a"]);
        assert_eq!(list("https://site", "read:/a"), ["read:/a"]);
    }
}
