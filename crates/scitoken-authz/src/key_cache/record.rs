//! The record that a key cache keeps for one issuer.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::times::{CacheTimes, is_live};
use scitoken_jwt::keys::JwkSet;
use scitoken_types::sys::epoch_seconds;

/// The keys of one issuer as published, and how long they may be used.
///
/// On disk it is the JSON of scitokens-cpp: `{"expires":…,"next_update":…,"jwks":{…}}`.
///
/// ```
/// use std::time::SystemTime;
/// use scitoken_authz::{CacheTimes, CachedKeys};
/// use scitoken_jwt::keys::JwkSet;
///
/// let now = SystemTime::now();
/// let keys = CachedKeys::from_set(&JwkSet::parse(br#"{"keys":[]}"#)?, CacheTimes::default(), now);
/// assert!(keys.is_valid_at(now));
/// assert!(!keys.is_valid_at(keys.expires()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedKeys {
    jwks: String,
    next_update: SystemTime,
    expires: SystemTime,
}

#[derive(Serialize, Deserialize)]
struct StoredRecord<'a> {
    expires: f64,
    next_update: Option<f64>,
    #[serde(borrow)]
    jwks: &'a RawValue,
}

impl CachedKeys {
    pub(crate) fn new(jwks: String, next_update: SystemTime, expires: SystemTime) -> Self {
        Self { jwks, next_update, expires }
    }

    /// Makes a record of these keys as if they had been fetched at `now`. Private members are left out.
    pub fn from_set(keys: &JwkSet, times: CacheTimes, now: SystemTime) -> Self {
        let later = |by| now.checked_add(by).unwrap_or(now);
        Self::new(keys.to_public_json(), later(times.refresh.min(times.expiry)), later(times.expiry))
    }

    /// Returns the key set as JSON.
    pub fn jwks(&self) -> &str {
        &self.jwks
    }

    /// Returns when the issuer is to be asked again.
    pub fn next_update(&self) -> SystemTime {
        self.next_update
    }

    /// Returns when the keys expire.
    pub fn expires(&self) -> SystemTime {
        self.expires
    }

    /// Returns whether the keys may be used at `now`: they have not expired, and no time in the record is further ahead
    /// than any setting makes it.
    pub fn is_valid_at(&self, now: SystemTime) -> bool {
        is_live((self.next_update, self.expires), now)
    }

    /// Limits the validity to `limit` from `now`, because other programs can write the file.
    pub(crate) fn limited(mut self, now: SystemTime, limit: Duration) -> Self {
        let latest = now.checked_add(limit).unwrap_or(now);
        self.expires = self.expires.min(latest);
        self.next_update = self.next_update.min(self.expires);
        self
    }

    #[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "memory keeps the record as it is"))]
    pub(super) fn to_json(&self) -> Option<String> {
        let jwks: &RawValue = serde_json::from_str(&self.jwks).ok()?;
        let seconds = |time| epoch_seconds(time);
        let jwks = jwks.get();
        Some(format!(
            r#"{{"expires":{},"jwks":{jwks},"next_update":{}}}"#,
            seconds(self.expires),
            seconds(self.next_update)
        ))
    }

    /// Reads a stored record; `None` if it is not one. Without `next_update`, as old versions of scitokens-cpp wrote
    /// it, a refresh is due at once.
    #[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "memory keeps the record as it is"))]
    pub(super) fn from_json(json: &str) -> Option<Self> {
        let stored: StoredRecord<'_> = serde_json::from_str(json).ok()?;
        let expires = scitoken_types::numeric_date(stored.expires)?;
        let next_update = match stored.next_update {
            Some(seconds) => scitoken_types::numeric_date(seconds)?,
            None => SystemTime::UNIX_EPOCH,
        };
        Some(Self { jwks: stored.jwks.get().to_owned(), next_update, expires })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    #[cfg(feature = "sqlite")]
    fn a_record_survives_the_disk() {
        let record = CachedKeys::new(r#"{"keys":[]}"#.to_owned(), at(5), at(9));
        assert_eq!(CachedKeys::from_json(&record.to_json().unwrap()), Some(record));
    }

    #[test]
    #[cfg(feature = "sqlite")]
    fn the_record_of_scitokens_cpp_is_read() {
        let json = r#"{"expires":1700345600,"jwks":{"keys":[{"kid":"a"}]},"next_update":1700000600}"#;
        let record = CachedKeys::from_json(json).unwrap();
        assert_eq!(record.jwks(), r#"{"keys":[{"kid":"a"}]}"#);
        assert_eq!(record.expires(), at(1_700_345_600));
        let old = CachedKeys::from_json(r#"{"expires":5,"jwks":{}}"#).unwrap();
        assert_eq!(old.next_update(), at(0));
    }

    #[test]
    #[cfg(feature = "sqlite")]
    fn rubbish_is_no_record() {
        for json in ["", "{}", "[]", r#"{"expires":"x","jwks":{}}"#, r#"{"expires":1e300,"jwks":{}}"#] {
            assert_eq!(CachedKeys::from_json(json), None, "{json}");
        }
    }

    #[test]
    fn a_record_is_valid_no_longer_than_the_limit() {
        let record = CachedKeys::new(String::new(), at(90_000_000), at(90_000_000));
        let limited = record.limited(at(100), Duration::from_secs(10));
        assert_eq!((limited.next_update(), limited.expires()), (at(110), at(110)));
    }
}
