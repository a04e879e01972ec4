//! Web pages in place of data: login pages, error pages, directory listings.

use std::borrow::Cow;
use std::path::Path;

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use url::Url;

use crate::download::job::WebPages;
use crate::error::{FailureKind, RetryAction, TransferError};
use crate::exchange::content_coding::{codings, unrequested_coding};
use crate::hint::TransferHint;
use scitoken_types::SafeUrl;

/// How much of the body is inspected, in bytes.
pub(crate) const SNIFF_LENGTH: usize = 512;

/// What the head says about a web page in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suspicion {
    /// It is not a web page, or one is accepted.
    None,
    /// The server declares one.
    Declared,
    /// The first bytes decide, as for XRootD's directory listings.
    Inspect,
}

pub(crate) fn assess(pages: WebPages, asked: &Url, target: Option<&Path>, headers: &HeaderMap) -> Suspicion {
    if pages == WebPages::Allowed || is_page_name(&final_name(asked, target)) {
        return Suspicion::None;
    }
    let Some(value) = headers.get(CONTENT_TYPE) else { return Suspicion::Inspect };
    let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    match essence.to_ascii_lowercase().as_str() {
        "text/html" | "application/xhtml+xml" => Suspicion::Declared,
        _ => Suspicion::Inspect,
    }
}

/// Whether the first bytes are those of a web page, behind an XML declaration and comments.
pub(crate) fn is_web_page(start: &[u8]) -> bool {
    // In UTF-16 every other byte of the markup is zero.
    let is_utf_16 = start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff");
    let narrow: Vec<u8>;
    let mut rest = if is_utf_16 {
        narrow = start[2..].iter().copied().filter(|byte| *byte != 0).collect();
        &narrow[..]
    } else {
        start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start)
    };
    loop {
        rest = rest.trim_ascii_start();
        let (opening, closing): (&[u8], &[u8]) =
            if rest.starts_with(b"<?xml") { (b"<?", b"?>") } else { (b"<!--", b"-->") };
        if !rest.starts_with(opening) {
            break;
        }
        let Some(end) = rest.windows(closing.len()).position(|text| text == closing) else { return false };
        rest = &rest[end + closing.len()..];
    }
    let begins = |with: &[u8]| rest.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    let opens =
        |tag: &[u8]| begins(tag) && rest.get(tag.len()).is_none_or(|next| !next.is_ascii_alphanumeric());
    begins(b"<!doctype html") || opens(b"<html") || opens(b"<head") || opens(b"<body")
}

/// Returns the failure for a web page.
pub(crate) fn failure(asked: &Url, came_from: &Url) -> TransferError {
    let redirected = asked.host_str() != came_from.host_str();
    let (what, hint) = if redirected {
        (
            format!(
                "`{}` led to a web page of `{}` instead of the data, most likely a login page",
                SafeUrl::new(asked),
                came_from.host_str().unwrap_or_default()
            ),
            TransferHint::AuthenticateAtServer,
        )
    } else {
        (
            format!(
                "`{}` is a web page, not data: a directory listing, a login page or an error page",
                SafeUrl::new(asked)
            ),
            TransferHint::AllowWebPage,
        )
    };
    TransferError::new(FailureKind::WrongContent, RetryAction::OtherSource, what).with_hint(hint)
}

/// Refuses a content coding that does not fit the file's name (RFC 9110 section 8.4). Every request asks for `identity`.
///
/// # Errors
/// [`FailureKind::Server`].
pub(crate) fn check_coding(
    asked: &Url,
    target: Option<&Path>,
    headers: &HeaderMap,
) -> Result<(), TransferError> {
    let name = final_name(asked, target).to_ascii_lowercase();
    for (n, coding) in codings(headers).enumerate() {
        let suffixes = suffixes(&coding);
        if n == 0 && suffixes.iter().any(|suffix| name.ends_with(suffix)) {
            continue;
        }
        let failure = unrequested_coding(asked, &coding);
        return Err(match suffixes.first() {
            Some(suffix) if n == 0 => failure.with_hint(TransferHint::NameCompressedFile { suffix }),
            _ => failure,
        });
    }
    Ok(())
}

/// Returns how the names of files end that have a content coding, the usual suffix first.
fn suffixes(coding: &str) -> &'static [&'static str] {
    match coding {
        "gzip" | "x-gzip" => &[".gz", ".tgz"],
        "bzip2" | "x-bzip2" => &[".bz2", ".tbz", ".tbz2"],
        "xz" | "x-xz" => &[".xz", ".txz"],
        "zstd" => &[".zst", ".tzst"],
        _ => &[],
    }
}

/// Returns the file's name: that of the target, or of the URL where there is none.
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
    use http::header::CONTENT_ENCODING;

    use super::*;

    fn suspicion(url: &str, target: &str, content_type: &str) -> Suspicion {
        let mut headers = HeaderMap::new();
        if !content_type.is_empty() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap());
        }
        assess(WebPages::ByName, &url.parse().unwrap(), Some(Path::new(target)), &headers)
    }

    #[test]
    fn html_for_a_data_file_is_suspect() {
        for url in ["https://h/f.dat", "https://h/f", "https://h/", "https://h/v1.2/f"] {
            assert_eq!(suspicion(url, "f", "Text/HTML; charset=utf-8"), Suspicion::Declared, "{url}");
            assert_eq!(suspicion(url, "f", ""), Suspicion::Inspect, "{url}");
            for declared in ["application/octet-stream", "text/plain", "image/fits", "application/json"] {
                assert_eq!(suspicion(url, "f", declared), Suspicion::Inspect, "{url} {declared}");
            }
        }
    }

    #[test]
    fn a_requested_page_is_accepted() {
        assert_eq!(suspicion("https://h/x", "a.HTML", "text/html"), Suspicion::None);
        assert_eq!(suspicion("https://h/", "index.html", "text/html"), Suspicion::None);
        let url = "https://h/f".parse().unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
        assert_eq!(assess(WebPages::Allowed, &url, None, &headers), Suspicion::None);
    }

    #[test]
    fn the_file_s_own_name_says_what_it_is_and_not_its_address() {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
        let url: Url = "https://h/get.php?id=7".parse().unwrap();
        let assess = |target| assess(WebPages::ByName, &url, target, &headers);
        assert_eq!(assess(Some(Path::new("run7.root"))), Suspicion::Declared);
        assert_eq!(assess(None), Suspicion::None, "a stream has no other name");
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
            assert_eq!(failure.kind(), FailureKind::Server, "{target} {codings:?}");
        }
    }

    #[test]
    fn a_page_shows_by_its_first_bytes() {
        for page in ["<!DOCTYPE html><html>", "\n\t <HTML lang=en>", "\u{feff}<!doctype HTML PUBLIC"] {
            assert!(is_web_page(page.as_bytes()), "{page}");
        }
        for data in ["", "<", "<!DOCTYPE xml", "\x7fELF", "hello <html>", "<?xml version='1.0'?>"] {
            assert!(!is_web_page(data.as_bytes()), "{data}");
        }
    }

    #[test]
    fn a_web_page_shows_in_its_first_bytes() {
        for page in [
            &b"<!DOCTYPE html><html>"[..],
            b"\xef\xbb\xbf \n<HTML lang=de>",
            b"<?xml version=\"1.0\"?>\n<!DOCTYPE html PUBLIC>",
            b"<!-- generated --><html>",
            b"\xff\xfe<\0h\0t\0m\0l\0>\0",
            b"<head><title>log in</title>",
        ] {
            assert!(is_web_page(page), "{}", String::from_utf8_lossy(page));
        }
        for data in
            [&b"<?xml version=\"1.0\"?><metalink>"[..], b"<htmlx>", b"<!-- unfinished", b"SIMPLE  =", b""]
        {
            assert!(!is_web_page(data), "{}", String::from_utf8_lossy(data));
        }
    }

    #[test]
    fn a_coding_that_is_none_is_accepted_and_an_unrequested_one_is_the_server_s_fault() {
        let url: Url = "https://h/f.dat".parse().unwrap();
        let check = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(value));
            check_coding(&url, None, &headers)
        };
        for coding in ["none", "identity, none", "", "aws-chunked", "UTF-8", "application/octet-stream"] {
            assert!(check(coding).is_ok(), "{coding}");
        }
        for coding in ["gzip", "br", "identity, gzip", "?"] {
            assert_eq!(check(coding).unwrap_err().kind(), FailureKind::Server, "{coding}");
        }
        // A name helps only where there is a usual one.
        let hint = |coding| check(coding).unwrap_err().hint().cloned();
        assert_eq!(hint("zstd"), Some(TransferHint::NameCompressedFile { suffix: ".zst" }));
        assert_eq!([hint("br"), hint("br, gzip")], [None, None]);
    }
}
