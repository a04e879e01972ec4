//! Which of several tokens is sent.
//!
//! Claims are read for the choice, and trusted no further.

use std::fmt;

use scitoken_types::{AccessFit, LifetimeFit, TokenFit};

/// Why a token was not chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MismatchReason {
    /// It is meant for other servers.
    Audience,
    /// The server accepts tokens of other issuers.
    Issuer,
    /// It does not allow what is asked for.
    Scope,
    /// The server has asked for scopes that it lacks, and another token has them.
    Challenge,
    /// Its scopes do not cover the method and the path, and those of another token do.
    Access,
    /// It is not valid yet (`nbf`).
    NotYet,
}

impl fmt::Display for MismatchReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Audience => "it is meant for other servers",
            Self::Issuer => "the server accepts tokens of other issuers",
            Self::Scope => "it does not allow what is asked for",
            Self::Challenge => "another token has the scopes that the server asks for",
            Self::Access => "another token covers the method and the path",
            Self::NotYet => "it is not valid yet",
        })
    }
}

/// The tokens that there are to choose from, by their fits.
#[derive(Clone, Copy, Debug)]
pub(super) enum Choice {
    /// One, which is used unless the caller asked for something that it is not.
    Single {
        /// Whether the caller asked for an audience.
        requires_audience: bool,
    },
    /// Several; this fits best of those that have not expired.
    Best(TokenFit),
}

impl Choice {
    /// Takes the fits of all tokens.
    pub(super) fn among(fits: impl Iterator<Item = TokenFit>, requires_audience: bool) -> Self {
        let usable: Vec<_> = fits.filter(|fit| fit.lifetime != LifetimeFit::Expired).collect();
        match usable.iter().min() {
            Some(best) if usable.len() > 1 => Self::Best(*best),
            _ => Self::Single { requires_audience },
        }
    }

    /// Returns why a token with this fit is not used; `None` when it is.
    ///
    /// An opaque token fits, and so does one without the claim: only the server can tell.
    pub(super) fn mismatch(self, fit: TokenFit) -> Option<MismatchReason> {
        let judges_audience = !matches!(self, Self::Single { requires_audience: false });
        if judges_audience && !fit.audience.fits() {
            return Some(MismatchReason::Audience);
        }
        if !fit.issuer.fits() {
            return Some(MismatchReason::Issuer);
        }
        if !fit.has_scopes {
            return Some(MismatchReason::Scope);
        }
        let Self::Best(best) = self else { return None };
        if fit.lifetime == LifetimeFit::NotYet {
            return Some(MismatchReason::NotYet);
        }
        if !best.is_acceptable() || fit.lifetime == LifetimeFit::Expired {
            return None;
        }
        if best.answers_challenge && !fit.answers_challenge {
            return Some(MismatchReason::Challenge);
        }
        // A token that covers is preferred; where none does, the server knows better.
        let is_covered = best.access <= AccessFit::CoversEnding;
        (is_covered && fit.access > best.access).then_some(MismatchReason::Access)
    }
}

#[cfg(test)]
mod tests {
    use base64::prelude::*;
    use url::Url;

    use super::*;
    use crate::challenge::Challenge;
    use crate::source::TokenRequest;
    use scitoken_types::{AccessToken, Audience, Scope};

    fn token(payload: &str) -> AccessToken {
        let payload = BASE64_URL_SAFE_NO_PAD.encode(payload);
        AccessToken::new(format!("e30.{payload}.sig")).unwrap()
    }

    /// Why the first token is not used, alone or beside an opaque one.
    fn mismatch_of(
        payload: &str,
        tokens: usize,
        audience: Option<&str>,
        scope: Option<&str>,
    ) -> Option<MismatchReason> {
        let url = Url::parse("https://data.example:8443/f").unwrap();
        let audience = audience.map(Audience::from);
        let scopes: Vec<Scope> = scope.iter().map(|s| s.parse().unwrap()).collect();
        let mut request = TokenRequest::new(&url).unwrap().with_scopes(&scopes);
        if let Some(audience) = &audience {
            request = request.with_audience(audience);
        }
        let fits = [request.fit(&token(payload)), request.fit(&AccessToken::new("opaque").unwrap())];
        Choice::among(fits[..tokens].iter().copied(), audience.is_some()).mismatch(fits[0])
    }

    #[test]
    fn of_several_only_one_for_this_server_fits() {
        for (payload, fits) in [
            (r#"{"aud":"https://data.example"}"#, true),
            (r#"{"aud":"https://data.example:8443"}"#, true),
            (r#"{"aud":["x","https://data.example"]}"#, true),
            (r#"{"aud":"ANY"}"#, true),
            (r#"{"aud":"https://wlcg.cern.ch/jwt/v1/any"}"#, true),
            (r#"{"sub":"me"}"#, true),
            (r#"{"aud":"https://other.example"}"#, false),
            (r#"{"aud":"https://data.example.evil"}"#, false),
        ] {
            let expected = (!fits).then_some(MismatchReason::Audience);
            assert_eq!(mismatch_of(payload, 2, None, None), expected, "{payload}");
            assert_eq!(mismatch_of(payload, 1, None, None), None, "{payload}");
        }
    }

    #[test]
    fn a_wanted_audience_is_demanded_of_a_single_token_too() {
        let payload = r#"{"aud":"https://data.example"}"#;
        assert_eq!(mismatch_of(payload, 1, Some("https://data.example"), None), None);
        assert_eq!(mismatch_of(payload, 1, Some("other"), None), Some(MismatchReason::Audience));
    }

    #[test]
    fn all_wanted_scopes_must_be_allowed() {
        let payload = r#"{"scope":"storage.read:/vo openid"}"#;
        assert_eq!(mismatch_of(payload, 2, None, Some("storage.read:/vo/f")), None);
        assert_eq!(mismatch_of(payload, 2, None, Some("storage.read:/x")), Some(MismatchReason::Scope));
        assert_eq!(mismatch_of(r#"{"sub":"me"}"#, 2, None, Some("storage.read:/x")), None);
    }

    #[test]
    fn an_accepted_issuer_is_demanded_and_the_challenge_decides_before_the_path() {
        let url = Url::parse("https://data.example/chtc/f").unwrap();
        let issuers = [Url::parse("https://iam.example/").unwrap()];
        let mut headers = http::HeaderMap::new();
        headers.insert("www-authenticate", "Bearer scope=\"storage.read:/vo\"".parse().unwrap());
        let challenge = Challenge::from_headers(&headers).unwrap();
        let request = TokenRequest::new(&url).unwrap().with_issuers(&issuers);
        let request = request.with_method(&http::Method::GET).with_challenge(&challenge);
        let tokens = [
            r#"{"iss":"https://iam.example","scope":"storage.read:/chtc"}"#,
            r#"{"iss":"https://iam.example","scope":"storage.read:/"}"#,
            r#"{"iss":"https://other.example","scope":"storage.read:/vo"}"#,
            r#"{"iss":"https://iam.example","scope":"storage.read:/vo"}"#,
        ];
        let fits = tokens.map(|payload| request.fit(&token(payload)));
        let choice = Choice::among(fits.into_iter(), false);
        let reasons = fits.map(|fit| choice.mismatch(fit));
        let access = Some(MismatchReason::Access);
        assert_eq!(reasons, [Some(MismatchReason::Challenge), None, Some(MismatchReason::Issuer), access]);
        let alone = Choice::among(fits[2..3].iter().copied(), false);
        assert_eq!(alone.mismatch(fits[2]), Some(MismatchReason::Issuer));
    }
}
