//! Enforcers: what a verified token allows on this server.

use std::time::{Duration, SystemTime};

use super::grants::Grants;
use super::{Access, Acl, Claims, Issuer, Profile, Refusal, Validator, VerifiedToken, Vocabulary};
use crate::redact;
use crate::sys::SharedClock;
use crate::token::Audience;

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
    issuers: Vec<Issuer>,
    audiences: Audiences,
    profiles: Vec<Profile>,
    vocabulary: Vocabulary,
    validator: Validator,
    skew: Duration,
    time_left: Duration,
    clock: SharedClock,
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
    pub fn builder(issuer: Issuer) -> EnforcerBuilder {
        EnforcerBuilder(Self {
            issuers: vec![issuer],
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
        token.grants()?.test(access, self.vocabulary)
    }

    /// Everything that the token allows here, each entry once.
    ///
    /// The token is checked as for [`Enforcer::test`], its audience too (the Python library forgets it).
    pub fn acls(&self, token: &VerifiedToken) -> Result<Vec<Acl>, Refusal> {
        self.admits(token)?;
        token.grants().map(|grants: &Grants| grants.acls(self.vocabulary))
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
        let issuer = claims.issuer().unwrap_or_default();
        if !self.issuers.iter().any(|trusted| trusted.as_str() == issuer) {
            return Err(Refusal::UntrustedIssuer { issuer: redact::text(issuer) });
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
    /// Accepts the tokens of this issuer as well.
    pub fn issuer(mut self, issuer: Issuer) -> Self {
        self.0.issuers.push(issuer);
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
