//! Globus' tree of consents.

use std::error::Error;

use super::super::validation::ScopeRequirement;

/// One consent of a user, as Globus Auth lists them; [`Consents`] has an example.
///
/// ```
/// use scitoken_storage::{Consent, Consents};
///
/// let transfer = Consent::new(1, "urn:globus:auth:scope:transfer.api.globus.org:all", [1]);
/// let consents: Consents = [transfer].into_iter().collect();
/// assert!(consents.meets(&"urn:globus:auth:scope:transfer.api.globus.org:all".parse()?));
/// # Ok::<(), scitoken_storage::InvalidScopeRequirement>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    id: u64,
    scope: String,
    dependency_path: Vec<u64>,
}

impl Consent {
    /// Creates a consent with its `id`, `scope_name` and `dependency_path` (from the root to itself).
    pub fn new(id: u64, scope: impl Into<String>, dependency_path: impl Into<Vec<u64>>) -> Self {
        Self { id, scope: scope.into(), dependency_path: dependency_path.into() }
    }

    /// Returns the parent consent; `None` for a root.
    fn parent(&self) -> Option<u64> {
        self.dependency_path.iter().rev().nth(1).copied()
    }
}

/// All consents of a user.
///
/// ```
/// use scitoken_storage::{Consent, Consents};
///
/// let consents: Consents = [Consent::new(1, "transfer", [1]), Consent::new(2, "data", [1, 2])].into_iter().collect();
/// assert!(consents.meets(&"transfer[data]".parse()?));
/// # Ok::<(), scitoken_storage::InvalidScopeRequirement>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consents(Vec<Consent>);

impl Consents {
    /// Returns whether the user has consented to a scope and, below it, to all its dependencies.
    pub fn meets(&self, requirement: &ScopeRequirement) -> bool {
        self.meets_under(None, requirement)
    }

    fn meets_under(&self, parent: Option<u64>, requirement: &ScopeRequirement) -> bool {
        self.0.iter().any(|consent| {
            consent.parent() == parent
                && consent.scope == requirement.scope()
                && requirement
                    .dependencies()
                    .iter()
                    .all(|dependency| self.meets_under(Some(consent.id), dependency))
        })
    }
}

impl FromIterator<Consent> for Consents {
    fn from_iter<I: IntoIterator<Item = Consent>>(consents: I) -> Self {
        Self(consents.into_iter().collect())
    }
}

/// The error of a consent look-up.
pub type ConsentError = Box<dyn Error + Send + Sync>;

/// Looks up the consents of a user; with Globus, `GET /v2/api/identities/{id}/consents` of Globus Auth.
pub trait ConsentSource: std::fmt::Debug + Send + Sync + 'static {
    /// Returns the consents of an identity.
    fn consents(&self, identity_id: &str) -> Result<Consents, ConsentError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_counts_only_under_its_own_root() {
        let consents: Consents = [
            Consent::new(1, "transfer", [1]),
            Consent::new(2, "data", [1, 2]),
            Consent::new(3, "other", [3]),
            Consent::new(4, "deep", [1, 2, 4]),
        ]
        .into_iter()
        .collect();
        for (requirement, expected) in [
            ("transfer", true),
            ("transfer[data]", true),
            ("transfer[data[deep]]", true),
            ("transfer[deep]", false),
            ("other[data]", false),
            ("data", false),
            ("absent", false),
        ] {
            assert_eq!(consents.meets(&requirement.parse().unwrap()), expected, "{requirement}");
        }
    }
}
