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
use reqwest_scitokens::SafeUrl;
use reqwest_scitokens::download::{Download, FileNumber, TransferError, Upload};
use reqwest_scitokens::sys::{Clock as _, SystemClock};
use url::Url;

use self::classad::Ad;
use self::result::Transferred;
use super::address::parse_url;
use crate::connect::Connect;
use crate::engine::{Tries, block_on, gravity};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::print;
use crate::settings::{self, Settings};
use crate::signals;

/// Move files for HTCondor, as its file transfer plugin
///
/// HTCondor calls it with a link to this program whose name has `plugin` in it, and the pool's configuration says
/// `FILETRANSFER_PLUGINS = $(FILETRANSFER_PLUGINS), /usr/libexec/condor/scitoken_plugin`.
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
    /// Its place in the list of all.
    number: usize,
    url: Url,
    file: PathBuf,
}

impl CondorPlugin {
    /// Moves the files. There is a result for each, whatever happens: HTCondor takes a missing one for a broken plugin.
    pub(crate) fn run(&self, settings: Result<Settings, Failure>) -> Result<Exit, Failure> {
        let (Some(infile), Some(outfile)) = (&self.infile, &self.outfile) else {
            return Ok(about());
        };
        let results = Mutex::new(Vec::new());
        let done = |result: Transferred| results.lock().unwrap_or_else(PoisonError::into_inner).push(result);
        let mut asked = read_orders(infile);
        let orders: Vec<Order> =
            asked.iter().flatten().filter_map(|asked| asked.order.as_ref().ok().cloned()).collect();
        let moved = settings.and_then(|settings| {
            if self.upload {
                self.upload(&orders, &settings, &done)
            } else {
                self.download(&orders, &settings, &done)
            }
        });
        let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        match &mut asked {
            Ok(asked) => {
                let rest = Failure::new(Exit::TryLater, "the plugin was stopped before this file");
                let rest = moved.as_ref().err().unwrap_or(&rest);
                for (number, asked) in asked.iter().enumerate() {
                    if !results.iter().any(|result| result.number == number) {
                        let why = asked.order.as_ref().err().unwrap_or(rest);
                        results.push(Transferred::not_begun(number, &asked.url, &asked.file, why));
                    }
                }
            }
            Err(failure) => results.push(Transferred::not_begun(0, "", "", failure)),
        }
        results.sort_by_key(|result| result.number);
        write_results(outfile, &results)?;
        moved?;
        asked?;
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
                    let exit = self.tries.exit(&failure);
                    done(Transferred::failed(order, SystemClock.now(), &failure, exit));
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
                    Ok(file) => Transferred::done(&orders[n], began, file.length),
                    Err(failure) => {
                        Transferred::failed(&orders[n], began, &failure, self.tries.exit(&failure))
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
        for order in orders {
            let began = SystemClock.now();
            let result: Result<_, TransferError> = match Upload::new(&order.file, order.url.clone()) {
                Ok(upload) => block_on(engine.downloader.upload(&upload))?,
                Err(failure) => Err(failure),
            };
            done(match result {
                Ok(uploaded) => Transferred::done(order, began, uploaded.length).of_upload(),
                Err(failure) => {
                    Transferred::failed(order, began, &failure, self.tries.exit(&failure)).of_upload()
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

/// An ad of the list, and what can be made of it.
struct Asked {
    url: String,
    file: String,
    order: Result<Order, Failure>,
}

fn read_orders(infile: &Path) -> Result<Vec<Asked>, Failure> {
    let text = fs_err::read_to_string(infile).map_err(|error| Failure::from_error(Exit::Local, &error))?;
    let ads = classad::parse(&text)
        .map_err(|error| Failure::new(Exit::Usage, format!("`{}`: {error}", infile.display())))?;
    Ok(ads.iter().enumerate().map(|(number, ad)| Asked::read(number, ad)).collect())
}

impl Asked {
    fn read(number: usize, ad: &Ad) -> Self {
        let get = |name: &str| {
            ad.text(name).ok_or_else(|| Failure::new(Exit::Usage, format!("the ClassAd has no `{name}`")))
        };
        let order = || Ok(Order { number, url: parse_url(get("Url")?)?, file: get("LocalFileName")?.into() });
        Self {
            url: SafeUrl::unparsed(ad.text("Url").unwrap_or_default()),
            file: ad.text("LocalFileName").unwrap_or_default().to_owned(),
            order: order(),
        }
    }
}

fn write_results(outfile: &Path, results: &[Transferred]) -> Result<(), Failure> {
    let text: String = results.iter().map(ToString::to_string).collect();
    fs_err::write(outfile, text).map_err(|error| Failure::from_error(Exit::Local, &error))
}
