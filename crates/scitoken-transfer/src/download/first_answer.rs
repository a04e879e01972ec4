//! Downloads whose server names the file: the answer that brings the data comes before the target.

use http::Method;
use reqwest::Response;
use url::Url;

use crate::cancel::Deadline;
use crate::download::job::Download;
use crate::downloader::Downloader;
use crate::error::{FailureKind, RetryAction, TransferError};
use crate::exchange::request::require_success;
use crate::hint::TransferHint;
use crate::name::disposition::{suggested_name, without_dot};
use crate::name::file_name::{UnsafeName, file_name};
use scitoken_types::SafeUrl;

/// The answer that named a file; it brings the data as well.
#[derive(Debug)]
pub(crate) struct FirstAnswer {
    pub(crate) response: Response,
    /// Whether the request asked for a digest.
    pub(crate) for_digest: bool,
}

/// Sends the request for the whole file, and returns the download with the target that the answer names.
///
/// # Errors
/// The server refused, the name is unusable, or the caller refused it.
pub(crate) async fn named_by_server(
    downloader: &Downloader,
    mut job: Download,
    deadline: Option<Deadline>,
) -> Result<(Download, Option<FirstAnswer>), TransferError> {
    let Some(naming) = job.naming.take() else { return Ok((job, None)) };
    let url = job.url().clone();
    let attempt = || ask(downloader, &job, deadline);
    let answer = Box::pin(downloader.with_retries(&url, Some(job.number), attempt, deadline)).await?;
    let name = name_of(&url, &answer.response).map_err(|error| {
        let message = format!("the server gives `{}` an unusable name", SafeUrl::new(&url));
        TransferError::new(FailureKind::Server, RetryAction::GiveUp, message)
            .with_hint(TransferHint::ChooseOtherName)
            .with_source(error)
    })?;
    let target = naming.choose(&name).map_err(|error| {
        usage(format!("`{}` cannot be written to `{name}`", SafeUrl::new(&url))).with_source(error)
    })?;
    job.target = Some(target);
    Ok((job, Some(answer)))
}

async fn ask(
    downloader: &Downloader,
    job: &Download,
    deadline: Option<Deadline>,
) -> Result<FirstAnswer, TransferError> {
    let url = job.url();
    let answer = downloader.send_with_digest_question(Method::GET, url, &job.checksum, deadline).await?;
    let response = require_success(answer.response, url, downloader.now()).await?;
    Ok(FirstAnswer { response, for_digest: answer.for_digest })
}

/// Returns the name in the answer; else the one in the URL to which redirects led, as curl does; else the one in the URL that
/// was asked for.
fn name_of(asked: &Url, response: &Response) -> Result<String, UnsafeName> {
    if let Some(name) = suggested_name(response.headers()) {
        return name;
    }
    if response.url().path() != asked.path()
        && let Ok(name) = file_name(response.url())
    {
        return Ok(without_dot(name));
    }
    file_name(asked)
}

fn usage(message: String) -> TransferError {
    TransferError::new(FailureKind::Usage, RetryAction::GiveUp, message)
}
