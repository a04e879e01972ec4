//! Names and passwords of `.netrc`, beneath the tokens: a request that has a token gets no password.

use std::sync::Arc;

use async_trait::async_trait;
use http::Extensions;
use http::header::AUTHORIZATION;
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next};

use super::chain::{Chain, Permission};
use super::in_url;
use super::options::RedirectTrust;
use crate::netrc::{NamedBy, Netrc};
use crate::origin::Origin;

/// Stands below the [`AuthMiddleware`](super::AuthMiddleware), so that it sees each step of a redirect, with its token
/// if it has one.
#[derive(Debug)]
pub(crate) struct NetrcMiddleware(Arc<Netrc>);

impl NetrcMiddleware {
    pub(crate) fn new(netrc: Netrc) -> Self {
        Self(Arc::new(netrc))
    }
}

#[async_trait]
impl Middleware for NetrcMiddleware {
    async fn handle(
        &self,
        mut request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        if let Ok(origin) = Origin::try_from(request.url())
            && !request.headers().contains_key(AUTHORIZATION)
            && !in_url::has_credential(request.url())
        {
            let permission = extensions
                .get::<Chain>()
                .map_or(Permission::Granted, |chain| chain.permission(&origin, &RedirectTrust::SameOrigin));
            let named_by = if permission == Permission::Granted { NamedBy::User } else { NamedBy::Redirect };
            if let Some(value) = self.0.header(&origin, named_by) {
                tracing::debug!(%origin, "a name and a password of `.netrc` go with the request");
                request.headers_mut().insert(AUTHORIZATION, value);
            }
        }
        next.run(request, extensions).await
    }
}
