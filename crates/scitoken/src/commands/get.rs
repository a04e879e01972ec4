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
    CancellationToken, Download, Downloaded, Downloader, FailureKind, ListEntry, TransferError, events,
};
use scitoken_types::SafeUrl;
use scitoken_types::files::open_output;
use serde_json::json;
use tokio::time::Instant;

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
        signals::cancel_at_first(engine.downloader.cancellation_token().clone());
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
        let summary = self.download(&engine, federation.as_ref(), &plan, (settings, &refused, options));
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
            stdout_has_data: plan.stream().is_some() && self.device().is_none_or(is_standard_output),
            final_lines: if has_few_files { FinalLines::EachFile } else { FinalLines::Summary },
            retry_exit_code: self.transfer.retry.retry_exit_code,
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
        (settings, uncounted, options): (&Settings, &AtomicU64, ProgressOptions),
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
                    Some(device) => Box::new(open_device(device, downloader)?),
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
                let cancellation = engine.downloader.cancellation_token().clone();
                let refused = |number: u64, failure: Failure| {
                    // A listing that a signal ended is told with what the signal left undone.
                    if cancellation.is_cancelled() && failure.exit() == Exit::TryLater {
                        return;
                    }
                    uncounted.fetch_add(1, Ordering::Relaxed);
                    // A write that fails shows at the end of the run.
                    let _ = options.write_event(&json!({
                        "event": "failed", "file": number, "why": failure.message(), "retryable": false,
                        "exit": failure.exit() as u8,
                    }));
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

/// Opens a device or a fifo. A fifo waits for its reader until the run is cancelled or its time has passed.
fn open_device(device: &Path, downloader: &Downloader) -> Result<File, Failure> {
    const POLL_INTERVAL: Duration = Duration::from_millis(50);
    let (begun, allowed) = (Instant::now(), downloader.limits().max_time);
    loop {
        match open_output(device) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let shown = device.display();
                if downloader.cancellation_token().is_cancelled() {
                    let message = format!("interrupted: no process read `{shown}`");
                    return Err(Failure::new(Exit::TryLater, message));
                }
                if let Some(allowed) = allowed.filter(|allowed| begun.elapsed() >= *allowed) {
                    let message = format!("no process read `{shown}` within {} s", allowed.as_secs_f32());
                    return Err(Failure::new(Exit::Timeout, message).with_hint("start what reads it first"));
                }
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

/// Returns whether a device or fifo is what standard output is.
#[cfg(unix)]
fn is_standard_output(device: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let stdout = rustix::fs::fstat(io::stdout());
    match (fs_err::metadata(device), stdout) {
        (Ok(device), Ok(stdout)) => (device.dev(), device.ino()) == (stdout.st_dev, stdout.st_ino),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_standard_output(_: &Path) -> bool {
    false
}

/// Names the file of a failure, unless its message does.
fn named(failure: Failure, job: &Download) -> Failure {
    let url = SafeUrl::new(job.url()).to_string();
    let target = job.target().map(|target| target.display().to_string());
    failure.with_missing_subject(target.as_deref().as_slice(), &url)
}
