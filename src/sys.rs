//! Time, environment and user id: the only file that reads them from the machine.
//!
//! Everything else takes them as values, so that a test states the hour, the environment and the user it wants
//! instead of changing those of the process.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// Tells what time it is.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The current time.
    fn now(&self) -> SystemTime;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// A clock that stands still until it is told to move, for tests.
///
/// Clones share one time.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<SystemTime>>);

impl ManualClock {
    /// A clock that stands at `now`.
    pub fn new(now: SystemTime) -> Self {
        Self(Arc::new(Mutex::new(now)))
    }

    /// A clock that stands at `seconds` after the Unix epoch.
    pub fn at_epoch_seconds(seconds: u64) -> Self {
        Self::new(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
    }

    /// Moves the clock to `now`, forwards or backwards.
    pub fn set(&self, now: SystemTime) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// Moves the clock forwards.
    pub fn advance(&self, by: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A clock that can be cloned and handed on.
#[derive(Clone, Debug)]
pub struct SharedClock(Arc<dyn Clock>);

impl SharedClock {
    /// The current time.
    pub fn now(&self) -> SystemTime {
        self.0.now()
    }
}

impl Default for SharedClock {
    fn default() -> Self {
        Self(Arc::new(SystemClock))
    }
}

impl<C: Clock> From<C> for SharedClock {
    fn from(clock: C) -> Self {
        Self(Arc::new(clock))
    }
}

/// The environment variables that the library sees.
///
/// `Debug` shows names only: a value may be a token.
#[derive(Clone, Default)]
pub struct Env(Variables);

#[derive(Clone, Default)]
enum Variables {
    #[default]
    Process,
    Given(Arc<BTreeMap<OsString, OsString>>),
}

impl Env {
    /// The environment of the process, read anew at each look-up.
    pub fn process() -> Self {
        Self(Variables::Process)
    }

    /// Exactly these variables.
    pub fn given<K, V>(variables: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        Self(Variables::Given(Arc::new(variables.into_iter().map(|(k, v)| (k.into(), v.into())).collect())))
    }

    /// The value of a variable, if it is set; it may be empty.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the process's environment")]
    pub fn get(&self, name: impl AsRef<OsStr>) -> Option<OsString> {
        match &self.0 {
            Variables::Process => std::env::var_os(name),
            Variables::Given(variables) => variables.get(name.as_ref()).cloned(),
        }
    }

    /// The value of a variable, if it is set and not empty.
    pub fn get_non_empty(&self, name: impl AsRef<OsStr>) -> Option<OsString> {
        self.get(name).filter(|value| !value.is_empty())
    }
}

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Variables::Process => f.write_str("Env(process)"),
            Variables::Given(variables) => f.debug_set().entries(variables.keys()).finish(),
        }
    }
}

/// The effective user id of the process; `None` where the system has none.
pub fn effective_uid() -> Option<u32> {
    #[cfg(unix)]
    {
        Some(rustix::process::geteuid().as_raw())
    }
    #[cfg(not(unix))]
    {
        None
    }
}

/// Seconds since the Unix epoch, zero for times before it.
pub(crate) fn epoch_seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// How long ago `then` was; zero when the clock was moved back since.
pub(crate) fn elapsed(then: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(then).unwrap_or_default()
}

/// Seconds as a person says them: `47 s`, `12 min`, `3 h`, `9 days`.
pub(crate) fn in_words(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_environment_has_nothing_else_in_it() {
        let env = Env::given([("BEARER_TOKEN", "secret"), ("EMPTY", "")]);
        assert_eq!(env.get("BEARER_TOKEN").as_deref(), Some(OsStr::new("secret")));
        assert_eq!(env.get("PATH"), None);
        assert_eq!(env.get("EMPTY").as_deref(), Some(OsStr::new("")));
        assert_eq!(env.get_non_empty("EMPTY"), None);
    }

    #[test]
    fn debug_of_an_environment_shows_names_only() {
        let shown = format!("{:?}", Env::given([("BEARER_TOKEN", "secret")]));
        assert!(shown.contains("BEARER_TOKEN"));
        assert!(!shown.contains("secret"));
    }

    #[test]
    fn a_manual_clock_moves_when_told() {
        let clock = ManualClock::at_epoch_seconds(1_000);
        let shared = SharedClock::from(clock.clone());
        clock.advance(Duration::from_secs(5));
        assert_eq!(epoch_seconds(shared.now()), 1_005);
    }
}
