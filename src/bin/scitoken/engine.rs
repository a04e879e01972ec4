//! The flags of everything that moves data, and the engine that follows from them.

use std::time::Duration;

use clap::Args;
use reqwest_scitokens::download::{Downloader, FailureKind, Limits, RetryBudget, RetryPolicy, TransferError};

use crate::connect::{Connect, Connector, Seconds};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::settings::{self, Settings};

/// Flags for limits and retries
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Limits and retries")]
pub(crate) struct Tries {
    /// Try again so many times in a row [default: 5]
    #[arg(long, value_name = "N")]
    retry: Option<u32>,
    /// Start no further attempt so long after the first
    #[arg(long, value_name = "SECONDS")]
    retry_max_time: Option<Seconds>,
    /// Let all files together use so many retries [default: 10000]
    #[arg(long, value_name = "N")]
    retry_budget: Option<u32>,
    /// End with code 11 whenever it is worth trying again later, as HTCondor likes it
    #[arg(long)]
    pub(crate) retry_exit_code: bool,
    /// Give up after so long, retries included
    #[arg(long, value_name = "SECONDS")]
    max_time: Option<Seconds>,
    /// Try again after so long without an answer or without data [default: 60]
    #[arg(long, value_name = "SECONDS")]
    stall_time: Option<Seconds>,
    /// Wait so long for a new token when the old one is refused
    #[arg(long, value_name = "SECONDS")]
    token_wait: Option<Seconds>,
}

/// What moves data, and what makes its clients.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) downloader: Downloader,
    pub(crate) connector: Connector,
}

impl Tries {
    /// The engine for these flags, with up to `streams` connections a file.
    pub(crate) fn engine(
        &self,
        connect: &Connect,
        settings: &Settings,
        streams: usize,
    ) -> Result<Engine, Failure> {
        let seconds = |flag, key| -> Result<Option<Duration>, Failure> {
            Ok(settings.choose::<Seconds>(flag, key)?.map(|seconds| seconds.0))
        };
        let mut limits = Limits::default();
        limits.streams = streams.max(1);
        limits.max_time = seconds(self.max_time, settings::MAX_TIME)?;
        if let Some(stall) = seconds(self.stall_time, settings::STALL_TIME)? {
            limits.stall = stall;
            limits.first_byte = stall;
        }
        let mut retry = RetryPolicy::default();
        retry.retries = settings.choose(self.retry, settings::RETRY)?.unwrap_or(retry.retries);
        retry.max_elapsed = seconds(self.retry_max_time, settings::RETRY_MAX_TIME)?;
        retry.token_wait = seconds(self.token_wait, settings::TOKEN_WAIT)?.unwrap_or_default();
        let budget = settings.choose(self.retry_budget, settings::RETRY_BUDGET)?;
        let connector = connect.connector(settings, limits.stall.max(limits.first_byte))?;
        let mut downloader = Downloader::new(connector.client()?).with_limits(limits).with_retry(retry);
        if let Some(budget) = budget {
            downloader = downloader.with_budget(RetryBudget::new(budget));
        }
        Ok(Engine { downloader, connector })
    }

    /// The exit code of a failure.
    pub(crate) fn exit(&self, failure: &TransferError) -> Exit {
        let exit = exit_of(failure.kind());
        let may_be_later = !matches!(exit, Exit::Usage | Exit::Local | Exit::Mismatch);
        if self.retry_exit_code && failure.is_worth_retrying() && may_be_later {
            Exit::TryLater
        } else {
            exit
        }
    }

    /// What to report of a failure.
    pub(crate) fn failure(&self, failure: &TransferError) -> Failure {
        let mut report = Failure::from_error(self.exit(failure), failure);
        if let Some(explanation) = failure.explanation() {
            report = report.with_details(explanation.to_string());
            if !explanation.next_steps().is_empty() {
                return report;
            }
        }
        if let Some(hint) = failure.hint() {
            report = report.with_hint(hint);
        } else if let Some(hint) = usual_hint(failure.kind()) {
            report = report.with_hint(hint);
        }
        report
    }
}

impl From<TransferError> for Failure {
    fn from(failure: TransferError) -> Self {
        Self::from_error(exit_of(failure.kind()), &failure)
    }
}

/// The exit code of each sort of failure.
pub(crate) fn exit_of(kind: FailureKind) -> Exit {
    match kind {
        FailureKind::Usage => Exit::Usage,
        FailureKind::Local => Exit::Local,
        FailureKind::Connect => Exit::Connect,
        FailureKind::Timeout => Exit::Timeout,
        FailureKind::NoToken => Exit::NoToken,
        FailureKind::Refused | FailureKind::WrongContent => Exit::TokenRefused,
        FailureKind::NotFound => Exit::NotFound,
        FailureKind::Incomplete => Exit::Incomplete,
        FailureKind::Mismatch | FailureKind::Unverified => Exit::Mismatch,
        FailureKind::Redirect => Exit::Redirect,
        FailureKind::Interrupted => Exit::TryLater,
        // `Server`, `Rejected` and what is yet to come.
        _ => Exit::Server,
    }
}

fn usual_hint(kind: FailureKind) -> Option<&'static str> {
    Some(match kind {
        FailureKind::Connect | FailureKind::Timeout => {
            "`scitoken doctor URL` shows how far a connection gets"
        }
        FailureKind::Refused => "`scitoken explain URL` shows what the token says and what the server wants",
        FailureKind::NotFound => "`scitoken ls` shows what is in the directory above",
        FailureKind::Incomplete => "run the same command again: it goes on where it stopped",
        FailureKind::Server => "the server is in trouble; try again later, or another mirror",
        _ => return None,
    })
}

/// How much an exit code says about a run of many files, the gravest last.
pub(crate) fn gravity(exit: Exit) -> u8 {
    match exit {
        Exit::Ok => 0,
        Exit::TryLater => 1,
        Exit::Timeout => 2,
        Exit::Connect => 3,
        Exit::Server => 4,
        Exit::Incomplete => 5,
        Exit::NotFound => 6,
        Exit::TokenRefused => 7,
        Exit::NoToken => 8,
        Exit::Redirect => 9,
        Exit::Refused => 10,
        Exit::Usage => 11,
        Exit::Local => 12,
        Exit::Mismatch => 13,
    }
}

/// The one of two exit codes that says more.
pub(crate) fn graver(one: Exit, other: Exit) -> Exit {
    if gravity(other) > gravity(one) { other } else { one }
}

/// Runs a future on a small runtime of its own.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::from_error(Exit::Local, &error))?;
    Ok(runtime.block_on(future))
}
