//! Events as JSON, and as notes for people.

use reqwest_scitokens::download::{Event, EventKind, Verification};
use serde_json::{Value, json};

use crate::engine::exit_of;

/// One event as one line of JSON.
pub(crate) fn json(event: &Event) -> Value {
    let file = event.file.0;
    match &event.what {
        EventKind::Started { url, target } => {
            json!({ "event": "started", "file": file, "url": url, "target": target })
        }
        EventKind::Answered { length, resumed_from } => {
            json!({ "event": "answered", "file": file, "length": length, "resumed_from": resumed_from })
        }
        EventKind::Redirected { to } => json!({ "event": "redirected", "file": file, "to": to }),
        EventKind::Progress { done, length } => {
            json!({ "event": "progress", "file": file, "done": done, "length": length })
        }
        EventKind::Widened { streams } => json!({ "event": "widened", "file": file, "streams": streams }),
        EventKind::Retrying { failures, after, kind, why } => json!({
            "event": "retrying", "file": file, "failures": failures, "after": after.as_secs_f64(),
            "kind": format!("{kind:?}"), "why": why,
        }),
        EventKind::Restarted { why } => json!({ "event": "restarted", "file": file, "why": why }),
        EventKind::TokenRefused => json!({ "event": "token_refused", "file": file }),
        EventKind::TokenRefreshed => json!({ "event": "token_refreshed", "file": file }),
        EventKind::TokenEndsEarly { token, transfer } => json!({
            "event": "token_ends_early", "file": file,
            "token_seconds": token.as_secs(), "transfer_seconds": transfer.as_secs(),
        }),
        EventKind::Verified { digest } => {
            json!({ "event": "verified", "file": file, "algorithm": digest.algorithm().name(), "value": digest.to_hex() })
        }
        EventKind::Finished { length, verification, timings } => json!({
            "event": "finished", "file": file, "length": length,
            "verified": match verification {
                Verification::Verified(digest) => Some(digest.to_string()),
                Verification::NotAvailable => None,
            },
            "seconds": timings.total.as_secs_f64(), "fetched": timings.fetched, "failures": timings.failures,
            "answering": timings.answering.as_secs_f64(), "writing": timings.writing.as_secs_f64(),
            "pausing": timings.pausing.as_secs_f64(), "verifying": timings.verifying.as_secs_f64(),
        }),
        EventKind::Skipped { length } => json!({ "event": "skipped", "file": file, "length": length }),
        EventKind::Failed { kind, why, retryable } => json!({
            "event": "failed", "file": file, "kind": format!("{kind:?}"), "exit": exit_of(*kind) as u8,
            "retryable": retryable, "why": why,
        }),
        _ => json!({ "event": "other", "file": file }),
    }
}

/// What people want to know of an event in the middle of a transfer.
pub(crate) fn note(what: &EventKind) -> Option<String> {
    Some(match what {
        EventKind::Redirected { to } => format!("comes from {to}"),
        EventKind::Retrying { after, why, .. } if after.is_zero() => format!("{why}; trying again"),
        EventKind::Retrying { after, why, .. } => {
            format!("{why}; trying again in {:.1} s", after.as_secs_f64())
        }
        EventKind::Restarted { why } => format!("begins anew: {why}"),
        EventKind::TokenRefreshed => "the token was refused; a newer one was taken".to_owned(),
        EventKind::TokenEndsEarly { token, transfer } => format!(
            "the token ends in {} s, but the transfer needs {} s more; that is fine if the token's file is renewed",
            token.as_secs(),
            transfer.as_secs()
        ),
        _ => return None,
    })
}
