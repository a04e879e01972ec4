//! ClassAds, as far as a transfer plugin meets them: attributes with texts, numbers and truth values.

use std::fmt;

/// An ad: attributes in the order in which they stand. Names are compared without case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ad(Vec<(String, Value)>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    /// A number, a truth value or an expression, as it stands.
    Other(String),
}

/// A text that is no sequence of ads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no ClassAd: {0}")]
pub(super) struct NoClassAd(&'static str);

impl Ad {
    /// The text of an attribute.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find_map(|(known, value)| match value {
            Value::Text(text) if known.eq_ignore_ascii_case(name) => Some(text.as_str()),
            _ => None,
        })
    }

    /// Adds a text.
    pub(super) fn with_text(mut self, name: &str, text: impl Into<String>) -> Self {
        self.0.push((name.to_owned(), Value::Text(text.into())));
        self
    }

    /// Adds a number or a truth value.
    pub(super) fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.0.push((name.to_owned(), Value::Other(value.to_string())));
        self
    }
}

/// The new form, in brackets, on one line.
impl fmt::Display for Ad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[ ")?;
        for (name, value) in &self.0 {
            match value {
                Value::Text(text) => write!(f, "{name} = {}; ", Quoted(text))?,
                Value::Other(text) => write!(f, "{name} = {text}; ")?,
            }
        }
        f.write_str("]")
    }
}

struct Quoted<'t>(&'t str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for character in self.0.chars() {
            match character {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                c if c.is_control() => f.write_str(" ")?,
                c => write!(f, "{c}")?,
            }
        }
        f.write_str("\"")
    }
}

/// The two ways to write ads, which differ in what a backslash means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    New,
    Old,
}

/// Reads ads in the new form (`[ a = "x"; b = 1 ]`, one after the other) or in the old one (an attribute a line, a
/// blank line between two ads).
pub(super) fn parse(text: &str) -> Result<Vec<Ad>, NoClassAd> {
    if text.trim_start().starts_with('[') {
        return new_form(text);
    }
    let blocks = text.split("\n\n").filter(|block| !block.trim().is_empty());
    blocks
        .map(|block| {
            block.lines().filter(|line| !line.trim().is_empty()).try_fold(Ad::default(), |mut ad, line| {
                let mut rest = line;
                ad.0.push(attribute(&mut rest, Form::Old)?);
                Ok(ad)
            })
        })
        .collect()
}

fn new_form(text: &str) -> Result<Vec<Ad>, NoClassAd> {
    let mut rest = text.trim_start();
    let mut ads = Vec::new();
    while let Some(inner) = rest.strip_prefix('[') {
        let mut ad = Ad::default();
        rest = inner.trim_start();
        loop {
            if let Some(behind) = rest.strip_prefix(']') {
                rest = behind.trim_start();
                break;
            }
            ad.0.push(attribute(&mut rest, Form::New)?);
            rest = rest.trim_start();
            rest = rest.strip_prefix(';').unwrap_or(rest).trim_start();
            if rest.is_empty() {
                return Err(NoClassAd("a bracket is not closed"));
            }
        }
        ads.push(ad);
    }
    if rest.is_empty() { Ok(ads) } else { Err(NoClassAd("something stands between two ads")) }
}

/// Takes `name = value` off the front.
fn attribute(rest: &mut &str, form: Form) -> Result<(String, Value), NoClassAd> {
    let (name, behind) = rest.split_once('=').ok_or(NoClassAd("an attribute has no `=`"))?;
    let name = name.trim();
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(NoClassAd("an attribute has no name"));
    }
    let behind = behind.trim_start();
    let value = if let Some(quoted) = behind.strip_prefix('"') {
        let (text, length) = unquote(quoted, form)?;
        *rest = &quoted[length..];
        Value::Text(text)
    } else {
        let end = behind.find([';', ']']).unwrap_or(behind.len());
        *rest = &behind[end..];
        Value::Other(behind[..end].trim().to_owned())
    };
    Ok((name.to_owned(), value))
}

/// The text up to the closing quote, and how long it was with its escapes and that quote.
fn unquote(quoted: &str, form: Form) -> Result<(String, usize), NoClassAd> {
    let mut text = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((text, at + 1)),
            // In the old form a backslash is one, unless a quote follows.
            '\\' if form == Form::Old && !quoted[at + 1..].starts_with('"') => text.push('\\'),
            '\\' => match characters.next().ok_or(NoClassAd("a text is not closed"))?.1 {
                'n' if form == Form::New => text.push('\n'),
                't' if form == Form::New => text.push('\t'),
                other => text.push(other),
            },
            other => text.push(other),
        }
    }
    Err(NoClassAd("a text is not closed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        let new = "[ Url = \"https://h/a\"; LocalFileName = \"/x y/a\" ][ url=\"https://h/b\"; N = 5; LocalFileName=\"b\"; ]\n";
        let old = "Url = \"https://h/a\"\nLocalFileName = \"/x y/a\"\n\nUrl = \"https://h/b\"\nLocalFileName = \"b\"\n";
        for text in [new, old] {
            let ads = parse(text).unwrap();
            assert_eq!(ads.len(), 2, "{text}");
            assert_eq!(ads[0].text("LocalFileName"), Some("/x y/a"));
            assert_eq!(ads[1].text("URL"), Some("https://h/b"));
        }
    }

    #[test]
    fn a_backslash_means_something_else_in_each_form() {
        assert_eq!(parse(r#"A = "c:\new \"x\"""#).unwrap()[0].text("A"), Some(r#"c:\new "x""#));
        assert_eq!(parse(r#"[ A = "c:\\new \"x\"" ]"#).unwrap()[0].text("A"), Some(r#"c:\new "x""#));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let nasty = "a \"quoted\" \\ back; ] =\nline";
        let ad = Ad::default().with_text("Error", nasty).with("Bytes", 7).with("Success", true);
        let again = parse(&ad.to_string()).unwrap();
        assert_eq!(again, [ad]);
        assert_eq!(again[0].text("error"), Some(nasty));
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["[ Url = \"x\"", "[ Url = \"x ]", "hello", "[ = 1 ]", "[ a = 1 ] b", "[ \"a\" = 1 ]"] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(parse(""), Ok(Vec::new()));
    }
}
