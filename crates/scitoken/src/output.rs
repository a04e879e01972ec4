//! The one writer of the program: every text for standard output and standard error passes through here.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};

use base64::prelude::*;

use scitoken_types::SafeUrl;
use scitoken_types::redact::{self, Redactor};
use scitoken_types::sys::Env;
use serde_json::{Map, Value};
use url::Url;

use crate::sanitize;

/// The secrets of this run, masked in every output.
static REDACTOR: LazyLock<Redactor> = LazyLock::new(Redactor::new);

/// The warnings that were written.
static WARNED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
/// Whether warnings are left out.
static IS_QUIET: AtomicBool = AtomicBool::new(false);

/// Masks the credential of a header in every further output: a token, or the password of `Basic`.
pub(crate) fn hide(header: &[u8]) {
    let text = String::from_utf8_lossy(header);
    let credential = text.split_once(' ').map_or(&*text, |(_, credential)| credential);
    REDACTOR.add(credential);
    let decoded = BASE64_STANDARD.decode(credential).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    if let Some((user, password)) = decoded.as_deref().and_then(|login| login.split_once(':')) {
        REDACTOR.add_login(user, password);
    }
}

/// Masks the values of a `Cookie` header in every further output, or that of the cookie in `Set-Cookie`.
pub(crate) fn hide_cookies(header: &[u8], is_set: bool) {
    let text = String::from_utf8_lossy(header);
    // What follows the first pair of `Set-Cookie` are attributes.
    for pair in text.split(';').take(if is_set { 1 } else { usize::MAX }) {
        if let Some((_, value)) = pair.split_once('=') {
            REDACTOR.add_received(value.trim().trim_matches('"'));
        }
    }
}

/// Masks the credentials in a URL in every further output, which may be a server's.
pub(crate) fn hide_url(url: &Url) {
    for credential in SafeUrl::new(url).credentials() {
        REDACTOR.add_received(&credential);
    }
}

/// Masks a secret in every further output.
pub(crate) fn hide_secret(secret: &str) {
    REDACTOR.add(secret);
}

/// Masks a text of the user in every further output if it looks like a token, and is no file: it stands where none belongs.
pub(crate) fn hide_misplaced_token(text: &str) {
    let text = text.trim_start_matches('-');
    let text = text.strip_prefix("Bearer ").unwrap_or(text).trim_matches(|c: char| !is_token_char(c));
    if redact::looks_like_token(text) && !Path::new(text).exists() {
        REDACTOR.add(text);
    }
}

fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~' | '+' | '/' | '=')
}

/// Masks what looks like a token in the arguments and in the given variables, and what flags and variables hold that name a
/// token or a file with one: users mix the two up.
pub(crate) fn hide_inputs(arguments: &[String], env: &Env, variables: impl Iterator<Item = &'static str>) {
    /// Flags whose value is a token or a file of secrets.
    const FLAGS: [&str; 4] = ["--token-file", "--oauth2-bearer", "--bearer", "--client-secret-file"];
    /// Flags with values that are random and no secrets.
    const NAMES: [&str; 7] =
        ["--client-id", "--kid", "--output", "-o", "--resource-server", "--audience", "--claim"];
    let mut is_name = false;
    for argument in arguments {
        let (flag, value) = argument.split_once('=').unwrap_or((argument, argument));
        if !is_name && !NAMES.contains(&flag) {
            // The name of a flag is no part of a token.
            if !flag.starts_with("--") {
                hide_misplaced_token(argument);
            }
            hide_misplaced_token(value);
        }
        if let Ok(url) = argument.parse::<Url>() {
            SafeUrl::new(&url).credentials().for_each(|credential| REDACTOR.add(&credential));
        }
        is_name = NAMES.contains(&argument.as_str());
    }
    for value in variables.filter_map(|name| env.get_non_empty(name)) {
        hide_misplaced_token(&value.to_string_lossy());
    }
    let after_flag =
        arguments.windows(2).filter(|pair| FLAGS.contains(&pair[0].as_str())).map(|pair| &pair[1]);
    let with_equals = arguments.iter().filter_map(|argument| argument.split_once('='));
    let with_equals = with_equals.filter(|(flag, _)| FLAGS.contains(flag)).map(|(_, value)| value.to_owned());
    let files = ["BEARER_TOKEN_FILE", "SCITOKEN_FILE"].iter().filter_map(|name| env.get_non_empty(name));
    let files = files.filter_map(|value| value.into_string().ok());
    for value in after_flag.cloned().chain(with_equals).chain(files) {
        // A path has a slash, or names a file.
        if value.len() >= 16 && !value.contains('/') && !Path::new(&value).exists() {
            REDACTOR.add(&value);
        }
    }
    for name in ["BEARER_TOKEN", "SCITOKEN"] {
        if let Some(token) = env.get_non_empty(name).and_then(|value| value.into_string().ok()) {
            REDACTOR.add(&token);
        }
    }
}

/// A writer of a log line to standard error, with secrets masked.
#[derive(Debug, Default)]
pub(crate) struct LogWriter {
    text: Vec<u8>,
    is_warning: bool,
}

impl LogWriter {
    /// Returns the writer of a warning, which is written once in a run.
    pub(crate) fn of_warning() -> Self {
        Self { text: Vec::new(), is_warning: true }
    }
}

impl io::Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes the event as a whole, so that no secret is cut.
impl Drop for LogWriter {
    fn drop(&mut self) {
        let text = String::from_utf8_lossy(&self.text);
        let text = text.trim_end_matches('\n');
        if !text.is_empty() && (!self.is_warning || is_first(text)) {
            note(text);
        }
    }
}

/// How results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Output {
    /// One JSON object on each line instead of text; `docs/output.schema.json` describes the objects.
    pub(crate) json: bool,
    /// No text on standard error but errors.
    pub(crate) quiet: bool,
    /// The command that runs, such as `token where`.
    pub(crate) command: &'static str,
    /// Also lines about requests on standard error.
    pub(crate) verbose: bool,
}

impl Output {
    /// Writes a result: text for users, or an object with `ok: true` and the given members.
    pub(crate) fn result(self, text: &str, members: Value) -> io::Result<()> {
        if self.json { self.object(true, members) } else { self.text(text) }
    }

    /// Writes a result that the user asked for as it is, such as a token or its claims; nothing in it is masked.
    pub(crate) fn data(self, text: &str, members: Value) -> io::Result<()> {
        if self.json {
            write_line(&escape_json(&object(true, members).to_string()))
        } else {
            write_line(text)
        }
    }

    /// Like [`data`](Self::data), with the members as the text of a JSON object, which keeps its numbers and order.
    pub(crate) fn data_json(self, text: &str, members: &str) -> io::Result<()> {
        if !self.json {
            return write_line(text);
        }
        let members = members.trim_start().strip_prefix('{').unwrap_or(members);
        let separator = if members.trim_start().starts_with('}') { "" } else { "," };
        write_line(&escape_json(&format!(r#"{{"ok":true{separator}{members}"#)))
    }

    /// Writes a line for users; nothing with `--json`.
    pub(crate) fn text(self, text: &str) -> io::Result<()> {
        if self.json { Ok(()) } else { write_line(&clean(&REDACTOR.redact(text))) }
    }

    /// Writes an object with `ok` and the given members; nothing without `--json`.
    pub(crate) fn object(self, ok: bool, members: Value) -> io::Result<()> {
        if self.json { json_line(&object(ok, members)) } else { Ok(()) }
    }

    /// Writes a line about the progress of the command to standard error, unless it is quiet or writes JSON.
    pub(crate) fn status(self, text: &str) {
        if !self.quiet && !self.json {
            note(text);
        }
    }
}

fn object(ok: bool, members: Value) -> Value {
    let mut object = Map::from_iter([("ok".to_owned(), ok.into())]);
    if let Value::Object(members) = members {
        object.extend(members);
    }
    Value::Object(object)
}

/// Writes a JSON value as one line to standard output, with secrets masked.
pub(crate) fn json_line(value: &Value) -> io::Result<()> {
    write_line(&json_text(value))
}

/// Returns a JSON value as one line, with secrets masked and without characters that control a terminal.
pub(crate) fn json_text(value: &Value) -> String {
    escape_json(&REDACTOR.redact(&value.to_string()))
}

/// Returns a text with secrets masked.
pub(crate) fn redacted(text: &str) -> String {
    REDACTOR.redact(text).into_owned()
}

/// Writes a line to standard output, as it is.
pub(crate) fn write_line(text: &str) -> io::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    bytes(text.strip_suffix('\n').map_or_else(|| format!("{text}\n"), |_| text.to_owned()).as_bytes())
}

/// Writes a whole text to standard output, as it is.
pub(crate) fn bytes(text: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text)
        .and_then(|()| out.flush())
        .map_err(|error| io::Error::new(error.kind(), format!("failed to write to standard output: {error}")))
}

/// Writes a line to standard error, with secrets masked. A failure is ignored: the exit code still reports the outcome.
pub(crate) fn note(text: &str) {
    let text = clean(&REDACTOR.redact(text));
    let _ = io::stderr().lock().write_all(format!("{text}\n").as_bytes());
}

/// Writes a warning to standard error, once in a run; nothing if the command is quiet.
pub(crate) fn warn(text: &str) {
    let text = format!("scitoken: warning: {text}");
    if !IS_QUIET.load(Ordering::Relaxed) && is_first(&text) {
        note(&text);
    }
}

/// Writes lines to standard error that a user can do without; nothing if the command is quiet.
pub(crate) fn remark(text: &str) {
    if !IS_QUIET.load(Ordering::Relaxed) {
        note(text);
    }
}

/// Leaves out all further warnings.
pub(crate) fn leave_out_warnings() {
    IS_QUIET.store(true, Ordering::Relaxed);
}

/// Returns whether a warning is new: the sessions of a run meet the same settings and files.
fn is_first(warning: &str) -> bool {
    WARNED.lock().unwrap_or_else(PoisonError::into_inner).insert(warning.to_owned())
}

/// Replaces characters that control a terminal, except the end of a line.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c != '\n' && c != '\t' && sanitize::is_hostile(c) { ' ' } else { c }).collect()
}

/// Escapes the characters that control a terminal and that JSON permits in a string: C1 and those of the direction.
fn escape_json(json: &str) -> String {
    let escape = |text: &mut String, c: char| {
        if c > '\u{7e}' && sanitize::is_hostile(c) {
            let _ = write!(text, "\\u{:04x}", u32::from(c));
        } else {
            text.push(c);
        }
    };
    json.chars().fold(String::with_capacity(json.len()), |mut text, c| {
        escape(&mut text, c);
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_no_character_that_controls_a_terminal() {
        let value = serde_json::json!({ "name": "a\u{1b}[31m\u{9b}b\u{202e}c\u{7f}é" });
        let text = json_text(&value);
        assert_eq!(text, r#"{"name":"a\u001b[31m\u009bb\u202ec\u007fé"}"#);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn text_keeps_line_ends_only() {
        assert_eq!(clean("a\u{7}\u{1b}b\tc\nd\u{2066}"), "a  b\tc\nd ");
    }

    #[test]
    fn the_credential_of_a_header_is_masked_in_every_form() {
        hide(b"Bearer b3V0cHV0LXRlc3QtdG9rZW4");
        hide(b"Basic bWU6b3V0cHV0LXBhc3N3b3Jk");
        hide_cookies(b"sid=b3V0cHV0LWNvb2tpZQ; Path=/some/path", true);
        for secret in ["b3V0cHV0LXRlc3QtdG9rZW4", "output-password", "b3V0cHV0LWNvb2tpZQ"] {
            assert_eq!(REDACTOR.redact(&format!("x {secret} y")), "x … y");
        }
        assert_eq!(REDACTOR.redact("/some/path"), "/some/path");
    }
}
