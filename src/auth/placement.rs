//! How a token is written into a request.

use http::HeaderValue;

use super::options::Placement;
use crate::token::AccessToken;

impl Placement {
    /// The value of the `Authorization` header, marked sensitive.
    pub(crate) fn header(self, token: &AccessToken) -> HeaderValue {
        match self {
            Self::Bearer => token.header().clone(),
            Self::XOauthBasic => {
                let pair = format!("{}:x-oauth-basic", token.expose_secret());
                let encoded = base64_simd::STANDARD.encode_to_string(pair);
                let mut value = HeaderValue::try_from(format!("Basic {encoded}"))
                    .expect("base64 has only characters that a header may have");
                value.set_sensitive(true);
                value
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearer_and_basic_are_written_as_servers_read_them() {
        let token = AccessToken::new("gt-a.b").unwrap();
        assert_eq!(Placement::Bearer.header(&token).as_bytes(), b"Bearer gt-a.b");
        let basic = Placement::XOauthBasic.header(&token);
        assert_eq!(basic.as_bytes(), b"Basic Z3QtYS5iOngtb2F1dGgtYmFzaWM=");
        assert!(basic.is_sensitive());
    }
}
