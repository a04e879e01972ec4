//! Getting tokens from an OAuth server, with the caller's HTTP client.
//!
//! | to | call | by |
//! |---|---|---|
//! | find the server's endpoints | [`ProviderMetadata::discover`] | RFC 8414, OpenID Connect Discovery |
//! | log a person in who sits before another screen | [`OAuthClient::authorize_device`], then [`OAuthClient::wait_for_user`] | RFC 8628 |
//! | renew a token | [`OAuthClient::refresh`] | RFC 6749 section 6 |
//! | get a token for the program itself | [`OAuthClient::client_credentials`] | RFC 6749 section 4.4 |
//! | turn a token into another one | [`OAuthClient::exchange`] | RFC 8693 |
//! | make a token void | [`OAuthClient::revoke`] | RFC 7009 |
//!
//! What comes back is a [`TokenResponse`](crate::storage::TokenResponse), ready for a
//! [`TokenStorage`](crate::storage::TokenStorage). A program that has stored one needs nothing of this any more: a
//! [`StoredSource`](crate::StoredSource) renews it in time.
//!
//! The HTTP client is yours, with its proxies, authorities and retries. Build it with
//! `reqwest::redirect::Policy::none()`: no token endpoint redirects, and a client that follows would carry
//! secrets along. An answer that came from elsewhere is refused, but then they have been sent. Everything has a
//! time limit and a size limit, and goes over `https` or to this machine itself.
//!
//! The `oauth2` crate is not used: it has neither token exchange nor discovery, keeps answers with tokens in its
//! errors, and polls a device code by a wall clock. What remains of it is a form and a JSON object.

mod client;
mod device;
mod error;
mod exchange;
#[cfg(test)]
pub(crate) mod fake;
mod http;
mod id_token;
mod metadata;

pub use client::{GrantRequest, OAuthClient, TokenKind};
pub use device::DeviceAuthorization;
pub use error::OAuthError;
pub use exchange::TokenExchange;
pub use metadata::ProviderMetadata;
