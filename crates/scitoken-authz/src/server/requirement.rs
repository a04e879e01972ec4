//! What a request requires of its token.

use std::borrow::Cow;

use crate::{Access, AuthorizationError, Enforcer, VerifiedToken};
use scitoken_types::ResourcePath;

/// What a server requires of the token of one request.
///
/// ```
/// use scitoken_types::ResourcePath;
/// use scitoken_authz::Requirement;
///
/// fn requirement(method: &http::Method, path: &ResourcePath, file_is_there: bool) -> Requirement {
///     match method.as_str() {
///         "OPTIONS" => Requirement::nothing(),
///         "GET" | "HEAD" => Requirement::access("read", path).or(Requirement::group("/vo/readers")),
///         "MKCOL" => Requirement::make_parent(path),
///         "POST" => Requirement::everywhere("compute.create"),
///         _ if file_is_there => Requirement::access("write", path),
///         _ => Requirement::access("write", path).or(Requirement::access("create", path)),
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Nothing,
    AnyToken,
    /// Each of the conditions has to be met.
    AllOf(Vec<AnyOf>),
}

/// Alternatives of which one has to be met.
type AnyOf = Vec<Alternative>;

/// One sufficient condition.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Alternative {
    Access(Cow<'static, str>, ResourcePath),
    Everywhere(Cow<'static, str>),
    MakeParent(ResourcePath),
    Group(Cow<'static, str>),
}

impl Requirement {
    /// Requires no token.
    pub fn nothing() -> Self {
        Self(Kind::Nothing)
    }

    /// Requires a valid token, whatever its scopes.
    pub fn any_token() -> Self {
        Self(Kind::AnyToken)
    }

    /// Requires a token that allows this operation on the path: [`Access::to`].
    pub fn access(authorization: impl Into<Cow<'static, str>>, path: &ResourcePath) -> Self {
        Self::one(Alternative::Access(authorization.into(), path.clone()))
    }

    /// Requires a token that allows this operation everywhere, such as `compute.create`: [`Access::everywhere`].
    pub fn everywhere(authorization: impl Into<Cow<'static, str>>) -> Self {
        Self::one(Alternative::Everywhere(authorization.into()))
    }

    /// Requires a token that allows creating this directory as a parent of a new file: [`Access::make_parent`].
    pub fn make_parent(path: &ResourcePath) -> Self {
        Self::one(Alternative::MakeParent(path.clone()))
    }

    /// Requires a token for a member of exactly this group: [`Enforcer::test_group`].
    ///
    /// Where a capability would suffice as well, the groups of a token that has capabilities do not count, because
    /// such a token is meant to allow less than its user may (WLCG profile).
    pub fn group(group: impl Into<Cow<'static, str>>) -> Self {
        Self::one(Alternative::Group(group.into()))
    }

    fn one(alternative: Alternative) -> Self {
        Self(Kind::AllOf(vec![vec![alternative]]))
    }

    /// Requires one of the two; the challenge names the first.
    pub fn or(self, other: Self) -> Self {
        Self(match (self.0, other.0) {
            (Kind::Nothing, _) | (_, Kind::Nothing) => Kind::Nothing,
            (Kind::AnyToken, _) | (_, Kind::AnyToken) => Kind::AnyToken,
            // (a and b) or (c and d) is (a or c) and (a or d) and (b or c) and (b or d).
            (Kind::AllOf(left), Kind::AllOf(right)) => Kind::AllOf(
                left.iter()
                    .flat_map(|this| right.iter().map(|that| [this.as_slice(), that.as_slice()].concat()))
                    .collect(),
            ),
        })
    }

    /// Requires both, as a copy requires reading here and writing there; the challenge names the scopes of both.
    ///
    /// ```
    /// use scitoken_types::ResourcePath;
    /// use scitoken_authz::Requirement;
    ///
    /// fn copy(from: &ResourcePath, to: &ResourcePath) -> Requirement {
    ///     Requirement::access("storage.read", from).and(Requirement::access("storage.modify", to))
    /// }
    /// ```
    pub fn and(self, other: Self) -> Self {
        Self(match (self.0, other.0) {
            (Kind::AllOf(mut all), Kind::AllOf(more)) => {
                all.extend(more);
                Kind::AllOf(all)
            }
            (all @ Kind::AllOf(_), _) | (_, all @ Kind::AllOf(_)) => all,
            (Kind::Nothing, Kind::Nothing) => Kind::Nothing,
            (Kind::AnyToken, _) | (_, Kind::AnyToken) => Kind::AnyToken,
        })
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.0 == Kind::Nothing
    }

    /// Checks that the token meets the requirement, as [`AuthorizeLayer`](crate::AuthorizeLayer) does.
    ///
    /// # Errors
    /// The rule that the first alternative breaks.
    pub fn check(&self, token: &VerifiedToken, enforcer: &Enforcer) -> Result<(), AuthorizationError> {
        match &self.0 {
            Kind::Nothing => Ok(()),
            Kind::AnyToken => enforcer.check_token(token),
            Kind::AllOf(all) => all.iter().try_for_each(|any| check_any(any, token, enforcer)),
        }
    }

    /// Returns the scopes that would suffice, for the challenge: the first alternatives.
    pub(super) fn scope(&self) -> Option<String> {
        let Kind::AllOf(all) = &self.0 else { return None };
        let scopes = all.iter().filter_map(|any| any.first()).map(Alternative::scope);
        Some(scopes.collect::<Vec<_>>().join(" "))
    }
}

fn check_any(
    alternatives: &[Alternative],
    token: &VerifiedToken,
    enforcer: &Enforcer,
) -> Result<(), AuthorizationError> {
    let groups_count = alternatives.iter().all(|alternative| matches!(alternative, Alternative::Group(_)))
        || !token.has_capabilities();
    let mut first = None;
    for alternative in alternatives {
        let outcome = match alternative {
            Alternative::Access(authorization, path) => enforcer.test(token, Access::to(authorization, path)),
            Alternative::Everywhere(authorization) => enforcer.test(token, Access::everywhere(authorization)),
            Alternative::MakeParent(path) => enforcer.test(token, Access::make_parent(path)),
            Alternative::Group(group) if groups_count => enforcer.test_group(token, group),
            Alternative::Group(_) => Err(AuthorizationError::NotGranted),
        };
        match outcome {
            Ok(()) => return Ok(()),
            Err(refusal) => first = first.or(Some(refusal)),
        }
    }
    Err(first.unwrap_or(AuthorizationError::EmptyAuthorization))
}

impl Alternative {
    fn scope(&self) -> String {
        match self {
            Self::Access(authorization, path) => format!("{authorization}:{path}"),
            Self::Everywhere(authorization) => authorization.clone().into_owned(),
            Self::MakeParent(path) => format!("storage.create:{path}"),
            // An issuer is asked for group membership by this scope (WLCG profile, "Group based authorization").
            Self::Group(group) => format!("wlcg.groups:/{}", group.trim_start_matches('/')),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Claims;

    #[test]
    fn the_lesser_demand_wins_and_alternatives_add_up() {
        let path = ResourcePath::root();
        let read = || Requirement::access("read", &path);
        assert_eq!(read().or(Requirement::nothing()), Requirement::nothing());
        assert_eq!(Requirement::any_token().or(read()), Requirement::any_token());
        assert_eq!(Requirement::any_token().or(Requirement::nothing()), Requirement::nothing());
        let both = read().or(Requirement::group("vo"));
        assert_ne!(both, read());
        assert_eq!(both.scope().as_deref(), Some("read:/"));
    }

    #[test]
    fn each_demand_names_the_scope_that_would_do() {
        let path = "/a%20b/c".parse().unwrap();
        let scope = |demand: Requirement| demand.scope().unwrap_or_default();
        assert_eq!(scope(Requirement::access("read", &path)), "read:/a%20b/c");
        assert_eq!(scope(Requirement::everywhere("compute.create")), "compute.create");
        assert_eq!(scope(Requirement::make_parent(&path)), "storage.create:/a%20b/c");
        assert_eq!(scope(Requirement::group("vo/readers")), "wlcg.groups:/vo/readers");
        assert_eq!(scope(Requirement::group("/vo")), "wlcg.groups:/vo");
        assert_eq!(scope(Requirement::any_token()), "");
    }

    #[test]
    fn both_are_required_and_alternatives_spread_over_them() {
        let (here, there) = ("/here".parse().unwrap(), "/there".parse().unwrap());
        let copy =
            Requirement::access("storage.read", &here).and(Requirement::access("storage.modify", &there));
        assert_eq!(copy.scope().as_deref(), Some("storage.read:/here storage.modify:/there"));
        let token = |scope: &str| {
            let claims = format!(
                r#"{{"iss":"https://i.example","aud":"https://wlcg.cern.ch/jwt/v1/any","wlcg.ver":"1.0","exp":4102444800,
                    "iat":1,"nbf":1,"jti":"j","sub":"a","wlcg.groups":["/vo"],"scope":"{scope}"}}"#
            );
            VerifiedToken::new(Claims::parse(claims, None).unwrap(), None)
        };
        let enforcer = Enforcer::builder("https://i.example".parse().unwrap()).audience("a").build();
        let meets =
            |requirement: &Requirement, scope: &str| requirement.check(&token(scope), &enforcer).is_ok();
        assert!(meets(&copy, "storage.read:/here storage.modify:/there"));
        assert!(!meets(&copy, "storage.read:/here"));
        assert!(!meets(&copy, "storage.modify:/there"));
        let or_member = copy.or(Requirement::group("/vo"));
        assert!(meets(&or_member, "openid"));
        assert!(!meets(&or_member, "storage.read:/here"), "a token with capabilities is not for its groups");
        assert!(meets(&or_member, "storage.read:/here storage.modify:/there"));
        assert_eq!(Requirement::nothing().and(or_member.clone()), or_member);
        assert_eq!(Requirement::any_token().and(or_member.clone()), or_member);
        assert_eq!(Requirement::nothing().and(Requirement::any_token()), Requirement::any_token());
        assert_eq!(Requirement::any_token().and(Requirement::nothing()), Requirement::any_token());
    }
}
