//! Token exchange (RFC 8693).

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use super::client::{GrantRequest, OAuthClient};
use super::error::OAuthError;
use super::http::Form;
use super::response::{REFRESH_TOKEN_TYPE, TokenResponse};
use scitoken_types::AccessToken;

/// A token exchange request: the subject's token, and optionally the actor's.
///
/// ```
/// use scitoken_types::AccessToken;
/// use scitoken_storage::oauth::TokenExchange;
///
/// let exchange = TokenExchange::new(&AccessToken::new("eyJ…".replace('…', "x"))?);
/// assert!(!format!("{exchange:?}").contains("eyJ"));
/// # Ok::<(), scitoken_types::InvalidToken>(())
/// ```
#[derive(Clone)]
pub struct TokenExchange {
    subject_token: SecretString,
    subject_token_type: String,
    actor_token: Option<(SecretString, String)>,
    requested_token_type: Option<String>,
}

impl TokenExchange {
    /// `urn:ietf:params:oauth:token-type:access_token`.
    pub const ACCESS_TOKEN: &'static str = "urn:ietf:params:oauth:token-type:access_token";
    /// `urn:ietf:params:oauth:token-type:refresh_token`.
    pub const REFRESH_TOKEN: &'static str = REFRESH_TOKEN_TYPE;
    /// `urn:ietf:params:oauth:token-type:jwt`.
    pub const JWT: &'static str = "urn:ietf:params:oauth:token-type:jwt";

    /// Exchanges an access token.
    pub fn new(subject: &AccessToken) -> Self {
        Self {
            subject_token: subject.expose_secret().into(),
            subject_token_type: Self::ACCESS_TOKEN.to_owned(),
            actor_token: None,
            requested_token_type: None,
        }
    }

    /// Sets the type of the subject token.
    pub fn with_subject_token_type(mut self, token_type: impl Into<String>) -> Self {
        self.subject_token_type = token_type.into();
        self
    }

    /// Sets the token of the party that acts for the subject.
    pub fn with_actor(mut self, token: &AccessToken, token_type: impl Into<String>) -> Self {
        self.actor_token = Some((token.expose_secret().into(), token_type.into()));
        self
    }

    /// Sets the type of token to request.
    ///
    /// [`OAuthClient::exchange`] returns access tokens; a refresh token is in the
    /// [partial answer](OAuthError::partial_answer) of its error.
    pub fn with_requested_token_type(mut self, token_type: impl Into<String>) -> Self {
        self.requested_token_type = Some(token_type.into());
        self
    }

    fn form(&self) -> Form<'_> {
        let mut form = vec![
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", self.subject_token.expose_secret()),
            ("subject_token_type", &self.subject_token_type),
        ];
        if let Some((token, token_type)) = &self.actor_token {
            form.extend([("actor_token", token.expose_secret()), ("actor_token_type", token_type.as_str())]);
        }
        form.extend(self.requested_token_type.as_deref().map(|kind| ("requested_token_type", kind)));
        form
    }
}

impl OAuthClient {
    /// Exchanges a token for another one (RFC 8693), for another audience or with fewer scopes.
    ///
    /// ```no_run
    /// use scitoken_storage::oauth::{GrantRequest, TokenExchange};
    ///
    /// # async fn example(client: scitoken_storage::oauth::OAuthClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let subject = reqwest_scitokens::AccessToken::new("eyJhbGciOi")?;
    /// let narrower = GrantRequest::new().with_scope("storage.read:/vo/run1".parse()?);
    /// let tokens = client.exchange(&TokenExchange::new(&subject), &narrower).await?;
    /// # let _ = tokens;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn exchange(
        &self,
        exchange: &TokenExchange,
        request: &GrantRequest,
    ) -> Result<TokenResponse, OAuthError> {
        self.grant(exchange.form(), request).await
    }
}

impl fmt::Debug for TokenExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenExchange")
            .field("subject_token_type", &self.subject_token_type)
            .field("actor_token_type", &self.actor_token.as_ref().map(|(_, token_type)| token_type))
            .field("requested_token_type", &self.requested_token_type)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::{Fake, Reply, client};
    use super::*;

    #[tokio::test]
    async fn subject_actor_and_requested_type_are_sent() {
        let fake = Fake::new([Reply::json(
            200,
            r#"{"access_token": "AT2", "token_type": "Bearer", "issued_token_type": "x"}"#,
        )]);
        let subject = AccessToken::new("subject").unwrap();
        let exchange = TokenExchange::new(&subject)
            .with_subject_token_type(TokenExchange::JWT)
            .with_actor(&AccessToken::new("actor").unwrap(), TokenExchange::ACCESS_TOKEN)
            .with_requested_token_type(TokenExchange::REFRESH_TOKEN);
        client(&fake).exchange(&exchange, &GrantRequest::new().with_audience("h")).await.unwrap();
        assert_eq!(
            fake.seen(),
            ["POST https://iss.example/token - \
              grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token=subject\
              &subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt&actor_token=actor\
              &actor_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token\
              &requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Arefresh_token\
              &audience=h&client_id=me"]
        );
    }

    #[tokio::test]
    async fn a_token_of_another_type_than_bearer_is_refused() {
        let fake = Fake::new([Reply::json(200, r#"{"access_token": "RT", "token_type": "N_A"}"#)]);
        let exchange = TokenExchange::new(&AccessToken::new("subject").unwrap());
        let error = client(&fake).exchange(&exchange, &GrantRequest::new()).await.unwrap_err();
        assert!(error.to_string().contains("`N_A`"), "{error}");
    }
}
