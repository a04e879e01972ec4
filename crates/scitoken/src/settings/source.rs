//! Where a value comes from, and what a path in the file means.

use std::fmt;
use std::path::{Path, PathBuf};

use scitoken_types::sys::Env;

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

/// Resolves a path in the file: `~/` is the home directory, and a relative path is relative to the file's directory.
pub(super) fn resolve(written: &Path, file: &Path, env: &Env) -> PathBuf {
    match (written.strip_prefix("~"), env.get_non_empty("HOME")) {
        (Ok(rest), Some(home)) => Path::new(&home).join(rest),
        _ => file.parent().unwrap_or(Path::new("")).join(written),
    }
}
