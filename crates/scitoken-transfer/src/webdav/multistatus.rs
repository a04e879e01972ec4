//! The XML of a WebDAV listing (RFC 4918 section 13), read while it arrives.

use quick_xml::Reader;
use quick_xml::errors::SyntaxError;
use quick_xml::events::Event;

use crate::webdav::entry::EntryKind;

/// The longest `response` element, in bytes.
const LONGEST_RESPONSE: usize = 1024 * 1024;

/// One resource of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resource {
    pub(crate) href: String,
    /// Whether it is a file or a directory, if the server says so.
    pub(crate) kind: Option<EntryKind>,
    pub(crate) length: Option<u64>,
    pub(crate) last_modified: Option<String>,
    pub(crate) etag: Option<String>,
    /// The status of the resource or of its properties, if it is not a success.
    pub(crate) failure: Option<u16>,
    /// What the server says about the failure, in words (`responsedescription`).
    pub(crate) description: Option<String>,
    /// Whether a status reports success.
    pub(crate) is_confirmed: bool,
}

/// A listing that is not a `multistatus`, or not a complete one, with the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

const NOT_UTF_8: Malformed = Malformed("it is not UTF-8");
const NOT_XML: Malformed = Malformed("it is not XML");
const UNKNOWN_ENTITY: Malformed = Malformed("it has an entity that is not XML's");
const TOO_LONG: Malformed = Malformed("an entry is longer than 1 MiB");
const NO_MULTISTATUS: Malformed = Malformed("it has no `multistatus`");
const ENDS_EARLY: Malformed = Malformed("it ends early");

/// Reads a `multistatus` piece by piece, holding one `response` element at a time.
///
/// Only local names count: servers choose prefixes freely, and XRootD puts its properties into a namespace of Apache's.
/// Entities other than the five of XML are not resolved, so nothing can grow.
#[derive(Debug, Default)]
pub(crate) struct MultistatusParser {
    buffer: Vec<u8>,
    /// How much of the buffer holds no end of a `response` that could be parsed.
    scanned: usize,
    is_multistatus: bool,
    is_closed: bool,
}

impl MultistatusParser {
    /// Takes the next piece and returns the resources that are complete.
    pub(crate) fn push(&mut self, piece: &[u8]) -> Result<Vec<Resource>, Malformed> {
        self.buffer.extend_from_slice(piece);
        let mut found = Vec::new();
        let mut start = 0;
        while let Some(end) = response_end(&self.buffer, self.scanned) {
            // What looks like an end may stand in a comment or in CDATA: then the element is not complete yet.
            if let Ok(parsed) = self.parse(start, end) {
                found.extend(parsed);
                start = end;
            }
            self.scanned = end;
        }
        self.buffer.drain(..start);
        // An end tag may be split between two pieces.
        self.scanned = (self.scanned - start).max(self.buffer.len().saturating_sub(LONGEST_END));
        if self.buffer.len() > LONGEST_RESPONSE { Err(TOO_LONG) } else { Ok(found) }
    }

    /// Ends the listing, which must be complete.
    pub(crate) fn finish(mut self) -> Result<Vec<Resource>, Malformed> {
        let rest = self.parse(0, self.buffer.len())?;
        match (self.is_multistatus, self.is_closed) {
            (true, true) => Ok(rest),
            (true, false) => Err(ENDS_EARLY),
            (false, _) => Err(NO_MULTISTATUS),
        }
    }

    fn parse(&mut self, start: usize, end: usize) -> Result<Vec<Resource>, Malformed> {
        let text = std::str::from_utf8(&self.buffer[start..end]).map_err(|_| NOT_UTF_8)?;
        let mut elements = Elements::default();
        elements.read(text.trim_start_matches('\u{feff}'))?;
        if elements.around.iter().any(|name| name == "response") {
            return Err(ENDS_EARLY);
        }
        self.is_multistatus |= elements.is_multistatus;
        self.is_closed |= elements.is_closed;
        Ok(elements.found)
    }
}

/// The longest end tag that is found across two pieces, in bytes.
const LONGEST_END: usize = 256;

/// Returns the position behind the first end tag of a `response` from `from` on.
fn response_end(buffer: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(open) = buffer[at..].windows(2).position(|two| two == b"</").map(|found| at + found) {
        let close = open + buffer[open..].iter().position(|byte| *byte == b'>')?;
        let name = buffer[open + 2..close].trim_ascii_end();
        if name.rsplit(|byte| *byte == b':').next() == Some(&b"response"[..]) {
            return Some(close + 1);
        }
        at = open + 2;
    }
    None
}

/// What a part of a listing contains.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own about where the reader stands")]
struct Elements {
    found: Vec<Resource>,
    current: Resource,
    hrefs: Vec<String>,
    /// The properties of the current `propstat`, which count only if its status is a success.
    properties: Resource,
    property_status: Option<u16>,
    is_in_propstat: bool,
    is_in_location: bool,
    has_properties: bool,
    is_multistatus: bool,
    is_closed: bool,
    /// The elements around the reader, by their local names. A part of a listing begins at a `response`.
    around: Vec<String>,
}

impl Elements {
    /// Returns whether the reader stands directly inside an element of this name.
    fn is_in(&self, parent: &str) -> bool {
        self.around.last().is_some_and(|name| name == parent)
    }

    /// Returns whether the reader stands where a `response` belongs (RFC 4918 section 14.16).
    fn is_between_responses(&self) -> bool {
        self.around.is_empty() || self.is_in("multistatus")
    }

    /// Returns whether the reader stands directly inside a `response` of the listing, not in a property of that name.
    fn is_in_response(&self) -> bool {
        match &self.around[..] {
            [response] => response == "response",
            [.., above, response] => above == "multistatus" && response == "response",
            [] => false,
        }
    }

    fn leave(&mut self, name: &str) {
        if let Some(at) = self.around.iter().rposition(|around| around == name) {
            self.around.truncate(at);
        }
    }

    fn read(&mut self, text: &str) -> Result<(), Malformed> {
        let mut reader = Reader::from_str(text);
        reader.config_mut().check_end_names = false;
        reader.config_mut().allow_unmatched_ends = true;
        let mut value = String::new();
        loop {
            match reader.read_event().map_err(|error| malformed(&error))? {
                Event::Start(start) => {
                    value.clear();
                    self.start(start.local_name().into_inner());
                    self.around.push(start.local_name().into_inner().to_owned());
                }
                Event::Empty(empty) => {
                    self.start(empty.local_name().into_inner());
                    self.end(empty.local_name().into_inner(), "");
                }
                Event::Text(piece) => value.push_str(&piece.xml10_content()),
                Event::CData(piece) => value.push_str(&piece.xml10_content()),
                Event::GeneralRef(reference) => match reference.resolve_char_ref().map_err(|_| NOT_XML)? {
                    Some(character) => value.push(character),
                    None => value.push_str(
                        quick_xml::escape::resolve_predefined_entity(&reference).ok_or(UNKNOWN_ENTITY)?,
                    ),
                },
                Event::End(end) => {
                    self.leave(end.local_name().into_inner());
                    self.end(end.local_name().into_inner(), value.trim());
                    value.clear();
                }
                Event::Eof => return Ok(()),
                _ => {}
            }
        }
    }

    fn start(&mut self, name: &str) {
        match name {
            "multistatus" => self.is_multistatus = true,
            "response" if self.is_between_responses() => {
                (self.current, self.properties) = (Resource::default(), Resource::default());
                self.hrefs.clear();
                (self.is_in_propstat, self.is_in_location, self.has_properties) = (false, false, false);
            }
            "propstat" if self.is_in_response() => {
                self.is_in_propstat = true;
                (self.properties, self.property_status) = (Resource::default(), None);
            }
            "collection" if self.is_in("resourcetype") => self.properties.kind = Some(EntryKind::Directory),
            "resourcetype" if self.is_in("prop") => {
                self.properties.kind.get_or_insert(EntryKind::File);
            }
            "location" if self.is_in_response() => self.is_in_location = true,
            _ => {}
        }
    }

    fn end(&mut self, name: &str, value: &str) {
        let text = || (!value.is_empty()).then(|| value.to_owned());
        match name {
            "multistatus" => self.is_closed = true,
            "href" if self.is_in_response() && !self.is_in_location => self.hrefs.push(value.to_owned()),
            "location" if self.is_in_response() => self.is_in_location = false,
            "status" if self.is_in("propstat") => self.property_status = status(value),
            "status" if self.is_in_response() => {
                self.current.failure = status(value).filter(|status| !is_success(*status));
                self.current.is_confirmed = status(value).is_some_and(is_success);
            }
            "responsedescription" if self.is_in_response() => self.current.description = text(),
            "propstat" if self.is_in_response() => self.end_propstat(),
            "response" if self.is_between_responses() => self.end_response(),
            _ if !self.is_in("prop") => {}
            "getcontentlength" => {
                self.properties.length = value.parse().ok().or(self.properties.length);
            }
            "iscollection" => match &*value.to_ascii_lowercase() {
                "1" | "true" | "t" => self.properties.kind = Some(EntryKind::Directory),
                "0" | "false" | "f" => {
                    self.properties.kind.get_or_insert(EntryKind::File);
                }
                _ => {}
            },
            "getcontenttype" if value.eq_ignore_ascii_case("httpd/unix-directory") => {
                self.properties.kind = Some(EntryKind::Directory);
            }
            "getlastmodified" => {
                self.properties.last_modified = text().or(self.properties.last_modified.take());
            }
            "getetag" => self.properties.etag = text().or(self.properties.etag.take()),
            _ => {}
        }
    }

    fn end_propstat(&mut self) {
        self.is_in_propstat = false;
        let properties = std::mem::take(&mut self.properties);
        match self.property_status {
            Some(status) if !is_success(status) => {
                // A property that does not exist (404) is not a failure of the resource.
                self.current.failure = self.current.failure.or((status != 404).then_some(status));
            }
            _ => {
                self.has_properties = true;
                self.current.is_confirmed |= self.property_status.is_some();
                if self.current.kind != Some(EntryKind::Directory) {
                    self.current.kind = properties.kind.or(self.current.kind);
                }
                self.current.length = self.current.length.or(properties.length);
                self.current.last_modified = self.current.last_modified.take().or(properties.last_modified);
                self.current.etag = self.current.etag.take().or(properties.etag);
            }
        }
    }

    fn end_response(&mut self) {
        let mut resource = std::mem::take(&mut self.current);
        if self.has_properties {
            // A single property that is refused does not make the resource unreadable.
            resource.failure = None;
        }
        if self.hrefs.is_empty() {
            self.hrefs.push(String::new());
        }
        for href in self.hrefs.drain(..) {
            self.found.push(Resource { href, ..resource.clone() });
        }
    }
}

/// Returns what is wrong with a text that the XML parser does not take: what is never closed was cut off.
fn malformed(error: &quick_xml::Error) -> Malformed {
    match error {
        quick_xml::Error::Syntax(SyntaxError::InvalidBangMarkup) => NOT_XML,
        quick_xml::Error::Syntax(_) => ENDS_EARLY,
        _ => NOT_XML,
    }
}

/// Reads `HTTP/1.1 403 Forbidden`.
fn status(line: &str) -> Option<u16> {
    line.split_whitespace().find_map(|word| word.parse().ok().filter(|code| (100..1000).contains(code)))
}

fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parses a listing in pieces of each length, which must not matter.
    fn parse(xml: &str) -> Option<Vec<Resource>> {
        let whole = parse_in(xml, xml.len().max(1));
        for piece in [1, 7, 64] {
            assert_eq!(parse_in(xml, piece), whole, "{piece}");
        }
        whole
    }

    fn parse_in(xml: &str, piece: usize) -> Option<Vec<Resource>> {
        let mut parser = MultistatusParser::default();
        let mut found = Vec::new();
        for piece in xml.as_bytes().chunks(piece) {
            found.extend(parser.push(piece).ok()?);
        }
        found.extend(parser.finish().ok()?);
        Some(found)
    }

    #[test]
    fn the_form_of_xrootd_is_read() {
        let xml = r#"<?xml version="1.0" encoding="utf-8"?>
<D:multistatus xmlns:D="DAV:" xmlns:ns1="http://apache.org/dav/props/" xmlns:ns0="DAV:">
<D:response xmlns:lp1="DAV:" xmlns:lp2="http://apache.org/dav/props/" xmlns:lp3="LCGDM:">
<D:href>/vo/</D:href><D:propstat><D:prop>
<lp1:getcontentlength>4096</lp1:getcontentlength>
<lp1:getlastmodified>2026-11-22T03:12:00Z</lp1:getlastmodified>
<lp1:resourcetype><D:collection/></lp1:resourcetype><lp1:iscollection>1</lp1:iscollection>
</D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>
<D:response><D:href>/vo/a&amp;b&#32;c.txt</D:href><D:propstat><D:prop>
<lp1:getcontentlength>16</lp1:getcontentlength><lp1:iscollection>0</lp1:iscollection>
</D:prop></D:propstat></D:response></D:multistatus>"#;
        let found = parse(xml).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].kind, Some(EntryKind::Directory));
        assert_eq!((found[1].href.as_str(), found[1].length), ("/vo/a&b c.txt", Some(16)));
        assert_eq!(found[1].kind, Some(EntryKind::File));
    }

    #[test]
    fn the_form_of_apache_is_read() {
        let xml = r#"<multistatus xmlns="DAV:"><response><href>/d/f</href><propstat><prop><resourcetype/>
<getcontentlength>5</getcontentlength><getetag>"x"</getetag></prop></propstat></response>
<response><href>/d/</href><propstat><prop><resourcetype><collection></collection></resourcetype></prop></propstat>
</response></multistatus>"#;
        let found = parse(xml).unwrap();
        assert_eq!(found[0].etag.as_deref(), Some("\"x\""));
        assert_eq!(found[1].kind, Some(EntryKind::Directory));
    }

    #[test]
    fn what_is_no_listing_is_none() {
        for xml in ["<html><body>log in</body></html>", "<multistatus><response>", "", "&x;", "<a></b>"] {
            assert_eq!(parse(xml), None, "{xml}");
        }
        let bomb = r#"<!DOCTYPE x [<!ENTITY a "aaaa">]><multistatus><response><href>&a;</href></response></multistatus>"#;
        assert_eq!(parse(bomb), None);
    }

    fn response(inside: &str) -> Option<Resource> {
        let xml =
            format!("<D:multistatus xmlns:D=\"DAV:\"><D:response>{inside}</D:response></D:multistatus>");
        parse(&xml)?.pop()
    }

    #[test]
    fn statuses_are_read_wherever_they_stand() {
        let ok = "<D:propstat><D:prop><D:getcontentlength>5</D:getcontentlength></D:prop>\
                  <D:status>HTTP/1.1 200 OK</D:status></D:propstat>";
        let missing = "<D:propstat><D:prop><D:getetag/></D:prop><D:status>HTTP/1.1 404 Not Found</D:status></D:propstat>";
        let refused = missing.replace("404 Not Found", "403 Forbidden");
        let own = "<D:status>HTTP/1.1 423 Locked</D:status>";
        for (inside, expected) in [
            (format!("<D:href>/d/f</D:href>{ok}"), None),
            (format!("<D:href>/d/f</D:href>{missing}{ok}"), None),
            (format!("<D:href>/d/f</D:href>{ok}{refused}"), None),
            (format!("<D:href>/d/f</D:href>{missing}"), None),
            (format!("<D:href>/d/f</D:href>{refused}"), Some(403)),
            (format!("<D:href>/d/f</D:href>{own}"), Some(423)),
            (format!("{own}<D:href>/d/f</D:href>"), Some(423)),
        ] {
            let found = response(&inside).unwrap();
            assert_eq!((found.href.as_str(), found.failure), ("/d/f", expected), "{inside}");
        }
        // The properties of a refused part do not count.
        let length = refused.replace("<D:getetag/>", "<D:getcontentlength>9</D:getcontentlength>");
        assert_eq!(response(&format!("<D:href>/d/f</D:href>{length}")).unwrap().length, None);
    }

    #[test]
    fn a_directory_is_one_by_each_property_that_says_so() {
        let kind = |properties: &str| {
            let length = "<D:getcontentlength>4096</D:getcontentlength>";
            let inside =
                format!("<D:href>/d</D:href><D:propstat><D:prop>{length}{properties}</D:prop></D:propstat>");
            response(&inside).unwrap().kind
        };
        for directory in [
            "<D:resourcetype><D:collection/></D:resourcetype>",
            "<D:iscollection>1</D:iscollection>",
            "<D:iscollection>True</D:iscollection>",
            "<D:resourcetype/><D:iscollection>t</D:iscollection>",
            "<D:getcontenttype>httpd/unix-directory</D:getcontenttype>",
        ] {
            assert_eq!(kind(directory), Some(EntryKind::Directory), "{directory}");
        }
        for file in [
            "<D:resourcetype/>",
            "<D:iscollection>0</D:iscollection>",
            "<D:iscollection>FALSE</D:iscollection>",
        ] {
            assert_eq!(kind(file), Some(EntryKind::File), "{file}");
        }
        assert_eq!(kind("<D:getcontenttype>text/plain</D:getcontenttype>"), None);
    }

    #[test]
    fn a_listing_that_ends_early_is_malformed() {
        let whole = "<multistatus><response><href>/d/f</href></response></multistatus>";
        assert_eq!(parse(whole).unwrap().len(), 1);
        for cut in [whole.len() - 1, whole.len() - 14, 40, 14] {
            assert_eq!(parse(&whole[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn an_end_tag_in_cdata_or_a_comment_ends_nothing() {
        let tricky = "<!-- </response> --><href><![CDATA[/d/</response>]]></href>";
        let xml = format!("<multistatus><response>{tricky}</response></multistatus>");
        assert_eq!(parse(&xml).unwrap()[0].href, "/d/</response>");
    }

    #[test]
    fn a_response_has_a_longest_length() {
        let mut parser = MultistatusParser::default();
        parser.push(b"<multistatus><response><href>").unwrap();
        let pushed = (0..100).try_for_each(|_| parser.push(&vec![b'a'; 32 * 1024]).map(drop));
        assert_eq!(pushed, Err(TOO_LONG));
        assert!(parser.buffer.len() <= LONGEST_RESPONSE + 64 * 1024);
    }

    #[test]
    fn elements_count_only_where_they_belong() {
        let xml = r#"<D:multistatus xmlns:D="DAV:" xmlns:x="urn:x"><D:response><D:href>/d/f</D:href><D:propstat><D:prop>
            <D:resourcetype/><D:getcontentlength>7</D:getcontentlength><x:collection>EGRET</x:collection>
            <x:note><x:getcontentlength>99</x:getcontentlength><x:response><x:href>/other</x:href></x:response></x:note>
            <x:status>500 events</x:status></D:prop><D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response>
            <D:response><D:href>/d/g</D:href><D:status>HTTP/1.1 403 Forbidden</D:status></D:response></D:multistatus>"#;
        let found = parse(xml).unwrap();
        let f = Resource {
            href: "/d/f".to_owned(),
            kind: Some(EntryKind::File),
            length: Some(7),
            is_confirmed: true,
            ..Resource::default()
        };
        let g = Resource { href: "/d/g".to_owned(), failure: Some(403), ..Resource::default() };
        assert_eq!(found, [f, g]);
    }
}
