//! A request for data, while it is under way.

use std::time::Duration;

use http::HeaderMap;
use http::header::{AGE, SERVER};
use reqwest::Response;
use scitoken_types::{SafeUrl, redact};
use tokio::time::Instant;
use url::Url;

use crate::error::TransferError;
use crate::request_report::{RequestFailure, RequestReport};

/// A request that is under way.
#[derive(Debug)]
pub(crate) struct RequestRecord {
    begun: Instant,
    /// Whether it ends as a report.
    is_reported: bool,
    answered_after: Option<Duration>,
    server: Option<String>,
    age: Option<u64>,
    /// Bytes of the file so far.
    pub(crate) bytes: u64,
}

impl RequestRecord {
    /// Begins the record; what only a report shows is left out where none is made.
    pub(crate) fn begin(is_reported: bool) -> Self {
        Self { begun: Instant::now(), is_reported, answered_after: None, server: None, age: None, bytes: 0 }
    }

    /// Records that the head of the answer arrived.
    pub(crate) fn answered(&mut self, response: &Response) {
        if !self.is_reported {
            return;
        }
        let headers = response.headers();
        self.answered_after = Some(self.begun.elapsed());
        self.server = text(headers, &SERVER).map(redact::text);
        self.age = text(headers, &AGE).and_then(|age| age.trim().parse().ok());
    }

    /// Ends the record.
    pub(crate) fn report(self, url: &Url, failure: Option<&TransferError>) -> RequestReport {
        RequestReport {
            url: SafeUrl::new(url).to_string(),
            bytes: self.bytes,
            answered_after: self.answered_after,
            total: self.begun.elapsed(),
            server: self.server,
            age: self.age,
            failure: failure.map(RequestFailure::from),
        }
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &http::HeaderName) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}
