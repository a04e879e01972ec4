//! Whose tokens they are, by the ID token that came with them.

use std::time::{Duration, SystemTime};

use crate::token::AccessToken;

/// The clocks of server and client may differ by this much, as in the SDK.
const LEEWAY: Duration = Duration::from_secs(300);

/// The `sub` of an ID token that came straight from the token endpoint.
///
/// Its signature is not checked: OpenID Connect Core section 3.1.3.7 rule 6 lets the TLS connection to the issuer
/// stand for it. The SDK does check it, but not the issuer, which is checked here.
pub(super) fn subject(
    id_token: &str,
    issuer: &str,
    client_id: &str,
    now: SystemTime,
) -> Result<String, &'static str> {
    let token = AccessToken::new(id_token).map_err(|_| "it is no JWT")?;
    let claims = token.claims().ok_or("it is no JWT")?;
    let same_issuer = |found: &str| found.trim_end_matches('/') == issuer.trim_end_matches('/');
    if !claims.issuer().is_some_and(same_issuer) {
        return Err("it comes from another issuer");
    }
    if !claims.audiences().iter().any(|audience| audience.as_str() == client_id) {
        return Err("its audience is another client");
    }
    let earliest_end = now.checked_sub(LEEWAY).unwrap_or(SystemTime::UNIX_EPOCH);
    if claims.expires_at().is_none_or(|end| end <= earliest_end) {
        return Err("it has expired");
    }
    claims.subject().map(str::to_owned).ok_or("it names nobody")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuer_audience_time_and_subject_all_count() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
        let check = |claims: &str| {
            let payload = base64_simd::URL_SAFE_NO_PAD.encode_to_string(claims);
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
