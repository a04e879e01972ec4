//! The XML of a WebDAV listing (RFC 4918 section 13).

use quick_xml::Reader;
use quick_xml::events::Event;

/// One `response` of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Described {
    pub(super) href: String,
    pub(super) is_directory: bool,
    pub(super) length: Option<u64>,
    pub(super) last_modified: Option<String>,
    pub(super) etag: Option<String>,
}

/// Reads a `multistatus`; `None` when it is none.
///
/// Only local names count: servers choose prefixes as they like, and XRootD puts its properties into a namespace of
/// Apache's. Entities other than XML's own five are not resolved, so nothing can grow.
pub(super) fn parse(xml: &str) -> Option<Vec<Described>> {
    let mut reader = Reader::from_str(xml);
    let mut found = Vec::new();
    let mut current = Described::default();
    let mut text = String::new();
    let mut is_multistatus = false;
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                text.clear();
                match start.local_name().into_inner() {
                    "multistatus" => is_multistatus = true,
                    "response" => current = Described::default(),
                    "collection" => current.is_directory = true,
                    _ => {}
                }
            }
            Event::Empty(empty) if empty.local_name().into_inner() == "collection" => {
                current.is_directory = true;
            }
            Event::Text(piece) => text.push_str(&piece.xml10_content()),
            Event::CData(piece) => text.push_str(&piece.xml10_content()),
            Event::GeneralRef(reference) => match reference.resolve_char_ref().ok()? {
                Some(character) => text.push(character),
                None => text.push_str(quick_xml::escape::resolve_predefined_entity(&reference)?),
            },
            Event::End(end) => {
                let value = text.trim();
                match end.local_name().into_inner() {
                    "response" => found.push(std::mem::take(&mut current)),
                    // The first one names the resource; others stand in error reports.
                    "href" if current.href.is_empty() => value.clone_into(&mut current.href),
                    "getcontentlength" => current.length = value.parse().ok().or(current.length),
                    "iscollection" => current.is_directory |= value == "1",
                    "getlastmodified" if !value.is_empty() => current.last_modified = Some(value.to_owned()),
                    "getetag" if !value.is_empty() => current.etag = Some(value.to_owned()),
                    _ => {}
                }
                text.clear();
            }
            Event::Eof => break,
            _ => {}
        }
    }
    found.retain(|described| !described.href.is_empty());
    is_multistatus.then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(found[0].is_directory);
        assert_eq!((found[1].href.as_str(), found[1].length), ("/vo/a&b c.txt", Some(16)));
        assert!(!found[1].is_directory);
    }

    #[test]
    fn the_form_of_apache_is_read() {
        let xml = r#"<multistatus xmlns="DAV:"><response><href>/d/f</href><propstat><prop><resourcetype/>
<getcontentlength>5</getcontentlength><getetag>"x"</getetag></prop></propstat></response>
<response><href>/d/</href><propstat><prop><resourcetype><collection></collection></resourcetype></prop></propstat>
</response></multistatus>"#;
        let found = parse(xml).unwrap();
        assert_eq!(found[0].etag.as_deref(), Some("\"x\""));
        assert!(found[1].is_directory);
    }

    #[test]
    fn what_is_no_listing_is_none() {
        for xml in ["<html><body>log in</body></html>", "<multistatus><response>", "", "&x;", "<a></b>"] {
            let found = parse(xml);
            assert!(found.is_none_or(|found| found.is_empty()), "{xml}");
        }
        let bomb = r#"<!DOCTYPE x [<!ENTITY a "aaaa">]><multistatus><response><href>&a;</href></response></multistatus>"#;
        assert_eq!(parse(bomb), None);
    }
}
