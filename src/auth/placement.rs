//! Where in a request the token is put.

use base64::prelude::*;
use http::HeaderValue;

use scitoken_types::AccessToken;

/// Where in a request the token is put.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Placement {
    /// `Authorization: Bearer <token>` (RFC 6750 section 2.1).
    #[default]
    Bearer,
    /// `Authorization: Basic`, the token as user name and `x-oauth-basic` as password: what Gafaelfawr takes from tools
    /// that cannot send anything else.
    XOauthBasic,
}

impl Placement {
    /// Returns the value of the `Authorization` header, marked sensitive.
    pub(crate) fn header(self, token: &AccessToken) -> HeaderValue {
        match self {
            Self::Bearer => token.header().clone(),
            Self::XOauthBasic => {
                let pair = format!("{}:x-oauth-basic", token.expose_secret());
                let encoded = BASE64_STANDARD.encode(pair);
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
