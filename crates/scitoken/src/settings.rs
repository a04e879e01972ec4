//! Settings from the environment and `scitoken.toml`, with the source of each value.
//!
//! A flag beats the environment, the environment beats the file, and the file beats the default.

mod host;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use scitoken_types::files::{FileProblem, Ownership, SecretFile, read_bounded};
use scitoken_types::sys::Env;
use toml::{Table, Value};

pub(crate) use self::host::{
    AgentAccount, AgentSettings, HostEntry, HostToken, OAuthClientSettings, StoredTokenSettings,
};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::storage::StorageAddress;

/// The largest settings file.
const MAX_LENGTH: u64 = 4 * 1024 * 1024;

/// One setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// The table and name in the file.
    pub(crate) table: &'static str,
    pub(crate) name: &'static str,
    /// The environment variable.
    pub(crate) variable: &'static str,
    /// The default, described.
    pub(crate) default: &'static str,
}

macro_rules! keys {
    ($($constant:ident = $table:literal $name:literal $variable:literal $default:literal;)*) => {
        $(pub(crate) const $constant: Key =
            Key { table: $table, name: $name, variable: $variable, default: $default };)*
        /// All settings, in the order in which they are shown.
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
    LIMIT_RATE = "transfer" "limit-rate" "SCITOKEN_LIMIT_RATE" "no limit";
    STALL_TIME = "transfer" "stall-time" "SCITOKEN_STALL_TIME" "60";
    TOKEN_WAIT = "transfer" "token-wait" "SCITOKEN_TOKEN_WAIT" "0";
    CONNECT_TIMEOUT = "connect" "connect-timeout" "SCITOKEN_CONNECT_TIMEOUT" "10";
    CACERT = "connect" "cacert" "SCITOKEN_CACERT" "none";
    CAPATH = "connect" "capath" "SCITOKEN_CAPATH" "none";
    TRUST_REDIRECT = "connect" "trust-redirect" "SCITOKEN_TRUST_REDIRECT" "the token's audience";
    ATTACH = "connect" "attach" "SCITOKEN_ATTACH" "when-found";
    AUDIENCE = "connect" "audience" "SCITOKEN_AUDIENCE" "none";
    FEDERATION = "federation" "host" "SCITOKEN_FEDERATION" "osg-htc.org";
    CACHES = "federation" "caches" "SCITOKEN_CACHES" "none";
    FEDERATION_STORAGE = "federation" "storage" "SCITOKEN_FEDERATION_STORAGE" "json:~/.local/share/scitoken/federation.json";
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SettingSource {
    Variable(&'static str),
    File(PathBuf),
    Default,
}

impl fmt::Display for SettingSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variable(name) => write!(f, "environment `{name}`"),
            Self::File(path) => write!(f, "file `{}`", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// The settings of a run, without its flags.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    env: Env,
    file: Option<(PathBuf, Table)>,
    hosts: Vec<HostEntry>,
}

impl Settings {
    /// Reads the file that the environment names, if it exists.
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

    /// Returns the environment.
    pub(crate) fn env(&self) -> &Env {
        &self.env
    }

    /// Returns the file, if it exists.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_ref().map(|(path, _)| path.as_path())
    }

    /// Returns the host map.
    pub(crate) fn hosts(&self) -> &[HostEntry] {
        &self.hosts
    }

    /// Returns a value as it is written, and its source.
    pub(crate) fn text(&self, key: Key) -> (Option<String>, SettingSource) {
        if let Some(value) = self.env.get_non_empty(key.variable) {
            return (Some(value.to_string_lossy().into_owned()), SettingSource::Variable(key.variable));
        }
        if let Some((path, table)) = &self.file
            && let Some(value) = table.get(key.table).and_then(|table| table.get(key.name))
        {
            return (Some(in_text(value)), SettingSource::File(path.clone()));
        }
        (None, SettingSource::Default)
    }

    /// Returns a flag's value, or else the setting.
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

    /// Like [`choose`](Self::choose), for a path; one in the file is relative to the file's directory.
    pub(crate) fn choose_path(&self, flag: Option<&Path>, key: Key) -> Option<PathBuf> {
        if let Some(path) = flag {
            return Some(path.to_owned());
        }
        let (text, source) = self.text(key);
        text.map(|text| match &source {
            SettingSource::File(file) => resolve(Path::new(&text), file, &self.env),
            _ => text.into(),
        })
    }

    /// Returns where the tokens of federations are stored; `None` without a home directory. A path in the file is relative to
    /// the file's directory.
    pub(crate) fn federation_storage(&self) -> Result<Option<StorageAddress>, Failure> {
        let (Some(text), source) = self.text(FEDERATION_STORAGE) else {
            let base = match self.env.get_non_empty("XDG_DATA_HOME") {
                Some(base) => Some(PathBuf::from(base)),
                None => self.env.get_non_empty("HOME").map(|home| PathBuf::from(home).join(".local/share")),
            };
            return Ok(base.map(|base| StorageAddress::Json(base.join("scitoken/federation.json"))));
        };
        let address: StorageAddress = parse(&text, FEDERATION_STORAGE, &source)?;
        let place = |path: PathBuf| match &source {
            SettingSource::File(file) => resolve(&path, file, &self.env),
            _ => path,
        };
        Ok(Some(match address {
            StorageAddress::Json(path) => StorageAddress::Json(place(path)),
            StorageAddress::Sqlite(path) => StorageAddress::Sqlite(place(path)),
            StorageAddress::Keyring => StorageAddress::Keyring,
        }))
    }

    /// Like [`choose`](Self::choose), for a list.
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

fn parse<T: FromStr>(text: &str, key: Key, source: &SettingSource) -> Result<T, Failure>
where
    T::Err: fmt::Display,
{
    text.parse().map_err(|error: T::Err| {
        let problem = crate::sanitize::plain_words(&error.to_string());
        Failure::new(Exit::Usage, format!("{source}: invalid `{}.{}`: {problem}", key.table, key.name))
    })
}

/// Returns the path of the file, and whether the user named it.
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
    // The file may name commands, so one that other users could have written is used only if the user named it.
    let bytes = if named {
        read_bounded(path, MAX_LENGTH)
    } else {
        let file = SecretFile::open(path, Ownership::UserOrRoot);
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
    let text = String::from_utf8(bytes).map_err(|_| invalid(path, "not UTF-8"))?;
    let table = text.parse::<Table>().map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        invalid(path, &format!("line {}: {}", before.matches('\n').count() + 1, error.message()))
    })?;
    hide_misplaced_tokens(&table);
    Ok(Some(table))
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

/// The variables that are read as settings, paths or addresses.
pub(crate) fn variables() -> impl Iterator<Item = &'static str> {
    const OTHERS: [&str; 10] = [
        "SCITOKEN_CONFIG",
        "X509_CERT_DIR",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "XDG_RUNTIME_DIR",
        "XDG_CONFIG_HOME",
        "XDG_CACHE_HOME",
        "_CONDOR_CREDS",
        "OIDC_SOCK",
        "NETRC",
    ];
    ALL.iter().map(|key| key.variable).chain(OTHERS)
}

/// Checks the file; unknown names are errors.
fn check(path: &Path, table: &Table, env: &Env) -> Result<Vec<HostEntry>, Failure> {
    let mut hosts = Vec::new();
    for (name, value) in table {
        let Value::Table(inner) = value else {
            let known = ALL.iter().find(|key| key.name == name);
            return Err(invalid(
                path,
                &match known {
                    Some(key) => format!("`{name}` stands in no table: write it below `[{}]`", key.table),
                    None => format!("`{name}` is not a table"),
                },
            ));
        };
        if name == "host" {
            for (pattern, host) in inner {
                let host = HostEntry::read(pattern, host, |written| resolve(written, path, env));
                hosts.push(host.map_err(|what| invalid(path, &what))?);
            }
            continue;
        }
        for (key, value) in inner {
            if !ALL.iter().any(|known| known.table == name && known.name == key) {
                return Err(invalid(path, &format!("unknown setting `{name}.{key}`; {}", known_names(name))));
            }
            let is_plain = |value: &Value| !matches!(value, Value::Table(_) | Value::Array(_));
            let is_list = matches!(value, Value::Array(items) if items.iter().all(is_plain));
            if !is_plain(value) && !is_list {
                return Err(invalid(path, &format!("`{name}.{key}` is not a value")));
            }
        }
    }
    Ok(hosts)
}

/// Says which names a table has, or which tables there are.
fn known_names(table: &str) -> String {
    let names: Vec<_> = ALL.iter().filter(|key| key.table == table).map(|key| key.name).collect();
    if names.is_empty() {
        return "the tables are `transfer`, `connect`, `federation` and `host`".to_owned();
    }
    format!("`[{table}]` has `{}`", names.join("`, `"))
}

/// Resolves a path in the file: `~/` is the home directory, and a relative path is relative to the file's directory.
fn resolve(written: &Path, file: &Path, env: &Env) -> PathBuf {
    match (written.strip_prefix("~"), env.get_non_empty("HOME")) {
        (Ok(rest), Some(home)) => Path::new(&home).join(rest),
        _ => file.parent().unwrap_or(Path::new("")).join(written),
    }
}

/// Quotes a string for TOML.
pub(crate) fn quote(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

fn in_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(in_text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

fn invalid(path: &Path, what: &str) -> Failure {
    Failure::new(Exit::Usage, format!("`{}`: {what}", path.display()))
}

#[cfg(test)]
mod tests {
    use scitoken_types::OriginPattern;

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
    fn an_unknown_or_invalid_setting_is_named() {
        for (text, expected) in [
            ("[transfer]\njob = 1", "unknown setting `transfer.job`; `[transfer]` has `jobs`, `streams`"),
            ("[transfers]\njobs = 1", "the tables are `transfer`, `connect`"),
            ("jobs = 1", "write it below `[transfer]`"),
            ("job = 1", "`job` is not a table"),
            ("[host.\"*\"]\nno-auth = true", "is not an origin pattern"),
            ("[host.\"a.org\"]\ntoken = \"x\"", "needs one of"),
            ("[host.data.a.org]\nno-auth = true", "write `[host.\"data.a.org\"]`"),
            ("# one\n[transfer", "line 2: "),
        ] {
            let message = settings(text, &[]).unwrap_err();
            assert!(message.contains(expected), "{message}");
        }
        let wrong = settings("[transfer]\njobs = \"many\"", &[]).unwrap();
        assert!(wrong.choose::<usize>(None, JOBS).unwrap_err().message().contains("invalid `transfer.jobs`"));
    }

    #[test]
    fn a_path_in_the_file_is_relative_to_it_or_to_the_home() {
        let text = "[connect]\ncacert = \"ca.pem\"\ncapath = \"~/ca\"\n";
        let settings = settings(text, &[("HOME", "/home/me")]).unwrap();
        let file = settings.file().unwrap().with_file_name("ca.pem");
        assert_eq!(settings.choose_path(None, CACERT), Some(file));
        assert_eq!(settings.choose_path(None, CAPATH), Some("/home/me/ca".into()));
        assert_eq!(settings.choose_path(Some(Path::new("x")), CACERT), Some("x".into()));
    }

    #[test]
    fn a_file_that_the_user_named_must_exist() {
        let named = Env::given([("SCITOKEN_CONFIG", "/nonexistent/x.toml")]);
        assert!(Settings::load(named).is_err());
        let usual = Env::given([("XDG_CONFIG_HOME", "/nonexistent")]);
        assert!(Settings::load(usual).unwrap().file().is_none());
    }
}
