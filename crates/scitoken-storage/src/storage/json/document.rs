//! The content of a JSON storage file: formats 1.0 and 2.0, checked in the order of the SDK.

use secrecy::zeroize::Zeroizing;
use serde_json::value::RawValue;

use super::super::error::Kind;
use crate::entry::{ObjectError, RawObject, raw, to_text};

/// The release of `globus-sdk` whose behaviour is followed. The files name it, so that a later SDK can tell how they
/// were written.
pub(in super::super) const SDK_VERSION: &str = "4.9.1";

const VERSION_KEY: &str = "globus-sdk.version";
const FORMAT_KEY: &str = "format_version";

/// The content of a file, always in format 2.0.
#[derive(Clone)]
pub(super) struct Document {
    top: RawObject,
    namespaces: RawObject,
    found: FormatVersion,
}

/// The format of the file that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FormatVersion {
    One,
    Two,
}

impl Document {
    /// Returns the content of a new file.
    pub(super) fn new() -> Self {
        let mut top = RawObject::default();
        top.set("data", raw("{}"));
        top.set(FORMAT_KEY, raw("\"2.0\""));
        top.set(VERSION_KEY, python_string(SDK_VERSION));
        Self { top, namespaces: RawObject::default(), found: FormatVersion::Two }
    }

    /// Reads the content of a file. A file of format 1.0 becomes the namespace `DEFAULT`, without its other top-level
    /// members, as in the SDK.
    pub(super) fn read(content: &[u8]) -> Result<Self, Kind> {
        if content.is_empty() {
            return Err(Kind::Empty);
        }
        let mut top = RawObject::read(content).map_err(|no| match no {
            ObjectError::NotJson(problem) => Kind::NotJson(problem),
            ObjectError::NotAnObject => Kind::RootNotObject,
        })?;
        let version = top.get(FORMAT_KEY).map(RawValue::get);
        let found = match version.and_then(|value| serde_json::from_str::<String>(value).ok()).as_deref() {
            Some("2.0") => FormatVersion::Two,
            Some("1.0") => {
                top = migrated(&top)?;
                FormatVersion::One
            }
            _ => {
                return Err(Kind::UnknownFormat {
                    found: scitoken_types::redact::text(version.unwrap_or("none")),
                });
            }
        };
        let data = top.get("data").ok_or(Kind::MalformedData)?;
        let namespaces = RawObject::read(data.get().as_bytes()).map_err(|_| Kind::MalformedData)?;
        let version = top.get(VERSION_KEY).ok_or(Kind::MissingKey(VERSION_KEY))?;
        serde_json::from_str::<String>(version.get()).map_err(|_| Kind::VersionNotText)?;
        Ok(Self { top, namespaces, found })
    }

    pub(super) fn found(&self) -> FormatVersion {
        self.found
    }

    /// Returns the namespaces, also those without entries.
    pub(super) fn namespaces(&self) -> impl Iterator<Item = &str> {
        self.namespaces.names()
    }

    /// Returns the entries of a namespace, none if it does not exist.
    pub(super) fn entries(&self, namespace: &str) -> Result<RawObject, Kind> {
        let Some(value) = self.namespaces.get(namespace) else { return Ok(RawObject::default()) };
        RawObject::read(value.get().as_bytes()).map_err(|_| Kind::NamespaceNotObject(namespace.to_owned()))
    }

    /// Replaces the entries of a namespace at its position.
    pub(super) fn set_entries(&mut self, namespace: &str, entries: &RawObject) {
        self.namespaces.set(namespace, raw(&to_text(entries)));
    }

    /// Sets the SDK version. The SDK does so when it stores, not when it removes.
    pub(super) fn set_sdk_version(&mut self) {
        self.top.set(VERSION_KEY, python_string(SDK_VERSION));
    }

    /// Returns the text of the file.
    pub(super) fn into_text(mut self) -> Zeroizing<String> {
        self.top.set("data", raw(&to_text(&self.namespaces)));
        to_text(&self.top)
    }
}

fn migrated(old: &RawObject) -> Result<RawObject, Kind> {
    let entries = old.get("by_rs").ok_or(Kind::NoByRs)?;
    let mut data = RawObject::default();
    data.set("DEFAULT", entries.to_owned());
    let mut top = RawObject::default();
    top.set("data", raw(&to_text(&data)));
    top.set(FORMAT_KEY, raw("\"2.0\""));
    match old.get(VERSION_KEY) {
        Some(version) => top.set(VERSION_KEY, version.to_owned()),
        None => top.set(VERSION_KEY, python_string(SDK_VERSION)),
    }
    Ok(top)
}

fn python_string(text: &str) -> Box<RawValue> {
    raw(&to_text(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(content: &str) -> String {
        Document::read(content.as_bytes()).err().unwrap().to_string()
    }

    #[test]
    fn every_invalid_file_has_its_own_message() {
        let cases = [
            ("", "the file is empty"),
            ("{\"data\": {\"DEF", "not JSON: invalid at line 1 column 14"),
            ("\u{feff}{}", "(format_version=none)"),
            ("<html>", "not JSON: it is HTML or XML"),
            ("[]", "not a JSON object"),
            ("{}", "(format_version=none)"),
            (r#"{"format_version": 2.0, "data": {}, "globus-sdk.version": "x"}"#, "(format_version=2.0)"),
            (
                r#"{"format_version": "3.0", "data": {}, "globus-sdk.version": "x"}"#,
                "(format_version=\"3.0\")",
            ),
            (r#"{"format_version": "1.0"}"#, "without a `by_rs`"),
            (r#"{"format_version": "1.0", "by_rs": {}, "globus-sdk.version": null}"#, "is not a string"),
            (r#"{"format_version": "2.0"}"#, "`data` is missing or not an object"),
            (r#"{"format_version": "2.0", "data": [], "globus-sdk.version": "x"}"#, "`data` is missing"),
            (r#"{"format_version": "2.0", "data": {}}"#, "the key `globus-sdk.version` is missing"),
            (r#"{"format_version": "2.0", "data": {}, "globus-sdk.version": 4}"#, "is not a string"),
        ];
        for (content, expected) in cases {
            assert!(problem(content).contains(expected), "{content}: {}", problem(content));
        }
    }

    #[test]
    fn a_file_of_format_1_without_a_version_is_accepted() {
        let document =
            Document::read(br#"{"format_version": "1.0", "by_rs": {"rs": {}}, "x": 1}"#).ok().unwrap();
        assert_eq!(
            document.into_text().as_str(),
            r#"{"data": {"DEFAULT": {"rs": {}}}, "format_version": "2.0", "globus-sdk.version": "4.9.1"}"#
        );
    }

    #[test]
    fn a_namespace_that_is_not_an_object_is_kept_and_does_not_affect_others() {
        let text = r#"{"data": {"a": null, "b": {}}, "format_version": "2.0", "globus-sdk.version": "1"}"#;
        let document = Document::read(text.as_bytes()).ok().unwrap();
        assert!(document.entries("a").is_err());
        assert!(document.entries("b").is_ok_and(|entries| entries.names().count() == 0));
        assert_eq!(document.into_text().as_str(), text);
    }

    #[test]
    fn white_space_at_the_end_is_accepted() {
        assert!(
            Document::read(b"{\"data\": {}, \"format_version\": \"2.0\", \"globus-sdk.version\": \"1\"}\n ")
                .is_ok()
        );
    }
}
