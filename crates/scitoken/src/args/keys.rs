//! Arguments of commands that work with issuers' keys.

use std::path::PathBuf;

use clap::Args;
use scitoken_authz::KeyCache;
use scitoken_jwt::keys::{Algorithm, KeyKind};
use scitoken_types::sys::Env;

use super::AuthorityArgs;
use crate::failure::Failure;
use crate::files;

/// How keys are fetched, and where they are cached.
#[derive(Debug, Args)]
pub(crate) struct KeyCacheArgs {
    /// Key cache [default: scitokens/keys.sqlite3 in `$XDG_CACHE_HOME` or ~/.cache]
    #[arg(long, value_name = "FILE", env = "SCITOKEN_KEY_CACHE", hide_env = true, global = true)]
    key_cache: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) authorities: AuthorityArgs,
}

impl KeyCacheArgs {
    /// Returns the key cache; `None` where the environment names no directory for it.
    pub(crate) fn cache(&self) -> Option<KeyCache> {
        self.key_cache.clone().or_else(|| KeyCache::user_file(&Env::process())).map(KeyCache::sqlite)
    }

    /// Fails if the user named a key cache that does not exist.
    pub(crate) fn require_file(&self) -> Result<(), Failure> {
        self.key_cache.as_deref().map_or(Ok(()), files::require)
    }
}

/// Parses the name of an asymmetric algorithm, in upper or lower case.
pub(crate) fn parse_algorithm(name: &str) -> Result<Algorithm, String> {
    let asymmetric = || Algorithm::ALL.iter().filter(|algorithm| algorithm.key_kind() != KeyKind::Secret);
    let found = asymmetric().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name));
    found.copied().ok_or_else(|| {
        let names: Vec<&str> = asymmetric().map(|algorithm| algorithm.name()).collect();
        format!("not an asymmetric algorithm; use one of {}", names.join(", "))
    })
}
