//! What stands in a JSON storage file: formats 1.0 and 2.0, checked in the order of the SDK.

use secrecy::zeroize::Zeroizing;
use serde_json::value::RawValue;

use super::super::error::Kind;
use super::super::members::{Members, NoObject, raw};
use super::super::python_json;

/// The release of `globus-sdk` whose behaviour is followed. It stands in the files, so that a later SDK that
/// looks at it draws the right conclusions.
pub(in super::super) const SDK_VERSION: &str = "4.9.1";

const VERSION_KEY: &str = "globus-sdk.version";
const FORMAT_KEY: &str = "format_version";

/// A file's content, always in the shape of format 2.0.
#[derive(Clone)]
pub(super) struct Document {
    top: Members,
    namespaces: Members,
    found: Format,
}

/// The format that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    One,
    Two,
}

impl Document {
    /// What a file that does not exist yet stands for.
    pub(super) fn new() -> Self {
        let mut top = Members::default();
        top.set("data", raw("{}"));
        top.set(FORMAT_KEY, raw("\"2.0\""));
        top.set(VERSION_KEY, python_string(SDK_VERSION));
        Self { top, namespaces: Members::default(), found: Format::Two }
    }

    /// Reads a file's content. A file of format 1.0 becomes its only namespace `DEFAULT`, and loses whatever else
    /// it had at the top, as with the SDK.
    pub(super) fn read(content: &[u8]) -> Result<Self, Kind> {
        if content.is_empty() {
            return Err(Kind::Empty);
        }
        let mut top = Members::read(content).map_err(|no| match no {
            NoObject::NotJson { line, column } => Kind::NotJson { line, column },
            NoObject::OtherKind => Kind::RootNotObject,
        })?;
        let version = top.get(FORMAT_KEY).map(RawValue::get);
        let found = match version.and_then(|value| serde_json::from_str::<String>(value).ok()).as_deref() {
            Some("2.0") => Format::Two,
            Some("1.0") => {
                top = migrated(&top)?;
                Format::One
            }
            _ => return Err(Kind::UnknownFormat { found: crate::redact::text(version.unwrap_or("none")) }),
        };
        let data = top.get("data").ok_or(Kind::MalformedData)?;
        let namespaces = Members::read(data.get().as_bytes()).map_err(|_| Kind::MalformedData)?;
        let version = top.get(VERSION_KEY).ok_or(Kind::MissingKey(VERSION_KEY))?;
        serde_json::from_str::<String>(version.get()).map_err(|_| Kind::VersionNotText)?;
        Ok(Self { top, namespaces, found })
    }

    pub(super) fn found(&self) -> Format {
        self.found
    }

    /// The names of the namespaces, the emptied ones too.
    pub(super) fn namespaces(&self) -> impl Iterator<Item = &str> {
        self.namespaces.names()
    }

    /// The entries of a namespace; one that is not there has none.
    pub(super) fn entries(&self, namespace: &str) -> Result<Members, Kind> {
        let Some(value) = self.namespaces.get(namespace) else { return Ok(Members::default()) };
        Members::read(value.get().as_bytes()).map_err(|_| Kind::NamespaceNotObject(namespace.to_owned()))
    }

    /// Puts the entries of a namespace where they stood.
    pub(super) fn set_entries(&mut self, namespace: &str, entries: &Members) {
        self.namespaces.set(namespace, raw(&python_json::to_text(entries)));
    }

    /// States whose work the file is now. The SDK does so when it stores, not when it removes.
    pub(super) fn sign(&mut self) {
        self.top.set(VERSION_KEY, python_string(SDK_VERSION));
    }

    /// The bytes of the file.
    pub(super) fn into_text(mut self) -> Zeroizing<String> {
        self.top.set("data", raw(&python_json::to_text(&self.namespaces)));
        python_json::to_text(&self.top)
    }
}

fn migrated(old: &Members) -> Result<Members, Kind> {
    let entries = old.get("by_rs").ok_or(Kind::NoByRs)?;
    let mut data = Members::default();
    data.set("DEFAULT", entries.to_owned());
    let mut top = Members::default();
    top.set("data", raw(&python_json::to_text(&data)));
    top.set(FORMAT_KEY, raw("\"2.0\""));
    match old.get(VERSION_KEY) {
        Some(version) => top.set(VERSION_KEY, version.to_owned()),
        None => top.set(VERSION_KEY, python_string(SDK_VERSION)),
    }
    Ok(top)
}

fn python_string(text: &str) -> Box<RawValue> {
    raw(&python_json::to_text(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(content: &str) -> String {
        Document::read(content.as_bytes()).err().unwrap().to_string()
    }

    #[test]
    fn every_broken_file_has_its_own_message() {
        let cases = [
            ("", "it is empty"),
            ("{\"data\": {\"DEF", "it is not JSON: reading ended at line 1 column 14"),
            ("\u{feff}{}", "it is not JSON"),
            ("[]", "it holds JSON, but not an object"),
            ("{}", "(format_version=none)"),
            (r#"{"format_version": 2.0, "data": {}, "globus-sdk.version": "x"}"#, "(format_version=2.0)"),
            (
                r#"{"format_version": "3.0", "data": {}, "globus-sdk.version": "x"}"#,
                "(format_version=\"3.0\")",
            ),
            (r#"{"format_version": "1.0"}"#, "no `by_rs`"),
            (r#"{"format_version": "1.0", "by_rs": {}, "globus-sdk.version": null}"#, "is not a string"),
            (r#"{"format_version": "2.0"}"#, "its `data` is missing or not an object"),
            (r#"{"format_version": "2.0", "data": [], "globus-sdk.version": "x"}"#, "its `data` is missing"),
            (r#"{"format_version": "2.0", "data": {}}"#, "the key `globus-sdk.version` is missing"),
            (r#"{"format_version": "2.0", "data": {}, "globus-sdk.version": 4}"#, "is not a string"),
        ];
        for (content, expected) in cases {
            assert!(problem(content).contains(expected), "{content}: {}", problem(content));
        }
    }

    #[test]
    fn a_file_of_format_1_without_a_version_is_taken() {
        let document =
            Document::read(br#"{"format_version": "1.0", "by_rs": {"rs": {}}, "x": 1}"#).ok().unwrap();
        assert_eq!(
            document.into_text().as_str(),
            r#"{"data": {"DEFAULT": {"rs": {}}}, "format_version": "2.0", "globus-sdk.version": "4.9.1"}"#
        );
    }

    #[test]
    fn a_namespace_that_is_no_object_stays_and_spoils_nothing_else() {
        let text = r#"{"data": {"a": null, "b": {}}, "format_version": "2.0", "globus-sdk.version": "1"}"#;
        let document = Document::read(text.as_bytes()).ok().unwrap();
        assert!(document.entries("a").is_err());
        assert!(document.entries("b").is_ok_and(|entries| entries.names().count() == 0));
        assert_eq!(document.into_text().as_str(), text);
    }

    #[test]
    fn white_space_at_the_end_is_fine() {
        assert!(
            Document::read(b"{\"data\": {}, \"format_version\": \"2.0\", \"globus-sdk.version\": \"1\"}\n ")
                .is_ok()
        );
    }
}
