//! Metalink files (RFC 5854): what to download, from which mirrors, and with which checksum.

use std::path::{Component, PathBuf};

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use url::Url;

use crate::ListEntry;
use crate::address::parse_location;
use crate::digest::algorithm::DigestAlgorithm;
use crate::digest::checksum::Checksum;
use crate::digest::value::Digest;
use scitoken_types::{SafeUrl, redact};

/// The namespace of RFC 5854.
const NAMESPACE: &str = "urn:ietf:params:xml:ns:metalink";

/// A text that is not a valid Metalink, or describes a file without a usable URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidMetalink(String);

/// Reads a Metalink document: each `file` as an entry of a list, its mirrors in the order of their `priority`, with the
/// strongest of its checksums.
///
/// URLs that are not `http` or `https` are skipped, as are pieces, signatures and torrents.
///
/// ```
/// let text = r#"<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="run1.root">
///   <size>16</size><hash type="sha-256">2f6b7e7c1dcb5e5eb35ae5ae55a84b9a1f1e2c0cf0f1ba24e5d7c9ed66c5d9b0</hash>
///   <url priority="2">https://mirror/run1.root</url><url priority="1">https://h/run1.root</url>
/// </file></metalink>"#;
/// let files = scitoken_transfer::read_metalink(text)?;
/// assert_eq!(files[0].as_ref().unwrap().urls[0].as_str(), "https://h/run1.root");
/// # Ok::<(), scitoken_transfer::InvalidMetalink>(())
/// ```
///
/// A file that cannot be downloaded does not keep the others from it: it is an error in its place. Its name leads out of the
/// download directory, its size or a checksum is malformed, or it has no usable URL.
///
/// # Errors
/// The text is not XML or not Metalink 4.
pub fn read_metalink(text: &str) -> Result<Vec<Result<ListEntry, InvalidMetalink>>, InvalidMetalink> {
    let mut reader = Reader::from_str(text);
    let mut files = Vec::new();
    let mut current: Option<Result<FileDescription, InvalidMetalink>> = None;
    let mut is_metalink = false;
    let mut element = Element::default();
    // The lines up to `counted` are in `line`: each is counted once.
    let (mut line, mut counted) = (1, 0);
    let (mut depth, mut pieces) = (0_usize, Pieces::Outside);
    loop {
        let broken = |error: &dyn std::fmt::Display| InvalidMetalink(format!("not XML: {error}"));
        let at = reader.buffer_position();
        match reader.read_event().map_err(|error| broken(&error))? {
            Event::Start(start) => {
                depth += 1;
                element = Element::of(&start)?;
                match start.local_name().into_inner() {
                    "metalink" => {
                        check_version(&start)?;
                        is_metalink = true;
                    }
                    "file" if is_metalink => {
                        let at = usize::try_from(at).unwrap_or(counted).max(counted);
                        let passed = text.as_bytes().get(counted..at).unwrap_or_default();
                        line += passed.split(|byte| *byte == b'\n').skip(1).count() as u64;
                        counted = at;
                        current = Some(FileDescription::named(attribute(&start, "name")?, line));
                    }
                    "pieces" => pieces = Pieces::Inside,
                    _ => {}
                }
            }
            Event::Text(piece) => element.text.push_str(&piece.xml10_content()),
            Event::CData(piece) => element.text.push_str(&piece.xml10_content()),
            Event::GeneralRef(reference) => {
                match reference.resolve_char_ref().map_err(|error| broken(&error))? {
                    Some(character) => element.text.push(character),
                    None => element.text.push_str(
                        quick_xml::escape::resolve_predefined_entity(&reference)
                            .ok_or_else(|| broken(&"an unknown entity"))?,
                    ),
                }
            }
            Event::End(end) => {
                depth = depth.saturating_sub(1);
                match (end.local_name().into_inner(), &mut current) {
                    ("pieces", _) => pieces = Pieces::Outside,
                    ("file", current) => {
                        files.extend(current.take().map(|file| file.and_then(FileDescription::entry)));
                    }
                    (name, Some(current)) if pieces == Pieces::Outside => {
                        let taken = current.as_mut().map_or(Ok(()), |file| file.take(name, &element));
                        if let Err(problem) = taken {
                            *current = Err(problem);
                        }
                    }
                    _ => {}
                }
                element = Element::default();
            }
            Event::Eof if depth > 0 => return Err(broken(&"unexpected end")),
            Event::Eof => break,
            _ => {}
        }
    }
    if is_metalink { Ok(files) } else { Err(InvalidMetalink("not a Metalink".to_owned())) }
}

/// The element that is being read.
#[derive(Debug, Default)]
struct Element {
    text: String,
    /// `type` of a `hash`.
    kind: Option<String>,
    /// `priority` of a `url`; 1 is the best.
    priority: Option<u32>,
}

/// `pieces` contains checksums of parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pieces {
    Outside,
    Inside,
}

impl Element {
    fn of(start: &BytesStart<'_>) -> Result<Self, InvalidMetalink> {
        let priority = attribute(start, "priority")?.and_then(|text| text.parse().ok());
        Ok(Self { text: String::new(), kind: attribute(start, "type")?, priority })
    }
}

/// A file whose description is being read.
#[derive(Debug)]
struct FileDescription {
    line: u64,
    name: PathBuf,
    urls: Vec<(u32, Url)>,
    left_out: Option<String>,
    digest: Option<Digest>,
    length: Option<u64>,
}

impl FileDescription {
    fn named(name: Option<String>, line: u64) -> Result<Self, InvalidMetalink> {
        let name = name.unwrap_or_default();
        let path = PathBuf::from(&name);
        let is_below = path.components().all(|part| matches!(part, Component::Normal(_)));
        // RFC 5854 section 4.1.2.1: no directory traversal.
        if name.is_empty()
            || !is_below
            || name.chars().any(char::is_control)
            || cfg!(windows) && name.contains(':')
        {
            let name = redact::text(&name);
            return Err(InvalidMetalink(format!("`{name}` is not a name below the download directory")));
        }
        Ok(Self { line, name: path, urls: Vec::new(), left_out: None, digest: None, length: None })
    }

    fn take(&mut self, name: &str, element: &Element) -> Result<(), InvalidMetalink> {
        let text = element.text.trim();
        match name {
            "url" => match parse_location(text) {
                Ok(url) => {
                    self.urls.push((element.priority.unwrap_or(u32::MAX), url));
                }
                _ => self.left_out = Some(SafeUrl::unparsed(text)),
            },
            "hash" => {
                // An unknown algorithm is skipped.
                let Some(Ok(algorithm)) = element.kind.as_deref().map(str::parse::<DigestAlgorithm>) else {
                    return Ok(());
                };
                let digest = Digest::parse_value(algorithm, text).map_err(|error| {
                    InvalidMetalink(format!("checksum of `{}`: {error}", self.name_for_display()))
                })?;
                if self.digest.as_ref().is_none_or(|known| known.algorithm() < digest.algorithm()) {
                    self.digest = Some(digest);
                }
            }
            "size" => {
                let length = text.parse();
                let length = length.map_err(|_| {
                    InvalidMetalink(format!("the size of `{}` is not a number", self.name_for_display()))
                })?;
                self.length = Some(length);
            }
            _ => {}
        }
        Ok(())
    }

    fn entry(mut self) -> Result<ListEntry, InvalidMetalink> {
        if self.urls.is_empty() {
            let name = self.name_for_display();
            return Err(InvalidMetalink(match self.left_out {
                Some(url) => format!("`{name}` has no usable URL; `{url}` is not one"),
                None => format!("`{name}` has no URL"),
            }));
        }
        self.urls.sort_by_key(|(priority, _)| *priority);
        Ok(ListEntry {
            line: self.line,
            urls: self.urls.into_iter().map(|(_, url)| url).collect(),
            out: Some(self.name),
            checksum: self.digest.map(Checksum::Expect),
            length: self.length,
        })
    }

    fn name_for_display(&self) -> String {
        redact::text(&self.name.to_string_lossy())
    }
}

fn check_version(start: &BytesStart<'_>) -> Result<(), InvalidMetalink> {
    match attribute(start, "xmlns")? {
        Some(namespace) if namespace == NAMESPACE => Ok(()),
        // With a prefix the namespace has another name; what counts is that it is not version 3.
        None => Ok(()),
        Some(_) => Err(InvalidMetalink("not a Metalink of version 4 (RFC 5854, `.meta4`)".to_owned())),
    }
}

fn attribute(start: &BytesStart<'_>, wanted: &str) -> Result<Option<String>, InvalidMetalink> {
    let broken = |error: &dyn std::fmt::Display| InvalidMetalink(format!("not XML: {error}"));
    let found = start.try_get_attribute(wanted).map_err(|error| broken(&error))?;
    let Some(found) = found else { return Ok(None) };
    let value = found.normalized_value(quick_xml::XmlVersion::Implicit1_0).map_err(|error| broken(&error))?;
    Ok(Some(value.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(inside: &str) -> Result<Vec<ListEntry>, String> {
        let text =
            format!("<?xml version=\"1.0\"?>\n<metalink xmlns=\"{NAMESPACE}\">\n{inside}\n</metalink>");
        let files = read_metalink(&text).and_then(|files| files.into_iter().collect());
        files.map_err(|error: InvalidMetalink| error.to_string())
    }

    #[test]
    fn a_file_that_cannot_be_downloaded_does_not_keep_the_others_from_it() {
        let good = |name: &str| format!("<file name=\"{name}\"><url>https://a/{name}</url></file>");
        for bad in [
            "<file name=\"../f\"><url>https://a/f</url></file>",
            "<file name=\"f\"><url>ftp://a/f</url></file>",
            "<file name=\"f\"><url>https://a/f</url><size>many</size></file>",
            "<file name=\"f\"><url>https://a/f</url><hash type=\"md5\">zz</hash><size>7</size></file>",
            "<file name=\"f\"></file>",
        ] {
            let text = format!("<metalink xmlns=\"{NAMESPACE}\">{}{bad}{}</metalink>", good("a"), good("b"));
            let files = read_metalink(&text).unwrap();
            assert_eq!([files[0].is_ok(), files[1].is_ok(), files[2].is_ok()], [true, false, true], "{bad}");
        }
    }

    #[test]
    fn the_example_of_the_rfc_is_read() {
        let files = described(
            "<published>2009-05-15T12:23:23Z</published>\n<file name=\"d/example.ext\"><size>14471447</size>\
             <identity>Example</identity><hash type=\"sha-1\">2fd4e1c67a2d28fced849ee1bb76e7391b93eb12</hash>\
             <hash type=\"adler32\">355f0612</hash><hash type=\"frob\">x</hash>\
             <pieces length=\"262144\" type=\"md5\"><hash>00</hash></pieces>\
             <url location=\"de\" priority=\"2\">https://b/f?a=1&amp;b=2</url>\
             <url>https://c/f</url><url priority=\"1\"><![CDATA[https://a/f]]></url>\
             <url priority=\"1\">ftp://d/f</url><metaurl mediatype=\"torrent\">https://e/t</metaurl></file>\
             <file name=\"second\"><url>https://a/g</url></file>",
        )
        .unwrap();
        let urls: Vec<_> = files[0].urls.iter().map(Url::as_str).collect();
        assert_eq!(urls, ["https://a/f", "https://b/f?a=1&b=2", "https://c/f"]);
        assert_eq!(files[0].out.as_deref(), Some(std::path::Path::new("d/example.ext")));
        assert_eq!((files[0].length, files[0].line), (Some(14_471_447), 4));
        let expected = "sha-1:2fd4e1c67a2d28fced849ee1bb76e7391b93eb12".parse().unwrap();
        assert_eq!(files[0].checksum, Some(expected));
        assert_eq!((files.len(), &files[1].checksum), (2, &None));
    }

    #[test]
    fn errors_name_the_defect() {
        let url = "<url>https://a/f</url>";
        for (inside, expected) in [
            (format!("<file name=\"../f\">{url}</file>"), "not a name below"),
            (format!("<file name=\"/etc/passwd\">{url}</file>"), "not a name below"),
            (format!("<file>{url}</file>"), "not a name below"),
            ("<file name=\"f\"></file>".to_owned(), "has no URL"),
            ("<file name=\"f\"><url>https://me:s3cret@h/f</url></file>".to_owned(), "no usable URL"),
            (format!("<file name=\"f\">{url}<hash type=\"md5\">zz</hash></file>"), "checksum of `f`"),
            (format!("<file name=\"f\">{url}<size>many</size></file>"), "is not a number"),
            (format!("<file name=\"f\">{url}&bomb;</file>"), "not XML"),
        ] {
            let error = described(&inside).unwrap_err();
            assert!(error.contains(expected) && !error.contains("s3cret"), "{error}");
        }
        for (text, expected) in [
            ("<html></html>", "not a Metalink"),
            ("", "not a Metalink"),
            ("<metalink version=\"3.0\" xmlns=\"http://www.metalinker.org/\"></metalink>", "version 4"),
            ("<metalink xmlns=\"urn:ietf:params:xml:ns:metalink\"><file name=\"f\">", "not XML"),
        ] {
            let error = read_metalink(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
