//! Tokens that look like those of the field. No client verifies them, so their signature is noise.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// The time at which tests with a manual clock begin.
pub const NOW: u64 = 1_800_000_000;

/// A text shaped like a JWT with these claims.
pub fn jwt(claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = part(&json!({"alg": "ES256", "typ": "JWT", "kid": "test"}));
    let payload = part(claims);
    // 64 bytes, as ES256 has them, that differ from token to token.
    let noise: Vec<u8> = payload.bytes().rev().cycle().take(64).collect();
    format!("{header}.{payload}.{}", URL_SAFE_NO_PAD.encode(noise))
}

/// A WLCG token for this audience that ends at `exp`.
pub fn wlcg(audience: &str, scope: &str, exp: u64) -> String {
    jwt(&json!({
        "wlcg.ver": "1.0", "iss": "https://issuer.test/vo", "sub": "alice", "aud": audience,
        "exp": exp, "nbf": exp - 3600, "iat": exp - 3600, "scope": scope,
    }))
}

/// A WLCG token for this audience that lives for another hour by the clock of the machine.
pub fn for_audience(audience: &str) -> String {
    wlcg(audience, "storage.read:/", in_an_hour())
}

/// A token that ended an hour ago by the clock of the machine.
pub fn expired(audience: &str) -> String {
    wlcg(audience, "storage.read:/", in_an_hour() - 7200)
}

/// The hour after this one, in seconds since the epoch.
#[expect(clippy::disallowed_methods, reason = "tokens for a client that runs by the machine's clock")]
pub fn in_an_hour() -> u64 {
    let then = SystemTime::now() + Duration::from_secs(3600);
    then.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs()
}
