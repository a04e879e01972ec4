//! Settings from the environment and `scitoken.toml`, with the source of each value.
//!
//! A flag beats the environment, the environment beats the file, and the file beats the default.

mod file;
mod host;
mod keys;
mod source;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use scitoken_types::sys::Env;
use toml::Value;

pub(crate) use self::file::SettingProblem;
use self::file::SettingsFile;
pub(crate) use self::host::{
    AgentAccount, AgentSettings, HostEntry, HostToken, OAuthClientSettings, StoredTokenSettings,
};
pub(crate) use self::keys::*;
pub(crate) use self::source::SettingSource;
use self::source::resolve;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::storage::StorageAddress;

/// The settings of a run, without its flags.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    env: Env,
    file: Option<SettingsFile>,
    hosts: Vec<HostEntry>,
}

impl Settings {
    /// Reads the file that the environment names, if it exists.
    pub(crate) fn load(env: Env) -> Result<Self, Failure> {
        let (settings, problems) = Self::inspect(env)?;
        SettingProblem::failure(&problems).map_or(Ok(settings), Err)
    }

    /// Like [`load`](Self::load), with what is wrong in the file instead of an error. The values are not checked.
    pub(crate) fn inspect(env: Env) -> Result<(Self, Vec<SettingProblem>), Failure> {
        let read = match file::location(&env) {
            Some((path, named)) => SettingsFile::read(path, named)?,
            None => None,
        };
        let Some((file, mut problems)) = read else {
            return Ok((Self { env, file: None, hosts: Vec::new() }, Vec::new()));
        };
        let (hosts, wrong) = file.check(&env);
        problems.extend(wrong);
        Ok((Self { env, file: Some(file), hosts }, problems))
    }

    /// Returns the values that their settings do not take.
    pub(crate) fn invalid_values(&self) -> Vec<SettingProblem> {
        let problem = |key: &Key| {
            let (text, source) = self.text(*key);
            let problem = (key.check)(&text?).err()?;
            Some(SettingProblem::of_value(
                source.clone(),
                self.line(*key, &source),
                &key.to_string(),
                &problem,
            ))
        };
        ALL.iter().filter_map(problem).collect()
    }

    /// Returns the line of a setting, if it is one of the file.
    fn line(&self, key: Key, source: &SettingSource) -> Option<usize> {
        let file = self.file.as_ref().filter(|_| matches!(source, SettingSource::File(_)))?;
        file.line(&key.to_string())
    }

    /// Returns the environment.
    pub(crate) fn env(&self) -> &Env {
        &self.env
    }

    /// Returns the file, if it exists.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_ref().map(|file| file.path.as_path())
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
        if let Some(file) = &self.file
            && let Some(value) = file.table.get(key.table).and_then(|table| table.get(key.name))
        {
            return (Some(in_text(value)), SettingSource::File(file.path.clone()));
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
        text.map(|text| self.parse(&text, key, &source)).transpose()
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
        let address: StorageAddress = self.parse(&text, FEDERATION_STORAGE, &source)?;
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
        self.parse::<List<T>>(&text, key, &source).map(|list| list.0)
    }

    fn parse<T: FromStr>(&self, text: &str, key: Key, source: &SettingSource) -> Result<T, Failure>
    where
        T::Err: fmt::Display,
    {
        parse(text).map_err(|problem| {
            let line = self.line(key, source);
            let problem = SettingProblem::of_value(source.clone(), line, &key.to_string(), &problem);
            Failure::new(Exit::Usage, problem.to_string())
        })
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
