//! `scitoken condor-plugin`: the transfer engine of an HTCondor pool.
//!
//! HTCondor calls a plugin with `-classad` to learn what it can, and with `-infile IN -outfile OUT [-upload]` to move
//! files: `IN` has a ClassAd for each file (`Url`, `LocalFileName`), `OUT` gets one back for each (multi-file protocol,
//! HTCondor 8.9 and later).

mod classad;
mod result;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use clap::Args;
use reqwest_scitokens::download::{Download, FileNumber, TransferError, Upload};
use reqwest_scitokens::sys::{Clock as _, SystemClock};
use url::Url;

use self::classad::Ad;
use self::result::Transferred;
use super::get::parse_url;
use crate::connect::Connect;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::print;
use crate::settings::{self, Settings};
use crate::signals;
use crate::transfer::{Tries, block_on, gravity};

/// Move files for HTCondor, as its file transfer plugin
///
/// In the pool's configuration: `FILETRANSFER_PLUGINS = $(FILETRANSFER_PLUGINS) /usr/libexec/condor/scitoken_plugin`,
/// where `scitoken_plugin` is a link to this program. Under a name with `plugin` in it the program is this command.
#[derive(Debug, Args)]
pub(crate) struct CondorPlugin {
    /// Print what the plugin can
    #[arg(long, required_unless_present = "infile")]
    classad: bool,
    /// The ClassAds of the files to move
    #[arg(long, value_name = "FILE", requires = "outfile")]
    infile: Option<PathBuf>,
    /// Where the ClassAds of the results go
    #[arg(long, value_name = "FILE")]
    outfile: Option<PathBuf>,
    /// Upload the files instead
    #[arg(long)]
    upload: bool,
    #[command(flatten)]
    tries: Tries,
    #[command(flatten)]
    connect: Connect,
}

/// One file to move.
#[derive(Clone, Debug)]
struct Order {
    url: Url,
    file: PathBuf,
}

impl CondorPlugin {
    pub(crate) fn run(&self, settings: &Settings) -> Result<Exit, Failure> {
        let (Some(infile), Some(outfile)) = (&self.infile, &self.outfile) else {
            return Ok(about());
        };
        let orders = read_orders(infile)?;
        let results = Mutex::new(Vec::with_capacity(orders.len()));
        let done = |result: Transferred| results.lock().unwrap_or_else(PoisonError::into_inner).push(result);
        let moved = if self.upload {
            self.upload(&orders, settings, &done)
        } else {
            self.download(&orders, settings, &done)
        };
        let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        results.sort_by_key(|result| result.number);
        // The results of what was moved count, also when not everything could be.
        write_results(outfile, &results)?;
        moved?;
        let exits = results.iter().map(|result| result.exit);
        Ok(exits.max_by_key(|exit| gravity(*exit)).unwrap_or(Exit::Ok))
    }

    fn download(
        &self,
        orders: &[Order],
        settings: &Settings,
        done: &(dyn Fn(Transferred) + Sync),
    ) -> Result<(), Failure> {
        let engine = self.tries.engine(&self.connect, settings, 1)?;
        signals::watch(engine.downloader.stopper().clone());
        let jobs = settings.choose(None, settings::JOBS)?.unwrap_or(NonZeroUsize::MIN.saturating_add(3));
        let began = Mutex::new(vec![SystemClock.now(); orders.len()]);
        let downloads = orders.iter().enumerate().filter_map(|(n, order)| {
            began.lock().unwrap_or_else(PoisonError::into_inner)[n] = SystemClock.now();
            match Download::new(order.url.clone(), &order.file) {
                Ok(download) => Some(download.with_number(FileNumber(n as u64))),
                Err(failure) => {
                    done(Transferred::failed(
                        n,
                        order,
                        SystemClock.now(),
                        &failure,
                        self.tries.exit(&failure),
                    ));
                    None
                }
            }
        });
        engine.downloader.download_all(
            downloads,
            jobs,
            || engine.connector.client(),
            |job, result| {
                let n = usize::try_from(job.number().0).unwrap_or_default();
                let began = began.lock().unwrap_or_else(PoisonError::into_inner)[n];
                done(match result {
                    Ok(file) => Transferred::done(n, &orders[n], began, file.length),
                    Err(failure) => {
                        Transferred::failed(n, &orders[n], began, &failure, self.tries.exit(&failure))
                    }
                });
            },
        )
    }

    fn upload(
        &self,
        orders: &[Order],
        settings: &Settings,
        done: &(dyn Fn(Transferred) + Sync),
    ) -> Result<(), Failure> {
        let engine = self.tries.engine(&self.connect, settings, 1)?;
        signals::watch(engine.downloader.stopper().clone());
        for (n, order) in orders.iter().enumerate() {
            let began = SystemClock.now();
            let result: Result<_, TransferError> = match Upload::new(&order.file, order.url.clone()) {
                Ok(upload) => block_on(engine.downloader.upload(&upload))?,
                Err(failure) => Err(failure),
            };
            done(match result {
                Ok(uploaded) => Transferred::done(n, order, began, uploaded.length).of_upload(),
                Err(failure) => {
                    Transferred::failed(n, order, began, &failure, self.tries.exit(&failure)).of_upload()
                }
            });
        }
        Ok(())
    }
}

/// What HTCondor learns of the plugin.
fn about() -> Exit {
    print::line("MultipleFileSupport = true");
    print::line("PluginType = \"FileTransfer\"");
    print::line(&format!("PluginVersion = \"{}\"", env!("CARGO_PKG_VERSION")));
    print::line("SupportedMethods = \"https,http,davs,dav\"");
    Exit::Ok
}

fn read_orders(infile: &Path) -> Result<Vec<Order>, Failure> {
    let text = fs_err::read_to_string(infile).map_err(|error| Failure::from_error(Exit::Local, &error))?;
    let wrong = |what: String| Failure::new(Exit::Usage, format!("`{}`: {what}", infile.display()));
    let ads = classad::parse(&text).map_err(|error| wrong(error.to_string()))?;
    ads.iter()
        .map(|ad: &Ad| {
            let get = |name: &str| ad.text(name).ok_or_else(|| wrong(format!("a ClassAd has no `{name}`")));
            Ok(Order { url: parse_url(get("Url")?)?, file: get("LocalFileName")?.into() })
        })
        .collect()
}

fn write_results(outfile: &Path, results: &[Transferred]) -> Result<(), Failure> {
    let text: String = results.iter().map(ToString::to_string).collect();
    fs_err::write(outfile, text).map_err(|error| Failure::from_error(Exit::Local, &error))
}
