//! Web pages in place of data: login pages, error pages, directory listings.

use std::borrow::Cow;
use std::path::Path;

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use url::Url;

use crate::download::job::WebPages;
use crate::error::{FailureKind, RetryAction, TransferError};
use crate::exchange::content_coding::{codings, has_name_of, suffixes, unrequested_coding};
use crate::exchange::error_document::{ErrorDocument, xml_error_message};
use crate::exchange::page_answer::{is_declared, is_page_name};
use crate::exchange::web_page::{PageVerdict, page_verdict, page_verdict_of_text};
use crate::hint::TransferHint;
use scitoken_types::{SafeUrl, redact};

/// How much of a body is held back while its first bytes do not decide, in bytes.
pub(crate) const MOST_INSPECTED: usize = 64 * 1024;
/// The longest body that may be a server's error message, in bytes.
const LONGEST_DOCUMENT: u64 = 4 * 1024;

/// What the head says about a web page in the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Suspicion {
    /// It is not a web page, or one is accepted.
    None,
    /// The server declares one.
    Declared,
    /// The first bytes decide, as for XRootD's directory listings.
    Inspect(Documents),
}

/// Whether a short body may be an error message of the server in spite of a status of success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Documents {
    No,
    Json,
    Xml,
    /// It is text, which may begin with an element of HTML.
    Text,
}

/// The first bytes of a body, held back until they show what it is.
#[derive(Debug)]
pub(crate) struct Inspection {
    held: Vec<u8>,
    documents: Documents,
}

/// What the first bytes of a body are.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Inspected {
    /// More bytes are needed.
    Held,
    /// They are data.
    Data(Bytes),
    Page,
    /// An error message of the server.
    Document(String),
}

/// What the first bytes tell so far.
#[derive(Clone, Copy, Debug)]
enum Known {
    Nothing,
    Data,
    Page,
}

impl Inspection {
    /// Returns what inspects a body of this length, if it is known.
    pub(crate) fn new(documents: Documents, length: Option<u64>) -> Self {
        let is_short = length.is_none_or(|length| length <= LONGEST_DOCUMENT);
        Self {
            held: Vec::new(),
            documents: if is_short || documents == Documents::Text { documents } else { Documents::No },
        }
    }

    /// Takes the next bytes.
    pub(crate) fn push(&mut self, bytes: Bytes) -> Inspected {
        if self.held.is_empty() {
            // Nearly always the first bytes decide, and nothing is copied.
            return match self.inspected(&bytes) {
                Known::Page => Inspected::Page,
                Known::Data => Inspected::Data(bytes),
                Known::Nothing => {
                    self.held.extend_from_slice(&bytes);
                    Inspected::Held
                }
            };
        }
        self.held.extend_from_slice(&bytes);
        match self.inspected(&self.held) {
            Known::Page => Inspected::Page,
            Known::Data => Inspected::Data(std::mem::take(&mut self.held).into()),
            Known::Nothing => Inspected::Held,
        }
    }

    fn inspected(&self, beginning: &[u8]) -> Known {
        let may_be_document = matches!(self.documents, Documents::Json | Documents::Xml)
            && beginning.len() as u64 <= LONGEST_DOCUMENT;
        match self.verdict(beginning) {
            PageVerdict::Page => Known::Page,
            PageVerdict::Undecided if beginning.len() < MOST_INSPECTED => Known::Nothing,
            _ if may_be_document => Known::Nothing,
            _ => Known::Data,
        }
    }

    fn verdict(&self, beginning: &[u8]) -> PageVerdict {
        match self.documents {
            Documents::Text => page_verdict_of_text(beginning),
            _ => page_verdict(beginning),
        }
    }

    /// Ends the body.
    pub(crate) fn finish(self) -> Inspected {
        let verdict = self.verdict(&self.held);
        let message = match self.documents {
            Documents::No | Documents::Text => None,
            Documents::Json => ErrorDocument::read(&self.held)
                .filter(ErrorDocument::is_declared)
                .and_then(|document| document.message()),
            Documents::Xml => std::str::from_utf8(&self.held).ok().and_then(xml_error_message),
        };
        match message {
            _ if verdict == PageVerdict::Page => Inspected::Page,
            Some(message) => Inspected::Document(redact::text(&message)),
            None => Inspected::Data(self.held.into()),
        }
    }
}

pub(crate) fn assess(pages: WebPages, asked: &Url, target: Option<&Path>, headers: &HeaderMap) -> Suspicion {
    let name = final_name(asked, target);
    if pages == WebPages::Allowed || is_page_name(&name) {
        return Suspicion::None;
    }
    if is_declared(headers) {
        return Suspicion::Declared;
    }
    let mut documents = Documents::No;
    for value in headers.get_all(CONTENT_TYPE) {
        let essence = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
        match essence.to_ascii_lowercase().as_str() {
            "application/json" | "application/problem+json" => documents = Documents::Json,
            "text/markdown" | "text/x-rst" => documents = Documents::Text,
            // What servers declare for names that they do not know.
            "text/plain" if !name.contains('.') => documents = Documents::Text,
            "application/xml" | "text/xml" | "application/problem+xml" => documents = Documents::Xml,
            _ => {}
        }
    }
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref() {
        Some("json" | "xml" | "geojson" | "jsonl" | "ipynb") => documents = Documents::No,
        Some("md" | "markdown" | "rst" | "txt") => documents = Documents::Text,
        _ => {}
    }
    Suspicion::Inspect(documents)
}

/// Returns the failure for an error message that came with a status of success.
pub(crate) fn document_failure(asked: &Url, message: &str) -> TransferError {
    let what = format!("`{}` sent an error message, not data: {message}", SafeUrl::new(asked));
    TransferError::new(FailureKind::WrongContent, RetryAction::OtherSource, what)
        .with_hint(TransferHint::AllowErrorMessage)
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
    let name = final_name(asked, target);
    for (n, coding) in codings(headers).enumerate() {
        if n == 0 && has_name_of(&name, &coding) {
            continue;
        }
        let failure = unrequested_coding(asked, &coding);
        return Err(match suffixes(&coding).first() {
            Some(suffix) if n == 0 => failure.with_hint(TransferHint::NameCompressedFile { suffix }),
            _ => failure,
        });
    }
    Ok(())
}

/// Returns the file's name: that of the target, or of the URL where there is none.
fn final_name<'a>(asked: &'a Url, target: Option<&'a Path>) -> Cow<'a, str> {
    match target {
        Some(target) => target.file_name().unwrap_or_default().to_string_lossy(),
        None => Cow::Borrowed(asked.path().rsplit('/').next().unwrap_or_default()),
    }
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
            assert_eq!(suspicion(url, "f", ""), Suspicion::Inspect(Documents::No), "{url}");
            assert_eq!(suspicion(url, "f", "text/plain"), Suspicion::Inspect(Documents::Text), "{url}");
            assert_eq!(suspicion(url, "f.root", "text/plain"), Suspicion::Inspect(Documents::No), "{url}");
            for declared in ["application/octet-stream", "image/fits"] {
                assert_eq!(
                    suspicion(url, "f", declared),
                    Suspicion::Inspect(Documents::No),
                    "{url} {declared}"
                );
            }
            assert_eq!(suspicion(url, "f", "application/json"), Suspicion::Inspect(Documents::Json), "{url}");
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
        let url: Url = "https://h/get.html?id=7".parse().unwrap();
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
            ("brdc0010.24n.Z", &["x-compress"]),
            ("f.br", &["br"]),
            ("f.lzma", &["lzma"]),
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
    fn a_short_error_message_is_no_data_unless_the_file_is_named_so() {
        let inspected = |target: &str, content_type: &str, body: &str| {
            let Suspicion::Inspect(documents) = suspicion("https://h/f", target, content_type) else {
                panic!("{content_type} is not inspected");
            };
            let mut inspection = Inspection::new(documents, Some(body.len() as u64));
            match inspection.push(Bytes::copy_from_slice(body.as_bytes())) {
                Inspected::Held => inspection.finish(),
                inspected => inspected,
            }
        };
        let long = format!(r#"{{"error":"x","more":"{}"}}"#, "y".repeat(5000));
        for (target, content_type, body, message) in [
            ("run.root", "application/json", r#"{"error":"no token"}"#, Some("no token")),
            (
                "run.root",
                "application/json; charset=utf-8",
                r#" {"status":"error","msg":"gone"}"#,
                Some("gone"),
            ),
            (
                "run.root",
                "application/problem+json",
                r#"{"title":"Forbidden","status":403}"#,
                Some("Forbidden"),
            ),
            ("run.root", "application/json", r#"{"errors":[{"status":"401","message":"old"}]}"#, Some("old")),
            (
                "run.root",
                "application/xml",
                "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>no</Message></Error>",
                Some("AccessDenied: no"),
            ),
            (
                "run.root",
                "text/xml",
                "<D:error xmlns:D='DAV:'><D:need-privileges/></D:error>",
                Some("need-privileges"),
            ),
            ("run.json", "application/json", r#"{"error":"no token"}"#, None),
            ("run.xml", "application/xml", "<Error><Code>x</Code></Error>", None),
            ("run.root", "application/octet-stream", r#"{"error":"no token"}"#, None),
            ("run.root", "application/json", r#"{"msg":"hello"}"#, None),
            ("run.root", "application/json", r#"{"error":""}"#, None),
            ("run.root", "application/json", r#"{"error":{"rms":0.5}}"#, None),
            ("run.root", "application/json", r#"{"error":"#, None),
            ("run.root", "application/json", "[1, 2]", None),
            ("run.root", "application/json", &long, None),
            ("run.root", "application/xml", "<errors><a/></errors>", None),
            ("run.root", "application/xml", "<Error><Code>", None),
        ] {
            let expected = match message {
                Some(message) => Inspected::Document(message.to_owned()),
                None => Inspected::Data(Bytes::copy_from_slice(body.as_bytes())),
            };
            assert_eq!(inspected(target, content_type, body), expected, "{target} {content_type} {body}");
        }
    }

    #[test]
    fn a_body_is_held_back_only_while_its_first_bytes_do_not_decide() {
        let mut data = Inspection::new(Documents::No, None);
        assert_eq!(data.push(Bytes::from_static(b"root")), Inspected::Data(Bytes::from_static(b"root")));
        let mut page = Inspection::new(Documents::No, None);
        for part in [" <!-- ", "-->", "<html"] {
            assert_eq!(page.push(part.into()), Inspected::Held, "{part}");
        }
        assert_eq!(page.push(Bytes::from_static(b">")), Inspected::Page);
        let mut blanks = Inspection::new(Documents::No, None);
        let kilobyte = || Bytes::from_static(&[b' '; 1024]);
        let held = (0..63).all(|_| blanks.push(kilobyte()) == Inspected::Held);
        assert!(held);
        assert_eq!(blanks.push(kilobyte()), Inspected::Data(vec![b' '; MOST_INSPECTED].into()));
    }

    #[test]
    fn the_name_of_a_compressed_page_is_that_of_a_page() {
        assert_eq!(suspicion("https://h/x", "a.html.gz", "text/html"), Suspicion::None);
        assert_eq!(suspicion("https://h/x", "a.gz", "text/html"), Suspicion::Declared);
    }

    #[test]
    fn a_coding_that_is_none_is_accepted_and_an_unrequested_one_is_the_server_s_fault() {
        let url: Url = "https://h/f.dat".parse().unwrap();
        let check = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(value));
            check_coding(&url, None, &headers)
        };
        for coding in [
            "none",
            "identity, none",
            "",
            "aws-chunked",
            "UTF-8",
            "utf8",
            "ISO-8859-1",
            "7bit",
            "application/octet-stream",
        ] {
            assert!(check(coding).is_ok(), "{coding}");
        }
        for coding in ["gzip", "br", "identity, gzip", "?"] {
            assert_eq!(check(coding).unwrap_err().kind(), FailureKind::Server, "{coding}");
        }
        // A name helps only where there is a usual one.
        let hint = |coding| check(coding).unwrap_err().hint().cloned();
        assert_eq!(hint("zstd"), Some(TransferHint::NameCompressedFile { suffix: ".zst" }));
        assert_eq!([hint("aes128gcm"), hint("dcb, gzip")], [None, None]);
    }
}
