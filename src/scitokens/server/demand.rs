//! What a request demands of its token.

use std::borrow::Cow;

use super::super::{Access, Enforcer, Refusal, VerifiedToken};
use crate::token::ResourcePath;

/// What a server demands of the token of one request.
///
/// ```
/// use reqwest_scitokens::ResourcePath;
/// use reqwest_scitokens::scitokens::Demand;
///
/// fn demand(method: &http::Method, path: &ResourcePath, file_is_there: bool) -> Demand {
///     match method.as_str() {
///         "OPTIONS" => Demand::nothing(),
///         "GET" | "HEAD" => Demand::access("read", path).or(Demand::group("/vo/readers")),
///         "MKCOL" => Demand::make_parent(path),
///         "POST" => Demand::everywhere("compute.create"),
///         _ if file_is_there => Demand::access("write", path),
///         _ => Demand::access("write", path).or(Demand::access("create", path)),
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Nothing,
    AnyToken,
    AnyOf(Vec<Wanted>),
}

/// One thing that would do.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    Access(Cow<'static, str>, ResourcePath),
    Everywhere(Cow<'static, str>),
    MakeParent(ResourcePath),
    Group(Cow<'static, str>),
}

impl Demand {
    /// No token: whoever asks is served.
    pub fn nothing() -> Self {
        Self(Kind::Nothing)
    }

    /// A good token, whatever its scopes say.
    pub fn any_token() -> Self {
        Self(Kind::AnyToken)
    }

    /// A token that allows this here: [`Access::to`].
    pub fn access(authorization: impl Into<Cow<'static, str>>, path: &ResourcePath) -> Self {
        Self::one(Wanted::Access(authorization.into(), path.clone()))
    }

    /// A token that allows this wherever it applies, such as `compute.create`: [`Access::everywhere`].
    pub fn everywhere(authorization: impl Into<Cow<'static, str>>) -> Self {
        Self::one(Wanted::Everywhere(authorization.into()))
    }

    /// A token with which this directory may be made, because something may be created in it or beneath it:
    /// [`Access::make_parent`].
    pub fn make_parent(path: &ResourcePath) -> Self {
        Self::one(Wanted::MakeParent(path.clone()))
    }

    /// A token for a member of exactly this group: [`Enforcer::test_group`].
    ///
    /// Where a capability would do as well, the groups of a token that has any capabilities do not count: it asks for
    /// less than its user may (WLCG profile).
    pub fn group(group: impl Into<Cow<'static, str>>) -> Self {
        Self::one(Wanted::Group(group.into()))
    }

    fn one(wanted: Wanted) -> Self {
        Self(Kind::AnyOf(vec![wanted]))
    }

    /// The one or the other, whichever the token has; the challenge names the first.
    pub fn or(self, other: Self) -> Self {
        Self(match (self.0, other.0) {
            (Kind::Nothing, _) | (_, Kind::Nothing) => Kind::Nothing,
            (Kind::AnyToken, _) | (_, Kind::AnyToken) => Kind::AnyToken,
            (Kind::AnyOf(mut these), Kind::AnyOf(those)) => {
                these.extend(those);
                Kind::AnyOf(these)
            }
        })
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.0 == Kind::Nothing
    }

    /// Whether the token does; the first alternative says why not.
    pub(super) fn is_met_by(&self, token: &VerifiedToken, enforcer: &Enforcer) -> Result<(), Refusal> {
        let Kind::AnyOf(alternatives) = &self.0 else { return enforcer.admits(token) };
        let groups_count =
            alternatives.iter().all(|wanted| matches!(wanted, Wanted::Group(_))) || !token.has_capabilities();
        let mut first = None;
        for wanted in alternatives {
            let outcome = match wanted {
                Wanted::Access(authorization, path) => enforcer.test(token, Access::to(authorization, path)),
                Wanted::Everywhere(authorization) => enforcer.test(token, Access::everywhere(authorization)),
                Wanted::MakeParent(path) => enforcer.test(token, Access::make_parent(path)),
                Wanted::Group(group) if groups_count => enforcer.test_group(token, group),
                Wanted::Group(_) => Err(Refusal::NotGranted),
            };
            match outcome {
                Ok(()) => return Ok(()),
                Err(refusal) => first = first.or(Some(refusal)),
            }
        }
        Err(first.unwrap_or(Refusal::NothingAsked))
    }

    /// The scope that would do, for the challenge: the first alternative.
    pub(super) fn scope(&self) -> Option<String> {
        let Kind::AnyOf(alternatives) = &self.0 else { return None };
        alternatives.first().map(|wanted| match wanted {
            Wanted::Access(authorization, path) => format!("{authorization}:{path}"),
            Wanted::Everywhere(authorization) => authorization.clone().into_owned(),
            Wanted::MakeParent(path) => format!("storage.create:{path}"),
            // By this scope an issuer is asked for membership (WLCG profile, "Group based authorization").
            Wanted::Group(group) => format!("wlcg.groups:/{}", group.trim_start_matches('/')),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lesser_demand_wins_and_alternatives_add_up() {
        let path = ResourcePath::root();
        let read = || Demand::access("read", &path);
        assert_eq!(read().or(Demand::nothing()), Demand::nothing());
        assert_eq!(Demand::any_token().or(read()), Demand::any_token());
        assert_eq!(Demand::any_token().or(Demand::nothing()), Demand::nothing());
        let both = read().or(Demand::group("vo"));
        assert_ne!(both, read());
        assert_eq!(both.scope().as_deref(), Some("read:/"));
    }

    #[test]
    fn each_demand_names_the_scope_that_would_do() {
        let path = "/a%20b/c".parse().unwrap();
        let scope = |demand: Demand| demand.scope().unwrap_or_default();
        assert_eq!(scope(Demand::access("read", &path)), "read:/a%20b/c");
        assert_eq!(scope(Demand::everywhere("compute.create")), "compute.create");
        assert_eq!(scope(Demand::make_parent(&path)), "storage.create:/a%20b/c");
        assert_eq!(scope(Demand::group("vo/readers")), "wlcg.groups:/vo/readers");
        assert_eq!(scope(Demand::group("/vo")), "wlcg.groups:/vo");
        assert_eq!(scope(Demand::any_token()), "");
    }
}
