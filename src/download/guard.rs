//! Web pages in place of data: login pages, error pages, directory listings.

use std::path::Path;

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use url::Url;

use super::error::{FailureKind, Remedy, TransferError};
use crate::SafeUrl;

/// Whether a web page is welcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WebPages {
    /// Only where the name says so: `.html`, `.htm`, `.xhtml`, `.shtml`, `.php`, `.asp`, `.aspx`, `.jsp`.
    #[default]
    ByName,
    /// Always.
    Welcome,
}

/// How much of the body is looked at.
pub(super) const LOOK_AT: usize = 512;

/// What the head says about the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Suspicion {
    /// It is no web page, or one is welcome.
    None,
    /// The server says that it is one.
    Declared,
    /// The server does not say; the first bytes do. XRootD lists directories so.
    Look,
}

pub(super) fn suspect(pages: WebPages, asked: &Url, target: Option<&Path>, headers: &HeaderMap) -> Suspicion {
    if pages == WebPages::Welcome || is_page_name(asked.path()) || target.is_some_and(is_page_path) {
        return Suspicion::None;
    }
    let Some(value) = headers.get(CONTENT_TYPE) else { return Suspicion::Look };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    match essence.to_ascii_lowercase().as_str() {
        "text/html" | "application/xhtml+xml" => Suspicion::Declared,
        "" | "text/plain" | "application/x-unknown-content-type" | "unknown/unknown" => Suspicion::Look,
        _ => Suspicion::None,
    }
}

/// Whether the first bytes are those of a web page.
pub(super) fn looks_like_page(start: &[u8]) -> bool {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    let begins = |with: &[u8]| start.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    begins(b"<!doctype html") || begins(b"<html")
}

/// The failure that a web page is.
pub(super) fn failure(asked: &Url, came_from: &Url) -> TransferError {
    let redirected = asked.host_str() != came_from.host_str();
    let (what, hint) = if redirected {
        (
            format!(
                "`{}` led to a web page of `{}` in place of the data, most likely a login page",
                SafeUrl::new(asked),
                came_from.host_str().unwrap_or_default()
            ),
            "get a token for this server; `scitoken explain URL` shows the whole way",
        )
    } else {
        (
            format!(
                "`{}` is a web page, not data: a directory listing, a login page or an error page",
                SafeUrl::new(asked)
            ),
            "for a directory use `--recursive`; if the page itself is wanted, say so with `--allow-html`",
        )
    };
    TransferError::new(FailureKind::WrongContent, Remedy::OtherSource, what).with_hint(hint)
}

fn is_page_path(path: &Path) -> bool {
    path.file_name().is_some_and(|name| is_page_name(&name.to_string_lossy()))
}

fn is_page_name(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let Some((_, extension)) = name.rsplit_once('.') else { return false };
    let extension = extension.to_ascii_lowercase();
    matches!(extension.as_str(), "html" | "htm" | "xhtml" | "shtml" | "php" | "asp" | "aspx" | "jsp")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn suspicion(url: &str, target: &str, content_type: &str) -> Suspicion {
        let mut headers = HeaderMap::new();
        if !content_type.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap());
        }
        suspect(WebPages::ByName, &url.parse().unwrap(), Some(Path::new(target)), &headers)
    }

    #[test]
    fn html_for_a_data_file_is_suspect() {
        for url in ["https://h/f.dat", "https://h/f", "https://h/", "https://h/v1.2/f"] {
            assert_eq!(suspicion(url, "f", "Text/HTML; charset=utf-8"), Suspicion::Declared, "{url}");
            assert_eq!(suspicion(url, "f", ""), Suspicion::Look, "{url}");
            assert_eq!(suspicion(url, "f", "application/octet-stream"), Suspicion::None, "{url}");
        }
    }

    #[test]
    fn a_page_that_was_asked_for_is_welcome() {
        assert_eq!(suspicion("https://h/a.HTML", "x", "text/html"), Suspicion::None);
        assert_eq!(suspicion("https://h/", "index.html", "text/html"), Suspicion::None);
        let url = "https://h/f".parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
        assert_eq!(suspect(WebPages::Welcome, &url, None, &headers), Suspicion::None);
    }

    #[test]
    fn a_page_shows_by_its_first_bytes() {
        for page in ["<!DOCTYPE html><html>", "\n\t <HTML lang=en>", "\u{feff}<!doctype HTML PUBLIC"] {
            assert!(looks_like_page(page.as_bytes()), "{page}");
        }
        for data in ["", "<", "<!DOCTYPE xml", "\x7fELF", "hello <html>", "<?xml version='1.0'?>"] {
            assert!(!looks_like_page(data.as_bytes()), "{data}");
        }
    }
}
