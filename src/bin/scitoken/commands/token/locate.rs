//! `scitoken token where`: every place that is looked at, and which token wins.

use clap::Args;
use reqwest_scitokens::sys::Env;
use reqwest_scitokens::{Discovery, Origin, Survey, TokenRequest};
use serde_json::{Value, json};
use url::Url;

use crate::commands::config::source_in_words;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::settings::Settings;

/// Show every place where a token is looked for, what is there, and which one wins
///
/// The winner is marked with `*`. With a URL, sources that the settings name for its server are told too. Exit code 0: a
/// token was found or a source is named, 7: none, or the search ended at something broken.
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
        let in_settings = self.in_settings()?;
        if self.json {
            println!("{}", as_json(&survey, &request, &in_settings));
        } else {
            print!("{survey}");
            for host in &in_settings {
                println!("the settings name another source for this server, which comes first: {host}");
            }
        }
        if found || !in_settings.is_empty() {
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

impl Locate {
    /// What the host map of the settings says about the server: the search is not asked then.
    fn in_settings(&self) -> Result<Vec<String>, Failure> {
        let Some(Ok(origin)) = self.url.as_ref().map(Origin::try_from) else { return Ok(Vec::new()) };
        let settings = Settings::load(Env::process())?;
        let hosts = settings.hosts().iter().filter(|host| host.pattern.matches(&origin));
        Ok(hosts
            .map(|host| format!("host.\"{}\" = {}", host.pattern, source_in_words(&host.token)))
            .collect())
    }
}

fn as_json(survey: &Survey, request: &TokenRequest<'_>, in_settings: &[String]) -> Value {
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
    json!({"ok": winner.is_some(), "error": error, "findings": findings, "in_settings": in_settings})
}
