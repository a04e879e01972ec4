//! Paths, which may be tokens that were given in the wrong place.

use std::path::Path;

use super::misplaced::looks_like_token;
use super::url::SafeUrl;

/// Returns a path to show: a token that was given in place of a path, and the query of a URL, are masked.
///
/// ```
/// use scitoken_types::redact::path;
///
/// assert_eq!(path("/run/user/1000/bt_u1000"), "/run/user/1000/bt_u1000");
/// assert_eq!(path("eyJhbGciOiJIUzI1NiJ9.e30.abcdef"), "…");
/// assert_eq!(path("dGhpc0lzQW5PcGFxdWVUb2tlbjEyMw"), "…");
/// ```
pub fn path(path: impl AsRef<Path>) -> String {
    let shown = path.as_ref().to_string_lossy();
    if looks_like_token(&shown) {
        return "…".to_owned();
    }
    if shown.contains("://") || shown.contains('?') {
        return SafeUrl::unparsed(&shown);
    }
    // A path may be longer than other texts: without its end it says nothing.
    super::ending(&shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_in_place_of_a_path_is_masked_and_a_path_is_shown() {
        for token in [
            "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln",
            "eyAiYWxnIjogIlJTMjU2IiB9.eyAiaXNzIjogIngiIH0.c2ln",
            "gt-MLF5MB3Peg79wEC0BY8U8Q.ChbkqEyp3EIJ2e_1Sqff3w",
            "AgK8mQz0o7pX2EdYx1b9WwRtPq3",
            "Zm9vYmFyL2Jhei9xdXV4MTIzNDU2Nzg5MA==",
        ] {
            assert_eq!(path(token), "…", "{token}");
        }
        for shown in [
            "/tmp/bt_u1000",
            "token",
            "scitokens.use",
            "./AgK8mQz0o7pX2EdYx1b9WwRtPq3",
            "/var/lib/condor/oauth_credentials/Alice/Token2.use",
            "Users/Alice/My-Tokens/2026-11-29.token",
            "some directory/with Blanks 123456789012345",
        ] {
            assert_eq!(path(shown), shown);
        }
        assert_eq!(path("https://h/f?authz=abc"), "https://h/f?…");
        assert_eq!(path("a\u{1b}[2Jb"), "a [2Jb");
        assert_eq!(path(format!("/{}/token", "x".repeat(400))).chars().count(), 301);
    }
}
