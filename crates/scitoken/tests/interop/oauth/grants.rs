//! Every grant, as the provider wants it and as it refuses it.

use scitoken_storage::TokenStorageData;
use scitoken_storage::oauth::TokenResponse;
use scitoken_storage::oauth::{
    GrantRequest, OAuthError, OAuthHint, ProviderMetadata, TokenExchange, TokenTypeHint,
};
use scitoken_types::AccessToken;
use url::Url;

use super::provider::{Provider, UserChoice, login_scopes};

fn entry(tokens: &TokenResponse) -> TokenStorageData {
    tokens.clone().for_resource_server("rs").token_data().unwrap().get("rs").unwrap().clone()
}

fn code(result: Result<TokenResponse, OAuthError>) -> String {
    result.unwrap_err().code().unwrap().to_owned()
}

#[tokio::test]
async fn the_metadata_names_every_endpoint() {
    let Some(provider) = Provider::met(600) else { return };
    let metadata = ProviderMetadata::discover(&provider.http(), provider.issuer()).await.unwrap();
    assert_eq!(metadata.token_endpoint().path(), "/token");
    assert_eq!(metadata.device_authorization_endpoint().map(Url::path), Some("/device/auth"));
    assert_eq!(metadata.revocation_endpoint().map(Url::path), Some("/token/revocation"));
}

#[tokio::test]
async fn a_device_login_tells_whose_tokens_they_are() {
    let Some(provider) = Provider::met(600) else { return };
    let client = provider.client("public").await;
    let tokens = provider.log_in(&client).await;
    assert_eq!(tokens.identity_id(), Some("alice"));
    let entry = entry(&tokens);
    assert!(entry.has_refresh_token());
    assert_eq!(entry.scope(), "openid offline_access storage.read:/");
    let token = entry.access_token().unwrap();
    assert_eq!(token.claims().unwrap().subject(), Some("alice"));
    assert_eq!(token.claims().unwrap().audiences()[0].as_str(), "https://storage.example.org");
    assert_eq!(provider.stats().await.granted, 1, "a code is never asked for again");
}

#[tokio::test]
async fn a_user_who_aborts_has_refused() {
    let Some(provider) = Provider::met(600) else { return };
    let client = provider.client("public").await;
    let authorization = client.authorize_device(&login_scopes()).await.unwrap();
    provider.act_as_user(&authorization.user_code(), UserChoice::Abort);
    let error = client.wait_for_authorization(authorization).await.unwrap_err();
    assert_eq!(error.code(), Some("access_denied"), "{error}");
}

#[tokio::test]
async fn refresh_tokens_rotate_and_a_replay_makes_the_whole_family_void() {
    let Some(provider) = Provider::met(600) else { return };
    let client = provider.client("public").await;
    let first = entry(&provider.log_in(&client).await);
    let first = first.expose_refresh_token().unwrap();
    let less = GrantRequest::new().with_scope("storage.read:/".parse().unwrap());
    let second = entry(&client.refresh(first, &less).await.unwrap());
    assert_eq!(second.scope(), "storage.read:/");
    let second = second.expose_refresh_token().unwrap();
    assert_ne!(first, second);
    assert_eq!(code(client.refresh(first, &GrantRequest::new()).await), "invalid_grant");
    assert_eq!(code(client.refresh(second, &GrantRequest::new()).await), "invalid_grant");
}

#[tokio::test]
async fn a_revoked_refresh_token_is_void() {
    let Some(provider) = Provider::met(600) else { return };
    let client = provider.client("public").await;
    let tokens = entry(&provider.log_in(&client).await);
    let refresh_token = tokens.expose_refresh_token().unwrap();
    client.revoke(refresh_token, TokenTypeHint::RefreshToken).await.unwrap();
    let error = client.refresh(refresh_token, &GrantRequest::new()).await.unwrap_err();
    assert!(error.is_invalid_grant() && error.hint() == Some(OAuthHint::LogInAgain), "{error}");
    client.revoke("never heard of it", TokenTypeHint::RefreshToken).await.unwrap();
}

#[tokio::test]
async fn a_service_gets_its_own_token_and_a_wrong_secret_gets_none() {
    let Some(provider) = Provider::met(600) else { return };
    let service = provider.client("service").await;
    let wanted = GrantRequest::new().with_scope("storage.read:/".parse().unwrap());
    // The secret has a colon, a plus, a blank and a per cent: RFC 6749 section 2.3.1 says how those travel.
    let right = service.clone().with_secret("service:s+ cr%et");
    let tokens = right.client_credentials(&wanted).await.unwrap();
    assert_eq!(entry(&tokens).scope(), "storage.read:/");
    let error = service.with_secret("wrong").client_credentials(&wanted).await.unwrap_err();
    assert_eq!(error.code(), Some("invalid_client"), "{error}");
    assert!(error.hint() == Some(OAuthHint::CheckClient) && !error.is_transient());
}

#[tokio::test]
async fn a_token_is_exchanged_for_one_that_may_do_less_elsewhere() {
    let Some(provider) = Provider::met(600) else { return };
    let service = provider.client("service").await.with_secret("service:s+ cr%et");
    let both = ["storage.read:/", "storage.modify:/"];
    let both = both.into_iter().fold(GrantRequest::new(), |all, one| all.with_scope(one.parse().unwrap()));
    let subject = entry(&service.client_credentials(&both).await.unwrap()).access_token().unwrap();
    let less = GrantRequest::new()
        .with_scope("storage.read:/".parse().unwrap())
        .with_audience("https://elsewhere.example.org");
    let exchanged = entry(&service.exchange(&TokenExchange::new(&subject), &less).await.unwrap());
    let token = exchanged.access_token().unwrap();
    let claims = token.claims().unwrap();
    assert_eq!(claims.scope_text(), Some("storage.read:/"));
    assert_eq!(claims.audiences()[0].as_str(), "https://elsewhere.example.org");
    let opaque = TokenExchange::new(&AccessToken::new("opaque").unwrap());
    assert_eq!(code(service.exchange(&opaque, &less).await), "invalid_grant");
}
