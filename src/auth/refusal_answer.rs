//! What is kept of a refusal.

use http::header::{DATE, SERVER};
use http::{HeaderMap, HeaderValue};
use scitoken_types::redact::{self, Redactor};

use crate::challenge::{Challenge, challenge_schemes};

/// What is kept of a refusal.
#[derive(Clone, Debug, Default)]
pub(super) struct RefusalAnswer {
    pub(super) challenge: Option<Challenge>,
    /// The schemes that the server asks for.
    pub(super) schemes: Vec<String>,
    pub(super) server: Option<String>,
    pub(super) date: Option<String>,
}

impl RefusalAnswer {
    /// Keeps what the headers of a refusal say, without the secrets that they may repeat.
    pub(super) fn read(headers: &HeaderMap, challenge: Option<Challenge>, redactor: &Redactor) -> Self {
        let text = |name| {
            let value = String::from_utf8_lossy(headers.get(name).map(HeaderValue::as_bytes)?);
            Some(redact::text(&redactor.redact(&value)))
        };
        Self { challenge, schemes: challenge_schemes(headers), server: text(SERVER), date: text(DATE) }
    }

    /// Returns whether the server asks for bearer tokens, or does not say what it accepts.
    pub(super) fn asks_for_tokens(&self) -> bool {
        self.schemes.is_empty() || self.schemes.iter().any(|scheme| scheme.eq_ignore_ascii_case("bearer"))
    }
}
