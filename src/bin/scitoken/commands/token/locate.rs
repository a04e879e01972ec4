//! `scitoken token where`: every place that is looked at, and which token wins.

use clap::Args;
use reqwest_scitokens::{Discovery, Survey, TokenRequest};
use serde_json::{Value, json};
use url::Url;

use crate::exit::Exit;
use crate::failure::Failure;

/// Show every place where a token is looked for, what is there, and which one wins
///
/// The winner is marked with `*`. Exit code 0: a token was found, 7: none, or the search ended at something broken.
#[derive(Debug, Args)]
pub(crate) struct Locate {
    /// The URL that the token would be for; among HTCondor's files the choice depends on it
    #[arg(value_name = "URL")]
    url: Option<Url>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Locate {
    #[expect(clippy::print_stdout, reason = "this is where the program speaks")]
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        let anywhere = Url::parse("https://any.server.invalid").expect("a URL");
        let request = TokenRequest::new(self.url.as_ref().unwrap_or(&anywhere))
            .map_err(|error| Failure::from_error(Exit::Usage, &error))?;
        let survey = Discovery::new().survey(&request);
        let found = matches!(survey.answer(), Ok(Some(_)));
        if self.json {
            println!("{}", as_json(&survey, &request));
        } else {
            print!("{survey}");
        }
        if found {
            return Ok(Exit::Ok);
        }
        match survey.answer() {
            Err(error) if !self.json => {
                let failure = Failure::from_error(Exit::NoToken, error);
                Err(match error.hint() {
                    Some(hint) => failure.with_hint(hint),
                    None => failure,
                })
            }
            _ => Ok(Exit::NoToken),
        }
    }
}

fn as_json(survey: &Survey, request: &TokenRequest<'_>) -> Value {
    let winner = survey.winner().map(|finding| finding.place().clone());
    let findings: Vec<_> = survey
        .findings()
        .iter()
        .map(|finding| {
            json!({
                "step": finding.step().to_string(),
                "place": finding.place().to_string().trim_matches('`'),
                "found": finding.describe(request.now()),
                "loose_mode": finding.loose_mode().map(|mode| format!("{mode:04o}")),
                "wins": winner.as_ref() == Some(finding.place()),
            })
        })
        .collect();
    let error = survey.answer().err().map(ToString::to_string);
    json!({"ok": winner.is_some(), "error": error, "findings": findings})
}
