//! The texts of refusals, which become those of errors: bounded, waited for briefly, and without secrets.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use reqwest_scitokens::ResponseExt as _;
use reqwest_scitokens::auth::{AuthTrace, Explanation, Verdict};
use scitoken_types::redact;

/// How much of a text is read, in bytes.
const LONGEST: usize = 64 * 1024;
/// How long a text is waited for: it is optional.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a refusal says, as far as it came.
pub(crate) struct RefusalText {
    text: Bytes,
    because: Option<String>,
}

impl RefusalText {
    /// Reads the text of a refusal.
    pub(crate) async fn read(response: &mut reqwest::Response) -> Self {
        let is_about_token = matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
        let because = response.explain().filter(|_| is_about_token).and_then(|said| because(&said));
        let mut text = BytesMut::new();
        let read = async {
            while text.len() < LONGEST
                && let Ok(Some(data)) = response.chunk().await
            {
                text.extend_from_slice(&data[..data.len().min(LONGEST - text.len())]);
            }
        };
        let _ = tokio::time::timeout(PATIENCE, read).await;
        Self { text: text.freeze(), because }
    }

    /// Returns the text as the server sent it.
    pub(crate) fn sent(&self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }

    /// Returns the text to be shown: without the credentials of the exchange, and with what the token lacks.
    pub(crate) fn shown(&self, trace: Option<&AuthTrace>) -> String {
        let sent = self.sent();
        // A web page says nothing that its status does not.
        let sent = if sent.trim_start().starts_with('<') { String::new() } else { sent };
        let sent = trace.map_or_else(|| sent.clone(), |trace| trace.redactor().redact(&sent).into_owned());
        let sent = redact::text(sent.trim());
        match &self.because {
            Some(because) if sent.is_empty() => because.clone(),
            Some(because) => format!("{sent} ({because})"),
            None => sent,
        }
    }
}

/// Returns what the token lacks, or why there was none.
fn because(explanation: &Explanation) -> Option<String> {
    let failed = explanation.checks().iter().find(|check| check.verdict == Verdict::Fails);
    let failed =
        failed.map(|check| format!("token: {} is {}, required: {}", check.what, check.token, check.request));
    failed.or_else(|| Some(format!("sent without a token: {}", explanation.not_attached()?)))
}
