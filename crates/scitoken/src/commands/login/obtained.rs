//! Waiting for the user of a login, and what the issuer then gives.

use std::sync::Arc;

use scitoken_storage::oauth::{DeviceAuthorization, OAuthClient, TokenResponse};
use tokio::sync::Notify;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::obtaining::{self, Obtaining};
use crate::{oauth, output, signals};

/// What a login obtained.
pub(super) struct Obtained {
    pub(super) tokens: TokenResponse,
    /// Why the answer is no login, although it has tokens, which the issuer may not issue again.
    pub(super) lacking: Option<Failure>,
    /// Held until the tokens are stored.
    #[expect(dead_code, reason = "held, never read")]
    pub(super) obtaining: Option<Obtaining>,
}

impl Obtained {
    pub(super) fn named(self, name: String) -> Self {
        Self { tokens: self.tokens.for_resource_server(name), ..self }
    }
}

/// Shows what the user has to do, and waits until it is done.
pub(super) async fn wait_for_user(
    client: &OAuthClient,
    authorization: DeviceAuthorization,
) -> Result<Obtained, Failure> {
    let stop = Arc::new(Notify::new());
    let stopped = Arc::clone(&stop);
    signals::at_first(move || stop.notify_one());
    show_instructions(&authorization);
    let obtaining = obtaining::begin();
    let waited = client.wait_for_authorization_or(authorization, stopped.notified()).await;
    let obtained = match waited {
        Ok(Some(tokens)) => Obtained { tokens, lacking: None, obtaining },
        Ok(None) => {
            let message = "the login was interrupted before it was confirmed; nothing was stored";
            return Err(Failure::new(Exit::TryLater, message));
        }
        Err(error) => match error.partial_answer() {
            Some(tokens) => {
                Obtained { tokens: tokens.clone(), lacking: Some(oauth::failure(&error)), obtaining }
            }
            None => return Err(oauth::failure(&error)),
        },
    };
    Ok(obtained)
}

fn show_instructions(authorization: &DeviceAuthorization) {
    output::note(&format!("To log in, open\n\n    {}\n", authorization.verification_uri()));
    output::note(&format!("and enter the code\n\n    {}\n", authorization.user_code()));
    if let Some(complete) = authorization.verification_uri_complete() {
        output::note(&format!("or open {complete}"));
    }
    output::remark(&format!("Waiting for {} minutes …", authorization.time_left().as_secs().div_ceil(60)));
}
