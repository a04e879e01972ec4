//! What stands in the environment and in `scitoken.toml`, and where each value comes from.
//!
//! A flag beats the environment, the environment beats the file, the file beats the default.

mod host;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use reqwest_scitokens::sys::Env;
use toml::{Table, Value};

pub(crate) use self::host::{Account, Agent, Client, Host, HostToken, Storage, Stored};
use crate::exit::Exit;
use crate::failure::Failure;

/// One thing that can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// Its table and name in the file.
    pub(crate) table: &'static str,
    pub(crate) name: &'static str,
    /// Its variable.
    pub(crate) variable: &'static str,
    /// What holds when it is set nowhere, in words.
    pub(crate) default: &'static str,
}

macro_rules! keys {
    ($($constant:ident = $table:literal $name:literal $variable:literal $default:literal;)*) => {
        $(pub(crate) const $constant: Key =
            Key { table: $table, name: $name, variable: $variable, default: $default };)*
        /// Everything that can be set, in the order in which it is shown.
        pub(crate) const ALL: &[Key] = &[$($constant),*];
    };
}

keys! {
    JOBS = "transfer" "jobs" "SCITOKEN_JOBS" "4";
    STREAMS = "transfer" "streams" "SCITOKEN_STREAMS" "1";
    CHECKSUM = "transfer" "checksum" "SCITOKEN_CHECKSUM" "auto";
    RETRY = "transfer" "retry" "SCITOKEN_RETRY" "5";
    RETRY_MAX_TIME = "transfer" "retry-max-time" "SCITOKEN_RETRY_MAX_TIME" "no limit";
    RETRY_BUDGET = "transfer" "retry-budget" "SCITOKEN_RETRY_BUDGET" "10000";
    MAX_TIME = "transfer" "max-time" "SCITOKEN_MAX_TIME" "no limit";
    STALL_TIME = "transfer" "stall-time" "SCITOKEN_STALL_TIME" "60";
    TOKEN_WAIT = "transfer" "token-wait" "SCITOKEN_TOKEN_WAIT" "0";
    CONNECT_TIMEOUT = "connect" "connect-timeout" "SCITOKEN_CONNECT_TIMEOUT" "10";
    CACERT = "connect" "cacert" "SCITOKEN_CACERT" "none";
    CAPATH = "connect" "capath" "SCITOKEN_CAPATH" "none";
    TRUST_REDIRECT = "connect" "trust-redirect" "SCITOKEN_TRUST_REDIRECT" "the token's audience";
    ATTACH = "connect" "attach" "SCITOKEN_ATTACH" "when-found";
    AUDIENCE = "connect" "audience" "SCITOKEN_AUDIENCE" "none";
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Variable(&'static str),
    File(PathBuf),
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "environment `{name}`"),
            Self::File(path) => write!(f, "file `{}`", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// The settings of this run, flags left aside.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    env: Env,
    file: Option<(PathBuf, Table)>,
    hosts: Vec<Host>,
}

impl Settings {
    /// Reads the file that the environment names, if there is one.
    pub(crate) fn load(env: Env) -> Result<Self, Failure> {
        let file = match location(&env) {
            Some((path, named)) => read(&path, named)?.map(|table| (path, table)),
            None => None,
        };
        let hosts = match &file {
            Some((path, table)) => check(path, table, &env)?,
            None => Vec::new(),
        };
        Ok(Self { env, file, hosts })
    }

    /// The environment.
    pub(crate) fn env(&self) -> &Env {
        &self.env
    }

    /// The file, if there is one.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_ref().map(|(path, _)| path.as_path())
    }

    /// The host map.
    pub(crate) fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// A value as it is written, and where.
    pub(crate) fn text(&self, key: Key) -> (Option<String>, Source) {
        if let Some(value) = self.env.get_non_empty(key.variable) {
            return (Some(value.to_string_lossy().into_owned()), Source::Variable(key.variable));
        }
        if let Some((path, table)) = &self.file
            && let Some(value) = table.get(key.table).and_then(|table| table.get(key.name))
        {
            return (Some(in_text(value)), Source::File(path.clone()));
        }
        (None, Source::Default)
    }

    /// A flag's value, or else what is set for it.
    pub(crate) fn choose<T>(&self, flag: Option<T>, key: Key) -> Result<Option<T>, Failure>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        if flag.is_some() {
            return Ok(flag);
        }
        let (text, source) = self.text(key);
        text.map(|text| parse(&text, key, &source)).transpose()
    }

    /// The same for a path; one in the file is relative to the file.
    pub(crate) fn choose_path(&self, flag: Option<&Path>, key: Key) -> Option<PathBuf> {
        if let Some(path) = flag {
            return Some(path.to_owned());
        }
        let (text, source) = self.text(key);
        text.map(|text| match &source {
            Source::File(file) => place(Path::new(&text), file, &self.env),
            _ => text.into(),
        })
    }

    /// The same for values that are several.
    pub(crate) fn choose_all<T>(&self, flags: Vec<T>, key: Key) -> Result<Vec<T>, Failure>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        let (Some(text), source) = self.text(key) else { return Ok(flags) };
        if !flags.is_empty() {
            return Ok(flags);
        }
        text.split([',', ' ']).filter(|part| !part.is_empty()).map(|part| parse(part, key, &source)).collect()
    }
}

fn parse<T: FromStr>(text: &str, key: Key, source: &Source) -> Result<T, Failure>
where
    T::Err: fmt::Display,
{
    text.parse().map_err(|error| {
        Failure::new(Exit::Usage, format!("{source}: `{}.{}` is not right: {error}", key.table, key.name))
    })
}

/// Where the file is, and whether somebody named it.
fn location(env: &Env) -> Option<(PathBuf, bool)> {
    if let Some(path) = env.get_non_empty("SCITOKEN_CONFIG") {
        return Some((path.into(), true));
    }
    let base = match env.get_non_empty("XDG_CONFIG_HOME") {
        Some(base) => PathBuf::from(base),
        None => PathBuf::from(env.get_non_empty("HOME")?).join(".config"),
    };
    Some((base.join("scitoken/scitoken.toml"), false))
}

fn read(path: &Path, named: bool) -> Result<Option<Table>, Failure> {
    let text = match fs_err::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !named => return Ok(None),
        Err(error) => {
            return Err(Failure::new(Exit::Local, format!("cannot read the settings: {error}")));
        }
    };
    let table = text.parse::<Table>().map_err(|error| bad(path, error.message()))?;
    Ok(Some(table))
}

/// A word that is not known is a mistake, not something to pass over.
fn check(path: &Path, table: &Table, env: &Env) -> Result<Vec<Host>, Failure> {
    let mut hosts = Vec::new();
    for (name, value) in table {
        let Value::Table(inner) = value else { return Err(bad(path, &format!("`{name}` is no table"))) };
        if name == "host" {
            for (pattern, host) in inner {
                let host = Host::read(pattern, host, |written| place(written, path, env));
                hosts.push(host.map_err(|what| bad(path, &what))?);
            }
            continue;
        }
        for (key, value) in inner {
            if !ALL.iter().any(|known| known.table == name && known.name == key) {
                return Err(bad(
                    path,
                    &format!("`{name}.{key}` is not known; `scitoken config show` lists all"),
                ));
            }
            let is_plain = |value: &Value| !matches!(value, Value::Table(_) | Value::Array(_));
            let is_list = matches!(value, Value::Array(items) if items.iter().all(is_plain));
            if !is_plain(value) && !is_list {
                return Err(bad(path, &format!("`{name}.{key}` is no value")));
            }
        }
    }
    Ok(hosts)
}

/// A path in the file: `~/` is the home, and what is relative lies beside the file, wherever the program is run.
fn place(written: &Path, file: &Path, env: &Env) -> PathBuf {
    match (written.strip_prefix("~"), env.get_non_empty("HOME")) {
        (Ok(rest), Some(home)) => Path::new(&home).join(rest),
        _ => file.parent().unwrap_or(Path::new("")).join(written),
    }
}

fn in_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(in_text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

fn bad(path: &Path, what: &str) -> Failure {
    Failure::new(Exit::Usage, format!("`{}`: {what}", path.display()))
}

#[cfg(test)]
mod tests {
    use reqwest_scitokens::OriginPattern;

    use super::*;

    fn settings(text: &str, variables: &[(&str, &str)]) -> Result<Settings, String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("scitoken.toml");
        fs_err::write(&path, text).unwrap();
        let config = ("SCITOKEN_CONFIG", path.to_str().unwrap());
        let env = Env::given(variables.iter().copied().chain([config]));
        Settings::load(env).map_err(|failure| failure.message().to_owned())
    }

    #[test]
    fn a_flag_beats_the_environment_and_the_environment_the_file() {
        let text = "[transfer]\njobs = 7\nretry = 2\n[connect]\ntrust-redirect = [\"*.a.org\", \"b.org\"]\n";
        let settings = settings(text, &[("SCITOKEN_RETRY", "9")]).unwrap();
        assert_eq!(settings.choose(Some(3_usize), JOBS).unwrap(), Some(3));
        assert_eq!(settings.choose::<usize>(None, JOBS).unwrap(), Some(7));
        assert_eq!(settings.choose::<u32>(None, RETRY).unwrap(), Some(9));
        assert_eq!(settings.choose::<u32>(None, STREAMS).unwrap(), None);
        assert_eq!(settings.choose_all::<OriginPattern>(Vec::new(), TRUST_REDIRECT).unwrap().len(), 2);
    }

    #[test]
    fn what_is_not_known_or_not_right_is_named() {
        for (text, expected) in [
            ("[transfer]\njob = 1", "`transfer.job` is not known"),
            ("jobs = 1", "`jobs` is no table"),
            ("[host.\"*\"]\nno-auth = true", "is not an origin pattern"),
            ("[host.\"a.org\"]\ntoken = \"x\"", "needs one of"),
            ("[transfer", "scitoken.toml"),
        ] {
            let message = settings(text, &[]).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
        let wrong = settings("[transfer]\njobs = \"many\"", &[]).unwrap();
        assert!(
            wrong.choose::<usize>(None, JOBS).unwrap_err().message().contains("`transfer.jobs` is not right")
        );
    }

    #[test]
    fn a_path_in_the_file_lies_beside_it_or_in_the_home() {
        let text = "[connect]\ncacert = \"ca.pem\"\ncapath = \"~/ca\"\n";
        let settings = settings(text, &[("HOME", "/home/me")]).unwrap();
        let file = settings.file().unwrap().with_file_name("ca.pem");
        assert_eq!(settings.choose_path(None, CACERT), Some(file));
        assert_eq!(settings.choose_path(None, CAPATH), Some("/home/me/ca".into()));
        assert_eq!(settings.choose_path(Some(Path::new("x")), CACERT), Some("x".into()));
    }

    #[test]
    fn a_file_that_was_named_must_be_there() {
        let named = Env::given([("SCITOKEN_CONFIG", "/nonexistent/x.toml")]);
        assert!(Settings::load(named).is_err());
        let usual = Env::given([("XDG_CONFIG_HOME", "/nonexistent")]);
        assert!(Settings::load(usual).unwrap().file().is_none());
    }
}
