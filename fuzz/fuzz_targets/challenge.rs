//! `WWW-Authenticate` values of a response.
#![no_main]

use http::{HeaderMap, HeaderValue, header::WWW_AUTHENTICATE};
use libfuzzer_sys::fuzz_target;
use reqwest_scitokens::auth::Challenge;

fuzz_target!(|values: Vec<Vec<u8>>| {
    let headers: HeaderMap = values
        .iter()
        .filter_map(|value| HeaderValue::from_bytes(value).ok())
        .map(|value| (WWW_AUTHENTICATE, value))
        .collect();
    let sent: usize = headers.values().map(HeaderValue::len).sum();
    if let Some(challenge) = Challenge::from_headers(&headers) {
        // what is not UTF-8 becomes U+FFFD, three bytes for one
        for text in
            [challenge.realm(), challenge.scope(), challenge.error_description(), challenge.audience()]
        {
            assert!(text.unwrap_or_default().len() <= 3 * sent, "a parameter is longer than what was sent");
        }
        assert!(challenge.scopes().count() <= sent);
    }
});
