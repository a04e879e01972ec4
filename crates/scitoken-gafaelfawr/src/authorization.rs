//! The `Authorization` header as Gafaelfawr reads it, for servers and for diagnosis.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::HeaderValue;

use crate::token::{GafaelfawrToken, InvalidGafaelfawrToken};
use scitoken_types::redact;

/// An `Authorization` header that the server rejects.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAuthorization {
    /// The value is a scheme alone, or credentials alone.
    #[error("malformed `Authorization` header: expected a scheme, a space and a token")]
    Malformed,
    /// The scheme is neither Bearer nor Basic.
    #[error("unknown `Authorization` scheme `{0}`: expected Bearer or Basic")]
    UnknownScheme(String),
    /// The Basic credentials are not the base64 of a text with one colon.
    #[error("invalid Basic credentials: expected the base64 of a username, a colon and a password")]
    InvalidBasic,
    /// The username and the password are two different tokens.
    #[error("conflicting Basic credentials: username and password are different tokens")]
    Conflict,
    /// The Bearer credentials are not a Gafaelfawr token.
    #[error(transparent)]
    InvalidToken(#[from] InvalidGafaelfawrToken),
}

impl InvalidAuthorization {
    /// Returns the error code of the server's challenge: `invalid_token` for an invalid Bearer token, else
    /// `invalid_request`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::InvalidToken(_) => "invalid_token",
            _ => "invalid_request",
        }
    }

    /// Returns the server's message for this error.
    pub fn server_message(&self) -> String {
        match self {
            Self::Malformed => "Malformed Authorization header".to_owned(),
            Self::UnknownScheme(scheme) => format!("Unknown Authorization type {scheme}"),
            Self::InvalidBasic => "Invalid Basic auth string".to_owned(),
            Self::Conflict => "Conflicting tokens in Basic username and password fields".to_owned(),
            Self::InvalidToken(error) => error.server_message().to_owned(),
        }
    }
}

impl GafaelfawrToken {
    /// Reads the token of an `Authorization` header by the server's rules.
    ///
    /// After `Bearer` it is the rest of the value, unchanged. After `Basic` it is the username or the password; the
    /// other one is ignored. As in Python, characters outside the base64 alphabet are skipped. `Ok(None)` means Basic
    /// credentials without a token, which the server treats as no credentials.
    ///
    /// # Errors
    /// [`InvalidAuthorization`] for a header that the server rejects.
    ///
    /// # Examples
    /// ```
    /// use http::HeaderValue;
    /// use scitoken_gafaelfawr::GafaelfawrToken;
    ///
    /// let header = HeaderValue::from_static("Basic \
    ///     Z3QtTUxGNU1CM1BlZzc5d0VDMEJZOFU4US5DaGJrcUV5cDNFSUoyZV8xU3FmZjN3Ongtb2F1dGgtYmFzaWM=");
    /// let token = GafaelfawrToken::from_authorization(&header)?.expect("the username is a token");
    /// assert_eq!(token.key().as_str(), "MLF5MB3Peg79wEC0BY8U8Q");
    /// # Ok::<(), scitoken_gafaelfawr::InvalidAuthorization>(())
    /// ```
    pub fn from_authorization(header: &HeaderValue) -> Result<Option<Self>, InvalidAuthorization> {
        // As Latin-1, which is how Python's servers decode headers.
        let header: String = header.as_bytes().iter().copied().map(char::from).collect();
        if header.is_empty() {
            return Ok(None);
        }
        let header = header.trim_start();
        let (scheme, rest) = header.split_once(char::is_whitespace).ok_or(InvalidAuthorization::Malformed)?;
        let rest = rest.trim_start();
        if rest.is_empty() {
            return Err(InvalidAuthorization::Malformed);
        }
        if scheme.eq_ignore_ascii_case("bearer") {
            Ok(Some(rest.parse()?))
        } else if scheme.eq_ignore_ascii_case("basic") {
            from_basic(rest)
        } else {
            Err(InvalidAuthorization::UnknownScheme(redact::text(scheme)))
        }
    }
}

fn from_basic(credentials: &str) -> Result<Option<GafaelfawrToken>, InvalidAuthorization> {
    let text = decode(credentials).ok_or(InvalidAuthorization::InvalidBasic)?;
    let (username, password) = text.trim().split_once(':').ok_or(InvalidAuthorization::InvalidBasic)?;
    if password.contains(':') {
        return Err(InvalidAuthorization::InvalidBasic);
    }
    match (username.parse::<GafaelfawrToken>().ok(), password.parse::<GafaelfawrToken>().ok()) {
        (Some(first), Some(second)) if first != second => Err(InvalidAuthorization::Conflict),
        (first, second) => Ok(first.or(second)),
    }
}

/// Decodes base64 as Python's `b64decode` does: other characters are skipped, data after the padding is ignored, and
/// the padding must be complete.
fn decode(text: &str) -> Option<String> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::RequireNone)
            .with_decode_allow_trailing_bits(true),
    );
    if !text.is_ascii() {
        return None;
    }
    let (mut data, mut padding, mut complete) = (Vec::with_capacity(text.len()), 0, false);
    for byte in text.bytes() {
        if byte == b'=' {
            padding += 1;
            if data.len() % 4 >= 2 && data.len() % 4 + padding >= 4 {
                complete = true;
                break;
            }
        } else if byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/') {
            padding = 0;
            data.push(byte);
        }
    }
    if !complete && data.len() % 4 != 0 {
        return None;
    }
    String::from_utf8(LENIENT.decode(data).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_STANDARD;

    use super::*;

    const TOKEN: &str = "gt-MLF5MB3Peg79wEC0BY8U8Q.ChbkqEyp3EIJ2e_1Sqff3w";
    const OTHER: &str = "gt-5KVApqcVbSQWtO3VIRgOhQ.DGO1OnPohl0r3C7wqhzRgQ";

    fn read(header: &str) -> Result<Option<GafaelfawrToken>, InvalidAuthorization> {
        GafaelfawrToken::from_authorization(&HeaderValue::from_str(header).unwrap())
    }

    fn basic(credentials: &str) -> Result<Option<GafaelfawrToken>, InvalidAuthorization> {
        read(&format!("Basic {}", BASE64_STANDARD.encode(credentials)))
    }

    fn is_token(read: Result<Option<GafaelfawrToken>, InvalidAuthorization>) -> bool {
        read.is_ok_and(|token| token.is_some_and(|token| token.expose_secret() == TOKEN))
    }

    #[test]
    fn the_scheme_ignores_case_and_the_number_of_spaces_after_it() {
        for header in ["bEARER {}", "Bearer\t{}", "  Bearer   {}", "Bearer \t {}"] {
            assert!(is_token(read(&header.replace("{}", TOKEN))), "{header}");
        }
        assert_eq!(read(&format!("Bearer {TOKEN} ")), Err(InvalidGafaelfawrToken::Shape.into()));
        assert_eq!(read("Bearer foo"), Err(InvalidGafaelfawrToken::Prefix.into()));
    }

    #[test]
    fn the_token_is_the_username_or_the_password() {
        assert!(is_token(basic(&format!("{TOKEN}:x-oauth-basic"))));
        assert!(is_token(basic(&format!("x-oauth-basic:{TOKEN}"))));
        assert!(is_token(basic(&format!(" {TOKEN}: \n"))));
        assert!(is_token(basic(&format!("{TOKEN}:{TOKEN}"))));
        assert_eq!(basic(&format!("{TOKEN}:{OTHER}")), Err(InvalidAuthorization::Conflict));
        assert_eq!(basic("foo:foo"), Ok(None));
        assert_eq!(basic(TOKEN), Err(InvalidAuthorization::InvalidBasic));
        assert_eq!(basic(&format!("{TOKEN}:a:b")), Err(InvalidAuthorization::InvalidBasic));
    }

    #[test]
    fn base64_is_read_as_python_reads_it() {
        assert_eq!(decode("Zm9vOg==").as_deref(), Some("foo:"));
        assert_eq!(decode("Z m-9v_O!g==").as_deref(), Some("foo:"));
        assert_eq!(decode("Zm9vOg==Zm9v").as_deref(), Some("foo:"));
        assert_eq!(decode("Zm9vOg="), None);
        assert_eq!(decode("Zm9vOg"), None);
        assert_eq!(decode("Zm9vO"), None);
        assert_eq!(decode("=Zm9v").as_deref(), Some("foo"));
        assert_eq!(decode("Zm9=v").as_deref(), Some("fo"));
        assert_eq!(decode("/w=="), None);
    }

    #[test]
    fn the_header_is_not_repeated_in_the_error() {
        for header in [format!("{TOKEN} x"), format!("Bearer {TOKEN}.x"), format!("Basic {TOKEN}")] {
            let error = read(&header).unwrap_err();
            assert!(!format!("{error} {error:?} {}", error.server_message()).contains("ChbkqEyp"), "{error}");
        }
    }
}
