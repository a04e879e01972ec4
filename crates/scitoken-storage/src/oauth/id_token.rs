//! The identity that an ID token names.

use std::time::{Duration, SystemTime};

use scitoken_types::{AccessToken, same_issuer};

/// How much the clocks of server and client may differ, as in the SDK.
const LEEWAY: Duration = Duration::from_secs(300);

/// Returns the `sub` of an ID token that the token endpoint sent.
///
/// The signature is not verified: OpenID Connect Core section 3.1.3.7 rule 6 accepts the TLS connection to the issuer
/// instead. The SDK verifies the signature, but not the issuer, which is verified here.
pub(super) fn subject(
    id_token: &str,
    issuer: &str,
    client_id: &str,
    now: SystemTime,
) -> Result<String, &'static str> {
    let token = AccessToken::new(id_token).map_err(|_| "it is not a JWT")?;
    let claims = token.claims().ok_or("it is not a JWT")?;
    if !claims.issuer().is_some_and(|found| same_issuer(found, issuer)) {
        return Err("its issuer is another one");
    }
    if !claims.audiences().iter().any(|audience| audience.as_str() == client_id) {
        return Err("its audience is another client");
    }
    let earliest_end = now.checked_sub(LEEWAY).unwrap_or(SystemTime::UNIX_EPOCH);
    if claims.expires_at().is_none_or(|end| end <= earliest_end) {
        return Err("it has expired");
    }
    claims.subject().map(str::to_owned).ok_or("it has no subject")
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::prelude::*;

    #[test]
    fn issuer_audience_time_and_subject_all_count() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let check = |claims: &str| {
            let payload = BASE64_URL_SAFE_NO_PAD.encode(claims);
            subject(&format!("e30.{payload}.sig"), "https://iss", "me", now)
        };
        let good = r#"{"iss": "https://iss", "aud": ["x", "me"], "sub": "alice", "exp": 701}"#;
        assert_eq!(check(good), Ok("alice".to_owned()));
        assert_eq!(check(&good.replace("https://iss", "https://iss/")), Ok("alice".to_owned()));
        for (from, to) in [
            ("https://iss", "https://other"),
            ("\"me\"", "\"Me\""),
            ("701", "700"),
            ("701", "\"soon\""),
            ("\"alice\"", "5"),
        ] {
            assert!(check(&good.replace(from, to)).is_err(), "{to}");
        }
        assert!(subject("opaque", "https://iss", "me", now).is_err());
    }
}
