//! Credentials that travel in a URL.

use url::Url;

use crate::token::AccessToken;

/// Whether the URL carries a credential of its own: `authz=` (XRootD), `access_token=` (RFC 6750 section 2.3), the
/// signature of S3, Google or Azure storage.
///
/// Such a URL gets no `Authorization` header: XRootD takes the query and ignores the header, S3 refuses both.
pub(crate) fn has_credential(url: &Url) -> bool {
    const NAMES: [&str; 4] = ["authz", "access_token", "x-amz-signature", "x-goog-signature"];
    /// A signature stands beside its key's name: S3's older form, `CloudFront`, Google's older form.
    const KEYS: [&str; 3] = ["awsaccesskeyid", "key-pair-id", "googleaccessid"];
    let Some(query) = url.query() else { return false };
    let names = || query.split(['&', ';']).filter_map(|pair| pair.split_once('=')).map(|(name, _)| name);
    let has = |wanted: &[&str]| names().any(|name| wanted.iter().any(|w| name.eq_ignore_ascii_case(w)));
    has(&NAMES)
        || (has(&["signature"]) && has(&KEYS))
        || (has(&["sig"]) && has(&["sv"]) && has(&["se", "sp"]))
}

/// Whether the URL carries this very token: XRootD's manager writes what it was sent into the `Location` of its
/// redirect, with the scheme or without.
pub(crate) fn carries(url: &Url, token: &AccessToken) -> bool {
    url.query_pairs()
        .any(|(_, value)| value.strip_prefix("Bearer ").unwrap_or(&value) == token.expose_secret())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_recognised_in_the_query() {
        let token = AccessToken::new("a+b/c").unwrap();
        for (query, expected) in [
            ("authz=Bearer%20a%2Bb/c", true),
            ("x=1&authz=a%2Bb/c", true),
            ("authz=Bearer%20a", false),
            ("authz=a%2Bb/cd", false),
            ("", false),
        ] {
            assert_eq!(
                carries(&Url::parse(&format!("https://h/f?{query}")).unwrap(), &token),
                expected,
                "{query}"
            );
        }
    }

    #[test]
    fn the_usual_forms_are_known() {
        for (query, expected) in [
            ("authz=Bearer%20x", true),
            ("a=b&AUTHZ=x", true),
            ("access_token=x", true),
            ("X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=ab", true),
            ("AWSAccessKeyId=a&Signature=b&Expires=1", true),
            ("X-Goog-Signature=ab", true),
            ("sv=2020&se=2030&sig=x", true),
            ("sig=x", false),
            ("signature=x", false),
            ("authz", false),
            ("xauthz=1&signed=2", false),
            ("dcache-http-uuid=1", false),
        ] {
            let url = Url::parse(&format!("https://h/f?{query}")).unwrap();
            assert_eq!(has_credential(&url), expected, "{query}");
        }
        assert!(!has_credential(&Url::parse("https://h/authz=x").unwrap()));
    }
}
