//! `scitoken get`: download files.

mod ahead;
mod outcome;
mod plan;
mod rules;
mod targets;

use std::io::{self, IsTerminal as _};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clap::{Args, ValueEnum};
use reqwest_scitokens::download::{Checksum, Downloaded, TransferError, events};

use self::outcome::Outcome;
use self::plan::Plan;
use crate::connect::{Connect, Seconds};
use crate::engine::{Engine, Tries, block_on};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::logging::Loudness;
use crate::progress::{Files, Json, Quiet, Show, Style, Watch};
use crate::settings::{self, Settings};
use crate::signals;

/// More files than this don't get a line each.
const MANY: usize = 20;

/// Download files, verified, and never a wrong one
///
/// A file appears under its name only when its length and checksum are right. Until then it is NAME.part, and the same
/// command goes on with it where that is safe. The token is found where batch systems leave it (`scitoken token where`).
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  scitoken get https://data.example.org/vo/run1.root
  scitoken get --checksum adler32:355f0612 -o first.root https://data.example.org/vo/run1.root
  scitoken get -i list.txt -P data -j 16 --skip-existing=size
  scitoken get -r https://data.example.org/vo/runs/ -P runs --create-dirs
  scitoken get -o - https://data.example.org/vo/runs.tar | tar x

Exit codes: 0 done, 2 usage, 3 local file, 4 connection, 5 timeout, 7 no token, 8 token refused, \
9 not found, 10 incomplete, 11 try again later, 12 checksum, 13 server, 14 redirect refused. Of several files: the worst.")]
#[expect(clippy::struct_excessive_bools, reason = "a flag is a bool")]
pub(crate) struct Get {
    /// What to download
    #[arg(value_name = "URL", required_unless_present = "input")]
    urls: Vec<String>,
    /// Write to this file; `-` for standard output
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["input", "directory"])]
    output: Option<PathBuf>,
    /// Name the file as the URL does, which is the default
    #[arg(short = 'O', long, conflicts_with = "output")]
    remote_name: bool,
    /// Name the file as the server does (`Content-Disposition`); a file that is there is not replaced
    #[arg(short = 'J', long, conflicts_with_all = ["output", "input", "recursive", "mirror"])]
    remote_header_name: bool,
    /// Write into this directory
    #[arg(short = 'P', long, visible_alias = "output-dir", value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Make the directory of `-P` or `-o` if it is not there
    #[arg(long)]
    create_dirs: bool,
    /// Go on with an unfinished file where that is safe, which is the default; only `-` is an offset
    #[arg(short = 'C', long = "continue-at", value_name = "OFFSET", num_args = 0..=1, default_missing_value = "-",
          value_parser = ["-"], hide_possible_values = true, conflicts_with = "no_resume")]
    continue_at: Option<String>,
    /// Begin anew, whatever an earlier run left
    #[arg(long)]
    no_resume: bool,
    /// Download what this list names; `-` for standard input. One URL a line, mirrors behind tabs, then indented lines
    /// `out=NAME` and `checksum=ALG:VALUE`; or a Metalink (`.meta4`)
    #[arg(short, long, value_name = "LIST")]
    input: Option<PathBuf>,
    /// Take this address of the same file too, if the first one fails; may be given several times
    #[arg(long, value_name = "URL", conflicts_with_all = ["input", "recursive"])]
    mirror: Vec<String>,
    /// Download everything below a directory (WebDAV)
    #[arg(short, long, conflicts_with_all = ["output", "input"])]
    recursive: bool,
    /// Download so many files at once [default: 4]
    #[arg(short, long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Use up to so many connections for a file, as long as they help [default: 1]
    #[arg(short = 'x', long, value_name = "N")]
    streams: Option<NonZeroUsize>,
    /// `auto`: compare with the server's; `require`, or an algorithm: and fail if it has none; `ALG:VALUE`: compare
    /// with this; `none` [default: auto]
    #[arg(long, value_name = "CHECKSUM")]
    checksum: Option<Checksum>,
    /// Keep files that are there and have the right size, or the right checksum (if nothing is said)
    #[arg(long, value_name = "BY", num_args = 0..=1, default_missing_value = "checksum", require_equals = true,
          conflicts_with = "no_clobber")]
    skip_existing: Option<SkipBy>,
    /// Fail if the file is there
    #[arg(long)]
    no_clobber: bool,
    /// Take a web page for data
    #[arg(long)]
    allow_html: bool,
    /// Tell what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Write each event as a line of JSON to standard output
    #[arg(long)]
    json: bool,
    /// How to show progress
    #[arg(long, value_name = "HOW", value_enum, default_value_t)]
    progress: Style,
    /// How often a log gets a line, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "60")]
    progress_interval: Seconds,
    #[command(flatten)]
    tries: Tries,
    #[command(flatten)]
    connect: Connect,
}

/// How a file that is there is found to be right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum SkipBy {
    Size,
    Checksum,
}

impl Get {
    /// Downloads, and reports what failed.
    pub(crate) fn run(self, settings: &Settings, loudness: Loudness) -> Result<Exit, Failure> {
        let plan = Plan::new(&self, settings)?;
        let streams = settings.choose(self.streams, settings::STREAMS)?.map_or(1, NonZeroUsize::get);
        let mut engine = self.tries.engine(&self.connect, settings, streams)?;
        if self.dry_run {
            return plan.tell(&engine, &self.tries);
        }
        signals::watch(engine.downloader.stopper().clone());
        let show = self.show(&plan, loudness);
        let mut watch = None;
        if !show.is_nothing() {
            let (reporter, stream) = events();
            let begun = Watch::begin(stream, show, plan.expected());
            watch = Some(begun.map_err(|error| Failure::from_error(Exit::Local, &error))?);
            engine.downloader = engine.downloader.with_reporter(reporter);
        }
        let stopper = engine.downloader.stopper().clone();
        let outcome = self.download(&engine, &plan, settings);
        drop(engine);
        if let Some(watch) = watch {
            watch.end();
        }
        let outcome = outcome?;
        outcome.report(show.json);
        Ok(if stopper.is_stopped() { Exit::TryLater } else { outcome.exit() })
    }

    fn show(&self, plan: &Plan, loudness: Loudness) -> Show {
        let json = match (self.json, plan.stream().is_some()) {
            (false, _) => Json::No,
            (true, false) => Json::Stdout,
            (true, true) => Json::Stderr,
        };
        let few = plan.expected().is_some_and(|files| files <= MANY as u64);
        Show {
            style: self.progress,
            json,
            files: if few { Files::Each } else { Files::Failed },
            quiet: if loudness.is_quiet() { Quiet::Yes } else { Quiet::No },
            // Nobody can read a line each millisecond, and zero would never end.
            interval: self.progress_interval.0.max(Duration::from_millis(100)),
        }
    }

    fn download(&self, engine: &Engine, plan: &Plan, settings: &Settings) -> Result<Outcome, Failure> {
        let jobs = settings.choose(self.jobs, settings::JOBS)?.unwrap_or(NonZeroUsize::MIN.saturating_add(3));
        let outcome = Mutex::new(Outcome::default());
        let locked = || outcome.lock().unwrap_or_else(PoisonError::into_inner);
        let done = |result: Result<Downloaded, TransferError>| match result {
            Ok(file) => locked().succeeded(&file),
            Err(failure) => locked().failed(self.tries.failure(&failure)),
        };
        match (plan.stream(), plan.single()) {
            (Some(job), _) => done(block_on(engine.downloader.download_to(job.clone(), io::stdout()))?),
            (None, Some(job)) => done(block_on(engine.downloader.download(job))?),
            (None, None) => {
                let refused = |_, failure: Failure| locked().failed(failure);
                let downloads = plan.downloads(engine, &self.tries, &refused)?;
                let make_client = || engine.connector.client();
                engine.downloader.download_all(downloads, jobs, make_client, |_, result| done(result))?;
            }
        }
        Ok(outcome.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether standard output is a terminal, where binary data does no good.
fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}
