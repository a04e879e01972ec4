//! What a login for a namespace asks for.

use scitoken_types::{Scope, same_issuer};
use url::Url;

use crate::federation::namespace::{NamespaceFacts, NamespaceIssuer};
use crate::object_name::object_path::ObjectPath;

/// What a token of a login is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoginAccess {
    /// To read and list.
    Read,
    /// Also to store, replace and remove.
    Write,
}

/// An issuer to log in to, and the scopes to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NamespaceLogin {
    /// The issuer.
    pub issuer: Url,
    /// The path that the scopes are for, relative to the issuer's base path.
    pub path: String,
    /// The scopes that permit the access.
    pub scopes: Vec<Scope>,
}

/// Why a login cannot give a token for a path of a namespace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoLogin {
    /// Reading needs no token.
    #[error("the namespace `{0}` can be read without a token")]
    Public(String),
    /// The director names no issuer.
    #[error("the director names no issuer of tokens for the namespace `{0}`")]
    NoIssuer(String),
    /// The wanted issuer is not one of the namespace.
    #[error("`{wanted}` is not an issuer of the namespace; the director names {named}")]
    OtherIssuer {
        /// The issuer that the caller named.
        wanted: String,
        /// Those of the namespace.
        named: String,
    },
    /// The issuer's tokens come from a vault, not by OAuth.
    #[error("tokens of `{0}` come from a vault and not by a login at the issuer")]
    Vault(String),
    /// The path is not below the path that the issuer is responsible for.
    #[error("the tokens of `{issuer}` are for paths below `{base_path}`, and not for `{path}`")]
    OutsideBasePath {
        /// The issuer.
        issuer: String,
        /// Its base path.
        base_path: String,
        /// The path that a token is needed for.
        path: String,
    },
}

impl NamespaceFacts {
    /// Returns what to ask for in a login that permits an access to a path and all below it.
    ///
    /// Of several issuers it takes the `wanted` one, or the first that issues tokens by OAuth. A path that is deeper than the
    /// issuer's limit is cut.
    ///
    /// # Errors
    /// [`NoLogin`] says why no login can give a token.
    pub fn login(
        &self,
        path: &ObjectPath,
        access: LoginAccess,
        wanted: Option<&Url>,
    ) -> Result<NamespaceLogin, NoLogin> {
        if !self.requires_token() && access == LoginAccess::Read {
            return Err(NoLogin::Public(self.prefix().as_encoded().to_owned()));
        }
        let issuer = self.login_issuer(wanted)?;
        if is_vault(issuer) {
            return Err(NoLogin::Vault(issuer.url().to_string()));
        }
        let path = self.login_path(path, issuer).ok_or_else(|| NoLogin::OutsideBasePath {
            issuer: issuer.url().to_string(),
            base_path: self.base_path_of(issuer).as_encoded().to_owned(),
            path: path.as_encoded().to_owned(),
        })?;
        let names = match access {
            LoginAccess::Read => &["storage.read"][..],
            LoginAccess::Write => &["storage.read", "storage.create", "storage.modify"],
        };
        let scopes = names.iter().filter_map(|name| format!("{name}:{path}").parse().ok()).collect();
        Ok(NamespaceLogin { issuer: issuer.url().clone(), path, scopes })
    }

    /// Returns the path that a login at one of the issuers is for: relative to the issuer's base path, and no deeper than its
    /// scopes may be. `None` if the issuer gives no tokens for the path.
    pub fn login_path(&self, path: &ObjectPath, issuer: &NamespaceIssuer) -> Option<String> {
        let relative = path.relative_to(self.base_path_of(issuer))?;
        Some(cut(relative.as_encoded(), issuer.max_scope_depth()))
    }

    fn login_issuer(&self, wanted: Option<&Url>) -> Result<&NamespaceIssuer, NoLogin> {
        let issuers = self.issuers();
        let Some(first) = issuers.first() else {
            return Err(NoLogin::NoIssuer(self.prefix().as_encoded().to_owned()));
        };
        let Some(wanted) = wanted else {
            return Ok(issuers.iter().find(|issuer| !is_vault(issuer)).unwrap_or(first));
        };
        let is_wanted = |issuer: &&NamespaceIssuer| same_issuer(issuer.url().as_str(), wanted.as_str());
        issuers.iter().find(is_wanted).ok_or_else(|| {
            let named: Vec<_> = issuers.iter().map(|issuer| format!("`{}`", issuer.url())).collect();
            NoLogin::OtherIssuer { wanted: wanted.to_string(), named: named.join(", ") }
        })
    }
}

fn is_vault(issuer: &NamespaceIssuer) -> bool {
    issuer.strategy().is_some_and(|strategy| strategy.eq_ignore_ascii_case("vault"))
}

/// Returns at most `depth` components of a path.
fn cut(path: &str, depth: Option<u32>) -> String {
    let depth = depth.and_then(|depth| usize::try_from(depth).ok()).unwrap_or(usize::MAX);
    let kept: Vec<_> = path.split('/').filter(|part| !part.is_empty()).take(depth).collect();
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn facts(requires_token: bool, generations: &[&str]) -> NamespaceFacts {
        let mut headers = HeaderMap::new();
        let namespace = format!("namespace=/ns, require-token={requires_token}");
        headers.append("x-pelican-namespace", namespace.parse().unwrap());
        for generation in generations {
            headers.append("x-pelican-token-generation", generation.parse().unwrap());
        }
        NamespaceFacts::from_headers(&headers).unwrap()
    }

    fn path(text: &str) -> ObjectPath {
        ObjectPath::parse(text).unwrap()
    }

    fn scopes(login: &NamespaceLogin) -> Vec<&str> {
        login.scopes.iter().map(Scope::as_str).collect()
    }

    #[test]
    fn scopes_are_relative_to_the_base_path_and_cut_at_the_depth_of_the_issuer() {
        for (generation, asked, expected) in [
            ("issuer=https://i, base-path=/ns", "/ns/a/b", "storage.read:/a/b"),
            ("issuer=https://i, base-path=/ns", "/ns", "storage.read:/"),
            ("issuer=https://i, base-path=/ns", "/ns/a/", "storage.read:/a"),
            ("issuer=https://i, base-path=/ns, max-scope-depth=1", "/ns/a/b/c", "storage.read:/a"),
            ("issuer=https://i, base-path=/ns, max-scope-depth=0", "/ns/a", "storage.read:/"),
            ("issuer=https://i, base-path=/", "/ns/a b", "storage.read:/ns/a%20b"),
            ("issuer=https://i", "/ns/a", "storage.read:/a"),
        ] {
            let login = facts(true, &[generation]).login(&path(asked), LoginAccess::Read, None).unwrap();
            assert_eq!(scopes(&login), [expected], "{generation} {asked}");
            assert_eq!(expected.split_once(':').unwrap().1, login.path);
        }
        let shared = facts(true, &["issuer=https://i", "issuer=https://j, base-path=/ns/a"]);
        let login = shared.login(&path("/ns/a/b"), LoginAccess::Read, None).unwrap();
        assert_eq!(scopes(&login), ["storage.read:/b"], "the base path of the others");
        let login =
            facts(false, &["issuer=https://i"]).login(&path("/ns/a"), LoginAccess::Write, None).unwrap();
        assert_eq!(scopes(&login), ["storage.read:/a", "storage.create:/a", "storage.modify:/a"]);
    }

    #[test]
    fn an_issuer_that_issues_by_oauth_comes_first_and_the_wanted_one_before_all() {
        let facts = facts(
            true,
            &[
                "issuer=https://vault, strategy=Vault",
                "issuer=https://i/",
                "issuer=https://j, strategy=OAuth2",
            ],
        );
        let issuer = |wanted: Option<&str>| {
            let wanted = wanted.map(|url| url.parse().unwrap());
            let login = facts.login(&path("/ns/a"), LoginAccess::Read, wanted.as_ref());
            login.map(|login| login.issuer.to_string()).map_err(|error| error.to_string())
        };
        assert_eq!(issuer(None).unwrap(), "https://i/");
        assert_eq!(issuer(Some("https://j")).unwrap(), "https://j/");
        assert!(issuer(Some("https://vault")).unwrap_err().contains("come from a vault"));
        let other = issuer(Some("https://x")).unwrap_err();
        assert!(
            other.ends_with("the director names `https://vault/`, `https://i/`, `https://j/`"),
            "{other}"
        );
    }

    #[test]
    fn a_login_that_cannot_work_says_why() {
        let at = |facts: NamespaceFacts, text: &str| {
            facts.login(&path(text), LoginAccess::Read, None).unwrap_err().to_string()
        };
        assert!(at(facts(false, &["issuer=https://i"]), "/ns").contains("can be read without a token"));
        assert!(at(facts(true, &[]), "/ns").contains("names no issuer"));
        let outside = at(facts(true, &["issuer=https://i, base-path=/ns/deep"]), "/ns/other");
        assert_eq!(
            outside,
            "the tokens of `https://i/` are for paths below `/ns/deep`, and not for `/ns/other`"
        );
    }
}
