//! `scitoken put`.

mod args;
mod plan;

use std::time::Duration;

use scitoken_transfer::federation::{Federation, FederationUrl};
use scitoken_transfer::{
    DigestAlgorithm, Downloader, EntryKind, FailureKind, FileNumber, Overwrite, TransferError, TransferHint,
    TreeEntry, Upload, UploadTree, Uploaded, Verification, events,
};
use scitoken_types::SafeUrl;
use serde_json::json;
use url::Url;

pub(crate) use self::args::Put;
use self::plan::{Plan, Planned, Source};
use super::remote::{ensure_directory, parent};
use crate::context::Context;
use crate::engine::Engine;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::hints;
use crate::progress::{FinalLines, ProgressOptions, ProgressThread};
use crate::runtime::block_on;
use crate::signals;
use crate::targets::Destinations;

/// The outcome of a run so far.
#[derive(Debug)]
struct Tally {
    exit: Exit,
    done: u64,
    /// The files that began.
    total: u64,
    /// The files and directories that failed.
    failed: u64,
    not_started: u64,
}

impl Tally {
    /// Returns the last line of a run of several files.
    fn line(&self) -> String {
        // A failed directory is no file.
        let all = self.total.max(self.done + self.failed) + self.not_started;
        let counts = [(self.failed, "failed"), (self.not_started, "not started")];
        let counts =
            counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!(", {count} {what}"));
        format!("{} of {all} files uploaded{}", self.done, counts.collect::<String>())
    }

    fn failed(&mut self, context: &Context, failure: &Failure) {
        self.failed += 1;
        self.exit = self.exit.more_severe(failure.report(context.output));
    }
}

impl Put {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, Failure> {
        let algorithm = match self.checksum.as_str() {
            "none" => None,
            name => Some(
                name.parse::<DigestAlgorithm>().map_err(|error| {
                    Failure::from_error(Exit::Usage, &error).with_hint(
                        "name the algorithm alone, as in `--checksum adler32`: the value is that of the local file",
                    )
                })?,
            ),
        };
        let Plan { items, mut destinations } = Plan::new(&self)?;
        let engine = Engine::new(context, &self.transfer.retry, &self.transfer.connection, 1)?;
        let engine = engine.with_bandwidth_limit(context, Some(&self.transfer.rate))?;
        let cancellation = engine.downloader.cancellation_token().clone();
        signals::cancel_at_first(cancellation.clone());
        if self.create_dirs {
            self.create_parent(&engine, &items)?;
        }
        let is_single = matches!(items[..], [Planned::File(_)]);
        let mut tally = Tally { exit: Exit::Ok, done: 0, total: 0, failed: 0, not_started: 0 };
        for planned in items {
            if cancellation.is_cancelled() {
                tally.not_started += planned.files();
                continue;
            }
            match planned {
                Planned::File(source) => {
                    if let Err(failure) = self.put_file(context, &engine, algorithm, &source, &mut tally)? {
                        if is_single {
                            return Err(failure);
                        }
                        tally.failed(context, &failure);
                    }
                }
                Planned::Tree(tree) => {
                    self.put_tree(context, &engine, algorithm, tree, (&mut tally, &mut destinations))?;
                }
            }
        }
        if cancellation.is_cancelled() {
            tally.exit = tally.exit.more_severe(Exit::TryLater);
        }
        if !is_single {
            context.output.status(&tally.line());
        }
        Ok(tally.exit)
    }

    /// Creates the directories of a tree and uploads its files; a failure does not end it.
    fn put_tree(
        &self,
        context: &Context,
        engine: &Engine,
        algorithm: Option<DigestAlgorithm>,
        tree: UploadTree,
        (tally, destinations): (&mut Tally, &mut Destinations),
    ) -> Result<(), Failure> {
        for entry in tree {
            if engine.downloader.cancellation_token().is_cancelled() {
                tally.not_started += u64::from(matches!(&entry, Ok(entry) if entry.kind == EntryKind::File));
                continue;
            }
            let is_directory = matches!(&entry, Ok(entry) if entry.kind == EntryKind::Directory);
            let done = match entry {
                Err(error) => Err(self.transfer.retry.failure(&error).with_optional_hint(None)),
                Ok(TreeEntry { path, url, kind: EntryKind::File }) => {
                    let source = Source::of_tree(path, url);
                    match destinations.claim(&source.name, &source.target) {
                        Ok(()) => self.put_file(context, engine, algorithm, &source, tally)?,
                        Err(failure) => Err(failure),
                    }
                }
                Ok(directory) => match self.make_directory(engine, &directory.url) {
                    Ok(true) => {
                        let url = SafeUrl::new(&directory.url).to_string();
                        context.output.object(true, json!({ "url": url, "created": true }))?;
                        Ok(())
                    }
                    Ok(false) => Ok(()),
                    Err(failure) => Err(failure),
                },
            };
            if let Err(failure) = done {
                let is_interrupted = engine.downloader.cancellation_token().is_cancelled();
                if is_interrupted && is_directory {
                    // The files in it count as not started.
                    tally.exit = tally.exit.more_severe(failure.report(context.output));
                } else {
                    tally.failed(context, &failure);
                }
            }
        }
        Ok(())
    }

    /// Creates a directory of a tree, unless it exists; returns whether it is new.
    fn make_directory(&self, engine: &Engine, url: &Url) -> Result<bool, Failure> {
        if FederationUrl::has_scheme(url.as_str()) {
            // Origins create the collections of an object.
            return Ok(false);
        }
        ensure_directory(&self.transfer.retry, engine, url, self.create_dirs)
    }

    fn put_file(
        &self,
        context: &Context,
        engine: &Engine,
        algorithm: Option<DigestAlgorithm>,
        source: &Source,
        tally: &mut Tally,
    ) -> Result<Result<(), Failure>, Failure> {
        let number = FileNumber(tally.total);
        tally.total += 1;
        let prepare = |upload: Upload| {
            let upload = if source.is_copy() { upload.with_name(&source.name) } else { upload };
            upload.with_number(number).with_algorithm(algorithm).with_overwrite(if self.no_clobber {
                Overwrite::Refuse
            } else {
                Overwrite::Allow
            })
        };
        match self.upload(context, engine, source, prepare)? {
            Ok(uploaded) => {
                tally.done += 1;
                report(context, source, &uploaded, algorithm.is_some()).map(Ok)
            }
            Err(error) => Ok(Err(self.failure(source, &error))),
        }
    }

    fn upload(
        &self,
        context: &Context,
        engine: &Engine,
        source: &Source,
        prepare: impl FnOnce(Upload) -> Upload,
    ) -> Result<Result<Uploaded, TransferError>, Failure> {
        let federation = self.resolver(context, engine)?;
        let options = ProgressOptions {
            mode: self.transfer.progress,
            output: context.output,
            stdout_has_data: false,
            final_lines: FinalLines::ByCommand,
            retry_exit_code: self.transfer.retry.retry_exit_code,
            interval: self.transfer.progress_interval.duration().max(Duration::from_millis(100)),
        };
        if options.is_silent() {
            return block_on(upload(&engine.downloader, federation, source, prepare));
        }
        let (reporter, stream) = events();
        let thread = ProgressThread::start(stream, options, Some(1))?;
        let downloader = engine.downloader.clone().with_reporter(reporter);
        let result = block_on(upload(&downloader, federation, source, prepare));
        drop(downloader);
        thread.join();
        result
    }

    /// Returns what resolves names of objects, if the target is one.
    fn resolver(&self, context: &Context, engine: &Engine) -> Result<Option<&Federation>, Failure> {
        if !FederationUrl::has_scheme(&self.url) {
            return Ok(None);
        }
        if self.resolver.get().is_none() {
            let federation = engine.federation(context, &self.transfer.federation)?;
            return Ok(Some(self.resolver.get_or_init(|| federation)));
        }
        Ok(self.resolver.get())
    }

    fn create_parent(&self, engine: &Engine, plan: &[Planned]) -> Result<(), Failure> {
        let target = plan.iter().find_map(|planned| match planned {
            Planned::File(source) => Some(&source.target),
            // Its own directories are created with their parents.
            Planned::Tree(_) => None,
        });
        match target.and_then(parent) {
            // Origins create the collections of an object.
            Some(parent) if FederationUrl::has_scheme(parent.as_str()) => Ok(()),
            Some(parent) => ensure_directory(&self.transfer.retry, engine, &parent, true).map(drop),
            None => Ok(()),
        }
    }

    /// Returns the failure; a target that exists has its own exit code, and a missing parent a hint.
    fn failure(&self, source: &Source, error: &TransferError) -> Failure {
        let failure = match (error.kind(), error.status().map(|status| status.as_u16())) {
            (FailureKind::Rejected, Some(409)) if !self.create_dirs => self
                .transfer
                .retry
                .failure(error)
                .with_hint("the parent directory may not exist; `--create-dirs` creates it"),
            (FailureKind::Local, _) if source.is_stream() => self
                .transfer
                .retry
                .failure(error)
                .with_hint("`-` sends what standard input has: `scitoken put - URL < FILE`, or `COMMAND | scitoken put - URL`"),
            (FailureKind::Local, _) => {
                let is_kept = |hint: &&TransferHint| {
                    matches!(hint, TransferHint::SendCopy | TransferHint::UploadAgain)
                };
                let hint = error.hint().filter(is_kept);
                let hint = hint.and_then(|_| hints::of_transfer(error));
                self.transfer.retry.failure(error).with_optional_hint(hint)
            }
            // An upload is not resumed.
            (FailureKind::Incomplete | FailureKind::Interrupted, _) => self
                .transfer
                .retry
                .failure(error)
                .with_hint("run the same command again to upload the file from the start"),
            (FailureKind::Timeout, _) if error.hint() == Some(&TransferHint::AllowMoreTime) => self
                .transfer
                .retry
                .failure(error)
                .with_hint("allow more time with `--max-time`: an upload starts again from the beginning"),
            (FailureKind::Server, _) => self.transfer.retry.failure(error).with_hint("try again later"),
            _ => self.transfer.retry.failure(error),
        };
        failure.with_missing_subject(&[], &source.name)
    }
}

/// Uploads a file to a server, or to the origin of an object in a federation.
async fn upload(
    downloader: &Downloader,
    federation: Option<&Federation>,
    source: &Source,
    prepare: impl FnOnce(Upload) -> Upload,
) -> Result<Uploaded, TransferError> {
    if let (Some(federation), Ok(name)) = (federation, FederationUrl::try_from(&source.target)) {
        return federation.upload(downloader, &source.path, &name, prepare).await;
    }
    let upload = Upload::new(&source.path, source.target.clone())?;
    downloader.upload(&prepare(upload)).await
}

fn report(context: &Context, source: &Source, uploaded: &Uploaded, is_compared: bool) -> Result<(), Failure> {
    let url = SafeUrl::new(&source.target).to_string();
    context.output.object(
        true,
        json!({ "file": source.name, "url": url, "length": uploaded.length, "verified": uploaded.verification }),
    )?;
    let verified = match &uploaded.verification {
        Verification::NotAvailable if is_compared => "the server offers no checksum".to_owned(),
        Verification::NotAvailable => "no checksum was compared".to_owned(),
        other => other.to_string(),
    };
    context.output.status(&format!("{} -> {url}: {} bytes, {verified}", source.name, uploaded.length));
    Ok(())
}
