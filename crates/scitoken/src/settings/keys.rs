//! The settings that there are, and which values they take.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use scitoken_transfer::Checksum;
use scitoken_transfer::federation::{FederationHost, PreferredCaches};
use scitoken_types::{OriginPattern, Seconds};

use crate::args::{AttachMode, Rate};
use crate::sanitize::plain_words;
use crate::storage::StorageAddress;

/// One setting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// The table and name in the file.
    pub(crate) table: &'static str,
    pub(crate) name: &'static str,
    /// The environment variable.
    pub(crate) variable: &'static str,
    /// The default, described.
    pub(crate) default: &'static str,
    /// Whether the file may have a list.
    pub(super) takes_list: bool,
    /// Says what is wrong with a value.
    pub(super) check: fn(&str) -> Result<(), String>,
}

macro_rules! keys {
    ($($constant:ident: $form:ident $type:ty = $table:literal $name:literal $variable:literal $default:literal;)*) => {
        $(pub(crate) const $constant: Key = Key {
            table: $table,
            name: $name,
            variable: $variable,
            default: $default,
            takes_list: matches!(stringify!($form).as_bytes(), b"list"),
            check: check::<$type>,
        };)*
        /// All settings, in the order in which they are shown.
        pub(crate) const ALL: &[Key] = &[$($constant),*];
    };
}

keys! {
    JOBS: one NonZeroUsize = "transfer" "jobs" "SCITOKEN_JOBS" "4";
    STREAMS: one NonZeroUsize = "transfer" "streams" "SCITOKEN_STREAMS" "1";
    CHECKSUM: one Checksum = "transfer" "checksum" "SCITOKEN_CHECKSUM" "auto";
    RETRY: one u32 = "transfer" "retry" "SCITOKEN_RETRY" "5";
    RETRY_MAX_TIME: one Seconds = "transfer" "retry-max-time" "SCITOKEN_RETRY_MAX_TIME" "no limit";
    RETRY_BUDGET: one u32 = "transfer" "retry-budget" "SCITOKEN_RETRY_BUDGET" "10000";
    MAX_TIME: one Seconds = "transfer" "max-time" "SCITOKEN_MAX_TIME" "no limit";
    LIMIT_RATE: one Rate = "transfer" "limit-rate" "SCITOKEN_LIMIT_RATE" "no limit";
    STALL_TIME: one Seconds = "transfer" "stall-time" "SCITOKEN_STALL_TIME" "60";
    TOKEN_WAIT: one Seconds = "transfer" "token-wait" "SCITOKEN_TOKEN_WAIT" "0";
    CONNECT_TIMEOUT: one Seconds = "connect" "connect-timeout" "SCITOKEN_CONNECT_TIMEOUT" "10";
    CACERT: one PathBuf = "connect" "cacert" "SCITOKEN_CACERT" "none";
    CAPATH: one PathBuf = "connect" "capath" "SCITOKEN_CAPATH" "none";
    TRUST_REDIRECT: list List<OriginPattern> = "connect" "trust-redirect" "SCITOKEN_TRUST_REDIRECT" "the token's audience";
    ATTACH: one AttachMode = "connect" "attach" "SCITOKEN_ATTACH" "when-found";
    AUDIENCE: one String = "connect" "audience" "SCITOKEN_AUDIENCE" "none";
    FEDERATION: one FederationHost = "federation" "host" "SCITOKEN_FEDERATION" "osg-htc.org";
    CACHES: list PreferredCaches = "federation" "caches" "SCITOKEN_CACHES" "none";
    FEDERATION_STORAGE: one StorageAddress = "federation" "storage" "SCITOKEN_FEDERATION_STORAGE" "json:~/.local/share/scitoken/federation.json";
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.table, self.name)
    }
}

/// Values separated by commas or blanks.
#[derive(Clone, Debug)]
pub(super) struct List<T>(pub(super) Vec<T>);

impl<T: FromStr> FromStr for List<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        let parts = text.split([',', ' ']).filter(|part| !part.is_empty());
        parts.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

fn check<T: FromStr>(text: &str) -> Result<(), String>
where
    T::Err: fmt::Display,
{
    parse::<T>(text).map(drop)
}

/// Reads a value, or says what is wrong with it.
pub(super) fn parse<T: FromStr>(text: &str) -> Result<T, String>
where
    T::Err: fmt::Display,
{
    text.parse().map_err(|error: T::Err| plain_words(&error.to_string()))
}
