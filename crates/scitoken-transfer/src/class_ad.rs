//! ClassAds, as HTCondor exchanges them with a file transfer plugin: attributes with strings, numbers and booleans.

use std::fmt;

/// An ad: attributes in order. Names are case-insensitive.
///
/// ```
/// use scitoken_transfer::class_ad::{ClassAd, read_class_ads};
///
/// let ad = ClassAd::default().with_text("TransferUrl", "https://h/f").with("TransferSuccess", true);
/// assert_eq!(ad.to_string(), r#"[ TransferUrl = "https://h/f"; TransferSuccess = true; ]"#);
/// assert_eq!(read_class_ads(&ad.to_string())?[0].text("transferurl"), Some("https://h/f"));
/// # Ok::<(), scitoken_transfer::class_ad::InvalidClassAd>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClassAd(Vec<(String, Value)>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Text(String),
    /// A number, a boolean or an expression, unparsed.
    Other(String),
}

/// A text that is not a sequence of ads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid ClassAd: {0}")]
pub struct InvalidClassAd(&'static str);

impl ClassAd {
    /// Returns the string of an attribute.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find_map(|(known, value)| match value {
            Value::Text(text) if known.eq_ignore_ascii_case(name) => Some(text.as_str()),
            _ => None,
        })
    }

    /// Adds a string.
    pub fn with_text(mut self, name: &str, text: impl Into<String>) -> Self {
        self.0.push((name.to_owned(), Value::Text(text.into())));
        self
    }

    /// Adds a number or a boolean; anything that is displayed as one.
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.0.push((name.to_owned(), Value::Other(value.to_string())));
        self
    }
}

/// Writes the new form, in brackets, on one line.
impl fmt::Display for ClassAd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[ ")?;
        for (name, value) in &self.0 {
            match value {
                Value::Text(text) => write!(f, "{name} = {}; ", Quoted(text))?,
                Value::Other(text) => {
                    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
                    write!(f, "{name} = {line}; ")?;
                }
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

/// The two syntaxes of ads, which differ in the meaning of a backslash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    New,
    Old,
}

/// Reads ads in the new form (`[ a = "x"; b = 1 ]`, one after the other) or in the old one (an attribute a line, a
/// blank line between two ads).
///
/// ```
/// use scitoken_transfer::class_ad::read_class_ads;
///
/// let ads = read_class_ads(r#"[ Url = "https://h/f"; LocalFileName = "f" ]"#)?;
/// assert_eq!(ads[0].text("Url"), Some("https://h/f"));
/// # Ok::<(), scitoken_transfer::class_ad::InvalidClassAd>(())
/// ```
///
/// # Errors
/// The text is neither.
pub fn read_class_ads(text: &str) -> Result<Vec<ClassAd>, InvalidClassAd> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with('[') {
        return new_form(text);
    }
    let blocks = text.split("\n\n").filter(|block| !block.trim().is_empty());
    blocks
        .map(|block| {
            block.lines().filter(|line| !line.trim().is_empty()).try_fold(
                ClassAd::default(),
                |mut ad, line| {
                    let mut rest = line;
                    ad.0.push(attribute(&mut rest, Form::Old)?);
                    Ok(ad)
                },
            )
        })
        .collect()
}

fn new_form(text: &str) -> Result<Vec<ClassAd>, InvalidClassAd> {
    let mut rest = text.trim_start();
    let mut ads = Vec::new();
    while let Some(inner) = rest.strip_prefix('[') {
        let mut ad = ClassAd::default();
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
                return Err(InvalidClassAd("unclosed bracket"));
            }
        }
        ads.push(ad);
    }
    if rest.is_empty() { Ok(ads) } else { Err(InvalidClassAd("unexpected text between two ads")) }
}

/// Parses `name = value` at the start of `rest` and removes it.
fn attribute(rest: &mut &str, form: Form) -> Result<(String, Value), InvalidClassAd> {
    let (name, behind) = rest.split_once('=').ok_or(InvalidClassAd("attribute without `=`"))?;
    let name = name.trim();
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(InvalidClassAd("attribute without name"));
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

/// Returns the string up to the closing quote, and its length with escapes and quote.
fn unquote(quoted: &str, form: Form) -> Result<(String, usize), InvalidClassAd> {
    let mut text = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((text, at + 1)),
            // In the old form a backslash is literal, unless a quote follows.
            '\\' if form == Form::Old && !quoted[at + 1..].starts_with('"') => text.push('\\'),
            '\\' => match characters.next().ok_or(InvalidClassAd("unclosed string"))?.1 {
                'n' if form == Form::New => text.push('\n'),
                't' if form == Form::New => text.push('\t'),
                other => text.push(other),
            },
            other => text.push(other),
        }
    }
    Err(InvalidClassAd("unclosed string"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read() {
        let new = "[ Url = \"https://h/a\"; LocalFileName = \"/x y/a\" ][ url=\"https://h/b\"; N = 5; LocalFileName=\"b\"; ]\n";
        let old = "Url = \"https://h/a\"\nLocalFileName = \"/x y/a\"\n\nUrl = \"https://h/b\"\nLocalFileName = \"b\"\n";
        let marked = format!("\u{feff}{new}");
        for text in [new, old, &marked] {
            let ads = read_class_ads(text).unwrap();
            assert_eq!(ads.len(), 2, "{text}");
            assert_eq!(ads[0].text("LocalFileName"), Some("/x y/a"));
            assert_eq!(ads[1].text("URL"), Some("https://h/b"));
        }
    }

    #[test]
    fn a_backslash_has_another_meaning_in_each_form() {
        assert_eq!(read_class_ads(r#"A = "c:\new \"x\"""#).unwrap()[0].text("A"), Some(r#"c:\new "x""#));
        assert_eq!(read_class_ads(r#"[ A = "c:\\new \"x\"" ]"#).unwrap()[0].text("A"), Some(r#"c:\new "x""#));
    }

    #[test]
    fn a_written_ad_is_read_back() {
        let nasty = "a \"quoted\" \\ back; ] =\nline";
        let ad = ClassAd::default().with_text("Error", nasty).with("Bytes", 7).with("Success", true);
        let again = read_class_ads(&ad.to_string()).unwrap();
        assert_eq!(again, [ad]);
        assert_eq!(again[0].text("error"), Some(nasty));
    }

    #[test]
    fn an_invalid_ad_is_refused() {
        for text in ["[ Url = \"x\"", "[ Url = \"x ]", "hello", "[ = 1 ]", "[ a = 1 ] b", "[ \"a\" = 1 ]"] {
            assert!(read_class_ads(text).is_err(), "{text}");
        }
        assert_eq!(read_class_ads(""), Ok(Vec::new()));
    }
}
