//! Whether a body is a web page, by its first bytes.

/// What the first bytes of a body say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageVerdict {
    Page,
    NotPage,
    /// They are blanks, comments or XML's declarations so far.
    Undecided,
}

/// The tags that show a web page (MIME Sniffing Standard section 7.1), and two that redirects and logins begin with.
const TAGS: [&[u8]; 18] = [
    b"html", b"head", b"body", b"script", b"iframe", b"h1", b"div", b"font", b"table", b"a", b"style",
    b"title", b"b", b"br", b"p", b"meta", b"form", b"center",
];

/// The tags that show a web page where the server or the name says that it is text: Markdown begins with the others, too.
const TAGS_IN_TEXT: [&[u8]; 8] =
    [b"html", b"head", b"body", b"script", b"iframe", b"title", b"meta", b"form"];

/// Inspects the first bytes of a body, behind a byte order mark, blanks, comments and XML's declarations.
pub(crate) fn page_verdict(start: &[u8]) -> PageVerdict {
    inspect(start, &TAGS)
}

/// As [`page_verdict`], for a body that is known to be text.
pub(crate) fn page_verdict_of_text(start: &[u8]) -> PageVerdict {
    inspect(start, &TAGS_IN_TEXT)
}

fn inspect(start: &[u8], tags: &[&[u8]]) -> PageVerdict {
    let inspect_text = |text: &[u8]| inspect_text(text, tags);
    if let [0xff, 0xfe, rest @ ..] | [0xfe, 0xff, rest @ ..] = start {
        return inspect_text(&narrow(rest));
    }
    match start {
        // The beginning of a mark.
        [0xef | 0xfe | 0xff | 0] | [0xef, 0xbb] => PageVerdict::Undecided,
        // UTF-16 without a mark.
        [b'<', 0, ..] | [0, b'<', ..] => inspect_text(&narrow(start)),
        _ => inspect_text(start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start)),
    }
}

/// Returns the markup of a text in UTF-16, where every other byte is zero.
fn narrow(wide: &[u8]) -> Vec<u8> {
    wide.iter().copied().filter(|byte| *byte != 0).collect()
}

fn inspect_text(text: &[u8], tags: &[&[u8]]) -> PageVerdict {
    let mut rest = text;
    let mut is_xml = false;
    loop {
        rest = rest.trim_ascii_start();
        let (opening, closing): (&[u8], &[u8]) = match rest {
            [b'<', b'?', ..] => (b"<?xml", b"?>"),
            _ => (b"<!--", b"-->"),
        };
        match strip(rest, opening) {
            Stripped::Rest(inside) => {
                let Some(end) = inside.windows(closing.len()).position(|text| text == closing) else {
                    return PageVerdict::Undecided;
                };
                is_xml |= opening == b"<?xml";
                rest = &inside[end + closing.len()..];
            }
            Stripped::Unfinished => return PageVerdict::Undecided,
            Stripped::Other => return inspect_markup(rest, is_xml, tags),
        }
    }
}

/// Inspects the first markup that is neither a comment nor a declaration of XML.
fn inspect_markup(markup: &[u8], is_xml: bool, tags: &[&[u8]]) -> PageVerdict {
    match strip(markup, b"<!doctype") {
        Stripped::Rest(name) => {
            let name = name.trim_ascii_start();
            return match strip(name, b"html") {
                Stripped::Rest(rest) => ended_name(rest),
                Stripped::Unfinished => PageVerdict::Undecided,
                Stripped::Other => PageVerdict::NotPage,
            };
        }
        Stripped::Unfinished => return PageVerdict::Undecided,
        Stripped::Other => {}
    }
    let Some(tag) = markup.strip_prefix(b"<") else { return PageVerdict::NotPage };
    let length = tag.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b':');
    let name = &tag[..length.unwrap_or(tag.len())];
    if length.is_none() {
        // The longest name with a usual prefix.
        return if name.len() < 32 { PageVerdict::Undecided } else { PageVerdict::NotPage };
    }
    let is_page = if is_xml {
        // Only XHTML is a web page among all that begins as XML.
        name.rsplit(|byte| *byte == b':').next().is_some_and(|name| name.eq_ignore_ascii_case(b"html"))
    } else {
        tags.iter().any(|known| name.eq_ignore_ascii_case(known))
    };
    if is_page { ended_name(&tag[name.len()..]) } else { PageVerdict::NotPage }
}

/// Returns whether a name ends where it seems to.
fn ended_name(rest: &[u8]) -> PageVerdict {
    match rest.first() {
        None => PageVerdict::Undecided,
        Some(b'>' | b'/') => PageVerdict::Page,
        Some(byte) if byte.is_ascii_whitespace() => PageVerdict::Page,
        Some(_) => PageVerdict::NotPage,
    }
}

/// What is left of a text behind a beginning.
enum Stripped<'t> {
    Rest(&'t [u8]),
    /// The text ends within the beginning.
    Unfinished,
    Other,
}

/// Strips a beginning, in either case.
fn strip<'t>(text: &'t [u8], beginning: &[u8]) -> Stripped<'t> {
    let common = text.len().min(beginning.len());
    match (text[..common].eq_ignore_ascii_case(&beginning[..common]), text.len() < beginning.len()) {
        (true, false) => Stripped::Rest(&text[beginning.len()..]),
        (true, true) => Stripped::Unfinished,
        (false, _) => Stripped::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "<!DOCTYPE html>\n<html><head>";

    fn wide(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn a_web_page_shows_in_its_first_markup() {
        let utf_8 = [
            PAGE.to_owned(),
            format!("\u{feff}{PAGE}"),
            format!("\u{feff} \r\n\t{PAGE}"),
            format!("{}{PAGE}", " \n".repeat(3000)),
            format!("<!-- {} -->{PAGE}", "license ".repeat(1000)),
            format!("<!-- a --> <!--[if IE]><html class=ie><![endif]-->\n{PAGE}"),
            "<!doctype HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\">".to_owned(),
            "<!DOCTYPE  \n html>".to_owned(),
            "<?xml version=\"1.0\"?>\n<!DOCTYPE html PUBLIC>".to_owned(),
            "<?xml version=\"1.0\"?><?xml-stylesheet href=\"a\"?><!-- c --><html xmlns=\"x\">".to_owned(),
            "<?xml version=\"1.0\"?><h:html xmlns:h=\"http://www.w3.org/1999/xhtml\">".to_owned(),
            "<HTML\nlang='en'>".to_owned(),
            "<head>".to_owned(),
            "<body bgcolor=white>".to_owned(),
            "<title>Log in</title>".to_owned(),
            "<meta http-equiv=\"refresh\" content=\"0; url=/login\">".to_owned(),
            "<script>location=\"/login\"</script>".to_owned(),
            "<form method=post>".to_owned(),
            "<h1>502 Bad Gateway</h1>".to_owned(),
        ];
        for page in &utf_8 {
            assert_eq!(page_verdict(page.as_bytes()), PageVerdict::Page, "{page}");
        }
        for page in [
            [&b"\xff\xfe"[..], &wide(PAGE, u16::to_le_bytes)].concat(),
            [&b"\xfe\xff"[..], &wide(PAGE, u16::to_be_bytes)].concat(),
            wide(PAGE, u16::to_le_bytes),
            wide(PAGE, u16::to_be_bytes),
        ] {
            assert_eq!(page_verdict(&page), PageVerdict::Page, "{page:?}");
        }
    }

    #[test]
    fn data_is_no_web_page() {
        for data in [
            "\x7fELF",
            "root",
            "SIMPLE  =                    T",
            "see <html>",
            "a < b",
            "<VOTABLE version=\"1.3\">",
            "<htmlx>",
            "<html-data>",
            "<titles>",
            "<metadata>",
            "<h10>",
            "<!DOCTYPE xml>",
            "<!DOCTYPE htmlx>",
            "<!DOCTYPE book SYSTEM \"html\">",
            "<?xml version=\"1.0\"?><metalink>",
            "<?xml version=\"1.0\"?><table>",
            "<?xml version=\"1.0\"?><title>",
            "<!-- c --><VOTABLE>",
            "<?php echo",
            "<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
        ] {
            assert_eq!(page_verdict(data.as_bytes()), PageVerdict::NotPage, "{data}");
        }
        assert_eq!(page_verdict(b"\x89HDF\r\n\x1a\n"), PageVerdict::NotPage);
        assert_eq!(page_verdict(&wide("\u{feff}hello", u16::to_le_bytes)), PageVerdict::NotPage);
    }

    #[test]
    fn markdown_may_begin_with_an_element() {
        for text in ["<p align=\"center\">", "<h1>Data</h1>", "<div>", "<br />", "<table>", "<!-- c -->\n<p>"]
        {
            assert_eq!(page_verdict_of_text(text.as_bytes()), PageVerdict::NotPage, "{text}");
        }
        for page in [PAGE, "<html lang=en>", "<head>", "<body>", "<script>", "<meta http-equiv=refresh>"] {
            assert_eq!(page_verdict_of_text(page.as_bytes()), PageVerdict::Page, "{page}");
        }
    }

    #[test]
    fn more_bytes_decide_where_the_first_ones_do_not() {
        for start in [
            "",
            " \n",
            "<",
            "<!",
            "<!-",
            "<!-- c",
            "<!-- c -->",
            "<?xml version",
            "<!doct",
            "<!doctype ht",
            "<ht",
            "<html",
        ] {
            assert_eq!(page_verdict(start.as_bytes()), PageVerdict::Undecided, "{start}");
        }
        // In pieces of every length the verdict is the same.
        for (text, verdict) in
            [("<!-- c -->\n<html >", PageVerdict::Page), ("<?xml ?><data>", PageVerdict::NotPage)]
        {
            let verdicts: Vec<_> =
                (0..=text.len()).map(|end| page_verdict(&text.as_bytes()[..end])).collect();
            let first = verdicts.iter().position(|found| *found != PageVerdict::Undecided).unwrap();
            assert!(verdicts[first..].iter().all(|found| *found == verdict), "{text}: {verdicts:?}");
        }
    }
}
