//! `scitoken get`.

mod args;
mod plan;
mod prefetch;
mod rules;
mod summary;

use std::fs::File;
use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use scitoken_transfer::federation::{Federation, FederationUrl};
use scitoken_transfer::{
    CancellationToken, Download, Downloaded, FailureKind, ListEntry, TransferError, events,
};
use scitoken_types::SafeUrl;
use scitoken_types::files::open_output;

pub(crate) use self::args::Get;
use self::plan::Plan;
use self::summary::RunSummary;
use crate::context::Context;
use crate::engine::Engine;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::{FinalLines, ProgressOptions, ProgressThread};
use crate::runtime::block_on;
use crate::settings::{self, Settings};
use crate::signals;

/// Runs of more files show no line for each file.
const MAX_FILES_WITH_LINES: usize = 20;

/// Reads a list, for a command that gives the names in it to a server. `prepare` runs on the thread that reads.
pub(crate) fn read_list<T, F>(
    list: &Path,
    cancellation: &CancellationToken,
    mut prepare: F,
) -> Result<impl Iterator<Item = T> + use<T, F>, Failure>
where
    T: Send + 'static,
    F: FnMut(Result<ListEntry, String>) -> T + Send + 'static,
{
    prefetch::list(list, cancellation, move |_, entry| prepare(entry))
}

impl Get {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let settings = &context.settings()?;
        let plan = Plan::new(&self, settings)?;
        let streams = settings.choose(self.streams, settings::STREAMS)?.map_or(1, NonZeroUsize::get);
        let engine = Engine::new(context, &self.transfer.retry, &self.transfer.connection, streams)?;
        let mut engine = engine.with_bandwidth_limit(context, Some(&self.transfer.rate))?;
        let federation = self.federation(context, &engine)?;
        if self.dry_run {
            return plan.show(context, &engine, &self.transfer.retry, federation.as_ref());
        }
        signals::watch(engine.downloader.cancellation_token().clone());
        let options = self.progress_options(&plan, context);
        let mut running = None;
        if !options.is_silent() {
            let (reporter, stream) = events();
            let thread = ProgressThread::start(stream, options, plan.expected());
            running = Some(thread.map_err(|error| Failure::from_error(Exit::Local, &error))?);
            engine.downloader = engine.downloader.with_reporter(reporter);
        }
        let cancellation = engine.downloader.cancellation_token().clone();
        let refused = running.as_ref().map(ProgressThread::refused).unwrap_or_default();
        let summary = self.download(&engine, federation.as_ref(), &plan, (settings, &refused));
        drop(engine);
        if let Some(running) = running {
            running.join();
        }
        let summary = summary?;
        summary.report(options)?;
        if !cancellation.is_cancelled() {
            return Ok(summary.exit());
        }
        if plan.expected() != Some(1)
            && let Some(interruption) = summary.interruption(plan.expected())
        {
            interruption.report_text();
        }
        Ok(Exit::TryLater)
    }

    fn progress_options(&self, plan: &Plan, context: &Context) -> ProgressOptions {
        let has_few_files = plan.expected().is_some_and(|files| files <= MAX_FILES_WITH_LINES as u64);
        ProgressOptions {
            mode: self.transfer.progress,
            output: context.output,
            stdout_has_data: plan.stream().is_some(),
            final_lines: if has_few_files { FinalLines::EachFile } else { FinalLines::Summary },
            // An interval of zero would never end.
            interval: self.transfer.progress_interval.duration().max(Duration::from_millis(100)),
        }
    }

    /// Returns what resolves names of objects, if there may be any.
    fn federation(&self, context: &Context, engine: &Engine) -> Result<Option<Federation>, Failure> {
        let has_names = self.input.is_some() || self.urls.iter().any(|url| FederationUrl::has_scheme(url));
        has_names.then(|| engine.federation(context, &self.transfer.federation)).transpose()
    }

    fn download(
        &self,
        engine: &Engine,
        federation: Option<&Federation>,
        plan: &Plan,
        (settings, uncounted): (&Settings, &AtomicU64),
    ) -> Result<RunSummary, Failure> {
        let jobs = settings.choose(self.jobs, settings::JOBS)?.unwrap_or(NonZeroUsize::MIN.saturating_add(3));
        let summary = Mutex::new(RunSummary::default());
        let locked = || summary.lock().unwrap_or_else(PoisonError::into_inner);
        let done = |job: &Download, result: Result<Downloaded, TransferError>| match result {
            Ok(file) => locked().succeeded(&file),
            Err(error) if error.kind() == FailureKind::Interrupted && plan.expected() != Some(1) => {
                locked().interrupted();
            }
            Err(error) => locked().failed(named(self.transfer.retry.failure(&error), job)),
        };
        let downloader = &engine.downloader;
        match (plan.stream(), plan.single()) {
            (Some(job), _) => {
                let writer: Box<dyn io::Write + Send> = match self.device() {
                    Some(device) => Box::new(open_device(device, downloader.cancellation_token())?),
                    None => Box::new(io::stdout()),
                };
                let result = match federation {
                    Some(names) => block_on(names.download_job_to(downloader, job.clone(), writer))?,
                    None => block_on(downloader.download_to(job.clone(), writer))?,
                };
                if let Err(error) = &result
                    && error.kind() == FailureKind::Local
                {
                    let failure = self.transfer.retry.failure(error).of_standard_output(error);
                    if failure.is_closed_pipe() {
                        return Err(failure);
                    }
                }
                done(job, result);
            }
            (None, Some(job)) => {
                let result = match federation {
                    Some(names) => block_on(names.download_job(downloader, job.clone()))?,
                    None => block_on(downloader.download(job.clone()))?,
                };
                done(&job, result);
            }
            (None, None) => {
                let refused = |_, failure: Failure| {
                    uncounted.fetch_add(1, Ordering::Relaxed);
                    locked().failed(failure);
                };
                let downloads = plan.downloads(engine, &self.transfer.retry, federation, &refused)?;
                let make_client = || engine.sessions.client();
                let done = |job: Download, result| done(&job, result);
                match federation {
                    Some(names) => names.download_all(downloader, downloads, jobs, make_client, done)?,
                    None => downloader.download_all(downloads, jobs, make_client, done)?,
                }
            }
        }
        Ok(summary.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Opens a device or a fifo. A fifo waits for its reader until the run is cancelled.
fn open_device(device: &Path, cancellation: &CancellationToken) -> Result<File, Failure> {
    const POLL_INTERVAL: Duration = Duration::from_millis(50);
    loop {
        match open_output(device) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && !cancellation.is_cancelled() => {
                std::thread::sleep(POLL_INTERVAL);
            }
            result => {
                return result.map_err(|error| {
                    let message = format!("failed to open `{}`", device.display());
                    Failure::new(Exit::Local, message).with_cause(&error.to_string())
                });
            }
        }
    }
}

/// Names the file of a failure, unless its message does.
fn named(failure: Failure, job: &Download) -> Failure {
    let url = SafeUrl::new(job.url()).to_string();
    let target = job.target().map(|target| target.display().to_string());
    failure.with_missing_subject(target.as_deref().as_slice(), &url)
}
