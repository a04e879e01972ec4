//! Decides whether a stored token is good enough for a request; pure.

use std::time::{Duration, SystemTime};

use crate::TokenStorageData;
use reqwest_scitokens::TokenRequest;
use scitoken_types::AccessToken;

/// What a request needs of a stored token.
#[derive(Clone, Debug)]
pub(super) struct TokenCriteria {
    min_validity: Duration,
    rejected: Option<AccessToken>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    /// There is no entry.
    Absent,
    /// The token can be sent.
    Fresh,
    /// The token expires soon, has expired, was rejected by a server, or is none.
    Due,
}

impl TokenCriteria {
    pub(super) fn of(request: &TokenRequest<'_>) -> Self {
        Self { min_validity: request.min_validity(), rejected: request.rejected().cloned() }
    }

    /// Evaluates an entry at `now`; `usual_lifetime` is the lifetime of tokens of this kind, if known.
    ///
    /// The margin is the SDK's: with 60 s, a token that expires in exactly 60 s is fresh. A token with a lifetime
    /// below four margins gets a margin of a quarter of its lifetime; otherwise a token that lives a few seconds
    /// would never be fresh.
    pub(super) fn evaluate(
        &self,
        entry: Option<&TokenStorageData>,
        now: SystemTime,
        usual_lifetime: Option<Duration>,
    ) -> Freshness {
        let Some(entry) = entry else { return Freshness::Absent };
        let Ok(token) = entry.access_token() else { return Freshness::Due };
        if self.rejects(entry) {
            return Freshness::Due;
        }
        let lifetime = claimed_lifetime(&token).or(usual_lifetime);
        let margin = lifetime.map_or(self.min_validity, |lifetime| self.min_validity.min(lifetime / 4));
        // The earlier of the entry's expiry, by the clock of this machine, and the token's own.
        match (now.checked_add(margin), token.expires_at()) {
            (Some(then), Some(end)) if then <= end => Freshness::Fresh,
            (Some(_), None) => Freshness::Fresh,
            _ => Freshness::Due,
        }
    }

    /// Returns the entry if it is due for renewal but can still be sent.
    pub(super) fn still_usable(
        &self,
        stored: Option<TokenStorageData>,
        now: SystemTime,
    ) -> Option<TokenStorageData> {
        let is_valid =
            |entry: &TokenStorageData| entry.access_token().is_ok_and(|token| !token.is_expired_at(now));
        stored.filter(|entry| !self.rejects(entry) && is_valid(entry))
    }

    /// Returns whether a server has rejected the token of this entry.
    pub(super) fn rejects(&self, entry: &TokenStorageData) -> bool {
        self.rejected.as_ref().is_some_and(|rejected| rejected.expose_secret() == entry.expose_access_token())
    }
}

/// Returns the refresh token of an entry; an empty one counts as none.
pub(super) fn refresh_token(entry: &TokenStorageData) -> Option<&str> {
    entry.expose_refresh_token().filter(|token| !token.is_empty())
}

/// Returns the lifetime by the token's own claims `iat` and `exp`.
fn claimed_lifetime(token: &AccessToken) -> Option<Duration> {
    let claims = token.claims()?;
    claims.expires_at()?.duration_since(claims.issued_at()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::prelude::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn criteria(rejected: Option<&str>) -> TokenCriteria {
        TokenCriteria {
            min_validity: Duration::from_secs(60),
            rejected: rejected.map(|token| AccessToken::new(token).unwrap()),
        }
    }

    fn entry(token: &str, end: i64) -> TokenStorageData {
        TokenStorageData::new("rs", "s", token, end)
    }

    #[test]
    fn the_margin_is_that_of_the_sdk() {
        let freshness = |end| criteria(None).evaluate(Some(&entry("AT", end)), at(1_000), None);
        assert_eq!(freshness(1_060), Freshness::Fresh);
        assert_eq!(freshness(1_059), Freshness::Due);
        assert_eq!(freshness(i64::MAX), Freshness::Fresh);
        assert_eq!(freshness(i64::MIN), Freshness::Due);
        assert_eq!(criteria(None).evaluate(None, at(1_000), None), Freshness::Absent);
    }

    #[test]
    fn a_text_that_is_no_token_is_due_whatever_its_expiry() {
        for text in ["", "two words", "caf\u{e9}", "line\nline"] {
            assert_eq!(criteria(None).evaluate(Some(&entry(text, 9_000)), at(1_000), None), Freshness::Due);
        }
    }

    #[test]
    fn a_rejected_token_is_due_and_another_one_is_not() {
        let freshness =
            |rejected| criteria(Some(rejected)).evaluate(Some(&entry("AT", 9_000)), at(1_000), None);
        assert_eq!(freshness("AT"), Freshness::Due);
        assert_eq!(freshness("AT0"), Freshness::Fresh);
    }

    #[test]
    fn a_token_that_says_that_it_expires_before_its_entry_is_due_then() {
        for (exp, expected, is_usable) in [
            ("995", Freshness::Due, false),
            ("\"995\"", Freshness::Due, false),
            ("1030", Freshness::Due, true),
            ("1100", Freshness::Fresh, true),
            ("9000", Freshness::Fresh, true),
            ("true", Freshness::Fresh, true),
        ] {
            let claims = BASE64_URL_SAFE_NO_PAD.encode(format!(r#"{{"exp": {exp}}}"#));
            let entry = entry(&format!("e30.{claims}.sig"), 4_600);
            assert_eq!(criteria(None).evaluate(Some(&entry), at(1_000), None), expected, "{exp}");
            assert_eq!(criteria(None).still_usable(Some(entry), at(1_000)).is_some(), is_usable, "{exp}");
        }
    }

    #[test]
    fn short_lifetimes_have_small_margins() {
        let five = Some(Duration::from_secs(5));
        assert_eq!(criteria(None).evaluate(Some(&entry("AT", 1_002)), at(1_000), five), Freshness::Fresh);
        assert_eq!(criteria(None).evaluate(Some(&entry("AT", 1_001)), at(1_000), five), Freshness::Due);
        let claims = BASE64_URL_SAFE_NO_PAD.encode(r#"{"iat": 997, "exp": 1002}"#);
        let jwt = entry(&format!("e30.{claims}.sig"), 1_002);
        assert_eq!(criteria(None).evaluate(Some(&jwt), at(1_000), None), Freshness::Fresh);
        let hour = Some(Duration::from_secs(3_600));
        assert_eq!(criteria(None).evaluate(Some(&entry("AT", 1_059)), at(1_000), hour), Freshness::Due);
    }
}
