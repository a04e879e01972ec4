//! OAuth 2.0: discovery, logins, renewal, exchange and revocation, with the caller's HTTP client.
//!
//! | to | call | by |
//! |---|---|---|
//! | find the server's endpoints | [`ProviderMetadata::discover`] | RFC 8414, OpenID Connect Discovery |
//! | register a client on demand | [`ClientRegistration`] | RFC 7591 |
//! | log a user in with a browser on any device | [`OAuthClient::authorize_device`], then [`OAuthClient::wait_for_authorization`] | RFC 8628 |
//! | renew a token | [`OAuthClient::refresh`] | RFC 6749 section 6 |
//! | obtain a token for the client itself | [`OAuthClient::client_credentials`] | RFC 6749 section 4.4 |
//! | exchange a token for another one | [`OAuthClient::exchange`] | RFC 8693 |
//! | revoke a token | [`OAuthClient::revoke`] | RFC 7009 |
//! | revoke the tokens of a login | [`OAuthClient::revoke_entry`] | RFC 7009 |
//!
//! The result is a [`TokenResponse`], which a [`TokenStorage`](crate::TokenStorage) stores. After that, a
//! [`StoredSource`](crate::StoredSource) renews the stored token.
//!
//! The HTTP client is the caller's, with its proxies, certificate authorities and retries. Build it with
//! `reqwest::redirect::Policy::none()`: no token endpoint redirects, and a client that follows redirects would send
//! secrets to the new address. An answer from another address is refused, but the secrets have been sent by then.
//! Each request has a time limit and a size limit, and uses `https` unless the server is on this machine.

mod answer_secrets;
mod body;
mod client;
mod device;
mod error;
mod exchange;
#[cfg(test)]
pub(crate) mod fake;
mod http;
mod id_token;
mod invalid_token_response;
mod metadata;
mod refusal;
mod registration;
mod response;
mod response_members;
mod revocation;

pub use client::{GrantRequest, OAuthClient, TokenTypeHint};
pub use device::DeviceAuthorization;
pub use error::{OAuthError, OAuthHint};
pub use exchange::TokenExchange;
pub use invalid_token_response::InvalidTokenResponse;
pub use metadata::ProviderMetadata;
pub use registration::{ClientRegistration, RegisteredClient};
pub use response::TokenResponse;
pub use revocation::RevokedLogin;
