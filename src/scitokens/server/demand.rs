//! What a request demands of its token.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::super::{Access, Enforcer, Refusal, VerifiedToken};
use crate::token::ResourcePath;

/// What a server demands of the token of one request.
///
/// ```
/// use reqwest_scitokens::ResourcePath;
/// use reqwest_scitokens::scitokens::Demand;
///
/// fn demand(method: &http::Method, path: &ResourcePath, file_is_there: bool) -> Demand {
///     match *method {
///         http::Method::OPTIONS => Demand::nothing(),
///         http::Method::GET | http::Method::HEAD => Demand::access("read", path),
///         _ if file_is_there => Demand::access("write", path),
///         _ => Demand::access("write", path).or("create", path),
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand(Kind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Nothing,
    AnyToken,
    AnyOf(Vec<(Cow<'static, str>, ResourcePath)>),
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

    /// A token that allows this here.
    pub fn access(authorization: impl Into<Cow<'static, str>>, path: &ResourcePath) -> Self {
        Self(Kind::AnyOf(vec![(authorization.into(), path.clone())]))
    }

    /// The same, or a token that allows this.
    pub fn or(mut self, authorization: impl Into<Cow<'static, str>>, path: &ResourcePath) -> Self {
        if let Kind::AnyOf(accesses) = &mut self.0 {
            accesses.push((authorization.into(), path.clone()));
        }
        self
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.0 == Kind::Nothing
    }

    /// Whether the token does; the first alternative says why not.
    pub(super) fn is_met_by(&self, token: &VerifiedToken, enforcer: &Enforcer) -> Result<(), Refusal> {
        let Kind::AnyOf(accesses) = &self.0 else { return enforcer.admits(token) };
        let mut outcome = Err(Refusal::NothingAsked);
        for (authorization, path) in accesses {
            let this = enforcer.test(token, Access::to(authorization, path));
            if this.is_ok() {
                return Ok(());
            }
            if outcome == Err(Refusal::NothingAsked) {
                outcome = this;
            }
        }
        outcome
    }

    /// The scope that would do, for the challenge: the first alternative.
    pub(super) fn scope(&self) -> Option<String> {
        let Kind::AnyOf(accesses) = &self.0 else { return None };
        let (authorization, path) = accesses.first()?;
        let mut scope = String::new();
        let _ = write!(scope, "{authorization}:{path}");
        Some(scope)
    }
}
