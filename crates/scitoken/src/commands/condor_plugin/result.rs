//! The result ads for HTCondor.

use std::fmt;
use std::time::SystemTime;

use scitoken_transfer::class_ad::ClassAd;
use scitoken_transfer::{TransferError, Verification};
use scitoken_types::SafeUrl;
use scitoken_types::sys::{Clock as _, SystemClock};

use super::order::Order;
use super::pelican;
use super::requests::EndedRequest;
use crate::exit::Exit;
use crate::failure::Failure;

/// The result of one file.
#[derive(Debug)]
pub(super) struct Transferred {
    pub(super) number: usize,
    pub(super) exit: Exit,
    /// Whether a failed transfer may succeed later.
    pub(super) retryable: bool,
    ad: ClassAd,
}

impl Transferred {
    pub(super) fn done(
        order: &Order,
        began: SystemTime,
        bytes: u64,
        verification: &Verification,
        requests: &[EndedRequest],
    ) -> Self {
        let ad = common(order, began)
            .with("TransferSuccess", true)
            .with("TransferFileBytes", bytes)
            .with("TransferTotalBytes", bytes);
        let data = pelican::developer_data(requests, None, Some(verification));
        let ad = with_data(ad, &data, pelican::error_data(requests, None));
        Self { number: order.number, exit: Exit::Ok, retryable: false, ad }
    }

    pub(super) fn failed(
        order: &Order,
        began: SystemTime,
        failure: &TransferError,
        exit: Exit,
        requests: &[EndedRequest],
    ) -> Self {
        let message = Failure::from_error(exit, failure).message().to_owned();
        let retryable = failure.is_worth_retrying();
        let mut ad = common(order, began)
            .with("TransferSuccess", false)
            .with("TransferFileBytes", 0)
            .with("TransferTotalBytes", 0)
            .with_text("TransferError", message.as_str())
            .with("TransferRetryable", retryable);
        if let Some(status) = failure.status() {
            ad = ad.with("TransferHTTPStatusCode", status.as_u16());
        }
        let failure = Some((failure, message.as_str()));
        let data = pelican::developer_data(requests, failure, None);
        let ad = with_data(ad, &data, pelican::error_data(requests, failure));
        Self { number: order.number, exit, retryable, ad }
    }

    /// Of a file that nothing was requested about at its server. The URL must be fit to be shown.
    pub(super) fn not_started(number: usize, url: &str, file: &str, failure: &Failure) -> Self {
        let retryable = failure.exit() == Exit::TryLater;
        let ad = ClassAd::default()
            .with_text("TransferUrl", url)
            .with_text("TransferFileName", file)
            .with("TransferSuccess", false)
            .with("TransferFileBytes", 0)
            .with("TransferTotalBytes", 0)
            .with_text("TransferError", failure.message())
            .with("TransferRetryable", retryable)
            .with_text("PluginVersion", env!("CARGO_PKG_VERSION"));
        Self { number, exit: failure.exit(), retryable, ad }
    }

    pub(super) fn with_type(mut self, direction: &str) -> Self {
        self.ad = self.ad.with_text("TransferType", direction);
        self
    }
}

/// Returns the attributes of every result. The URL has no credentials.
fn common(order: &Order, began: SystemTime) -> ClassAd {
    let name = order.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    ClassAd::default()
        .with_text("TransferUrl", SafeUrl::new(&order.url).to_string())
        .with_text("TransferFileName", name)
        .with_text("TransferProtocol", order.url.scheme())
        .with_text("TransferHostName", order.url.host_str().unwrap_or_default())
        .with_text("TransferLocalMachineName", machine_name())
        .with("TransferStartTime", seconds(began))
        .with("TransferEndTime", seconds(SystemClock.now()))
        .with_text("PluginVersion", env!("CARGO_PKG_VERSION"))
}

/// Returns the name of this machine.
fn machine_name() -> String {
    #[cfg(unix)]
    {
        rustix::system::uname().nodename().to_string_lossy().into_owned()
    }
    #[cfg(not(unix))]
    {
        let name = scitoken_types::sys::Env::process().get_non_empty("COMPUTERNAME");
        name.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

fn with_data(ad: ClassAd, developer_data: &ClassAd, error_data: Option<String>) -> ClassAd {
    let ad = ad.with("DeveloperData", developer_data);
    match error_data {
        Some(errors) => ad.with("TransferErrorData", errors),
        None => ad,
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl fmt::Display for Transferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.ad)
    }
}
