//! The request for a listing.

use http::header::{ACCEPT_ENCODING, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, StatusCode};
use reqwest::Response;
use url::Url;

use crate::cancel::Deadline;
use crate::downloader::Downloader;
use crate::error::{FailureKind, RetryAction, TransferError};
use crate::exchange::request::require_success;
use crate::webdav::method::method;
use scitoken_types::SafeUrl;

const DEPTH: HeaderName = HeaderName::from_static("depth");

const BODY: &str = concat!(
    r#"<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop><resourcetype/>"#,
    "<getcontentlength/><getlastmodified/><getetag/></prop></propfind>"
);

/// How far below a collection a listing goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// The resource itself.
    Zero,
    /// Its members.
    One,
}

impl Downloader {
    /// Sends a PROPFIND and returns the `207` answer.
    pub(crate) async fn propfind(
        &self,
        url: &Url,
        depth: Depth,
        deadline: Option<Deadline>,
    ) -> Result<Response, TransferError> {
        let depth = if depth == Depth::Zero { "0" } else { "1" };
        let request = self
            .client()
            .request(method("PROPFIND"), url.clone())
            .header(DEPTH, HeaderValue::from_static(depth))
            .header(CONTENT_TYPE, HeaderValue::from_static("application/xml"))
            .header(ACCEPT_ENCODING, HeaderValue::from_static("identity"))
            .body(BODY);
        let response = self.dispatch(request, url, deadline).await?;
        let response = require_success(response, url, self.now()).await?;
        if response.status() != StatusCode::MULTI_STATUS {
            return Err(no_webdav(url).with_status(response.status()));
        }
        Ok(response)
    }
}

/// Whether a failed PROPFIND means that the server has no WebDAV.
pub(crate) fn is_no_webdav(failure: &TransferError) -> bool {
    let answers = [
        StatusCode::METHOD_NOT_ALLOWED,
        StatusCode::NOT_IMPLEMENTED,
        StatusCode::OK,
        StatusCode::BAD_REQUEST,
    ];
    failure.status().is_some_and(|status| answers.contains(&status))
}

fn no_webdav(url: &Url) -> TransferError {
    let message = format!("`{}` does not answer PROPFIND", SafeUrl::new(url));
    TransferError::new(FailureKind::Rejected, RetryAction::OtherSource, message)
}
