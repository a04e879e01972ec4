//! Token sources that follow a script and count.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest_scitokens::{SourceError, TokenRequest, TokenSource};
use scitoken_types::AccessToken;
use tokio::sync::Semaphore;

/// What a [`Script`] was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub url: String,
    pub audience: Option<String>,
    pub scopes: Vec<String>,
    pub challenge_scope: Option<String>,
    pub challenged: bool,
    pub rejected: Option<String>,
}

/// Gives one answer after the other, and the last one for ever. Clones share one state.
#[derive(Clone, Debug)]
pub struct Script(Arc<State>);

#[derive(Debug)]
struct State {
    answers: Mutex<VecDeque<Step>>,
    asked: Mutex<Vec<Asked>>,
    delay: Duration,
    gate: Option<Semaphore>,
    place: &'static str,
}

/// One answer of a [`Script`].
#[derive(Clone, Debug)]
pub enum Step {
    Token(String),
    Nothing,
    Fails(&'static str),
}

impl From<&str> for Step {
    fn from(token: &str) -> Self {
        match token {
            "-" => Self::Nothing,
            token => Self::Token(token.to_owned()),
        }
    }
}

impl Script {
    /// These answers; `-` stands for "nothing here".
    pub fn new(answers: &[&str]) -> Self {
        Self::steps(answers.iter().map(|answer| Step::from(*answer)))
    }

    pub fn steps(answers: impl IntoIterator<Item = Step>) -> Self {
        Self::build(answers, Duration::ZERO, None)
    }

    /// These answers, each after some time.
    pub fn slow(answers: &[&str], delay: Duration) -> Self {
        Self::build(answers.iter().map(|answer| Step::from(*answer)), delay, None)
    }

    /// These answers, each only after [`Script::release`].
    pub fn gated(answers: &[&str]) -> Self {
        let answers = answers.iter().map(|answer| Step::from(*answer));
        Self::build(answers, Duration::ZERO, Some(Semaphore::new(0)))
    }

    fn build(answers: impl IntoIterator<Item = Step>, delay: Duration, gate: Option<Semaphore>) -> Self {
        let (answers, asked) = (Mutex::new(answers.into_iter().collect()), Mutex::default());
        Self(Arc::new(State { answers, asked, delay, gate, place: "a script" }))
    }

    /// Lets this many gated calls go on.
    pub fn release(&self, calls: usize) {
        self.0.gate.as_ref().unwrap().add_permits(calls);
    }

    /// How often it was asked.
    pub fn calls(&self) -> usize {
        self.asked().len()
    }

    /// What it was asked, call by call.
    pub fn asked(&self) -> Vec<Asked> {
        self.0.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn next(&self) -> Step {
        let mut answers = self.0.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let next = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        next.unwrap_or(Step::Nothing)
    }
}

impl TokenSource for Script {
    async fn token(&self, request: &TokenRequest<'_>) -> Result<Option<AccessToken>, SourceError> {
        let asked = Asked {
            url: request.url().to_string(),
            audience: request.audience().map(ToString::to_string),
            scopes: request.scopes().iter().map(ToString::to_string).collect(),
            challenge_scope: request.challenge().and_then(|c| c.scope()).map(str::to_owned),
            challenged: request.challenge().is_some(),
            rejected: request.rejected().map(|token| token.expose_secret().to_owned()),
        };
        self.0.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
        if let Some(gate) = &self.0.gate {
            gate.acquire().await.unwrap().forget();
        }
        tokio::time::sleep(self.0.delay).await;
        match self.next() {
            Step::Token(token) => Ok(Some(AccessToken::new(token)?.with_origin_label(self.0.place))),
            Step::Nothing => Ok(None),
            Step::Fails(message) => Err(SourceError::new(message)),
        }
    }
}
