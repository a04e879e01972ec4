//! Many downloads at once, in bounded memory, on threads that do not share connections.

use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use reqwest_middleware::ClientWithMiddleware;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::download::downloaded::Downloaded;
use crate::download::job::Download;
use crate::download::ticker::TICK;
use crate::downloader::Downloader;
use crate::error::{FailureKind, RetryAction, TransferError};

/// How many jobs wait for a worker.
const QUEUE: usize = 256;
/// How many jobs are queued at a time: waking the feeding thread for each one would cost more than a small file.
const REFILL: usize = QUEUE / 2;

/// A job that runs.
pub(crate) type RunningJob = Pin<Box<dyn Future<Output = Result<Downloaded, TransferError>> + Send>>;
/// Starts a job.
pub(crate) type RunJob<'r> = dyn Fn(Downloader, Download) -> RunningJob + Sync + 'r;
/// Receives each job with its result.
type Done<'d> = Mutex<&'d mut (dyn FnMut(Download, Result<Downloaded, TransferError>) + Send)>;

impl Downloader {
    /// Downloads one file, for callers without a runtime.
    ///
    /// # Errors
    /// As [`download`](Self::download).
    ///
    /// # Panics
    /// On a thread that runs async code.
    pub fn download_blocking(&self, download: Download) -> Result<Downloaded, TransferError> {
        runtime()?.block_on(self.download(download))
    }

    /// Downloads many files, up to `parallel` at once, and calls `done` with each result.
    ///
    /// Blocks until all are done or [cancelled](Self::cancellation_token). `downloads` is read as it is needed,
    /// so it may be endless; memory does not grow with it. The work is done on threads of its own, as many as there
    /// are processors, each with a small runtime and a client from `make_client`: a body that crossed threads would
    /// cost twice the time. All of them share budget, servers and cancellation.
    ///
    /// From async code, call it inside of `tokio::task::spawn_blocking`.
    ///
    /// ```no_run
    /// # use reqwest_scitokens::Session;
    /// # use scitoken_transfer::{Download, Downloader};
    /// # fn example(downloads: Vec<Download>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let downloader = Downloader::new(Session::new()?);
    /// let client = || Ok::<_, Box<dyn std::error::Error + Send + Sync>>(Session::new()?.into());
    /// downloader.download_all(downloads.into_iter(), 8.try_into()?, client, |download, result| match result {
    ///     Ok(file) => println!("{}: {} bytes", download.url(), file.length),
    ///     Err(error) => eprintln!("{}: {error}", download.url()),
    /// })
    /// # }
    /// ```
    ///
    /// # Errors
    /// A client or a thread could not be created. A file's failure goes to `done` only.
    ///
    /// # Panics
    /// When `done` or `downloads` panics, and on a thread that runs async code.
    pub fn download_all<E>(
        &self,
        downloads: impl Iterator<Item = Download> + Send,
        parallel: NonZeroUsize,
        make_client: impl Fn() -> Result<ClientWithMiddleware, E> + Sync,
        mut done: impl FnMut(Download, Result<Downloaded, TransferError>) + Send,
    ) -> Result<(), E>
    where
        E: From<TransferError> + Send,
    {
        let run: &RunJob<'_> = &|downloader, job| Box::pin(async move { downloader.download(job).await });
        self.run_all(downloads, parallel, make_client, run, &mut done)
    }

    /// Runs many jobs as [`download_all`](Self::download_all) does, each by `run`.
    pub(crate) fn run_all<E>(
        &self,
        downloads: impl Iterator<Item = Download> + Send,
        parallel: NonZeroUsize,
        make_client: impl Fn() -> Result<ClientWithMiddleware, E> + Sync,
        run: &RunJob<'_>,
        done: &mut (dyn FnMut(Download, Result<Downloaded, TransferError>) + Send),
    ) -> Result<(), E>
    where
        E: From<TransferError> + Send,
    {
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let workers = parallel.get().min(processors);
        let waiting = runtime()?;
        let (queue, jobs) = mpsc::channel(QUEUE);
        let jobs = tokio::sync::Mutex::new(jobs);
        let done: Done<'_> = Mutex::new(done);
        std::thread::scope(|scope| {
            // The queue ends with this thread.
            scope.spawn(move || self.feed(downloads, &queue, &waiting));
            let threads: Vec<_> = (0..workers)
                .map(|worker| {
                    let share = parallel.get() / workers + usize::from(worker < parallel.get() % workers);
                    let (jobs, done, make_client) = (&jobs, &done, &make_client);
                    scope.spawn(move || -> Result<(), E> {
                        let downloader = self.with_client(make_client()?);
                        runtime()?.block_on(downloader.work(jobs, share, run, done));
                        Ok(())
                    })
                })
                .collect();
            let results: Vec<_> = threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
            // Wakes the feeder: no worker takes jobs any more.
            jobs.blocking_lock().close();
            let passed_on = |panic| std::panic::resume_unwind(panic);
            results.into_iter().try_for_each(|result| result.unwrap_or_else(passed_on))
        })
    }

    /// Queues the jobs as fast as the workers take them.
    fn feed(
        &self,
        mut downloads: impl Iterator<Item = Download>,
        queue: &mpsc::Sender<Download>,
        waiting: &Runtime,
    ) {
        // An error means that all workers have ended.
        while let Ok(permits) = waiting.block_on(queue.reserve_many(REFILL)) {
            for permit in permits {
                match downloads.next() {
                    Some(download) if !self.cancellation_token().is_cancelled() => permit.send(download),
                    _ => return,
                }
            }
        }
    }

    /// Runs up to `share` jobs at once until none is left.
    async fn work(
        &self,
        jobs: &tokio::sync::Mutex<mpsc::Receiver<Download>>,
        share: usize,
        run: &RunJob<'_>,
        done: &Done<'_>,
    ) {
        let mut running = JoinSet::new();
        tokio::spawn(keep_an_early_timer());
        let mut is_open = true;
        while is_open || !running.is_empty() {
            tokio::select! {
                job = next(jobs), if is_open && running.len() < share => match job {
                    Some(job) if !self.cancellation_token().is_cancelled() => {
                        let result = run(self.clone(), job.clone());
                        running.spawn(async move { (job, result.await) });
                    }
                    _ => is_open = false,
                },
                Some(ended) = running.join_next(), if !running.is_empty() => {
                    let (job, result) = ended.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
                    (done.lock().unwrap_or_else(PoisonError::into_inner))(job, result);
                }
            }
        }
    }
}

/// Returns the next job; `None` at the end.
async fn next(jobs: &tokio::sync::Mutex<mpsc::Receiver<Download>>) -> Option<Download> {
    // The common case needs no wakeup: a job is queued and no other worker is taking one.
    if let Ok(mut jobs) = jobs.try_lock()
        && let Ok(job) = jobs.try_recv()
    {
        return Some(job);
    }
    jobs.lock().await.recv().await
}

/// Keeps a timer that nearly always is the next one to expire.
///
/// A runtime wakes its thread, with a system call, for each timer that is earlier than all others, and a download begins
/// and ends several. While this one is earlier, none of them does.
async fn keep_an_early_timer() {
    loop {
        tokio::time::sleep(TICK / 2).await;
    }
}

/// Creates a runtime for one thread.
pub(crate) fn runtime() -> Result<Runtime, TransferError> {
    Builder::new_current_thread().enable_all().build().map_err(|error| {
        TransferError::new(FailureKind::Local, RetryAction::Retry, "failed to start a runtime")
            .with_source(error)
    })
}
