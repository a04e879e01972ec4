//! Profiles: the specifications that a token can follow, and how the token names its own.

use std::fmt;
use std::str::FromStr;

use scitoken_types::redact;

/// The specification that a token follows.
///
/// | profile | marker in the token | audience for every server |
/// |---|---|---|
/// | SciTokens 1.0 | no `ver`, or `scitoken:1.0` | no `aud` |
/// | SciTokens 2.0 | `ver` is `scitoken:2.0` | `ANY` |
/// | WLCG 1.x | `wlcg.ver` is `1.x` | `https://wlcg.cern.ch/jwt/v1/any` |
/// | RFC 9068 | header `typ` is `at+jwt`, and neither `ver` nor `wlcg.ver` | - |
///
/// `scitokens:1.0` and `scitokens:2.0` are accepted as well; both spellings are in use. If a token has both markers,
/// `ver` takes precedence over `wlcg.ver`, as in scitokens-cpp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// SciTokens 1.0, with `scp` as another name of `scope`; unknown claims are refused.
    SciTokens1,
    /// SciTokens 2.0.
    SciTokens2,
    /// WLCG Common JWT Profile 1.x; most issuers write `1.0`.
    Wlcg {
        /// The minor version; newer ones must be accepted (profile 1.1).
        minor: u16,
    },
    /// OAuth 2.0 access token (RFC 9068), `at+jwt`.
    AccessToken,
}

/// A string that names no [`Profile`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown profile `{0}`: choose `scitokens1`, `scitokens2`, `wlcg`, `wlcg1.0` to `wlcg1.3`, or `at+jwt`"
)]
pub struct InvalidProfile(String);

impl Profile {
    /// The WLCG profile as most issuers write it.
    pub const WLCG: Self = Self::Wlcg { minor: 0 };

    /// Returns the profile of a token with these markers, or the marker that is not known.
    pub(super) fn of(typ: Option<&str>, ver: Option<&str>, wlcg: Option<&str>) -> Result<Self, String> {
        match (ver, wlcg) {
            (Some("scitoken:1.0" | "scitokens:1.0"), _) => Ok(Self::SciTokens1),
            (Some("scitoken:2.0" | "scitokens:2.0"), _) => Ok(Self::SciTokens2),
            (Some(other), _) => Err(redact::text(other)),
            (None, Some(version)) => match wlcg_minor(version) {
                Some(minor) => Ok(Self::Wlcg { minor }),
                None => Err(format!("wlcg.ver {}", redact::text(version))),
            },
            (None, None) if typ.is_some_and(is_access_token_type) => Ok(Self::AccessToken),
            (None, None) => Ok(Self::SciTokens1),
        }
    }

    /// Returns whether both are the same profile, whatever the minor version.
    pub fn is_same_kind(self, other: Self) -> bool {
        std::mem::discriminant(&self) == std::mem::discriminant(&other)
    }

    /// Returns the claims that a token must have to be accepted. `sub`, `jti` and `nbf` are not among them: they do
    /// not affect what is allowed, and issuers leave them out.
    pub fn required_claims(self) -> &'static [&'static str] {
        match self {
            Self::SciTokens1 => &["iss", "exp", "iat"],
            Self::SciTokens2 | Self::Wlcg { .. } => &["iss", "exp", "iat", "aud"],
            Self::AccessToken => &["iss", "exp", "iat", "aud", "sub"],
        }
    }

    /// Returns the claims that the profile asks an issuer to include.
    ///
    /// SciTokens "Claims and Scopes Language", WLCG Common JWT Profiles "Common claims", RFC 9068 section 2.2.
    pub fn specified_claims(self) -> &'static [&'static str] {
        match self {
            Self::SciTokens1 => &["iss", "exp", "iat", "nbf", "scope"],
            Self::SciTokens2 => &["ver", "iss", "sub", "aud", "exp", "iat", "nbf", "jti", "scope"],
            Self::Wlcg { .. } => &["wlcg.ver", "iss", "sub", "aud", "exp", "iat", "jti"],
            Self::AccessToken => &["iss", "sub", "aud", "exp", "iat", "jti", "client_id"],
        }
    }

    /// Returns the value of `aud` that means every server, if the profile has one.
    pub fn any_audience(self) -> Option<&'static str> {
        match self {
            Self::SciTokens1 | Self::AccessToken => None,
            Self::SciTokens2 => Some(scitoken_types::Audience::ANY),
            Self::Wlcg { .. } => Some(scitoken_types::Audience::WLCG_ANY),
        }
    }

    /// Returns whether the profile requires that each claim is known.
    pub(super) fn refuses_unknown_claims(self) -> bool {
        self == Self::SciTokens1
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SciTokens1 => f.write_str("SciTokens 1.0"),
            Self::SciTokens2 => f.write_str("SciTokens 2.0"),
            Self::Wlcg { minor } => write!(f, "WLCG 1.{minor}"),
            Self::AccessToken => f.write_str("at+jwt"),
        }
    }
}

/// Reads the usual names: `scitokens2`, `scitoken:2.0`, `wlcg`, `wlcg1.3`, `at+jwt`.
impl FromStr for Profile {
    type Err = InvalidProfile;

    fn from_str(text: &str) -> Result<Self, InvalidProfile> {
        let invalid = || InvalidProfile(redact::text(text));
        let name = text.to_ascii_lowercase();
        match name.as_str() {
            "scitokens1" | "scitokens1.0" | "scitoken:1.0" | "scitokens:1.0" => Ok(Self::SciTokens1),
            "scitokens2" | "scitokens2.0" | "scitoken:2.0" | "scitokens:2.0" => Ok(Self::SciTokens2),
            "wlcg" => Ok(Self::WLCG),
            "atjwt" | "at+jwt" => Ok(Self::AccessToken),
            other => {
                let version = other.strip_prefix("wlcg").ok_or_else(invalid)?;
                let version = version.strip_prefix(':').unwrap_or(version);
                wlcg_minor(version).map(|minor| Self::Wlcg { minor }).ok_or_else(invalid)
            }
        }
    }
}

/// Reads `MAJOR.MINOR` with a major version of 1.
fn wlcg_minor(version: &str) -> Option<u16> {
    let minor = version.strip_prefix("1.")?;
    minor.bytes().all(|b| b.is_ascii_digit()).then(|| minor.parse().ok()).flatten()
}

/// Returns whether `typ` is that of RFC 9068 section 2.1; media types are compared without case (RFC 7515 section
/// 4.1.9).
fn is_access_token_type(typ: &str) -> bool {
    typ.eq_ignore_ascii_case("at+jwt") || typ.eq_ignore_ascii_case("application/at+jwt")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_minor_version_of_wlcg_1_is_accepted_and_no_other_major() {
        for (version, minor) in [("1.0", 0), ("1.1", 1), ("1.3", 3), ("1.17", 17)] {
            assert_eq!(Profile::of(None, None, Some(version)), Ok(Profile::Wlcg { minor }));
        }
        for version in ["2.0", "1", "1.", "1.x", "1.+1", "", "01.0", "1.99999999"] {
            assert_eq!(Profile::of(None, None, Some(version)), Err(format!("wlcg.ver {version}")));
        }
    }

    #[test]
    fn both_spellings_of_scitokens_are_accepted_and_no_third_version() {
        assert_eq!(Profile::of(None, Some("scitoken:1.0"), None), Ok(Profile::SciTokens1));
        assert_eq!(Profile::of(None, Some("scitokens:1.0"), None), Ok(Profile::SciTokens1));
        assert_eq!(Profile::of(None, Some("scitoken:2.0"), None), Ok(Profile::SciTokens2));
        assert_eq!(Profile::of(None, Some("scitokens:2.0"), None), Ok(Profile::SciTokens2));
        assert!(Profile::of(None, Some("scitoken:3.0"), None).is_err());
        assert!(Profile::of(None, Some("SCITOKEN:2.0"), None).is_err());
    }

    #[test]
    fn markers_go_before_the_type() {
        assert_eq!(Profile::of(Some("at+jwt"), None, None), Ok(Profile::AccessToken));
        assert_eq!(Profile::of(Some("application/AT+JWT"), None, None), Ok(Profile::AccessToken));
        assert_eq!(Profile::of(Some("at+jwt"), None, Some("1.0")), Ok(Profile::WLCG));
        assert_eq!(Profile::of(Some("JWT"), None, None), Ok(Profile::SciTokens1));
        assert_eq!(Profile::of(None, Some("scitoken:2.0"), Some("1.0")), Ok(Profile::SciTokens2));
    }

    #[test]
    fn people_may_name_them() {
        assert_eq!("WLCG".parse(), Ok(Profile::WLCG));
        assert_eq!("wlcg1.3".parse(), Ok(Profile::Wlcg { minor: 3 }));
        assert_eq!("wlcg:1.2".parse(), Ok(Profile::Wlcg { minor: 2 }));
        assert_eq!("atjwt".parse(), Ok(Profile::AccessToken));
        assert!("scitokens3".parse::<Profile>().unwrap_err().to_string().contains("`scitokens2`"));
    }
}
