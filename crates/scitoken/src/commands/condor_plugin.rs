//! `scitoken condor-plugin`: the file transfer plugin for HTCondor.
//!
//! HTCondor calls a plugin with `-classad` to learn what it supports, and with `-infile IN -outfile OUT [-upload]` to move
//! files: `IN` has a ClassAd for each file (`Url`, `LocalFileName`), `OUT` gets one back for each (multi-file protocol,
//! HTCondor 8.9 and later).

mod order;
mod pelican;
mod requests;
mod result;
mod result_file;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use clap::Args;
use scitoken_transfer::federation::{Federation, FederationUrl};
use scitoken_transfer::{Download, Downloaded, FileNumber, TransferError, Upload};
use scitoken_types::SafeUrl;
use scitoken_types::sys::{Clock as _, SystemClock};
use serde_json::json;

use self::order::{Order, Scratch, is_one_file, read_orders};
use self::requests::Requests;
use self::result::Transferred;
use self::result_file::ResultFile;
use crate::args::{ConnectionArgs, FederationArgs, RetryArgs};
use crate::context::Context;
use crate::engine::Engine;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::runtime::block_on;
use crate::settings;
use crate::signals;
use crate::targets::{Destinations, Targets};

/// Transfer files for HTCondor, as its file transfer plugin
///
/// HTCondor runs it by a link to this program whose name contains `plugin`, named in the pool's configuration:
/// `FILETRANSFER_PLUGINS = $(FILETRANSFER_PLUGINS), /usr/libexec/condor/scitoken_plugin`.
#[derive(Debug, Args)]
pub(crate) struct CondorPlugin {
    /// Print the plugin's capabilities
    #[arg(long, required_unless_present = "infile")]
    classad: bool,
    /// Read the ClassAds of the files to transfer from this file
    #[arg(long, value_name = "FILE", requires = "outfile")]
    infile: Option<PathBuf>,
    /// Write the ClassAds of the results to this file
    #[arg(long, value_name = "FILE")]
    outfile: Option<PathBuf>,
    /// Upload the files instead of downloading them
    #[arg(long)]
    upload: bool,
    /// Exit as Pelican's plugin does, which is the default for names of objects: 1 for a failure, 11 for one that may pass
    #[arg(long)]
    pelican_exit_codes: bool,
    #[command(flatten)]
    retry: RetryArgs,
    #[command(flatten)]
    federation: FederationArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl CondorPlugin {
    /// Transfers the files, and writes a result for each: HTCondor treats a missing one as a broken plugin.
    pub(crate) fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let (Some(infile), Some(outfile)) = (&self.infile, &self.outfile) else {
            return capabilities(context);
        };
        if is_one_file(infile, outfile) {
            let problem = format!("`{}` cannot be both `-infile` and `-outfile`", outfile.display());
            return Err(Failure::new(Exit::Usage, problem).with_hint("name another file with `-outfile`"));
        }
        // Results of an earlier run must not pass for this one's.
        let results = ResultFile::create(outfile)?;
        let requested = match read_orders(infile, [infile, outfile]) {
            Ok(requested) => requested,
            Err(failure) => {
                results.add(&Transferred::not_started(0, "", "", &failure));
                results.finish()?;
                return Self::exit(context, self.pelican_exit_codes, Err(failure), &results);
            }
        };
        let orders: Vec<Order> =
            requested.iter().filter_map(|requested| requested.order.as_ref().ok().cloned()).collect();
        for (number, requested) in requested.iter().enumerate() {
            if let Err(why) = &requested.order {
                results.add(&Transferred::not_started(number, &requested.url, &requested.file, why));
            }
        }
        let moved = if self.upload {
            self.upload(context, &orders, &results)
        } else {
            self.download(context, &orders, &results)
        };
        let rest = Failure::new(Exit::TryLater, "the plugin was stopped before this transfer");
        let rest = moved.as_ref().err().unwrap_or(&rest);
        for (number, requested) in requested.iter().enumerate() {
            if !results.has(number) {
                results.add(&Transferred::not_started(number, &requested.url, &requested.file, rest));
            }
        }
        let exit = results.finish()?;
        let has_names = requested.iter().any(|requested| FederationUrl::has_scheme(&requested.url));
        let exit = Self::exit(context, self.pelican_exit_codes || has_names, moved.map(|()| exit), &results)?;
        let members = json!({ "exit": exit as u8, "results": outfile.display().to_string() });
        context.output.object(exit == Exit::Ok, members)?;
        Ok(exit)
    }

    /// Returns how the run ended, in the codes of this program or of Pelican's plugin.
    fn exit(
        context: &Context,
        is_pelicans: bool,
        ended: Result<Exit, Failure>,
        results: &ResultFile,
    ) -> Result<Exit, Failure> {
        match ended {
            ended if !is_pelicans => ended,
            Ok(Exit::Ok) => Ok(Exit::Ok),
            Ok(_) => Ok(if results.all_may_pass() { Exit::TryLater } else { Exit::No }),
            Err(failure) => {
                let exit = failure.report(context.output);
                Ok(if exit == Exit::TryLater { exit } else { Exit::No })
            }
        }
    }

    /// Returns the engine, and the requests that it makes.
    fn engine(&self, context: &Context) -> Result<(Engine, Requests), Failure> {
        let mut engine =
            Engine::new(context, &self.retry, &self.connection, 1)?.with_bandwidth_limit(context, None)?;
        signals::cancel_at_first(engine.downloader.cancellation_token().clone());
        let requests = Requests::default();
        engine.downloader = engine.downloader.with_reporter(requests.reporter());
        Ok((engine, requests))
    }

    fn download(&self, context: &Context, orders: &[Order], results: &ResultFile) -> Result<(), Failure> {
        let (engine, requests) = self.engine(context)?;
        let jobs = context.settings()?.choose(None, settings::JOBS)?;
        let jobs = jobs.unwrap_or(NonZeroUsize::MIN.saturating_add(3));
        let began = Mutex::new(vec![SystemClock.now(); orders.len()]);
        let scratch = Scratch::open().map_err(|error| self.retry.failure(&error))?;
        let mut targets = Targets::default();
        let downloads = orders.iter().enumerate().filter_map(|(n, order)| {
            began.lock().unwrap_or_else(PoisonError::into_inner)[n] = SystemClock.now();
            let download = match order.download(&scratch) {
                Ok(download) => download.with_number(FileNumber(n as u64)),
                Err(error) => {
                    let exit = self.retry.exit(&error);
                    let failed = Transferred::failed(order, SystemClock.now(), &error, exit, &[]);
                    results.add(&failed.with_type(DOWNLOAD));
                    return None;
                }
            };
            if let Err(failure) = targets.claim(&download) {
                let (url, file) = (SafeUrl::new(&order.url).to_string(), order.file.display().to_string());
                let failed = Transferred::not_started(order.number, &url, &file, &failure);
                results.add(&failed.with_type(DOWNLOAD));
                return None;
            }
            Some(download)
        });
        let done = |job: Download, result: Result<Downloaded, TransferError>| {
            let n = usize::try_from(job.number().0).unwrap_or_default();
            let began = began.lock().unwrap_or_else(PoisonError::into_inner)[n];
            let requests = requests.take(job.number());
            let transferred = match result {
                Ok(file) => Transferred::done(&orders[n], began, file.length, &file.verification, &requests),
                Err(error) => {
                    Transferred::failed(&orders[n], began, &error, self.retry.exit(&error), &requests)
                }
            };
            results.add(&transferred.with_type(DOWNLOAD));
        };
        let make_client = || engine.sessions.client();
        match self.federation(context, &engine, orders)? {
            Some(names) => names.download_all(&engine.downloader, downloads, jobs, make_client, done),
            None => engine.downloader.download_all(downloads, jobs, make_client, done),
        }
    }

    /// Returns what resolves names of objects, if there are any.
    fn federation(
        &self,
        context: &Context,
        engine: &Engine,
        orders: &[Order],
    ) -> Result<Option<Federation>, Failure> {
        let has_names = orders.iter().any(|order| FederationUrl::has_scheme(order.url.as_str()));
        has_names.then(|| engine.federation(context, &self.federation)).transpose()
    }

    fn upload(&self, context: &Context, orders: &[Order], results: &ResultFile) -> Result<(), Failure> {
        let (engine, requests) = self.engine(context)?;
        let federation = self.federation(context, &engine, orders)?;
        let mut destinations = Destinations::default();
        for (n, order) in orders.iter().enumerate() {
            let number = FileNumber(n as u64);
            let is_same = |other: &Order| other.url == order.url && other.file == order.file;
            let claimed = destinations.claim_named(&order.file.display().to_string(), &order.url);
            // The same order again has the same outcome.
            if let Err(failure) = claimed
                && !orders[..n].iter().any(is_same)
            {
                let (url, file) = (SafeUrl::new(&order.url).to_string(), order.file.display().to_string());
                results.add(&Transferred::not_started(order.number, &url, &file, &failure).with_type(UPLOAD));
                continue;
            }
            let began = SystemClock.now();
            let result: Result<_, TransferError> = block_on(async {
                if let (Some(names), Ok(name)) = (&federation, FederationUrl::try_from(&order.url)) {
                    let numbered = |upload: Upload| upload.with_number(number);
                    return names.upload(&engine.downloader, &order.file, &name, numbered).await;
                }
                let upload = Upload::new(&order.file, order.url.clone())?.with_number(number);
                engine.downloader.upload(&upload).await
            })?;
            let requests = requests.take(number);
            let transferred = match result {
                Ok(uploaded) => {
                    Transferred::done(order, began, uploaded.length, &uploaded.verification, &requests)
                }
                Err(error) => Transferred::failed(order, began, &error, self.retry.exit(&error), &requests),
            };
            results.add(&transferred.with_type(UPLOAD));
        }
        Ok(())
    }
}

/// The values of `TransferType`.
const DOWNLOAD: &str = "download";
const UPLOAD: &str = "upload";

/// Writes the result of a plugin that cannot start for a command line that it cannot read: what an earlier run wrote must not
/// pass for this one's.
pub(crate) fn report_to_condor(arguments: &[String], failure: &Failure) {
    let is_plugin = arguments.iter().any(|argument| argument == "condor-plugin");
    let outfile = arguments.iter().position(|argument| matches!(argument.as_str(), "--outfile" | "-outfile"));
    let Some(outfile) = outfile.and_then(|at| arguments.get(at + 1)).filter(|_| is_plugin) else { return };
    if let Ok(results) = ResultFile::create(outfile.as_ref()) {
        results.add(&Transferred::not_started(0, "", "", failure));
        // The exit code reports the failure in any case.
        let _ = results.finish();
    }
}

/// Prints what HTCondor needs to know about the plugin.
fn capabilities(context: &Context) -> Result<Exit, Failure> {
    const METHODS: &str = "https,http,davs,dav,osdf,pelican,stash";
    const VERSION: &str = env!("CARGO_PKG_VERSION");
    let ad = format!(
        "MultipleFileSupport = true\nPluginType = \"FileTransfer\"\nPluginVersion = \"{VERSION}\"\n\
         ProtocolVersion = 2\nSupportedMethods = \"{METHODS}\""
    );
    context.output.data(&ad, json!({ "classad": ad }))?;
    Ok(Exit::Ok)
}
