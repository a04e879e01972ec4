//! Which of several tokens to use.
//!
//! The rules of igwn-auth-utils: the first token, in the order of the files, that is meant for the server, allows
//! all that is asked for and lives long enough. Claims are read for that, and only believed as far as choosing goes.

use std::fmt;

use super::TokenRequest;
use crate::token::{AccessToken, Audience, UnverifiedClaims, default_audience};

/// Why a token was not chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misfit {
    /// It is meant for other servers.
    Audience,
    /// It does not allow what is asked for.
    Scope,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Audience => "it is meant for other servers",
            Self::Scope => "it does not allow what is asked for",
        })
    }
}

/// How many tokens there are to choose from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// One: it is used unless the caller asked for something that it is not.
    Single,
    /// Several: the audience must fit the server.
    Several,
}

/// Why the token does not fit the request; `None` when it does.
///
/// A token that says nothing (an opaque one, or one without that claim) fits: only the server knows better.
pub(super) fn misfit(token: &AccessToken, request: &TokenRequest<'_>, choice: Choice) -> Option<Misfit> {
    let claims = token.claims()?;
    if !audience_fits(claims, request, choice) {
        return Some(Misfit::Audience);
    }
    let silent = claims.scope_text().is_none();
    (!silent && !request.scopes().iter().all(|scope| claims.allows(scope))).then_some(Misfit::Scope)
}

/// Whether the token allows all that the server's challenge asks for; such a token goes before others that fit.
pub(super) fn answers_challenge(token: &AccessToken, request: &TokenRequest<'_>) -> bool {
    let Some(challenge) = request.challenge() else { return true };
    token.claims().is_none_or(|claims| challenge.scopes().all(|scope| claims.allows(&scope)))
}

fn audience_fits(claims: &UnverifiedClaims, request: &TokenRequest<'_>, choice: Choice) -> bool {
    let audiences = claims.audiences();
    if audiences.is_empty() || audiences.iter().any(Audience::is_any) {
        return true;
    }
    match request.audience() {
        Some(wanted) => audiences.contains(wanted),
        None if choice == Choice::Single => true,
        None => {
            let usual = default_audience(request.url());
            audiences.iter().any(|a| a.names(request.origin()) || Some(a) == usual.as_ref())
        }
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::token::Scope;

    fn token(payload: &str) -> AccessToken {
        let payload = base64_simd::URL_SAFE_NO_PAD.encode_to_string(payload);
        AccessToken::new(format!("e30.{payload}.sig")).unwrap()
    }

    fn judge(payload: &str, choice: Choice, audience: Option<&str>, scope: Option<&str>) -> Option<Misfit> {
        let url = Url::parse("https://data.example:8443/f").unwrap();
        let audience = audience.map(Audience::from);
        let scopes: Vec<Scope> = scope.iter().map(|s| s.parse().unwrap()).collect();
        let mut request = TokenRequest::new(&url).unwrap().with_scopes(&scopes);
        if let Some(audience) = &audience {
            request = request.with_audience(audience);
        }
        misfit(&token(payload), &request, choice)
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
            let expected = (!fits).then_some(Misfit::Audience);
            assert_eq!(judge(payload, Choice::Several, None, None), expected, "{payload}");
            assert_eq!(judge(payload, Choice::Single, None, None), None, "{payload}");
        }
    }

    #[test]
    fn a_wanted_audience_is_demanded_of_a_single_token_too() {
        let payload = r#"{"aud":"https://data.example"}"#;
        assert_eq!(judge(payload, Choice::Single, Some("https://data.example"), None), None);
        assert_eq!(judge(payload, Choice::Single, Some("other"), None), Some(Misfit::Audience));
    }

    #[test]
    fn all_wanted_scopes_must_be_allowed() {
        let payload = r#"{"scope":"storage.read:/vo openid"}"#;
        assert_eq!(judge(payload, Choice::Several, None, Some("storage.read:/vo/f")), None);
        assert_eq!(judge(payload, Choice::Several, None, Some("storage.read:/x")), Some(Misfit::Scope));
        assert_eq!(judge(r#"{"sub":"me"}"#, Choice::Several, None, Some("storage.read:/x")), None);
    }
}
