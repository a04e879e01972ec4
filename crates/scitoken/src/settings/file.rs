//! Reading and checking `scitoken.toml`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use scitoken_types::files::{FileProblem, Ownership, SecretFile, read_bounded};
use scitoken_types::sys::Env;
use serde_json::{Value as Json, json};
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::host::HostEntry;
use super::keys::ALL;
use super::source::{SettingSource, resolve};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;

/// The largest settings file.
const MAX_LENGTH: u64 = 4 * 1024 * 1024;

/// A settings file, with what is wrong in it.
#[derive(Clone, Debug)]
pub(super) struct SettingsFile {
    pub(super) path: PathBuf,
    pub(super) table: Table,
    /// The line of each key: `transfer`, `transfer.jobs`.
    lines: BTreeMap<String, usize>,
}

/// A setting that cannot be used, and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct SettingProblem {
    source: SettingSource,
    line: Option<usize>,
    key: Option<String>,
    what: String,
}

impl fmt::Display for SettingProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            SettingSource::File(path) => write!(f, "`{}`: ", path.display())?,
            other => write!(f, "{other}: ")?,
        }
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

impl SettingProblem {
    /// Returns the problem of a value.
    pub(super) fn of_value(source: SettingSource, line: Option<usize>, key: &str, problem: &str) -> Self {
        let what = format!("invalid `{key}`: {problem}");
        Self { source, line, key: Some(key.to_owned()), what }
    }

    /// Returns the members of the problem in JSON.
    pub(crate) fn as_json(&self) -> Json {
        json!({ "from": self.source.to_string(), "line": self.line, "key": self.key, "error": self.what })
    }

    /// Returns the failure of settings with these problems; `None` without any.
    pub(crate) fn failure(problems: &[Self]) -> Option<Failure> {
        let (first, others) = problems.split_first()?;
        let others: Vec<String> = others.iter().map(|problem| format!("scitoken: {problem}")).collect();
        Some(Failure::new(Exit::Usage, first.to_string()).with_details(others.join("\n")))
    }
}

/// Returns the path of the file, and whether the user named it.
pub(super) fn location(env: &Env) -> Option<(PathBuf, bool)> {
    if let Some(path) = env.get_non_empty("SCITOKEN_CONFIG") {
        return Some((path.into(), true));
    }
    let base = match env.get_non_empty("XDG_CONFIG_HOME") {
        Some(base) => PathBuf::from(base),
        None => PathBuf::from(env.get_non_empty("HOME")?).join(".config"),
    };
    Some((base.join("scitoken/scitoken.toml"), false))
}

impl SettingsFile {
    /// Reads the file, unless it does not exist and the user did not name it.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn read(path: PathBuf, named: bool) -> Result<Option<(Self, Vec<SettingProblem>)>, Failure> {
        // The file may name commands, so one that other users could have written is used only if the user named it.
        let bytes = if named {
            read_bounded(&path, MAX_LENGTH)
        } else {
            let file = SecretFile::open(&path, Ownership::UserOrRoot);
            file.and_then(|file| file.read(MAX_LENGTH)).map(|bytes| bytes.to_vec())
        };
        let bytes = match bytes {
            Ok(bytes) => bytes,
            Err(error) if error.is_missing() && !named => return Ok(None),
            Err(error) => {
                let failure = Failure::from_error(Exit::Local, &error);
                let is_foreign = !named && !matches!(error.problem(), FileProblem::Io { .. });
                let hint =
                    is_foreign.then(|| format!("`SCITOKEN_CONFIG={}` uses it all the same", path.display()));
                let message = format!("failed to read the settings: {}", failure.message());
                return Err(Failure::new(Exit::Local, message).with_optional_hint(hint));
            }
        };
        let text = String::from_utf8(bytes)
            .map_err(|_| Failure::new(Exit::Usage, format!("`{}`: not UTF-8", path.display())))?;
        Ok(Some(Self::parse(path, &text)))
    }

    fn parse(path: PathBuf, text: &str) -> (Self, Vec<SettingProblem>) {
        let line_at = |at: usize| text.get(..at).unwrap_or(text).matches('\n').count() + 1;
        let (parsed, errors) = DeTable::parse_recoverable(text);
        let mut file = Self { path, table: Table::new(), lines: BTreeMap::new() };
        if !errors.is_empty() {
            let problems = errors.iter().map(|error| {
                let line = error.span().map(|span| line_at(span.start));
                file.problem_at(line, None, error.message().to_owned())
            });
            return (file.clone(), problems.collect());
        }
        add_lines(&mut file.lines, "", parsed.get_ref(), &line_at);
        match text.parse() {
            Ok(table) => file.table = table,
            // A number that is too large, for instance.
            Err(error) => {
                let error: toml::de::Error = error;
                let line = error.span().map(|span| line_at(span.start));
                let problem = file.problem_at(line, None, error.message().to_owned());
                return (file, vec![problem]);
            }
        }
        hide_misplaced_tokens(&file.table);
        (file, Vec::new())
    }

    fn problem_at(&self, line: Option<usize>, key: Option<&str>, what: String) -> SettingProblem {
        let source = SettingSource::File(self.path.clone());
        SettingProblem { source, line, key: key.map(str::to_owned), what }
    }

    fn problem(&self, key: &str, what: String) -> SettingProblem {
        self.problem_at(self.line(key), Some(key), what)
    }

    /// Returns the line in which a key stands.
    pub(super) fn line(&self, key: &str) -> Option<usize> {
        self.lines.get(key).copied()
    }

    /// Returns the host map, and every name that is no setting.
    pub(super) fn check(&self, env: &Env) -> (Vec<HostEntry>, Vec<SettingProblem>) {
        let (mut hosts, mut problems) = (Vec::new(), Vec::new());
        for (name, value) in &self.table {
            let Value::Table(inner) = value else {
                let known = ALL.iter().find(|key| key.name == name);
                problems.push(self.problem(
                    name,
                    match known {
                        Some(key) => format!("`{name}` stands in no table: write it below `[{}]`", key.table),
                        None => format!("`{name}` is not a table"),
                    },
                ));
                continue;
            };
            if name == "host" {
                for (pattern, host) in inner {
                    match HostEntry::read(pattern, host, |written| resolve(written, &self.path, env)) {
                        Ok(host) => hosts.push(host),
                        Err(what) => problems.push(self.problem(&format!("host.{pattern}"), what)),
                    }
                }
                continue;
            }
            if !ALL.iter().any(|known| known.table == name) {
                problems.push(self.problem(name, format!("unknown table `{name}`; {}", known_names(name))));
                continue;
            }
            for (key, value) in inner {
                let full = format!("{name}.{key}");
                if let Err(what) = check_form(name, key, value) {
                    problems.push(self.problem(&full, what));
                }
            }
        }
        problems.sort_by_key(|problem| problem.line);
        (hosts, problems)
    }
}

/// Says what is wrong with the name or the form of a setting.
fn check_form(table: &str, name: &str, value: &Value) -> Result<(), String> {
    let Some(known) = ALL.iter().find(|known| known.table == table && known.name == name) else {
        return Err(format!("unknown setting `{table}.{name}`; {}", known_names(table)));
    };
    let is_plain = |value: &Value| !matches!(value, Value::Table(_) | Value::Array(_));
    match value {
        Value::Array(items) if known.takes_list && items.iter().all(is_plain) => Ok(()),
        Value::Array(_) if !known.takes_list => Err(format!("`{known}` takes one value, not a list")),
        value if is_plain(value) => Ok(()),
        _ => Err(format!("`{known}` is not a value")),
    }
}

/// Notes the line of each key, `host.PATTERN.token-file` included.
fn add_lines(
    lines: &mut BTreeMap<String, usize>,
    above: &str,
    table: &DeTable<'_>,
    line_at: &impl Fn(usize) -> usize,
) {
    for (name, value) in table {
        let key =
            if above.is_empty() { name.get_ref().to_string() } else { format!("{above}.{}", name.get_ref()) };
        lines.insert(key.clone(), line_at(name.span().start));
        if let DeValue::Table(inner) = value.get_ref() {
            add_lines(lines, &key, inner, line_at);
        }
    }
}

/// Masks what looks like a token in names and values of the file; `client-id` is random and no secret.
fn hide_misplaced_tokens(table: &Table) {
    for (name, value) in table.iter().filter(|(name, _)| *name != "client-id") {
        output::hide_misplaced_token(name);
        match value {
            Value::Table(table) => hide_misplaced_tokens(table),
            Value::String(text) => output::hide_misplaced_token(text),
            Value::Array(values) => {
                values.iter().filter_map(Value::as_str).for_each(output::hide_misplaced_token);
            }
            _ => {}
        }
    }
}

/// Says which names a table has, or which tables there are.
fn known_names(table: &str) -> String {
    let names: Vec<_> = ALL.iter().filter(|key| key.table == table).map(|key| key.name).collect();
    if names.is_empty() {
        return "the tables are `transfer`, `connect`, `federation` and `host`".to_owned();
    }
    format!("`[{table}]` has `{}`", names.join("`, `"))
}
