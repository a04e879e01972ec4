//! Issuers: which tokens a server accepts.

use std::fmt;

use url::Url;

/// Whether two texts name one issuer as far as a *choice* goes: a slash at the end makes no difference.
///
/// Issuers and servers disagree about that slash. Verification compares byte by byte (RFC 7519 section 4.1.1).
///
/// ```
/// # use scitoken_types::same_issuer;
/// assert!(same_issuer("https://iam.example/", "https://iam.example"));
/// assert!(!same_issuer("https://iam.example/vo", "https://iam.example"));
/// ```
pub fn same_issuer(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

/// How a token's issuer fits those that a server accepts; the better fit is the lesser value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IssuerFit {
    /// It is one of them.
    Accepted,
    /// The token has no issuer, or it is unknown which ones the server accepts.
    Unstated,
    /// It is another one.
    Foreign,
}

impl IssuerFit {
    /// Compares the `iss` claim with the accepted issuers, of which an empty list says nothing.
    pub fn of(issuer: Option<&str>, accepted: &[Url]) -> Self {
        match issuer {
            Some(issuer) if accepted.iter().any(|url| same_issuer(url.as_str(), issuer)) => Self::Accepted,
            Some(_) if !accepted.is_empty() => Self::Foreign,
            _ => Self::Unstated,
        }
    }

    /// Whether the token may be chosen.
    pub fn fits(self) -> bool {
        self != Self::Foreign
    }
}

impl fmt::Display for IssuerFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accepted => "the server accepts its issuer",
            Self::Unstated => "only the server knows whether it accepts the issuer",
            Self::Foreign => "the server accepts tokens of other issuers",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_compared_with_those_that_are_accepted() {
        let accepted = ["https://a.example/".parse().unwrap(), "https://b.example/vo".parse().unwrap()];
        for (issuer, expected) in [
            (Some("https://a.example"), IssuerFit::Accepted),
            (Some("https://a.example//"), IssuerFit::Accepted),
            (Some("https://b.example/vo/"), IssuerFit::Accepted),
            (Some("https://b.example"), IssuerFit::Foreign),
            (Some("https://A.example"), IssuerFit::Foreign),
            (Some(""), IssuerFit::Foreign),
            (None, IssuerFit::Unstated),
        ] {
            assert_eq!(IssuerFit::of(issuer, &accepted), expected, "{issuer:?}");
            assert_eq!(IssuerFit::of(issuer, &[]), IssuerFit::Unstated, "{issuer:?}");
        }
    }
}
