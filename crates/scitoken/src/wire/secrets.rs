//! Registration of the secrets that a run sends.

use http::Extensions;
use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, SET_COOKIE};
use reqwest::{Request, Response};
use reqwest_middleware::{Middleware, Next};

use crate::output;

/// Registers every credential that is sent, so that no output shows it, whatever a server echoes; innermost.
#[derive(Debug)]
pub(crate) struct SecretRecorder;

#[async_trait::async_trait]
impl Middleware for SecretRecorder {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        for name in [AUTHORIZATION, PROXY_AUTHORIZATION] {
            for value in request.headers().get_all(name) {
                output::hide(value.as_bytes());
            }
        }
        for value in request.headers().get_all(COOKIE) {
            output::hide_cookies(value.as_bytes(), false);
        }
        output::hide_url(request.url());
        let response = next.run(request, extensions).await?;
        for value in response.headers().get_all(SET_COOKIE) {
            output::hide_cookies(value.as_bytes(), true);
        }
        Ok(response)
    }
}
