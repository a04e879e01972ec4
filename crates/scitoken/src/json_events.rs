//! Events of a transfer as JSON, and as notes for users.

use std::time::Duration;

use scitoken_transfer::{Event, EventKind};
use serde_json::Value;

use crate::transfer_error::{exit_of, exit_with_retry};

/// Returns an event as JSON; a failure has the exit code that it means.
pub(crate) fn json(event: &Event, retry_exit_code: bool) -> Value {
    let mut object = serde_json::to_value(event).unwrap_or_default();
    if let EventKind::Failed { kind, retryable, .. } = &event.what {
        object["exit"] = (exit_with_retry(exit_of(*kind), *retryable && retry_exit_code) as u8).into();
    }
    object
}

/// A shorter wait would be shown as zero.
const SHOWN_WAIT: Duration = Duration::from_millis(50);

/// Returns a note for users about an event during a transfer.
pub(crate) fn note(what: &EventKind) -> Option<String> {
    Some(match what {
        EventKind::Redirected { to } => format!("redirected to {to}"),
        EventKind::Retrying { after, why, next, .. } => {
            let wait =
                if *after < SHOWN_WAIT { String::new() } else { format!(" in {:.1} s", after.as_secs_f64()) };
            let at = next.as_ref().map(|next| format!(" at `{next}`")).unwrap_or_default();
            format!("{why}; retrying{at}{wait}")
        }
        EventKind::Restarted { why } => format!("restarts: {why}"),
        EventKind::TokenRequested => "the server asks for a token; sending it".to_owned(),
        EventKind::TokenRefreshed => "the server refused the token; sending another one".to_owned(),
        EventKind::TokenEndsEarly { token, transfer } => format!(
            "the token expires in {} s, but the transfer needs {} s; harmless if the token file is refreshed",
            token.as_secs(),
            transfer.as_secs()
        ),
        _ => return None,
    })
}
