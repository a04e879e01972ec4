//! Copies between servers.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest_scitokens::FileSource;
use scitoken_transfer::copy::{Copied, Copier, CopyMode, RemoteCopy, Streaming};
use scitoken_transfer::{FileNumber, ListEntry, Overwrite, TransferError, events, file_name};
use scitoken_types::SafeUrl;
use url::Url;

use super::args::Copy;
use super::names::{Names, Side};
use super::results::report;
use crate::commands::get::read_list;
use crate::commands::remote::parent;
use crate::context::Context;
use crate::engine::Engine;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::progress::{FinalLines, ProgressOptions, ProgressThread};
use crate::runtime::block_on;
use crate::settings;
use crate::signals;
use crate::targets::Destinations;

/// What became of the files.
#[derive(Debug)]
struct Outcome {
    exit: Exit,
    done: u64,
    failed: u64,
}

impl Copy {
    pub(super) fn between_servers(
        &self,
        context: &Context,
        sources: &[Url],
        destination: &Url,
    ) -> Result<Exit, Failure> {
        let is_directory = destination.path().ends_with('/');
        if (sources.len() > 1 || self.input.is_some()) && !is_directory {
            return Err(Failure::new(Exit::Usage, "several files need a directory as destination")
                .with_hint("write a URL that ends in `/`"));
        }
        let engine = Engine::new(context, &self.transfer.retry, &self.transfer.connection, 1)?;
        let mut engine = engine.with_bandwidth_limit(context, Some(&self.transfer.rate))?;
        signals::cancel_at_first(engine.downloader.cancellation_token().clone());
        let files = (!self.recursive && self.input.is_none()).then_some(sources.len());
        let options = ProgressOptions {
            mode: self.transfer.progress,
            output: context.output,
            stdout_has_data: false,
            final_lines: FinalLines::ByCommand,
            retry_exit_code: self.transfer.retry.retry_exit_code,
            interval: self.transfer.progress_interval.duration().max(Duration::from_millis(100)),
        };
        let mut running = None;
        if !options.is_silent() {
            let (reporter, stream) = events();
            running = Some(ProgressThread::start(stream, options, files.map(|files| files as u64))?);
            engine.downloader = engine.downloader.with_reporter(reporter);
        }
        let names = Names::new(self, context, &engine, sources, destination)?;
        let result = self.copy_all(context, &engine, &names, sources, destination);
        drop(names);
        drop(engine);
        if let Some(running) = running {
            running.join();
        }
        let outcome = result?;
        let all = outcome.done + outcome.failed;
        if all != 1 || self.recursive {
            context.output.status(&format!("{} of {all} files copied", outcome.done));
        }
        Ok(outcome.exit)
    }

    fn copy_all(
        &self,
        context: &Context,
        engine: &Engine,
        names: &Names,
        sources: &[Url],
        destination: &Url,
    ) -> Result<Outcome, Failure> {
        let servers = self.copier(engine);
        let jobs = context.settings()?.choose(self.jobs, settings::JOBS)?;
        let jobs = jobs.unwrap_or(NonZeroUsize::MIN.saturating_add(3));
        let outcome = Mutex::new(Outcome { exit: Exit::Ok, done: 0, failed: 0 });
        let failed = |failure: Failure| {
            let exit = failure.report(context.output);
            let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
            outcome.failed += 1;
            outcome.exit = outcome.exit.more_severe(exit);
        };
        let done = |source: &Url, result: Result<Copied, TransferError>| match result {
            Ok(file) => {
                outcome.lock().unwrap_or_else(PoisonError::into_inner).done += 1;
                // A closed pipe is noticed by the next command that writes.
                let _ = report(context, source, &file);
            }
            Err(error) => failed(self.failure(source, &error)),
        };
        let mut destinations = Destinations::default();
        if self.recursive {
            let mut number = 0;
            let target = |source| {
                let target =
                    if sources.len() > 1 { target_of(source, destination)? } else { destination.clone() };
                destinations.claim_named(&SafeUrl::new(source).to_string(), &target)?;
                Ok((source, target))
            };
            let targets = sources.iter().map(target).collect::<Result<Vec<_>, Failure>>()?;
            for (source, target) in targets {
                let (source, target) = (names.source(source)?, names.destination(&target)?);
                let servers = source.with_token(servers.clone(), Copier::with_source_token);
                let servers = target.with_token(servers, Copier::with_destination_token);
                let (prepare, first) = (|copy| self.prepare(copy), FileNumber(number));
                let copying = servers.copy_tree(&source.url, &target.url, first, jobs, prepare, done);
                number += block_on(copying)?;
            }
        } else {
            if self.create_dirs {
                self.create_parents(&servers, names, sources.first(), destination)?;
            }
            let files = self.copies(engine, names, destinations, sources, destination, &failed)?;
            block_on(servers.copy_all(files, jobs, done))?;
        }
        Ok(outcome.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns what copies, with the tokens of both sides.
    fn copier(&self, engine: &Engine) -> Copier {
        let mut copier = Copier::new(&engine.downloader).with_tokens(engine.sessions.tokens());
        if let Some(file) = &self.source_token_file {
            copier = copier.with_source_token(FileSource::new(file));
        }
        if let Some(file) = &self.destination_token_file {
            copier = copier.with_destination_token(FileSource::new(file));
        }
        copier
    }

    /// Returns the copies of the command line and of the list, as they become known.
    fn copies<'c>(
        &'c self,
        engine: &Engine,
        names: &Names,
        mut destinations: Destinations,
        sources: &'c [Url],
        destination: &'c Url,
        failed: &'c (impl Fn(Failure) + 'c),
    ) -> Result<impl Iterator<Item = RemoteCopy> + 'c, Failure> {
        let given = sources.iter().map(|source| {
            let target = if destination.path().ends_with('/') {
                target_of(source, destination)?
            } else {
                destination.clone()
            };
            destinations.claim_named(&SafeUrl::new(source).to_string(), &target)?;
            self.one(&names.source(source)?, &names.destination(&target)?)
        });
        let given = given.collect::<Result<Vec<_>, Failure>>()?;
        // The entries of a list become known while copies run, so its directory is resolved once for all of them.
        let directory = if self.input.is_some() { Some(names.destination(destination)?) } else { None };
        let listed = match self.input.as_ref().zip(directory) {
            Some((list, directory)) => {
                // The director is asked on the thread that reads, while copies run.
                let (names, shown) = (names.clone(), list.display().to_string());
                let locate = move |entry: Result<ListEntry, String>| {
                    let entry = entry
                        .map_err(|problem| Failure::new(Exit::Usage, format!("`{shown}`: {problem}")))?;
                    let source = first_url(&entry)?;
                    Ok((names.source(&source)?, source, entry))
                };
                let listed = read_list(list, engine.downloader.cancellation_token(), locate)?;
                Some(listed.map(move |located: Result<_, Failure>| {
                    let (source, name, entry) = located?;
                    let target = |directory| target_in(directory, &name, &entry);
                    destinations.claim(&SafeUrl::new(&name).to_string(), &target(destination)?)?;
                    let copy = self.one(&source, &directory.at(target(&directory.url)?))?;
                    Ok(match entry.checksum {
                        Some(checksum) => copy.with_checksum(checksum),
                        None => copy,
                    })
                }))
            }
            None => None,
        };
        let listed = listed.into_iter().flatten();
        let copies = listed.filter_map(move |copy| copy.map_err(failed).ok());
        Ok((0..)
            .zip(given.into_iter().chain(copies))
            .map(|(number, copy)| copy.with_number(FileNumber(number))))
    }

    fn one(&self, source: &Side, destination: &Side) -> Result<RemoteCopy, Failure> {
        let copy = RemoteCopy::new(source.url.clone(), destination.url.clone())
            .map_err(|error| self.transfer.retry.failure(&error))?;
        let copy = source.with_token(copy, RemoteCopy::with_source_token);
        Ok(self.prepare(destination.with_token(copy, RemoteCopy::with_destination_token)))
    }

    /// Applies the flags to a copy.
    fn prepare(&self, copy: RemoteCopy) -> RemoteCopy {
        let copy = self.transfer_header.iter().fold(copy, |copy, header| {
            let (name, value) = header.parts();
            copy.with_transfer_header(name, value)
        });
        copy.with_mode(self.mode.map_or(CopyMode::Auto, CopyMode::from))
            .with_streaming(if self.stream { Streaming::Allowed } else { Streaming::Never })
            .with_overwrite(if self.no_clobber { Overwrite::Refuse } else { Overwrite::Allow })
            .with_checksum(self.checksum.clone().unwrap_or_default())
    }

    fn create_parents(
        &self,
        copier: &Copier,
        names: &Names,
        source: Option<&Url>,
        destination: &Url,
    ) -> Result<(), Failure> {
        let directory =
            if destination.path().ends_with('/') { Some(destination.clone()) } else { parent(destination) };
        let Some(directory) = directory else { return Ok(()) };
        let source = source.map(|source| names.source(source)).transpose()?;
        let directory = names.destination(&directory)?;
        let copier = directory.with_token(copier.clone(), Copier::with_destination_token);
        let created = async {
            if let Some(source) = source {
                let copier = source.with_token(copier.clone(), Copier::with_source_token);
                copier.check_tokens(&source.url, &directory.url).await?;
            }
            copier.make_directories(&directory.url).await
        };
        block_on(created)?.map_err(|error| self.transfer.retry.failure(&error))
    }
}

/// Returns the URL that is copied from; further ones of an entry are for downloads.
fn first_url(entry: &ListEntry) -> Result<Url, Failure> {
    let first = entry.urls.first().cloned();
    first.ok_or_else(|| Failure::new(Exit::Usage, format!("line {} of the list has no URL", entry.line)))
}

/// Returns the URL in a directory to which an entry of the list goes, whose URL there is `name`.
fn target_in(directory: &Url, name: &Url, entry: &ListEntry) -> Result<Url, Failure> {
    let Some(out) = &entry.out else { return target_of(name, directory) };
    let mut target = directory.clone();
    let mut segments = target.path_segments_mut().map_err(|()| unusable(name))?;
    segments.pop_if_empty();
    for component in out.components() {
        segments.push(component.as_os_str().to_str().ok_or_else(|| unusable(name))?);
    }
    drop(segments);
    Ok(target)
}

/// Returns the URL of a file of the source's name in a directory.
fn target_of(source: &Url, directory: &Url) -> Result<Url, Failure> {
    let mut trimmed = source.clone();
    trimmed.set_path(source.path().trim_end_matches('/'));
    let name = file_name(&trimmed).map_err(|error| {
        Failure::new(Exit::Usage, format!("`{}`: {error}", SafeUrl::new(source)))
            .with_hint("write the name of the target in the destination's URL")
    })?;
    let mut target = directory.clone();
    target.path_segments_mut().map_err(|()| unusable(source))?.pop_if_empty().push(&name);
    Ok(target)
}

fn unusable(source: &Url) -> Failure {
    Failure::new(Exit::Usage, format!("`{}` has no name for the destination", SafeUrl::new(source)))
}
