//! How the answers of these commands look: sentences, or one object of JSON.

use std::io::{self, Write as _};

use reqwest_scitokens::scitokens::{Claims, Refusal, VerifiedToken};
use serde_json::{Map, Value, json};

use crate::exit::Exit;
use crate::failure::Failure;

/// Sentences for people, or JSON for programs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Report {
    is_json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Format {
    /// Answer with one object of JSON: `ok`, and where that is false, `error` and `reason`
    #[arg(long)]
    json: bool,
}

impl Format {
    pub(super) fn report(&self) -> Report {
        Report { is_json: self.json }
    }
}

impl Report {
    /// Runs a command; what keeps it from an answer is told in the same form as an answer.
    pub(super) fn run(self, command: impl FnOnce() -> Result<Exit, Failure>) -> Result<Exit, Failure> {
        match command() {
            Err(failure) if self.is_json => {
                print(&json!({"ok": false, "error": failure.message(), "reason": "failed"}).to_string())?;
                Ok(failure.exit())
            }
            outcome => outcome,
        }
    }

    /// The answer is yes: lines for people, members for programs.
    pub(super) fn yes(self, lines: &str, members: Map<String, Value>) -> Result<Exit, Failure> {
        if self.is_json {
            let mut object = Map::from_iter([("ok".to_owned(), true.into())]);
            object.extend(members);
            print(&Value::Object(object).to_string())?;
        } else if !lines.is_empty() {
            print(lines)?;
        }
        Ok(Exit::Ok)
    }

    /// What there is to show of a token, which may have been refused all the same.
    pub(super) fn shown(
        self,
        lines: &str,
        members: Map<String, Value>,
        refusal: Option<&Refusal>,
    ) -> Result<Exit, Failure> {
        let Some(refusal) = refusal else { return self.yes(lines, members) };
        if self.is_json {
            let mut object = Map::from_iter([("ok".to_owned(), false.into())]);
            object.insert("error".to_owned(), refusal.to_string().into());
            object.insert("reason".to_owned(), refusal.code().into());
            object.extend(members);
            print(&Value::Object(object).to_string())?;
        } else {
            print(lines)?;
        }
        Ok(Exit::Refused)
    }

    /// The answer is no.
    pub(super) fn no(self, refusal: &Refusal, hint: Option<&str>) -> Result<Exit, Failure> {
        if self.is_json {
            print(&json!({"ok": false, "error": refusal.to_string(), "reason": refusal.code()}).to_string())?;
            return Ok(Exit::Refused);
        }
        let failure = Failure::new(Exit::Refused, format!("refused: {refusal}"));
        Err(match hint {
            Some(hint) => failure.with_hint(hint),
            None => failure,
        })
    }
}

/// All claims, for programs.
pub(super) fn claims_object(claims: &Claims) -> Value {
    let value =
        |value: &reqwest_scitokens::scitokens::ClaimValue| serde_json::to_value(value).unwrap_or_default();
    Value::Object(claims.iter().map(|(name, claim)| (name.to_owned(), value(claim))).collect())
}

/// One line about a token that is good.
pub(super) fn summary(token: &VerifiedToken) -> String {
    let claims = token.claims();
    let subject = claims.subject().map(|subject| format!(", about {}", clean(subject))).unwrap_or_default();
    let key = token.key_id().map(|id| format!(" with key {}", clean(id))).unwrap_or_default();
    format!("a {} token, signed by {}{key}{subject}", token.profile(), clean(token.issuer()))
}

/// A text of a stranger's, fit for a terminal.
pub(super) fn clean(text: &str) -> String {
    let hostile = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if hostile(c) { ' ' } else { c }).collect()
}

/// Writes lines to standard output.
pub(super) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let written =
        out.write_all(text.as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
    written.map_err(|error| Failure::from_error(Exit::Local, &error))
}
