//! Time, environment and user id: the only module that reads them from the system.
//!
//! All other code takes them as values, so that a test sets them instead of changing those of the process.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

/// A clock: what tells the current time.
///
/// ```
/// use std::time::SystemTime;
/// use scitoken_types::sys::{Clock, ManualClock, SharedClock};
///
/// let clock = ManualClock::at_epoch_seconds(1_000);
/// let shared = SharedClock::from(clock.clone());
/// clock.set(SystemTime::UNIX_EPOCH);
/// assert_eq!(shared.now(), SystemTime::UNIX_EPOCH);
/// ```
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The current time.
    fn now(&self) -> SystemTime;
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// A clock that only moves when a test moves it.
///
/// Clones share one time.
///
/// ```
/// use std::time::Duration;
/// use scitoken_types::sys::{Clock, ManualClock, epoch_seconds};
///
/// let clock = ManualClock::at_epoch_seconds(1_000);
/// clock.advance(Duration::from_secs(5));
/// assert_eq!(epoch_seconds(clock.now()), 1_005);
/// ```
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<Mutex<SystemTime>>);

impl ManualClock {
    /// Returns a clock that shows `now`.
    pub fn new(now: SystemTime) -> Self {
        Self(Arc::new(Mutex::new(now)))
    }

    /// Returns a clock that shows `seconds` after the Unix epoch.
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

/// Any [`Clock`], in a form that can be cloned.
#[derive(Clone, Debug)]
pub struct SharedClock(Arc<dyn Clock>);

impl SharedClock {
    /// Returns the current time.
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

/// Environment variables: those of the process, or given ones.
///
/// `Debug` shows names only: a value may be a token.
///
/// ```
/// use scitoken_types::sys::Env;
///
/// let env = Env::given([("BEARER_TOKEN_FILE", "/tmp/token")]);
/// assert_eq!(env.get_non_empty("BEARER_TOKEN_FILE").unwrap(), "/tmp/token");
/// assert_eq!(env.get("HOME"), None);
/// ```
#[derive(Clone, Default)]
pub struct Env(Variables);

#[derive(Clone, Default)]
enum Variables {
    #[default]
    Process,
    Given(Arc<BTreeMap<OsString, OsString>>),
}

impl Env {
    /// Reads the environment of the process, at each look-up.
    pub fn process() -> Self {
        Self(Variables::Process)
    }

    /// Returns an environment of exactly these variables.
    pub fn given<K, V>(variables: impl IntoIterator<Item = (K, V)>) -> Self
    where
        K: Into<OsString>,
        V: Into<OsString>,
    {
        Self(Variables::Given(Arc::new(variables.into_iter().map(|(k, v)| (k.into(), v.into())).collect())))
    }

    /// Returns these variables, with one of them set to another value.
    ///
    /// ```
    /// use scitoken_types::sys::Env;
    ///
    /// let env = Env::given([("A", "1"), ("B", "2")]).with("B", "3");
    /// assert_eq!(env.get("A").unwrap(), "1");
    /// assert_eq!(env.get("B").unwrap(), "3");
    /// ```
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the process's environment")]
    pub fn with(&self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        let mut variables = match &self.0 {
            Variables::Process => std::env::vars_os().collect(),
            Variables::Given(variables) => BTreeMap::clone(variables),
        };
        variables.insert(name.into(), value.into());
        Self(Variables::Given(Arc::new(variables)))
    }

    /// Returns the value of a variable, if it is set; it may be empty.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the process's environment")]
    pub fn get(&self, name: impl AsRef<OsStr>) -> Option<OsString> {
        match &self.0 {
            Variables::Process => std::env::var_os(name),
            Variables::Given(variables) => variables.get(name.as_ref()).cloned(),
        }
    }

    /// Returns the value of a variable, if it is set and not empty.
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

/// Returns the effective user id of the process; `None` where the system has none.
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

/// Returns whether a user id is root's or that of another user that this user namespace does not map.
///
/// In containers without root (Apptainer, rootless Podman) the kernel shows the files of the host's root under its
/// overflow id, `nobody`. Outside of such a namespace no id does.
pub(crate) fn is_unmapped_root(uid: u32) -> bool {
    static OVERFLOW: OnceLock<Option<u32>> = OnceLock::new();
    let overflow = OVERFLOW.get_or_init(|| {
        let map = fs_err::read_to_string("/proc/self/uid_map").ok()?;
        let maps_all = map.split_whitespace().eq(["0", "0", "4294967295"]);
        let overflow = fs_err::read_to_string("/proc/sys/kernel/overflowuid").ok()?;
        overflow.trim().parse().ok().filter(|_| !maps_all)
    });
    *overflow == Some(uid)
}

/// Returns the seconds since the Unix epoch; zero for times before it.
pub fn epoch_seconds(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// Returns how long ago `then` was; zero when it is in the future.
pub fn elapsed(then: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(then).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_given_environment_has_no_other_variables() {
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
    fn a_manual_clock_moves_when_it_is_moved() {
        let clock = ManualClock::at_epoch_seconds(1_000);
        let shared = SharedClock::from(clock.clone());
        clock.advance(Duration::from_secs(5));
        assert_eq!(epoch_seconds(shared.now()), 1_005);
    }
}
