//! Revocation of the tokens of a login.

use super::{OAuthClient, OAuthError, TokenTypeHint};
use crate::entry::TokenStorageData;
use scitoken_types::AccessToken;

/// What became of the access token of a login whose other tokens are revoked.
#[derive(Debug)]
#[must_use = "an access token that was not revoked is valid until it expires"]
pub struct RevokedLogin {
    unrevoked: Option<OAuthError>,
}

impl RevokedLogin {
    /// Returns why the server did not revoke the access token, which is valid until it expires.
    pub fn unrevoked_access_token(&self) -> Option<&OAuthError> {
        self.unrevoked.as_ref()
    }
}

impl OAuthClient {
    /// Revokes the tokens of a stored entry, the refresh token first: new access tokens come from it, and each server that
    /// revokes tokens revokes refresh tokens (RFC 7009 section 2).
    ///
    /// A server need not revoke access tokens. That it does not is no error.
    ///
    /// ```no_run
    /// # async fn example(client: scitoken_storage::oauth::OAuthClient, entry: scitoken_storage::TokenStorageData)
    /// # -> Result<(), Box<dyn std::error::Error>> {
    /// let revoked = client.revoke_entry(&entry).await?;
    /// if let Some(error) = revoked.unrevoked_access_token() {
    ///     eprintln!("the access token is valid until it expires: {error}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the refresh token was not revoked, or when it is not known whether the server revokes access tokens: it could not
    /// be reached, or it does not know the client.
    pub async fn revoke_entry(&self, entry: &TokenStorageData) -> Result<RevokedLogin, OAuthError> {
        let refresh_token = entry.expose_refresh_token().filter(|token| !token.is_empty());
        let access_token = entry.expose_access_token();
        if let Some(token) = refresh_token {
            self.revoke_beside(token, TokenTypeHint::RefreshToken, &[access_token]).await?;
        }
        if access_token.is_empty() {
            return Ok(RevokedLogin { unrevoked: None });
        }
        self.revoke_access(access_token, refresh_token).await
    }

    /// Revokes an access token that came without a refresh token. That the server does not revoke access tokens is no error.
    ///
    /// # Errors
    /// As [`revoke_entry`](Self::revoke_entry).
    pub async fn revoke_access_token(&self, token: &AccessToken) -> Result<RevokedLogin, OAuthError> {
        self.revoke_access(token.expose_secret(), None).await
    }

    async fn revoke_access(&self, token: &str, revoked: Option<&str>) -> Result<RevokedLogin, OAuthError> {
        match self.revoke_beside(token, TokenTypeHint::AccessToken, revoked.as_slice()).await {
            Ok(()) => Ok(RevokedLogin { unrevoked: None }),
            Err(error) if is_final(&error, revoked.is_some()) => Ok(RevokedLogin { unrevoked: Some(error) }),
            Err(error) => Err(error),
        }
    }
}

/// Returns whether the server will not revoke an access token, however often it is asked: it revokes refresh tokens only
/// (RFC 7009 section 2.2.1), or no longer knows the token. Servers have other codes for it when the login was revoked before.
fn is_final(error: &OAuthError, is_login_revoked: bool) -> bool {
    match error.code() {
        Some("unsupported_token_type" | "invalid_token") => true,
        Some(_) => is_login_revoked && !error.is_transient() && !error.is_client_rejected(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Fake, Reply, client};
    use super::*;

    fn entry() -> TokenStorageData {
        TokenStorageData::new("rs", "read", "AT", 1_000).with_refresh_token("RT")
    }

    /// Revokes an entry; returns the answer, and the tokens that the server was sent.
    async fn revoke(
        entry: &TokenStorageData,
        replies: impl IntoIterator<Item = Reply>,
    ) -> (Result<RevokedLogin, OAuthError>, Vec<&'static str>) {
        let fake = Fake::new(replies);
        let revoked = client(&fake).revoke_entry(entry).await;
        let sent = |seen: &String| if seen.contains("token=RT") { "RT" } else { "AT" };
        (revoked, fake.seen().iter().map(sent).collect())
    }

    #[tokio::test]
    async fn the_refresh_token_is_revoked_first_and_without_it_nothing_is() {
        let (revoked, sent) = revoke(&entry(), [Reply::json(200, ""), Reply::json(200, "")]).await;
        assert!(revoked.unwrap().unrevoked_access_token().is_none());
        assert_eq!(sent, ["RT", "AT"]);
        for refusal in [
            Reply::json(400, r#"{"error": "unsupported_token_type"}"#),
            Reply::json(503, ""),
            Reply::json(401, r#"{"error": "invalid_client"}"#),
        ] {
            let (revoked, sent) = revoke(&entry(), [refusal]).await;
            revoked.unwrap_err();
            assert_eq!(sent, ["RT"]);
        }
    }

    #[tokio::test]
    async fn a_server_that_revokes_no_access_tokens_is_noted_and_one_that_fails_is_an_error() {
        let alone = TokenStorageData::new("rs", "read", "AT", 1_000);
        for (status, body, with_refresh_token, without) in [
            (400, r#"{"error": "unsupported_token_type"}"#, true, true),
            (400, r#"{"error": "invalid_token"}"#, true, true),
            (400, r#"{"error": "invalid_request"}"#, true, false),
            (401, r#"{"error": "invalid_client"}"#, false, false),
            (503, r#"{"error": "temporarily_unavailable"}"#, false, false),
            (503, "", false, false),
            (404, "", false, false),
        ] {
            let reply = || Reply::json(status, body);
            let (revoked, sent) = revoke(&entry(), [Reply::json(200, ""), reply()]).await;
            let noted = |revoked: Result<RevokedLogin, OAuthError>| {
                revoked.is_ok_and(|revoked| revoked.unrevoked_access_token().is_some())
            };
            assert_eq!((noted(revoked), sent.len()), (with_refresh_token, 2), "{status} {body}");
            let (revoked, sent) = revoke(&alone, [reply()]).await;
            assert_eq!((noted(revoked), sent.len()), (without, 1), "{status} {body}");
        }
    }

    #[tokio::test]
    async fn an_entry_without_tokens_sends_no_request() {
        let (revoked, sent) = revoke(&TokenStorageData::new("rs", "read", "", 1_000), []).await;
        assert!(revoked.unwrap().unrevoked_access_token().is_none());
        assert!(sent.is_empty());
    }
}
