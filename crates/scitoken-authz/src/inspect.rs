//! The profile of a token before verification, for messages.

use super::jws::{JwsHeader, JwsParts};
use super::{AuthorizationError, Claims, Profile};

/// What an unverified token says about the profile that it follows: to explain a token, never to grant access.
///
/// ```
/// use scitoken_authz::{Profile, ProfileReport};
///
/// // {"alg":"ES256","typ":"at+jwt"} . {"iss":"https://i","sub":"a","aud":"h","exp":9,"iat":1,"jti":"1"}
/// let token = "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.eyJpc3MiOiJodHRwczovL2kiLCJzdWIiOiJhIiwiYXVkIjoiaCIsImV4cCI6OSwia\
///              WF0IjoxLCJqdGkiOiIxIn0.c2ln";
/// let report = ProfileReport::of(token)?;
/// assert_eq!((report.profile(), report.missing_claims()), (Profile::AccessToken, &["client_id"][..]));
/// # Ok::<(), scitoken_authz::AuthorizationError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileReport {
    profile: Profile,
    missing: Vec<&'static str>,
}

impl ProfileReport {
    /// Reads the header and the claims of a token; verifies nothing.
    ///
    /// # Errors
    /// The text is not a JWT, or a claim that counts is not of the type that it must have.
    pub fn of(token: &str) -> Result<Self, AuthorizationError> {
        let parts = JwsParts::split(token)?;
        let header = JwsHeader::parse(&parts.header)?;
        let claims = Claims::parse(parts.payload, header.typ.as_deref())?;
        let profile = claims.profile();
        claims.all()?;
        let missing = profile.specified_claims().iter().copied().filter(|name| claims.get(name).is_none());
        // SciTokens 1.0 has `scp` as another name of `scope`.
        let missing = missing.filter(|name| *name != "scope" || claims.scope_text().is_none()).collect();
        Ok(Self { profile, missing })
    }

    /// Returns the profile that the token names.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// Returns the claims that the profile [specifies](Profile::specified_claims) and the token lacks. Tokens are accepted
    /// without those that are not [required](Profile::required_claims).
    pub fn missing_claims(&self) -> &[&'static str] {
        &self.missing
    }
}

#[cfg(test)]
mod tests {
    use base64::prelude::*;

    use super::*;

    fn report(header: &str, payload: &str) -> Result<ProfileReport, AuthorizationError> {
        let part = |json: &str| BASE64_URL_SAFE_NO_PAD.encode(json);
        ProfileReport::of(&format!("{}.{}.c2ln", part(header), part(payload)))
    }

    #[test]
    fn claims_that_the_profile_specifies_and_the_token_lacks_are_named() {
        for (header, payload, profile, missing) in [
            (
                r#"{"alg":"ES256","typ":"at+jwt"}"#,
                r#"{"iss":"i","sub":"s","aud":"a","exp":2,"iat":1,"jti":"j","client_id":"c"}"#,
                Profile::AccessToken,
                &[][..],
            ),
            (
                r#"{"alg":"ES256","typ":"application/at+jwt"}"#,
                r#"{"iss":"i","sub":"s","aud":"a","exp":2,"iat":1}"#,
                Profile::AccessToken,
                &["jti", "client_id"],
            ),
            (
                r#"{"alg":"ES256"}"#,
                r#"{"wlcg.ver":"1.0","iss":"i","sub":"s","exp":2,"iat":1,"jti":"j"}"#,
                Profile::WLCG,
                &["aud"],
            ),
            (
                r#"{"alg":"ES256"}"#,
                r#"{"scp":"read:/","iss":"i","exp":2,"iat":1,"nbf":1}"#,
                Profile::SciTokens1,
                &[],
            ),
        ] {
            let report = report(header, payload).unwrap();
            assert_eq!((report.profile(), report.missing_claims()), (profile, missing), "{payload}");
        }
        assert!(ProfileReport::of("opaque").is_err());
        assert!(report(r#"{"alg":"ES256"}"#, r#"{"ver":"scitoken:9"}"#).is_err());
    }
}
