//! What is in a token file: a token, or JSON with one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use scitoken_types::{TokenJson, TokenText};

fuzz_target!(|bytes: &[u8]| {
    let written_at = Some(std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(2_000_000_000));
    if let Ok(read) = TokenText::read(bytes, written_at) {
        let secret = read.token.expose_secret();
        assert!(!secret.is_empty() && secret.bytes().all(|byte| byte.is_ascii_graphic()), "{secret:?}");
        if secret.len() >= 16 {
            assert!(!format!("{read:?}").contains(secret), "a token is shown");
        }
        let _ = read.token.expires_at();
    }
    if let Ok(text) = std::str::from_utf8(bytes)
        && let Some(json) = TokenJson::parse(text)
    {
        let _ = (json.expires_at(written_at), json.error(), json.notes());
    }
});
