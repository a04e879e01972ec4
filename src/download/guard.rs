//! Web pages in place of data: login pages, error pages, directory listings.

use std::borrow::Cow;
use std::path::Path;

use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
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
    if pages == WebPages::Welcome || is_page_name(&final_name(asked, target)) {
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

/// Refuses data that comes packed where the file is not called so: its name would be wrong, and so would be its bytes
/// (RFC 9110 section 8.4). Every request asks for `identity`.
///
/// # Errors
/// [`FailureKind::WrongContent`].
pub(super) fn check_coding(
    asked: &Url,
    target: Option<&Path>,
    headers: &HeaderMap,
) -> Result<(), TransferError> {
    let name = final_name(asked, target).to_ascii_lowercase();
    let ends = |with: &[&str]| with.iter().any(|extension| name.ends_with(extension));
    let mut is_packed = false;
    for value in headers.get_all(CONTENT_ENCODING) {
        let coding = value.to_str().unwrap_or("?").trim().to_ascii_lowercase();
        let fits = match coding.as_str() {
            "" | "identity" => continue,
            "gzip" | "x-gzip" => ends(&[".gz", ".tgz"]),
            "bzip2" | "x-bzip2" => ends(&[".bz2", ".tbz", ".tbz2"]),
            "xz" | "x-xz" => ends(&[".xz", ".txz"]),
            "zstd" => ends(&[".zst", ".tzst"]),
            _ => false,
        };
        if !fits || is_packed {
            let message =
                format!("`{}` came packed with `{}`", SafeUrl::new(asked), crate::redact::text(&coding));
            return Err(TransferError::new(FailureKind::WrongContent, Remedy::OtherSource, message)
                .with_hint("if the packed file is wanted, give it such a name, as in `-o FILE.gz`"));
        }
        is_packed = true;
    }
    Ok(())
}

/// The name that the file gets. What the address says counts only where no file was named.
fn final_name<'a>(asked: &'a Url, target: Option<&'a Path>) -> Cow<'a, str> {
    match target {
        Some(target) => target.file_name().unwrap_or_default().to_string_lossy(),
        None => Cow::Borrowed(asked.path().rsplit('/').next().unwrap_or_default()),
    }
}

fn is_page_name(name: &str) -> bool {
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
        assert_eq!(suspicion("https://h/x", "a.HTML", "text/html"), Suspicion::None);
        assert_eq!(suspicion("https://h/", "index.html", "text/html"), Suspicion::None);
        let url = "https://h/f".parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
        assert_eq!(suspect(WebPages::Welcome, &url, None, &headers), Suspicion::None);
    }

    #[test]
    fn the_file_s_own_name_says_what_it_is_and_not_its_address() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
        let url: Url = "https://h/get.php?id=7".parse().unwrap();
        let suspect = |target| suspect(WebPages::ByName, &url, target, &headers);
        assert_eq!(suspect(Some(Path::new("run7.root"))), Suspicion::Declared);
        assert_eq!(suspect(None), Suspicion::None, "a stream has no other name");
    }

    #[test]
    fn packed_data_is_refused_unless_the_file_is_called_so() {
        let check = |target: &str, codings: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for coding in codings {
                headers.append(CONTENT_ENCODING, HeaderValue::from_static(coding));
            }
            check_coding(&"https://h/f".parse().unwrap(), Some(Path::new(target)), &headers)
        };
        for (target, codings) in [
            ("f.root", &[][..]),
            ("f.root", &["identity"]),
            ("f.gz", &["gzip"]),
            ("f.TGZ", &["x-gzip"]),
            ("f.bz2", &["bzip2"]),
            ("f.xz", &["xz"]),
            ("f.zst", &["zstd"]),
        ] {
            assert!(check(target, codings).is_ok(), "{target} {codings:?}");
        }
        for (target, codings) in [
            ("f.root", &["gzip"][..]),
            ("f.xz", &["gzip"]),
            ("f.gz", &["br"]),
            ("f.gz", &["gzip", "gzip"]),
            ("f.gz", &["gzip, gzip"]),
        ] {
            let failure = check(target, codings).unwrap_err();
            assert_eq!(failure.kind(), FailureKind::WrongContent, "{target} {codings:?}");
        }
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
