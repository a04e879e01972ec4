//! Web pages in place of other answers: login pages, error pages, directory listings.

use http::header::{CONTENT_TYPE, ETAG, LAST_MODIFIED};
use http::{HeaderMap, StatusCode};
use reqwest::Response;
use url::Url;

use crate::digest::header;
use crate::error::{FailureKind, RetryAction, TransferError};
use crate::exchange::request::error_text;
use crate::exchange::web_page::{PageVerdict, page_verdict};
use crate::hint::TransferHint;
use scitoken_types::SafeUrl;

/// Returns whether the head declares a web page.
pub(crate) fn is_declared(headers: &HeaderMap) -> bool {
    let essence = |value: &http::HeaderValue| {
        value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    };
    let mut types = headers.get_all(CONTENT_TYPE).iter().map(essence);
    types.any(|essence| matches!(essence.as_str(), "text/html" | "application/xhtml+xml"))
}

/// Returns whether a web page may have the name: its content is then the page that a server declares. The name of a program
/// such as `download.php` does not tell what it sends.
///
/// # Examples
/// ```
/// assert!(scitoken_transfer::is_page_name("index.html") && !scitoken_transfer::is_page_name("run1.root"));
/// ```
pub fn is_page_name(name: &str) -> bool {
    // Servers give the type of what is compressed.
    let name = [".gz", ".bz2", ".xz", ".zst", ".Z"]
        .iter()
        .find_map(|suffix| name.strip_suffix(suffix))
        .unwrap_or(name);
    let Some((_, extension)) = name.rsplit_once('.') else { return false };
    let extension = extension.to_ascii_lowercase();
    matches!(extension.as_str(), "html" | "htm" | "xhtml" | "xht" | "shtml")
}

/// Returns the last name in the path of a URL.
pub(crate) fn last_name(url: &Url) -> &str {
    url.path().trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

/// Refuses the description of a web page with another name, as behind a redirect to a login.
///
/// # Errors
/// [`FailureKind::WrongContent`].
pub(crate) fn check_description(asked: &Url, response: &Response) -> Result<(), TransferError> {
    let headers = response.headers();
    let is_page = is_login_page(asked, headers) && header::read(headers).is_empty();
    if is_page && last_name(response.url()) != last_name(asked) {
        return Err(led_to_page(asked, response.url()));
    }
    Ok(())
}

/// Returns whether a head is most likely that of a login page: one without a version, in place of data.
pub(crate) fn is_login_page(asked: &Url, headers: &HeaderMap) -> bool {
    let has_version = headers.contains_key(ETAG) || headers.contains_key(LAST_MODIFIED);
    is_declared(headers) && !has_version && !is_page_name(last_name(asked))
}

/// Returns the failure for a change that is answered with a web page: a login gateway answers every request so. A page with
/// `201`, as Apache's, tells of the change.
pub(crate) async fn page_in_place_of_change(asked: &Url, response: &mut Response) -> Option<TransferError> {
    let may_be_page = matches!(response.status(), StatusCode::OK | StatusCode::NON_AUTHORITATIVE_INFORMATION);
    if !may_be_page || !is_declared(response.headers()) {
        return None;
    }
    let came_from = response.url().clone();
    let is_page = page_verdict(error_text(response).await.as_bytes()) == PageVerdict::Page;
    is_page.then(|| {
        let host = came_from.host_str().unwrap_or_default();
        let what = format!(
            "a web page of `{host}`, most likely a login page, answered the request to change `{}`",
            SafeUrl::new(asked)
        );
        wrong_content(what).with_hint(TransferHint::AuthenticateAtServer)
    })
}

/// Returns the failure for a web page in place of data.
pub(crate) fn failure(asked: &Url, came_from: &Url) -> TransferError {
    if asked.host_str() != came_from.host_str() {
        return led_to_page(asked, came_from);
    }
    let what = format!(
        "`{}` is a web page, not data: a directory listing, a login page or an error page",
        SafeUrl::new(asked)
    );
    wrong_content(what).with_hint(TransferHint::AllowWebPage)
}

pub(crate) fn led_to_page(asked: &Url, came_from: &Url) -> TransferError {
    let what = format!(
        "`{}` led to a web page of `{}` instead of the data, most likely a login page",
        SafeUrl::new(asked),
        came_from.host_str().unwrap_or_default()
    );
    wrong_content(what).with_hint(TransferHint::AuthenticateAtServer)
}

fn wrong_content(what: String) -> TransferError {
    TransferError::new(FailureKind::WrongContent, RetryAction::OtherSource, what)
}
