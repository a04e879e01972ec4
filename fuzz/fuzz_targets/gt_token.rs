//! Gafaelfawr's tokens and `Authorization` headers: no text makes them panic, and what is a token is written back.
#![no_main]

use http::HeaderValue;
use libfuzzer_sys::fuzz_target;
use scitoken_gafaelfawr::GafaelfawrToken;
use scitoken_types::AccessToken;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        check(text);
        // Nearly a token already, so that the interesting ones are found soon.
        check(&format!("gt-{text}"));
        if let Some((key, secret)) = text.split_once(' ') {
            let _ = GafaelfawrToken::from_parts(key, secret);
        }
    }
    for scheme in [&b""[..], b"Bearer gt-", b"Basic "] {
        if let Ok(header) = HeaderValue::from_bytes(&[scheme, data].concat()) {
            if let Err(error) = GafaelfawrToken::from_authorization(&header) {
                let _ = (error.to_string(), error.server_message());
            }
        }
    }
});

fn check(text: &str) {
    if let Ok(token) = text.parse::<GafaelfawrToken>() {
        assert_eq!(token.expose_secret(), text);
        assert_eq!(AccessToken::from(&token).expose_secret(), text);
        assert!(!format!("{token:?}").contains(&text[26..]) || text[3..25] == text[26..]);
    }
}
