//! What HTCondor is told of each file.

use std::fmt;
use std::time::SystemTime;

use reqwest_scitokens::SafeUrl;
use reqwest_scitokens::download::TransferError;
use reqwest_scitokens::sys::{Clock as _, SystemClock};

use super::Order;
use super::classad::Ad;
use crate::exit::Exit;
use crate::failure::Failure;

/// How a file ended.
#[derive(Debug)]
pub(super) struct Transferred {
    pub(super) number: usize,
    pub(super) exit: Exit,
    ad: Ad,
}

impl Transferred {
    pub(super) fn done(order: &Order, began: SystemTime, bytes: u64) -> Self {
        let ad = begin(order, began).with("TransferSuccess", true);
        let ad = ad.with("TransferFileBytes", bytes).with("TransferTotalBytes", bytes);
        Self { number: order.number, exit: Exit::Ok, ad }
    }

    pub(super) fn failed(order: &Order, began: SystemTime, failure: &TransferError, exit: Exit) -> Self {
        let words = Failure::from_error(exit, failure).message().to_owned();
        let mut ad = begin(order, began)
            .with("TransferSuccess", false)
            .with("TransferFileBytes", 0)
            .with("TransferTotalBytes", 0)
            .with_text("TransferError", words)
            .with("TransferRetryable", failure.is_worth_retrying());
        if let Some(status) = failure.status() {
            ad = ad.with("TransferHTTPStatusCode", status.as_u16());
        }
        Self { number: order.number, exit, ad }
    }

    /// Of a file that nothing was asked about at its server. The URL must be fit to be shown.
    pub(super) fn not_begun(number: usize, url: &str, file: &str, failure: &Failure) -> Self {
        let ad = Ad::default()
            .with_text("TransferUrl", url)
            .with_text("TransferFileName", file)
            .with("TransferSuccess", false)
            .with("TransferFileBytes", 0)
            .with("TransferTotalBytes", 0)
            .with_text("TransferError", failure.message())
            .with("TransferRetryable", failure.exit() == Exit::TryLater)
            .with_text("PluginVersion", env!("CARGO_PKG_VERSION"));
        Self { number, exit: failure.exit(), ad }
    }

    pub(super) fn of_upload(mut self) -> Self {
        self.ad = self.ad.with_text("TransferType", "upload");
        self
    }
}

/// What is told of each file, however it ended. The URL has no credentials.
fn begin(order: &Order, began: SystemTime) -> Ad {
    let name = order.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ad::default()
        .with_text("TransferUrl", SafeUrl::new(&order.url).to_string())
        .with_text("TransferFileName", name)
        .with_text("TransferProtocol", order.url.scheme())
        .with_text("TransferHostName", order.url.host_str().unwrap_or_default())
        .with("TransferStartTime", seconds(began))
        .with("TransferEndTime", seconds(SystemClock.now()))
        .with_text("PluginVersion", env!("CARGO_PKG_VERSION"))
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl fmt::Display for Transferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.ad)
    }
}
