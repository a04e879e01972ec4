//! Many files at once, in bounded memory, on threads that don't share connections.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use reqwest_middleware::ClientWithMiddleware;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::downloader::Downloader;
use super::error::{FailureKind, Remedy, TransferError};
use super::job::{Download, Downloaded};

/// Jobs that wait for a worker.
const QUEUE: usize = 64;
/// So many are made in one go: waking the thread that makes them for each one would cost more than a small file.
const REFILL: usize = QUEUE / 2;

/// What becomes of each file: the job, and how it ended.
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

    /// Downloads many files, up to `parallel` at once, and tells `done` of each as it ends.
    ///
    /// It blocks until all are done or the [`stopper`](Self::stopper) stops them. `downloads` is read as it is needed,
    /// so it may be endless; memory does not grow with it. The work is done on threads of its own, as many as there
    /// are processors, each with a small runtime and a client from `make_client`: a body that crossed threads would
    /// cost twice the time. All of them share budget, servers and stopper.
    ///
    /// From async code, call it inside of `tokio::task::spawn_blocking`.
    ///
    /// ```no_run
    /// # use reqwest_scitokens::{Session, download::{Download, Downloader}};
    /// # fn example(downloads: Vec<Download>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    /// let downloader = Downloader::new(Session::new()?.client().clone());
    /// let client = || Ok::<_, Box<dyn std::error::Error + Send + Sync>>(Session::new()?.client().clone());
    /// downloader.download_all(downloads.into_iter(), 8.try_into()?, client, |download, result| match result {
    ///     Ok(file) => println!("{}: {} bytes", download.url(), file.length),
    ///     Err(error) => eprintln!("{}: {error}", download.url()),
    /// })
    /// # }
    /// ```
    ///
    /// # Errors
    /// When a client or a thread cannot be had. What becomes of a file is told to `done` only.
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
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let workers = parallel.get().min(processors);
        let waiting = runtime()?;
        let (queue, jobs) = mpsc::channel(QUEUE);
        let jobs = tokio::sync::Mutex::new(jobs);
        let done: Done<'_> = Mutex::new(&mut done);
        std::thread::scope(|scope| {
            // It ends the queue with itself.
            scope.spawn(move || self.feed(downloads, &queue, &waiting));
            let threads: Vec<_> = (0..workers)
                .map(|worker| {
                    let share = parallel.get() / workers + usize::from(worker < parallel.get() % workers);
                    let (jobs, done, make_client) = (&jobs, &done, &make_client);
                    scope.spawn(move || -> Result<(), E> {
                        let downloader = self.with_client(make_client()?);
                        runtime()?.block_on(downloader.work(jobs, share, done));
                        Ok(())
                    })
                })
                .collect();
            let results: Vec<_> = threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
            // The feeder waits for room that nobody would make any more.
            jobs.blocking_lock().close();
            let passed_on = |panic| std::panic::resume_unwind(panic);
            results.into_iter().try_for_each(|result| result.unwrap_or_else(passed_on))
        })
    }

    /// Hands the jobs on, as fast as they are taken.
    fn feed(
        &self,
        mut downloads: impl Iterator<Item = Download>,
        queue: &mpsc::Sender<Download>,
        waiting: &Runtime,
    ) {
        // No room and no end: all workers are gone.
        while let Ok(room) = waiting.block_on(queue.reserve_many(REFILL)) {
            for place in room {
                match downloads.next() {
                    Some(download) if !self.stopper().is_stopped() => place.send(download),
                    _ => return,
                }
            }
        }
    }

    /// Works on up to `share` jobs at once until there are none left.
    async fn work(&self, jobs: &tokio::sync::Mutex<mpsc::Receiver<Download>>, share: usize, done: &Done<'_>) {
        let mut running = JoinSet::new();
        let mut is_open = true;
        while is_open || !running.is_empty() {
            tokio::select! {
                job = next(jobs), if is_open && running.len() < share => match job {
                    Some(job) if !self.stopper().is_stopped() => {
                        let downloader = self.clone();
                        running.spawn(async move {
                            let result = downloader.download(job.clone()).await;
                            (job, result)
                        });
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

/// The next job; `None` when there are none left.
async fn next(jobs: &tokio::sync::Mutex<mpsc::Receiver<Download>>) -> Option<Download> {
    // Mostly there is one, and nobody else is just taking one: then no worker has to wake another.
    if let Ok(mut jobs) = jobs.try_lock()
        && let Ok(job) = jobs.try_recv()
    {
        return Some(job);
    }
    jobs.lock().await.recv().await
}

/// A runtime for one thread.
pub(super) fn runtime() -> Result<Runtime, TransferError> {
    Builder::new_current_thread().enable_all().build().map_err(|error| {
        TransferError::new(FailureKind::Local, Remedy::Again, "the system gives no more threads or files")
            .with_source(error)
    })
}
