//! Enforcers: what a verified token allows on this server.

use std::time::{Duration, SystemTime};

use super::access::Target;
use super::grants::Grants;
use super::{Access, Acl, Claims, Issuer, Profile, Refusal, Validator, VerifiedToken, Vocabulary};
use crate::redact;
use crate::sys::SharedClock;
use crate::token::{Audience, ResourcePath};

/// Decides what verified tokens allow: who may have made them, for which server they must be, and what their scopes
/// say about a path.
///
/// One enforcer serves all threads for ever: it reads the clock at each question, and no token changes what it says
/// about the next one.
///
/// ```
/// use reqwest_scitokens::ResourcePath;
/// use reqwest_scitokens::scitokens::{Access, Enforcer, Issuer, Refusal, VerifiedToken};
///
/// let issuer: Issuer = "https://issuer.example".parse()?;
/// let enforcer = Enforcer::builder(issuer).audience("https://data.example").build();
///
/// fn get(enforcer: &Enforcer, token: &VerifiedToken, path: &ResourcePath) -> Result<(), Refusal> {
///     enforcer.test(token, Access::to("read", path))
/// }
/// # Ok::<(), reqwest_scitokens::scitokens::InvalidIssuer>(())
/// ```
#[derive(Clone, Debug)]
pub struct Enforcer {
    issuers: Vec<Trusted>,
    audiences: Audiences,
    profiles: Vec<Profile>,
    vocabulary: Vocabulary,
    validator: Validator,
    skew: Duration,
    time_left: Duration,
    clock: SharedClock,
}

/// An issuer, and what it may grant.
#[derive(Clone, Debug)]
struct Trusted {
    issuer: Issuer,
    /// Where its paths begin; without one, at the root.
    base: Option<ResourcePath>,
}

#[derive(Clone, Debug)]
enum Audiences {
    These(Vec<Audience>),
    AnyMeansAny,
}

/// Builds an [`Enforcer`].
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct EnforcerBuilder(Enforcer);

impl Enforcer {
    /// Starts an enforcer for the tokens of one issuer, at least.
    ///
    /// That issuer may grant everything; see [`EnforcerBuilder::below`].
    pub fn builder(issuer: Issuer) -> EnforcerBuilder {
        EnforcerBuilder(Self {
            issuers: vec![Trusted { issuer, base: None }],
            audiences: Audiences::These(Vec::new()),
            profiles: Vec::new(),
            vocabulary: Vocabulary::default(),
            validator: Validator::new(),
            skew: Duration::ZERO,
            time_left: Duration::ZERO,
            clock: SharedClock::default(),
        })
    }

    /// Whether the token allows this here and now.
    ///
    /// # Errors
    /// The first rule that says no. [`Refusal::is_scope`] tells whether the token is good otherwise.
    pub fn test(&self, token: &VerifiedToken, access: Access<'_>) -> Result<(), Refusal> {
        self.admits(token)?;
        let grants = token.grants()?;
        let mut refusal = Refusal::OutsideOfIssuer;
        for trusted in self.trusted(token) {
            let outcome = match &trusted.base {
                None => grants.test(access, self.vocabulary),
                Some(base) => test_below(base, grants, access, self.vocabulary),
            };
            match outcome {
                Err(Refusal::OutsideOfIssuer) => {}
                Err(other) => refusal = other,
                Ok(()) => return Ok(()),
            }
        }
        Err(refusal)
    }

    /// What is known of the token's issuer: nothing where it is not trusted, several entries where it has several bases.
    fn trusted(&self, token: &VerifiedToken) -> impl Iterator<Item = &Trusted> {
        let issuer = token.claims().issuer().unwrap_or_default();
        self.issuers.iter().filter(move |trusted| trusted.issuer.as_str() == issuer)
    }

    /// Everything that the token allows here, each entry once.
    ///
    /// The token is checked as for [`Enforcer::test`], its audience too (the Python library forgets it).
    pub fn acls(&self, token: &VerifiedToken) -> Result<Vec<Acl>, Refusal> {
        self.admits(token)?;
        let granted = token.grants()?.acls(self.vocabulary);
        let seen_from_root = |trusted: &Trusted| match &trusted.base {
            None => granted.clone(),
            Some(base) => granted.iter().map(|acl| acl.below(base)).collect(),
        };
        Ok(self.trusted(token).flat_map(seen_from_root).collect())
    }

    /// Whether the token is for a member of this group: exactly this one, not its parent and not its child. A `/` in
    /// front makes no difference.
    ///
    /// A service that knows capabilities too asks [`VerifiedToken::has_capabilities`] first.
    pub fn test_group(&self, token: &VerifiedToken, group: &str) -> Result<(), Refusal> {
        self.admits(token)?;
        let wanted = without_slash(group);
        if !wanted.is_empty() && token.claims().groups().iter().any(|name| without_slash(name) == wanted) {
            return Ok(());
        }
        Err(Refusal::NotInGroup { group: redact::text(group) })
    }

    /// Whether the token is good here and now, whatever its scopes say.
    pub fn admits(&self, token: &VerifiedToken) -> Result<(), Refusal> {
        let claims = token.claims();
        if self.trusted(token).next().is_none() {
            let issuer = redact::text(claims.issuer().unwrap_or_default());
            return Err(Refusal::UntrustedIssuer { issuer });
        }
        if !self.profiles.is_empty()
            && !self.profiles.iter().any(|known| known.is_same_kind(claims.profile()))
        {
            return Err(Refusal::ProfileNotAccepted { profile: claims.profile() });
        }
        let now = self.clock.now();
        claims.check_times(now, self.skew)?;
        self.check_time_left(claims, now)?;
        self.check_audience(claims)?;
        self.validator.validate(token)
    }

    fn check_time_left(&self, claims: &Claims, now: SystemTime) -> Result<(), Refusal> {
        if self.time_left.is_zero() {
            return Ok(());
        }
        let left = claims.expires_at().and_then(|end| end.duration_since(now).ok()).unwrap_or_default();
        if left >= self.time_left {
            return Ok(());
        }
        Err(Refusal::EndsTooSoon { left, wanted: self.time_left })
    }

    /// Audiences are compared byte by byte. Each profile has its own word for "every server"; the word of another
    /// one means nothing.
    fn check_audience(&self, claims: &Claims) -> Result<(), Refusal> {
        let ours = match &self.audiences {
            Audiences::AnyMeansAny => return Ok(()),
            Audiences::These(ours) => ours,
        };
        let Some(audiences) = claims.audiences() else {
            return if claims.profile() == Profile::SciTokens1 {
                Ok(())
            } else {
                Err(Refusal::missing("aud"))
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
            return Err(Refusal::NoAudienceConfigured { audience: list(audiences) });
        }
        if audiences.iter().any(is_ours) {
            return Ok(());
        }
        Err(Refusal::WrongAudience { audience: list(audiences) })
    }
}

/// Asks about a path as an issuer sees it whose paths begin at `base`.
fn test_below(
    base: &ResourcePath,
    grants: &Grants,
    access: Access<'_>,
    vocabulary: Vocabulary,
) -> Result<(), Refusal> {
    let seen = |path: &ResourcePath| path.relative_to(base).ok_or(Refusal::OutsideOfIssuer);
    let authorization = access.authorization;
    match access.target {
        Target::Path(path) => grants.test(Access::to(authorization, &seen(path)?), vocabulary),
        Target::Parent(path) => {
            grants.test(Access { authorization, target: Target::Parent(&seen(path)?) }, vocabulary)
        }
        Target::Everywhere => Err(Refusal::OutsideOfIssuer),
    }
}

fn without_slash(group: &str) -> &str {
    group.strip_prefix('/').unwrap_or(group)
}

fn list(audiences: &[Audience]) -> String {
    if audiences.is_empty() {
        return "nobody".to_owned();
    }
    let shown: Vec<_> = audiences.iter().take(5).map(|a| format!("`{}`", redact::text(a.as_str()))).collect();
    shown.join(", ")
}

impl EnforcerBuilder {
    /// Accepts the tokens of this issuer as well; they may grant everything.
    pub fn issuer(mut self, issuer: Issuer) -> Self {
        self.0.issuers.push(Trusted { issuer, base: None });
        self
    }

    /// Confines the issuer that was named last: its tokens' paths begin at `base`, so that its `read:/data` with the
    /// base `/vo` is about `/vo/data`, and nothing outside of `/vo` is its to grant. This is `base_path` of XRootD's
    /// SciTokens plugin.
    ///
    /// For several bases, name the issuer once more for each.
    ///
    /// ```
    /// # use reqwest_scitokens::scitokens::Enforcer;
    /// let enforcer = Enforcer::builder("https://ligo.example".parse()?)
    ///     .below("/ligo".parse()?)
    ///     .issuer("https://virgo.example".parse()?)
    ///     .below("/virgo".parse()?)
    ///     .audience("https://data.example")
    ///     .build();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn below(mut self, base: ResourcePath) -> Self {
        if let Some(last) = self.0.issuers.last_mut() {
            last.base = Some(base);
        }
        self
    }

    /// Adds a name that this server is known by in tokens' `aud`.
    ///
    /// Without any, and without [`EnforcerBuilder::accept_any_audience`], only SciTokens 1.0 tokens that have no
    /// `aud` are accepted.
    pub fn audience(mut self, audience: impl Into<Audience>) -> Self {
        match &mut self.0.audiences {
            Audiences::These(ours) => ours.push(audience.into()),
            Audiences::AnyMeansAny => self.0.audiences = Audiences::These(vec![audience.into()]),
        }
        self
    }

    /// Accepts tokens that are meant for other servers. Whoever runs one of those can then use here what was sent
    /// there.
    pub fn accept_any_audience(mut self) -> Self {
        self.0.audiences = Audiences::AnyMeansAny;
        self
    }

    /// Accepts only tokens of these profiles; a WLCG profile stands for all its minor versions.
    pub fn profiles(mut self, profiles: impl IntoIterator<Item = Profile>) -> Self {
        self.0.profiles = profiles.into_iter().collect();
        self
    }

    /// Chooses the names of operations.
    pub fn vocabulary(mut self, vocabulary: Vocabulary) -> Self {
        self.0.vocabulary = vocabulary;
        self
    }

    /// Adds the caller's own rules about claims.
    pub fn validator(mut self, validator: Validator) -> Self {
        self.0.validator = validator;
        self
    }

    /// Demands that a token is valid for so much longer, for work that takes its time.
    pub fn time_left(mut self, time_left: Duration) -> Self {
        self.0.time_left = time_left;
        self
    }

    /// Forgives a clock that is behind the issuer's so much for `nbf` and `iat`; never more than a minute, and never
    /// for `exp`.
    pub fn clock_skew(mut self, skew: Duration) -> Self {
        self.0.skew = skew.min(Duration::from_secs(60));
        self
    }

    /// Reads another clock than the machine's.
    pub fn clock(mut self, clock: impl Into<SharedClock>) -> Self {
        self.0.clock = clock.into();
        self
    }

    /// The enforcer.
    pub fn build(self) -> Enforcer {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::super::Refusal::{NotGranted, OutsideOfIssuer};
    use super::*;
    use crate::sys::ManualClock;

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
            .below(path("/ligo"))
            .issuer(issuer("https://virgo"))
            .below(path("/virgo"))
            .issuer(issuer("https://virgo"))
            .below(path("/shared/"))
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
            assert_eq!(ask("https://ligo", "read:/", outside), Err(OutsideOfIssuer), "{outside}");
        }
        assert_eq!(ask("https://virgo", "read:/a", "/virgo/a"), Ok(()));
        assert_eq!(ask("https://virgo", "read:/a", "/shared/a/b"), Ok(()));
        assert_eq!(ask("https://virgo", "read:/a", "/ligo/a"), Err(OutsideOfIssuer));
        assert_eq!(ask("https://site", "read:/", "/ligo/frames"), Ok(()), "without a base, everything");
    }

    #[test]
    fn an_issuer_with_a_base_never_speaks_for_the_whole_server() {
        let enforcer = two_experiments();
        let everywhere =
            |iss: &str| enforcer.test(&token(iss, "compute.create"), Access::everywhere("compute.create"));
        assert_eq!((everywhere("https://ligo"), everywhere("https://site")), (Err(OutsideOfIssuer), Ok(())));
        assert!(OutsideOfIssuer.is_scope());
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
